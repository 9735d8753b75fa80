//! Sparse arrays: each block is a Parquet file of its coordinates and values, coordinates counted from the block.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch, RecordBatchReader, Scalar},
    compute::{cast, kernels::numeric::add},
    datatypes::{Field, Schema, SchemaRef},
    error::ArrowError,
};
use tiled_plugin_api::{
    author::{
        Adapter, Context, Error, ErrorKind, OpenRequest, Reader, Result, Source, TableRequest, TableStream,
    },
    model::{Description, SparseStructure, StructureFamily},
};

use crate::parquet_file::{Batches, ParquetFile};

/// Opens the blocks of a sparse array. Its structure comes from the catalog: the files do not tell it.
pub struct SparseReader;

impl Reader for SparseReader {
    fn open(&self, _cx: &Context, request: OpenRequest) -> Result<Box<dyn Adapter>> {
        let Some(structure) = request.structure else {
            return Err(Error::unsupported_format(
                "The files of a sparse array do not tell its shape: register it with its structure",
            ));
        };
        let structure: SparseStructure = serde_json::from_value(structure).map_err(Error::internal)?;
        let blocks: Vec<Source> = request.assets.into_iter().map(|asset| asset.source).collect();
        let wanted = structure.chunks.iter().try_fold(1_usize, |all, chunks| all.checked_mul(chunks.len()));
        if wanted != Some(blocks.len()) {
            let message = format!("{} files are not the blocks of these chunks", blocks.len());
            return Err(Error::invalid_data(message));
        }
        Ok(Box::new(Sparse { structure, blocks: blocks.into() }))
    }
}

struct Sparse {
    structure: SparseStructure,
    /// In C order of the blocks.
    blocks: Arc<Vec<Source>>,
}

impl Sparse {
    /// Where block `number` begins along each axis.
    fn offsets(&self, number: usize) -> Vec<u64> {
        let mut rest = number;
        let mut offsets: Vec<u64> = Vec::with_capacity(self.structure.chunks.len());
        for chunks in self.structure.chunks.iter().rev() {
            let count = chunks.len().max(1);
            offsets.push(chunks.iter().take(rest % count).sum());
            rest /= count;
        }
        offsets.reverse();
        offsets
    }
}

fn open(blocks: &[Source], number: usize) -> Result<ParquetFile> {
    let block = blocks.get(number).ok_or_else(|| Error::new(ErrorKind::OutOfBounds, "Block out of range"))?;
    ParquetFile::open(block).map_err(|error| {
        if error.kind != ErrorKind::NotFound {
            return error;
        }
        Error::not_found(format!("Block {number} has not been stored yet")).with_detail(error)
    })
}

impl Adapter for Sparse {
    fn describe(&self, path: &str) -> Result<Description> {
        if !path.is_empty() {
            return Err(Error::not_found(format!("No such entry: {path}")));
        }
        Description::new(StructureFamily::Sparse, &self.structure)
    }

    /// Coordinates are those of the whole array; of one block (`partition`, in C order) they count from the block.
    fn read_table(&self, cx: &Context, path: &str, request: &TableRequest) -> Result<TableStream> {
        self.describe(path)?;
        let numbers = match request.partition {
            Some(number) => {
                let number = usize::try_from(number).unwrap_or(usize::MAX);
                number..number.saturating_add(1)
            }
            None => 0..self.blocks.len(),
        };
        let axes = self.structure.shape.len();
        let first = open(&self.blocks, numbers.start)?;
        let schema = first.schema();
        let data = schema
            .field_with_name("data")
            .map_err(|_| Error::invalid_data("The blocks have no column data"))?;
        // pandas' index, where the file has one, stands last and is no axis.
        let axis = |axis: usize| schema.fields().get(axis).map(|field| field.data_type().clone());
        let mut fields = Vec::with_capacity(axes + 1);
        for place in 0..axes {
            let data_type = axis(place).filter(arrow::datatypes::DataType::is_integer);
            let data_type =
                data_type.ok_or_else(|| Error::invalid_data(format!("The blocks have no axis {place}")))?;
            fields.push(Field::new(format!("dim{place}"), data_type, true));
        }
        fields.push(Field::new("data", data.data_type().clone(), true));
        let schema: SchemaRef = Arc::new(Schema::new(fields));
        let whole = request.partition.is_none();
        let offsets = |number| if whole { self.offsets(number) } else { vec![0; axes] };
        let offsets = numbers.clone().map(offsets).collect();
        let blocks =
            Blocks { cx: cx.clone(), blocks: self.blocks.clone(), numbers, offsets, schema, current: None };
        match &request.columns {
            None => Ok(TableStream::from_reader(Box::new(blocks))),
            Some(names) => project(blocks, names),
        }
    }
}

fn project(blocks: Blocks, names: &[String]) -> Result<TableStream> {
    let place = |name: &String| {
        blocks.schema.index_of(name).map_err(|_| Error::not_found(format!("No such field {name}")))
    };
    let places: Vec<usize> = names.iter().map(place).collect::<Result<_>>()?;
    let schema = Arc::new(blocks.schema.project(&places).map_err(Error::internal)?);
    let batches =
        blocks.map(move |batch| batch.and_then(|batch| batch.project(&places)).map_err(Error::from_arrow));
    Ok(TableStream::from_batches(schema, batches))
}

struct Blocks {
    cx: Context,
    blocks: Arc<Vec<Source>>,
    numbers: std::ops::Range<usize>,
    offsets: std::collections::VecDeque<Vec<u64>>,
    schema: SchemaRef,
    current: Option<(Batches, Vec<u64>)>,
}

impl Blocks {
    fn step(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            self.cx.check()?;
            if let Some((batches, offsets)) = &mut self.current {
                match batches.next().transpose()? {
                    Some(batch) => return shift(&batch, offsets, &self.schema).map(Some),
                    None => self.current = None,
                }
            }
            let (Some(number), Some(offsets)) = (self.numbers.next(), self.offsets.pop_front()) else {
                return Ok(None);
            };
            let file = open(&self.blocks, number)?;
            let mut places: Vec<usize> = (0..offsets.len()).collect();
            let data = file.schema().index_of("data");
            places.push(data.map_err(|_| Error::invalid_data(format!("Block {number} has no column data")))?);
            if places.iter().any(|place| *place >= file.schema().fields().len()) {
                return Err(Error::invalid_data(format!("Block {number} has too few columns")));
            }
            self.current = Some((file.read(&places)?, offsets));
        }
    }
}

/// The rows with coordinates counted from the whole array.
fn shift(batch: &RecordBatch, offsets: &[u64], schema: &SchemaRef) -> Result<RecordBatch> {
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
    for (place, (column, field)) in batch.columns().iter().zip(schema.fields()).enumerate() {
        let mut column = cast(column, field.data_type()).map_err(Error::from_arrow)?;
        if let Some(offset) = offsets.get(place).filter(|offset| **offset > 0) {
            let offset = arrow::array::UInt64Array::from(vec![*offset]);
            let offset = cast(&offset, field.data_type()).map_err(Error::from_arrow)?;
            column = add(&column, &Scalar::new(offset)).map_err(Error::from_arrow)?;
        }
        columns.push(column);
    }
    RecordBatch::try_new(schema.clone(), columns).map_err(Error::from_arrow)
}

impl Iterator for Blocks {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            (self.numbers, self.current) = (0..0, None);
        }
        step.map_err(Error::into_arrow).transpose()
    }
}

impl RecordBatchReader for Blocks {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}

//! Sparse arrays: each block is a Parquet file of its coordinates and values, coordinates counted from the block.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch, Scalar},
    compute::{cast, kernels::numeric::add},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use tiled_plugin_api::{
    author::{
        Adapter, Context, Error, ErrorKind, OpenRequest, Reader, Result, Source, TableRequest, TableStream,
    },
    model::{Description, SparseStructure, StructureFamily},
};

use tiled_tabular::columns;

use crate::{
    parquet_file::{Batches, ParquetFile},
    parts,
};

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
        let absent = |error: Error| error.kind == ErrorKind::NotFound;
        let block = |source: Source| {
            let awaited = source.version().err().is_some_and(absent);
            Block { source, awaited }
        };
        let blocks: Vec<Block> = request.assets.into_iter().map(|asset| block(asset.source)).collect();
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
    blocks: Arc<Vec<Block>>,
}

struct Block {
    source: Source,
    /// Not written yet when the array was opened: the server itself writes it, and nothing is in it until then.
    awaited: bool,
}

/// Where block `number` begins along each axis.
fn offsets(chunks: &[Vec<u64>], number: usize) -> Vec<u64> {
    let mut rest = number;
    let mut offsets: Vec<u64> = Vec::with_capacity(chunks.len());
    for chunks in chunks.iter().rev() {
        let count = chunks.len().max(1);
        offsets.push(chunks.iter().take(rest % count).sum());
        rest /= count;
    }
    offsets.reverse();
    offsets
}

impl Sparse {
    /// The types of coordinates and values as the first of these blocks that is written has them.
    fn types(&self, numbers: std::ops::Range<usize>) -> Result<Vec<DataType>> {
        let axes = self.structure.shape.len();
        let mut types = None;
        for number in numbers {
            if let Some(file) = open(&self.blocks, number)? {
                types = Some(places(&file, axes, number)?.1);
                break;
            }
        }
        if let Some(types) = types {
            return Ok(types);
        }
        let data_type = self.structure.data_type.as_ref().map(|data_type| columns::column(data_type, &[]));
        let data_type = data_type.transpose()?.map_or(DataType::Float64, |empty| empty.data_type().clone());
        Ok((0..axes).map(|_| DataType::Int64).chain([data_type]).collect())
    }

    /// What rows of these blocks look like. Coordinates of the whole array may need a wider type than those of a block.
    fn schema(&self, numbers: std::ops::Range<usize>) -> Result<SchemaRef> {
        let whole = numbers.len() > 1;
        let fields = self.types(numbers)?.into_iter().enumerate().map(|(place, data_type)| {
            match self.structure.shape.get(place) {
                None => Field::new("data", data_type, true),
                Some(length) if whole && most(&data_type) < length.saturating_sub(1) => {
                    Field::new(format!("dim{place}"), DataType::Int64, true)
                }
                Some(_) => Field::new(format!("dim{place}"), data_type, true),
            }
        });
        Ok(Arc::new(Schema::new(fields.collect::<Vec<_>>())))
    }
}

/// The largest number of an integer type.
fn most(data_type: &DataType) -> u64 {
    match data_type {
        DataType::Int8 => i8::MAX.unsigned_abs().into(),
        DataType::UInt8 => u8::MAX.into(),
        DataType::Int16 => i16::MAX.unsigned_abs().into(),
        DataType::UInt16 => u16::MAX.into(),
        DataType::Int32 => i32::MAX.unsigned_abs().into(),
        DataType::UInt32 => u32::MAX.into(),
        DataType::Int64 => i64::MAX.unsigned_abs(),
        _ => u64::MAX,
    }
}

/// The file of a block; `None` where it is yet to be written.
fn open(blocks: &[Block], number: usize) -> Result<Option<ParquetFile>> {
    let block = blocks.get(number).ok_or_else(|| Error::new(ErrorKind::OutOfBounds, "Block out of range"))?;
    match ParquetFile::open(&block.source) {
        Err(error) if error.kind == ErrorKind::NotFound && block.awaited => Ok(None),
        opened => opened.map(Some),
    }
}

/// Places of the coordinates and the values in a file, and their types. pandas' index, where the file has one, stands
/// last and is no axis.
fn places(file: &ParquetFile, axes: usize, number: usize) -> Result<(Vec<usize>, Vec<DataType>)> {
    let schema = file.schema();
    let data = schema.index_of("data");
    let data = data.map_err(|_| Error::invalid_data(format!("Block {number} has no column data")))?;
    let places: Vec<usize> = (0..axes).chain([data]).collect();
    let type_of = |place: &usize| schema.fields().get(*place).map(|field| field.data_type().clone());
    let types: Option<Vec<DataType>> = places.iter().map(type_of).collect();
    match types {
        Some(types) if types.iter().take(axes).all(DataType::is_integer) => Ok((places, types)),
        _ => Err(Error::invalid_data(format!("Block {number} has not a column of places for each axis"))),
    }
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
        let whole = request.partition.is_none();
        let schema = self.schema(numbers.clone())?;
        let place = |name: &String| {
            schema.index_of(name).map_err(|_| Error::not_found(format!("No such field {name}")))
        };
        let chosen =
            request.columns.as_ref().map(|names| names.iter().map(place).collect::<Result<Vec<_>>>());
        let chosen = chosen.transpose()?.unwrap_or_else(|| (0..schema.fields().len()).collect());
        let given: SchemaRef = Arc::new(schema.project(&chosen).map_err(Error::internal)?);
        let (blocks, axes) = (self.blocks.clone(), self.structure.shape.len());
        let chunks = self.structure.chunks.clone();
        Ok(parts::stream(cx, numbers, given, move |number| {
            let Some(file) = open(&blocks, number)? else { return Ok(Box::new(std::iter::empty())) };
            let (places, _) = places(&file, axes, number)?;
            let offsets = if whole { offsets(&chunks, number) } else { vec![0; axes] };
            let (schema, chosen) = (schema.clone(), chosen.clone());
            let batches: Batches = Box::new(file.read(&places)?.map(move |batch| {
                let placed = shift(&batch?, &offsets, &schema)?;
                placed.project(&chosen).map_err(Error::from_arrow)
            }));
            Ok(batches)
        }))
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

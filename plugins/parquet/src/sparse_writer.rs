//! Sparse arrays kept as one Parquet file of coordinates and values for each block.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{
    array::{Array, AsArray, RecordBatch, RecordBatchIterator, RecordBatchReader},
    compute::{max, min},
    datatypes::{DataType, Field, Int64Type, Schema, SchemaRef},
};
use serde_json::Value;
use tiled_plugin_api::{
    author::{
        Context, CreateRequest, Created, Error, ErrorKind, OpenRequest, Payload, Result, Storage,
        WriteRequest, Writer,
    },
    model::{SliceDim, SparseStructure, StructureFamily},
};
use tiled_tabular::{
    Rows, columns,
    fit::{Fitted, converted},
    keep,
    store::Pending,
};

use crate::serializer::write_parquet;

/// `application/x-parquet;structure=sparse`: one Parquet file of coordinates and values for each block.
pub struct SparseWriter;

impl Writer for SparseWriter {
    fn create(&self, _cx: &Context, request: &CreateRequest) -> Result<Created> {
        if request.structure_family != StructureFamily::Sparse {
            let message =
                format!("{} keeps sparse arrays, not {}", request.mimetype, request.structure_family);
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let structure = structure_of(&request.structure)?;
        let counts: Vec<u64> = structure.chunks.iter().map(|chunks| chunks.len() as u64).collect();
        let count = counts.iter().try_fold(1_u64, |all, count| all.checked_mul(*count)).unwrap_or(u64::MAX);
        let assets = keep::make_room(request, count, |number| {
            let place: Vec<String> = place_of(number, &counts).iter().map(u64::to_string).collect();
            format!("block-{}.parquet", place.join("."))
        })?;
        Ok(Created::as_requested(request, assets))
    }

    fn open(&self, _cx: &Context, request: OpenRequest) -> Result<Box<dyn Storage>> {
        let structure = structure_of(request.structure.as_ref().unwrap_or(&Value::Null))?;
        let blocks = keep::paths(&request)?;
        Ok(Box::new(SparseStorage { structure, blocks, pending: Pending::default() }))
    }

    fn delete(&self, _cx: &Context, request: OpenRequest) -> Result<()> {
        keep::remove(&request)
    }
}

fn structure_of(structure: &Value) -> Result<SparseStructure> {
    let wrong = |why: String| {
        Error::new(ErrorKind::InvalidArgument, format!("The structure is no sparse array's: {why}"))
    };
    let structure: SparseStructure =
        serde_json::from_value(structure.clone()).map_err(|error| wrong(error.to_string()))?;
    if structure.shape.is_empty() || structure.chunks.len() != structure.shape.len() {
        return Err(wrong("shape and chunks must have the same number of axes, at least one".into()));
    }
    for (chunks, length) in structure.chunks.iter().zip(&structure.shape) {
        let sum = chunks.iter().try_fold(0_u64, |sum, chunk| sum.checked_add(*chunk));
        if chunks.is_empty() || sum != Some(*length) {
            return Err(wrong(format!("chunks do not add up to the length {length}")));
        }
    }
    Ok(structure)
}

/// The place of the block with this number, in C order.
fn place_of(number: u64, counts: &[u64]) -> Vec<u64> {
    let mut rest = number;
    let mut place: Vec<u64> = counts
        .iter()
        .rev()
        .map(|count| {
            let at = rest % (*count).max(1);
            rest /= (*count).max(1);
            at
        })
        .collect();
    place.reverse();
    place
}

struct SparseStorage {
    structure: SparseStructure,
    blocks: Vec<PathBuf>,
    pending: Pending,
}

impl SparseStorage {
    /// The file of a block, and the block's shape.
    fn target(&self, block: Option<&[u64]>) -> Result<(&Path, Vec<u64>)> {
        let chunks = &self.structure.chunks;
        let origin = vec![0; chunks.len()];
        let block = match block {
            None if self.blocks.len() > 1 => {
                let message = format!(
                    "This array has {} blocks: write them one by one (array/block)",
                    self.blocks.len()
                );
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
            block => block.unwrap_or(&origin),
        };
        let outside = || Error::new(ErrorKind::OutOfBounds, "Block index out of range");
        if block.len() != chunks.len() {
            return Err(outside());
        }
        let (mut number, mut shape) = (0_usize, Vec::with_capacity(chunks.len()));
        for (place, chunks) in block.iter().zip(chunks) {
            let place = usize::try_from(*place).map_err(|_| outside())?;
            shape.push(*chunks.get(place).ok_or_else(outside)?);
            number =
                number.checked_mul(chunks.len()).and_then(|n| n.checked_add(place)).ok_or_else(outside)?;
        }
        Ok((self.blocks.get(number).ok_or_else(outside)?, shape))
    }

    /// What the file holds: an integer column for each axis, as it comes, and the values.
    fn schema(&self, sent: &Schema) -> Result<SchemaRef> {
        let wrong = |message: String| Error::new(ErrorKind::InvalidArgument, message);
        let mut fields = Vec::with_capacity(self.structure.shape.len() + 1);
        for axis in 0..self.structure.shape.len() {
            let name = format!("dim{axis}");
            let (_, field) =
                sent.fields().find(&name).ok_or_else(|| wrong(format!("Column {name} is missing")))?;
            if !field.data_type().is_integer() {
                let message =
                    format!("Column {name} holds places: it must be integers, not {}", field.data_type());
                return Err(wrong(message));
            }
            fields.push(Field::new(name, field.data_type().clone(), true));
        }
        let (_, data) = sent.fields().find("data").ok_or_else(|| wrong("Column data is missing".into()))?;
        let declared = self.structure.data_type.as_ref().map(|data_type| columns::column(data_type, &[]));
        let data_type = match declared.transpose()? {
            Some(declared) => declared.data_type().clone(),
            None => data.data_type().clone(),
        };
        fields.push(Field::new("data", data_type, true));
        Ok(Arc::new(Schema::new(fields)))
    }
}

impl Storage for SparseStorage {
    fn write(
        &self,
        cx: &Context,
        request: &WriteRequest,
        _slice: &[SliceDim],
        payload: Payload,
    ) -> Result<Option<Value>> {
        let (target, shape) = self.target(request.block.as_deref())?;
        if request.append {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "Blocks of sparse arrays are replaced, not appended to",
            ));
        }
        let Payload::Table(stream) = payload else {
            return Err(Error::new(ErrorKind::InvalidArgument, "A sparse array is written as rows (Arrow)"));
        };
        let rows = stream.into_reader()?;
        let schema = self.schema(&rows.schema())?;
        let fitted = Fitted::new(Box::new(only(rows, &schema)?), &schema)?;
        let schema = fitted.schema();
        let placed = fitted.map(move |batch| {
            let batch = batch?;
            placed_within(&batch, &shape).map_err(Error::into_arrow)?;
            Ok(batch)
        });
        let mut rows = Rows::new(cx, Box::new(RecordBatchIterator::new(placed, schema)));
        self.pending.write(target, |to| write_parquet(&mut rows, to))?;
        Ok(None)
    }

    fn prepare(&self) -> Result<()> {
        self.pending.sync()
    }

    fn commit(&self) -> Result<()> {
        self.pending.commit()
    }

    fn abort(&self) -> Result<()> {
        self.pending.forget()
    }
}

/// The rows without columns that are neither places nor values, such as pandas' index.
fn only(
    rows: impl RecordBatchReader + Send + 'static,
    wanted: &Schema,
) -> Result<impl RecordBatchReader + Send + 'static> {
    let sent = rows.schema();
    let places: Vec<usize> =
        wanted.fields().iter().filter_map(|field| sent.index_of(field.name()).ok()).collect();
    let schema = sent.project(&places).map_err(Error::internal)?;
    let schema: SchemaRef = Arc::new(Schema::new(schema.fields().clone()));
    let plain = schema.clone();
    let batches = rows.map(move |batch| {
        let columns = batch?.project(&places)?.columns().to_vec();
        RecordBatch::try_new(plain.clone(), columns)
    });
    Ok(RecordBatchIterator::new(batches, schema))
}

/// Places count from the block and lie within it.
fn placed_within(batch: &RecordBatch, shape: &[u64]) -> Result<()> {
    for (axis, (column, length)) in batch.columns().iter().zip(shape).enumerate() {
        let wrong = |what: String| {
            Error::new(ErrorKind::InvalidArgument, format!("Column dim{axis}: {what} of a block of {length}"))
        };
        if column.null_count() > 0 {
            return Err(wrong("a missing place".into()));
        }
        let places = converted(column, &DataType::Int64).map_err(|error| wrong(error.to_string()))?;
        let places = places.as_primitive::<Int64Type>();
        for place in [min(places), max(places)].into_iter().flatten() {
            if u64::try_from(place).map_or(true, |place| place >= *length) {
                return Err(wrong(format!("{place} is outside")));
            }
        }
    }
    Ok(())
}

//! Sparse arrays in coordinates: the rows of a block or of all, those that a slice keeps, moved to where it puts them.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchReader, UInt64Array},
    compute::{cast, filter},
    datatypes::{DataType as ArrowType, Field, Schema, UInt64Type},
    error::ArrowError,
};
use tiled_plugin_api::{
    author::{EncodeRequest, Error, Payload, TableRequest, TableStream},
    model::{NDSlice, SliceDim, SparseStructure, StructureFamily, is_everything, whole_chunks},
};

use super::{
    BlockPart, Digest, Format, Readers, Reading, Reply, SLICE_REMEDY,
    negotiate::choose,
    plan::{block_bounds, tuple},
    table::limited,
};
use crate::tree::{Node, TreeError, TreeResult};

/// A resolved slice over one block, or over the whole array.
struct Selection {
    partition: Option<u64>,
    slice: Vec<SliceDim>,
    kept: Vec<bool>,
    everything: bool,
}

impl Readers {
    /// A slice of a sparse array, or of one block of it, as a table of coordinates and values.
    ///
    /// # Errors
    /// `InvalidArgument` for slices, `NotAcceptable`; those of adapter and serializer. `Err` inside is a text for 422.
    pub async fn sparse(
        &self,
        reading: &Reading<'_>,
        node: &Node,
        slice: &NDSlice,
        block: Option<&BlockPart>,
    ) -> Result<TreeResult<Reply>, String> {
        let structure: SparseStructure = match node.structure() {
            Ok(structure) => structure,
            Err(error) => return Ok(Err(error)),
        };
        let selection = match block {
            Some(part) => of_block(&structure, part)?,
            None => of_whole(&structure, slice),
        };
        Ok(match selection {
            Ok(selection) => self.selected(reading, node, structure, selection).await,
            Err(error) => Err(error),
        })
    }

    async fn selected(
        &self,
        reading: &Reading<'_>,
        node: &Node,
        structure: SparseStructure,
        selection: Selection,
    ) -> TreeResult<Reply> {
        let format = choose(reading.wanted, StructureFamily::Sparse, &node.specs, self.tree.plugins())?;
        let Format::Encoded(media_type, serializer) = format else {
            return Err(Error::internal("a sparse array has no raw form").into());
        };
        let encoded_as = reading.wanted.with_options(&media_type);
        let (opened, inner) = self.tree.adapter_of(reading.cx, node).await?;
        let etag = opened.version_tells_all.then(|| {
            let digest = Digest::default().with(&opened.version).with(&node.path).with(&encoded_as);
            digest.with(&selection.partition).with(&selection.slice).etag()
        });
        if etag.is_some() && etag.as_deref() == reading.if_none_match {
            return Ok(Reply::NotModified { etag: etag.unwrap_or_default() });
        }
        let request = encode_request(node, &encoded_as, structure, &selection)?;
        let limit = self.response_bytesize_limit;
        let (adapter, cx) = (opened.adapter().clone(), reading.cx.clone());
        let payload = move || {
            let asked = TableRequest { partition: selection.partition, columns: None };
            let rows = adapter.read_table(&cx, &inner, &asked)?;
            let rows = if selection.everything { rows } else { select(rows, selection)? };
            Ok(Payload::Table(limited(rows, limit, SLICE_REMEDY)?))
        };
        let taken = self.budget.take(0).await?;
        let body = self.encode(reading.cx, serializer, request, payload, taken).await?;
        Ok(self.finish(reading, etag, media_type, body))
    }
}

fn of_whole(structure: &SparseStructure, slice: &NDSlice) -> TreeResult<Selection> {
    let (slice, kept) = slice.resolve(&structure.shape).map_err(|e| TreeError::invalid(e.to_string()))?;
    let everything = is_everything(&slice, &structure.shape) && kept.iter().all(|kept| *kept);
    Ok(Selection { partition: None, slice, kept, everything })
}

fn of_block(structure: &SparseStructure, part: &BlockPart) -> Result<TreeResult<Selection>, String> {
    let bounds = block_bounds(&structure.chunks, &structure.shape, &part.block)?;
    let shape: Vec<u64> = bounds.iter().map(|(_, length)| *length).collect();
    let Ok((slice, kept)) = part.slice.resolve(&shape) else {
        return Err(format!(
            "The slice is not valid for the shape {} of the requested block.",
            tuple(&shape)
        ));
    };
    let counts = structure.chunks.iter().map(|lengths| lengths.len() as u64);
    let partition = counts.zip(&part.block).fold(0, |flat, (count, index)| flat * count + index);
    let everything = is_everything(&slice, &shape) && kept.iter().all(|kept| *kept);
    Ok(Ok(Selection { partition: Some(partition), slice, kept, everything }))
}

fn encode_request(
    node: &Node,
    media_type: &str,
    structure: SparseStructure,
    selection: &Selection,
) -> TreeResult<EncodeRequest> {
    let kept = selection.slice.iter().zip(&selection.kept).filter(|(_, kept)| **kept);
    let shape: Vec<u64> = kept.map(|(dim, _)| dim.count).collect();
    let structure = SparseStructure { chunks: whole_chunks(&shape), shape, dims: None, ..structure };
    Ok(EncodeRequest {
        media_type: media_type.to_owned(),
        structure_family: StructureFamily::Sparse,
        structure: serde_json::to_value(&structure).map_err(Error::internal)?,
        metadata: node.metadata_value(),
        specs: node.specs.clone(),
        key: node.key().to_owned(),
        fields: None,
    })
}

/// The rows whose coordinates the slice keeps.
fn select(rows: TableStream, selection: Selection) -> Result<TableStream, Error> {
    let reader = rows.into_reader()?;
    let value = reader.schema().field_with_name("data").map(|field| field.data_type().clone());
    let value = value.map_err(|_| Error::invalid_data("a sparse array without a column `data`"))?;
    let kept = selection.kept.iter().filter(|kept| **kept).count();
    let mut fields: Vec<Field> =
        (0..kept).map(|i| Field::new(format!("dim{i}"), ArrowType::UInt64, false)).collect();
    fields.push(Field::new("data", value, true));
    let schema = Arc::new(Schema::new(fields));
    let out = schema.clone();
    let batches = reader.map(move |batch| select_batch(&batch?, &selection, &out));
    Ok(TableStream::from_reader(Box::new(arrow::array::RecordBatchIterator::new(batches, schema))))
}

fn select_batch(
    batch: &RecordBatch,
    selection: &Selection,
    schema: &Arc<Schema>,
) -> Result<RecordBatch, ArrowError> {
    let mut coordinates = Vec::with_capacity(selection.slice.len());
    for axis in 0..selection.slice.len() {
        let name = format!("dim{axis}");
        let column = batch
            .column_by_name(&name)
            .ok_or_else(|| ArrowError::SchemaError(format!("no column {name}")))?;
        coordinates.push(cast(column, &ArrowType::UInt64)?.as_primitive::<UInt64Type>().clone());
    }
    let inside = |row: usize| {
        coordinates.iter().zip(&selection.slice).all(|(at, dim)| position(*dim, at.value(row)).is_some())
    };
    let mask: BooleanArray = (0..batch.num_rows()).map(|row| Some(inside(row))).collect();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for ((at, dim), kept) in coordinates.iter().zip(&selection.slice).zip(&selection.kept) {
        if *kept {
            let moved: UInt64Array = at.values().iter().map(|at| position(*dim, *at)).collect();
            columns.push(filter(&moved, &mask)?);
        }
    }
    let values =
        batch.column_by_name("data").ok_or_else(|| ArrowError::SchemaError("no column data".into()))?;
    columns.push(filter(values, &mask)?);
    RecordBatch::try_new(schema.clone(), columns)
}

/// Where a coordinate comes to lie, if the slice has it.
fn position(dim: SliceDim, at: u64) -> Option<u64> {
    let (low, high) = dim.bounds()?;
    if at < low || at > high {
        return None;
    }
    let distance = if dim.step > 0 { at - dim.start } else { dim.start - at };
    let step = dim.step.unsigned_abs();
    (distance % step == 0).then_some(distance / step)
}

#[cfg(test)]
mod tests {
    use arrow::array::Float64Array;
    use tiled_plugin_api::author::one_batch;

    use super::*;

    #[test]
    fn a_slice_keeps_and_moves_coordinates() {
        let columns: [(&str, ArrayRef); 3] = [
            ("dim0", Arc::new(UInt64Array::from(vec![0, 1, 3, 5]))),
            ("dim1", Arc::new(UInt64Array::from(vec![2, 2, 2, 0]))),
            ("data", Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0, 4.0]))),
        ];
        let rows = one_batch(RecordBatch::try_from_iter(columns).unwrap());
        let (slice, kept) = NDSlice::parse("5:0:-2,2").unwrap().resolve(&[6, 3]).unwrap();
        let selected = select(rows, Selection { partition: None, slice, kept, everything: false }).unwrap();
        let batch = selected.into_reader().unwrap().next().unwrap().unwrap();
        assert_eq!(batch.column(0).as_primitive::<UInt64Type>().values(), &[2, 1]);
        assert_eq!(batch.column(1).as_primitive::<arrow::datatypes::Float64Type>().values(), &[2.0, 3.0]);
    }
}

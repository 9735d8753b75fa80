//! Parts of sparse arrays as dense values: zeros, and the values whose coordinates are within.

use arrow::{
    array::{Array, ArrowNativeTypeOp, AsArray, RecordBatch, UInt64Array},
    compute::cast,
    datatypes::{
        ArrowPrimitiveType, DataType as ArrowType, Float16Type, Float32Type, Float64Type, Int8Type,
        Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
    },
};
use tiled_plugin_api::{
    author::{Error, Result, TableRequest, TableStream},
    model::{DataType, Endianness, Kind, SliceDim, SparseStructure},
};

use super::{ArrayPlan, Body, Digest, Readers, Reading, Reply, SLICE_REMEDY, buffer::Buffer, too_large};
use crate::tree::{Node, TreeResult};

impl Readers {
    /// A planned part of a sparse array, dense, in the byte order of its structure.
    ///
    /// # Errors
    /// `TooLarge`; `InvalidData` for coordinates and values of other types than the structure says.
    pub async fn dense(&self, reading: &Reading<'_>, node: &Node, plan: &ArrayPlan) -> TreeResult<Reply> {
        if plan.nbytes > self.response_bytesize_limit {
            return Err(too_large(self.response_bytesize_limit, SLICE_REMEDY));
        }
        let structure: SparseStructure = node.structure()?;
        let (opened, inner) = self.tree.adapter_of(reading.cx, node).await?;
        let etag = opened
            .version_tells_all
            .then(|| Digest::default().with(&opened.version).with(&node.path).with(&plan.slice).etag());
        if etag.is_some() && etag.as_deref() == reading.if_none_match {
            return Ok(Reply::NotModified { etag: etag.unwrap_or_default() });
        }
        let taken = self.budget.take(plan.nbytes).await?;
        let (slice, data_type) = (plan.slice.clone(), plan.structure.data_type.clone());
        let (blocks, nbytes) = (blocks(&structure, &slice), plan.nbytes);
        let values = opened
            .call(reading.cx, move |adapter, cx| {
                let mut out = Buffer::new(nbytes)?;
                out.fill(0);
                for Block { number, start } in blocks {
                    let request = TableRequest { partition: Some(number), columns: None };
                    let target = Target { slice: &slice, block: &start, data_type: &data_type };
                    scatter(adapter.read_table(cx, &inner, &request)?, &target, &mut out)?;
                }
                Ok(out)
            })
            .await?;
        let media_type = "application/octet-stream".to_owned();
        Ok(self.finish(reading, etag, media_type, Body::Whole(taken.hold(values))))
    }
}

/// A block of a sparse array.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Block {
    /// In C order.
    number: u64,
    /// Its first element along each axis.
    start: Vec<u64>,
}

/// The blocks that a contiguous slice meets.
fn blocks(structure: &SparseStructure, slice: &[SliceDim]) -> Vec<Block> {
    let mut found = vec![Block::default()];
    for (lengths, dim) in structure.chunks.iter().zip(slice) {
        let end = dim.start.saturating_add(dim.count);
        let mut start = 0_u64;
        let mut met = Vec::new();
        for (number, length) in lengths.iter().enumerate() {
            if start < end && start.saturating_add(*length) > dim.start {
                met.push((number as u64, start));
            }
            start = start.saturating_add(*length);
        }
        let along = lengths.len() as u64;
        let below = |above: &Block, (number, start): &(u64, u64)| Block {
            number: above.number.saturating_mul(along).saturating_add(*number),
            start: above.start.iter().chain([start]).copied().collect(),
        };
        found = found.iter().flat_map(|above| met.iter().map(move |at| below(above, at))).collect();
    }
    found
}

/// Where the rows of a block go.
struct Target<'a> {
    /// Of the array.
    slice: &'a [SliceDim],
    /// From where the coordinates count.
    block: &'a [u64],
    data_type: &'a DataType,
}

fn scatter(rows: TableStream, target: &Target<'_>, out: &mut [u8]) -> Result<()> {
    for batch in rows.into_reader()? {
        scatter_batch(&batch.map_err(Error::from_arrow)?, target, out)?;
    }
    Ok(())
}

fn scatter_batch(batch: &RecordBatch, target: &Target<'_>, out: &mut [u8]) -> Result<()> {
    let Target { slice, block, data_type } = target;
    let mut coordinates = Vec::with_capacity(slice.len());
    for axis in 0..slice.len() {
        coordinates.push(column(batch, &format!("dim{axis}"), &ArrowType::UInt64)?);
    }
    let coordinates: Vec<&UInt64Array> = coordinates.iter().map(|column| column.as_primitive()).collect();
    let places = places(&coordinates, slice, block, batch.num_rows());
    let big = data_type.endianness() == Endianness::Big;
    let put = |kind: &ArrowType| column(batch, "data", kind);
    macro_rules! add_as {
        ($kind:ident, $type:ty) => {{
            type Native = <$type as ArrowPrimitiveType>::Native;
            let (from_bytes, to_bytes) = (Native::from_le_bytes, Native::to_le_bytes);
            let numbers = Numbers { from_bytes, to_bytes, places: &places, big };
            add::<$type, { size_of::<Native>() }>(&put(&ArrowType::$kind)?, &numbers, out)
        }};
    }
    match (data_type.kind(), data_type.itemsize()) {
        (Kind::Bool, 1) => {
            let flags = put(&ArrowType::Boolean)?;
            let flags = flags.as_boolean();
            for (row, place) in places {
                if let Some(byte) = out.get_mut(place) {
                    *byte |= u8::from(flags.is_valid(row) && flags.value(row));
                }
            }
        }
        (Kind::Int, 1) => add_as!(Int8, Int8Type),
        (Kind::Int, 2) => add_as!(Int16, Int16Type),
        (Kind::Int, 4) => add_as!(Int32, Int32Type),
        (Kind::Int, 8) => add_as!(Int64, Int64Type),
        (Kind::Uint, 1) => add_as!(UInt8, UInt8Type),
        (Kind::Uint, 2) => add_as!(UInt16, UInt16Type),
        (Kind::Uint, 4) => add_as!(UInt32, UInt32Type),
        (Kind::Uint, 8) => add_as!(UInt64, UInt64Type),
        (Kind::Float, 2) => add_as!(Float16, Float16Type),
        (Kind::Float, 4) => add_as!(Float32, Float32Type),
        (Kind::Float, 8) => add_as!(Float64, Float64Type),
        (kind, itemsize) => {
            let message = format!("sparse values of type {}{itemsize} have no dense form", kind.letter());
            return Err(Error::unsupported_format(message));
        }
    }
    Ok(())
}

fn column(batch: &RecordBatch, name: &str, kind: &ArrowType) -> Result<arrow::array::ArrayRef> {
    let column = batch.column_by_name(name);
    let column =
        column.ok_or_else(|| Error::invalid_data(format!("a sparse array without a column `{name}`")))?;
    cast(column, kind).map_err(|e| Error::invalid_data(format!("column `{name}` of a sparse array: {e}")))
}

/// Rows whose coordinates, counted from the block's start, are within the slice, and which element of it they are.
fn places(
    coordinates: &[&UInt64Array],
    slice: &[SliceDim],
    block: &[u64],
    rows: usize,
) -> Vec<(usize, usize)> {
    let place = |row: usize| {
        let mut flat = 0_usize;
        for ((at, dim), start) in coordinates.iter().zip(slice).zip(block) {
            let at = at.value(row).checked_add(*start)?;
            let inside = at.checked_sub(dim.start).filter(|at| *at < dim.count)?;
            flat = flat
                .checked_mul(usize::try_from(dim.count).ok()?)?
                .checked_add(usize::try_from(inside).ok()?)?;
        }
        Some((row, flat))
    };
    (0..rows).filter_map(place).collect()
}

/// Numbers of `WIDTH` bytes, least significant first, and where they go.
struct Numbers<'a, N, const WIDTH: usize> {
    from_bytes: fn([u8; WIDTH]) -> N,
    to_bytes: fn(N) -> [u8; WIDTH],
    places: &'a [(usize, usize)],
    big: bool,
}

/// Adds values to the elements at their places: of coordinates that are there twice the sum counts, as in COO.
fn add<T: ArrowPrimitiveType, const WIDTH: usize>(
    values: &dyn Array,
    numbers: &Numbers<'_, T::Native, WIDTH>,
    out: &mut [u8],
) {
    let values = values.as_primitive::<T>();
    let (elements, _) = out.as_chunks_mut::<WIDTH>();
    for (row, place) in numbers.places {
        let Some(element) = elements.get_mut(*place).filter(|_| values.is_valid(*row)) else { continue };
        if numbers.big {
            element.reverse();
        }
        let before = (numbers.from_bytes)(*element);
        *element = (numbers.to_bytes)(before.add_wrapping(values.value(*row)));
        if numbers.big {
            element.reverse();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array};
    use tiled_plugin_api::author::one_batch;

    use super::*;

    #[test]
    fn values_go_to_their_places_and_twice_there_is_the_sum() {
        let columns: [(&str, ArrayRef); 3] = [
            ("dim0", Arc::new(UInt64Array::from(vec![0, 1, 1, 1]))),
            ("dim1", Arc::new(UInt64Array::from(vec![2, 2, 2, 9]))),
            ("data", Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0, 4.0]))),
        ];
        let rows = one_batch(RecordBatch::try_from_iter(columns).unwrap());
        let slice = [SliceDim::range(2, 2), SliceDim::range(1, 3)];
        let mut out = vec![0; 2 * 3 * 4];
        let data_type = DataType::from_numpy_str(">f4").unwrap();
        let target = Target { slice: &slice, block: &[2, 0], data_type: &data_type };
        scatter(rows, &target, &mut out).unwrap();
        let values: Vec<f32> =
            out.chunks_exact(4).map(|b| f32::from_be_bytes(b.try_into().unwrap())).collect();
        assert_eq!(values, [0.0, 1.0, 0.0, 0.0, 5.0, 0.0]);
    }

    #[test]
    fn only_blocks_that_the_slice_meets_are_read() {
        let structure = SparseStructure {
            chunks: vec![vec![2, 2], vec![3, 3, 1]],
            shape: vec![4, 7],
            data_type: None,
            coord_data_type: None,
            dims: None,
            resizable: false,
            layout: "COO".into(),
        };
        let met = blocks(&structure, &[SliceDim::range(2, 2), SliceDim::range(2, 2)]);
        let met: Vec<(u64, Vec<u64>)> = met.into_iter().map(|block| (block.number, block.start)).collect();
        assert_eq!(met, [(3, vec![2, 0]), (4, vec![2, 3])]);
    }
}

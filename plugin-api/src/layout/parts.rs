//! An array of any size in parts of bounded size, in C order: what serializers of whole containers read one after the
//! other.

use crate::{
    author::{Adapter, Context, Error, OwnedBuffer, Result},
    model::{ArrayStructure, SliceDim},
};

/// Calls `each` with slices that cover the array in C order and have about `most` bytes: whole chunks along an axis where
/// they fit, so that none is decoded twice. Nothing for an array without elements.
///
/// # Errors
/// Those of `each`.
pub fn for_each_slice(
    of: &ArrayStructure,
    most: u64,
    each: &mut dyn FnMut(&[SliceDim]) -> Result<()>,
) -> Result<()> {
    cut(of, most, &mut Vec::with_capacity(of.shape.len()), each)
}

fn cut(
    of: &ArrayStructure,
    most: u64,
    fixed: &mut Vec<SliceDim>,
    each: &mut dyn FnMut(&[SliceDim]) -> Result<()>,
) -> Result<()> {
    let axis = fixed.len();
    let rest = of.shape.get(axis + 1..).unwrap_or_default();
    let row = rest.iter().copied().fold(of.data_type.itemsize(), u64::saturating_mul);
    let Some(length) = of.shape.get(axis).copied() else { return each(fixed) };
    if row == 0 || length == 0 {
        return Ok(());
    }
    let chunk = of.chunks.get(axis).and_then(|c| c.first()).copied().unwrap_or(1).max(1);
    let rows = (most / row).max(1);
    let rows = if rows > chunk { rows - rows % chunk } else { rows };
    let mut at = 0;
    while at < length {
        let count = rows.min(length - at);
        fixed.push(SliceDim::range(at, count));
        if count == 1 && row > most && !rest.is_empty() {
            cut(of, most, fixed, each)?;
        } else {
            let whole = fixed.len();
            fixed.extend(rest.iter().map(|n| SliceDim::all(*n)));
            each(fixed)?;
            fixed.truncate(whole);
        }
        fixed.pop();
        at += count;
    }
    Ok(())
}

/// The values of a slice: handed over where the adapter has them, else read into a new buffer.
///
/// # Errors
/// Those of the adapter; `Internal` for a size that this machine cannot address.
pub fn read(
    node: &dyn Adapter,
    cx: &Context,
    path: &str,
    of: &ArrayStructure,
    slice: &[SliceDim],
) -> Result<OwnedBuffer> {
    if let Some(bytes) = node.read_owned(cx, path, slice)? {
        return Ok(bytes);
    }
    let size = slice.iter().map(|s| s.count).fold(of.data_type.itemsize(), u64::saturating_mul);
    let mut buffer = vec![0; usize::try_from(size).map_err(Error::internal)?];
    node.read_into(cx, path, slice, &mut buffer)?;
    Ok(OwnedBuffer::from_vec(buffer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DataType, Kind};

    fn sizes(shape: &[u64], chunk: &[u64], most: u64) -> Vec<Vec<(u64, u64)>> {
        let of = ArrayStructure::chunked(DataType::native(Kind::Uint, 1), shape.to_vec(), chunk);
        let mut all = vec![];
        let mut each = |slice: &[SliceDim]| {
            all.push(slice.iter().map(|dim| (dim.start, dim.count)).collect());
            Ok(())
        };
        for_each_slice(&of, most, &mut each).unwrap();
        all
    }

    #[test]
    fn parts_are_whole_chunks_where_these_fit() {
        assert_eq!(sizes(&[10, 10], &[3, 10], 70), [[(0, 6), (0, 10)], [(6, 4), (0, 10)]]);
        assert_eq!(sizes(&[2, 10], &[1, 10], 5).len(), 4);
        assert_eq!(sizes(&[], &[], 5), [[]]);
        assert!(sizes(&[3, 0], &[1, 1], 5).is_empty());
    }
}

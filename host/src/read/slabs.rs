//! Large arrays in parts: runs of rows of the first axis, cut where chunks end.

use std::sync::Arc;

use tiled_plugin_api::{
    author::{Adapter, Context, OwnedBuffer, Result, Slab, SlabStream},
    model::SliceDim,
};

use super::ArrayPlan;

/// Bytes that one slab should have.
const SLAB_BYTES: u64 = 16 << 20;

/// One part of a read: a slice of the array, and how much it gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Per axis of the array.
    pub slice: Vec<SliceDim>,
    /// Positions along the first axis of the result; 1 for a scalar.
    pub rows: u64,
    /// Bytes.
    pub nbytes: u64,
}

/// The read as one part.
pub fn whole(plan: &ArrayPlan) -> Part {
    let rows = plan.structure.shape.first().copied().unwrap_or(1);
    Part { slice: plan.slice.clone(), rows, nbytes: plan.nbytes }
}

/// As [`parts`], for what takes bytes and no rows: rows that are much longer than a part are cut, too.
pub fn cut_parts(plan: &ArrayPlan, lengths: &[Vec<u64>]) -> Vec<Part> {
    let cut = |part: Part| {
        let axis = part.slice.iter().position(|dim| dim.count > 1);
        let behind = axis.and_then(|axis| part.slice.iter().skip(axis + 1).position(|dim| dim.count > 1));
        let (Some(axis), true) = (axis, behind.is_some() && part.nbytes > 4 * SLAB_BYTES) else {
            return vec![part];
        };
        let dim = part.slice[axis];
        let rows = (0..dim.count).flat_map(|row| {
            let mut slice = part.slice.clone();
            slice[axis] = dim.part(row, 1);
            let nbytes = part.nbytes / dim.count;
            let structure = plan.structure.clone();
            cut_parts(&ArrayPlan { slice, nbytes, structure }, lengths)
        });
        rows.collect()
    };
    parts(plan, lengths).into_iter().flat_map(cut).collect()
}

/// The read in parts of about [`SLAB_BYTES`], none of which decodes a chunk that another decodes, unless one run of
/// chunks alone is larger. `lengths` are the chunks along each axis. Parts are whole rows of the result.
pub fn parts(plan: &ArrayPlan, lengths: &[Vec<u64>]) -> Vec<Part> {
    // Axes of one element before it do not matter: the result is contiguous along the first longer one.
    let Some(axis) = plan.slice.iter().position(|dim| dim.count > 1) else { return vec![whole(plan)] };
    let dim = plan.slice[axis];
    let row_bytes = (plan.nbytes / dim.count).max(1);
    let most = (SLAB_BYTES / row_bytes).max(1);
    let cuts = lengths.get(axis).map_or_else(Vec::new, |lengths| chunk_ends(dim, lengths));
    let mut parts = Vec::new();
    let mut from = 0;
    while from < dim.count {
        let reach = from.saturating_add(most).min(dim.count);
        // The last chunk end within reach; else the next one, unless that is far beyond.
        let fitting = cuts.iter().copied().rfind(|cut| *cut > from && *cut <= reach);
        let to = if reach == dim.count { reach } else { fitting.unwrap_or(reach) };
        let mut slice = plan.slice.clone();
        slice[axis] = dim.part(from, to - from);
        let rows = if axis_is_first_kept(plan, axis) { to - from } else { 1 };
        parts.push(Part { slice, rows, nbytes: row_bytes * (to - from) });
        from = to;
    }
    parts
}

/// Whether the axis is the first of the result: before it are only axes that were indexed by a number.
fn axis_is_first_kept(plan: &ArrayPlan, axis: usize) -> bool {
    plan.structure.shape.first() == Some(&plan.slice[axis].count)
}

/// Positions of the result, ascending, at which the slice leaves a chunk.
fn chunk_ends(dim: SliceDim, lengths: &[u64]) -> Vec<u64> {
    let step = dim.step.unsigned_abs();
    let mut cuts = Vec::new();
    let mut end = 0_u64;
    for length in lengths {
        end += length;
        let cut = if dim.step > 0 {
            end.saturating_sub(dim.start).div_ceil(step)
        } else {
            // Backwards, a chunk is left below its start.
            let start = end - length;
            if start > dim.start { 0 } else { (dim.start - start) / step + 1 }
        };
        if cut > 0 && cut < dim.count {
            cuts.push(cut);
        }
    }
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}

/// Reads parts one after the other, on the thread that asks for them.
pub struct PartStream {
    cx: Context,
    adapter: Arc<dyn Adapter>,
    path: String,
    parts: std::vec::IntoIter<Part>,
}

impl PartStream {
    /// A stream of these parts of the array at `path`.
    pub fn new(cx: Context, adapter: Arc<dyn Adapter>, path: String, parts: Vec<Part>) -> Self {
        PartStream { cx, adapter, path, parts: parts.into_iter() }
    }
}

impl SlabStream for PartStream {
    fn next(&mut self) -> Result<Option<Slab>> {
        let Some(part) = self.parts.next() else { return Ok(None) };
        let bytes = read_part(&*self.adapter, &self.cx, &self.path, &part)?;
        Ok(Some(Slab { rows: part.rows, bytes }))
    }
}

/// The values of one part: handed over where the adapter has them, else read into a buffer of ours.
///
/// # Errors
/// Those of the adapter.
pub fn read_part(adapter: &dyn Adapter, cx: &Context, path: &str, part: &Part) -> Result<OwnedBuffer> {
    if part.nbytes == 0 {
        return Ok(OwnedBuffer::from_vec(vec![]));
    }
    if let Some(bytes) = adapter.read_owned(cx, path, &part.slice)? {
        return Ok(bytes);
    }
    let mut out = super::array::buffer(part.nbytes)?;
    adapter.read_into(cx, path, &part.slice, &mut out)?;
    Ok(OwnedBuffer::from_owner(out))
}

/// Bytes that are here already, as one slab.
pub struct OneSlab(pub Option<Slab>);

impl SlabStream for OneSlab {
    fn next(&mut self) -> Result<Option<Slab>> {
        Ok(self.0.take())
    }
}

#[cfg(test)]
mod tests {
    use tiled_plugin_api::model::{ArrayStructure, DataType, Kind, NDSlice};

    use super::*;

    fn check(shape: &[u64], chunk: &[u64], slice: &str) -> Vec<(u64, u64, u64)> {
        let array = ArrayStructure::chunked(DataType::native(Kind::Uint, 1), shape.to_vec(), chunk);
        let plan = ArrayPlan::full(&array, &NDSlice::parse(slice).unwrap()).unwrap();
        parts(&plan, &array.chunks).iter().map(|p| (p.slice[0].start, p.slice[0].count, p.nbytes)).collect()
    }

    #[test]
    fn parts_end_where_chunks_end() {
        const MB: u64 = 1 << 20;
        assert_eq!(
            check(&[50, MB], &[7, MB], ""),
            [(0, 14, 14 * MB), (14, 14, 14 * MB), (28, 14, 14 * MB), (42, 8, 8 * MB)]
        );
        assert_eq!(check(&[50, MB], &[7, MB], "::-1")[0], (49, 15, 15 * MB));
        assert_eq!(check(&[40, MB], &[40, MB], ""), [(0, 16, 16 * MB), (16, 16, 16 * MB), (32, 8, 8 * MB)]);
    }

    #[test]
    fn long_rows_are_cut_where_nobody_counts_them() {
        const MB: u64 = 1 << 20;
        let array =
            ArrayStructure::chunked(DataType::native(Kind::Uint, 1), vec![2, 3, 100 * MB], &[1, 3, 100 * MB]);
        let plan = ArrayPlan::full(&array, &NDSlice::parse("").unwrap()).unwrap();
        assert_eq!(parts(&plan, &array.chunks).len(), 2);
        let cut = cut_parts(&plan, &array.chunks);
        assert!(cut.iter().all(|part| part.nbytes <= 4 * SLAB_BYTES), "{cut:?}");
        assert_eq!(cut.iter().map(|part| part.nbytes).sum::<u64>(), 600 * MB);
        let at = |part: &Part| (part.slice[0].start, part.slice[1].start, part.slice[2].start);
        assert!(cut.is_sorted_by_key(at));
    }

    #[test]
    fn small_reads_are_one_part() {
        assert_eq!(check(&[10, 10], &[5, 5], ""), [(0, 10, 100)]);
        assert_eq!(check(&[10, 10], &[5, 5], "3,4"), [(3, 1, 1)]);
    }
}

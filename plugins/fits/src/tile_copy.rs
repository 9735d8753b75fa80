//! Where a slice of an array meets a tile of it, and the copying of what they share.

use tiled_plugin_api::{
    layout::strided,
    prelude::{Error, Result, SliceDim},
};

/// The elements of a slice that lie in `length` positions from `origin` on: the first of them, and how many.
pub fn within(dim: &SliceDim, origin: u64, length: u64) -> (u64, u64) {
    let Some(last) = length.checked_sub(1).map(|n| origin + n) else { return (0, 0) };
    let step = dim.step.unsigned_abs();
    // Counted from the start: how far it is to the near and to the far end of the tile.
    let (near, far) = if dim.step > 0 {
        (origin.saturating_sub(dim.start), last.checked_sub(dim.start))
    } else {
        (dim.start.saturating_sub(last), dim.start.checked_sub(origin))
    };
    let Some(far) = far else { return (0, 0) };
    let (first, end) = (near.div_ceil(step), (far / step + 1).min(dim.count));
    (first, end.saturating_sub(first))
}

/// Copies what a slice wants of a tile of `lengths` at `origin` to its place in the slice's result.
///
/// # Errors
/// `Internal` where the sizes do not fit.
pub fn copy(
    tile: &[u8],
    (origin, lengths): (&[u64], &[u64]),
    slice: &[SliceDim],
    item: u64,
    out: &mut [u8],
) -> Result<()> {
    let (mut axes, mut from_at, mut to_at) = (Vec::with_capacity(slice.len()), 0, 0);
    let (mut from, mut to) = (item as i64, item as i64);
    for ((dim, origin), length) in slice.iter().zip(origin).zip(lengths).rev() {
        let (first, count) = within(dim, *origin, *length);
        if count == 0 {
            return Ok(());
        }
        from_at += (dim.at(first) - origin) as i64 * from;
        to_at += first as i64 * to;
        let axis = strided::Axis { count: count as usize, from: (from * dim.step) as isize, to: to as isize };
        axes.push(axis);
        (from, to) = (from * *length as i64, to * dim.count as i64);
    }
    axes.reverse();
    let is_inside = strided::copy(tile, from_at as usize, out, to_at as usize, &axes, item as usize);
    if is_inside { Ok(()) } else { Err(Error::internal("a tile leaves its slice")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_share_each_element_of_a_slice_once() {
        for (start, step, count) in [(0, 1, 10), (9, -1, 10), (1, 3, 3), (8, -4, 3), (5, 1, 1), (9, -2, 5)] {
            let dim = SliceDim { start, step, count };
            for length in 1..=10 {
                let mut seen = Vec::new();
                for origin in (0..10).step_by(length as usize) {
                    let (first, shared) = within(&dim, origin, length.min(10 - origin));
                    seen.extend(first..first + shared);
                    assert!((first..first + shared).all(|i| (origin..origin + length).contains(&dim.at(i))));
                }
                seen.sort_unstable();
                assert_eq!(seen, (0..count).collect::<Vec<_>>(), "{dim:?} in tiles of {length}");
            }
        }
    }
}

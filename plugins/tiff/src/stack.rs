//! An array of any shape over frames of one shape: which frames a slice needs, and which part of each.
//!
//! Takes a slice of the array, asks for regions of frames, never knows where frames come from.

use tiled_plugin_api::prelude::{Context, Error, ErrorKind, Result, SliceDim};

/// Part of a frame in its five axes: planes of samples, depth, rows, columns, samples.
pub type Region = [SliceDim; 5];

/// Gives parts of frames.
pub trait Frames {
    /// Fills `out` with a region of frame `at`, C order, native byte order.
    ///
    /// # Errors
    /// `InvalidData` naming file and page.
    fn read(&self, cx: &Context, at: u64, region: &Region, out: &mut [u8]) -> Result<()>;
}

/// How an array lies over frames.
#[derive(Debug, Clone)]
pub struct Stack {
    /// The array's shape.
    pub shape: Vec<u64>,
    /// A frame's five axes.
    pub frame: [u64; 5],
    /// Bytes of an element.
    pub item: usize,
    /// Axes of the array in front of those of a frame; `None` where an axis mixes both.
    leading: Option<usize>,
}

/// An array whose axes do not fit its frames is gathered from whole frames of at most so many bytes.
const MAX_GATHER_BYTES: u64 = 1 << 30;

impl Stack {
    /// An array of `shape` over frames of `frame`.
    pub fn new(shape: Vec<u64>, frame: [u64; 5], item: u64) -> Self {
        let leading = (0..=shape.len()).find(|k| {
            let axes = shape.get(*k..).unwrap_or_default();
            axes.iter().filter(|n| **n != 1).eq(frame.iter().filter(|n| **n != 1))
        });
        Stack { shape, frame, item: usize::try_from(item).unwrap_or(0), leading }
    }

    /// Elements of a frame.
    fn frame_size(&self) -> u64 {
        self.frame.iter().fold(1, |all: u64, n| all.saturating_mul(*n))
    }

    /// How many axes of the array count frames; `None` where they are mixed.
    pub fn leading(&self) -> Option<usize> {
        self.leading
    }

    /// Fills `out` with a slice of the array.
    ///
    /// # Errors
    /// Those of the frames; `TooLarge` where a reshaped array would need too many whole frames.
    pub fn read(&self, cx: &Context, frames: &dyn Frames, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
        if out.is_empty() {
            return Ok(());
        }
        let Some(leading) = self.leading else { return self.gather(cx, frames, slice, out) };
        let (front, back) = slice.split_at(leading.min(slice.len()));
        let region = self.region(leading, back);
        let bytes = back.iter().map(|dim| dim.count).product::<u64>();
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX).saturating_mul(self.item).max(1);
        let mut at = Odometer::new(front);
        for part in out.chunks_exact_mut(bytes) {
            cx.check()?;
            frames.read(cx, at.flat(self.shape.get(..leading).unwrap_or_default()), &region, part)?;
            at.step();
        }
        Ok(())
    }

    /// The slice of the axes behind `leading` in a frame's own axes.
    fn region(&self, leading: usize, back: &[SliceDim]) -> Region {
        let lengths = self.shape.get(leading..).unwrap_or_default();
        let mut long = back.iter().zip(lengths).filter(|(_, n)| **n != 1).map(|(dim, _)| *dim);
        self.frame.map(|n| if n == 1 { SliceDim::all(1) } else { long.next().unwrap_or(SliceDim::all(n)) })
    }

    /// Reads the frames that the slice touches whole and picks the elements.
    fn gather(&self, cx: &Context, frames: &dyn Frames, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
        let end = |high: bool| {
            let bound = |dim: &SliceDim| dim.bounds().map_or(0, |(low, top)| if high { top } else { low });
            slice.iter().zip(&self.shape).fold(0u64, |flat, (dim, n)| flat * n + bound(dim))
        };
        let size = self.frame_size().max(1);
        let (first, last) = (end(false) / size, end(true) / size);
        let bytes = (last - first + 1).saturating_mul(size).saturating_mul(self.item as u64);
        if bytes > MAX_GATHER_BYTES {
            let message =
                format!("this reshaped array needs {bytes} bytes of whole pages; ask for a smaller slice");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        let mut all = vec![0; usize::try_from(bytes).map_err(Error::internal)?];
        let frame_bytes = usize::try_from(size).unwrap_or(usize::MAX).saturating_mul(self.item).max(1);
        for (frame, part) in (first..=last).zip(all.chunks_exact_mut(frame_bytes)) {
            cx.check()?;
            frames.read(cx, frame, &self.frame.map(SliceDim::all), part)?;
        }
        let mut at = Odometer::new(slice);
        for item in out.chunks_exact_mut(self.item.max(1)) {
            let start = usize::try_from(at.flat(&self.shape) - first * size).unwrap_or(usize::MAX);
            let start = start.saturating_mul(self.item);
            let from =
                all.get(start..start + self.item).ok_or_else(|| Error::internal("slice out of range"))?;
            item.copy_from_slice(from);
            at.step();
        }
        Ok(())
    }
}

/// Counts through the positions of a slice in C order.
struct Odometer<'a> {
    dims: &'a [SliceDim],
    at: Vec<u64>,
}

impl<'a> Odometer<'a> {
    fn new(dims: &'a [SliceDim]) -> Self {
        Odometer { dims, at: vec![0; dims.len()] }
    }

    /// The element's place in C order over `shape`.
    fn flat(&self, shape: &[u64]) -> u64 {
        self.dims.iter().zip(&self.at).zip(shape).fold(0, |flat, ((dim, i), n)| flat * n + dim.at(*i))
    }

    fn step(&mut self) {
        for (i, dim) in self.at.iter_mut().zip(self.dims).rev() {
            *i += 1;
            if *i < dim.count {
                return;
            }
            *i = 0;
        }
    }
}

/// A block of decoded values that lies somewhere in a frame.
pub struct Block<'a> {
    /// Its values in C order.
    pub bytes: &'a [u8],
    /// Its first element in the frame.
    pub origin: [u64; 5],
    /// Its lengths as stored, padding included.
    pub stored: [u64; 5],
    /// Its lengths within the frame.
    pub valid: [u64; 5],
}

/// Which elements of a slice fall into `from .. from + length`: the first and how many.
pub fn within(dim: &SliceDim, from: u64, length: u64) -> (u64, u64) {
    let (low, high) = (from, from.saturating_add(length));
    let step = dim.step.unsigned_abs().max(1);
    let count = if dim.step >= 0 {
        let first = low.saturating_sub(dim.start).div_ceil(step);
        let end = high.saturating_sub(dim.start).div_ceil(step);
        (first.min(dim.count), end.min(dim.count))
    } else {
        // Backwards: elements are start - i * step; those below `high` come first.
        let first = if dim.start < high { 0 } else { (dim.start - high) / step + 1 };
        let end = if dim.start < low { 0 } else { (dim.start - low) / step + 1 };
        (first.min(dim.count), end.min(dim.count))
    };
    (count.0, count.1.saturating_sub(count.0))
}

impl Block<'_> {
    /// Copies what the region wants of this block to its place in `out`.
    ///
    /// # Errors
    /// `Internal` when the block is smaller than it says.
    pub fn copy(&self, region: &Region, out: &mut [u8], item: usize) -> Result<()> {
        let mut parts = [(0, 0); 5];
        for ((part, dim), (origin, valid)) in
            parts.iter_mut().zip(region).zip(self.origin.iter().zip(&self.valid))
        {
            *part = within(dim, *origin, *valid);
        }
        if parts.iter().any(|(_, count)| *count == 0) {
            return Ok(());
        }
        let [planes, depths, rows, ..] = parts;
        for s in planes.0..planes.0 + planes.1 {
            for d in depths.0..depths.0 + depths.1 {
                for y in rows.0..rows.0 + rows.1 {
                    self.copy_row([s, d, y], parts[3], parts[4], region, out, item)?;
                }
            }
        }
        Ok(())
    }

    fn copy_row(
        &self,
        at: [u64; 3],
        columns: (u64, u64),
        samples: (u64, u64),
        region: &Region,
        out: &mut [u8],
        item: usize,
    ) -> Result<()> {
        let (mut from, mut to) = (0u64, 0u64);
        for axis in 0..3 {
            from = from * self.stored[axis] + (region[axis].at(at[axis]) - self.origin[axis]);
            to = to * region[axis].count + at[axis];
        }
        let [x, c] = [region[3], region[4]];
        let (width, depth) = (self.stored[3], self.stored[4]);
        let place = |x: u64, c: u64| ((from * width + x) * depth + c) as usize * item;
        let target = |x_at: u64, c_at: u64| ((to * x.count + x_at) * c.count + c_at) as usize * item;
        let mut copy = |from: usize, to: usize, bytes: usize| {
            let source = self.bytes.get(from..from.saturating_add(bytes));
            let target = out.get_mut(to..to.saturating_add(bytes));
            let (Some(source), Some(target)) = (source, target) else {
                return Err(Error::internal("a block is smaller than it says"));
            };
            target.copy_from_slice(source);
            Ok(())
        };
        let whole_pixels = c.count == depth && (c.step == 1 || depth == 1);
        if whole_pixels && x.step == 1 {
            let bytes = (columns.1 * depth) as usize * item;
            return copy(place(x.at(columns.0) - self.origin[3], 0), target(columns.0, 0), bytes);
        }
        for i in columns.0..columns.0 + columns.1 {
            let column = x.at(i) - self.origin[3];
            if whole_pixels {
                copy(place(column, 0), target(i, 0), depth as usize * item)?;
                continue;
            }
            for j in samples.0..samples.0 + samples.1 {
                copy(place(column, c.at(j) - self.origin[4]), target(i, j), item)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting;

    impl Frames for Counting {
        fn read(&self, _cx: &Context, at: u64, region: &Region, out: &mut [u8]) -> Result<()> {
            let bytes: Vec<u8> = (0..24).map(|i| (at * 24 + i) as u8).collect();
            let shape = [1, 1, 4, 6, 1];
            Block { bytes: &bytes, origin: [0; 5], stored: shape, valid: shape }.copy(region, out, 1)
        }
    }

    fn check(shape: &[u64], slice: &[SliceDim]) {
        let stack = Stack::new(shape.to_vec(), [1, 1, 4, 6, 1], 1);
        let count: u64 = slice.iter().map(|dim| dim.count).product();
        let mut out = vec![0; count as usize];
        stack.read(&Context::unbounded(), &Counting, slice, &mut out).unwrap();
        let mut at = Odometer::new(slice);
        for (i, got) in out.iter().enumerate() {
            assert_eq!(u64::from(*got), at.flat(shape), "element {i} of {slice:?} over {shape:?}");
            at.step();
        }
    }

    #[test]
    fn slices_pick_the_same_elements_whatever_the_shape() {
        let back = SliceDim { start: 5, step: -2, count: 3 };
        let skip = SliceDim { start: 1, step: 2, count: 2 };
        check(&[3, 4, 6], &[SliceDim::all(3), SliceDim::all(4), SliceDim::all(6)]);
        check(&[3, 4, 6], &[SliceDim::range(1, 2), skip, back]);
        check(&[3, 1, 4, 6], &[SliceDim::range(2, 1), SliceDim::all(1), skip, back]);
        check(&[72], &[SliceDim { start: 70, step: -7, count: 9 }]);
        check(&[6, 12], &[skip, SliceDim::range(3, 7)]);
    }

    #[test]
    fn elements_of_a_slice_within_a_range_are_found_both_ways() {
        for step in [-3i64, -1, 1, 2, 5] {
            let start = if step > 0 { 2 } else { 29 };
            let dim = SliceDim { start, step, count: 5 };
            for (from, length) in [(0, 30), (4, 3), (0, 1), (10, 15), (29, 1)] {
                let inside = |i: &u64| (from..from + length).contains(&dim.at(*i));
                let wanted: Vec<u64> = (0..dim.count).filter(inside).collect();
                let (first, count) = within(&dim, from, length);
                assert_eq!((first..first + count).collect::<Vec<_>>(), wanted, "{dim:?} in {from}+{length}");
            }
        }
    }
}

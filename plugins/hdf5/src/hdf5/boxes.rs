//! Rectangular parts of arrays: copying them, and reading them from where the elements lie one after the other.

use tiled_plugin_api::prelude::*;

/// One axis of a box: how many, and the distance to the next in bytes on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Axis {
    pub(crate) count: usize,
    pub(crate) from: i64,
    pub(crate) to: usize,
}

/// A box to be moved: `from` and `to` are the places of its first element in bytes, `item` the bytes of an element.
#[derive(Debug, Clone)]
pub(crate) struct Box {
    pub(crate) axes: Vec<Axis>,
    pub(crate) from: u64,
    pub(crate) to: usize,
    pub(crate) item: usize,
}

fn too_large() -> Error {
    Error::invalid_data("the extent is too large")
}

/// Distances in bytes between neighbours along each axis of a C-ordered array.
pub(crate) fn strides(shape: &[u64], item: usize) -> Result<Vec<u64>> {
    let mut all = vec![0; shape.len()];
    let mut stride = item as u64;
    for (place, n) in all.iter_mut().zip(shape).rev() {
        *place = stride;
        stride = stride.checked_mul((*n).max(1)).ok_or_else(too_large)?;
    }
    Ok(all)
}

impl Box {
    /// The part `slice` of an array of `shape`, packed into an array of the slice's counts.
    pub(crate) fn of(slice: &[SliceDim], shape: &[u64], item: usize) -> Result<Box> {
        let counts: Vec<u64> = slice.iter().map(|s| s.count).collect();
        let to = strides(&counts, item)?;
        Box::within(slice, shape, item, &to)
    }

    /// The same, into an array with these distances.
    pub(crate) fn within(slice: &[SliceDim], shape: &[u64], item: usize, to: &[u64]) -> Result<Box> {
        let from = strides(shape, item)?;
        let mut start = 0_u64;
        let mut axes = Vec::with_capacity(slice.len());
        for ((dim, stride), to) in slice.iter().zip(&from).zip(to) {
            start =
                dim.start.checked_mul(*stride).and_then(|n| n.checked_add(start)).ok_or_else(too_large)?;
            let stride = i64::try_from(*stride).map_err(|_| too_large())?;
            axes.push(Axis {
                count: usize::try_from(dim.count).map_err(|_| too_large())?,
                from: stride.checked_mul(dim.step).ok_or_else(too_large)?,
                to: usize::try_from(*to).map_err(|_| too_large())?,
            });
        }
        Ok(Box { axes, from: start, to: 0, item }.merged())
    }

    /// The same box with as few axes as it takes.
    fn merged(mut self) -> Box {
        self.axes.retain(|a| a.count != 1);
        while let Some(last) = self.axes.last() {
            if last.from != self.item as i64 || last.to != self.item {
                break;
            }
            self.item *= last.count;
            self.axes.pop();
        }
        self
    }

    /// Bytes between the first and the last byte touched on the source side, and how far the lowest lies before the
    /// first element.
    fn span(axes: &[Axis], item: usize) -> (u64, u64) {
        let reach = |a: &Axis| a.from.unsigned_abs().saturating_mul(a.count.saturating_sub(1) as u64);
        let all = axes.iter().map(reach).fold(item as u64, u64::saturating_add);
        let below = axes.iter().filter(|a| a.from < 0).map(reach).fold(0, u64::saturating_add);
        (all, below)
    }

    /// Copies the box.
    ///
    /// # Errors
    /// `Internal` when it does not lie within both sides.
    pub(crate) fn copy(&self, source: &[u8], out: &mut [u8]) -> Result<()> {
        let from = usize::try_from(self.from).map_err(Error::internal)?;
        copy(&self.axes, self.item, (source, from), (out, self.to))
            .ok_or_else(|| Error::internal("a part does not lie within its array"))
    }

    /// Reads the box from where its source lies in a file, with few and large reads.
    ///
    /// # Errors
    /// Those of `read`.
    pub(crate) fn read(&self, read: &dyn Fn(u64, &mut [u8]) -> Result<()>, out: &mut [u8]) -> Result<()> {
        if self.axes.iter().any(|a| a.count == 0) {
            return Ok(());
        }
        let split = self.split();
        let (outer, inner) = self.axes.split_at(split);
        let (span, below) = Box::span(inner, self.item);
        let mut scratch =
            if inner.is_empty() { vec![] } else { vec![0; usize::try_from(span).map_err(Error::internal)?] };
        let mut at = vec![0_usize; outer.len()];
        loop {
            let moved =
                outer.iter().zip(&at).map(|(a, i)| a.from.wrapping_mul(*i as i64)).fold(0, i64::wrapping_add);
            let from = self.from.wrapping_add_signed(moved);
            let to = outer.iter().zip(&at).map(|(a, i)| a.to * i).sum::<usize>() + self.to;
            if inner.is_empty() {
                let place = to.checked_add(self.item).and_then(|end| out.get_mut(to..end));
                read(from, place.ok_or_else(|| Error::internal("a part does not lie within its array"))?)?;
            } else {
                read(from.wrapping_sub(below), &mut scratch)?;
                let part = Box { axes: inner.to_vec(), from: below, to, item: self.item };
                part.copy(&scratch, out)?;
            }
            if !advance(&mut at, outer.iter().map(|a| a.count)) {
                return Ok(());
            }
        }
    }

    /// From which axis on one read takes all.
    fn split(&self) -> usize {
        if self.item >= LARGE_BYTES {
            return self.axes.len();
        }
        let wanted =
            |axes: &[Axis]| axes.iter().map(|a| a.count as u64).fold(self.item as u64, u64::saturating_mul);
        let fits = |k: usize| {
            let axes = self.axes.get(k..).unwrap_or_default();
            let (span, _) = Box::span(axes, self.item);
            span <= SPAN_BYTES && (span <= LARGE_BYTES as u64 || span / 16 <= wanted(axes))
        };
        (0..self.axes.len()).find(|k| fits(*k)).unwrap_or(self.axes.len())
    }
}

/// Reads of this size are worth a call of their own.
const LARGE_BYTES: usize = 64 << 10;
/// The most that is read at once to pick parts from.
const SPAN_BYTES: u64 = 4 << 20;

/// The next combination of indices, the last one running fastest; `false` at the end.
pub(crate) fn advance(
    at: &mut [usize],
    counts: impl DoubleEndedIterator<Item = usize> + ExactSizeIterator,
) -> bool {
    for (i, n) in at.iter_mut().zip(counts).rev() {
        *i += 1;
        if *i < n {
            return true;
        }
        *i = 0;
    }
    false
}

fn copy(axes: &[Axis], item: usize, from: (&[u8], usize), to: (&mut [u8], usize)) -> Option<()> {
    let ((source, mut s), (out, mut t)) = (from, to);
    match axes {
        [] => out.get_mut(t..t.checked_add(item)?)?.copy_from_slice(source.get(s..s.checked_add(item)?)?),
        [one] => match item {
            1 => run::<1>(*one, source, s, out, t)?,
            2 => run::<2>(*one, source, s, out, t)?,
            4 => run::<4>(*one, source, s, out, t)?,
            8 => run::<8>(*one, source, s, out, t)?,
            _ => {
                for _ in 0..one.count {
                    copy(&[], item, (source, s), (out, t))?;
                    (s, t) = (s.wrapping_add_signed(one.from as isize), t + one.to);
                }
            }
        },
        [first, rest @ ..] => {
            for _ in 0..first.count {
                copy(rest, item, (source, s), (out, t))?;
                (s, t) = (s.wrapping_add_signed(first.from as isize), t + first.to);
            }
        }
    }
    Some(())
}

fn run<const N: usize>(axis: Axis, source: &[u8], mut s: usize, out: &mut [u8], mut t: usize) -> Option<()> {
    for _ in 0..axis.count {
        let value: [u8; N] = source.get(s..s.checked_add(N)?)?.try_into().ok()?;
        out.get_mut(t..t.checked_add(N)?)?.copy_from_slice(&value);
        (s, t) = (s.wrapping_add_signed(axis.from as isize), t + axis.to);
    }
    Some(())
}

/// Repeats `pattern` over `out`; zeros where there is none.
pub(crate) fn fill(pattern: &[u8], out: &mut [u8]) {
    match pattern {
        [] => out.fill(0),
        [byte, rest @ ..] if rest.iter().all(|b| b == byte) => out.fill(*byte),
        _ => out.chunks_mut(pattern.len()).for_each(|place| place.copy_from_slice(&pattern[..place.len()])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The part by the book, element by element.
    fn expected(slice: &[SliceDim], shape: &[u64]) -> Vec<u8> {
        let mut all = vec![];
        let mut at = vec![0; shape.len()];
        let counts: Vec<usize> = slice.iter().map(|s| s.count as usize).collect();
        loop {
            let flat = at.iter().zip(slice).zip(shape).fold(0, |f, ((i, s), n)| f * n + s.at(*i as u64));
            all.extend_from_slice(&(flat as u16).to_le_bytes());
            if !advance(&mut at, counts.iter().copied()) {
                return all;
            }
        }
    }

    #[test]
    fn parts_with_steps_in_both_directions_are_copied_and_read() {
        let shape = [7, 5, 9];
        let source: Vec<u8> = (0..7 * 5 * 9_u16).flat_map(u16::to_le_bytes).collect();
        let slices = [
            [SliceDim::all(7), SliceDim::all(5), SliceDim::all(9)],
            [SliceDim::range(2, 3), SliceDim::range(1, 1), SliceDim::all(9)],
            [
                SliceDim { start: 6, step: -2, count: 3 },
                SliceDim::all(5),
                SliceDim { start: 8, step: -1, count: 9 },
            ],
            [
                SliceDim::range(1, 1),
                SliceDim { start: 0, step: 3, count: 2 },
                SliceDim { start: 1, step: 4, count: 2 },
            ],
        ];
        for slice in slices {
            let want = expected(&slice, &shape);
            let part = Box::of(&slice, &shape, 2).unwrap();
            let mut copied = vec![0; want.len()];
            part.copy(&source, &mut copied).unwrap();
            assert_eq!(copied, want, "{slice:?}");
            let mut read = vec![0; want.len()];
            let reader = |at: u64, out: &mut [u8]| {
                out.copy_from_slice(&source[at as usize..][..out.len()]);
                Ok(())
            };
            part.read(&reader, &mut read).unwrap();
            assert_eq!(read, want, "{slice:?}");
        }
    }

    #[test]
    fn a_part_outside_the_source_is_an_error() {
        let part = Box::of(&[SliceDim::range(3, 3)], &[6], 4).unwrap();
        assert!(part.copy(&[0; 20], &mut [0; 12]).is_err());
    }
}

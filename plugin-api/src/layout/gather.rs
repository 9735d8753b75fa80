//! Reads a slice of an array out of a file in which it lies in some order.

use super::strided;
use crate::author::{Context, Error, Result, Source};

/// Bytes that can be read from any position: a file, a member of an archive.
pub trait Linear {
    /// Fills `out` from `offset` on. Cheapest when offsets ascend.
    ///
    /// # Errors
    /// `InvalidData` when there are not that many bytes.
    fn fill(&self, offset: u64, out: &mut [u8]) -> Result<()>;
}

impl Linear for Source {
    fn fill(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        self.read_exact_at(offset, out)
    }
}

/// One axis of a read.
#[derive(Debug, Clone, Copy)]
pub struct Axis {
    /// First element.
    pub start: u64,
    /// Elements to the next, not 0.
    pub step: i64,
    /// Elements wanted.
    pub count: u64,
    /// Bytes from one element of the file to the next along this axis.
    pub stride: u64,
    /// Bytes from one element of the result to the next.
    pub to: isize,
}

/// Pieces are read through a buffer of this size where they cannot go straight to the result.
const BUFFER_BYTES: u64 = 1 << 20;
/// Runs of at least this size go straight to the result.
const DIRECT_BYTES: u64 = 1 << 16;
/// A gap of this size costs as much to read over as another read does.
const GAP_BYTES: u64 = 1 << 14;

/// Reads elements of `item` bytes into `out`, its first element at `out[at]`. `axes` stand in the order of the file,
/// those of the largest stride first; the array begins at `base`.
///
/// # Errors
/// Those of `linear`; `Cancelled`.
pub fn gather(
    cx: &Context,
    linear: &dyn Linear,
    base: u64,
    axes: &[Axis],
    item: u64,
    out: &mut [u8],
    at: usize,
) -> Result<()> {
    if item == 0 || axes.iter().any(|axis| axis.count == 0) {
        return Ok(());
    }
    let mut position = Position { file: base, out: at as isize };
    let mut ascending = Vec::with_capacity(axes.len());
    for axis in axes {
        let (axis, moved) = ascend(*axis).ok_or_else(overflow)?;
        position.file = axis
            .start
            .checked_mul(axis.stride)
            .and_then(|by| position.file.checked_add(by))
            .ok_or_else(overflow)?;
        position.out += moved;
        ascending.push(axis);
    }
    ascending.retain(|axis| axis.count > 1);
    let mut job = Job { cx, linear, out, item, buffer: Vec::new() };
    job.read(&ascending, position)
}

fn overflow() -> Error {
    Error::invalid_data("the array is larger than any file")
}

/// The same axis with a positive step, and how far its first element moves in the result.
fn ascend(axis: Axis) -> Option<(Axis, isize)> {
    if axis.step > 0 {
        return Some((axis, 0));
    }
    let last = i64::try_from(axis.count - 1).ok()?;
    let start = axis.start.checked_add_signed(last.checked_mul(axis.step)?)?;
    let moved = axis.to.checked_mul(isize::try_from(last).ok()?)?;
    Some((Axis { start, step: -axis.step, to: -axis.to, ..axis }, moved))
}

#[derive(Clone, Copy)]
struct Position {
    file: u64,
    out: isize,
}

struct Job<'a> {
    cx: &'a Context,
    linear: &'a dyn Linear,
    out: &'a mut [u8],
    item: u64,
    buffer: Vec<u8>,
}

impl Job<'_> {
    fn read(&mut self, axes: &[Axis], at: Position) -> Result<()> {
        let span = self.span(axes)?;
        if self.is_one_run(axes) && (span >= DIRECT_BYTES || axes.is_empty()) {
            self.cx.check()?;
            let to = usize::try_from(at.out).ok();
            let target = to.and_then(|to| self.out.get_mut(to..to + span as usize)).ok_or_else(outside)?;
            return self.linear.fill(at.file, target);
        }
        let Some((first, rest)) = axes.split_first() else { return Ok(()) };
        let inner = self.span(rest)?;
        let stride = (first.step.unsigned_abs()).checked_mul(first.stride).ok_or_else(overflow)?;
        let direct = inner >= DIRECT_BYTES && self.is_one_run(rest);
        let together = if direct || inner > BUFFER_BYTES || stride.saturating_sub(inner) > GAP_BYTES {
            1
        } else {
            ((BUFFER_BYTES - inner) / stride.max(1)).saturating_add(1)
        };
        if together >= first.count && self.is_dense(rest)? {
            return self.through_buffer(axes, span, at);
        }
        let mut done = 0;
        while done < first.count {
            let count = together.min(first.count - done);
            let part = Position {
                file: done.checked_mul(stride).and_then(|by| at.file.checked_add(by)).ok_or_else(overflow)?,
                out: at.out + first.to * done as isize,
            };
            if count > 1 && self.is_dense(rest)? {
                let mut group = axes.to_vec();
                group.iter_mut().take(1).for_each(|axis| axis.count = count);
                let span = self.span(&group)?;
                self.through_buffer(&group, span, part)?;
                done += count;
            } else {
                self.read(rest, part)?;
                done += 1;
            }
        }
        Ok(())
    }

    /// Bytes from the first to the last element in the file.
    fn span(&self, axes: &[Axis]) -> Result<u64> {
        let reach =
            |axis: &Axis| (axis.count - 1).checked_mul(axis.step.unsigned_abs())?.checked_mul(axis.stride);
        axes.iter().try_fold(self.item, |all, axis| all.checked_add(reach(axis)?)).ok_or_else(overflow)
    }

    /// Whether the elements follow each other without a gap, both in the file and in the result.
    fn is_one_run(&self, axes: &[Axis]) -> bool {
        let mut length = self.item;
        axes.iter().rev().all(|axis| {
            let fits = axis.step == 1 && axis.stride == length && axis.to == length as isize;
            length = length.saturating_mul(axis.count);
            fits
        })
    }

    /// Whether no gap inside is worth a read of its own.
    fn is_dense(&self, axes: &[Axis]) -> Result<bool> {
        for (i, axis) in axes.iter().enumerate() {
            let inner = self.span(axes.get(i + 1..).unwrap_or_default())?;
            if axis.step.unsigned_abs().saturating_mul(axis.stride).saturating_sub(inner) > GAP_BYTES {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn through_buffer(&mut self, axes: &[Axis], span: u64, at: Position) -> Result<()> {
        self.cx.check()?;
        let span = span as usize;
        if self.buffer.len() < span {
            self.buffer.resize(span, 0);
        }
        let read = self.buffer.get_mut(..span).unwrap_or_default();
        self.linear.fill(at.file, read)?;
        let copied: Option<Vec<strided::Axis>> = axes
            .iter()
            .map(|axis| {
                let from = isize::try_from(axis.step.unsigned_abs().checked_mul(axis.stride)?).ok()?;
                Some(strided::Axis { count: usize::try_from(axis.count).ok()?, from, to: axis.to })
            })
            .collect();
        let (axes, to) = (copied.ok_or_else(overflow)?, usize::try_from(at.out).map_err(|_| outside())?);
        if strided::copy(read, 0, self.out, to, &axes, self.item as usize) { Ok(()) } else { Err(outside()) }
    }
}

fn outside() -> Error {
    Error::internal("a read leaves its result")
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    struct Bytes(Vec<u8>, Cell<usize>);

    impl Linear for Bytes {
        fn fill(&self, offset: u64, out: &mut [u8]) -> Result<()> {
            self.1.set(self.1.get() + 1);
            out.copy_from_slice(&self.0[offset as usize..][..out.len()]);
            Ok(())
        }
    }

    /// Reads from an array of `shape` (element i has the value i) in C or Fortran order; gives the number of reads.
    fn check(shape: &[u64], slice: &[(u64, i64, u64)], fortran: bool) -> usize {
        let total: u64 = shape.iter().product();
        let file = Bytes((0..total as u32).flat_map(u32::to_le_bytes).collect(), Cell::new(0));
        let order: Vec<usize> =
            if fortran { (0..shape.len()).rev().collect() } else { (0..shape.len()).collect() };
        let (mut strides, mut stride) = (vec![0; shape.len()], 4);
        for &axis in order.iter().rev() {
            strides[axis] = stride;
            stride *= shape[axis];
        }
        let counts: Vec<u64> = slice.iter().map(|s| s.2).collect();
        let mut to = vec![4isize; shape.len()];
        for axis in (1..shape.len()).rev() {
            to[axis - 1] = to[axis] * counts[axis] as isize;
        }
        let axes: Vec<Axis> = order
            .iter()
            .map(|&a| Axis {
                start: slice[a].0,
                step: slice[a].1,
                count: slice[a].2,
                stride: strides[a],
                to: to[a],
            })
            .collect();
        let wanted: u64 = counts.iter().product();
        let mut out = vec![0; wanted as usize * 4];
        gather(&Context::unbounded(), &file, 0, &axes, 4, &mut out, 0).unwrap();
        for (number, got) in out.chunks(4).enumerate() {
            let (mut left, mut at) = (number as u64, 0);
            for axis in (0..shape.len()).rev() {
                let i = left % counts[axis];
                left /= counts[axis];
                at += slice[axis].0.wrapping_add_signed(slice[axis].1 * i as i64) * strides[axis];
            }
            assert_eq!(got, ((at / 4) as u32).to_le_bytes(), "{shape:?} {slice:?} element {number}");
        }
        file.1.get()
    }

    #[test]
    fn slices_of_both_orders_are_those_of_numpy() {
        for fortran in [false, true] {
            check(&[5, 6, 7], &[(0, 1, 5), (0, 1, 6), (0, 1, 7)], fortran);
            check(&[5, 6, 7], &[(4, -1, 5), (1, 2, 3), (6, -3, 3)], fortran);
            check(&[5, 6, 7], &[(2, 1, 1), (0, 1, 6), (3, 1, 2)], fortran);
            check(&[300, 400, 3], &[(10, 7, 40), (399, -1, 400), (0, 1, 3)], fortran);
            check(&[1000, 1000], &[(0, 1, 1000), (500, 1, 2)], fortran);
            check(&[3, 100_000], &[(2, -1, 3), (99_999, -1, 100_000)], fortran);
            check(&[40_000, 9], &[(0, 1, 40_000), (3, 1, 5)], fortran);
            check(&[], &[], fortran);
        }
    }

    #[test]
    fn what_lies_together_is_read_at_once() {
        assert_eq!(check(&[1000, 1000], &[(100, 1, 500), (0, 1, 1000)], false), 1);
        assert_eq!(check(&[10, 100_000], &[(0, 1, 10), (0, 1, 50_000)], false), 10);
        assert_eq!(check(&[1000, 10], &[(0, 1, 1000), (0, 1, 2)], false), 1);
        assert_eq!(check(&[10, 100_000], &[(0, 1, 10), (7, 1, 1)], false), 10);
    }
}

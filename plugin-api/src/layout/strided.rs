//! Copies elements between two layouts of the same array.

/// One axis of a copy; strides in bytes, negative to run backwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axis {
    /// Elements along it.
    pub count: usize,
    /// Distance of two in the source.
    pub from: isize,
    /// Distance of two in the destination.
    pub to: isize,
}

/// Transposed planes are copied in squares of this many elements, which stay in the cache.
const TILE: usize = 32;

/// Copies elements of `item` bytes over all `axes`, the first from `from_at` to `to_at`. Returns `false`, with part of
/// the copy done at most, when anything lies outside of the two buffers.
#[must_use]
pub fn copy(from: &[u8], from_at: usize, to: &mut [u8], to_at: usize, axes: &[Axis], item: usize) -> bool {
    if item == 0 || axes.iter().any(|axis| axis.count == 0) {
        return true;
    }
    let (axes, item) = simplify(axes, item);
    let inside = |len: usize, at: usize, stride: fn(&Axis) -> isize| -> bool {
        let mut low = Some(at as i128);
        let mut high = at as i128 + item as i128;
        for axis in &axes {
            let reach = (axis.count as i128 - 1) * stride(axis) as i128;
            low = low.map(|low| low + reach.min(0));
            high += reach.max(0);
        }
        low.is_some_and(|low| low >= 0) && high <= len as i128
    };
    if !inside(from.len(), from_at, |axis| axis.from) || !inside(to.len(), to_at, |axis| axis.to) {
        return false;
    }
    let mut job = Job { from, to, item };
    match item {
        1 => job.outer::<1>(&axes, from_at, to_at),
        2 => job.outer::<2>(&axes, from_at, to_at),
        4 => job.outer::<4>(&axes, from_at, to_at),
        8 => job.outer::<8>(&axes, from_at, to_at),
        16 => job.outer::<16>(&axes, from_at, to_at),
        _ => job.outer::<0>(&axes, from_at, to_at),
    }
    true
}

/// Drops axes of one element, joins those that run on, and makes the longest contiguous run the element.
fn simplify(axes: &[Axis], mut item: usize) -> (Vec<Axis>, usize) {
    let mut joined: Vec<Axis> = Vec::with_capacity(axes.len());
    for axis in axes.iter().filter(|axis| axis.count != 1) {
        match joined.last_mut() {
            Some(outer) if runs_on(outer, axis) => *outer = Axis { count: outer.count * axis.count, ..*axis },
            _ => joined.push(*axis),
        }
    }
    while let Some(run) = joined.iter().position(|a| a.from == item as isize && a.to == item as isize) {
        item *= joined.remove(run).count;
    }
    // The axis whose elements lie closest in the source goes beside the last: the two make the tiles.
    if let Some(last) = joined.len().checked_sub(1)
        && let Some(nearest) = (0..last).min_by_key(|at| joined.get(*at).map(|axis| axis.from.unsigned_abs()))
    {
        let axis = joined.remove(nearest);
        joined.insert(last - 1, axis);
    }
    (joined, item)
}

fn runs_on(outer: &Axis, inner: &Axis) -> bool {
    let reach = |stride: isize| stride.checked_mul(inner.count as isize);
    reach(inner.from) == Some(outer.from) && reach(inner.to) == Some(outer.to)
}

struct Job<'a> {
    from: &'a [u8],
    to: &'a mut [u8],
    item: usize,
}

impl Job<'_> {
    fn outer<const N: usize>(&mut self, axes: &[Axis], from_at: usize, to_at: usize) {
        match axes {
            [] => self.element::<N>(from_at, to_at),
            [row] => self.row::<N>(*row, row.count, from_at, to_at),
            [column, row] => self.plane::<N>(*column, *row, from_at, to_at),
            [first, rest @ ..] => {
                for i in 0..first.count {
                    self.outer::<N>(rest, step(from_at, first.from, i), step(to_at, first.to, i));
                }
            }
        }
    }

    fn plane<const N: usize>(&mut self, column: Axis, row: Axis, from_at: usize, to_at: usize) {
        let transposed = row.from.unsigned_abs() > column.from.unsigned_abs();
        let tile = |count: usize| if transposed { TILE } else { count };
        for j in (0..row.count).step_by(tile(row.count)) {
            let columns = tile(row.count).min(row.count - j);
            for i0 in (0..column.count).step_by(tile(column.count)) {
                for i in i0..(i0 + tile(column.count)).min(column.count) {
                    let from = step(step(from_at, column.from, i), row.from, j);
                    let to = step(step(to_at, column.to, i), row.to, j);
                    self.row::<N>(row, columns, from, to);
                }
            }
        }
    }

    fn row<const N: usize>(&mut self, row: Axis, count: usize, from_at: usize, to_at: usize) {
        if N > 0 && row.to == N as isize {
            let target = self.to.get_mut(to_at..to_at + count * N).unwrap_or_default();
            for (i, element) in target.as_chunks_mut::<N>().0.iter_mut().enumerate() {
                let at = step(from_at, row.from, i);
                if let Some(source) = self.from.get(at..at + N) {
                    element.copy_from_slice(source);
                }
            }
            return;
        }
        for i in 0..count {
            self.element::<N>(step(from_at, row.from, i), step(to_at, row.to, i));
        }
    }

    fn element<const N: usize>(&mut self, from_at: usize, to_at: usize) {
        let size = if N > 0 { N } else { self.item };
        // `copy` has checked the corners, so both are always there.
        if let (Some(from), Some(to)) =
            (self.from.get(from_at..from_at + size), self.to.get_mut(to_at..to_at + size))
        {
            to.copy_from_slice(from);
        }
    }
}

fn step(at: usize, stride: isize, i: usize) -> usize {
    at.wrapping_add_signed(stride.wrapping_mul(i as isize))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks a copy of `item`-byte elements against one element at a time.
    fn check(counts: &[usize], from: &[isize], to: &[isize], item: usize) {
        let axes: Vec<Axis> =
            counts.iter().zip(from).zip(to).map(|((&count, &from), &to)| Axis { count, from, to }).collect();
        let back = |strides: &[isize]| -> usize {
            counts.iter().zip(strides).map(|(n, s)| (*n as isize - 1) * -(*s).min(0)).sum::<isize>() as usize
        };
        let source: Vec<u8> = (0..40_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let (mut got, mut want) = (vec![0; 40_000], vec![0; 40_000]);
        assert!(copy(&source, back(from), &mut got, back(to), &axes, item));
        let total: usize = counts.iter().product();
        for number in 0..total {
            let (mut left, mut f, mut t) = (number, back(from) as isize, back(to) as isize);
            for axis in axes.iter().rev() {
                let i = (left % axis.count) as isize;
                left /= axis.count;
                f += i * axis.from;
                t += i * axis.to;
            }
            want[t as usize..][..item].copy_from_slice(&source[f as usize..][..item]);
        }
        assert!(got == want, "{counts:?} {from:?} {to:?} {item}");
    }

    #[test]
    fn every_layout_is_copied_as_one_element_after_the_other_would_be() {
        for item in [1, 2, 3, 4, 8, 16] {
            let i = item as isize;
            check(&[4, 5, 6], &[30 * i, 6 * i, i], &[30 * i, 6 * i, i], item);
            check(&[4, 5, 6], &[i, 4 * i, 20 * i], &[30 * i, 6 * i, i], item);
            check(&[4, 5, 6], &[-30 * i, 6 * i, -i], &[30 * i, 6 * i, i], item);
            check(&[40, 50], &[i, 40 * i], &[50 * i, i], item);
            check(&[40, 20], &[60 * i, 3 * i], &[20 * i, i], item);
            check(&[4, 1, 6], &[6 * i, 999, i], &[7 * i, 999, i], item);
            check(&[], &[], &[], item);
        }
    }

    #[test]
    fn a_copy_beyond_a_buffer_is_refused() {
        let axes = [Axis { count: 4, from: 2, to: 1 }];
        assert!(!copy(&[0; 6], 0, &mut [0; 4], 0, &axes, 1));
        assert!(copy(&[0; 7], 0, &mut [0; 4], 0, &axes, 1));
        assert!(!copy(&[0; 7], 0, &mut [0; 3], 0, &axes, 1));
        assert!(!copy(&[0; 7], 0, &mut [0; 4], 0, &[Axis { count: 2, from: -1, to: 1 }], 1));
    }
}

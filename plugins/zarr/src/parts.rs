//! Cuts what is wanted of an array, or of a shard, at the borders of its chunks.

use tiled_plugin_api::author::{Error, Result};

/// The part of one axis that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First element.
    pub start: u64,
    /// Elements to the next, negative to run backwards.
    pub step: i64,
    /// Elements wanted.
    pub count: u64,
    /// Bytes from one element of the result to the next.
    pub to: isize,
}

/// The part of a [`Span`] that lies in one chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Number of the chunk along the axis.
    pub chunk: u64,
    /// Which of the span's elements is the first.
    pub first: u64,
    /// Counted from the start of the chunk.
    pub span: Span,
}

/// Cuts a span at the borders of chunks of `length`.
pub fn split(span: Span, length: u64) -> Vec<Part> {
    let (mut parts, mut first) = (Vec::new(), 0);
    let (length, step) = (length.max(1), span.step.unsigned_abs().max(1));
    while first < span.count {
        let position = span.start.wrapping_add_signed(span.step.wrapping_mul(first as i64));
        let start = position % length;
        let left = if span.step < 0 { start } else { length - 1 - start };
        let count = (left / step + 1).min(span.count - first);
        parts.push(Part { chunk: position / length, first, span: Span { start, count, ..span } });
        first += count;
    }
    parts
}

/// Calls `visit` with every combination of one part of each axis, in C order.
///
/// # Errors
/// That of `visit`, which ends it.
pub fn combine<'a>(axes: &'a [Vec<Part>], mut visit: impl FnMut(&[&'a Part]) -> Result<()>) -> Result<()> {
    let Some(mut chosen) = axes.iter().map(|axis| axis.first()).collect::<Option<Vec<_>>>() else {
        return Ok(());
    };
    let mut at = vec![0; axes.len()];
    loop {
        visit(&chosen)?;
        let mut axis = axes.len();
        loop {
            let Some(next) = axis.checked_sub(1) else { return Ok(()) };
            axis = next;
            let (Some(at), Some(parts), Some(chosen)) =
                (at.get_mut(axis), axes.get(axis), chosen.get_mut(axis))
            else {
                return Ok(());
            };
            *at = (*at + 1) % parts.len().max(1);
            if let Some(part) = parts.get(*at) {
                *chosen = part;
            }
            if *at > 0 {
                break;
            }
        }
    }
}

/// Where the first element of these parts goes.
///
/// # Errors
/// `Internal` when that leaves the result.
pub fn place(at: usize, parts: &[&Part]) -> Result<usize> {
    let by = |part: &Part| isize::try_from(part.first).ok()?.checked_mul(part.span.to);
    parts.iter().try_fold(at, |at, part| at.checked_add_signed(by(part)?)).ok_or_else(outside)
}

/// A bug: something leaves the buffer of the result.
pub fn outside() -> Error {
    Error::internal("a chunk leaves the result")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_cut_at_the_borders_of_chunks() {
        let check = |start, step, count, length| -> Vec<(u64, u64, u64, u64)> {
            let parts = split(Span { start, step, count, to: 1 }, length);
            parts.iter().map(|p| (p.chunk, p.first, p.span.start, p.span.count)).collect()
        };
        assert_eq!(check(2, 1, 7, 4), [(0, 0, 2, 2), (1, 2, 0, 4), (2, 6, 0, 1)]);
        assert_eq!(check(9, -3, 4, 4), [(2, 0, 1, 1), (1, 1, 2, 1), (0, 2, 3, 2)]);
        assert_eq!(check(0, 10, 3, 4), [(0, 0, 0, 1), (2, 1, 2, 1), (5, 2, 0, 1)]);
        assert_eq!(check(5, 1, 0, 4), []);
    }

    #[test]
    fn all_combinations_come_in_order() {
        let axis = |n: u64| -> Vec<Part> { split(Span { start: 0, step: 1, count: n, to: 1 }, 1) };
        let axes = [axis(2), axis(1), axis(3)];
        let mut seen = vec![];
        combine(&axes, |parts| {
            seen.push(parts.iter().map(|part| part.chunk).collect::<Vec<_>>());
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, [[0, 0, 0], [0, 0, 1], [0, 0, 2], [1, 0, 0], [1, 0, 1], [1, 0, 2]]);
        let mut calls = 0;
        combine(&[], |_| {
            calls += 1;
            Ok(())
        })
        .unwrap();
        combine(&[axis(0)], |_| panic!("nothing is there")).unwrap();
        assert_eq!(calls, 1);
    }
}

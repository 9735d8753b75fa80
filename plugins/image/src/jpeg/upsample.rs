//! From planes of components to pixels: the triangle filter of libjpeg's `jdsample.c`, then colours.

use super::{
    color::{self, Conversion},
    frame::{Component, Frame, Plane},
};

/// How a component grows to full size.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Growth {
    Same,
    /// Twice as wide.
    Wide,
    /// Twice as high.
    High,
    /// Twice in both.
    Both,
    /// Each sample repeated so often across and down.
    Repeat(usize, usize),
}

fn growth(frame: &Frame, component: &Component) -> Growth {
    let (across, down) = (frame.max_h / component.h, frame.max_v / component.v);
    // libjpeg does not filter planes of one or two columns.
    let is_wide = component.width > 2;
    match (across, down) {
        (1, 1) => Growth::Same,
        (2, 1) if is_wide => Growth::Wide,
        (1, 2) => Growth::High,
        (2, 2) if is_wide => Growth::Both,
        _ => Growth::Repeat(across, down),
    }
}

/// Rows of pixels, samples side by side.
pub fn interleave(frame: &Frame, planes: &[Plane], conversion: Conversion) -> Vec<u8> {
    let count = frame.components.len();
    let mut out = vec![0; frame.width * frame.height * count];
    if frame.width == 0 || count == 0 {
        return out;
    }
    let mut row = vec![0u8; (frame.width + 2 * frame.max_h) * 2];
    let mut sums = vec![];
    for (y, pixels) in out.chunks_exact_mut(frame.width * count).enumerate() {
        for (c, (component, plane)) in frame.components.iter().zip(planes).enumerate() {
            let full = full_row(frame, component, plane, y, &mut row, &mut sums);
            if count == 1 {
                pixels.copy_from_slice(full);
                continue;
            }
            for (pixel, value) in pixels.chunks_exact_mut(count).zip(full) {
                pixel[c] = *value;
            }
        }
        color::convert(pixels, conversion);
    }
    out
}

/// Row `y` of a component at full size.
fn full_row<'a>(
    frame: &Frame,
    component: &Component,
    plane: &'a Plane,
    y: usize,
    row: &'a mut Vec<u8>,
    sums: &mut Vec<u16>,
) -> &'a [u8] {
    let width = frame.width;
    let source = |y: usize| {
        let y = y.min(component.height.saturating_sub(1));
        &plane.samples[y * plane.stride..y * plane.stride + component.width]
    };
    // The row of the component, and the nearer one of its neighbours.
    let near = y / 2;
    let other = if y.is_multiple_of(2) { near.saturating_sub(1) } else { near + 1 };
    match growth(frame, component) {
        Growth::Same => &source(y)[..width],
        Growth::Wide => {
            wide(source(y), row);
            &row[..width]
        }
        Growth::High => {
            let bias = if y.is_multiple_of(2) { 1 } else { 2 };
            row.resize(component.width.max(width), 0);
            for ((to, a), b) in row.iter_mut().zip(source(near)).zip(source(other)) {
                *to = ((u16::from(*a) * 3 + u16::from(*b) + bias) >> 2) as u8;
            }
            &row[..width]
        }
        Growth::Both => {
            sums.clear();
            sums.extend(
                source(near).iter().zip(source(other)).map(|(a, b)| u16::from(*a) * 3 + u16::from(*b)),
            );
            both(sums, row);
            &row[..width]
        }
        Growth::Repeat(across, down) => {
            row.clear();
            row.extend(source(y / down).iter().flat_map(|value| std::iter::repeat_n(*value, across)));
            row.resize(row.len().max(width), 0);
            &row[..width]
        }
    }
}

/// Twice as wide: three parts of the nearer sample, one of the other.
fn wide(from: &[u8], to: &mut Vec<u8>) {
    to.resize(from.len() * 2, 0);
    let (Some(first), Some(last)) = (from.first(), from.last()) else { return };
    for (pair, to) in from.windows(2).zip(to[1..].as_chunks_mut::<2>().0) {
        let (a, b) = (u16::from(pair[0]), u16::from(pair[1]));
        *to = [((a * 3 + b + 2) >> 2) as u8, ((b * 3 + a + 1) >> 2) as u8];
    }
    to[0] = *first;
    to[from.len() * 2 - 1] = *last;
}

/// The same for sums of rows, which are four times as large.
fn both(from: &[u16], to: &mut Vec<u8>) {
    to.resize(from.len() * 2, 0);
    let (Some(first), Some(last)) = (from.first(), from.last()) else { return };
    for (pair, to) in from.windows(2).zip(to[1..].as_chunks_mut::<2>().0) {
        let (a, b) = (pair[0], pair[1]);
        *to = [((a * 3 + b + 7) >> 4) as u8, ((b * 3 + a + 8) >> 4) as u8];
    }
    to[0] = ((first * 4 + 8) >> 4) as u8;
    to[from.len() * 2 - 1] = ((last * 4 + 7) >> 4) as u8;
}

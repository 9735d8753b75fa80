//! Values to grey levels: single precision, percentiles as NumPy counts them, of finite values only.

use std::{num::NonZero, thread};

use tiled_plugin_api::prelude::{DataType, Endianness, Kind};

use crate::view::{Bound, Curve, View};

/// Whether values of this type have grey levels.
pub fn has_levels(dtype: &DataType) -> bool {
    reader(dtype).is_some()
}

/// A grey level for each value; `None` for types that have none and for no values at all.
pub fn levels(bytes: &[u8], dtype: &DataType, view: &View) -> Option<Vec<u8>> {
    let size = usize::try_from(dtype.itemsize()).ok().filter(|size| *size > 0)?;
    let read = reader(dtype)?;
    if bytes.len() < size {
        return None;
    }
    match (dtype.kind(), size) {
        (Kind::Bool | Kind::Uint | Kind::Int, 1) => Some(by_table(bytes, 1, |i| read(&[i as u8]), view)),
        (Kind::Uint | Kind::Int, 2) => Some(by_table(bytes, 2, |i| read(&(i as u16).to_ne_bytes()), view)),
        _ => {
            let values: Vec<f32> = bytes.chunks_exact(size).map(read).collect();
            let scale = Scale::of_values(&values, view);
            Some(match scale.curve {
                Curve::Linear => values.iter().map(|value| scale.linear(*value)).collect(),
                _ => values.iter().map(|value| scale.level(*value)).collect(),
            })
        }
    }
}

/// How to read a value of this type.
fn reader(dtype: &DataType) -> Option<fn(&[u8]) -> f32> {
    let is_big = dtype.endianness() == Endianness::Big;
    macro_rules! number {
        ($type:ty) => {
            if is_big {
                |b| b.as_array().map_or(f32::NAN, |b| <$type>::from_be_bytes(*b) as f32)
            } else {
                |b| b.as_array().map_or(f32::NAN, |b| <$type>::from_le_bytes(*b) as f32)
            }
        };
    }
    Some(match (dtype.kind(), dtype.itemsize()) {
        (Kind::Bool, 1) => |b| if b.first() == Some(&0) { 0.0 } else { 1.0 },
        (Kind::Uint, 1) => number!(u8),
        (Kind::Uint, 2) => number!(u16),
        (Kind::Uint, 4) => number!(u32),
        (Kind::Uint, 8) => number!(u64),
        (Kind::Int, 1) => number!(i8),
        (Kind::Int, 2) => number!(i16),
        (Kind::Int, 4) => number!(i32),
        (Kind::Int | Kind::Datetime | Kind::Timedelta, 8) => number!(i64),
        // Of complex numbers the real part, which stands first.
        (Kind::Float, 4) | (Kind::Complex, 8) => {
            if is_big {
                |b| b.first_chunk().map_or(f32::NAN, |b| f32::from_be_bytes(*b))
            } else {
                |b| b.first_chunk().map_or(f32::NAN, |b| f32::from_le_bytes(*b))
            }
        }
        (Kind::Float, 8) | (Kind::Complex, 16) => {
            if is_big {
                |b| b.first_chunk().map_or(f32::NAN, |b| f64::from_be_bytes(*b) as f32)
            } else {
                |b| b.first_chunk().map_or(f32::NAN, |b| f64::from_le_bytes(*b) as f32)
            }
        }
        (Kind::Float, 2) => {
            if is_big {
                |b| b.as_array().map_or(f32::NAN, |b| half(u16::from_be_bytes(*b)))
            } else {
                |b| b.as_array().map_or(f32::NAN, |b| half(u16::from_le_bytes(*b)))
            }
        }
        _ => return None,
    })
}

/// A float of 16 bits.
fn half(bits: u16) -> f32 {
    let (sign, exponent, fraction) =
        (u32::from(bits >> 15) << 31, u32::from(bits >> 10) & 31, u32::from(bits) & 1023);
    match exponent {
        0 => {
            let value = fraction as f32 * 2f32.powi(-24);
            if sign == 0 { value } else { -value }
        }
        31 => f32::from_bits(sign | 0x7f80_0000 | (fraction << 13)),
        _ => f32::from_bits(sign | ((exponent + 112) << 23) | (fraction << 13)),
    }
}

/// Bytes that are worth a thread of their own.
const THREAD_BYTES: usize = 1 << 20;
const MAX_THREADS: usize = 4;

/// The place of each value among those of its type.
fn places(bytes: &[u8], size: usize) -> impl Iterator<Item = usize> {
    let (pairs, ones) = if size == 2 { (bytes.as_chunks::<2>().0, &[][..]) } else { (&[][..], bytes) };
    pairs
        .iter()
        .map(|pair| usize::from(u16::from_ne_bytes(*pair)))
        .chain(ones.iter().map(|b| usize::from(*b)))
}

/// How often each value occurs.
fn counted(bytes: &[u8], size: usize) -> Vec<usize> {
    let mut counts = vec![0; 1 << (8 * size)];
    places(bytes, size).for_each(|place| counts[place] += 1);
    counts
}

/// Levels of values of one or two bytes, of which there are few: counted, not sorted, and looked up.
fn by_table(bytes: &[u8], size: usize, read: impl Fn(usize) -> f32, view: &View) -> Vec<u8> {
    let kinds = 1 << (8 * size);
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = cores.min(MAX_THREADS).min(bytes.len() / THREAD_BYTES).max(1);
    let part = bytes.len().div_ceil(threads).next_multiple_of(2);
    let mut counts = vec![0usize; kinds];
    thread::scope(|scope| {
        let workers: Vec<_> =
            bytes.chunks(part).map(|part| scope.spawn(move || counted(part, size))).collect();
        for more in workers.into_iter().filter_map(|worker| worker.join().ok()) {
            counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
        }
    });
    let mut found: Vec<(f32, usize)> = counts
        .iter()
        .enumerate()
        .filter(|(_, count)| **count > 0)
        .map(|(i, count)| (read(i), *count))
        .filter(|(value, _)| value.is_finite())
        .collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    let total = found.iter().map(|(_, count)| count).sum();
    let nth = |n: usize| {
        let mut before = 0;
        let at = found.iter().find(|(_, count)| {
            before += count;
            n < before
        });
        at.map_or(f32::NAN, |(value, _)| *value)
    };
    let scale = Scale::new(total, nth, view);
    let table: Vec<u8> = (0..kinds).map(|i| scale.level(read(i))).collect();
    let mut levels = vec![0; bytes.len() / size];
    thread::scope(|scope| {
        for (bytes, levels) in bytes.chunks(part).zip(levels.chunks_mut(part / size)) {
            let table = &table;
            scope.spawn(move || {
                let mut slots = levels.iter_mut();
                places(bytes, size).for_each(|place| {
                    if let Some(slot) = slots.next() {
                        *slot = table[place];
                    }
                });
            });
        }
    });
    levels
}

/// What is black and how much lies between black and white.
struct Scale {
    low: f32,
    span: f32,
    curve: Curve,
}

/// How steep the logarithm is: that of astropy's stretch.
const LOG_STEEPNESS: f32 = 1000.0;

impl Scale {
    fn new(total: usize, mut nth: impl FnMut(usize) -> f32, view: &View) -> Self {
        let mut value = |bound: Bound| match bound {
            Bound::Percentile(percent) => percentile(total, percent / 100.0, &mut nth),
            Bound::Value(value) => value as f32,
        };
        let (low, high) = (value(view.low), value(view.high));
        Scale { low, span: high - low, curve: view.curve }
    }

    fn of_values(values: &[f32], view: &View) -> Self {
        // Sorting in part: count by the upper half of the bits, then look into one class only.
        let mut counts = vec![0usize; 1 << 16];
        let finite = || values.iter().copied().filter(|value| value.is_finite());
        finite().for_each(|value| counts[usize::from(class(value))] += 1);
        let mut kept: (Option<u16>, Vec<f32>) = (None, vec![]);
        let nth = |n: usize| {
            let (mut before, mut of) = (0, 0);
            for (i, count) in counts.iter().enumerate() {
                if n < before + count {
                    of = i as u16;
                    break;
                }
                before += count;
            }
            if kept.0 != Some(of) {
                kept = (Some(of), finite().filter(|value| class(*value) == of).collect());
            }
            if kept.1.is_empty() {
                return f32::NAN;
            }
            let at = n.saturating_sub(before).min(kept.1.len().saturating_sub(1));
            *kept.1.select_nth_unstable_by(at, f32::total_cmp).1
        };
        Scale::new(counts.iter().sum(), nth, view)
    }

    fn level(&self, value: f32) -> u8 {
        let part = self.part(value);
        grey(match self.curve {
            Curve::Linear => part,
            Curve::Log => (part * LOG_STEEPNESS).ln_1p() / LOG_STEEPNESS.ln_1p(),
            Curve::Sqrt => part.sqrt(),
        })
    }

    #[inline]
    fn linear(&self, value: f32) -> u8 {
        grey(self.part(value))
    }

    /// From 0 to 1. NaN, as of 0 / 0 where all values are alike, is black.
    #[inline]
    #[allow(clippy::manual_clamp)] // `clamp` would keep NaN
    fn part(&self, value: f32) -> f32 {
        ((value - self.low) / self.span).max(0.0).min(1.0)
    }
}

#[inline]
fn grey(part: f32) -> u8 {
    // Adding 2^23 leaves the nearest whole number, ties to even, in the lowest bits.
    (part * 255.0 + 8_388_608.0).to_bits() as u8
}

/// The upper half of the bits of a number, so that classes are in the order of their numbers.
#[inline]
fn class(value: f32) -> u16 {
    let bits = value.to_bits();
    let ordered = if bits >> 31 == 0 { bits | 1 << 31 } else { !bits };
    (ordered >> 16) as u16
}

/// NumPy's linear percentile of single precision.
fn percentile(total: usize, q: f64, nth: &mut impl FnMut(usize) -> f32) -> f32 {
    let last = total.saturating_sub(1);
    let at = last as f64 * q;
    let before = at.floor();
    let part = at - before;
    let (a, b) = (nth(before as usize), nth((before as usize + 1).min(last)));
    let difference = b - a;
    if part >= 0.5 { b - difference * (1.0 - part) as f32 } else { a + difference * part as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|v| v.to_le_bytes()).collect()
    }

    #[test]
    fn counted_and_sorted_values_get_the_same_levels() {
        let values: Vec<u16> = (0..5000u32).map(|i| (i * i % 7919) as u16).collect();
        let narrow: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let wide: Vec<u8> = values.iter().flat_map(|v| f32::from(*v).to_le_bytes()).collect();
        let view = View::default();
        let counted = levels(&narrow, &DataType::native(Kind::Uint, 2), &view);
        assert_eq!(counted, levels(&wide, &DataType::native(Kind::Float, 4), &view));
        assert!(counted.is_some_and(|levels| levels.contains(&0) && levels.contains(&255)));
    }

    #[test]
    fn values_without_contrast_are_black() {
        let view = View::default();
        assert_eq!(levels(&[7; 12], &DataType::native(Kind::Uint, 1), &view), Some(vec![0; 12]));
        let none = bytes_of(&[f32::NAN, f32::INFINITY]);
        assert_eq!(levels(&none, &DataType::native(Kind::Float, 4), &view), Some(vec![0; 2]));
    }

    #[test]
    fn what_is_no_number_does_not_take_the_others_contrast() {
        let view = View { low: Bound::Percentile(0.0), high: Bound::Percentile(100.0), ..View::default() };
        let values = bytes_of(&[1.0, f32::NAN, 3.0, 2.0, f32::INFINITY, f32::NEG_INFINITY]);
        let found = levels(&values, &DataType::native(Kind::Float, 4), &view);
        assert_eq!(found, Some(vec![0, 0, 255, 128, 255, 0]));
    }

    #[test]
    fn bounds_and_curves_are_what_was_asked_for() {
        let view =
            |curve| View { low: Bound::Value(0.0), high: Bound::Value(100.0), curve, ..View::default() };
        let values = bytes_of(&[-5.0, 0.0, 1.0, 25.0, 100.0, 200.0]);
        let found = |curve| levels(&values, &DataType::native(Kind::Float, 4), &view(curve)).unwrap();
        assert_eq!(found(Curve::Linear), [0, 0, 3, 64, 255, 255]);
        assert_eq!(found(Curve::Sqrt), [0, 0, 26, 128, 255, 255]);
        assert_eq!(found(Curve::Log), [0, 0, 89, 204, 255, 255]);
    }

    #[test]
    fn halves_widen() {
        assert_eq!([0x3c00, 0xc000, 0x0001, 0x7c00].map(half), [1.0, -2.0, 2f32.powi(-24), f32::INFINITY]);
    }
}

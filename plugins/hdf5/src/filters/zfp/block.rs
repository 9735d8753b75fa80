//! One block of zfp: from its bits to its numbers.

use tiled_plugin_api::author::Result;

use super::{
    bits::Bits,
    damaged,
    order::{ORDER_1, ORDER_2, ORDER_3, ORDER_4},
};

/// The least exponent of a double; below it, the mode is the reversible one.
const MIN_EXPONENT: i32 = -1074;
const MAX_BITS: u32 = 16658;

/// How many bits and bit planes a block has.
pub(super) struct Mode {
    min_bits: u32,
    max_bits: u32,
    max_precision: u32,
    min_exponent: i32,
}

impl Mode {
    /// Reads 12 bits for one of zfp's four modes, or 64 with all parameters (`zfp_stream_set_mode`).
    pub(super) fn read(bits: &mut Bits) -> Result<Mode> {
        let free = Mode { min_bits: 1, max_bits: MAX_BITS, max_precision: 64, min_exponent: MIN_EXPONENT };
        let short = bits.take(12) as u32;
        let mode = match short {
            0..2048 => Mode { min_bits: short + 1, max_bits: short + 1, ..free },
            2048..2176 => Mode { max_precision: short - 2047, ..free },
            2176 => Mode { min_exponent: MIN_EXPONENT - 1, ..free },
            2177..4095 => Mode { min_exponent: short.cast_signed() + MIN_EXPONENT - 2177, ..free },
            _ => Mode {
                min_bits: bits.take(15) as u32 + 1,
                max_bits: bits.take(15) as u32 + 1,
                max_precision: bits.take(7) as u32 + 1,
                min_exponent: bits.take(15) as i32 - 16495,
            },
        };
        if mode.min_bits > mode.max_bits || mode.max_precision > 64 {
            return Err(damaged("its mode contradicts itself"));
        }
        Ok(mode)
    }

    fn is_reversible(&self) -> bool {
        self.min_exponent < MIN_EXPONENT
    }
}

/// A type of numbers.
pub(super) trait Number: Copy + Default {
    /// Decodes the next block, of 4 numbers along each axis.
    fn decode(bits: &mut Bits, mode: &Mode, axes: usize, block: &mut [Self]);
}

/// An integer of the width that zfp computes in.
trait Whole: Copy + Default {
    const BITS: u32;
    /// Bits that say how many bit planes a reversible block has.
    const PRECISION_BITS: u32;
    /// From zfp's number system of base -2.
    fn from_negabinary(bits: u64) -> Self;
    fn lift(line: [Self; 4]) -> [Self; 4];
    fn lift_reversibly(line: [Self; 4]) -> [Self; 4];
}

macro_rules! whole {
    ($int:ty, $unsigned:ty, $precision:expr) => {
        impl Whole for $int {
            const BITS: u32 = <$int>::BITS;
            const PRECISION_BITS: u32 = $precision;

            fn from_negabinary(bits: u64) -> Self {
                let mask = <$unsigned>::MAX / 3 * 2;
                ((bits as $unsigned) ^ mask).wrapping_sub(mask) as $int
            }

            fn lift([mut x, mut y, mut z, mut w]: [Self; 4]) -> [Self; 4] {
                y = y.wrapping_add(w >> 1);
                w = w.wrapping_sub(y >> 1);
                y = y.wrapping_add(w);
                w = (w << 1).wrapping_sub(y);
                z = z.wrapping_add(x);
                x = (x << 1).wrapping_sub(z);
                y = y.wrapping_add(z);
                z = (z << 1).wrapping_sub(y);
                w = w.wrapping_add(x);
                x = (x << 1).wrapping_sub(w);
                [x, y, z, w]
            }

            fn lift_reversibly([x, mut y, mut z, mut w]: [Self; 4]) -> [Self; 4] {
                w = w.wrapping_add(z);
                z = z.wrapping_add(y);
                w = w.wrapping_add(z);
                y = y.wrapping_add(x);
                z = z.wrapping_add(y);
                w = w.wrapping_add(z);
                [x, y, z, w]
            }
        }

        impl Number for $int {
            fn decode(bits: &mut Bits, mode: &Mode, axes: usize, block: &mut [Self]) {
                match mode.is_reversible() {
                    true => reversible(bits, mode, 0, axes, block),
                    false => lossy(bits, mode, 0, mode.max_precision, axes, block),
                }
            }
        }
    };
}

whole!(i32, u32, 5);
whole!(i64, u64, 6);

macro_rules! float {
    ($float:ty, $int:ty, $unsigned:ty, $exponent_bits:expr) => {
        impl Number for $float {
            fn decode(bits: &mut Bits, mode: &Mode, axes: usize, block: &mut [Self]) {
                const BIAS: i32 = (1 << ($exponent_bits - 1)) - 1;
                if !bits.bit() {
                    block.fill(0.0);
                    return bits.skip(mode.min_bits.saturating_sub(1));
                }
                let mut whole = [<$int>::default(); 256];
                let whole = &mut whole[..block.len()];
                if mode.is_reversible() && bits.bit() {
                    reversible(bits, mode, 2, axes, whole);
                    for (value, x) in block.iter_mut().zip(whole) {
                        let flipped = if *x < 0 { *x ^ <$int>::MAX } else { *x };
                        *value = <$float>::from_bits(flipped as $unsigned);
                    }
                    return;
                }
                let exponent = bits.take($exponent_bits) as i32 - BIAS;
                if mode.is_reversible() {
                    reversible(bits, mode, 2 + $exponent_bits, axes, whole);
                    if exponent == -BIAS {
                        return block.fill(0.0);
                    }
                } else {
                    let planes = exponent - mode.min_exponent + 2 * axes as i32 + 2;
                    let precision = mode.max_precision.min(planes.max(0).unsigned_abs());
                    lossy(bits, mode, 1 + $exponent_bits, precision, axes, whole);
                }
                let scale = power_of_two(exponent - (<$int>::BITS as i32 - 2)) as $float;
                for (value, x) in block.iter_mut().zip(whole) {
                    *value = scale * *x as $float;
                }
            }
        }
    };
}

float!(f32, i32, u32, 8);
float!(f64, i64, u64, 11);

/// 2 to the power of `exponent`, also where that is subnormal.
fn power_of_two(exponent: i32) -> f64 {
    match exponent {
        -1022..=1023 => f64::from_bits(((exponent + 1023) as u64) << 52),
        -1074..-1022 => f64::from_bits(1 << (exponent + 1074)),
        _ => 0.0,
    }
}

fn lossy<I: Whole>(bits: &mut Bits, mode: &Mode, used: u32, precision: u32, axes: usize, block: &mut [I]) {
    let least = mode.min_bits.saturating_sub(used);
    let got = coefficients(bits, mode.max_bits.saturating_sub(used), precision, axes, block);
    bits.skip(least.saturating_sub(got));
    transform(axes, block, I::lift);
}

fn reversible<I: Whole>(bits: &mut Bits, mode: &Mode, used: u32, axes: usize, block: &mut [I]) {
    let precision = bits.take(I::PRECISION_BITS) as u32 + 1;
    let least = mode.min_bits.saturating_sub(used);
    let most = mode.max_bits.saturating_sub(used + I::PRECISION_BITS);
    let got = I::PRECISION_BITS + coefficients(bits, most, precision, axes, block);
    bits.skip(least.saturating_sub(got));
    transform(axes, block, I::lift_reversibly);
}

/// Undoes a transform of 4 numbers along each axis, the slowest one first.
fn transform<I: Copy>(axes: usize, block: &mut [I], lift: impl Fn([I; 4]) -> [I; 4]) {
    for axis in (0..axes).rev() {
        let stride = 1 << (2 * axis);
        for part in block.chunks_exact_mut(4 * stride) {
            for at in 0..stride {
                let places = [at, at + stride, at + 2 * stride, at + 3 * stride];
                let line = lift(places.map(|place| part[place]));
                for (place, value) in places.into_iter().zip(line) {
                    part[place] = value;
                }
            }
        }
    }
}

/// Decodes the coefficients bit plane by bit plane and puts them in order; gives the number of bits taken.
fn coefficients<I: Whole>(bits: &mut Bits, most: u32, precision: u32, axes: usize, block: &mut [I]) -> u32 {
    let mut planes = [0_u64; 256];
    let planes = &mut planes[..block.len()];
    let size = planes.len() as u32;
    let (mut left, mut known, mut plane) = (most, 0, I::BITS);
    while left > 0 && plane > I::BITS.saturating_sub(precision) {
        plane -= 1;
        // Those that have a higher bit: their bits as they are.
        let plain = known.min(left);
        left -= plain;
        for first in (0..plain).step_by(64) {
            let mut set = bits.take((plain - first).min(64));
            while set != 0 {
                planes[(first + set.trailing_zeros()) as usize] |= 1 << plane;
                set &= set - 1;
            }
        }
        // The others: whether there is one more, and how far off.
        while left > 0 && known < size {
            left -= 1;
            if !bits.bit() {
                break;
            }
            while left > 0 && known < size - 1 {
                left -= 1;
                if bits.bit() {
                    break;
                }
                known += 1;
            }
            planes[known as usize] |= 1 << plane;
            known += 1;
        }
    }
    let order: &[u8] = match axes {
        1 => &ORDER_1,
        2 => &ORDER_2,
        3 => &ORDER_3,
        _ => &ORDER_4,
    };
    for (place, bits) in order.iter().zip(planes) {
        block[usize::from(*place)] = I::from_negabinary(*bits);
    }
    most - left
}

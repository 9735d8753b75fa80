//! Floats that were compressed as whole numbers: back to floats, without or with the dithering of the standard.

use std::sync::OnceLock;

/// How whole numbers became of floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dither {
    /// Rounded.
    No,
    /// `SUBTRACTIVE_DITHER_1`.
    One,
    /// `SUBTRACTIVE_DITHER_2`: zeros stay zeros.
    Two,
}

/// Stands for 0 in the second dithering.
const ZERO: i32 = -2_147_483_646;
const COUNT: usize = 10_000;

/// Calls `put` with the float of each of these numbers. `seed` is `ZDITHER0` plus the place of the tile, from 0.
pub fn restore(
    numbers: impl Iterator<Item = i32>,
    (scale, zero): (f64, f64),
    (dither, seed): (Dither, i64),
    blank: Option<i64>,
    mut put: impl FnMut(f64),
) {
    let table = random();
    let mut start = (seed - 1).rem_euclid(COUNT as i64) as usize;
    let first = |start: usize| (table.get(start).copied().unwrap_or(0.0) * 500.0) as usize;
    let mut next = first(start);
    for number in numbers {
        let noise = table.get(next).copied().unwrap_or(0.0);
        put(if blank == Some(i64::from(number)) {
            f64::NAN
        } else if dither == Dither::No {
            f64::from(number) * scale + zero
        } else if dither == Dither::Two && number == ZERO {
            0.0
        } else {
            (f64::from(number) - f64::from(noise) + 0.5) * scale + zero
        });
        next += 1;
        if next == COUNT {
            start = (start + 1) % COUNT;
            next = first(start);
        }
    }
}

/// The random numbers of the standard (Park and Miller 1988).
fn random() -> &'static [f32] {
    static TABLE: OnceLock<Vec<f32>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let (a, m) = (16807.0_f64, 2_147_483_647.0_f64);
        let mut seed = 1.0_f64;
        let next = |_| {
            let product = a * seed;
            seed = product - m * (product / m).trunc();
            (seed / m) as f32
        };
        (0..COUNT).map(next).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_random_numbers_are_those_of_the_standard() {
        // The standard gives the last seed: 1043618065.
        assert_eq!(random()[COUNT - 1], (1_043_618_065.0_f64 / 2_147_483_647.0) as f32);
    }
}

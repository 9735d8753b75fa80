//! The samples of a scan, line by line: predicted from their neighbours, corrected by what is coded (ISO/IEC 14495-1,
//! annex A; the names of the standard are in the comments).

use tiled_plugin_api::author::Result;

use super::{bits::Bits, damaged};

/// How long a run is expected to be, as a power of two (J).
const RUNS: [u32; 32] =
    [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// What holds for a whole scan.
pub(super) struct Coding {
    /// MAXVAL
    highest: i32,
    /// NEAR
    near: i32,
    /// T1, T2, T3
    thresholds: [i32; 3],
    /// RESET
    reset: i32,
    /// RANGE
    range: i32,
    /// qbpp
    wide: u32,
    /// LIMIT
    limit: u32,
}

impl Coding {
    /// `given` has MAXVAL, T1, T2, T3 and RESET, zero where the default holds.
    pub(super) fn new(precision: u32, near: i32, given: [i32; 5]) -> Result<Coding> {
        let or = |given: i32, default: i32| if given == 0 { default } else { given };
        let highest = or(given[0], (1 << precision) - 1);
        if highest >= 1 << precision || near > highest / 2 || highest < 1 {
            return Err(damaged("its parameters contradict its precision"));
        }
        let between = |n: i32, low: i32| if n < low || n > highest { low } else { n };
        let basic = |base: i32, least: i32, more: i32| match highest {
            128.. => (highest.min(4095) + 128) / 256 * (base - least) + least + more * near,
            _ => (base / (256 / (highest + 1)) + more * near).max(least),
        };
        let one = or(given[1], between(basic(3, 2, 3), near + 1));
        let two = or(given[2], between(basic(7, 3, 5), one));
        let three = or(given[3], between(basic(21, 4, 7), two));
        let range = (highest + 2 * near) / (2 * near + 1) + 1;
        let bits = |n: i32| 32 - (n - 1).leading_zeros();
        let deep = bits(highest + 1).max(2);
        let (wide, limit) = (bits(range), 2 * (deep + deep.max(8)));
        Ok(Coding {
            highest,
            near,
            thresholds: [one, two, three],
            reset: or(given[4], 64),
            range,
            wide,
            limit,
        })
    }

    /// A difference in one of nine classes.
    fn class(&self, difference: i32) -> i32 {
        let size = difference.abs();
        let class = if size <= self.near {
            0
        } else {
            1 + self.thresholds.iter().filter(|threshold| size >= **threshold).count() as i32
        };
        class * difference.signum()
    }

    /// No difference is larger than the range of the samples.
    fn check(&self, code: i32) -> Result<()> {
        if code > 2 * self.range + 1 { Err(damaged("a difference is too large")) } else { Ok(()) }
    }

    /// The sample for a prediction and a coded difference.
    fn correct(&self, predicted: i32, difference: i32) -> i32 {
        let step = 2 * self.near + 1;
        let mut sample = predicted + difference * step;
        if sample < -self.near {
            sample += self.range * step;
        } else if sample > self.highest + self.near {
            sample -= self.range * step;
        }
        sample.clamp(0, self.highest)
    }
}

/// What is known of one context: A, B, C, N.
#[derive(Clone, Copy)]
struct Known {
    size: i32,
    bias: i32,
    correction: i32,
    count: i32,
}

impl Known {
    /// The Golomb parameter.
    fn parameter(&self, size: i32) -> u32 {
        (0..24).find(|k| i64::from(self.count) << k >= i64::from(size)).unwrap_or(24)
    }

    fn update(&mut self, difference: i32, coding: &Coding) {
        self.bias = self.bias.saturating_add(difference * (2 * coding.near + 1));
        self.size = self.size.saturating_add(difference.abs());
        if self.count >= coding.reset {
            (self.size, self.bias, self.count) = (self.size >> 1, self.bias >> 1, self.count >> 1);
        }
        self.count += 1;
        if self.bias <= -self.count {
            self.bias = (self.bias + self.count).max(1 - self.count);
            self.correction = (self.correction - 1).max(-128);
        } else if self.bias > 0 {
            self.bias = (self.bias - self.count).min(0);
            self.correction = (self.correction + 1).min(127);
        }
    }
}

/// A decoder between two lines.
pub(super) struct Line<'a> {
    coding: Coding,
    bits: Bits<'a>,
    known: Vec<Known>,
    /// For the ends of runs: negative differences (Nn), by whether the neighbours are alike.
    negative: [i32; 2],
    run: usize,
    /// The line above and this one, each with a sample more on both sides.
    above: Vec<i32>,
    here: Vec<i32>,
}

/// Contexts of the regular mode; two more are for the ends of runs.
const CONTEXTS: usize = 365;

impl<'a> Line<'a> {
    pub(super) fn new(coding: Coding, samples: usize, input: &'a [u8]) -> Self {
        let size = ((coding.range + 32) / 64).max(2);
        let known = Known { size, bias: 0, correction: 0, count: 1 };
        Line {
            coding,
            bits: Bits::new(input),
            known: vec![known; CONTEXTS + 2],
            negative: [0; 2],
            run: 0,
            above: vec![0; samples + 2],
            here: vec![0; samples + 2],
        }
    }

    /// Bytes taken so far.
    pub(super) fn taken(&self) -> usize {
        self.bits.taken()
    }

    /// The samples of the next line.
    pub(super) fn next(&mut self) -> Result<&[i32]> {
        std::mem::swap(&mut self.above, &mut self.here);
        let samples = self.here.len() - 2;
        self.above[samples + 1] = self.above[samples];
        self.here[0] = self.above[1];
        let mut x = 1;
        while x <= samples {
            let (a, b, c, d) = (self.here[x - 1], self.above[x], self.above[x - 1], self.above[x + 1]);
            let classes = [d - b, b - c, c - a].map(|difference| self.coding.class(difference));
            if classes == [0; 3] {
                x = self.run(x, samples)?;
            } else {
                self.here[x] = self.regular(classes, (a, b, c))?;
                x += 1;
            }
        }
        Ok(&self.here[1..=samples])
    }

    fn regular(&mut self, classes: [i32; 3], (a, b, c): (i32, i32, i32)) -> Result<i32> {
        let number = classes.iter().fold(0, |all, class| 9 * all + class);
        let sign = number.signum();
        let predicted = if c >= a.max(b) {
            a.min(b)
        } else if c <= a.min(b) {
            a.max(b)
        } else {
            a + b - c
        };
        let (coding, known) = (&self.coding, &mut self.known[number.unsigned_abs() as usize]);
        let predicted = (predicted + sign * known.correction).clamp(0, coding.highest);
        let k = known.parameter(known.size);
        let code = self.bits.golomb(k, coding.limit - coding.wide - 1, coding.wide)?;
        coding.check(code)?;
        let mut difference = if code & 1 == 0 { code / 2 } else { -(code / 2) - 1 };
        if coding.near == 0 && k == 0 && 2 * known.bias <= -known.count {
            difference = !difference;
        }
        known.update(difference, coding);
        Ok(coding.correct(predicted, sign * difference))
    }

    /// A run of equal samples from `x` on, and the sample that ends it; gives the place behind.
    fn run(&mut self, mut x: usize, samples: usize) -> Result<usize> {
        let value = self.here[x - 1];
        while self.bits.bit()? {
            let whole = 1 << RUNS[self.run];
            let count = whole.min(samples + 1 - x);
            self.here[x..x + count].fill(value);
            x += count;
            if count == whole {
                self.run = (self.run + 1).min(31);
            }
            if x > samples {
                return Ok(x);
            }
        }
        let count = self.bits.take(RUNS[self.run])?.unsigned_abs() as usize;
        if count > samples - x {
            return Err(damaged("a run leads out of its line"));
        }
        self.here[x..x + count].fill(value);
        x += count;
        self.here[x] = self.end_of_run(value, self.above[x])?;
        self.run = self.run.saturating_sub(1);
        Ok(x + 1)
    }

    fn end_of_run(&mut self, a: i32, b: i32) -> Result<i32> {
        let coding = &self.coding;
        let alike = usize::from((a - b).abs() <= coding.near);
        let (known, negative) = (&mut self.known[CONTEXTS + alike], &mut self.negative[alike]);
        let size = if alike == 1 { known.size + (known.count >> 1) } else { known.size };
        let k = known.parameter(size);
        let limit = coding.limit - RUNS[self.run] - 1;
        let code = self.bits.golomb(k, limit.saturating_sub(coding.wide + 1), coding.wide)?;
        coding.check(code)?;
        let doubled = code + alike as i32;
        let odd = doubled & 1;
        let amount = (doubled + odd) / 2;
        let below = (k != 0 || 2 * *negative >= known.count) == (odd == 1);
        let difference = if below { -amount } else { amount };
        *negative += i32::from(difference < 0);
        known.size = known.size.saturating_add((code + 1 - alike as i32) >> 1);
        if known.count >= coding.reset {
            (known.size, known.count, *negative) = (known.size >> 1, known.count >> 1, *negative >> 1);
        }
        known.count += 1;
        let (predicted, sign) = if alike == 1 { (a, 1) } else { (b, if a > b { -1 } else { 1 }) };
        Ok(coding.correct(predicted, sign * difference))
    }
}

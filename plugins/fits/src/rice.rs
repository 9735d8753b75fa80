//! `RICE_1`: differences of neighbours in blocks, each with as many fixed bits as suit it (Rice, Yeh and Miller 1993; as in
//! the library CFITSIO).

use tiled_plugin_api::prelude::{Error, Result};

/// How a pixel of so many bytes is coded: bits of the block's parameter, its largest value, bits of a pixel.
struct Size {
    parameter_bits: u32,
    largest: u32,
    pixel_bits: u32,
}

/// At most so many pixels are in so many bytes, in blocks of `block` pixels.
pub fn most_pixels(bytes: u64, block: u64, size: u64) -> u64 {
    let parameter_bits = if size == 1 { 3 } else { size + 2 };
    (bytes.saturating_mul(8) / parameter_bits + 1).saturating_mul(block)
}

/// Pixels of `size` bytes (1, 2, 4), as unsigned words.
///
/// # Errors
/// `InvalidData` where the bytes end too early.
pub fn decode(bytes: &[u8], size: u64, block: usize, out: &mut [u32]) -> Result<()> {
    let size = match size {
        1 => Size { parameter_bits: 3, largest: 6, pixel_bits: 8 },
        2 => Size { parameter_bits: 4, largest: 14, pixel_bits: 16 },
        4 => Size { parameter_bits: 5, largest: 25, pixel_bits: 32 },
        other => {
            return Err(Error::unsupported_format(format!(
                "pixels of {other} bytes are not those of RICE_1"
            )));
        }
    };
    let mask = u32::MAX >> (32 - size.pixel_bits);
    let mut bits = Bits { bytes, word: 0, count: 0 };
    let mut last = bits.take(size.pixel_bits)?;
    for pixels in out.chunks_mut(block.max(1)) {
        let parameter = bits.take(size.parameter_bits)?;
        if parameter == 0 {
            pixels.fill(last);
            continue;
        }
        let fixed = parameter - 1;
        for pixel in pixels {
            let difference = if fixed == size.largest {
                bits.take(size.pixel_bits)?
            } else {
                let many = bits.zeros()?;
                let low = bits.take(fixed)?;
                many.checked_shl(fixed).unwrap_or(0) | low
            };
            // Odd numbers stand for negative differences.
            let difference = if difference & 1 == 0 { difference >> 1 } else { !(difference >> 1) };
            last = last.wrapping_add(difference) & mask;
            *pixel = last;
        }
    }
    Ok(())
}

/// Bits, the highest of a byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    /// Its lowest `count` bits are those to come.
    word: u64,
    count: u32,
}

impl Bits<'_> {
    fn refill(&mut self) {
        while self.count <= 56 {
            let Some((byte, rest)) = self.bytes.split_first() else { return };
            (self.word, self.count, self.bytes) = (self.word << 8 | u64::from(*byte), self.count + 8, rest);
        }
    }

    fn take(&mut self, bits: u32) -> Result<u32> {
        if self.count < bits {
            self.refill();
            if self.count < bits {
                return Err(Error::invalid_data("the compressed pixels end too early"));
            }
        }
        self.count -= bits;
        Ok((self.word >> self.count & ((1 << bits) - 1)) as u32)
    }

    /// How many zeros come before the next one, which is taken, too.
    fn zeros(&mut self) -> Result<u32> {
        let mut zeros = 0;
        loop {
            if self.count == 0 {
                self.refill();
                if self.count == 0 {
                    return Err(Error::invalid_data("the compressed pixels end too early"));
                }
            }
            let left = self.word << (64 - self.count);
            let run = left.leading_zeros().min(self.count);
            zeros += run;
            self.count -= run;
            if self.count > 0 {
                self.count -= 1;
                return Ok(zeros);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_all_kinds_are_decoded() {
        // First pixel 5, a block of the same, then one with parameter 1 (no fixed bits): differences 0, -1, 1.
        let bits = "00000101".to_owned() + "000" + "001" + "1" + "01" + "001" + "0000";
        let bytes: Vec<u8> = bits
            .as_bytes()
            .chunks(8)
            .map(|b| b.iter().fold(0, |byte, bit| byte << 1 | (bit - b'0')) << (8 - b.len()))
            .collect();
        let mut out = [0; 5];
        decode(&bytes, 1, 2, &mut out[..4]).unwrap();
        assert_eq!(out, [5, 5, 5, 4, 0]);
        for cut in 0..2 {
            assert!(decode(&bytes[..cut], 1, 2, &mut out).is_err());
        }
    }
}

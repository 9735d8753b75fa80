//! Bits of entropy-coded data: stuffed zeros are dropped, markers end the data.

use super::{Outcome, damaged};

/// Reads bits, most significant first.
pub struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    kept: u64,
    have: u32,
    /// Zeros that were added behind the end of the data.
    added: u32,
}

impl<'a> Bits<'a> {
    /// Bits from `at` on.
    pub fn new(bytes: &'a [u8], at: usize) -> Self {
        Bits { bytes, at, kept: 0, have: 0, added: 0 }
    }

    /// At least 32 bits; zeros where a marker or the end came before.
    #[inline]
    fn fill(&mut self) {
        if let Some(next) =
            self.bytes.get(self.at..self.at + 4).and_then(|next| <[u8; 4]>::try_from(next).ok())
        {
            // No byte is 0xff: all four are data.
            let word = u32::from_be_bytes(next);
            if (!word).wrapping_sub(0x0101_0101) & word & 0x8080_8080 == 0 {
                self.kept = (self.kept << 32) | u64::from(word);
                self.have += 32;
                self.at += 4;
                return;
            }
        }
        while self.have < 32 {
            let byte = match (self.bytes.get(self.at), self.bytes.get(self.at + 1)) {
                (Some(0xff), Some(0)) => {
                    self.at += 2;
                    0xff
                }
                (Some(0xff), Some(0xff)) => {
                    self.at += 1;
                    continue;
                }
                (Some(0xff), _) | (None, _) => {
                    self.added += 8;
                    0
                }
                (Some(byte), _) => {
                    self.at += 1;
                    *byte
                }
            };
            self.kept = (self.kept << 8) | u64::from(byte);
            self.have += 8;
        }
    }

    /// The next 16 bits, without taking them.
    #[inline]
    pub fn peek16(&mut self) -> u32 {
        if self.have < 32 {
            self.fill();
        }
        ((self.kept >> (self.have - 16)) & 0xffff) as u32
    }

    /// Takes bits that were looked at.
    #[inline]
    pub fn skip(&mut self, count: u32) {
        self.have -= count.min(self.have);
    }

    /// Takes up to 16 bits.
    #[inline]
    pub fn take(&mut self, count: u32) -> u32 {
        if count == 0 {
            return 0;
        }
        let bits = self.peek16() >> (16 - count);
        self.skip(count);
        bits
    }

    /// Takes a value of `size` bits as JPEG codes signed numbers.
    #[inline]
    pub fn signed(&mut self, size: u32) -> i32 {
        if size == 0 {
            return 0;
        }
        let value = self.take(size) as i32;
        if value < 1 << (size - 1) { value - (1 << size) + 1 } else { value }
    }

    /// Refuses data that ended before all was decoded.
    ///
    /// # Errors
    /// `Damaged`.
    #[inline]
    pub fn check(&self) -> Outcome<()> {
        if self.added > self.have { damaged("the data end early") } else { Ok(()) }
    }

    /// Goes behind the next restart marker.
    ///
    /// # Errors
    /// `Damaged` when there is none.
    pub fn restart(&mut self) -> Outcome<()> {
        let mut at = self.end();
        while let (Some(first), Some(second)) = (self.bytes.get(at), self.bytes.get(at + 1)) {
            match (first, second) {
                (0xff, 0xd0..=0xd7) => {
                    *self = Bits::new(self.bytes, at + 2);
                    return Ok(());
                }
                (0xff, 0 | 0xff) => at += 1,
                (0xff, _) => break,
                _ => at += 1,
            }
        }
        damaged("a restart marker is missing")
    }

    /// Where the data that were not taken begin; bytes read ahead count as taken when they hold taken bits.
    pub fn end(&self) -> usize {
        let mut ahead = (self.have.saturating_sub(self.added) / 8) as usize;
        let mut at = self.at;
        while ahead > 0 && at > 0 {
            at -= 1;
            if self.bytes.get(at) == Some(&0) && at > 0 && self.bytes.get(at - 1) == Some(&0xff) {
                at -= 1;
            }
            ahead -= 1;
        }
        at
    }
}

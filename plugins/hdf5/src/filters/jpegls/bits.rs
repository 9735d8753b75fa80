//! The bits of a scan: most significant first, a zero bit stuffed behind each byte of ones.

use tiled_plugin_api::author::Result;

use super::{super::truncated, damaged};

pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    word: u32,
    left: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Bits { bytes, at: 0, word: 0, left: 0 }
    }

    /// Bytes up to the marker that ends the scan.
    pub(super) fn taken(&self) -> usize {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let marker = rest.windows(2).position(|pair| pair[0] == 0xff && pair[1] > 0x7f);
        self.at + marker.unwrap_or(rest.len())
    }

    pub(super) fn bit(&mut self) -> Result<bool> {
        if self.left == 0 {
            let stuffed = self.at > 0 && self.bytes.get(self.at - 1) == Some(&0xff);
            let byte = *self.bytes.get(self.at).ok_or_else(truncated)?;
            if stuffed && byte > 0x7f {
                return Err(damaged("a scan ends too early"));
            }
            self.at += 1;
            (self.word, self.left) = (byte.into(), if stuffed { 7 } else { 8 });
        }
        self.left -= 1;
        Ok(self.word >> self.left & 1 == 1)
    }

    pub(super) fn take(&mut self, n: u32) -> Result<i32> {
        let mut value = 0;
        for _ in 0..n {
            value = value << 1 | i32::from(self.bit()?);
        }
        Ok(value)
    }

    /// A Golomb code with parameter `k`; after `limit` zeros a number of `wide` bits.
    pub(super) fn golomb(&mut self, k: u32, limit: u32, wide: u32) -> Result<i32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > limit {
                return Err(damaged("a code is too long"));
            }
        }
        if zeros < limit {
            Ok(((zeros << k).cast_signed()) + self.take(k)?)
        } else {
            Ok(self.take(wide)? + 1)
        }
    }
}

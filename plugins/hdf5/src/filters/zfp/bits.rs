//! A stream of bits, the least significant of each byte first.

/// Reads bits; behind the end there are zeros, and [`Bits::is_over`] tells.
pub(super) struct Bits<'a> {
    rest: &'a [u8],
    word: u64,
    left: u32,
    over: bool,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Bits { rest: bytes, word: 0, left: 0, over: false }
    }

    /// Whether more bits were taken than there are.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    fn fill(&mut self) {
        if let Some((word, rest)) = self.rest.split_first_chunk::<8>() {
            (self.word, self.left, self.rest) = (u64::from_le_bytes(*word), 64, rest);
            return;
        }
        self.over |= self.rest.is_empty();
        self.word = self.rest.iter().rev().fold(0, |word, byte| (word << 8) | u64::from(*byte));
        self.left = if self.rest.is_empty() { 64 } else { 8 * self.rest.len() as u32 };
        self.rest = &[];
    }

    /// The next bit.
    pub(super) fn bit(&mut self) -> bool {
        if self.left == 0 {
            self.fill();
        }
        let bit = self.word & 1 == 1;
        self.word >>= 1;
        self.left -= 1;
        bit
    }

    /// The next `n` bits, at most 64, the first one as the least significant.
    pub(super) fn take(&mut self, n: u32) -> u64 {
        let (mut value, mut got) = (0, 0);
        while got < n {
            if self.left == 0 {
                self.fill();
            }
            let now = self.left.min(n - got);
            let mask = u64::MAX >> (64 - now);
            value |= (self.word & mask) << got;
            self.word = self.word.checked_shr(now).unwrap_or(0);
            self.left -= now;
            got += now;
        }
        value
    }

    /// Leaves out `n` bits.
    pub(super) fn skip(&mut self, mut n: u32) {
        while n > 0 && !self.over {
            let now = n.min(64);
            self.take(now);
            n -= now;
        }
    }
}

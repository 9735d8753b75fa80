//! Huffman tables.

use super::{Outcome, bits::Bits, damaged};

const FAST_BITS: u32 = 9;

/// A table to decode with.
#[derive(Clone)]
pub struct Table {
    /// For the next `FAST_BITS` bits: length of the code and its value; length 0 for longer codes.
    fast: Box<[(u8, u8); 1 << FAST_BITS]>,
    /// For each length, the first 16-bit pattern above its codes, and what to add to a code for its value's place.
    limits: [(u32, i32); 17],
    values: Vec<u8>,
}

impl Table {
    /// A table of `counts[i]` codes of length `i + 1`.
    ///
    /// # Errors
    /// `Damaged` when they are no prefix code.
    pub fn new(counts: &[u8; 16], values: &[u8]) -> Outcome<Self> {
        let mut table =
            Table { fast: Box::new([(0, 0); 1 << FAST_BITS]), limits: [(0, 0); 17], values: values.to_vec() };
        let (mut code, mut place) = (0u32, 0usize);
        for (length, count) in (1u32..).zip(counts) {
            let count = u32::from(*count);
            if code + count > 1 << length {
                return damaged("a Huffman table has too many codes");
            }
            if let Some(limit) = table.limits.get_mut(length as usize) {
                *limit = ((code + count) << (16 - length), place as i32 - code as i32);
            }
            for _ in 0..count {
                let value = table.values.get(place).copied().unwrap_or(0);
                if length <= FAST_BITS {
                    let from = (code << (FAST_BITS - length)) as usize;
                    let to = ((code + 1) << (FAST_BITS - length)) as usize;
                    for entry in table.fast.get_mut(from..to).unwrap_or_default() {
                        *entry = (length as u8, value);
                    }
                }
                code += 1;
                place += 1;
            }
            code <<= 1;
        }
        Ok(table)
    }

    /// Takes a code and gives its value.
    ///
    /// # Errors
    /// `Damaged` when there is no such code.
    #[inline]
    pub fn decode(&self, bits: &mut Bits<'_>) -> Outcome<u8> {
        let next = bits.peek16();
        let (length, value) = self.fast[((next >> (16 - FAST_BITS)) & ((1 << FAST_BITS) - 1)) as usize];
        if length > 0 {
            bits.skip(u32::from(length));
            return Ok(value);
        }
        for length in FAST_BITS + 1..=16 {
            let (limit, offset) = self.limits[length as usize];
            if next < limit {
                bits.skip(length);
                let place = (next >> (16 - length)) as i32 + offset;
                return match usize::try_from(place).ok().and_then(|place| self.values.get(place)) {
                    Some(value) => Ok(*value),
                    None => damaged("a Huffman code leads nowhere"),
                };
            }
        }
        damaged("there is a Huffman code that the table does not have")
    }
}

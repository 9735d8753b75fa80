//! One codec between the bytes of the elements and the file.

use super::{
    Outcome,
    checksum::{self, Checksum},
    compress::Compressor,
    effort::Effort,
    exactly,
    filter::{self, Number},
};

/// One codec.
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    /// A compressor.
    Compress(Compressor, Effort),
    /// Bytes with their checksum.
    Check(Checksum, bool),
    /// First bytes of all elements, then second ones, …; the length of an element.
    Shuffle(usize),
    /// Differences.
    Delta { element: Number, stored: Number },
    /// `stored / scale + offset`.
    Scale { element: Number, stored: Number, scale: f64, offset: f64 },
    /// Another number type.
    Cast { element: Number, stored: Number },
    /// One bit a boolean.
    PackBits,
    /// Changes values when encoding, nothing when decoding.
    Same,
}

impl Stage {
    /// Bytes behind this codec for `len` before it; `None` where that depends on the values.
    pub fn encoded_len(&self, len: usize) -> Option<usize> {
        match self {
            Stage::Compress(..) => None,
            Stage::Check(..) => len.checked_add(checksum::LEN),
            Stage::Shuffle(_) | Stage::Same => Some(len),
            Stage::Delta { element, stored }
            | Stage::Scale { element, stored, .. }
            | Stage::Cast { element, stored } => (len / element.size()).checked_mul(stored.size()),
            Stage::PackBits => Some(len.div_ceil(8) + 1),
        }
    }

    /// Bytes before this codec for `len` behind it.
    fn decoded_len(&self, len: usize) -> Option<usize> {
        match self {
            Stage::Compress(..) | Stage::PackBits => None,
            Stage::Check(..) => len.checked_sub(checksum::LEN),
            Stage::Shuffle(_) | Stage::Same => Some(len),
            Stage::Delta { element, stored }
            | Stage::Scale { element, stored, .. }
            | Stage::Cast { element, stored } => (len / stored.size()).checked_mul(element.size()),
        }
    }

    /// Decodes into `out`, which must be filled exactly.
    ///
    /// # Errors
    /// When the bytes are damaged or decode to another length.
    pub fn decode_into(&self, bytes: &[u8], out: &mut [u8]) -> Outcome<()> {
        match self {
            Stage::Compress(compressor, _) => compressor.decode_into(bytes, out),
            Stage::Check(kind, at_end) => exactly(checksum::check(bytes, *kind, *at_end)?, out),
            Stage::Shuffle(size) => filter::undo_shuffle(bytes, *size, out),
            Stage::Delta { element, stored } => filter::undo_delta(bytes, *stored, out, *element),
            Stage::Scale { element, stored, scale, offset } => {
                filter::undo_scale(bytes, *stored, out, *element, *scale, *offset)
            }
            Stage::Cast { element, stored } => filter::undo_cast(bytes, *stored, out, *element),
            Stage::PackBits => filter::undo_packbits(bytes, out),
            Stage::Same => exactly(bytes, out),
        }
    }

    /// Decodes all, at most `limit` bytes.
    ///
    /// # Errors
    /// When the bytes are damaged or decode to more.
    pub fn decode_unknown(&self, bytes: &[u8], limit: usize) -> Outcome<Vec<u8>> {
        if let Stage::Compress(compressor, _) = self {
            return compressor.decode_unknown(bytes, limit);
        }
        let len = self.decoded_len(bytes.len()).filter(|len| *len <= limit);
        let mut out = vec![0; len.ok_or("its length cannot be known")?];
        self.decode_into(bytes, &mut out)?;
        Ok(out)
    }
}

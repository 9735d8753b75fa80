//! The bytes of a compressed tile as its values: big endian, as many bytes each as the image has.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use tiled_plugin_api::prelude::{Error, Result};

use crate::{plio, rice};

/// How tiles are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// `RICE_1` with pixels of so many bytes in blocks of so many pixels.
    Rice { size: u64, block: u64 },
    /// `GZIP_1`.
    Gzip,
    /// `GZIP_2`: the first bytes of all values, then the second ones.
    Shuffled,
    /// `PLIO_1`.
    Plio,
    /// `NOCOMPRESS`.
    Plain,
}

/// Values of a tile.
pub enum Values {
    /// Whole numbers, from words whose lowest `size` bytes count.
    Words(Vec<u32>, u64),
    /// Values of so many bytes each, big endian.
    Bytes(Vec<u8>, u64),
}

impl Codec {
    /// Whether so many bytes may hold a tile of so many pixels: a forged size must not take memory.
    pub fn may_hold(self, bytes: u64, pixels: u64) -> bool {
        let most = match self {
            Codec::Rice { size, block } => rice::most_pixels(bytes, block, size),
            Codec::Gzip | Codec::Shuffled => bytes.saturating_mul(1032),
            // Runs of up to 4095 zeros in two bytes, and all that follows the last.
            Codec::Plio => u64::MAX,
            Codec::Plain => bytes,
        };
        pixels <= most
    }

    /// Decodes a tile of `pixels`.
    ///
    /// # Errors
    /// `InvalidData` where it is damaged.
    pub fn decode(self, bytes: &[u8], pixels: usize) -> Result<Values> {
        match self {
            Codec::Rice { size, block } => {
                let mut words = vec![0; pixels];
                let block = usize::try_from(block).unwrap_or(usize::MAX);
                rice::decode(bytes, size, block, &mut words)?;
                Ok(Values::Words(words, size))
            }
            Codec::Plio => {
                let mut words = vec![0; pixels];
                plio::decode(bytes, &mut words)?;
                Ok(Values::Words(words, 4))
            }
            Codec::Gzip => sized(inflate(bytes, pixels)?, pixels),
            Codec::Shuffled => match sized(inflate(bytes, pixels)?, pixels)? {
                Values::Bytes(bytes, size) => Ok(Values::Bytes(unshuffle(&bytes, size as usize), size)),
                words => Ok(words),
            },
            Codec::Plain => sized(bytes.to_vec(), pixels),
        }
    }
}

fn inflate(bytes: &[u8], pixels: usize) -> Result<Vec<u8>> {
    let (mut out, most) = (Vec::new(), pixels.saturating_mul(8) as u64 + 1);
    let read = MultiGzDecoder::new(bytes).take(most).read_to_end(&mut out);
    read.map_err(|e| Error::invalid_data(format!("the compressed pixels are damaged: {e}")))?;
    Ok(out)
}

/// What a value's size is tells the length.
fn sized(bytes: Vec<u8>, pixels: usize) -> Result<Values> {
    let size = [1, 2, 4, 8].into_iter().find(|size| pixels.checked_mul(*size) == Some(bytes.len()));
    match size {
        Some(size) => Ok(Values::Bytes(bytes, size as u64)),
        None => Err(Error::invalid_data(format!("{} bytes are no tile of {pixels} pixels", bytes.len()))),
    }
}

fn unshuffle(bytes: &[u8], size: usize) -> Vec<u8> {
    let count = bytes.len() / size.max(1);
    let mut out = vec![0; bytes.len()];
    for (which, plane) in bytes.chunks_exact(count.max(1)).enumerate() {
        for (value, byte) in out.chunks_exact_mut(size).zip(plane) {
            if let Some(place) = value.get_mut(which) {
                *place = *byte;
            }
        }
    }
    out
}

/// The lowest `size` (1, 2, 4) bytes of each word, big endian.
fn low_bytes(words: &[u32], size: u64) -> Vec<u8> {
    match size {
        1 => words.iter().map(|word| *word as u8).collect(),
        2 => words.iter().flat_map(|word| (*word as u16).to_be_bytes()).collect(),
        _ => words.iter().flat_map(|word| word.to_be_bytes()).collect(),
    }
}

impl Values {
    /// The values as signed whole numbers (unsigned where they have one byte).
    pub fn numbers(&self) -> Box<dyn Iterator<Item = i64> + '_> {
        match self {
            Values::Words(words, 1) => Box::new(words.iter().map(|word| i64::from(*word as u8))),
            Values::Words(words, 2) => Box::new(words.iter().map(|word| i64::from(*word as u16 as i16))),
            Values::Words(words, _) => Box::new(words.iter().map(|word| i64::from(word.cast_signed()))),
            Values::Bytes(bytes, 1) => Box::new(bytes.iter().map(|byte| i64::from(*byte))),
            Values::Bytes(bytes, 2) => {
                Box::new(bytes.as_chunks::<2>().0.iter().map(|b| i64::from(i16::from_be_bytes(*b))))
            }
            Values::Bytes(bytes, 4) => {
                Box::new(bytes.as_chunks::<4>().0.iter().map(|b| i64::from(i32::from_be_bytes(*b))))
            }
            Values::Bytes(bytes, _) => {
                Box::new(bytes.as_chunks::<8>().0.iter().map(|b| i64::from_be_bytes(*b)))
            }
        }
    }

    /// The values of an image of whole numbers of `size` bytes, big endian.
    ///
    /// # Errors
    /// `InvalidData` where a value does not fit.
    pub fn into_bytes(self, size: u64) -> Result<Vec<u8>> {
        let this = match self {
            Values::Bytes(bytes, own) if own == size => return Ok(bytes),
            Values::Words(words, own) if own == size => return Ok(low_bytes(&words, size)),
            other => other,
        };
        let count = match &this {
            Values::Words(words, _) => words.len(),
            Values::Bytes(bytes, own) => bytes.len() / *own as usize,
        };
        let size = size as usize;
        let mut out = vec![0; count * size];
        for (place, number) in out.chunks_exact_mut(size).zip(this.numbers()) {
            let bytes = number.to_be_bytes();
            let (high, low) = bytes.split_at(8 - size);
            let sign = if size > 1 && number < 0 { 0xff } else { 0 };
            if high.iter().any(|byte| *byte != sign) {
                return Err(Error::invalid_data(format!("the value {number} has no place in {size} bytes")));
            }
            place.copy_from_slice(low);
        }
        Ok(out)
    }
}

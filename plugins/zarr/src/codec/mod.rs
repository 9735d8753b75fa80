//! How the bytes of a chunk become elements.
//!
//! A [`Chain`] is Zarr's list of codecs in our order: the axes as they are stored, what the decoded bytes are
//! ([`Body`]), and the [`Stage`]s between those bytes and the file.

mod blosc;
mod checksum;
mod compress;
mod effort;
mod encode;
mod filter;
mod pack;
mod parse;
mod stage;

pub use encode::strides;
pub use parse::{parse_v2, parse_v3};
pub use stage::Stage;

use crate::scratch::Scratch;

/// Why bytes cannot be decoded: for a message that names the chunk.
pub type Outcome<T> = Result<T, String>;

/// A list of codecs.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// Axis `i` as stored is axis `axes[i]` of the array.
    pub axes: Vec<usize>,
    /// What the decoded bytes are.
    pub body: Body,
    /// From the elements to the file; decoding runs backwards.
    pub stages: Vec<Stage>,
}

/// What the decoded bytes of a chunk are.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// Elements one after the other.
    Raw {
        /// Numbers have their most significant byte first.
        big: bool,
    },
    /// Texts or bytes of any length.
    Variable,
    /// Smaller chunks and an index of them.
    Shards(Box<Shards>),
}

/// The configuration of `sharding_indexed`.
#[derive(Debug, Clone, PartialEq)]
pub struct Shards {
    /// Shape of the inner chunks.
    pub chunk_shape: Vec<u64>,
    /// Their codecs.
    pub chain: Chain,
    /// Codecs of the index.
    pub index: Chain,
    /// The index stands at the end, not at the start.
    pub index_at_end: bool,
}

/// Results of unknown length may be this long.
const MAX_UNKNOWN_BYTES: usize = 1 << 30;

impl Chain {
    /// Shape of what can be read without its neighbours, of chunks of this shape: zarr-python calls the inner chunks
    /// of shards so, where sharding is the only codec.
    pub fn readable<'a>(&'a self, chunk_shape: &'a [u64]) -> &'a [u64] {
        match &self.body {
            Body::Shards(shards) if self.axes.is_sorted() && self.stages.is_empty() => &shards.chunk_shape,
            _ => chunk_shape,
        }
    }

    /// Bytes in the file for `decoded` bytes of elements; `None` where that depends on the values.
    pub fn encoded_len(&self, decoded: usize) -> Option<usize> {
        self.stages.iter().try_fold(decoded, |len, stage| stage.encoded_len(len))
    }

    /// Decodes `encoded` into `out`, which has exactly the length of the elements.
    ///
    /// # Errors
    /// When the bytes are damaged or of another length.
    pub fn decode_into(&self, encoded: &[u8], out: &mut [u8]) -> Outcome<()> {
        let Some((first, rest)) = self.stages.split_first() else {
            return exactly(encoded, out);
        };
        let mut lens = vec![Some(out.len())];
        for stage in &self.stages {
            lens.push(lens.last().copied().flatten().and_then(|len| stage.encoded_len(len)));
        }
        if let Some(len) = lens.last().copied().flatten().filter(|len| *len != encoded.len()) {
            return Err(format!("{} bytes instead of {len}", encoded.len()));
        }
        let mut current: Option<Scratch> = None;
        for (at, stage) in rest.iter().enumerate().rev() {
            let input = current.as_deref().unwrap_or(encoded);
            let limit = out.len().saturating_mul(2).saturating_add(1 << 20);
            let next = match lens.get(at + 1).copied().flatten() {
                Some(len) => {
                    let mut next = Scratch::of(len);
                    stage.decode_into(input, &mut next)?;
                    next
                }
                None => Scratch::from(stage.decode_unknown(input, limit)?),
            };
            current = Some(next);
        }
        first.decode_into(current.as_deref().unwrap_or(encoded), out)
    }

    /// Decodes bytes of which the length is not known before.
    ///
    /// # Errors
    /// When they are damaged, or decode to more than 1 GiB.
    pub fn decode_unknown(&self, encoded: Vec<u8>) -> Outcome<Vec<u8>> {
        self.stages
            .iter()
            .rev()
            .try_fold(encoded, |bytes, stage| stage.decode_unknown(&bytes, MAX_UNKNOWN_BYTES))
    }
}

/// Copies bytes that must be as many.
fn exactly(bytes: &[u8], out: &mut [u8]) -> Outcome<()> {
    if bytes.len() != out.len() {
        return Err(format!("{} bytes instead of {}", bytes.len(), out.len()));
    }
    out.copy_from_slice(bytes);
    Ok(())
}

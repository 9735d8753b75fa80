//! Codecs the other way: from the elements of a chunk to the bytes of its file.

use tiled_plugin_api::{
    author::{Error, Result},
    layout::strided,
};

use super::{Body, Chain, Outcome, Shards, Stage, checksum::Checksum, filter};
use crate::{
    parts::{Span, combine, outside, split},
    scratch::Scratch,
};

/// The bytes of a file.
pub enum Packed<'a> {
    /// The elements as they are.
    AsTheyAre(&'a [u8]),
    /// Encoded.
    Encoded(Scratch),
}

impl std::ops::Deref for Packed<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Packed::AsTheyAre(bytes) => bytes,
            Packed::Encoded(bytes) => bytes,
        }
    }
}

/// Distances of two elements along each axis of an array of `shape` that lies there with its axes in the order `axes`.
/// They are in bytes.
///
/// # Errors
/// `Internal` for a list of axes that is none of this shape; `InvalidData` when there are too many bytes.
pub fn strides(shape: &[u64], axes: &[usize], item: usize) -> Result<Vec<isize>> {
    let mut strides = vec![0; shape.len()];
    let mut stride = item as isize;
    for axis in axes.iter().rev() {
        let (to, length) = strides.get_mut(*axis).zip(shape.get(*axis)).ok_or_else(outside)?;
        *to = stride;
        let length = isize::try_from(*length).ok();
        stride = length
            .and_then(|length| stride.checked_mul(length))
            .ok_or_else(|| Error::invalid_data("the chunk shape is larger than any memory"))?;
    }
    Ok(strides)
}

impl Stage {
    /// Encodes bytes.
    ///
    /// # Errors
    /// When the codec does not take them.
    fn encode(&self, bytes: &[u8]) -> Outcome<Scratch> {
        let mut out = match self {
            Stage::Compress(compressor, effort) => return compressor.encode(bytes, effort),
            other => Scratch::of(other.encoded_len(bytes.len()).ok_or("more bytes than any memory holds")?),
        };
        match self {
            Stage::Check(kind, at_end) => protect(bytes, *kind, *at_end, &mut out),
            Stage::Shuffle(size) => filter::shuffle(bytes, *size, &mut out)?,
            Stage::Delta { element, stored } => filter::delta(bytes, *element, &mut out, *stored)?,
            Stage::PackBits => filter::packbits(bytes, &mut out),
            Stage::Compress(..) | Stage::Scale { .. } | Stage::Cast { .. } | Stage::Same => {
                return Err("this codec is only decoded".into());
            }
        }
        Ok(out)
    }

    fn is_writable(&self) -> bool {
        // The others lose something: what would be read back is not what was written.
        !matches!(self, Stage::Scale { .. } | Stage::Cast { .. } | Stage::Same)
    }
}

fn protect(bytes: &[u8], kind: Checksum, at_end: bool, out: &mut [u8]) {
    let sum = kind.of(bytes);
    let (first, second): (&[u8], &[u8]) = if at_end { (bytes, &sum) } else { (&sum, bytes) };
    let (head, tail) = out.split_at_mut(first.len());
    head.copy_from_slice(first);
    tail.copy_from_slice(second);
}

impl Chain {
    /// Whether values can be written with these codecs, so that the same are read.
    pub fn is_writable(&self) -> bool {
        let body = match &self.body {
            Body::Raw { .. } => true,
            Body::Variable => false,
            Body::Shards(shards) => shards.chain.is_writable() && shards.index.is_writable(),
        };
        body && self.stages.iter().all(Stage::is_writable)
    }

    /// Whether numbers are stored with their most significant byte first.
    pub fn is_big(&self) -> bool {
        match &self.body {
            Body::Raw { big } => *big,
            Body::Variable => false,
            Body::Shards(shards) => shards.chain.is_big(),
        }
    }

    /// Encodes a chunk of `shape`. Its `values` lie there in the order of `self.axes`, in the stored byte order, as does
    /// `fill`, one element.
    ///
    /// # Errors
    /// `InvalidData` when a codec does not take them.
    pub fn encode<'a>(&self, shape: &[u64], values: &'a [u8], fill: &[u8]) -> Result<Packed<'a>> {
        let mut packed = match &self.body {
            Body::Shards(shards) => Packed::Encoded(encode_shard(self, shards, shape, values, fill)?),
            Body::Raw { .. } | Body::Variable => Packed::AsTheyAre(values),
        };
        for stage in &self.stages {
            packed = Packed::Encoded(stage.encode(&packed).map_err(Error::invalid_data)?);
        }
        Ok(packed)
    }
}

/// All inner chunks, and the index of them. Those that are all fill value are left out.
fn encode_shard(
    chain: &Chain,
    shards: &Shards,
    shape: &[u64],
    values: &[u8],
    fill: &[u8],
) -> Result<Scratch> {
    let item = fill.len();
    let stored: Option<Vec<u64>> = chain.axes.iter().map(|axis| shape.get(*axis).copied()).collect();
    let stored = stored.ok_or_else(outside)?;
    let from = strides(&stored, &(0..stored.len()).collect::<Vec<_>>(), item)?;
    let inner = &shards.chunk_shape;
    let to = strides(inner, &shards.chain.axes, item)?;
    let len = inner.iter().try_fold(item, |all, n| all.checked_mul(usize::try_from(*n).ok()?));
    let mut chunk = Scratch::of(len.ok_or_else(outside)?);
    let mut parts = Vec::new();
    for ((length, by), step) in stored.iter().zip(inner).zip(&from) {
        if length % by != 0 {
            return Err(Error::invalid_data("the inner chunks do not divide the shards"));
        }
        parts.push(split(Span { start: 0, step: 1, count: *length, to: *step }, *by));
    }
    let counts: usize = parts.iter().map(Vec::len).product();
    let index_len = shards.index.encoded_len(counts.saturating_mul(16)).ok_or_else(outside)?;
    let start = if shards.index_at_end { 0 } else { index_len };
    let (mut file, mut index) = (vec![0; start], Vec::with_capacity(counts.saturating_mul(16)));
    let big = shards.index.is_big();
    let mut note = |at: u64, len: u64| {
        for word in [at, len] {
            index.extend_from_slice(&if big { word.to_be_bytes() } else { word.to_le_bytes() });
        }
    };
    combine(&parts, |parts| {
        let axes: Vec<strided::Axis> = (parts.iter().zip(&from).zip(&to))
            .map(|((part, from), to)| strided::Axis { count: part.span.count as usize, from: *from, to: *to })
            .collect();
        let at = crate::parts::place(0, parts)?;
        if !strided::copy(values, at, &mut chunk, 0, &axes, item) {
            return Err(outside());
        }
        if chunk.chunks_exact(item.max(1)).all(|element| element == fill) {
            note(u64::MAX, u64::MAX);
            return Ok(());
        }
        let packed = shards.chain.encode(inner, &chunk, fill)?;
        note(file.len() as u64, packed.len() as u64);
        file.extend_from_slice(&packed);
        Ok(())
    })?;
    let mut index = Scratch::from(index);
    for stage in &shards.index.stages {
        index = stage.encode(&index).map_err(Error::invalid_data)?;
    }
    match file.get_mut(..start) {
        Some(head) if !shards.index_at_end => head.copy_from_slice(&index),
        _ => file.extend_from_slice(&index),
    }
    Ok(Scratch::from(file))
}

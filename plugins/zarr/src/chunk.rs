//! Reads part of one chunk: out of its file, or out of a shard.

use std::sync::Arc;

use tiled_plugin_api::{
    author::{Context, Error, ErrorKind, Host, OwnedBuffer, Result},
    layout::{gather, strided},
};

use crate::{
    codec::{Body, Chain, Shards},
    order::{swap, swap_fields},
    parts::{Part, Span, combine, outside, place, split},
    scratch::Scratch,
    shard::Index,
    stored::{Bytes, Encoded, Memory},
};

/// What does not change from chunk to chunk.
pub struct Job<'a> {
    /// The call.
    pub cx: &'a Context,
    /// For its cache.
    pub host: &'a Host,
    /// Bytes of an element.
    pub item: usize,
    /// One element where there is no chunk, as it is served.
    pub fill: &'a [u8],
    /// Bytes of a number within an element; 0 for types without byte order.
    pub unit: usize,
    /// Numbers are served with their most significant byte first.
    pub big: bool,
    /// Numbers within a record that are served in the other byte order: places and lengths.
    pub fields: &'a [(usize, usize)],
}

/// A chunk that must be decoded as a whole for a part of it may not be larger.
pub const MAX_CHUNK_BYTES: usize = 1 << 31;
/// Chunks up to this size are kept in the host's cache when a small part of one is read.
const MAX_CACHED_BYTES: usize = 32 << 20;

impl Job<'_> {
    /// Fills the part `spans` of a chunk of `shape`; its first element goes to `out[at]`.
    ///
    /// # Errors
    /// `InvalidData` when the bytes are damaged; `Cancelled`.
    pub fn read(
        &self,
        bytes: &dyn Bytes,
        chain: &Chain,
        shape: &[u64],
        spans: &[Span],
        out: &mut [u8],
        at: usize,
    ) -> Result<()> {
        self.cx.check()?;
        let stored = |axes: &[usize]| -> Option<(Vec<u64>, Vec<Span>)> {
            axes.iter().map(|axis| Some((*shape.get(*axis)?, *spans.get(*axis)?))).collect()
        };
        let (shape, spans) = stored(&chain.axes).ok_or_else(|| Error::internal("an axis too many"))?;
        let part = PartOf { bytes, chain, shape: &shape, spans: &spans };
        match &chain.body {
            Body::Raw { big } => self.elements(&part, *big, out, at),
            Body::Shards(shards) => self.shards(&part, shards, out, at),
            Body::Variable => Err(Error::internal("texts are not read as elements")),
        }
    }

    fn elements(&self, part: &PartOf, big: bool, out: &mut [u8], at: usize) -> Result<()> {
        let len =
            part.elements().and_then(|n| n.checked_mul(self.item)).filter(|len| *len <= isize::MAX as usize);
        let len = len.ok_or_else(|| Error::invalid_data("the chunk shape is larger than any memory"))?;
        let is_swapped = (self.unit > 1 && big != self.big) || !self.fields.is_empty();
        if part.is_whole(self.item) {
            let target = out.get_mut(at..).and_then(|out| out.get_mut(..len)).ok_or_else(outside)?;
            self.decode(part, target)?;
            if is_swapped {
                self.turn(target, big);
            }
            return Ok(());
        }
        if part.chain.stages.is_empty() && !is_swapped {
            part.check_len(len)?;
            return self.gather(part, out, at);
        }
        if len > MAX_CHUNK_BYTES {
            let message = format!(
                "a part of a chunk of {len} bytes is wanted; more than {MAX_CHUNK_BYTES} are not decoded"
            );
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        let decode = |values: &mut [u8]| -> Result<()> {
            self.decode(part, values)?;
            if is_swapped {
                self.turn(values, big);
            }
            Ok(())
        };
        if part.wanted().saturating_mul(2) >= len / self.item.max(1) || len > MAX_CACHED_BYTES {
            let mut values = Scratch::of(len);
            decode(&mut values)?;
            return part.scatter(&values, self.item, out, at);
        }
        let key = format!("{} {is_swapped}", part.bytes.key()?);
        if let Some(values) = self.host.cache_get(&key).filter(|values| values.len() == len) {
            return part.scatter(&values, self.item, out, at);
        }
        let mut values = vec![0; len];
        decode(&mut values)?;
        let values = Shared(Arc::new(values));
        self.host.cache_put(&key, OwnedBuffer::from_owner(values.clone()));
        part.scatter(values.as_ref(), self.item, out, at)
    }

    /// From the stored byte order to the served one.
    fn turn(&self, values: &mut [u8], big: bool) {
        if big != self.big {
            swap(values, self.unit);
        }
        swap_fields(values, self.item, self.fields);
    }

    /// All elements of a chunk as they are stored.
    fn decode(&self, part: &PartOf, out: &mut [u8]) -> Result<()> {
        let (chain, bytes) = (part.chain, part.bytes);
        if chain.stages.is_empty() {
            part.check_len(out.len())?;
            return bytes.fill(0, out);
        }
        let encoded = Encoded::load(bytes, out.len().saturating_mul(2).saturating_add(1 << 20))?;
        chain.decode_into(&encoded, out).map_err(Error::invalid_data)
    }

    /// Reads only what is wanted of elements that are stored as they are.
    fn gather(&self, part: &PartOf, out: &mut [u8], at: usize) -> Result<()> {
        let mut stride = self.item as u64;
        let mut axes = Vec::with_capacity(part.spans.len());
        for (span, length) in part.spans.iter().zip(part.shape).rev() {
            axes.push(gather::Axis {
                start: span.start,
                step: span.step,
                count: span.count,
                stride,
                to: span.to,
            });
            stride = stride.saturating_mul(*length);
        }
        axes.reverse();
        gather::gather(self.cx, part.bytes, 0, &axes, self.item as u64, out, at)
    }

    fn shards(&self, part: &PartOf, shards: &Shards, out: &mut [u8], at: usize) -> Result<()> {
        let decoded;
        let mut bytes = part.bytes;
        if !part.chain.stages.is_empty() {
            let encoded = Encoded::load(bytes, usize::MAX)?.to_vec();
            decoded = Memory(part.chain.decode_unknown(encoded).map_err(Error::invalid_data)?, bytes.key()?);
            bytes = &decoded;
        }
        let index = Index::read(bytes, shards, part.shape)?;
        let axes: Vec<Vec<Part>> =
            part.spans.iter().zip(&shards.chunk_shape).map(|(span, length)| split(*span, *length)).collect();
        combine(&axes, |parts| {
            let spans: Vec<Span> = parts.iter().map(|part| part.span).collect();
            let at = place(at, parts)?;
            match index.of(parts, bytes)? {
                None => {
                    self.fill(&spans, out, at);
                    Ok(())
                }
                Some(inner) => {
                    self.read(&inner, &shards.chain, &shards.chunk_shape, &spans, out, at).map_err(|e| {
                        let number: Vec<u64> = parts.iter().map(|part| part.chunk).collect();
                        e.within(format_args!("inner chunk {number:?}"))
                    })
                }
            }
        })
    }

    /// Writes the fill value.
    pub fn fill(&self, spans: &[Span], out: &mut [u8], at: usize) {
        let mut spans: Vec<Span> = spans.iter().filter(|span| span.count != 1).copied().collect();
        spans.sort_by_key(|span| std::cmp::Reverse(span.to));
        self.fill_sorted(&spans, out, at);
    }

    fn fill_sorted(&self, spans: &[Span], out: &mut [u8], at: usize) {
        let mut len = self.item;
        let is_run = spans.iter().rev().all(|span| {
            let fits = span.to == len as isize;
            len = len.saturating_mul(span.count as usize);
            fits
        });
        if let Some((first, rest)) = spans.split_first().filter(|_| !is_run) {
            for i in 0..first.count {
                self.fill_sorted(rest, out, at.wrapping_add_signed(first.to.wrapping_mul(i as isize)));
            }
            return;
        }
        let Some(run) = out.get_mut(at..).and_then(|out| out.get_mut(..len)) else { return };
        match self.fill.split_first() {
            Some((byte, rest)) if rest.iter().all(|other| other == byte) => run.fill(*byte),
            _ => {
                run.chunks_exact_mut(self.item.max(1)).for_each(|element| element.copy_from_slice(self.fill))
            }
        }
    }
}

#[derive(Clone)]
struct Shared(Arc<Vec<u8>>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// A part of a chunk, its axes as they are stored.
struct PartOf<'a> {
    bytes: &'a dyn Bytes,
    chain: &'a Chain,
    shape: &'a [u64],
    spans: &'a [Span],
}

impl PartOf<'_> {
    fn elements(&self) -> Option<usize> {
        self.shape.iter().try_fold(1usize, |all, n| all.checked_mul(usize::try_from(*n).ok()?))
    }

    fn wanted(&self) -> usize {
        self.spans.iter().map(|span| span.count as usize).product()
    }

    /// Whether all is wanted, in the order in which it is stored.
    fn is_whole(&self, item: usize) -> bool {
        let mut stride = item as isize;
        self.spans.iter().zip(self.shape).rev().all(|(span, length)| {
            let fits = span.start == 0
                && span.count == *length
                && (span.count == 1 || (span.step == 1 && span.to == stride));
            stride = stride.saturating_mul(isize::try_from(*length).unwrap_or(isize::MAX));
            fits
        })
    }

    fn check_len(&self, len: usize) -> Result<()> {
        let got = self.bytes.len()?;
        if got == len as u64 {
            return Ok(());
        }
        Err(Error::invalid_data(format!("{got} bytes are stored instead of {len}")))
    }

    /// Copies what is wanted out of all elements.
    fn scatter(&self, values: &[u8], item: usize, out: &mut [u8], at: usize) -> Result<()> {
        let (mut stride, mut from_at) = (item as isize, 0usize);
        let mut axes = Vec::with_capacity(self.spans.len());
        for (span, length) in self.spans.iter().zip(self.shape).rev() {
            let from = stride.saturating_mul(span.step as isize);
            axes.push(strided::Axis { count: span.count as usize, from, to: span.to });
            from_at = from_at.saturating_add((stride as usize).saturating_mul(span.start as usize));
            stride = stride.saturating_mul(isize::try_from(*length).unwrap_or(isize::MAX));
        }
        axes.reverse();
        if strided::copy(values, from_at, out, at, &axes, item) { Ok(()) } else { Err(outside()) }
    }
}

//! Reads part of one chunk: out of its file, or out of a shard.

use std::sync::Arc;

use tiled_plugin_api::author::{Context, Error, Host, OwnedBuffer, Result, Source};

use crate::{
    codec::{Body, Chain, Shards},
    gather::{self, Linear},
    scratch::Scratch,
    strided,
};

/// The part of one axis that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First element.
    pub start: u64,
    /// Elements to the next, negative to run backwards.
    pub step: i64,
    /// Elements wanted.
    pub count: u64,
    /// Bytes from one element of the result to the next.
    pub to: isize,
}

/// The part of a [`Span`] that lies in one chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Number of the chunk along the axis.
    pub chunk: u64,
    /// Which of the span's elements is the first.
    pub first: u64,
    /// Counted from the start of the chunk.
    pub span: Span,
}

/// Cuts a span at the borders of chunks of `length`.
pub fn split(span: Span, length: u64) -> Vec<Part> {
    let (mut parts, mut first) = (Vec::new(), 0);
    let (length, step) = (length.max(1), span.step.unsigned_abs().max(1));
    while first < span.count {
        let position = span.start.wrapping_add_signed(span.step.wrapping_mul(first as i64));
        let start = position % length;
        let left = if span.step < 0 { start } else { length - 1 - start };
        let count = (left / step + 1).min(span.count - first);
        parts.push(Part { chunk: position / length, first, span: Span { start, count, ..span } });
        first += count;
    }
    parts
}

/// Calls `visit` with every combination of one part of each axis, in C order.
///
/// # Errors
/// That of `visit`, which ends it.
pub fn combine<'a>(axes: &'a [Vec<Part>], mut visit: impl FnMut(&[&'a Part]) -> Result<()>) -> Result<()> {
    let Some(mut chosen) = axes.iter().map(|axis| axis.first()).collect::<Option<Vec<_>>>() else {
        return Ok(());
    };
    let mut at = vec![0; axes.len()];
    loop {
        visit(&chosen)?;
        let mut axis = axes.len();
        loop {
            let Some(next) = axis.checked_sub(1) else { return Ok(()) };
            axis = next;
            let (Some(at), Some(parts), Some(chosen)) =
                (at.get_mut(axis), axes.get(axis), chosen.get_mut(axis))
            else {
                return Ok(());
            };
            *at = (*at + 1) % parts.len().max(1);
            if let Some(part) = parts.get(*at) {
                *chosen = part;
            }
            if *at > 0 {
                break;
            }
        }
    }
}

/// The stored bytes of a chunk.
pub trait Bytes: Linear {
    /// How many.
    ///
    /// # Errors
    /// `NotFound` when the file has gone.
    fn len(&self) -> Result<u64>;
    /// A name for the host's cache, with the version of the file.
    ///
    /// # Errors
    /// As `len`.
    fn key(&self) -> Result<String>;
    /// The bytes, where they are in memory.
    fn memory(&self) -> Option<&[u8]> {
        None
    }
}

impl Bytes for Source {
    fn len(&self) -> Result<u64> {
        (**self).len()
    }

    fn key(&self) -> Result<String> {
        Ok(format!("zarr {} {:x}", self.uri(), self.version()?))
    }
}

/// Some of the bytes of another.
struct Window<'a> {
    of: &'a dyn Bytes,
    at: u64,
    len: u64,
}

impl Linear for Window<'_> {
    fn fill(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        match offset.checked_add(out.len() as u64) {
            Some(end) if end <= self.len => self.of.fill(self.at + offset, out),
            _ => Err(Error::invalid_data("it is truncated")),
        }
    }
}

impl Bytes for Window<'_> {
    fn len(&self) -> Result<u64> {
        Ok(self.len)
    }

    fn key(&self) -> Result<String> {
        Ok(format!("{} {}", self.of.key()?, self.at))
    }

    fn memory(&self) -> Option<&[u8]> {
        self.of.memory()?.get(usize::try_from(self.at).ok()?..)?.get(..usize::try_from(self.len).ok()?)
    }
}

/// Bytes in memory, and a name for the cache.
struct Memory(Vec<u8>, String);

impl Linear for Memory {
    fn fill(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = self.0.get(start..).and_then(|rest| rest.get(..out.len()));
        out.copy_from_slice(bytes.ok_or_else(|| Error::invalid_data("it is truncated"))?);
        Ok(())
    }
}

impl Bytes for Memory {
    fn len(&self) -> Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn key(&self) -> Result<String> {
        Ok(self.1.clone())
    }

    fn memory(&self) -> Option<&[u8]> {
        Some(&self.0)
    }
}

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
}

/// A chunk that must be decoded as a whole for a part of it may not be larger.
const MAX_CHUNK_BYTES: usize = 1 << 31;
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
        let is_swapped = self.unit > 1 && big != self.big;
        if part.is_whole(self.item) {
            let target = out.get_mut(at..).and_then(|out| out.get_mut(..len)).ok_or_else(outside)?;
            self.decode(part, target)?;
            if is_swapped {
                swap(target, self.unit);
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
            return Err(Error::new(tiled_plugin_api::author::ErrorKind::TooLarge, message));
        }
        let decode = |values: &mut [u8]| -> Result<()> {
            self.decode(part, values)?;
            if is_swapped {
                swap(values, self.unit);
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

/// Where the first element of these parts goes.
///
/// # Errors
/// `Internal` when that leaves the result.
pub fn place(at: usize, parts: &[&Part]) -> Result<usize> {
    let by = |part: &Part| isize::try_from(part.first).ok()?.checked_mul(part.span.to);
    parts.iter().try_fold(at, |at, part| at.checked_add_signed(by(part)?)).ok_or_else(outside)
}

fn outside() -> Error {
    Error::internal("a chunk leaves the result")
}

fn swap(bytes: &mut [u8], unit: usize) {
    match unit {
        2 => bytes.as_chunks_mut::<2>().0.iter_mut().for_each(|b| b.reverse()),
        4 => bytes.as_chunks_mut::<4>().0.iter_mut().for_each(|b| b.reverse()),
        8 => bytes.as_chunks_mut::<8>().0.iter_mut().for_each(|b| b.reverse()),
        _ => bytes.chunks_exact_mut(unit).for_each(<[u8]>::reverse),
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

/// Encoded bytes, copied only where they are not in memory.
enum Encoded<'a> {
    Borrowed(&'a [u8]),
    Read(Scratch),
}

impl<'a> Encoded<'a> {
    fn load(bytes: &'a dyn Bytes, limit: usize) -> Result<Self> {
        if let Some(bytes) = bytes.memory() {
            return Ok(Encoded::Borrowed(bytes));
        }
        let len = usize::try_from(bytes.len()?).ok().filter(|len| *len <= limit);
        let mut read =
            Scratch::of(len.ok_or_else(|| Error::invalid_data("it is larger than its elements can be"))?);
        bytes.fill(0, &mut read)?;
        Ok(Encoded::Read(read))
    }
}

impl std::ops::Deref for Encoded<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Encoded::Borrowed(bytes) => bytes,
            Encoded::Read(bytes) => bytes,
        }
    }
}

/// All stored bytes, at most `limit`.
///
/// # Errors
/// `InvalidData` when there are more.
pub fn load(bytes: &dyn Bytes, limit: usize) -> Result<Vec<u8>> {
    Ok(Encoded::load(bytes, limit)?.to_vec())
}

/// Where the inner chunks of a shard are.
pub struct Index {
    entries: Vec<u8>,
    big: bool,
    grid: Vec<u64>,
}

impl Index {
    /// Reads the index of a shard of `shape`.
    ///
    /// # Errors
    /// `InvalidData` when the shard is too short or its index damaged.
    pub fn read(bytes: &dyn Bytes, shards: &Shards, shape: &[u64]) -> Result<Self> {
        let grid: Option<Vec<u64>> = shape
            .iter()
            .zip(&shards.chunk_shape)
            .map(|(n, c)| n.checked_rem(*c).filter(|r| *r == 0).map(|_| n / c))
            .collect();
        let grid = grid.ok_or_else(|| Error::invalid_data("the inner chunks do not divide the shards"))?;
        let len =
            grid.iter().try_fold(16u64, |all, n| all.checked_mul(*n)).and_then(|n| usize::try_from(n).ok());
        let stored =
            len.and_then(|len| shards.index.encoded_len(len)).map(|n| n as u64).filter(|n| *n <= 1 << 30);
        let total = bytes.len()?;
        let fits = stored.zip(len).and_then(|(stored, len)| Some((stored, len, total.checked_sub(stored)?)));
        let (stored, len, end) =
            fits.ok_or_else(|| Error::invalid_data("the shard is too short for its index"))?;
        let window = Window { of: bytes, at: if shards.index_at_end { end } else { 0 }, len: stored };
        let mut entries = vec![0; len];
        let encoded = Encoded::load(&window, stored as usize)?;
        let decoded = shards.index.decode_into(&encoded, &mut entries);
        decoded.map_err(|e| Error::invalid_data(format!("the index of the shard: {e}")))?;
        Ok(Index { entries, big: matches!(shards.index.body, Body::Raw { big: true }), grid })
    }

    /// The bytes of an inner chunk; `None` where it is missing.
    ///
    /// # Errors
    /// `InvalidData` when they are not in the shard.
    pub fn of<'a>(&self, parts: &[&Part], bytes: &'a dyn Bytes) -> Result<Option<impl Bytes + use<'a>>> {
        let number = parts.iter().zip(&self.grid).fold(0u64, |all, (part, n)| all * n + part.chunk);
        let entry =
            usize::try_from(number).ok().and_then(|number| self.entries.as_chunks::<16>().0.get(number));
        let entry = entry.ok_or_else(|| Error::internal("an inner chunk that is not in the index"))?;
        let word = |word: [u8; 8]| if self.big { u64::from_be_bytes(word) } else { u64::from_le_bytes(word) };
        let &[a, b, c, d, e, f, g, h, ref len @ ..] = entry;
        let (at, len) = (word([a, b, c, d, e, f, g, h]), word(*len));
        if at == u64::MAX && len == u64::MAX {
            return Ok(None);
        }
        let total = bytes.len()?;
        if at.checked_add(len).is_none_or(|end| end > total) {
            return Err(Error::invalid_data("the index of the shard leads beyond its end"));
        }
        Ok(Some(Window { of: bytes, at, len }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_cut_at_the_borders_of_chunks() {
        let check = |start, step, count, length| -> Vec<(u64, u64, u64, u64)> {
            let parts = split(Span { start, step, count, to: 1 }, length);
            parts.iter().map(|p| (p.chunk, p.first, p.span.start, p.span.count)).collect()
        };
        assert_eq!(check(2, 1, 7, 4), [(0, 0, 2, 2), (1, 2, 0, 4), (2, 6, 0, 1)]);
        assert_eq!(check(9, -3, 4, 4), [(2, 0, 1, 1), (1, 1, 2, 1), (0, 2, 3, 2)]);
        assert_eq!(check(0, 10, 3, 4), [(0, 0, 0, 1), (2, 1, 2, 1), (5, 2, 0, 1)]);
        assert_eq!(check(5, 1, 0, 4), []);
    }

    #[test]
    fn all_combinations_come_in_order() {
        let axis = |n: u64| -> Vec<Part> { split(Span { start: 0, step: 1, count: n, to: 1 }, 1) };
        let axes = [axis(2), axis(1), axis(3)];
        let mut seen = vec![];
        combine(&axes, |parts| {
            seen.push(parts.iter().map(|part| part.chunk).collect::<Vec<_>>());
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, [[0, 0, 0], [0, 0, 1], [0, 0, 2], [1, 0, 0], [1, 0, 1], [1, 0, 2]]);
        let mut calls = 0;
        combine(&[], |_| {
            calls += 1;
            Ok(())
        })
        .unwrap();
        combine(&[axis(0)], |_| panic!("nothing is there")).unwrap();
        assert_eq!(calls, 1);
    }
}

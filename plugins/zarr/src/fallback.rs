//! Arrays whose codecs or chunk grid are not ours: the crate `zarrs` reads them.
//!
//! It names the chunks and decodes them. Files are opened here, through the host's source, so that none outside of the
//! store is ever read; and where only the grid is unusual, our own codecs decode, into the answer.
//!
//! Decompressors of `zarrs` believe the length that a chunk says it has, and an allocation that fails ends the process.
//! Therefore only codecs with a known ratio are left to it, and pcodec, whose bytes are counted first.

use std::{
    borrow::Cow,
    fmt,
    num::NonZeroU64,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Once,
};

use tiled_plugin_api::{
    author::{Context, Error, ErrorKind, Host, Result, Source},
    layout::strided::{self, Axis},
    model::{ArrayStructure, SliceDim},
};
use zarrs::{
    array::{Array, ArrayMetadata, ArrayToBytesCodecTraits, CodecOptions},
    storage::store::MemoryStore,
};

use crate::{
    chunk::{Job, MAX_CHUNK_BYTES},
    meta::Outline,
    parts::{Part, Span, combine, outside, place},
    pcodec,
};

/// Codecs that make no more of their input than its own size.
const BOUNDED: [&str; 14] = [
    "transpose",
    "reshape",
    "squeeze",
    "bitround",
    "numcodecs.bitround",
    "fixedscaleoffset",
    "numcodecs.fixedscaleoffset",
    "bytes",
    "packbits",
    "crc32c",
    "numcodecs.crc32c",
    "fletcher32",
    "numcodecs.fletcher32",
    "zarrs.squeeze",
];
/// May be behind pcodec: its bytes stay where they are.
const TRAILING: [&str; 4] = ["crc32c", "numcodecs.crc32c", "fletcher32", "numcodecs.fletcher32"];
/// The codec that is counted.
const PCODEC: [&str; 3] = ["pcodec", "numcodecs.pcodec", "https://codec.zarrs.dev/array_to_bytes/pcodec"];

/// An array that `zarrs` has opened.
pub struct Foreign {
    /// What we know of it.
    pub outline: Outline,
    /// Its own store is empty: it gives names and codecs.
    array: Array<MemoryStore>,
    path: String,
    is_pcodec: bool,
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Foreign")
            .field("path", &self.path)
            .field("outline", &self.outline)
            .finish_non_exhaustive()
    }
}

impl PartialEq for Foreign {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path && self.array.metadata() == other.array.metadata()
    }
}

/// One thread is all that `zarrs` may ever have of its own; by itself it would start one for each core.
fn bound_threads() {
    static ONCE: Once = Once::new();
    // It fails only when there are threads already, of which we then take none.
    ONCE.call_once(|| drop(rayon::ThreadPoolBuilder::new().num_threads(1).build_global()));
}

impl Foreign {
    /// Opens the array at `path` that our own reader refused with `refusal`.
    ///
    /// # Errors
    /// `refusal`, with what `zarrs` said, where it does not know the array either; `InvalidData`.
    pub fn open(meta: &[u8], zattrs: Option<&[u8]>, path: &str, refusal: Error) -> Result<Self> {
        let outline = match Outline::parse(meta, zattrs) {
            Ok(outline) => outline,
            Err(error) if error.kind == ErrorKind::UnsupportedFormat => return Err(refusal),
            Err(error) => return Err(error),
        };
        let names = &outline.codecs;
        let counted = names.iter().position(|name| PCODEC.contains(&name.as_str()));
        let is_bounded = match counted.and_then(|at| names.split_at_checked(at)) {
            Some((before, after)) => {
                before.iter().all(|name| BOUNDED.contains(&name.as_str()))
                    && after.iter().skip(1).all(|name| TRAILING.contains(&name.as_str()))
            }
            None => names.iter().all(|name| BOUNDED.contains(&name.as_str())),
        };
        if outline.chain.is_none() && !is_bounded {
            return Err(refusal);
        }
        bound_threads();
        let opened = catch_unwind(|| -> std::result::Result<_, String> {
            let meta: ArrayMetadata = serde_json::from_slice(meta).map_err(|e| e.to_string())?;
            let root = format!("/{path}");
            Array::new_with_metadata(MemoryStore::new().into(), &root, meta).map_err(|e| e.to_string())
        });
        let opened = opened.unwrap_or_else(|_| Err("zarrs panicked".into()));
        let array = opened.map_err(|e| {
            Error::new(refusal.kind, format!("{}; zarrs does not read it either: {e}", refusal.message))
        })?;
        let item = array.data_type().fixed_size().map(|n| n as u64);
        if outline.chain.is_none() && item != Some(outline.dtype.itemsize()) {
            return Err(refusal);
        }
        Ok(Foreign { outline, array, path: path.to_owned(), is_pcodec: counted.is_some() })
    }

    /// The structure that Tiled serves.
    pub fn structure(&self) -> ArrayStructure {
        let Outline { shape, grid, dtype, dims, .. } = &self.outline;
        let mut structure = ArrayStructure::single_chunk(dtype.clone(), shape.clone());
        structure.chunks = grid.iter().zip(shape).map(|(axis, length)| clipped(axis, *length)).collect();
        structure.dims.clone_from(dims);
        structure
    }

    /// Where a chunk is, below the root of the store.
    pub fn key(&self, chunk: &[u64]) -> String {
        self.array.chunk_key(chunk).as_str().to_owned()
    }

    /// Fills `out` with a slice.
    ///
    /// # Errors
    /// `InvalidData` naming array and chunk; `TooLarge`; `Forbidden`; `Cancelled`.
    pub fn read(
        &self,
        cx: &Context,
        host: &Host,
        source: &Source,
        slice: &[SliceDim],
        out: &mut [u8],
    ) -> Result<()> {
        let dtype = &self.outline.dtype;
        let item = usize::try_from(dtype.itemsize()).map_err(Error::internal)?;
        if out.is_empty() {
            return Ok(());
        }
        let mut to = item as isize;
        let mut axes = Vec::with_capacity(slice.len());
        for (dim, lengths) in slice.iter().zip(&self.outline.grid).rev() {
            axes.push(split(Span { start: dim.start, step: dim.step, count: dim.count, to }, lengths)?);
            to = to.saturating_mul(isize::try_from(dim.count).unwrap_or(isize::MAX));
        }
        axes.reverse();
        let (unit, big) = crate::order::order(dtype);
        let job = Job { cx, host, item, fill: &self.outline.fill, unit, big, fields: &[] };
        combine(&axes, |parts| {
            cx.check()?;
            self.chunk(&job, source, parts, out).map_err(|error| match error.kind {
                ErrorKind::Cancelled => error,
                _ => {
                    let number: Vec<u64> = parts.iter().map(|part| part.chunk).collect();
                    let (store, path, key) = (source.name(), &self.path, self.key(&number));
                    error.within(format_args!("{store}: array /{path}: chunk {key}"))
                }
            })
        })
    }

    fn chunk(&self, job: &Job, source: &Source, parts: &[&Part], out: &mut [u8]) -> Result<()> {
        let number: Vec<u64> = parts.iter().map(|part| part.chunk).collect();
        let spans: Vec<Span> = parts.iter().map(|part| part.span).collect();
        let at = place(0, parts)?;
        let file = match source.child(&self.key(&number)) {
            Ok(file) => file,
            Err(error) if error.kind == ErrorKind::NotFound => {
                job.fill(&spans, out, at);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let lengths = number.iter().zip(&self.outline.grid).map(|(n, axis)| axis.get(*n as usize).copied());
        let shape = lengths.collect::<Option<Vec<u64>>>().ok_or_else(outside)?;
        if let Some(chain) = &self.outline.chain {
            return job.read(&file, chain, &shape, &spans, out, at);
        }
        let values = self.decode(&file, &shape, job.item)?;
        let (mut stride, mut from_at, mut axes) = (job.item, 0, Vec::with_capacity(shape.len()));
        for (span, length) in spans.iter().zip(&shape).rev() {
            let from = (stride as isize).saturating_mul(span.step as isize);
            axes.push(Axis { count: span.count as usize, from, to: span.to });
            from_at += span.start as usize * stride;
            stride = stride.saturating_mul(*length as usize);
        }
        axes.reverse();
        if strided::copy(&values, from_at, out, at, &axes, job.item) { Ok(()) } else { Err(outside()) }
    }

    /// All elements of a chunk, decoded by `zarrs` on this thread.
    fn decode(&self, file: &Source, shape: &[u64], item: usize) -> Result<Vec<u8>> {
        let elements = shape.iter().try_fold(1u64, |all, n| all.checked_mul(*n));
        let elements = elements.and_then(|n| usize::try_from(n).ok());
        let len = elements.and_then(|n| n.checked_mul(item)).filter(|len| *len <= MAX_CHUNK_BYTES);
        let (Some(elements), Some(len)) = (elements, len) else {
            let message = format!("chunks of more than {MAX_CHUNK_BYTES} bytes are not decoded");
            return Err(Error::new(ErrorKind::TooLarge, message));
        };
        let limit = (len as u64).saturating_mul(2).saturating_add(1 << 20);
        if file.len()? > limit {
            return Err(Error::invalid_data("it is larger than its elements can be"));
        }
        let bytes = file.read_all(limit)?;
        let shape: Option<Vec<NonZeroU64>> = shape.iter().map(|n| NonZeroU64::new(*n)).collect();
        let shape = shape.ok_or_else(|| Error::internal("an empty chunk"))?;
        let decoded = catch_unwind(AssertUnwindSafe(|| {
            if self.is_pcodec {
                pcodec::check(&bytes, &self.outline.dtype, elements)?;
            }
            let (array, options) = (&self.array, CodecOptions::default().with_concurrent_target(1));
            let (dtype, fill) = (array.data_type(), array.fill_value());
            let values = array.codecs().decode(Cow::Borrowed(&bytes), &shape, dtype, fill, &options);
            let values = values.map_err(|e| Error::invalid_data(format!("zarrs: {e}")))?;
            values.into_fixed().map(Cow::into_owned).map_err(|e| Error::invalid_data(format!("zarrs: {e}")))
        }));
        let values = decoded.unwrap_or_else(|_| Err(Error::invalid_data("zarrs panicked on it")))?;
        if values.len() == len {
            return Ok(values);
        }
        Err(Error::invalid_data(format!("{} bytes where {len} are wanted", values.len())))
    }
}

/// The chunks of an axis of `length`, the last cut short. An empty axis has one chunk of 0.
fn clipped(chunks: &[u64], length: u64) -> Vec<u64> {
    let mut left = length;
    let mut lengths: Vec<u64> = chunks
        .iter()
        .map(|chunk| {
            let taken = left.min(*chunk);
            left -= taken;
            taken
        })
        .filter(|taken| *taken > 0)
        .collect();
    if lengths.is_empty() {
        lengths.push(0);
    }
    lengths
}

/// Cuts a span at the borders of chunks of these lengths.
fn split(span: Span, lengths: &[u64]) -> Result<Vec<Part>> {
    let mut starts = Vec::with_capacity(lengths.len());
    let mut end = 0u64;
    for length in lengths {
        starts.push(end);
        end += length;
    }
    let (mut parts, mut first) = (Vec::new(), 0);
    let step = span.step.unsigned_abs().max(1);
    while first < span.count {
        let position = span.start.wrapping_add_signed(span.step.wrapping_mul(first as i64));
        let chunk = starts.partition_point(|start| *start <= position).checked_sub(1);
        let found = chunk.and_then(|chunk| Some((chunk, *starts.get(chunk)?, *lengths.get(chunk)?)));
        let (chunk, origin, length) = found.filter(|_| position < end).ok_or_else(outside)?;
        let start = position - origin;
        let left = if span.step < 0 { start } else { length - 1 - start };
        let count = (left / step + 1).min(span.count - first);
        parts.push(Part { chunk: chunk as u64, first, span: Span { start, count, ..span } });
        first += count;
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_cut_at_the_borders_of_uneven_chunks() {
        let check = |start, step, count| -> Vec<(u64, u64, u64, u64)> {
            let parts = split(Span { start, step, count, to: 1 }, &[2, 5, 1, 4]).unwrap();
            parts.iter().map(|p| (p.chunk, p.first, p.span.start, p.span.count)).collect()
        };
        assert_eq!(check(1, 1, 8), [(0, 0, 1, 1), (1, 1, 0, 5), (2, 6, 0, 1), (3, 7, 0, 1)]);
        assert_eq!(check(11, -3, 4), [(3, 0, 3, 2), (1, 2, 3, 2)]);
        assert!(split(Span { start: 12, step: 1, count: 1, to: 1 }, &[2, 5, 1, 4]).is_err());
        assert_eq!(clipped(&[4, 4, 4, 4], 10), [4, 4, 2]);
        assert_eq!(clipped(&[], 0), [0]);
    }
}

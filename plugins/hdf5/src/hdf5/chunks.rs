//! Chunked datasets: every chunk is read once, decoded without a lock, and lands in the output.

use std::cell::Cell;

use tiled_plugin_api::prelude::*;

use super::{
    boxes::{self, Axis, Box, advance, strides},
    dataset::{Dataset, Entry, check_filters},
    read::Reading,
};
use crate::filters::{self, Filter};

/// A dataset in chunks.
pub(crate) struct Chunked<'a> {
    pub(crate) dataset: &'a Dataset,
    /// Elements of a chunk along each axis.
    pub(crate) shape: &'a [u64],
    pub(crate) filters: &'a [Filter],
    /// Chunks that stick out are stored without filters.
    pub(crate) edges_raw: bool,
    /// Bytes of an element.
    pub(crate) item: usize,
}

/// Elements of one axis of the slice that lie in one chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    /// Which chunk along the axis.
    chunk: u64,
    /// First element of the output.
    first: u64,
    /// Elements within the chunk.
    within: SliceDim,
}

/// A chunk that must be decoded beside the output may have this many bytes.
const MAX_SCRATCH_BYTES: usize = 256 << 20;
/// Decoded chunks up to this size are offered to the host's cache.
const MAX_CACHED_BYTES: usize = 64 << 20;

thread_local! {
    static STORED: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static DECODED: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Longer buffers are not kept between chunks.
const KEEP_BYTES: usize = 64 << 20;

fn pieces(slice: SliceDim, chunk: u64) -> Vec<Piece> {
    let mut all = vec![];
    let mut first = 0;
    while first < slice.count {
        let position = slice.at(first);
        let (number, start) = (position / chunk, position % chunk);
        let step = slice.step.unsigned_abs().max(1);
        let reach = if slice.step > 0 { chunk - 1 - start } else { start };
        let count = (reach / step + 1).min(slice.count - first);
        all.push(Piece { chunk: number, first, within: SliceDim { start, step: slice.step, count } });
        first += count;
    }
    all
}

impl Chunked<'_> {
    /// Reads a part, chunk by chunk.
    pub(crate) fn read(&self, with: &Reading, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
        check_filters(self.filters)?;
        let axes: Vec<Vec<Piece>> = slice.iter().zip(self.shape).map(|(s, n)| pieces(*s, *n)).collect();
        let counts: Vec<u64> = slice.iter().map(|s| s.count).collect();
        let to = strides(&counts, self.item)?;
        let mut at = vec![0; axes.len()];
        loop {
            with.cx.check()?;
            let part: Vec<Piece> =
                axes.iter().zip(&at).filter_map(|(pieces, i)| pieces.get(*i).copied()).collect();
            self.chunk(with, &part, &to, out)?;
            if !advance(&mut at, axes.iter().map(Vec::len)) {
                return Ok(());
            }
        }
    }

    fn chunk(&self, with: &Reading, part: &[Piece], to: &[u64], out: &mut [u8]) -> Result<()> {
        let coordinates: Vec<u64> = part.iter().map(|p| p.chunk).collect();
        let place = |e: Error| {
            let start: Vec<u64> =
                coordinates.iter().zip(self.shape).map(|(i, n)| i.saturating_mul(*n)).collect();
            e.within(format!("chunk at {start:?}"))
        };
        let within: Vec<SliceDim> = part.iter().map(|p| p.within).collect();
        let mut target = Box::within(&within, self.shape, self.item, to).map_err(place)?;
        let first = part.iter().zip(to).map(|(p, stride)| p.first * stride).sum::<u64>();
        target.to = usize::try_from(first).map_err(Error::internal)?;
        match self.dataset.chunk(&coordinates).map_err(place)? {
            None => self.fill(&within, to, target.to, out),
            Some(entry) => self.stored(with, &coordinates, entry, &target, out).map_err(place),
        }
    }

    /// Bytes of a whole chunk.
    fn bytes(&self) -> Result<usize> {
        let all = self.shape.iter().try_fold(self.item, |all, n| all.checked_mul(usize::try_from(*n).ok()?));
        all.ok_or_else(|| Error::invalid_data("the chunk shape is too large"))
    }

    /// A chunk that was never written.
    fn fill(&self, within: &[SliceDim], to: &[u64], start: usize, out: &mut [u8]) -> Result<()> {
        let mut value = vec![0; self.item];
        boxes::fill(&self.dataset.fill, &mut value);
        let axes = within.iter().zip(to).map(|(s, to)| {
            Ok(Axis { count: usize::try_from(s.count).map_err(Error::internal)?, from: 0, to: *to as usize })
        });
        let axes = axes.collect::<Result<Vec<Axis>>>()?;
        // Whole rows at once.
        let mut row = value;
        let mut axes = axes;
        while let Some(last) = axes.pop_if(|a| a.to == row.len()) {
            row = row.repeat(last.count);
        }
        Box { axes, from: 0, to: start, item: row.len() }.copy(&row, out)
    }

    fn stored(
        &self,
        with: &Reading,
        coordinates: &[u64],
        entry: Entry,
        target: &Box,
        out: &mut [u8],
    ) -> Result<()> {
        let size = self.bytes()?;
        let edge = coordinates.iter().zip(self.shape).zip(&self.dataset.shape);
        let raw = self.edges_raw
            && edge.into_iter().any(|((i, c), n)| i.saturating_mul(*c).saturating_add(*c) > *n);
        let skipped = |i: usize| i < 32 && entry.mask >> i & 1 == 1;
        if raw || (0..self.filters.len()).all(skipped) {
            if entry.size < size as u64 {
                return Err(Error::invalid_data(format!("{} bytes are stored, {size} expected", entry.size)));
            }
            let mut part = target.clone();
            part.from = part.from.saturating_add(entry.address);
            return part.read(&|at, into| self.dataset.snapshot.read_exact_at(at, into), out);
        }
        // The whole chunk, in order, one behind the other: decode straight into the output.
        if target.axes.is_empty() && target.from == 0 && target.item == size {
            let into = out.get_mut(target.to..target.to + size);
            return self.decode(entry, into.ok_or_else(|| Error::internal("a chunk beside the output"))?);
        }
        if size > MAX_SCRATCH_BYTES {
            let message =
                format!("a compressed chunk of {size} bytes is too large to read in part: read it whole");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        self.through_cache(with, coordinates, entry, size, target, out)
    }

    fn through_cache(
        &self,
        with: &Reading,
        coordinates: &[u64],
        entry: Entry,
        size: usize,
        target: &Box,
        out: &mut [u8],
    ) -> Result<()> {
        if size > MAX_CACHED_BYTES {
            let mut decoded = DECODED.take();
            decoded.resize(size, 0);
            let result = self.decode(entry, &mut decoded).and_then(|()| target.copy(&decoded, out));
            if size <= KEEP_BYTES {
                DECODED.set(decoded);
            }
            return result;
        }
        let snapshot = &self.dataset.snapshot;
        let number = self.dataset.number(self.shape, coordinates);
        let key = format!("{:x} {} {} {number:x}", snapshot.version, snapshot.uri, self.dataset.inner);
        let host = with.linked.host();
        if let Some(kept) = host.cache_get(&key).filter(|kept| kept.len() == size) {
            return target.copy(&kept, out);
        }
        let mut decoded = vec![0; size];
        self.decode(entry, &mut decoded)?;
        target.copy(&decoded, out)?;
        host.cache_put(&key, OwnedBuffer::from_vec(decoded));
        Ok(())
    }

    fn decode(&self, entry: Entry, out: &mut [u8]) -> Result<()> {
        let end = entry.address.checked_add(entry.size);
        if end.is_none_or(|end| self.dataset.snapshot.len().is_ok_and(|len| end > len)) {
            return Err(Error::invalid_data(
                "it lies beyond the end of the file: the file is truncated or damaged",
            ));
        }
        let mut stored = STORED.take();
        stored.resize(usize::try_from(entry.size).map_err(Error::internal)?, 0);
        let result = self
            .dataset
            .snapshot
            .read_exact_at(entry.address, &mut stored)
            .and_then(|()| filters::decode(self.filters, entry.mask, &stored, out, self.item));
        if stored.capacity() <= KEEP_BYTES {
            STORED.set(stored);
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_falls_into_its_chunks_in_both_directions() {
        let show = |slice, chunk| {
            let all: Vec<_> = pieces(slice, chunk)
                .iter()
                .map(|p| (p.chunk, p.first, p.within.start, p.within.count))
                .collect();
            all
        };
        assert_eq!(show(SliceDim::all(10), 4), [(0, 0, 0, 4), (1, 4, 0, 4), (2, 8, 0, 2)]);
        let every_third = SliceDim { start: 1, step: 3, count: 3 };
        assert_eq!(show(every_third, 4), [(0, 0, 1, 1), (1, 1, 0, 2)]);
        let back = SliceDim { start: 9, step: -2, count: 5 };
        assert_eq!(show(back, 4), [(2, 0, 1, 1), (1, 1, 3, 2), (0, 3, 3, 2)]);
    }
}

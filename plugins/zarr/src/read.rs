//! Reads a slice of an array: which chunks, and on how many threads.

use std::{
    num::NonZero,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use tiled_plugin_api::{
    author::{Error, ErrorKind, OwnedBuffer, Result, Source},
    model::SliceDim,
};

use crate::{
    chunk::Job,
    meta::{ArrayMeta, Element},
    parts::{Part, Span, combine, place, split},
};

/// A chunk's file may have twice the bytes of its elements, and so many more.
const ENCODED_SLACK: u64 = 1 << 20;
/// Smaller reads are not worth a second thread.
pub const SHARED_BYTES: usize = 4 << 20;

/// Times that a chunk is looked for again when its file is replaced meanwhile.
const MAX_TRIES: usize = 16;

/// Reads in progress: where there are several, each keeps to its own thread.
static ACTIVE: AtomicUsize = AtomicUsize::new(0);

/// A read or a write that is going on.
pub struct Active;

impl Active {
    /// Counts it, and says how many threads it may use.
    pub fn start() -> (Self, usize) {
        let others = ACTIVE.fetch_add(1, Ordering::Relaxed);
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        (Active, (cores / (others + 1)).max(1))
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        ACTIVE.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An array in the store.
#[derive(Clone, Copy)]
pub struct Stored<'a> {
    /// The root of the store.
    pub source: &'a Source,
    /// The array's directory below it.
    pub path: &'a str,
    /// Its metadata.
    pub meta: &'a ArrayMeta,
}

impl Stored<'_> {
    /// The file of a chunk; `None` where there is none.
    ///
    /// # Errors
    /// `Forbidden` when it leads out of the store.
    pub fn chunk(&self, number: &[u64]) -> Result<Option<Source>> {
        let name = self.meta.keys.name(number);
        let path = if self.path.is_empty() { name } else { format!("{}/{name}", self.path) };
        match self.source.child(&path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The error with the names of store, array and chunk.
    pub fn within(&self, error: Error, parts: &[&Part]) -> Error {
        let number: Vec<u64> = parts.iter().map(|part| part.chunk).collect();
        self.within_chunk(error, &number)
    }

    /// As `within`, of a chunk of this number.
    pub fn within_chunk(&self, error: Error, number: &[u64]) -> Error {
        if matches!(error.kind, ErrorKind::Cancelled) {
            return error;
        }
        let (store, name) = (self.source.name(), self.meta.keys.name(number));
        error.within(format_args!("{store}: array /{}: chunk {name}", self.path))
    }

    /// Fills the part `spans` of a chunk; its first element goes to `out[at]`.
    ///
    /// # Errors
    /// As [`Job::read`].
    pub fn read_chunk(
        &self,
        job: &Job,
        number: &[u64],
        spans: &[Span],
        out: &mut [u8],
        at: usize,
    ) -> Result<()> {
        let (chain, shape) = (&self.meta.chain, &self.meta.chunk_shape);
        if self.found(number, |file| job.read(file, chain, shape, spans, out, at))?.is_none() {
            job.fill(spans, out, at);
        }
        Ok(())
    }

    /// What `read` gives of a chunk's file; `None` where there is none.
    fn found<T>(&self, number: &[u64], mut read: impl FnMut(&Source) -> Result<T>) -> Result<Option<T>> {
        let mut tries = 0;
        loop {
            let Some(file) = self.chunk(number)? else { return Ok(None) };
            match read(&file) {
                // A writer has replaced the file since it was found: its successor is there.
                Err(error) if error.kind == ErrorKind::Busy && tries < MAX_TRIES => tries += 1,
                result => return result.map(Some),
            }
        }
    }

    /// The bytes of a chunk as they are in its file; `None` where there is none.
    ///
    /// # Errors
    /// `InvalidArgument` for a number that the grid has not; `InvalidData` for a file much longer than the elements.
    pub fn encoded(&self, chunk: &[u64]) -> Result<Option<OwnedBuffer>> {
        let meta = self.meta;
        let fits = chunk.len() == meta.shape.len()
            && chunk.iter().zip(&meta.shape).zip(&meta.chunk_shape).all(|((number, length), chunk)| {
                number.checked_mul(*chunk).is_some_and(|start| start < *length)
            });
        if !fits {
            return Err(Error::new(ErrorKind::InvalidArgument, "The array has no such chunk"));
        }
        let item = match &meta.element {
            Element::Fixed(dtype) => dtype.itemsize(),
            Element::Text | Element::Bytes => return Err(Error::unsupported("stored_chunk")),
        };
        let elements = meta.chunk_shape.iter().try_fold(item, |all, n| all.checked_mul(*n));
        let most = elements.unwrap_or(u64::MAX).saturating_mul(2).saturating_add(ENCODED_SLACK);
        let read = |file: &Source| file.read_all(most).map_err(|error| self.within_chunk(error, chunk));
        Ok(self.found(chunk, read)?.map(OwnedBuffer::from_vec))
    }

    /// The parts of each axis.
    ///
    /// # Errors
    /// `InvalidData` when the slice leaves the stored array: the catalog's structure is larger than it.
    pub fn parts(&self, slice: &[SliceDim], item: usize) -> Result<Vec<Vec<Part>>> {
        let meta = self.meta;
        let fits = slice.len() == meta.shape.len()
            && slice.iter().zip(&meta.shape).all(|(dim, n)| dim.bounds().is_none_or(|(_, high)| high < *n));
        if !fits {
            let (store, path, shape) = (self.source.name(), self.path, &meta.shape);
            return Err(Error::invalid_data(format!("{store}: array /{path} has the shape {shape:?} only")));
        }
        let mut to = item as isize;
        let mut axes = Vec::with_capacity(slice.len());
        for (dim, length) in slice.iter().zip(&meta.chunk_shape).rev() {
            axes.push(split(Span { start: dim.start, step: dim.step, count: dim.count, to }, *length));
            to = to.saturating_mul(isize::try_from(dim.count).unwrap_or(isize::MAX));
        }
        axes.reverse();
        Ok(axes)
    }

    /// Fills `out` with a slice.
    ///
    /// # Errors
    /// `InvalidData` naming array and chunk; `Cancelled`.
    pub fn read(&self, job: &Job, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
        if out.is_empty() {
            return Ok(());
        }
        let axes = self.parts(slice, job.item)?;
        let (_active, threads) = Active::start();
        // The first axis with more than one element: along it the result can be cut into pieces that do not mix.
        let cut = slice.iter().position(|dim| dim.count > 1);
        let parts = cut.and_then(|axis| axes.get(axis)).map_or(1, Vec::len);
        match cut {
            Some(axis) if threads > 1 && parts > 1 && out.len() >= SHARED_BYTES => {
                self.read_shared(job, &axes, axis, threads.min(parts), out)
            }
            _ => self.read_parts(job, &axes, out),
        }
    }

    fn read_parts(&self, job: &Job, axes: &[Vec<Part>], out: &mut [u8]) -> Result<()> {
        combine(axes, |parts| {
            let spans: Vec<Span> = parts.iter().map(|part| part.span).collect();
            let number: Vec<u64> = parts.iter().map(|part| part.chunk).collect();
            self.read_chunk(job, &number, &spans, out, place(0, parts)?)
                .map_err(|error| self.within_chunk(error, &number))
        })
    }

    /// Cuts the result along `axis`, at borders of chunks, into one piece for each thread.
    fn read_shared(
        &self,
        job: &Job,
        axes: &[Vec<Part>],
        axis: usize,
        threads: usize,
        out: &mut [u8],
    ) -> Result<()> {
        let parts = axes.get(axis).map(Vec::as_slice).unwrap_or_default();
        let row = parts.first().map_or(0, |part| part.span.to.unsigned_abs());
        let mut pieces = Vec::new();
        let mut rest = out;
        for group in parts.chunks(parts.len().div_ceil(threads)) {
            let first = group.first().map_or(0, |part| part.first);
            let rows: u64 = group.iter().map(|part| part.span.count).sum();
            let cut = rest.split_at_mut_checked(rows as usize * row);
            let (piece, left) = cut.ok_or_else(|| Error::internal("a piece leaves the result"))?;
            let mut axes = axes.to_vec();
            if let Some(axis) = axes.get_mut(axis) {
                *axis = group.iter().map(|part| Part { first: part.first - first, ..*part }).collect();
            }
            pieces.push((axes, piece));
            rest = left;
        }
        let (here, others) =
            pieces.split_at_mut_checked(1).ok_or_else(|| Error::internal("no piece to read"))?;
        thread::scope(|scope| {
            let threads: Vec<_> = others
                .iter_mut()
                .map(|(axes, piece)| scope.spawn(|| self.read_parts(job, axes, piece)))
                .collect();
            let mut result = Ok(());
            for (axes, piece) in here {
                result = self.read_parts(job, axes, piece);
            }
            for thread in threads {
                let other =
                    thread.join().unwrap_or_else(|_| Err(Error::internal("a reading thread panicked")));
                result = result.and(other);
            }
            result
        })
    }
}

//! Writes a region of an array, chunk by chunk, beside the files that are there.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use tiled_plugin_api::{
    author::{Context, Error, ErrorKind, Host, Result},
    disk::{Replacements, make_directories},
    layout::strided::{self, Axis},
    model::SliceDim,
};

use super::changes::Ticket;
use crate::{
    chunk::{Job, MAX_CHUNK_BYTES},
    codec::strides,
    parts::{Span, combine, outside, place},
    read::{Active, SHARED_BYTES, Stored},
    scratch::Scratch,
};

/// Values of a region in C order, in the stored byte order.
pub type Band = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// Where to write.
pub struct Target<'a> {
    /// The call.
    pub cx: &'a Context,
    /// Of the storage.
    pub host: &'a Host,
    /// The array, its metadata with the shape after this write.
    pub stored: Stored<'a>,
    /// Its directory.
    pub directory: &'a Path,
    /// What counts of the array: the store's own shape may be larger, in whole chunks.
    pub shape: &'a [u64],
    /// One element where nothing was written, in the stored byte order.
    pub fill: &'a [u8],
}

/// Some values of one chunk.
struct Task {
    number: Vec<u64>,
    spans: Vec<Span>,
    at: usize,
}

/// A part of a chunk that was written into what was there. Where that is replaced before the commit it is written again.
pub struct Piece {
    /// Of the chunk's file.
    pub ticket: Ticket,
    task: Task,
    band: Band,
}

/// What a write has made.
#[derive(Default)]
pub struct Written {
    /// New files of chunks.
    pub files: Replacements,
    /// Those that are only parts.
    pub pieces: Vec<Piece>,
}

impl Target<'_> {
    fn item(&self) -> usize {
        self.fill.len()
    }

    fn path(&self, number: &[u64]) -> PathBuf {
        self.directory.join(self.stored.meta.keys.name(number))
    }

    /// Writes the elements `slice` of the array.
    ///
    /// # Errors
    /// `InvalidData` naming a chunk that is there and damaged; `Cancelled`; `Internal` when the medium refuses.
    pub fn write(&self, slice: &[SliceDim], band: &Band, written: &mut Written) -> Result<()> {
        let axes = self.stored.parts(slice, self.item())?;
        let mut tasks = Vec::new();
        combine(&axes, |parts| {
            let number = parts.iter().map(|part| part.chunk).collect();
            tasks.push(Task {
                number,
                spans: parts.iter().map(|part| part.span).collect(),
                at: place(0, parts)?,
            });
            Ok(())
        })?;
        let keys = &self.stored.meta.keys;
        let mut folders: Vec<PathBuf> = tasks
            .iter()
            .filter_map(|task| Some(Path::new(&keys.name(&task.number)).parent()?.to_owned()))
            .collect();
        folders.dedup();
        make_directories(self.directory, folders.iter().map(PathBuf::as_path))?;
        let (_active, threads) = Active::start();
        let threads = threads.min(tasks.len());
        if threads < 2 || (**band).as_ref().len() < SHARED_BYTES {
            return tasks.into_iter().try_for_each(|task| self.chunk(task, band, written));
        }
        self.write_shared(tasks, threads, band, written)
    }

    /// Each thread takes the next chunk.
    fn write_shared(
        &self,
        tasks: Vec<Task>,
        threads: usize,
        band: &Band,
        written: &mut Written,
    ) -> Result<()> {
        let tasks: Vec<Mutex<Option<Task>>> = tasks.into_iter().map(|task| Mutex::new(Some(task))).collect();
        let next = AtomicUsize::new(0);
        let work = || -> Result<Written> {
            let mut written = Written::default();
            while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                let task = task.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(task) = task {
                    // The others need not go on.
                    self.chunk(task, band, &mut written)
                        .inspect_err(|_| next.store(tasks.len(), Ordering::Relaxed))?;
                }
            }
            Ok(written)
        };
        thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let mut results = vec![work()];
            results.extend(others.into_iter().map(|thread| {
                thread.join().unwrap_or_else(|_| Err(Error::internal("a writing thread panicked")))
            }));
            for result in results {
                let part = result?;
                written.files.append(part.files);
                written.pieces.extend(part.pieces);
            }
            Ok(())
        })
    }

    fn chunk(&self, task: Task, band: &Band, written: &mut Written) -> Result<()> {
        self.cx.check()?;
        let is_complete = self.is_complete(&task);
        // The ticket is from before the file is read.
        let ticket = (!is_complete).then(|| Ticket::of(self.path(&task.number)));
        self.put(&task, is_complete, (**band).as_ref(), &mut written.files)?;
        if let Some(ticket) = ticket {
            written.pieces.push(Piece { ticket, task, band: band.clone() });
        }
        Ok(())
    }

    /// Writes a part again into what is there now.
    ///
    /// # Errors
    /// As `write`.
    pub fn rewrite(&self, piece: &Piece, files: &mut Replacements) -> Result<()> {
        files.discard(&piece.ticket.path);
        self.put(&piece.task, false, (*piece.band).as_ref(), files)
    }

    /// Whether nothing of the chunk remains that is in the array.
    fn is_complete(&self, task: &Task) -> bool {
        let lengths = self.stored.meta.chunk_shape.iter().zip(self.shape);
        task.number.iter().zip(&task.spans).zip(lengths).all(|((number, span), (chunk, length))| {
            let inside = length.saturating_sub(number.saturating_mul(*chunk)).min(*chunk);
            span.start == 0 && span.count >= inside
        })
    }

    fn put(&self, task: &Task, is_complete: bool, band: &[u8], files: &mut Replacements) -> Result<()> {
        let meta = self.stored.meta;
        let mut put = || -> Result<()> {
            let to = strides(&meta.chunk_shape, &meta.chain.axes, self.item())?;
            let assembled;
            let values = match self.as_it_lies(task, &to, band) {
                Some(values) => values,
                None => {
                    assembled = self.assemble(task, &to, is_complete, band)?;
                    &assembled
                }
            };
            let packed = meta.chain.encode(&meta.chunk_shape, values, self.fill)?;
            files.write(&self.path(&task.number), &[&packed])
        };
        put().map_err(|error| self.stored.within_chunk(error, &task.number))
    }

    /// The chunk's values, where they lie in the band in one piece and in the stored order.
    fn as_it_lies<'a>(&self, task: &Task, to: &[isize], band: &'a [u8]) -> Option<&'a [u8]> {
        let mut len = self.item();
        for ((span, chunk), to) in task.spans.iter().zip(&self.stored.meta.chunk_shape).zip(to) {
            if span.start != 0 || span.count != *chunk || (*chunk > 1 && span.to != *to) {
                return None;
            }
            len = len.checked_mul(usize::try_from(*chunk).ok()?)?;
        }
        band.get(task.at..)?.get(..len)
    }

    /// What is there of the chunk, or fill values, and the new values over it.
    fn assemble(&self, task: &Task, to: &[isize], is_complete: bool, band: &[u8]) -> Result<Scratch> {
        let (chunk, item) = (&self.stored.meta.chunk_shape, self.item());
        let len = chunk.iter().try_fold(item, |all, n| all.checked_mul(usize::try_from(*n).ok()?));
        let len = len.filter(|len| *len <= MAX_CHUNK_BYTES).ok_or_else(|| {
            let message = format!("chunks of more than {MAX_CHUNK_BYTES} bytes are not written in parts");
            Error::new(ErrorKind::TooLarge, message)
        })?;
        let mut values = Scratch::of(len);
        let spans: Vec<Span> =
            chunk.iter().zip(to).map(|(n, to)| Span { start: 0, step: 1, count: *n, to: *to }).collect();
        let job =
            Job { cx: self.cx, host: self.host, item, fill: self.fill, unit: 0, big: false, fields: &[] };
        if is_complete {
            if task.spans.iter().zip(chunk).any(|(span, chunk)| span.count < *chunk) {
                job.fill(&spans, &mut values, 0);
            }
        } else {
            self.stored.read_chunk(&job, &task.number, &spans, &mut values, 0)?;
        }
        let mut first = 0;
        let mut axes = Vec::with_capacity(to.len());
        for (span, to) in task.spans.iter().zip(to) {
            first += span.start as usize * to.unsigned_abs();
            axes.push(Axis { count: span.count as usize, from: span.to, to: *to });
        }
        if strided::copy(band, task.at, &mut values, first, &axes, item) {
            Ok(values)
        } else {
            Err(outside())
        }
    }
}

//! One HDF5 file: its bytes, and what was learnt of it since it last changed.
//!
//! libhdf5 holds a file open for as long as it stays the same: when its size or time changes, it is opened anew as a
//! file of its own, so that nothing stale is left when a writer goes on or replaces it. Values are read from the file
//! itself, by position. It is never mapped: a writer that truncates a mapped file would kill the server.

use std::{
    collections::HashMap,
    fs, io,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use tiled_plugin_api::prelude::*;

use super::raw::{self, FileBytes, Id, Sizes};

/// One file, which may change.
pub(crate) struct H5File {
    source: Source,
    swmr: bool,
    now: Mutex<Option<Arc<Snapshot>>>,
}

/// One state of a file.
pub(crate) struct Snapshot {
    /// The file's name, for messages.
    pub(crate) name: String,
    /// Where it is, as the base of links.
    pub(crate) uri: String,
    /// Changes with the file's size or time.
    pub(crate) version: u64,
    bytes: Arc<Bytes>,
    swmr: bool,
    stamp: Stamp,
    session: OnceLock<Id>,
    sizes: OnceLock<Sizes>,
    names: OnceLock<HashMap<u64, String>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stamp {
    Local { device: u64, inode: u64, len: u64, seconds: i64, nanoseconds: i64 },
    Remote(u64),
}

impl H5File {
    /// The file behind `source`. Looks at its head already.
    ///
    /// # Errors
    /// `InvalidData` when it is damaged, `UnsupportedFormat` when it is no HDF5 file, `Busy` while a writer that is
    /// not in SWMR mode holds it.
    pub(crate) fn open(source: Source, swmr: bool) -> Result<Arc<H5File>> {
        let file = H5File { source, swmr, now: Mutex::default() };
        file.snapshot()?.session()?;
        Ok(Arc::new(file))
    }

    /// Where the file is.
    pub(crate) fn uri(&self) -> String {
        self.source.uri()
    }

    /// The file as it is now. Cheap where it has not changed: one `stat`.
    ///
    /// # Errors
    /// `NotFound` when it has gone.
    pub(crate) fn snapshot(&self) -> Result<Arc<Snapshot>> {
        let path = self.source.local_path();
        let stamp = match &path {
            Some(path) => Stamp::of(&fs::metadata(path).map_err(|e| gone(&self.source, &e))?),
            None => Stamp::Remote(self.source.version()?),
        };
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(snapshot) = now.as_ref().filter(|s| s.stamp == stamp) {
            return Ok(snapshot.clone());
        }
        let snapshot = Arc::new(self.look(path, stamp)?);
        *now = Some(snapshot.clone());
        Ok(snapshot)
    }

    fn look(&self, path: Option<PathBuf>, stamp: Stamp) -> Result<Snapshot> {
        let bytes = match path {
            None => Bytes::Remote(self.source.clone()),
            Some(path) => {
                let file = fs::File::open(&path).map_err(|e| gone(&self.source, &e))?;
                if !self.swmr {
                    refuse_writers(&file).map_err(|e| e.within(self.source.name()))?;
                }
                Bytes::Local(file)
            }
        };
        Ok(Snapshot {
            name: self.source.name(),
            uri: self.source.uri(),
            version: stamp.number(),
            bytes: Arc::new(bytes),
            swmr: self.swmr,
            stamp,
            session: OnceLock::new(),
            sizes: OnceLock::new(),
            names: OnceLock::new(),
        })
    }
}

fn gone(source: &Source, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => Error::not_found(format!("{}: no such file", source.name())),
        io::ErrorKind::PermissionDenied => Error::new(
            ErrorKind::Forbidden,
            format!("{}: the server may not read this file: check its permissions", source.name()),
        ),
        _ => Error::internal(error),
    }
}

/// A writer outside SWMR mode holds an exclusive lock: what it has in memory makes the file on disk unreadable.
/// Our own lock is given back at once, so that we never keep a writer out.
fn refuse_writers(file: &fs::File) -> Result<()> {
    match file.try_lock_shared() {
        Err(fs::TryLockError::WouldBlock) => Err(Error::new(
            ErrorKind::Busy,
            "the file is being written: try again, or open it with the parameter swmr=true if its writer is in \
             SWMR mode",
        )),
        // File systems without locks tell nothing.
        Err(fs::TryLockError::Error(_)) => Ok(()),
        Ok(()) => {
            let _ = file.unlock();
            Ok(())
        }
    }
}

impl Snapshot {
    /// The file as libhdf5 has opened it.
    ///
    /// # Errors
    /// `InvalidData`, or `UnsupportedFormat` without HDF5's signature.
    pub(crate) fn session(&self) -> Result<&Id> {
        if let Some(session) = self.session.get() {
            return Ok(session);
        }
        let opened = raw::open_file(self.bytes.clone(), self.swmr).map_err(|error| {
            if !self.has_signature() {
                return Error::unsupported_format(format!("{}: not an HDF5 file", self.name));
            }
            let message =
                "the HDF5 file cannot be opened: it is damaged, truncated, or was not closed by its writer";
            Error::invalid_data(format!("{}: {message}", self.name)).with_detail(error)
        })?;
        Ok(self.session.get_or_init(|| opened))
    }

    /// Whether HDF5's signature stands at 0, 512, 1024, 2048, ….
    fn has_signature(&self) -> bool {
        let mut head = [0; SIGNATURE.len()];
        let len = self.len().unwrap_or(0);
        let starts = std::iter::once(0).chain((9..63).map(|bit| 1_u64 << bit));
        starts
            .take_while(|at| *at < len)
            .any(|at| self.read_exact_at(at, &mut head).is_ok() && head == SIGNATURE)
    }

    /// Bytes of the file.
    pub(crate) fn len(&self) -> Result<u64> {
        self.bytes.len()
    }

    /// Fills `out` from `offset` on.
    ///
    /// # Errors
    /// `InvalidData` when the file ends before.
    pub(crate) fn read_exact_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        self.bytes.read_exact_at(offset, out)
    }

    /// The path of the object at an address, as references hold it; `None` where none is known.
    pub(crate) fn name_of(&self, address: u64) -> Option<String> {
        let names = match self.names.get() {
            Some(names) => names,
            None => {
                let names = raw::object_names(self.session().ok()?);
                self.names.get_or_init(|| names)
            }
        };
        names.get(&address).cloned()
    }

    /// How wide addresses are in this file.
    ///
    /// # Errors
    /// As `session`.
    pub(crate) fn sizes(&self) -> Result<Sizes> {
        if let Some(sizes) = self.sizes.get() {
            return Ok(*sizes);
        }
        let sizes = raw::file_sizes(self.session()?)?;
        Ok(*self.sizes.get_or_init(|| sizes))
    }
}

/// The first bytes of a superblock.
pub(crate) const SIGNATURE: [u8; 8] = *b"\x89HDF\r\n\x1a\n";

impl Stamp {
    #[cfg(unix)]
    fn of(metadata: &fs::Metadata) -> Stamp {
        use std::os::unix::fs::MetadataExt as M;
        Stamp::Local {
            device: M::dev(metadata),
            inode: M::ino(metadata),
            len: metadata.len(),
            seconds: M::mtime(metadata),
            nanoseconds: M::mtime_nsec(metadata),
        }
    }

    fn number(&self) -> u64 {
        match self {
            Stamp::Remote(version) => *version,
            Stamp::Local { device, inode, len, seconds, nanoseconds } => {
                let parts = [*device, *inode, *len, seconds.cast_unsigned(), nanoseconds.cast_unsigned()];
                // FNV-1a over whole words: no more than "changes when the file does" is asked of it.
                let number = parts
                    .iter()
                    .fold(0xcbf2_9ce4_8422_2325_u64, |h, n| (h ^ n).wrapping_mul(0x0100_0000_01b3));
                number.max(1)
            }
        }
    }
}

enum Bytes {
    Local(fs::File),
    Remote(Source),
}

impl FileBytes for Bytes {
    fn len(&self) -> Result<u64> {
        match self {
            Bytes::Local(file) => Ok(file.metadata()?.len()),
            Bytes::Remote(source) => source.len(),
        }
    }

    fn read_exact_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        match self {
            #[cfg(unix)]
            Bytes::Local(file) => {
                std::os::unix::fs::FileExt::read_exact_at(file, out, offset).map_err(|e| match e.kind() {
                    io::ErrorKind::UnexpectedEof => Error::invalid_data(format!(
                        "the file is truncated: {} bytes wanted at {offset}",
                        out.len()
                    )),
                    _ => Error::internal(e),
                })
            }
            Bytes::Remote(source) => source.read_exact_at(offset, out),
        }
    }
}

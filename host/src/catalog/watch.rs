//! Noticing what other processes commit, at the price of one read of a few bytes.
//!
//! SQLite counts commits in the header of the file, or, with a write-ahead log, in the header of the log's index
//! (the `-shm` file): <https://sqlite.org/fileformat2.html#file_change_counter> and
//! <https://sqlite.org/walformat.html>. Asking SQLite itself (`PRAGMA data_version`) takes locks each time.

use std::fs::File;
use std::mem::ManuallyDrop;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use rusqlite::Connection;
use xxhash_rust::xxh3::xxh3_64;

use super::connection::lock;

/// Where the header says that there is a write-ahead log.
const READ_VERSION_AT: usize = 19;
const WITH_LOG: u8 = 2;
/// Bytes of the header of the file.
const HEADER: usize = 100;
/// Bytes of the header of the log's index, which stands there twice.
const INDEX_HEADER: usize = 96;

/// Watches one database file.
///
/// The files are never closed: that would drop the locks which SQLite holds on them for the whole process.
pub(super) struct Watch {
    header: Option<ManuallyDrop<File>>,
    /// Set once there is a write-ahead log: it stays as long as we have a connection.
    index: OnceLock<ManuallyDrop<File>>,
    index_path: PathBuf,
    /// Keeps the log's index in place, and is asked when the files cannot be read.
    connection: Mutex<Connection>,
}

impl Watch {
    pub fn new(path: &Path, connection: Connection) -> Self {
        let mut index_path = path.as_os_str().to_owned();
        index_path.push("-shm");
        Watch {
            header: File::open(path).ok().map(ManuallyDrop::new),
            index: OnceLock::new(),
            index_path: index_path.into(),
            connection: Mutex::new(connection),
        }
    }

    /// Another number after every commit; `None` when it cannot be known.
    pub fn generation(&self) -> Option<u64> {
        self.index_version().or_else(|| self.header_version()).or_else(|| self.ask())
    }

    fn index_version(&self) -> Option<u64> {
        let mut bytes = [0; INDEX_HEADER];
        self.index.get()?.read_exact_at(&mut bytes, 0).ok()?;
        Some(xxh3_64(&bytes))
    }

    fn header_version(&self) -> Option<u64> {
        let file = self.header.as_ref()?;
        let mut bytes = [0; HEADER + 16];
        file.read_exact_at(&mut bytes[..HEADER], 0).ok()?;
        if bytes[READ_VERSION_AT] == WITH_LOG {
            self.open_index()?;
            return self.index_version();
        }
        // A writer that crashes gives its number back; the time of change tells the next one from it.
        let times = file.metadata().ok()?;
        bytes[HEADER..HEADER + 8].copy_from_slice(&times.mtime().to_ne_bytes());
        bytes[HEADER + 8..].copy_from_slice(&times.mtime_nsec().to_ne_bytes());
        Some(xxh3_64(&bytes))
    }

    /// The index is there once our own connection has read with the log.
    fn open_index(&self) -> Option<()> {
        self.ask()?;
        let file = ManuallyDrop::new(File::open(&self.index_path).ok()?);
        // Lost against another thread, the file stays open all the same: see above.
        let _ = self.index.set(file);
        Some(())
    }

    fn ask(&self) -> Option<u64> {
        let connection = lock(&self.connection);
        let mut statement = connection.prepare_cached("PRAGMA data_version").ok()?;
        statement.query_row([], |row| row.get::<_, u32>(0)).ok().map(u64::from)
    }
}

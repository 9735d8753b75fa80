//! Connections to one SQLite file: a few readers, one writer, and one that only watches for changes.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::Result;
use super::failure::{Failure, database};
use super::functions;
use super::schema;
use super::session::Session;
use super::sql::Dialect;
use super::watch::Watch;
use super::writer::Writer;

/// How long to wait for a lock held by another process.
pub(super) const BUSY_TIMEOUT_S: u64 = 10;
/// How long a search may take.
pub(super) const READ_S: u64 = 30;
/// Steps of SQLite's machine after which it asks whether to go on: well below a millisecond.
const STEPS_BETWEEN_LOOKS: std::ffi::c_int = 10_000;
const READERS_MAX: usize = 16;
pub(super) const CACHED_STATEMENTS: usize = 128;
const MMAP_BYTES: i64 = 1 << 30;

thread_local! {
    /// When the read of this thread has to be over.
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// All connections to one file.
pub(super) struct Connections {
    path: PathBuf,
    immutable: bool,
    readers: Box<[Mutex<Option<Connection>>]>,
    writer: Writer,
    dialect: Dialect,
    /// `None` when nobody else writes.
    watch: Option<Watch>,
    commits: AtomicU64,
    owned: bool,
}

impl Connections {
    /// Opens an existing file. `owned` promises that no other process writes to it.
    pub fn open(path: &Path, owned: bool, uri: &str) -> Result<Self> {
        let cores = std::thread::available_parallelism().map_or(4, usize::from);
        let readers = (0..(2 * cores).clamp(4, READERS_MAX)).map(|_| Mutex::new(None)).collect();
        let (first, immutable) = open_first(path)?;
        schema::check(&Session::Sqlite(&first, Dialect::Sqlite { fulltext: false }), uri)?;
        let sql = "SELECT count(*) FROM sqlite_schema WHERE name = 'metadata_fts5'";
        let tables: i64 =
            first.query_row(sql, [], |row| row.get(0)).map_err(|error| database("opening it", error))?;
        let dialect = Dialect::Sqlite { fulltext: tables > 0 };
        let watch = if owned || immutable { None } else { Some(Watch::new(path, first)) };
        let commits = AtomicU64::new(1);
        let path = path.to_owned();
        let writer = Writer::default();
        Ok(Connections { path, immutable, readers, writer, dialect, watch, commits, owned })
    }

    /// Runs `work` on a reader; with `whole`, all its statements see one state.
    pub fn read<T>(
        &self,
        whole: bool,
        work: &mut dyn FnMut(&Session<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut slot = self.reader();
        let connection = match &mut *slot {
            Some(connection) => connection,
            empty => empty.insert(open_reader(&self.path, self.immutable)?),
        };
        DEADLINE.set(Some(Instant::now() + Duration::from_secs(READ_S)));
        let _transaction = if whole { Some(connection.unchecked_transaction()?) } else { None };
        work(&Session::Sqlite(connection, self.dialect))
    }

    /// So many writes were asked for.
    pub fn writes(&self) -> u64 {
        self.writer.asked()
    }

    /// Runs `work` in a transaction of the writer and commits it; nothing is kept when it fails.
    pub fn write<T>(
        &self,
        doing: &'static str,
        work: &mut dyn FnMut(&Session<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let value = self.writer.write(&self.path, self.owned, doing, self.dialect, work)?;
        self.commits.fetch_add(1, Ordering::AcqRel);
        Ok(value)
    }

    /// A number that is another one after any commit of anybody.
    pub fn generation(&self) -> u64 {
        let ours = || self.commits.load(Ordering::Acquire);
        match &self.watch {
            None => ours(),
            // Not to be known now: a number that was never given before.
            Some(watch) => watch.generation().unwrap_or_else(|| self.commits.fetch_add(1, Ordering::AcqRel)),
        }
    }

    /// The reader this thread used last if it is free, else another that is, else waits for its own.
    fn reader(&self) -> MutexGuard<'_, Option<Connection>> {
        thread_local! {
            static PLACE: Cell<usize> = const { Cell::new(usize::MAX) };
        }
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        if PLACE.get() == usize::MAX {
            PLACE.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        let count = self.readers.len();
        let own = PLACE.get() % count;
        let mut places = (own..count).chain(0..own);
        match places.find_map(|place| self.readers[place].try_lock().ok()) {
            Some(slot) => slot,
            None => lock(&self.readers[own]),
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Opens the file for the first time. A database in a place where nothing can be written, not even the lock
/// files of a write-ahead log, is read as one that nobody changes.
fn open_first(path: &Path) -> Result<(Connection, bool)> {
    const DOING: &str = "opening it";
    let probe = |connection: &Connection| {
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0)).map(|_| ())
    };
    let first = open_reader(path, false).and_then(|connection| probe(&connection).map(|()| connection));
    match first {
        Ok(connection) => Ok((connection, false)),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::CannotOpen) && !has_log(path) => {
            let connection = open_reader(path, true).map_err(|error| database(DOING, error))?;
            probe(&connection).map_err(|error| database(DOING, error))?;
            Ok((connection, true))
        }
        Err(error) => Err(database(DOING, error)),
    }
}

fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).is_ok_and(|log| log.len() > 0)
}

fn open_reader(path: &Path, immutable: bool) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = if immutable {
        let encoded = percent_encoding::utf8_percent_encode(
            &path.to_string_lossy(),
            percent_encoding::NON_ALPHANUMERIC,
        )
        .to_string()
        .replace("%2F", "/");
        Connection::open_with_flags(
            format!("file:{encoded}?immutable=1"),
            flags | OpenFlags::SQLITE_OPEN_URI,
        )?
    } else {
        Connection::open_with_flags(path, flags)?
    };
    connection.busy_timeout(Duration::from_secs(BUSY_TIMEOUT_S))?;
    connection.pragma_update(None, "mmap_size", MMAP_BYTES)?;
    // Without it SQLite plans a cached statement anew whenever a parameter changes that it took into account.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    functions::register(&connection)?;
    let overdue = || DEADLINE.get().is_some_and(|deadline| Instant::now() > deadline);
    connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(overdue))?;
    Ok(connection)
}

//! The one connection that writes to an SQLite file. Writes that wait for each other share a transaction: each
//! has a savepoint of its own, the last one commits, and none is acknowledged before that. A commit costs a
//! flush to the disk, whatever is in it.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use super::connection::{BUSY_TIMEOUT_S, CACHED_STATEMENTS, lock};
use super::failure::{Failure, database};
use super::session::Session;
use super::sql::Dialect;
use super::{CatalogError, Result};

/// So many writes share a commit at most, and none waits longer for the others to do their work.
const SHARED_MAX: usize = 256;
const SHARED_FOR: Duration = Duration::from_millis(50);
/// Negative: SQLite takes it as KiB.
const CACHE_KIB: i64 = -32 * 1024;

/// The writer of one file.
#[derive(Default)]
pub(super) struct Writer {
    state: Mutex<State>,
    /// Threads that are about to take the lock: the transaction can be left open for them.
    coming: AtomicUsize,
    asked: AtomicU64,
}

#[derive(Default)]
struct State {
    connection: Option<Connection>,
    open: Option<Open>,
}

/// A transaction that is not committed yet.
struct Open {
    shared: Arc<Shared>,
    size: usize,
    since: Instant,
}

/// How the transaction ends, for all who share it.
#[derive(Default)]
struct Shared {
    end: Mutex<Option<Result<(), Lost>>>,
    ended: Condvar,
}

/// Why a transaction was not committed.
#[derive(Clone)]
enum Lost {
    Busy,
    Other(String),
}

impl Lost {
    fn into_error(self, doing: &'static str) -> CatalogError {
        match self {
            Lost::Busy => CatalogError::Busy(BUSY_TIMEOUT_S),
            Lost::Other(reason) => CatalogError::Database { doing, source: reason.into() },
        }
    }
}

impl Writer {
    /// So many writes were asked for since the start.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// Runs `work` in a transaction and gives its value once that is committed; nothing of it is kept when it
    /// fails. `owned` promises that nobody needs the file after this process.
    pub fn write<T>(
        &self,
        path: &Path,
        owned: bool,
        doing: &'static str,
        dialect: Dialect,
        work: &mut dyn FnMut(&Session<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let asked = Instant::now();
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.coming.fetch_add(1, Ordering::AcqRel);
        let mut guard = lock(&self.state);
        self.coming.fetch_sub(1, Ordering::AcqRel);
        let state = &mut *guard;
        if state.open.is_none() && asked.elapsed() > Duration::from_secs(BUSY_TIMEOUT_S) {
            return Err(CatalogError::Busy(BUSY_TIMEOUT_S).into());
        }
        let connection = match &mut state.connection {
            Some(connection) => &*connection,
            empty => &*empty.insert(open(path, owned)?),
        };
        let alone = state.open.is_none();
        let open = match &mut state.open {
            Some(open) => open,
            empty => {
                connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
                empty.insert(Open { shared: Arc::default(), size: 0, since: Instant::now() })
            }
        };
        open.size += 1;
        let (shared, full) =
            (open.shared.clone(), open.size >= SHARED_MAX || open.since.elapsed() > SHARED_FOR);
        let done = catch_unwind(AssertUnwindSafe(|| part(connection, dialect, alone, work)));
        let kept = matches!(done, Ok(Ok(_)));
        if connection.is_autocommit() {
            // Rolled back: by us, or with all that was done before by the database itself.
            state.open = None;
            let reason = match &done {
                Ok(Err(Failure::Sql(error))) => error.to_string(),
                _ => "the transaction was rolled back".to_owned(),
            };
            shared.finish(Err(Lost::Other(reason)));
        } else if full || self.coming.load(Ordering::Acquire) == 0 {
            state.open = None;
            shared.finish(commit(connection));
        }
        drop(guard);
        match done {
            Ok(Ok(value)) if kept => {
                shared.wait().map(|()| value).map_err(|lost| lost.into_error(doing).into())
            }
            Ok(result) => result,
            Err(panic) => resume_unwind(panic),
        }
    }
}

impl Shared {
    fn finish(&self, end: Result<(), Lost>) {
        lock(&self.end).get_or_insert(end);
        self.ended.notify_all();
    }

    fn wait(&self) -> Result<(), Lost> {
        let mut end = lock(&self.end);
        loop {
            match &*end {
                Some(end) => return end.clone(),
                None => end = self.ended.wait(end).unwrap_or_else(std::sync::PoisonError::into_inner),
            }
        }
    }
}

/// Ends the part of the transaction that is not kept, also when the work panics.
struct Undo<'c> {
    connection: &'c Connection,
    sql: &'static str,
    armed: bool,
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        // Where the database has rolled everything back itself there is nothing to undo.
        if self.armed && !self.connection.is_autocommit() && self.connection.execute_batch(self.sql).is_err()
        {
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }
}

/// One write's part of the transaction. The first needs no savepoint: what fails alone is rolled back as a whole.
fn part<T>(
    connection: &Connection,
    dialect: Dialect,
    first: bool,
    work: &mut dyn FnMut(&Session<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut sql = "ROLLBACK";
    if !first {
        connection.prepare_cached("SAVEPOINT part")?.execute([])?;
        sql = "ROLLBACK TO part; RELEASE part";
    }
    let mut undo = Undo { connection, sql, armed: true };
    let value = work(&Session::Sqlite(connection, dialect))?;
    if !first {
        connection.prepare_cached("RELEASE part")?.execute([])?;
    }
    undo.armed = false;
    Ok(value)
}

/// Commits, waiting for readers of other processes where the journal mode makes them stand in the way.
fn commit(connection: &Connection) -> Result<(), Lost> {
    let committed = connection.prepare_cached("COMMIT").and_then(|mut statement| statement.execute([]));
    committed.map(|_| ()).map_err(|error| {
        if !connection.is_autocommit() {
            let _ = connection.execute_batch("ROLLBACK");
        }
        match database("committing", error) {
            CatalogError::Busy(_) => Lost::Busy,
            other => Lost::Other(other.to_string()),
        }
    })
}

fn open(path: &Path, owned: bool) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(BUSY_TIMEOUT_S))?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", CACHE_KIB)?;
    // Statements with triggers keep a journal of their own: in a file, it would be most of what is written.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // Flushes at every commit; EXTRA also the removal of the journal in the modes that have one.
    connection.pragma_update(None, "synchronous", if owned { "OFF" } else { "EXTRA" })?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    keep_a_log(&connection);
    Ok(connection)
}

/// Gives the file a write-ahead log, as Tiled gives its catalogs: readers and a writer do not wait for each other,
/// and a commit is one flush. Copies (`.backup`, `VACUUM INTO`) have lost it. Where it cannot be had now, because
/// of others or of the file system, the file stays as it is.
fn keep_a_log(connection: &Connection) {
    let mode = connection.query_row("PRAGMA journal_mode", [], |row| row.get::<_, String>(0));
    if mode.is_ok_and(|mode| mode != "wal" && mode != "off" && mode != "memory") {
        let _ = connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()));
    }
}

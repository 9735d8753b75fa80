//! Open databases, shared by all requests: one handle for each, a few idle connections, closed when nobody has asked for a
//! while, so that a file of DuckDB is free for other programs then.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hasher as _},
    ops::{Deref, DerefMut},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use adbc_core::{
    Driver,
    options::{OptionDatabase, OptionValue},
};
use adbc_driver_manager::ManagedDatabase;
use tiled_plugin_api::author::{Error, ErrorKind, Result};

use crate::{
    address::{Address, Dialect},
    driver,
    session::{Session, kind_of, may_try_again},
};

/// Without a request for so long, connections and then databases are closed.
const IDLE: Duration = Duration::from_secs(5);
/// Connections kept for later.
const KEPT: usize = 8;
/// DuckDB would take most of the machine's memory; beyond this it uses a file.
const DUCKDB_MEMORY: &str = "1GiB";
/// Attempts at what other writers may be in the way of.
const ATTEMPTS: u32 = 6;

/// An open database.
pub struct Pool {
    address: Address,
    database: ManagedDatabase,
    idle: Mutex<Vec<(Session, Instant)>>,
    /// Embedded databases have one writer at a time.
    writing: Mutex<()>,
    /// How often something was written from here.
    writes: Arc<AtomicU64>,
}

/// The place of one database, open or not.
#[derive(Default)]
struct Slot {
    pool: Mutex<Option<Arc<Pool>>>,
    writes: Arc<AtomicU64>,
}

#[derive(Default)]
struct Slots {
    by_address: HashMap<Address, Arc<Slot>>,
    /// Whether the thread that closes idle ones runs.
    watched: bool,
    stopping: bool,
}

static SLOTS: Mutex<Option<Slots>> = Mutex::new(None);
static WAKE: Condvar = Condvar::new();

/// A lock whose holder panicked still guards sound data here: every change is one step.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The database at this address, opened if need be.
///
/// # Errors
/// `Busy` without a driver, or when it cannot be opened; as of the database.
pub fn open(address: &Address) -> Result<Arc<Pool>> {
    let slot = {
        let mut guard = held(&SLOTS);
        let slots = guard.get_or_insert_default();
        if !slots.watched {
            slots.watched = std::thread::Builder::new().name("sql-idle".into()).spawn(watch).is_ok();
        }
        slots.by_address.entry(address.clone()).or_default().clone()
    };
    // Only those who want this very database wait for its opening.
    let mut pool = held(&slot.pool);
    if let Some(pool) = &*pool {
        return Ok(pool.clone());
    }
    let opened = Arc::new(Pool::open(address, slot.writes.clone())?);
    *pool = Some(opened.clone());
    Ok(opened)
}

/// Closes what nobody uses, for the end of the server.
pub fn close_all() {
    let slots = {
        let mut guard = held(&SLOTS);
        let Some(slots) = guard.as_mut() else { return };
        slots.stopping = true;
        std::mem::take(&mut slots.by_address)
    };
    WAKE.notify_all();
    for slot in slots.into_values() {
        held(&slot.pool).take();
    }
}

/// Closes idle connections and databases until the server ends.
fn watch() {
    let mut guard = held(&SLOTS);
    loop {
        let waited = WAKE.wait_timeout(guard, IDLE / 2);
        guard = waited.unwrap_or_else(PoisonError::into_inner).0;
        let Some(slots) = guard.as_ref() else { return };
        if slots.stopping {
            return;
        }
        let all: Vec<Arc<Slot>> = slots.by_address.values().cloned().collect();
        // Closing may write to a disk.
        drop(guard);
        for slot in all {
            let mut held_pool = held(&slot.pool);
            if let Some(pool) = &*held_pool {
                pool.close_idle();
                if Arc::strong_count(pool) == 1 && held(&pool.idle).is_empty() {
                    *held_pool = None;
                }
            }
        }
        guard = held(&SLOTS);
    }
}

impl Pool {
    fn open(address: &Address, writes: Arc<AtomicU64>) -> Result<Self> {
        let text = |text: &str| OptionValue::String(text.to_owned());
        let mut options = Vec::new();
        match address.dialect {
            Dialect::DuckDb => {
                options.push((OptionDatabase::Other("path".into()), text(&address.place)));
                options.push((OptionDatabase::Other("memory_limit".into()), text(DUCKDB_MEMORY)));
            }
            Dialect::Sqlite | Dialect::Postgres => options.push((OptionDatabase::Uri, text(&address.place))),
        }
        let mut driver = driver::load(address.dialect)?;
        let database = driver
            .new_database_with_opts(options)
            .map_err(|error| kind_of(&error, address.dialect, &address.public))?;
        let (idle, writing) = (Mutex::default(), Mutex::default());
        Ok(Pool { address: address.clone(), database, idle, writing, writes })
    }

    fn close_idle(&self) {
        let old: Vec<(Session, Instant)> =
            held(&self.idle).extract_if(.., |(_, since)| since.elapsed() > IDLE).collect();
        drop(old);
    }

    /// A connection, which goes back to the others when [`Lent::give_back`] is called, and is closed else.
    ///
    /// # Errors
    /// `Busy` when the database cannot be reached.
    pub fn session(self: &Arc<Self>) -> Result<Lent> {
        // Not in the loop's head, where the lock would be held through its body.
        let next = || held(&self.idle).pop();
        while let Some((mut session, since)) = next() {
            // The server may have closed it meanwhile.
            let trusted = self.address.dialect != Dialect::Postgres || since.elapsed() < IDLE / 10;
            if trusted || session.integers("SELECT 1").is_ok() {
                return Ok(Lent { session: Some(session), pool: self.clone() });
            }
        }
        let session = Session::connect(&self.database, &self.address)?;
        Ok(Lent { session: Some(session), pool: self.clone() })
    }

    /// A connection, and the answer to its first question. One that turns out to be dead, as all are after the database
    /// server started anew, is replaced once.
    ///
    /// # Errors
    /// Those of `ask`; `Busy` when the database cannot be reached.
    pub fn first<T>(self: &Arc<Self>, ask: impl Fn(&mut Session) -> Result<T>) -> Result<(Lent, T)> {
        let mut session = self.session()?;
        match ask(&mut session) {
            Err(error) if self.address.dialect == Dialect::Postgres && error.kind == ErrorKind::Busy => {}
            done => return done.map(|answer| (session, answer)),
        }
        drop(session);
        // The others that wait are as dead.
        let dead = std::mem::take(&mut *held(&self.idle));
        drop(dead);
        let mut session = self.session()?;
        let answer = ask(&mut session)?;
        Ok((session, answer))
    }

    /// Does `work` in one transaction, again where other writers were in the way.
    ///
    /// # Errors
    /// Those of `work`; then nothing was changed.
    pub fn transaction<T>(self: &Arc<Self>, mut work: impl FnMut(&mut Session) -> Result<T>) -> Result<T> {
        let turn = (self.address.dialect != Dialect::Postgres).then(|| held(&self.writing));
        let mut attempt = 0;
        let done = loop {
            attempt += 1;
            let (mut session, ()) = self.first(Session::begin)?;
            match work(&mut session).and_then(|done| session.commit().map(|()| done)) {
                Ok(done) => {
                    session.give_back();
                    break done;
                }
                Err(error) => {
                    if session.rollback().is_ok() {
                        session.give_back();
                    }
                    if !may_try_again(&error) || attempt == ATTEMPTS {
                        return Err(error);
                    }
                    std::thread::sleep(Duration::from_millis(5 << (2 * attempt)));
                }
            }
        };
        self.writes.fetch_add(1, Ordering::SeqCst);
        drop(turn);
        Ok(done)
    }

    /// Changes whenever what is in the database may have changed.
    ///
    /// # Errors
    /// `Busy` when the database cannot be reached.
    pub fn revision(self: &Arc<Self>) -> Result<u64> {
        let mut hash = DefaultHasher::new();
        hash.write_u64(self.writes.load(Ordering::SeqCst));
        if self.address.dialect == Dialect::Postgres {
            // Which transactions are seen is all there is to what is seen.
            let snapshot =
                |session: &mut Session| session.texts("SELECT CAST(pg_current_snapshot() AS text)");
            let (session, texts) = self.first(snapshot)?;
            for text in texts {
                hash.write(text.as_bytes());
            }
            session.give_back();
        } else {
            // Other processes: every commit writes to one of these files.
            for suffix in ["", "-wal", ".wal"] {
                hash.write(&stamp(&format!("{}{suffix}", self.address.place)));
            }
        }
        Ok(hash.finish().max(1))
    }
}

/// Length and time of a file; nothing where there is none.
fn stamp(path: &str) -> Vec<u8> {
    use std::os::unix::fs::MetadataExt;
    let Ok(meta) = std::fs::metadata(path) else { return vec![] };
    [meta.len(), meta.mtime() as u64, meta.mtime_nsec() as u64].iter().flat_map(|n| n.to_le_bytes()).collect()
}

/// A connection that is in use.
pub struct Lent {
    session: Option<Session>,
    pool: Arc<Pool>,
}

impl Lent {
    /// Keeps the connection for others. Only where no query runs and no transaction is open.
    pub fn give_back(mut self) {
        if let Some(session) = self.session.take() {
            let mut idle = held(&self.pool.idle);
            if idle.len() < KEPT {
                idle.push((session, Instant::now()));
            }
        }
    }
}

impl Deref for Lent {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.session.as_ref().unwrap_or_else(|| unreachable!("taken only by give_back, which takes self"))
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut Session {
        self.session.as_mut().unwrap_or_else(|| unreachable!("taken only by give_back, which takes self"))
    }
}

/// The database of a storage's URI.
///
/// # Errors
/// As [`open`]; `InvalidArgument` for a URI that names none.
pub fn open_uri(uri: &str) -> Result<Arc<Pool>> {
    let address = Address::parse(uri)?;
    if address.dialect != Dialect::Postgres {
        let folder = std::path::Path::new(&address.place).parent();
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            let message = format!("{}: the folder {} is not there", address.public, folder.display());
            return Err(Error::new(ErrorKind::Busy, message));
        }
    }
    open(&address)
}

//! Connections to one PostgreSQL database: a bounded pool, and one more that only watches for commits.
//!
//! Each connection has a runtime of its own, driven by the thread that uses it: an answer wakes no other thread.
//! A thread of a server's runtime hands its other work on before it waits.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use tokio_postgres::Config;
use xxhash_rust::xxh3::xxh3_64;

use super::connection::lock;
use super::failure::Failure;
use super::link::Link;
use super::session::Session;
use super::{CatalogError, Result};

/// How long to wait for a free connection or a lock.
pub(super) const WAIT_S: u64 = 10;
const CONNECTIONS_MAX: usize = 16;
/// A transaction that could not be serialized with others is tried so often.
const ATTEMPTS: u32 = 10;
const FIRST_PAUSE: Duration = Duration::from_millis(2);

/// All connections to one database.
pub(super) struct Pool {
    config: Config,
    idle: Mutex<Idle>,
    freed: Condvar,
    watch: Mutex<Watch>,
    /// Looks at the database's state that have begun.
    looks: AtomicU64,
}

#[derive(Default)]
struct Idle {
    links: Vec<Link>,
    open: usize,
}

/// What the last look found.
#[derive(Default)]
struct Watch {
    link: Option<Link>,
    look: u64,
    state: u64,
}

impl Pool {
    pub fn new(config: Config) -> Self {
        Pool {
            config,
            idle: Mutex::default(),
            freed: Condvar::new(),
            watch: Mutex::default(),
            looks: AtomicU64::new(0),
        }
    }

    /// Runs `work` on a connection; with `whole`, all its statements see one state. A connection that turns out
    /// to be dead, as all are after the server started anew, is replaced once.
    pub fn read<T>(
        &self,
        whole: bool,
        work: &mut dyn FnMut(&Session<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        blocking(|| {
            let mut again = true;
            loop {
                let lease = self.lease()?;
                let begin = whole.then_some("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
                let done = lease.link().transaction(begin, work);
                match done {
                    Err(failure) if failure.is_lost() && again => again = false,
                    done => return done,
                }
                self.forget(lease);
            }
        })
    }

    /// Runs `work` in a transaction and commits it; nothing is kept when it fails. Only when the connection goes
    /// while the commit is under way, nobody knows; the error says so.
    pub fn write<T>(&self, work: &mut dyn FnMut(&Session<'_>) -> Result<T, Failure>) -> Result<T, Failure> {
        blocking(|| {
            let mut pause = FIRST_PAUSE;
            let mut again = true;
            for _ in 0..ATTEMPTS {
                let lease = self.lease()?;
                match lease.link().transaction(Some("BEGIN"), work) {
                    // Before the commit was asked for nothing is kept.
                    Err(failure) if failure.is_lost() && again => {
                        again = false;
                        self.forget(lease);
                    }
                    Err(failure) if failure.is_retryable() => {
                        drop(lease);
                        std::thread::sleep(pause.mul_f64(0.5 + rand::random::<f64>()));
                        pause = (pause * 2).min(Duration::from_millis(200));
                    }
                    done => return done,
                }
            }
            Err(CatalogError::Busy(WAIT_S).into())
        })
    }

    /// A number that is another one after any commit of anybody. The database is asked each time; threads that
    /// wait for each other share what was asked after they came.
    pub fn generation(&self) -> Result<u64, Failure> {
        blocking(|| {
            let seen = self.looks.load(Ordering::Acquire);
            let mut watch = lock(&self.watch);
            if watch.look > seen {
                return Ok(watch.state);
            }
            let look = self.looks.fetch_add(1, Ordering::AcqRel) + 1;
            let state = match watch.link.take() {
                None => self.look(&mut watch),
                Some(link) => match state(&link) {
                    Err(failure) if failure.is_lost() => self.look(&mut watch),
                    done => {
                        watch.link = Some(link);
                        done
                    }
                },
            }?;
            (watch.look, watch.state) = (look, state);
            Ok(state)
        })
    }

    fn look(&self, watch: &mut Watch) -> Result<u64, Failure> {
        let link = Link::open(&self.config)?;
        let state = state(&link)?;
        watch.link = Some(link);
        Ok(state)
    }

    fn lease(&self) -> Result<Lease<'_>, Failure> {
        let until = Instant::now() + Duration::from_secs(WAIT_S);
        let mut idle = lock(&self.idle);
        loop {
            if let Some(link) = idle.links.pop() {
                return Ok(Lease { pool: self, link: Some(link) });
            }
            if idle.open < CONNECTIONS_MAX {
                idle.open += 1;
                drop(idle);
                // Counts as open until the lease ends, also when opening fails.
                let mut lease = Lease { pool: self, link: None };
                lease.link = Some(Link::open(&self.config)?);
                return Ok(lease);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(CatalogError::Busy(WAIT_S).into());
            }
            idle = self
                .freed
                .wait_timeout(idle, left)
                .map_or_else(|poisoned| poisoned.into_inner().0, |(idle, _)| idle);
        }
    }

    /// Ends a dead connection, and those that wait: they are as dead.
    fn forget(&self, mut lease: Lease<'_>) {
        lease.link = None;
        let mut idle = lock(&self.idle);
        let dead = std::mem::take(&mut idle.links);
        idle.open -= dead.len();
        drop(idle);
        self.freed.notify_all();
    }
}

/// A connection in use, given back at the end.
struct Lease<'p> {
    pool: &'p Pool,
    link: Option<Link>,
}

impl Lease<'_> {
    #[expect(clippy::expect_used, reason = "a lease that was given has its connection until it ends")]
    fn link(&self) -> &Link {
        self.link.as_ref().expect("a lease has its connection")
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut idle = lock(&self.pool.idle);
        match self.link.take().filter(Link::is_usable) {
            Some(link) => idle.links.push(link),
            None => idle.open -= 1,
        }
        drop(idle);
        self.pool.freed.notify_one();
    }
}

/// Which transactions a new statement sees: another text after every commit in the cluster, for as long as the
/// server's files are the same.
fn state(link: &Link) -> Result<u64, Failure> {
    let sql = "SELECT CAST(pg_current_snapshot() AS TEXT) || ' ' || CAST(pg_postmaster_start_time() AS TEXT)";
    let text = Session::Postgres(link).first(sql, &[], |row| row.string(0))?.unwrap_or_default();
    Ok(xxh3_64(text.as_bytes()))
}

/// Runs what waits for a database, or for a disk, without keeping a thread of a runtime from its other work.
pub(super) fn blocking<T>(work: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    match Handle::try_current() {
        Ok(handle) if handle.runtime_flavor() == RuntimeFlavor::MultiThread => {
            tokio::task::block_in_place(work)
        }
        _ => work(),
    }
}

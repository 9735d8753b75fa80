//! Turns of servers that share a catalog. Values are kept beside the catalog, in files that nothing guards: who is about to
//! change those of a data source takes its turn here, alone or beside others, and holds it until the catalog tells of the
//! change. A turn ends with the process that holds it, however that ends.
//!
//! With SQLite a turn is a lock on a byte of the file `CATALOG-turns`, whose offset is the number of the data source: all who
//! use such a catalog are on one machine. With PostgreSQL it is an advisory lock of the database. Tiled takes none.

use std::fs::{File, OpenOptions};
use std::io::Error;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use tokio_postgres::Config;

use super::connection::lock;
use super::failure::Failure;
use super::link::Link;
use super::postgres::blocking;
use super::session::Session;
use super::sql::Param;
use super::{Catalog, CatalogError, Result};

const DOING: &str = "waiting for other servers that write";

/// Where turns are taken.
pub(super) enum Turns {
    /// Nobody else has this catalog.
    Ours,
    /// Locks on this file.
    File(PathBuf),
    /// Advisory locks.
    Postgres(Arc<Keeper>),
}

/// A turn, until it is dropped.
pub struct Held(#[allow(dead_code, reason = "held for its drop")] Lock);

#[allow(dead_code, reason = "held for their drop")]
enum Lock {
    None,
    File(File),
    Postgres(Advisory),
}

impl Catalog {
    /// Takes the turn to change the values of a data source, `alone` or beside others who are not; `None` when somebody
    /// has it, here or in another server.
    ///
    /// # Errors
    /// `Unavailable`, `Database`.
    pub fn try_turn(&self, data_source: i64, alone: bool) -> Result<Option<Held>> {
        let held = match &self.turns {
            Turns::Ours => Some(Lock::None),
            Turns::File(path) => {
                let taken = take(path, data_source, alone);
                let failed = |error| CatalogError::Database { doing: DOING, source: Box::new(error) };
                taken.map_err(failed)?.map(Lock::File)
            }
            Turns::Postgres(keeper) => {
                let taken = keeper.take(data_source, alone);
                taken.map_err(|failure| failure.into_error(DOING))?.map(Lock::Postgres)
            }
        };
        Ok(held.map(Held))
    }
}

impl Turns {
    /// Those of an SQLite file.
    pub fn beside(catalog: &Path) -> Self {
        let mut path = catalog.as_os_str().to_owned();
        path.push("-turns");
        Turns::File(path.into())
    }
}

/// The lock goes with the opened file: two of one process keep each other out, too.
fn take(path: &Path, data_source: i64, alone: bool) -> Result<Option<File>, Error> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    let kind = if alone { libc::F_WRLCK } else { libc::F_RDLCK };
    let place = libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: data_source,
        l_len: 1,
        l_pid: 0,
    };
    match fcntl(&file, FcntlArg::F_OFD_SETLK(&place)) {
        Ok(_) => Ok(Some(file)),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(None),
        Err(error) => Err(Error::other(format!("{}: {error}", path.display()))),
    }
}

/// The connection that holds the advisory locks of this server.
pub(super) struct Keeper {
    config: Config,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    link: Option<Link>,
    /// How many connections there were: locks end with theirs.
    number: u64,
}

struct Advisory {
    keeper: Arc<Keeper>,
    connection: u64,
    key: i64,
    alone: bool,
}

impl Keeper {
    pub fn new(config: Config) -> Arc<Self> {
        Arc::new(Keeper { config, open: Mutex::default() })
    }

    fn take(self: &Arc<Self>, data_source: i64, alone: bool) -> Result<Option<Advisory>, Failure> {
        let key = key(data_source);
        let sql = if alone {
            "SELECT pg_try_advisory_lock(CAST(?1 AS bigint))"
        } else {
            "SELECT pg_try_advisory_lock_shared(CAST(?1 AS bigint))"
        };
        blocking(|| {
            let mut open = lock(&self.open);
            let taken = match open.ask(&self.config, sql, key) {
                // As all are after the database server started anew.
                Err(failure) if failure.is_lost() => open.ask(&self.config, sql, key),
                done => done,
            }?;
            let connection = open.number;
            Ok(taken.then(|| Advisory { keeper: self.clone(), connection, key, alone }))
        })
    }
}

impl Open {
    fn ask(&mut self, config: &Config, sql: &str, key: i64) -> Result<bool, Failure> {
        let link = match &mut self.link {
            Some(link) => &*link,
            empty => {
                self.number += 1;
                &*empty.insert(Link::open(config)?)
            }
        };
        let answer = Session::Postgres(link).integer(sql, &[Param::Int(key)]);
        // Not for any failure: others hold their turns by this connection.
        if answer.as_ref().is_err_and(Failure::is_lost) || !link.is_usable() {
            self.link = None;
        }
        Ok(answer?.is_some_and(|taken| taken != 0))
    }
}

impl Drop for Advisory {
    fn drop(&mut self) {
        let sql = if self.alone {
            "SELECT pg_advisory_unlock(CAST(?1 AS bigint))"
        } else {
            "SELECT pg_advisory_unlock_shared(CAST(?1 AS bigint))"
        };
        blocking(|| {
            let mut open = lock(&self.keeper.open);
            // Where it cannot be given back it has gone with its connection.
            if open.number == self.connection && open.link.is_some() {
                let _ = open.ask(&self.keeper.config, sql, self.key);
            }
        });
    }
}

/// The number of a lock: the upper half tells ours from those of other programs in the database.
fn key(data_source: i64) -> i64 {
    const OURS: i64 = 0x7469_6c65 << 32;
    OURS | (data_source & 0xffff_ffff)
}

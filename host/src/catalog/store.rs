//! The database behind a catalog: runs work on a session of it and puts failures into the room's words.

use super::connection::Connections;
use super::failure::Failure;
use super::postgres::{Pool, blocking};
use super::session::Session;
use super::{CatalogError, Result};

/// Where the rows are.
pub(super) enum Store {
    Sqlite(Box<Connections>),
    Postgres(Box<Pool>),
}

impl Store {
    /// Runs `work`, which only reads. It may run again when a connection turns out to be dead.
    pub fn read<T>(
        &self,
        doing: &'static str,
        mut work: impl FnMut(&Session<'_>) -> Result<T, Failure>,
    ) -> Result<T> {
        let done = match self {
            Store::Sqlite(connections) => connections.read(false, &mut work),
            Store::Postgres(pool) => pool.read(false, &mut work),
        };
        done.map_err(|failure| failure.into_error(doing))
    }

    /// The same, with all statements seeing one state.
    pub fn read_whole<T>(
        &self,
        doing: &'static str,
        mut work: impl FnMut(&Session<'_>) -> Result<T, Failure>,
    ) -> Result<T> {
        let done = match self {
            Store::Sqlite(connections) => connections.read(true, &mut work),
            Store::Postgres(pool) => pool.read(true, &mut work),
        };
        done.map_err(|failure| failure.into_error(doing))
    }

    /// So many writes were asked for that wait for each other; 0 where they do not.
    pub fn writes(&self) -> u64 {
        match self {
            Store::Sqlite(connections) => connections.writes(),
            Store::Postgres(_) => 0,
        }
    }

    /// Runs `work` in a transaction and commits it; nothing is kept when it fails. It may run again when the
    /// database could not serialize it with others.
    pub fn write<T>(
        &self,
        doing: &'static str,
        mut work: impl FnMut(&Session<'_>) -> Result<T, Failure>,
    ) -> Result<T> {
        self.try_write(doing, &mut work).map_err(|failure| failure.into_error(doing))
    }

    /// The same for work that calls a function of the caller, whose refusal comes back as it is.
    pub fn write_for<T, E: From<CatalogError>>(
        &self,
        doing: &'static str,
        mut work: impl FnMut(&Session<'_>, &mut Option<E>) -> Result<T, Failure>,
    ) -> Result<T, E> {
        let mut refusal = None;
        let done = self.try_write(doing, &mut |session: &Session<'_>| work(session, &mut refusal));
        match (done, refusal) {
            (Err(Failure::Refused), Some(refusal)) => Err(refusal),
            (done, _) => done.map_err(|failure| failure.into_error(doing).into()),
        }
    }

    fn try_write<T>(
        &self,
        doing: &'static str,
        work: &mut dyn FnMut(&Session<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        match self {
            // Waits for the disk, and for others.
            Store::Sqlite(connections) => blocking(|| connections.write(doing, work)),
            Store::Postgres(pool) => pool.write(work),
        }
    }

    /// A number that is another one after any commit of anybody.
    pub fn generation(&self) -> u64 {
        match self {
            Store::Sqlite(connections) => connections.generation(),
            // Not to be known now: a number that was hardly given before.
            Store::Postgres(pool) => pool.generation().unwrap_or_else(|_| rand::random()),
        }
    }
}

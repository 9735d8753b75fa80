//! What an administrator does to a database as a whole: makes a catalog, looks at its version, brings it up to date.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::address::{Address, without_password};
use super::connection::BUSY_TIMEOUT_S;
use super::failure::{Failure, database};
use super::postgres::Pool;
use super::session::Session;
use super::sql::{Dialect, Param};
use super::{Catalog, CatalogError, REQUIRED_REVISION, Result, schema};

/// The version of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// What it is stamped with; `None` without a catalog.
    pub revision: Option<String>,
    /// What that means.
    pub standing: Standing,
}

/// Whether this server serves a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// As it is.
    Current,
    /// Once it is brought up to date.
    Upgradable,
    /// Once an older Tiled's database was brought up to date by Tiled itself.
    TooOld,
    /// Made by a newer Tiled or another program.
    Unrecognized,
    /// There is no catalog there.
    Missing,
}

/// One step of an upgrade, in the words of each database.
struct Step {
    from: &'static str,
    to: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

/// Tiled's newest migrations, oldest first. Those before them rewrite rows in Python.
const STEPS: [Step; 3] = [
    Step {
        from: "3bc110ce44e9",
        to: "0d4e1f2a3b4c",
        sqlite: include_str!("upgrades/sqlite_0d4e1f2a3b4c.sql"),
        postgres: include_str!("upgrades/postgres_0d4e1f2a3b4c.sql"),
    },
    Step {
        from: "0d4e1f2a3b4c",
        to: "3e87cbeb195b",
        sqlite: include_str!("upgrades/sqlite_3e87cbeb195b.sql"),
        postgres: include_str!("upgrades/postgres_3e87cbeb195b.sql"),
    },
    Step {
        from: "3e87cbeb195b",
        to: "917dbbcfc4b1",
        sqlite: include_str!("upgrades/sqlite_917dbbcfc4b1.sql"),
        postgres: include_str!("upgrades/postgres_917dbbcfc4b1.sql"),
    },
];

/// Whether [`Catalog::upgrade`] can bring this revision up to date.
pub(super) fn is_upgradable(revision: &str) -> bool {
    STEPS.iter().any(|step| step.from == revision)
}

impl Catalog {
    /// Makes a catalog in an SQLite file that is absent or empty, or in an existing PostgreSQL database. Says whether
    /// it made one: `false` when there is one already that can be served.
    ///
    /// # Errors
    /// `Address`, `Outdated`, `Unrecognized`; `Unavailable`, `Database`.
    pub fn init(uri: &str) -> Result<bool> {
        let made = match Address::parse(uri)? {
            Address::Memory => {
                let reason = "is in memory and would be gone at once; name a file".to_owned();
                return Err(CatalogError::Address { uri: uri.to_owned(), reason });
            }
            Address::File(path) => schema::create(&path)?,
            Address::Postgres(config) => {
                schema::create_in(&Pool::new(*config)).map_err(|failure| failure.into_error("creating it"))?
            }
        };
        Catalog::open(uri, false)?;
        Ok(made)
    }

    /// Looks at the version of a database.
    ///
    /// # Errors
    /// `Address`; `Unavailable`, `Database`.
    pub fn check(uri: &str) -> Result<Stamp> {
        let revision = match on(uri, "reading its revision", false, schema::revision) {
            Err(CatalogError::Missing { .. }) => None,
            done => done?,
        };
        let standing = match &revision {
            None => Standing::Missing,
            Some(revision) if revision == REQUIRED_REVISION => Standing::Current,
            Some(revision) if is_upgradable(revision) => Standing::Upgradable,
            Some(revision) if schema::is_older(revision) => Standing::TooOld,
            Some(_) => Standing::Unrecognized,
        };
        Ok(Stamp { revision, standing })
    }

    /// Brings a database of one of the versions before this one up to date, in one transaction. Gives the revisions
    /// it went through, none when it was up to date.
    ///
    /// # Errors
    /// `Missing`; `Outdated` when it is too old for us, `Unrecognized`; `Busy`, `Unavailable`, `Database`.
    pub fn upgrade(uri: &str) -> Result<Vec<&'static str>> {
        on(uri, "upgrading it", true, |session| {
            let revision = schema::revision(session)?.unwrap_or_default();
            let Some(first) = STEPS.iter().position(|step| step.from == revision) else {
                schema::check(session, uri)?;
                return Ok(Vec::new());
            };
            for step in &STEPS[first..] {
                session.script(match session.dialect() {
                    Dialect::Sqlite { .. } => step.sqlite,
                    Dialect::Postgres => step.postgres,
                })?;
            }
            session
                .execute("UPDATE alembic_version SET version_num = ?1", &[Param::text(REQUIRED_REVISION)])?;
            Ok(STEPS[first..].iter().map(|step| step.to).collect())
        })
    }
}

/// Runs `work` on a database that need not be one that we can serve; in a transaction if it writes.
fn on<T>(
    uri: &str,
    doing: &'static str,
    writes: bool,
    mut work: impl FnMut(&Session<'_>) -> Result<T, Failure>,
) -> Result<T> {
    let done = match Address::parse(uri)? {
        Address::Postgres(config) => {
            let pool = Pool::new(*config);
            if writes { pool.write(&mut work) } else { pool.read(false, &mut work) }
        }
        Address::File(path) if path.is_file() => on_file(&path, doing, writes, work)?,
        _ => return Err(CatalogError::Missing { uri: without_password(uri) }),
    };
    done.map_err(|failure| failure.into_error(doing))
}

fn on_file<T>(
    path: &Path,
    doing: &'static str,
    writes: bool,
    mut work: impl FnMut(&Session<'_>) -> Result<T, Failure>,
) -> Result<Result<T, Failure>> {
    let flags = if writes { OpenFlags::SQLITE_OPEN_READ_WRITE } else { OpenFlags::SQLITE_OPEN_READ_ONLY };
    let open = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(Duration::from_secs(BUSY_TIMEOUT_S))?;
        Ok(connection)
    };
    let mut connection = open().map_err(|error| database(doing, error))?;
    let dialect = Dialect::Sqlite { fulltext: false };
    if !writes {
        return Ok(work(&Session::Sqlite(&connection, dialect)));
    }
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(|error| database(doing, error))?;
    let done = work(&Session::Sqlite(&transaction, dialect));
    if done.is_ok() {
        transaction.commit().map_err(|error| database(doing, error))?;
    }
    Ok(done)
}

//! Making a catalog, and telling whether a file is one that we can serve.

use std::path::Path;

use rusqlite::Connection;

use super::address::without_password;
use super::admin::is_upgradable;
use super::failure::{Failure, database};
use super::postgres::Pool;
use super::session::Session;
use super::{CatalogError, Result};

/// The schema of Tiled 0.2.20.
pub const REQUIRED_REVISION: &str = "917dbbcfc4b1";

/// Tiled's earlier schemas, newest first.
const OLDER_REVISIONS: [&str; 27] = [
    "3e87cbeb195b",
    "0d4e1f2a3b4c",
    "3bc110ce44e9",
    "de302a096358",
    "c31f6a1d7e20",
    "9bc9b57294b9",
    "b93c79d197f4",
    "e8956581ecd5",
    "bf2fe0eb8ee8",
    "85a47342e78e",
    "4cf6011a8db5",
    "a86a48befff6",
    "dfbb7478c6bd",
    "a963a6c32a0c",
    "e05e918092c3",
    "7809873ea2c7",
    "9331ed94d6ac",
    "45a702586b2a",
    "ed3a4223a600",
    "e756b9381c14",
    "2ca16566d692",
    "1cd99c02d0c7",
    "a66028395cab",
    "3db11ff95b6c",
    "0b033e7fbe30",
    "83889e049ddc",
    "6825c778aa3c",
];

/// Refuses a database whose schema is not the one we know.
///
/// # Errors
/// `Missing`, `Outdated` or `Unrecognized`, each with what to do.
pub(super) fn check(session: &Session<'_>, uri: &str) -> Result<()> {
    let revision = revision(session).map_err(|failure| failure.into_error("reading its revision"))?;
    let uri = without_password(uri);
    match revision {
        Some(revision) if revision == REQUIRED_REVISION => Ok(()),
        Some(revision) if is_upgradable(&revision) => {
            Err(CatalogError::Upgradable { uri, revision, required: REQUIRED_REVISION })
        }
        Some(revision) if is_older(&revision) => {
            Err(CatalogError::Outdated { uri, revision, required: REQUIRED_REVISION })
        }
        Some(revision) => Err(CatalogError::Unrecognized { uri, revision, required: REQUIRED_REVISION }),
        None => Err(CatalogError::Missing { uri }),
    }
}

/// Whether it is one of Tiled's earlier schemas.
pub(super) fn is_older(revision: &str) -> bool {
    OLDER_REVISIONS.contains(&revision)
}

/// What the database is stamped with, if it is.
pub(super) fn revision(session: &Session<'_>) -> Result<Option<String>, Failure> {
    let stamped = session.dialect().is_stamped();
    if session.integer(stamped, &[])? == Some(0) {
        return Ok(None);
    }
    let found = session.rows("SELECT version_num FROM alembic_version", &[], |row| row.string(0))?;
    Ok(Some(found.join(", ")).filter(|revision| !revision.is_empty()))
}

/// Makes the tables of a new catalog in a PostgreSQL database, unless one is there. Says whether it made them.
pub(super) fn create_in(pool: &Pool) -> Result<bool, Failure> {
    pool.write(&mut |session| {
        // Another process may be making it; the number is our own.
        session.rows("SELECT 1 FROM pg_advisory_xact_lock(6074021917)", &[], |_| Ok(()))?;
        if revision(session)?.is_some() {
            return Ok(false);
        }
        session.script(include_str!("schema_postgres.sql"))?;
        Ok(true)
    })
}

/// Makes the tables of a new catalog in `path`, an empty or absent file, and says whether it did. One of ours keeps
/// a write-ahead log.
pub(super) fn create(path: &Path) -> Result<bool> {
    let doing = "creating it";
    let mut connection = Connection::open(path).map_err(|error| database(doing, error))?;
    let make = |connection: &mut Connection| {
        connection.busy_timeout(std::time::Duration::from_secs(super::connection::BUSY_TIMEOUT_S))?;
        connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        // Another process may have made it while we waited for the lock.
        let tables: i64 =
            transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if tables == 0 {
            transaction.execute_batch(include_str!("schema.sql"))?;
        }
        transaction.commit()?;
        Ok(tables == 0)
    };
    make(&mut connection).map_err(|error| database(doing, error))
}

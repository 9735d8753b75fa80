//! A failure inside the room, before it is known what was being done.

use rusqlite::{ErrorCode, ffi};
use tokio_postgres::error::SqlState;

use super::CatalogError;
use super::connection::{BUSY_TIMEOUT_S, READ_S};
use super::link::STATEMENT_S;
use super::postgres::WAIT_S;
use crate::query::{Query, QueryError};

pub(super) enum Failure {
    /// Of SQLite.
    Sql(rusqlite::Error),
    /// Of PostgreSQL.
    Postgres(tokio_postgres::Error),
    /// Already one of ours.
    Other(CatalogError),
    /// The caller's own function refused, and keeps its reason.
    Refused,
}

/// Which rule of the schema a statement would have broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// Something that must be there once is there already.
    Unique,
    /// What is referred to is not there.
    Reference,
    /// A trigger or a check refused.
    Check,
}

impl Failure {
    pub fn into_error(self, doing: &'static str) -> CatalogError {
        match self {
            Failure::Sql(error) => database(doing, error),
            Failure::Postgres(error) => postgres(doing, error),
            Failure::Other(error) => error,
            Failure::Refused => CatalogError::Database { doing, source: "refused".into() },
        }
    }

    /// Which rule of the schema was broken, where it is that.
    pub fn broken(&self) -> Option<Broken> {
        match self {
            Failure::Sql(rusqlite::Error::SqliteFailure(code, _))
                if code.code == ErrorCode::ConstraintViolation =>
            {
                Some(match code.extended_code {
                    ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY => Broken::Unique,
                    ffi::SQLITE_CONSTRAINT_FOREIGNKEY => Broken::Reference,
                    _ => Broken::Check,
                })
            }
            Failure::Postgres(error) => match error.code()? {
                code if *code == SqlState::UNIQUE_VIOLATION => Some(Broken::Unique),
                code if *code == SqlState::FOREIGN_KEY_VIOLATION => Some(Broken::Reference),
                code if *code == SqlState::CHECK_VIOLATION || *code == SqlState::RAISE_EXCEPTION => {
                    Some(Broken::Check)
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether the connection is gone, so that another may do.
    pub fn is_lost(&self) -> bool {
        match self {
            Failure::Postgres(error) => match error.code() {
                None => error.is_closed() || is_io(error),
                Some(code) => LOST.contains(code),
            },
            _ => false,
        }
    }

    /// Whether the transaction may succeed when it is tried again.
    pub fn is_retryable(&self) -> bool {
        const CODES: [SqlState; 2] = [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED];
        matches!(self, Failure::Postgres(error) if error.code().is_some_and(|code| CODES.contains(code)))
    }

    /// Puts `error` in place of a failure that broke this rule.
    pub fn instead(self, rule: Broken, error: impl FnOnce() -> CatalogError) -> Self {
        if self.broken() == Some(rule) { Failure::Other(error()) } else { self }
    }

    /// Tells a full text search that cannot be read from a failure of the database.
    pub fn blame(self, queries: &[Query]) -> Self {
        let searches = queries.iter().any(|query| matches!(query, Query::FullText { .. }));
        match &self {
            Failure::Sql(rusqlite::Error::SqliteFailure(code, Some(text)))
                if searches && code.code == ErrorCode::Unknown =>
            {
                let reason = format!("not a full text search: {}", text.trim_start_matches("fts5: "));
                let error = QueryError::BadValue { filter: "fulltext", field: "text", reason };
                Failure::Other(error.into())
            }
            Failure::Postgres(error) if searches && error.code() == Some(&SqlState::SYNTAX_ERROR) => {
                let reason = error.as_db_error().map_or_else(String::new, |error| error.message().to_owned());
                let reason = format!("not a full text search: {reason}");
                let error = QueryError::BadValue { filter: "fulltext", field: "text", reason };
                Failure::Other(error.into())
            }
            _ => self,
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Failure::Sql(error)
    }
}

impl From<CatalogError> for Failure {
    fn from(error: CatalogError) -> Self {
        Failure::Other(error)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Sql(error) => error.fmt(f),
            Failure::Postgres(error) => f.write_str(&words(error)),
            Failure::Other(error) => error.fmt(f),
            Failure::Refused => f.write_str("refused"),
        }
    }
}

/// The server ends, or ended the connection.
const LOST: [SqlState; 5] = [
    SqlState::ADMIN_SHUTDOWN,
    SqlState::CRASH_SHUTDOWN,
    SqlState::CANNOT_CONNECT_NOW,
    SqlState::CONNECTION_FAILURE,
    SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
];

/// What may pass when others are done.
const BUSY: [SqlState; 5] = [
    SqlState::LOCK_NOT_AVAILABLE,
    SqlState::TOO_MANY_CONNECTIONS,
    SqlState::OUT_OF_MEMORY,
    SqlState::T_R_SERIALIZATION_FAILURE,
    SqlState::T_R_DEADLOCK_DETECTED,
];

fn is_io(error: &tokio_postgres::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if error.is::<std::io::Error>() {
            return true;
        }
        source = error.source();
    }
    false
}

/// The server's own message, or what went wrong with the connection.
fn words(error: &tokio_postgres::Error) -> String {
    if let Some(error) = error.as_db_error() {
        return format!("{} ({})", error.message(), error.code().code());
    }
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// An error of PostgreSQL in the room's own words.
fn postgres(doing: &'static str, error: tokio_postgres::Error) -> CatalogError {
    let reason = words(&error);
    match error.code() {
        None if error.is_closed() || is_io(&error) => CatalogError::Unavailable { reason },
        Some(code) if LOST.contains(code) => CatalogError::Unavailable { reason },
        Some(code) if *code == SqlState::QUERY_CANCELED => CatalogError::TooSlow(STATEMENT_S),
        Some(code) if BUSY.contains(code) => CatalogError::Busy(WAIT_S),
        // Data exceptions: a NUL in a text, a text too long; and rows too large for an index.
        Some(code) if code.code().starts_with("22") || *code == SqlState::PROGRAM_LIMIT_EXCEEDED => {
            CatalogError::Unstorable { reason }
        }
        _ => CatalogError::Database { doing, source: reason.into() },
    }
}

/// An error of SQLite in the room's own words.
pub(super) fn database(doing: &'static str, error: rusqlite::Error) -> CatalogError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => CatalogError::Busy(BUSY_TIMEOUT_S),
        Some(ErrorCode::OperationInterrupted) => CatalogError::TooSlow(READ_S),
        _ => CatalogError::Database { doing, source: Box::new(error) },
    }
}

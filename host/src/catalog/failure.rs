//! A failure inside the room, before it is known what was being done.

use rusqlite::ErrorCode;
use rusqlite::ffi;

use super::CatalogError;
use super::connection::BUSY_TIMEOUT_S;
use crate::query::{Query, QueryError};

pub(super) enum Failure {
    /// Of SQLite.
    Sql(rusqlite::Error),
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
            _ => None,
        }
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

/// A database error in the room's own words.
pub(super) fn database(doing: &'static str, error: rusqlite::Error) -> CatalogError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => CatalogError::Busy(BUSY_TIMEOUT_S),
        _ => CatalogError::Database { doing, source: Box::new(error) },
    }
}

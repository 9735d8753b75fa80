//! One connection in use, whichever the database: statements with bound values in, rows out. Every statement of
//! this room goes through here, so each exists once; what differs in SQL is in `sql.rs`.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, params_from_iter};

use super::failure::Failure;
use super::sql::{Dialect, Param};

/// A connection, and how it wants its SQL.
pub(super) enum Session<'c> {
    Sqlite(&'c Connection, Dialect),
}

/// One row of an answer, its columns counted from 0.
pub(super) enum Row<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
}

impl Session<'_> {
    pub fn dialect(&self) -> Dialect {
        match self {
            Session::Sqlite(_, dialect) => *dialect,
        }
    }

    /// Runs a statement and reads its rows, which are those of one state of the database. Parameters are written
    /// `?1`, `?2`, ….
    pub fn rows<T>(
        &self,
        sql: &str,
        params: &[Param],
        mut read: impl FnMut(&Row<'_>) -> Result<T, Failure>,
    ) -> Result<Vec<T>, Failure> {
        match self {
            Session::Sqlite(connection, _) => {
                let mut statement = connection.prepare_cached(sql)?;
                let mut rows = statement.query(params_from_iter(params))?;
                let mut found = Vec::new();
                while let Some(row) = rows.next()? {
                    found.push(read(&Row::Sqlite(row))?);
                }
                Ok(found)
            }
        }
    }

    /// The first row, if there is one.
    pub fn first<T>(
        &self,
        sql: &str,
        params: &[Param],
        read: impl FnMut(&Row<'_>) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        Ok(self.rows(sql, params, read)?.into_iter().next())
    }

    /// The integer of the first row's first column; `None` without a row or for NULL.
    pub fn integer(&self, sql: &str, params: &[Param]) -> Result<Option<i64>, Failure> {
        Ok(self.first(sql, params, |row| row.opt_int(0))?.flatten())
    }

    /// Runs a statement without rows and gives how many it changed.
    pub fn execute(&self, sql: &str, params: &[Param]) -> Result<u64, Failure> {
        match self {
            Session::Sqlite(connection, _) => {
                let changed = connection.prepare_cached(sql)?.execute(params_from_iter(params))?;
                Ok(changed as u64)
            }
        }
    }
}

impl Row<'_> {
    /// Text, also of JSON.
    pub fn text(&self, at: usize) -> Result<&str, Failure> {
        match self {
            Row::Sqlite(row) => row.get_ref(at)?.as_str().map_err(|error| mistyped(at, error)),
        }
    }

    /// Text or NULL.
    pub fn opt_text(&self, at: usize) -> Result<Option<&str>, Failure> {
        match self {
            Row::Sqlite(row) => row.get_ref(at)?.as_str_or_null().map_err(|error| mistyped(at, error)),
        }
    }

    /// An integer or a boolean.
    pub fn int(&self, at: usize) -> Result<i64, Failure> {
        match self {
            Row::Sqlite(row) => row.get_ref(at)?.as_i64().map_err(|error| mistyped(at, error)),
        }
    }

    /// An integer, a boolean or NULL.
    pub fn opt_int(&self, at: usize) -> Result<Option<i64>, Failure> {
        match self {
            Row::Sqlite(row) => match row.get_ref(at)? {
                ValueRef::Null => Ok(None),
                value => value.as_i64().map(Some).map_err(|error| mistyped(at, error)),
            },
        }
    }

    pub fn string(&self, at: usize) -> Result<String, Failure> {
        self.text(at).map(str::to_owned)
    }

    pub fn opt_string(&self, at: usize) -> Result<Option<String>, Failure> {
        Ok(self.opt_text(at)?.map(str::to_owned))
    }
}

/// A column that has another type than Tiled writes.
fn mistyped(at: usize, error: rusqlite::types::FromSqlError) -> Failure {
    let error = rusqlite::Error::FromSqlConversionFailure(at, rusqlite::types::Type::Text, Box::new(error));
    Failure::Sql(error)
}

//! One connection in use, whichever the database: statements with bound values in, rows out. Every statement of
//! this room goes through here, so each exists once; what differs in SQL is in `sql.rs`.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, params_from_iter};

use super::CatalogError;
use super::failure::Failure;
use super::link::{Link, Raw};
use super::sql::{Dialect, Param};

/// A connection, and how it wants its SQL.
pub(super) enum Session<'c> {
    Sqlite(&'c Connection, Dialect),
    Postgres(&'c Link),
}

/// One row of an answer, its columns counted from 0.
pub(super) enum Row<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
    Postgres(&'r tokio_postgres::Row),
}

impl Session<'_> {
    pub fn dialect(&self) -> Dialect {
        match self {
            Session::Sqlite(_, dialect) => *dialect,
            Session::Postgres(_) => Dialect::Postgres,
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
            Session::Postgres(link) => {
                link.query(sql, params)?.iter().map(|row| read(&Row::Postgres(row))).collect()
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

    /// Runs several statements without parameters.
    pub fn script(&self, sql: &str) -> Result<(), Failure> {
        match self {
            Session::Sqlite(connection, _) => Ok(connection.execute_batch(sql)?),
            Session::Postgres(link) => link.simple(sql),
        }
    }

    /// Runs a statement without rows and gives how many it changed.
    pub fn execute(&self, sql: &str, params: &[Param]) -> Result<u64, Failure> {
        match self {
            Session::Sqlite(connection, _) => {
                let changed = connection.prepare_cached(sql)?.execute(params_from_iter(params))?;
                Ok(changed as u64)
            }
            Session::Postgres(link) => link.execute(sql, params),
        }
    }
}

impl Row<'_> {
    /// Text, also of JSON.
    pub fn text(&self, at: usize) -> Result<&str, Failure> {
        match self {
            Row::Sqlite(row) => row.get_ref(at)?.as_str().map_err(|error| mistyped(at, error)),
            Row::Postgres(row) => Raw::of(row, at)?.ok_or_else(|| null(at))?.text(),
        }
    }

    /// Text or NULL.
    pub fn opt_text(&self, at: usize) -> Result<Option<&str>, Failure> {
        match self {
            Row::Sqlite(row) => row.get_ref(at)?.as_str_or_null().map_err(|error| mistyped(at, error)),
            Row::Postgres(row) => Raw::of(row, at)?.map(|raw| raw.text()).transpose(),
        }
    }

    /// An integer or a boolean.
    pub fn int(&self, at: usize) -> Result<i64, Failure> {
        match self {
            Row::Sqlite(row) => row.get_ref(at)?.as_i64().map_err(|error| mistyped(at, error)),
            Row::Postgres(row) => Raw::of(row, at)?.ok_or_else(|| null(at))?.int(),
        }
    }

    /// An integer, a boolean or NULL.
    pub fn opt_int(&self, at: usize) -> Result<Option<i64>, Failure> {
        match self {
            Row::Sqlite(row) => match row.get_ref(at)? {
                ValueRef::Null => Ok(None),
                value => value.as_i64().map(Some).map_err(|error| mistyped(at, error)),
            },
            Row::Postgres(row) => Raw::of(row, at)?.map(|raw| raw.int()).transpose(),
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

fn null(at: usize) -> Failure {
    let source = format!("column {at} is NULL").into();
    CatalogError::Database { doing: "reading a row", source }.into()
}

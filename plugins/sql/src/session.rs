//! One connection: SQL in, Arrow in and out, errors with their kind.

use adbc_core::{
    Connection, Database, Optionable, Statement,
    error::{Error as AdbcError, Status},
    options::{IngestMode, OptionStatement},
};
use adbc_driver_manager::{ManagedConnection, ManagedDatabase, ManagedStatement};
use arrow::{
    array::{ArrayRef, AsArray, RecordBatch, RecordBatchReader},
    compute::cast,
    datatypes::{DataType, Int64Type, SchemaRef},
    error::ArrowError,
};
use tiled_plugin_api::author::{Error, ErrorKind, Result};

use crate::address::{Address, Dialect};

/// Milliseconds that SQLite waits for another process.
const SQLITE_WAIT_MS: u32 = 20_000;

/// `retry_after_ms` of errors that other writers cause.
const PASSING_MS: u64 = 100;

/// A connection.
pub struct Session {
    connection: ManagedConnection,
    dialect: Dialect,
    public: String,
}

/// Rows of a running query. The statement lives as long as its rows.
pub struct Query {
    rows: Box<dyn RecordBatchReader + Send>,
    _statement: ManagedStatement,
}

impl Query {
    /// What the database calls the columns' types.
    pub fn schema(&self) -> SchemaRef {
        self.rows.schema()
    }
}

impl Iterator for Query {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.rows.next()
    }
}

impl Session {
    /// Connects.
    ///
    /// # Errors
    /// `Busy` when the server cannot be reached.
    pub fn connect(database: &ManagedDatabase, address: &Address) -> Result<Self> {
        let connection =
            database.new_connection().map_err(|error| kind_of(&error, address.dialect, &address.public))?;
        let mut session = Session { connection, dialect: address.dialect, public: address.public.clone() };
        if address.dialect == Dialect::Sqlite {
            session.run(&format!("PRAGMA busy_timeout = {SQLITE_WAIT_MS}"))?;
            // So that a long read holds up no writer. Where the file system cannot, the file stays as it is.
            session.run("PRAGMA journal_mode = WAL").ok();
        }
        Ok(session)
    }

    /// What kind of database it is.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Runs a statement that gives no rows.
    ///
    /// # Errors
    /// `Conflict`, `Busy`, else `Internal`; the database's own words go to the log.
    pub fn run(&mut self, sql: &str) -> Result<()> {
        let run = |connection: &mut ManagedConnection| {
            let mut statement = connection.new_statement()?;
            statement.set_sql_query(sql)?;
            statement.execute_update()
        };
        run(&mut self.connection).map(|_| ()).map_err(|error| self.explain(&error, sql))
    }

    /// Runs a query.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn query(&mut self, sql: &str) -> Result<Query> {
        let run = |connection: &mut ManagedConnection| {
            let mut statement = connection.new_statement()?;
            statement.set_sql_query(sql)?;
            let rows = statement.execute()?;
            Ok(Query { rows, _statement: statement })
        };
        run(&mut self.connection).map_err(|error| self.explain(&error, sql))
    }

    /// The integers of a query's only column; missing ones are left out.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn integers(&mut self, sql: &str) -> Result<Vec<i64>> {
        let mut found = Vec::new();
        self.each_column(sql, &DataType::Int64, |column| {
            found.extend(column.as_primitive::<Int64Type>().iter().flatten());
        })?;
        Ok(found)
    }

    /// The texts of a query's only column; missing ones are left out.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn texts(&mut self, sql: &str) -> Result<Vec<String>> {
        let mut found = Vec::new();
        self.each_column(sql, &DataType::Utf8, |column| {
            found.extend(column.as_string::<i32>().iter().flatten().map(str::to_owned));
        })?;
        Ok(found)
    }

    /// Gives a query's only column, batch by batch, as this type.
    fn each_column(
        &mut self,
        sql: &str,
        data_type: &DataType,
        mut take: impl FnMut(&ArrayRef),
    ) -> Result<()> {
        for batch in self.query(sql)? {
            let batch = batch.map_err(|error| Error::internal(format!("{error}: {sql}")))?;
            let column = batch.columns().first().ok_or_else(|| Error::internal("a query without columns"))?;
            take(&cast(column, data_type).map_err(Error::internal)?);
        }
        Ok(())
    }

    /// Adds rows to a table by the driver's bulk path.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn ingest(&mut self, table: &str, schema: &SchemaRef, batches: &[RecordBatch]) -> Result<()> {
        let rows: Vec<Result<RecordBatch, ArrowError>> =
            batches.iter().filter(|batch| batch.num_rows() > 0).cloned().map(Ok).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let reader = arrow::array::RecordBatchIterator::new(rows, schema.clone());
        let run = |connection: &mut ManagedConnection| {
            let mut statement = connection.new_statement()?;
            statement.set_option(OptionStatement::TargetTable, table.into())?;
            statement.set_option(OptionStatement::IngestMode, IngestMode::Append.into())?;
            statement.bind_stream(Box::new(reader))?;
            statement.execute_update()
        };
        run(&mut self.connection).map(|_| ()).map_err(|error| self.explain(&error, table))
    }

    /// Begins a transaction that will write.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn begin(&mut self) -> Result<()> {
        self.run(match self.dialect {
            // At once, so that two writers wait for each other instead of failing half-way.
            Dialect::Sqlite => "BEGIN IMMEDIATE",
            Dialect::DuckDb | Dialect::Postgres => "BEGIN TRANSACTION",
        })
    }

    /// Begins a transaction that only reads, all of it from one moment.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn begin_reading(&mut self) -> Result<()> {
        self.run(match self.dialect {
            Dialect::Postgres => "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Dialect::DuckDb | Dialect::Sqlite => "BEGIN TRANSACTION",
        })
    }

    /// Keeps what the transaction did.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn commit(&mut self) -> Result<()> {
        self.run("COMMIT")
    }

    /// Forgets what the transaction did.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn rollback(&mut self) -> Result<()> {
        self.run("ROLLBACK")
    }

    fn explain(&self, error: &AdbcError, doing: &str) -> Error {
        let mut ours = kind_of(error, self.dialect, &self.public);
        ours.detail = format!("{}: {doing}", ours.detail);
        ours
    }
}

/// An error of a driver as ours. Messages of databases may quote values and addresses: they go to the log.
pub fn kind_of(error: &AdbcError, dialect: Dialect, public: &str) -> Error {
    let state: String = error.sqlstate.iter().take_while(|c| **c != 0).map(|c| *c as u8 as char).collect();
    let text = error.message.to_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    let detail = format!("{}: {:?} {state}: {}", dialect.name(), error.status, error.message.trim());
    let (kind, message) = if dialect == Dialect::DuckDb
        && has(&["could not set lock on file", "conflicting lock"])
    {
        let message = "DuckDB keeps a file for one process alone, and another one has this file open: end that \
                       process, or use SQLite or PostgreSQL";
        (ErrorKind::Busy, format!("{public}: {message}"))
    } else if has(&["out of memory", "out of disk", "disk is full", "no space left"]) {
        (ErrorKind::Busy, format!("{public}: the database has no room left"))
    } else if state.starts_with("23")
        || matches!(error.status, Status::Integrity | Status::AlreadyExists)
        || has(&["constraint"])
    {
        (ErrorKind::Conflict, "These rows are there already".to_owned())
    } else if is_passing(&state, &text) {
        (ErrorKind::Busy, format!("{public}: other writers are in the way, try again"))
    } else if has(&["invalid byte sequence", "embedded null", "0x00"]) {
        let message = "Text with a NUL character does not fit into this database".to_owned();
        (ErrorKind::InvalidArgument, message)
    } else if error.status == Status::IO || is_lost(&state, &text) {
        (ErrorKind::Busy, format!("{public}: the database cannot be reached"))
    } else if error.status == Status::Unauthenticated || state.starts_with("28") || state == "3D000" {
        (ErrorKind::Busy, format!("{public}: the database refuses the server's user or has no such name"))
    } else {
        return Error::internal(detail);
    };
    let mut ours = Error::new(kind, message).with_detail(detail);
    if kind == ErrorKind::Busy {
        ours.retry_after_ms = if is_passing(&state, &text) { PASSING_MS } else { 1000 };
    }
    ours
}

/// Whether the database has gone, or is going. Drivers give some of libpq's words without a state.
fn is_lost(state: &str, text: &str) -> bool {
    const WORDS: [&str; 5] = [
        "server closed the connection",
        "terminating connection",
        "no connection to the server",
        "could not receive data from server",
        "could not send data to server",
    ];
    state.starts_with("08") || state.starts_with("57P") || WORDS.iter().any(|words| text.contains(words))
}

/// Whether the database says that nothing was done, and the same again may succeed.
pub fn may_try_again(error: &Error) -> bool {
    error.kind == ErrorKind::Busy && error.retry_after_ms == PASSING_MS
}

/// Other writers were in the way.
fn is_passing(state: &str, text: &str) -> bool {
    matches!(state, "40001" | "40P01" | "55P03")
        || text.contains("database is locked")
        || text.contains("database table is locked")
        || text.contains("conflict on")
        || text.contains("transaction conflict")
        || text.contains("write-write conflict")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_goes_is_busy_whatever_words_its_driver_finds() {
        let kind = |message: &str, status: Status, state: &str| {
            let mut error = AdbcError::with_message_and_status(message, status);
            for (to, from) in error.sqlstate.iter_mut().zip(state.bytes()) {
                *to = from as _;
            }
            kind_of(&error, Dialect::Postgres, "postgresql://db").kind
        };
        let closed = "[libpq] PQputCopyEnd failed: server closed the connection unexpectedly";
        assert_eq!(kind(closed, Status::Internal, ""), ErrorKind::Busy);
        assert_eq!(kind("the database system is shutting down", Status::Unknown, "57P02"), ErrorKind::Busy);
        assert_eq!(kind("column \"x\" does not exist", Status::Internal, "42703"), ErrorKind::Internal);
    }
}

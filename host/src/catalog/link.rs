//! One connection to PostgreSQL, with its statements prepared, and how our values go in and out.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::types::{FromSql, IsNull, Kind, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Config, NoTls, Statement};

use super::failure::Failure;
use super::postgres::WAIT_S;
use super::session::Session;
use super::sql::Param;
use super::{CatalogError, Result};

/// Longer answers are given up; the server is told to give up a little earlier.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(65);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Prepared statements kept; when there are more, all are forgotten and prepared anew.
const STATEMENTS_MAX: usize = 256;

/// A connection that one thread uses at a time.
pub(super) struct Link {
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    client: Client,
    statements: RefCell<HashMap<String, Statement>>,
    /// Sent with the first statement of a transaction.
    begin: Cell<Option<&'static str>>,
    unusable: Cell<bool>,
}

impl Link {
    pub fn open(config: &Config) -> Result<Self, Failure> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| CatalogError::Unavailable { reason: error.to_string() })?;
        let opened = runtime.block_on(async {
            let connecting = async {
                let (client, connection) = config.connect(NoTls).await?;
                tokio::spawn(connection);
                client.batch_execute(&settings()).await?;
                Ok(client)
            };
            tokio::time::timeout(CONNECT_TIMEOUT, connecting).await
        });
        match opened {
            Ok(Ok(client)) => Ok(Link {
                runtime: Some(runtime),
                client,
                statements: RefCell::default(),
                begin: Cell::new(None),
                unusable: Cell::new(false),
            }),
            Ok(Err(error)) => {
                runtime.shutdown_background();
                Err(Failure::Postgres(error))
            }
            Err(_) => {
                runtime.shutdown_background();
                let reason = format!("no answer within {} s", CONNECT_TIMEOUT.as_secs());
                Err(CatalogError::Unavailable { reason }.into())
            }
        }
    }

    /// Runs `work`, if `begin` says so in a transaction that is committed when it succeeds.
    pub fn transaction<T>(
        &self,
        begin: Option<&'static str>,
        work: &mut dyn FnMut(&Session<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.begin.set(begin);
        // Should the work panic, the connection is closed, and the server rolls back.
        self.unusable.set(begin.is_some());
        let done = work(&Session::Postgres(self));
        if begin.is_none() || self.begin.take().is_some() {
            // Nothing was begun.
            self.unusable.set(matches!(&done, Err(failure) if failure.is_lost()));
            return done;
        }
        let value = match done {
            Ok(value) => value,
            Err(failure) => {
                self.unusable.set(failure.is_lost() || self.simple("ROLLBACK").is_err());
                return Err(failure);
            }
        };
        match self.simple("COMMIT") {
            Ok(()) => {
                self.unusable.set(false);
                Ok(value)
            }
            Err(failure) if failure.is_lost() => Err(CatalogError::Unavailable {
                reason: format!("{failure}, while committing: whether the change was made is not known"),
            }
            .into()),
            Err(failure) => {
                self.unusable.set(self.simple("ROLLBACK").is_err());
                Err(failure)
            }
        }
    }

    pub fn is_usable(&self) -> bool {
        !self.unusable.get() && !self.client.is_closed()
    }

    /// Statements without parameters or rows, several at once.
    pub fn simple(&self, sql: &str) -> Result<(), Failure> {
        self.wait(self.client.batch_execute(sql))
    }

    pub fn query(&self, sql: &str, params: &[Param]) -> Result<Vec<tokio_postgres::Row>, Failure> {
        self.wait(self.begun(sql, async |statement| self.client.query(statement, &borrowed(params)).await))
    }

    pub fn execute(&self, sql: &str, params: &[Param]) -> Result<u64, Failure> {
        self.wait(self.begun(sql, async |statement| self.client.execute(statement, &borrowed(params)).await))
    }

    /// Runs a statement, together with the beginning of the transaction if that is still to come.
    async fn begun<T>(
        &self,
        sql: &str,
        run: impl AsyncFnOnce(&Statement) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, tokio_postgres::Error> {
        let Some(begin) = self.begin.take() else { return run(&self.prepared(sql).await?).await };
        let known = self.statements.borrow().get(sql).cloned();
        match known {
            // Both are on their way before the first is answered.
            Some(statement) => {
                let (begun, done) = tokio::join!(self.client.batch_execute(begin), run(&statement));
                begun?;
                done
            }
            None => {
                self.client.batch_execute(begin).await?;
                run(&self.prepared(sql).await?).await
            }
        }
    }

    async fn prepared(&self, sql: &str) -> Result<Statement, tokio_postgres::Error> {
        if let Some(statement) = self.statements.borrow().get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(&numbered(sql)).await?;
        let mut statements = self.statements.borrow_mut();
        if statements.len() >= STATEMENTS_MAX {
            statements.clear();
        }
        statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    fn wait<T>(&self, answer: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Failure> {
        let Some(runtime) = &self.runtime else { return Err(lost("the connection is closed")) };
        match runtime.block_on(async { tokio::time::timeout(ANSWER_TIMEOUT, answer).await }) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(Failure::Postgres(error)),
            Err(_) => {
                self.unusable.set(true);
                Err(lost("no answer in time"))
            }
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // Unlike its own drop, this may happen on a thread of another runtime.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn lost(reason: &str) -> Failure {
    CatalogError::Unavailable { reason: reason.to_owned() }.into()
}

/// How long one statement may take.
pub(super) const STATEMENT_S: u64 = 60;

/// Tables are read as a whole only where no index will do: the plans of prepared statements, which know nothing of the
/// values, would do so for the first of a few rows.
fn settings() -> String {
    format!(
        "SET TIME ZONE 'UTC'; SET lock_timeout = '{WAIT_S}s'; SET statement_timeout = '{STATEMENT_S}s'; \
         SET idle_in_transaction_session_timeout = '120s'; SET client_min_messages = 'warning'; SET jit = off; \
         SET enable_seqscan = off"
    )
}

/// `?1` as PostgreSQL's `$1`. Our statements have no other question mark before a digit.
fn numbered(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len());
    let mut chars = sql.chars().peekable();
    while let Some(char) = chars.next() {
        let parameter = char == '?' && chars.peek().is_some_and(char::is_ascii_digit);
        text.push(if parameter { '$' } else { char });
    }
    text
}

fn borrowed(params: &[Param]) -> Vec<&(dyn ToSql + Sync)> {
    params.iter().map(|param| param as &(dyn ToSql + Sync)).collect()
}

/// Values take the type that the statement has for them.
impl ToSql for Param {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Param::Null => return Ok(IsNull::Yes),
            Param::Int(value) => match *ty {
                Type::BOOL => out.put_u8(u8::from(*value != 0)),
                Type::INT8 => out.put_i64(*value),
                // No id is at the ends of the range: what is beyond them finds nothing there either.
                Type::INT4 => {
                    out.put_i32(i32::try_from(*value).unwrap_or(if *value < 0 { i32::MIN } else { i32::MAX }))
                }
                Type::FLOAT8 => return value.to_string().parse::<f64>()?.to_sql(ty, out),
                _ => out.put_slice(value.to_string().as_bytes()),
            },
            Param::Real(value) => match *ty {
                Type::FLOAT8 => out.put_f64(*value),
                _ => out.put_slice(value.to_string().as_bytes()),
            },
            Param::Text(value) => {
                // The version of the binary form, which is the text.
                if matches!(*ty, Type::JSONB | Type::JSONPATH) {
                    out.put_u8(1);
                }
                out.put_slice(value.as_bytes());
            }
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A column as it came.
pub(super) struct Raw<'r> {
    bytes: &'r [u8],
    ty: Type,
}

impl<'r> FromSql<'r> for Raw<'r> {
    fn from_sql(ty: &Type, bytes: &'r [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Raw { bytes, ty: ty.clone() })
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl<'r> Raw<'r> {
    /// The column, `None` for NULL.
    pub fn of(row: &'r tokio_postgres::Row, at: usize) -> Result<Option<Self>, Failure> {
        row.try_get(at).map_err(Failure::Postgres)
    }

    pub fn text(&self) -> Result<&'r str, Failure> {
        let bytes = match self.ty {
            Type::TEXT | Type::VARCHAR | Type::JSON | Type::NAME | Type::BPCHAR | Type::UNKNOWN => self.bytes,
            Type::JSONB => self.bytes.strip_prefix(&[1]).ok_or_else(|| self.mistyped())?,
            _ if matches!(self.ty.kind(), Kind::Enum(_)) => self.bytes,
            _ => return Err(self.mistyped()),
        };
        std::str::from_utf8(bytes).map_err(|_| self.mistyped())
    }

    pub fn int(&self) -> Result<i64, Failure> {
        match (&self.ty, self.bytes) {
            (&Type::BOOL, [value]) => Ok(i64::from(*value != 0)),
            (&Type::INT2, &[a, b]) => Ok(i16::from_be_bytes([a, b]).into()),
            (&Type::INT4, &[a, b, c, d]) => Ok(i32::from_be_bytes([a, b, c, d]).into()),
            (&Type::INT8, bytes) => bytes.try_into().map(i64::from_be_bytes).map_err(|_| self.mistyped()),
            _ => Err(self.mistyped()),
        }
    }

    fn mistyped(&self) -> Failure {
        let source = format!("a column is of the type {}, which Tiled does not make", self.ty).into();
        CatalogError::Database { doing: "reading a column", source }.into()
    }
}

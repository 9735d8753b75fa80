//! Where a database is: its URI, taken apart.

use std::path::PathBuf;

use tiled_plugin_api::author::{Error, ErrorKind, Result};

/// What kind of database, and so which SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// A file for one process.
    DuckDb,
    /// A file for several processes.
    Sqlite,
    /// A server.
    Postgres,
}

impl Dialect {
    /// For messages.
    pub const fn name(self) -> &'static str {
        match self {
            Dialect::DuckDb => "DuckDB",
            Dialect::Sqlite => "SQLite",
            Dialect::Postgres => "PostgreSQL",
        }
    }
}

/// A database.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    /// What kind.
    pub dialect: Dialect,
    /// What its driver is told: the path of a file, or the URI with user and password.
    pub place: String,
    /// The same without user and password: for the catalog, clients and the log.
    pub public: String,
}

impl Address {
    /// Reads `duckdb://localhost//abs/path`, `sqlite:////abs/path`, `postgresql://user:password@host:5432/name`.
    ///
    /// # Errors
    /// `InvalidArgument` for anything else.
    pub fn parse(uri: &str) -> Result<Self> {
        let (scheme, rest) = uri.split_once("://").ok_or_else(|| refuse(uri))?;
        let dialect = match scheme {
            "duckdb" => Dialect::DuckDb,
            "sqlite" => Dialect::Sqlite,
            "postgresql" | "postgres" => Dialect::Postgres,
            _ => return Err(refuse(uri)),
        };
        let public = without_user(uri);
        if dialect == Dialect::Postgres {
            return Ok(Address { dialect, place: uri.to_owned(), public });
        }
        // As Tiled does, the path begins after the third slash: `duckdb:////abs/path`.
        let path = rest.split_once('/').map(|(_, path)| path).unwrap_or_default();
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let path = percent_decoded(path);
        if path.is_empty() || path.contains('\0') {
            return Err(refuse(uri));
        }
        let absolute = std::path::absolute(PathBuf::from(path)).map_err(Error::internal)?;
        let place = absolute.to_str().ok_or_else(|| refuse(uri))?.to_owned();
        Ok(Address { dialect, place, public })
    }
}

fn refuse(uri: &str) -> Error {
    Error::new(
        ErrorKind::InvalidArgument,
        format!(
            "{}: not a database: use duckdb:///path, sqlite:///path or postgresql://user:password@host/name",
            without_user(uri)
        ),
    )
}

/// A URI without user and password.
pub fn without_user(uri: &str) -> String {
    let Some((scheme, rest)) = uri.split_once("://") else { return uri.to_owned() };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match host.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://{host}{path}"),
        None => uri.to_owned(),
    }
}

/// `%20` and the like become what they stand for; what is no such escape stays.
fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let digit = |place: usize| bytes.get(place).and_then(|byte| (*byte as char).to_digit(16));
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_are_read_as_tiled_reads_them() {
        let place = |uri: &str| Address::parse(uri).map(|address| address.place).map_err(|e| e.message);
        assert_eq!(place("duckdb://localhost//d/t.duckdb").unwrap(), "/d/t.duckdb");
        assert_eq!(place("sqlite:////d/a%20b.db").unwrap(), "/d/a b.db");
        assert_eq!(place("postgresql://me:word@h:5432/lab").unwrap(), "postgresql://me:word@h:5432/lab");
        assert!(place("mysql://me:word@h/lab").unwrap_err().starts_with("mysql://h/lab: not a database"));
        assert!(place("duckdb://localhost").is_err());
    }

    #[test]
    fn the_password_stays_out_of_the_public_form() {
        let address = Address::parse("postgresql://me:w@rd@h:5432/lab?sslmode=require").unwrap();
        assert_eq!(address.public, "postgresql://h:5432/lab?sslmode=require");
    }
}

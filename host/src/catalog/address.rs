//! The address of a catalog, in the words of Tiled's configuration.

use std::path::PathBuf;

use super::{CatalogError, Result};

/// Where a catalog is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// An SQLite file.
    File(PathBuf),
    /// A database that goes away with the process.
    Memory,
}

impl Address {
    /// From `sqlite:////abs/path`, `sqlite:///relative`, the same with `sqlite+aiosqlite`, a bare path, or one of
    /// the ways to write an in-memory database.
    ///
    /// # Errors
    /// `Address` for other kinds of database.
    pub fn parse(uri: &str) -> Result<Self> {
        let refuse = |reason: &str| {
            Err(CatalogError::Address { uri: without_password(uri), reason: reason.to_owned() })
        };
        let Some((scheme, rest)) = uri.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) else {
            return Ok(if uri.is_empty() { Address::Memory } else { Address::File(uri.into()) });
        };
        match scheme {
            "sqlite" | "sqlite+aiosqlite" => {}
            "postgresql" | "postgresql+asyncpg" => {
                return refuse(
                    "is a PostgreSQL database, which this version does not serve; use sqlite:///PATH",
                );
            }
            _ => return refuse("is not a database this server knows; write sqlite:///PATH"),
        }
        let Some(path) = rest.strip_prefix("//") else { return refuse("lacks '//' after 'sqlite:'") };
        if path.is_empty() || path == "/" || path.contains(":memory:") || path.contains("mode=memory") {
            return Ok(Address::Memory);
        }
        match path.strip_prefix('/') {
            Some(path) if path.contains('?') => refuse("has options after '?', which are not supported"),
            Some(path) => Ok(Address::File(path.into())),
            None => {
                refuse("names a host; an SQLite path begins after three slashes (four for an absolute path)")
            }
        }
    }
}

/// Whether what stands before the colon is a scheme, and not a drive letter or part of a path.
fn is_scheme(text: &str) -> bool {
    text.len() > 1 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// `scheme://user:password@host/…` with the password left out.
fn without_password(uri: &str) -> String {
    let Some((scheme, rest)) = uri.split_once("://") else { return uri.to_owned() };
    match rest.split_once('@') {
        Some((user, host)) if user.contains(':') => {
            let user = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}:***@{host}")
        }
        _ => uri.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_addresses_are_read_as_tiled_reads_them() {
        for (uri, wanted) in [
            ("sqlite:////data/catalog.db", Address::File("/data/catalog.db".into())),
            ("sqlite+aiosqlite:///catalog.db", Address::File("catalog.db".into())),
            ("/data/catalog.db", Address::File("/data/catalog.db".into())),
            ("catalog.db", Address::File("catalog.db".into())),
            ("sqlite://", Address::Memory),
            ("sqlite:///:memory:", Address::Memory),
            ("sqlite:///file:x?mode=memory&cache=shared&uri=true", Address::Memory),
        ] {
            assert_eq!(Address::parse(uri).unwrap(), wanted, "{uri}");
        }
    }

    #[test]
    fn other_databases_are_refused_without_showing_the_password() {
        let text = Address::parse("postgresql://tiled:secret@host/db").unwrap_err().to_string();
        assert!(
            text.contains("PostgreSQL") && text.contains("tiled:***@host") && !text.contains("secret"),
            "{text}"
        );
        assert!(Address::parse("mysql://x").is_err());
        assert!(Address::parse("sqlite://host/x").is_err());
    }
}

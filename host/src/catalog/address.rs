//! The address of a catalog, in the words of Tiled's configuration.

use std::path::PathBuf;

use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

use super::{CatalogError, Result};

/// Where a catalog is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// An SQLite file.
    File(PathBuf),
    /// A PostgreSQL database.
    Postgres(Box<tokio_postgres::Config>),
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
                return match postgres(rest) {
                    Ok(config) => Ok(Address::Postgres(Box::new(config))),
                    Err(reason) => refuse(&reason),
                };
            }
            _ => {
                return refuse("is not a database this server knows; write sqlite:///PATH or postgresql://…");
            }
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

/// Where a server listens that is asked for without a host.
const SOCKETS: [&str; 2] = ["/run/postgresql", "/tmp"];

/// `//user:password@host:port/database?option=…`, as libpq and SQLAlchemy write it.
fn postgres(rest: &str) -> Result<Config, String> {
    // SQLAlchemy's name for it with asyncpg.
    let rest = rest.replace("?ssl=", "?sslmode=").replace("&ssl=", "&sslmode=");
    let wanted = rest.split(['?', '&']).find_map(|option| option.strip_prefix("sslmode="));
    let tls = match wanted {
        None | Some("disable" | "allow" | "prefer" | "false") => None,
        Some(mode) => Some(mode),
    };
    if let Some(mode) = tls {
        return Err(format!(
            "asks for TLS (sslmode={mode}), which this server does not speak to databases: use a local socket, a \
             tunnel, or sslmode=disable in a network that is trusted"
        ));
    }
    let rest = ["allow", "false"]
        .iter()
        .fold(rest.clone(), |rest, mode| rest.replace(&format!("sslmode={mode}"), "sslmode=disable"));
    let mut config: Config =
        format!("postgresql:{rest}").parse().map_err(|error: tokio_postgres::Error| {
            let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
            format!("is not an address of a PostgreSQL database: {error}{}", source.unwrap_or_default())
        })?;
    if config.get_hosts().is_empty() {
        for path in SOCKETS.iter().filter(|path| std::path::Path::new(path).is_dir()) {
            config.host_path(path);
        }
    }
    config.ssl_mode(SslMode::Disable);
    config.application_name("tiled-host");
    config.connect_timeout(std::time::Duration::from_secs(5));
    config.keepalives_idle(std::time::Duration::from_secs(30));
    Ok(config)
}

/// Whether what stands before the colon is a scheme, and not a drive letter or part of a path.
fn is_scheme(text: &str) -> bool {
    text.len() > 1 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// `scheme://user:password@host/…` with the password left out.
pub(super) fn without_password(uri: &str) -> String {
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
    fn postgresql_addresses_are_read_as_sqlalchemy_writes_them() {
        let uri = "postgresql+asyncpg://tiled:s%40cret@db.example.org:5433/cat?ssl=disable";
        let Address::Postgres(config) = Address::parse(uri).unwrap() else { panic!("{uri}") };
        assert_eq!((config.get_user(), config.get_password()), (Some("tiled"), Some(&b"s@cret"[..])));
        assert_eq!((config.get_dbname(), config.get_ports()), (Some("cat"), &[5433][..]));
        let uri = "postgresql://tiled@/cat?host=/var/run/sockets&port=6000";
        let Address::Postgres(config) = Address::parse(uri).unwrap() else { panic!("{uri}") };
        let path = std::path::PathBuf::from("/var/run/sockets");
        assert_eq!(config.get_hosts(), [tokio_postgres::config::Host::Unix(path)]);
    }

    #[test]
    fn other_databases_are_refused_without_showing_the_password() {
        for (uri, wanted) in [
            ("mysql://tiled:secret@host/db", "mysql"),
            ("postgresql://tiled:secret@host/db?sslmode=require", "TLS"),
        ] {
            let text = Address::parse(uri).unwrap_err().to_string();
            assert!(
                text.contains(wanted) && text.contains("tiled:***@host") && !text.contains("secret"),
                "{text}"
            );
        }
        assert!(Address::parse("mysql://x").is_err());
        assert!(Address::parse("sqlite://host/x").is_err());
    }
}

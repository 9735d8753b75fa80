//! Storages of a tree: folders for files, databases for tables. An asset in a database is named by a URI without password;
//! here is which configured storage it means, and so how to reach it.

use std::{path::PathBuf, sync::Arc};

use tiled_plugin_api::author::{ByteSource, Entry, Error, ErrorKind, Result, Source};

use super::path_of;

/// Schemes that something can be kept in.
pub const SCHEMES: [&str; 4] = ["file", "duckdb", "sqlite", "postgresql"];
/// Schemes of databases.
const DATABASES: [&str; 4] = ["duckdb", "sqlite", "postgresql", "postgres"];

/// One configured storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    /// With user and password.
    uri: String,
    /// `file`, `duckdb`, `sqlite`, `postgresql`.
    pub scheme: String,
}

impl Storage {
    /// A configured storage: a URI, or the path of a folder.
    ///
    /// # Errors
    /// `InvalidArgument` for schemes that nothing can be kept in.
    pub fn parse(text: &str) -> Result<Self> {
        let Some((scheme, rest)) = text.split_once("://") else {
            let text = text.strip_prefix("file:").unwrap_or(text);
            let path = std::path::absolute(text).map_err(|e| invalid(format!("storage {text}: {e}")))?;
            return Ok(Storage { uri: super::uri_of(&path), scheme: "file".into() });
        };
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "postgres" => "postgresql".to_owned(),
            known if SCHEMES.contains(&known) => known.to_owned(),
            _ => {
                return Err(invalid(format!(
                    "storage {}: use file://, duckdb://, sqlite:// or postgresql://",
                    without_password(text)
                )));
            }
        };
        // As Tiled does: what is local has the host `localhost`.
        let host = if rest.starts_with('/') { "localhost" } else { "" };
        let uri = format!("{scheme}://{host}{}", rest.trim_end_matches('/'));
        if scheme == "postgresql" && database_name(&uri).is_empty() {
            return Err(invalid(format!(
                "storage {}: name the database, as in postgresql://user:password@host/database",
                without_password(&uri)
            )));
        }
        Ok(Storage { uri, scheme })
    }

    /// With user and password where it has them: for writers and readers, never for clients or the log.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Its folder, where it is one.
    ///
    /// # Errors
    /// As [`path_of`].
    pub fn folder(&self) -> Result<Option<PathBuf>> {
        if self.scheme == "file" { path_of(&self.uri).map(Some) } else { Ok(None) }
    }

    /// How well an asset's URI fits: 0 not at all.
    fn fits(&self, uri: &str) -> u32 {
        let asset = without_password(uri);
        let own = without_password(&self.uri);
        if scheme_of(&asset) != self.scheme {
            return 0;
        }
        if own == asset {
            return 3;
        }
        // Tiled, too, knows a PostgreSQL storage by its database alone: how it is reached may change.
        match self.scheme.as_str() {
            "postgresql" => u32::from(database_name(&own) == database_name(&asset)),
            _ => 2 * u32::from(local_path(&own) == local_path(&asset)),
        }
    }
}

/// All storages of a tree, those that are written first. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Storages {
    all: Arc<[Storage]>,
    writable: usize,
}

impl Storages {
    /// Configured storages, each list in its order.
    ///
    /// # Errors
    /// As [`Storage::parse`].
    pub fn new(writable: &[String], readable: &[String]) -> Result<Self> {
        let all = writable.iter().chain(readable).map(|text| Storage::parse(text));
        Ok(Storages { all: all.collect::<Result<_>>()?, writable: writable.len() })
    }

    /// Where new data go, in the order of the configuration.
    pub fn writable(&self) -> &[Storage] {
        &self.all[..self.writable]
    }

    /// Every one, for reading.
    pub fn all(&self) -> &[Storage] {
        &self.all
    }

    /// The source of an asset in a database. It has no bytes: its URI says where to connect.
    ///
    /// # Errors
    /// `Forbidden` when no storage of the tree is that database.
    pub fn database(&self, uri: &str) -> Result<Source> {
        let ranked = self.all.iter().map(|storage| (storage.fits(uri), storage));
        // The first of the best.
        let best = ranked.filter(|(fit, _)| *fit > 0).rev().max_by_key(|(fit, _)| *fit);
        match best {
            Some((_, storage)) => Ok(Source::new(Database(storage.uri.clone()))),
            None => Err(Error::new(
                ErrorKind::Forbidden,
                format!("{}: this database is not among the storages of the tree", without_password(uri)),
            )),
        }
    }
}

/// Whether a URI names a database.
pub fn is_database(uri: &str) -> bool {
    DATABASES.contains(&scheme_of(uri))
}

/// The same URI without user and password, for clients and logs.
pub fn without_password(uri: &str) -> String {
    let Some((scheme, rest)) = uri.split_once("://") else { return uri.to_owned() };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match host.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://{host}{path}"),
        None => uri.to_owned(),
    }
}

fn scheme_of(uri: &str) -> &str {
    match uri.split_once(':').map_or("", |(scheme, _)| scheme) {
        "postgres" => "postgresql",
        other => other,
    }
}

/// The path of `duckdb://localhost//abs/path` and `duckdb:////abs/path`.
fn local_path(uri: &str) -> PathBuf {
    let rest = uri.split_once("://").map_or("", |(_, rest)| rest);
    let path = rest.split_once('/').map_or("", |(_, path)| path);
    std::path::absolute(path).unwrap_or_else(|_| path.into())
}

/// The database of a PostgreSQL URI: the parameter `dbname`, else the path.
fn database_name(uri: &str) -> String {
    let rest = uri.split_once("://").map_or("", |(_, rest)| rest);
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let named = query.split('&').find_map(|pair| pair.strip_prefix("dbname="));
    let name = named.unwrap_or_else(|| place.split_once('/').map_or("", |(_, path)| path));
    percent_encoding::percent_decode_str(name).decode_utf8_lossy().into_owned()
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}

/// A database as a source: only a name.
struct Database(String);

impl Database {
    fn refuse<T>(&self) -> Result<T> {
        let message = format!("{} is a database, not a file", without_password(&self.0));
        Err(Error::new(ErrorKind::Unsupported, message))
    }
}

impl ByteSource for Database {
    fn uri(&self) -> String {
        self.0.clone()
    }

    fn is_directory(&self) -> bool {
        false
    }

    fn len(&self) -> Result<u64> {
        self.refuse()
    }

    fn read_at(&self, _offset: u64, _out: &mut [u8]) -> Result<usize> {
        self.refuse()
    }

    fn list(&self, _below: &str) -> Result<Vec<Entry>> {
        self.refuse()
    }

    fn child(&self, _relative: &str) -> Result<Source> {
        self.refuse()
    }

    fn local_path(&self) -> Option<PathBuf> {
        None
    }

    /// Always the same: what is in it tells of its own changes.
    fn version(&self) -> Result<u64> {
        Ok(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storages(writable: &[&str]) -> Storages {
        let writable: Vec<String> = writable.iter().map(|uri| (*uri).to_owned()).collect();
        Storages::new(&writable, &[]).unwrap()
    }

    fn opened(storages: &Storages, uri: &str) -> String {
        match storages.database(uri) {
            Ok(source) => source.uri(),
            Err(error) => error.message,
        }
    }

    #[test]
    fn an_asset_in_a_database_is_opened_with_the_configured_password() {
        let all = storages(&["/data", "duckdb:////d/t.duckdb", "postgresql://me:word@h:5432/lab"]);
        assert_eq!(all.writable()[0].uri(), "file://localhost/data");
        assert_eq!(opened(&all, "duckdb://localhost//d/t.duckdb"), "duckdb://localhost//d/t.duckdb");
        assert_eq!(opened(&all, "duckdb:////d/t.duckdb"), "duckdb://localhost//d/t.duckdb");
        assert_eq!(opened(&all, "postgresql://h:5432/lab"), "postgresql://me:word@h:5432/lab");
        // Reached another way, as when a proxy was put before it.
        assert_eq!(opened(&all, "postgresql://old/lab?connect_timeout=5"), "postgresql://me:word@h:5432/lab");
    }

    #[test]
    fn databases_that_are_not_configured_are_refused_without_their_password() {
        let all = storages(&["duckdb:////d/t.duckdb", "postgresql://me:word@h/lab"]);
        for uri in ["duckdb:////d/other.duckdb", "postgresql://x:y@h/other", "sqlite:////d/t.duckdb"] {
            let text = opened(&all, uri);
            assert!(text.contains("not among the storages") && !text.contains("x:y"), "{text}");
        }
    }

    #[test]
    fn the_exact_server_goes_before_another_with_a_database_of_that_name() {
        let all = storages(&["postgresql://a:1@one/lab", "postgresql://b:2@two/lab"]);
        assert_eq!(opened(&all, "postgresql://two/lab"), "postgresql://b:2@two/lab");
        assert_eq!(opened(&all, "postgresql://three/lab"), "postgresql://a:1@one/lab");
    }

    #[test]
    fn storages_that_nothing_can_be_kept_in_are_refused_at_the_start() {
        let refused = |text: &str| Storage::parse(text).unwrap_err().message;
        assert!(refused("s3://bucket/x").contains("use file://"));
        assert!(refused("postgresql://me:word@h").contains("name the database"));
        assert!(!refused("postgresql://me:word@h").contains("me:word"));
    }
}

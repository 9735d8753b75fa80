//! Drivers: where their libraries are looked for, and what to install when there is none.
//!
//! In this order: the plugin's configuration (`duckdb_library`, `sqlite_library`, `postgresql_library`: files;
//! `library_directory`: a folder), the same in capitals with `TILED_` before it as environment variables, the folders
//! `lib` and `plugins/sql/lib` beside the program, the Python environment that is active, the system's libraries.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock},
};

use adbc_core::options::AdbcVersion;
use adbc_driver_manager::ManagedDriver;
use serde::Deserialize;
use serde_json::Value;
use tiled_plugin_api::author::{Error, ErrorKind, Host, Result};

use crate::address::Dialect;

/// The plugin's configuration.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    duckdb_library: Option<PathBuf>,
    sqlite_library: Option<PathBuf>,
    postgresql_library: Option<PathBuf>,
    library_directory: Option<PathBuf>,
}

static CONFIG: Mutex<Option<Config>> = Mutex::new(None);

/// Takes the plugin's configuration.
///
/// # Errors
/// `InvalidArgument` for keys that are not known.
pub fn configure(_host: &Host, config: Value) -> Result<()> {
    let config = if config.is_null() { Config::default() } else { read(config)? };
    *CONFIG.lock().map_err(Error::internal)? = Some(config);
    Ok(())
}

fn read(config: Value) -> Result<Config> {
    serde_json::from_value(config)
        .map_err(|error| Error::new(ErrorKind::InvalidArgument, format!("plugin sql: {error}")))
}

/// A driver's files and words.
struct Kind {
    file: &'static str,
    entry: &'static [u8],
    /// Its package in a Python environment.
    package: &'static str,
    key: &'static str,
    remedy: &'static str,
}

const fn kind(dialect: Dialect) -> Kind {
    match dialect {
        Dialect::DuckDb => Kind {
            file: "libduckdb.so",
            entry: b"duckdb_adbc_init",
            package: "",
            key: "duckdb_library",
            remedy: "libduckdb.so of DuckDB 1.5 (from duckdb.org, or the npm package @duckdb/node-bindings-linux-x64)",
        },
        Dialect::Sqlite => Kind {
            file: "libadbc_driver_sqlite.so",
            entry: b"AdbcDriverInit",
            package: "adbc_driver_sqlite",
            key: "sqlite_library",
            remedy: "libadbc_driver_sqlite.so (from the Python package adbc-driver-sqlite)",
        },
        Dialect::Postgres => Kind {
            file: "libadbc_driver_postgresql.so",
            entry: b"AdbcDriverInit",
            package: "adbc_driver_postgresql",
            key: "postgresql_library",
            remedy: "libadbc_driver_postgresql.so (from the Python package adbc-driver-postgresql)",
        },
    }
}

/// The driver of a dialect, loaded once and kept: libraries are never unloaded.
///
/// # Errors
/// `Busy` when it is not installed or cannot be loaded, saying what to do.
pub fn load(dialect: Dialect) -> Result<ManagedDriver> {
    static LOADED: OnceLock<Mutex<HashMap<Dialect, ManagedDriver>>> = OnceLock::new();
    let mut loaded = LOADED.get_or_init(Mutex::default).lock().map_err(Error::internal)?;
    if let Some(driver) = loaded.get(&dialect) {
        return Ok(driver.clone());
    }
    // Not found is not remembered: it may be installed while the server runs.
    let driver = search(dialect)?;
    loaded.insert(dialect, driver.clone());
    Ok(driver)
}

fn search(dialect: Dialect) -> Result<ManagedDriver> {
    let kind = kind(dialect);
    let config = CONFIG.lock().map_err(Error::internal)?.clone().unwrap_or_default();
    let mut tried = Vec::new();
    for candidate in candidates(&kind, &named(dialect, &config), &config) {
        // A bare name is for the system's search; anything else is looked at first.
        if candidate.components().count() > 1 && !candidate.is_file() {
            tried.push(format!("{}: not there", candidate.display()));
            continue;
        }
        match ManagedDriver::load_dynamic_from_filename(&candidate, Some(kind.entry), AdbcVersion::V110) {
            Ok(driver) => return Ok(driver),
            Err(error) => tried.push(format!("{}: {}", candidate.display(), error.message)),
        }
    }
    let message = format!(
        "The server has no driver for {}. Its operator can put {} into the folder `lib` beside the program, or \
         name it as `{}` in the configuration of the plugin sql",
        dialect.name(),
        kind.remedy,
        kind.key
    );
    Err(Error::new(ErrorKind::Busy, message).with_detail(tried.join("; ")))
}

fn named(dialect: Dialect, config: &Config) -> Option<PathBuf> {
    match dialect {
        Dialect::DuckDb => config.duckdb_library.clone(),
        Dialect::Sqlite => config.sqlite_library.clone(),
        Dialect::Postgres => config.postgresql_library.clone(),
    }
}

fn candidates(kind: &Kind, named: &Option<PathBuf>, config: &Config) -> Vec<PathBuf> {
    if let Some(named) = named {
        return vec![named.clone()];
    }
    let variable = |key: &str| std::env::var_os(format!("TILED_{}", key.to_uppercase())).map(PathBuf::from);
    if let Some(named) = variable(kind.key) {
        return vec![named];
    }
    let mut folders: Vec<PathBuf> = Vec::new();
    folders.extend(config.library_directory.clone());
    folders.extend(variable("library_directory"));
    let program = std::env::current_exe().ok();
    if let Some(home) = program.as_deref().and_then(Path::parent) {
        // Programs of tests are one folder further down.
        for home in [Some(home), home.parent()].into_iter().flatten() {
            folders.extend([home.join("lib"), home.join("plugins/sql/lib")]);
        }
    }
    let mut files: Vec<PathBuf> = folders.iter().map(|folder| folder.join(kind.file)).collect();
    if !kind.package.is_empty() {
        files.extend(in_python(kind));
    }
    files.push(kind.file.into());
    files
}

/// The driver within the active Python environment.
fn in_python(kind: &Kind) -> Vec<PathBuf> {
    let environment = std::env::var_os("VIRTUAL_ENV").or_else(|| std::env::var_os("CONDA_PREFIX"));
    let Some(environment) = environment.map(PathBuf::from) else { return vec![] };
    let versions = environment.join("lib").read_dir().into_iter().flatten().flatten();
    versions.map(|version| version.path().join("site-packages").join(kind.package).join(kind.file)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_library_that_is_not_there_is_an_error_that_says_what_to_install() {
        let config = Config { duckdb_library: Some("/nowhere/libduckdb.so".into()), ..Config::default() };
        *CONFIG.lock().unwrap() = Some(config);
        let error = search(Dialect::DuckDb).unwrap_err();
        *CONFIG.lock().unwrap() = None;
        assert_eq!(error.kind, ErrorKind::Busy);
        assert!(
            error.message.contains("libduckdb.so") && error.message.contains("`duckdb_library`"),
            "{error}"
        );
        assert!(error.detail.contains("/nowhere/libduckdb.so: not there"), "{error}");
    }

    #[test]
    fn keys_that_are_not_known_are_refused() {
        assert!(
            read(serde_json::json!({"duckdb": "x"})).unwrap_err().message.contains("unknown field `duckdb`")
        );
    }
}

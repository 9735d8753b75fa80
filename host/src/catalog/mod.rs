//! The catalog: Tiled's tables of nodes, data sources and assets. Takes an address, paths and queries; gives rows
//! as plain values. Serves databases made by Tiled 0.2.20 as they are and makes ones it can serve in turn.
//! Everything blocks. Knows no HTTP and opens no data; no type of the database library leaves this room.

mod address;
mod admin;
mod change;
mod condition;
mod connection;
mod distinct;
mod error;
mod facts;
mod facts_sql;
mod failure;
mod files;
mod functions;
mod index;
mod index_postgres;
mod index_sqlite;
mod insert;
mod link;
mod lookup;
mod new;
mod page;
mod plan;
mod postgres;
mod postgres_regex;
mod postgres_sql;
mod remove;
mod row;
mod schema;
mod select;
mod session;
mod sorted;
mod sql;
mod store;
#[cfg(test)]
mod tests;
mod texts;
mod turns;
mod watch;
mod writer;
mod writing;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

pub use address::Address;
pub use admin::{Stamp, Standing};
pub use error::{CatalogError, Result};
pub use files::{FileChanges, FileNode, KeyTaken};
pub use new::{
    AssetDeletion, Created, DataSourceUpdate, DistinctRequest, DistinctResult, DistinctValue, MetadataUpdate,
    NewAsset, NewDataSource, NewNode, Updated,
};
pub use row::{AssetRow, DataSourceRow, Management, NodeRow, RevisionRow, SourceBrief};
pub use schema::REQUIRED_REVISION;
pub use turns::Held;

use crate::query::{Query, Sorting};
use connection::Connections;
use page::Scope;
use postgres::Pool;
use store::Store;
use turns::{Keeper, Turns};

/// The id of the root node of every catalog.
pub const ROOT: i64 = 0;

/// How much of each node a listing carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Content {
    /// Id, key and family only.
    Keys,
    /// Everything but structures.
    #[default]
    Nodes,
    /// Everything.
    Structures,
}

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// After so many nodes.
    Offset(u64),
    /// After the node of this id; only in the order of insertion.
    Cursor(i64),
}

/// Whether a listing says how many nodes meet the queries in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Counting {
    /// It does not.
    #[default]
    None,
    /// Exactly, whatever the cost.
    Exact,
    /// Exactly up to so many; beyond, one more than that as a lower bound.
    UpTo(u64),
}

/// What page to give.
#[derive(Debug, Clone, PartialEq)]
pub struct PageRequest {
    /// All to be met.
    pub queries: Vec<Query>,
    /// In which order.
    pub sorting: Sorting,
    /// From where.
    pub start: Start,
    /// At most so many; 0 only counts.
    pub limit: u64,
    /// How much of each.
    pub content: Content,
    /// Whether to count all.
    pub counting: Counting,
    /// Whether to count the children of each container, and how far.
    pub children: Option<u64>,
}

impl Default for PageRequest {
    /// The first 100, with structures.
    fn default() -> Self {
        PageRequest {
            queries: Vec::new(),
            sorting: Sorting::default(),
            start: Start::Offset(0),
            limit: 100,
            content: Content::Structures,
            counting: Counting::None,
            children: None,
        }
    }
}

/// How many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Nodes.
    pub value: u64,
    /// Or else there are at least so many.
    pub exact: bool,
}

/// One page of a listing.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// In order.
    pub rows: Vec<NodeRow>,
    /// If asked for.
    pub count: Option<Count>,
    /// Whether there are nodes after these.
    pub has_more: bool,
    /// Where the next page begins; only in the order of insertion, and only if there are more.
    pub next_cursor: Option<i64>,
}

/// A catalog database, open.
pub struct Catalog {
    store: Store,
    turns: Turns,
    /// Removed with the catalog.
    _directory: Option<tempfile::TempDir>,
}

impl Catalog {
    /// Opens the catalog at a Tiled address (`sqlite:////abs/path`, `sqlite:///relative`, a path,
    /// `postgresql://user:password@host/database`), first making it if wished and there is none.
    ///
    /// # Errors
    /// `Address`, `Missing`, `Outdated`, `Unrecognized` with what to do; `Unavailable`, `Database`.
    pub fn open(uri: &str, init_if_not_exists: bool) -> Result<Catalog> {
        let path = match Address::parse(uri)? {
            Address::Memory => return Catalog::temporary(),
            Address::Postgres(config) => return Catalog::open_postgres(*config, uri, init_if_not_exists),
            Address::File(path) => path,
        };
        let absent = std::fs::metadata(&path).map_or(true, |file| file.len() == 0);
        if absent && !init_if_not_exists {
            return Err(CatalogError::Missing { uri: uri.to_owned() });
        }
        if absent {
            schema::create(&path)?;
        }
        Catalog::open_file(&path, uri, None)
    }

    fn open_postgres(config: tokio_postgres::Config, uri: &str, init: bool) -> Result<Catalog> {
        let turns = Turns::Postgres(Keeper::new(config.clone()));
        let pool = Pool::new(config);
        if init {
            schema::create_in(&pool).map_err(|failure| failure.into_error("creating it"))?;
        }
        pool.read(false, &mut |session| Ok(schema::check(session, uri)?))
            .map_err(|failure| failure.into_error("opening it"))?;
        Ok(Catalog { store: Store::Postgres(Box::new(pool)), turns, _directory: None })
    }

    /// A new catalog in a temporary directory, which goes away with it.
    ///
    /// # Errors
    /// `Database` when it cannot be made.
    pub fn temporary() -> Result<Catalog> {
        let failed = |error: std::io::Error| CatalogError::Database {
            doing: "making a temporary directory",
            source: Box::new(error),
        };
        let directory = tempfile::Builder::new().prefix("tiled-catalog-").tempdir().map_err(failed)?;
        let path = directory.path().join("catalog.db");
        schema::create(&path)?;
        Catalog::open_file(&path, "(temporary)", Some(directory))
    }

    fn open_file(path: &Path, uri: &str, directory: Option<tempfile::TempDir>) -> Result<Catalog> {
        let path: PathBuf = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let connections = Connections::open(&path, directory.is_some(), uri)?;
        let turns = if directory.is_some() { Turns::Ours } else { Turns::beside(&path) };
        Ok(Catalog { store: Store::Sqlite(Box::new(connections)), turns, _directory: directory })
    }

    /// A number that changes whenever anybody, this process or another, has committed to the database.
    pub fn generation(&self) -> u64 {
        self.store.generation()
    }

    /// The deepest node there is on a path from the root, and how many segments lead to it (0: the root itself).
    ///
    /// # Errors
    /// `Database`, `Damaged`.
    pub fn lookup(&self, segments: &[&str]) -> Result<Option<(NodeRow, usize)>> {
        self.lookup_from(ROOT, segments, None)
    }

    /// The same from another node on, with its children counted as far as `children` says.
    ///
    /// # Errors
    /// `Database`, `Damaged`.
    pub fn lookup_from(
        &self,
        root: i64,
        segments: &[&str],
        children: Option<u64>,
    ) -> Result<Option<(NodeRow, usize)>> {
        self.store.read("looking up a path", |session| lookup::lookup(session, root, segments, children))
    }

    /// The data sources of a node with their assets in order.
    ///
    /// # Errors
    /// `Database`, `Damaged`.
    pub fn data_sources(&self, node: i64) -> Result<Vec<DataSourceRow>> {
        Ok(self.data_sources_of(&[node])?.remove(&node).unwrap_or_default())
    }

    /// The data sources of several nodes, by node.
    ///
    /// # Errors
    /// `Database`, `Damaged`.
    pub fn data_sources_of(&self, nodes: &[i64]) -> Result<HashMap<i64, Vec<DataSourceRow>>> {
        self.store.read("reading data sources", |session| lookup::data_sources(session, nodes))
    }

    /// How many children a node has.
    ///
    /// # Errors
    /// `Database`.
    pub fn count(&self, parent: i64) -> Result<u64> {
        self.store.read("counting", |session| Ok(page::count(session, Scope::Children(parent), &[])?.value))
    }

    /// A page of the children of a node.
    ///
    /// # Errors
    /// `Query` when the caller's query cannot be answered; `Database`, `Damaged`.
    pub fn page(&self, parent: i64, request: &PageRequest) -> Result<Page> {
        self.listing(Scope::Children(parent), request)
    }

    /// A page of all nodes below a node, down to `levels` below it, each with the keys of its ancestors.
    ///
    /// # Errors
    /// As [`Catalog::page`].
    pub fn search_deep(&self, root: i64, levels: u32, request: &PageRequest) -> Result<Page> {
        self.listing(Scope::Below(root, levels), request)
    }

    fn listing(&self, scope: Scope, request: &PageRequest) -> Result<Page> {
        self.store.read_whole("listing", |session| page::page(session, scope, request))
    }

    /// Former states of a node's metadata, oldest first.
    ///
    /// # Errors
    /// `Database`, `Damaged`.
    pub fn revisions(&self, node: i64, offset: u64, limit: u64) -> Result<Vec<RevisionRow>> {
        self.store.read("reading revisions", |session| lookup::revisions(session, node, offset, limit))
    }

    /// The values that the children of a node have.
    ///
    /// # Errors
    /// As [`Catalog::page`].
    pub fn distinct(&self, parent: i64, request: &DistinctRequest) -> Result<DistinctResult> {
        self.store.read_whole("collecting distinct values", |session| {
            distinct::distinct(session, Scope::Children(parent), request)
        })
    }
}

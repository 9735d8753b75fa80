//! The catalog: Tiled's tables of nodes, data sources and assets. Takes an address, paths and queries; gives rows
//! as plain values. Serves databases made by Tiled 0.2.20 as they are and makes ones it can serve in turn.
//! Everything blocks. Knows no HTTP and opens no data; no type of the database library leaves this room.

mod address;
mod condition;
mod connection;
mod distinct;
mod error;
mod functions;
mod insert;
mod lookup;
mod new;
mod page;
mod row;
mod schema;
mod select;
mod sql;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

pub use address::Address;
pub use error::{CatalogError, Result};
pub use new::{DistinctRequest, DistinctResult, DistinctValue, NewAsset, NewDataSource, NewNode};
pub use row::{AssetRow, DataSourceRow, Management, NodeRow, RevisionRow, SourceBrief};
pub use schema::REQUIRED_REVISION;

use crate::query::{Query, Sorting};
use connection::Connections;
use page::Scope;
use sql::Dialect;

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
    connections: Connections,
    dialect: Dialect,
    /// Removed with the catalog.
    _directory: Option<tempfile::TempDir>,
}

impl Catalog {
    /// Opens the catalog at a Tiled address (`sqlite:////abs/path`, `sqlite:///relative`, a path), first making it
    /// if wished and there is none.
    ///
    /// # Errors
    /// `Address`, `Missing`, `Outdated`, `Unrecognized` with what to do; `Database`.
    pub fn open(uri: &str, init_if_not_exists: bool) -> Result<Catalog> {
        let path = match Address::parse(uri)? {
            Address::Memory => return Catalog::temporary(),
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
        let connections = Connections::open(&path, directory.is_some())?;
        let fulltext = connections.read("opening it", |connection| {
            schema::check(connection, uri)?;
            let sql = "SELECT count(*) FROM sqlite_schema WHERE name = 'metadata_fts5'";
            Ok(connection.query_row(sql, [], |row| row.get::<_, i64>(0))? > 0)
        })?;
        Ok(Catalog { connections, dialect: Dialect::Sqlite { fulltext }, _directory: directory })
    }

    /// A number that changes whenever anybody, this process or another, has committed to the database.
    pub fn generation(&self) -> u64 {
        self.connections.generation()
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
        self.connections.read("looking up a path", |connection| {
            lookup::lookup(connection, self.dialect, root, segments, children)
        })
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
        self.connections.read("reading data sources", |connection| lookup::data_sources(connection, nodes))
    }

    /// How many children a node has.
    ///
    /// # Errors
    /// `Database`.
    pub fn count(&self, parent: i64) -> Result<u64> {
        self.connections.read("counting", |connection| {
            Ok(page::count(connection, self.dialect, Scope::Children(parent), &[], None)?.value)
        })
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
        self.connections.read("listing", |connection| {
            let transaction = connection.unchecked_transaction()?;
            page::page(&transaction, self.dialect, scope, request)
        })
    }

    /// Former states of a node's metadata, oldest first.
    ///
    /// # Errors
    /// `Database`, `Damaged`.
    pub fn revisions(&self, node: i64, offset: u64, limit: u64) -> Result<Vec<RevisionRow>> {
        self.connections
            .read("reading revisions", |connection| lookup::revisions(connection, node, offset, limit))
    }

    /// The values that the children of a node have.
    ///
    /// # Errors
    /// As [`Catalog::page`].
    pub fn distinct(&self, parent: i64, request: &DistinctRequest) -> Result<DistinctResult> {
        self.connections.read("collecting distinct values", |connection| {
            let transaction = connection.unchecked_transaction()?;
            distinct::distinct(&transaction, self.dialect, Scope::Children(parent), request)
        })
    }

    /// Adds one child.
    ///
    /// # Errors
    /// `Collision` when the key is taken; `Database`.
    pub fn insert(&self, parent: i64, node: &NewNode) -> Result<i64> {
        self.connections.write("adding a node", |connection| insert::insert(connection, parent, node))
    }

    /// Adds children in one transaction: all or none. Gives their ids in order.
    ///
    /// # Errors
    /// `Collision` when a key is taken; `Database`.
    pub fn insert_many(&self, parent: i64, nodes: &[NewNode]) -> Result<Vec<i64>> {
        self.connections.write("adding nodes", |connection| {
            nodes.iter().map(|node| insert::insert(connection, parent, node)).collect()
        })
    }

    /// Takes nodes and all below them out of the catalog in one transaction. Their data are not touched.
    ///
    /// # Errors
    /// `Database`.
    pub fn remove(&self, nodes: &[i64]) -> Result<()> {
        self.connections.write("removing nodes", |connection| {
            nodes.iter().try_for_each(|node| insert::remove(connection, *node))
        })
    }
}

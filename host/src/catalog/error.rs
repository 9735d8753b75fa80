//! What can go wrong with a catalog, by who is at fault.

use crate::query::QueryError;

/// Any failure of the catalog.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The configured address is not one we can open.
    #[error("The catalog address {uri:?} {reason}")]
    Address {
        /// As configured, without password.
        uri: String,
        /// Continues the sentence.
        reason: String,
    },
    /// There is no catalog there.
    #[error("No catalog database found at {uri}. To create one, run: tiled-host catalog init {uri}")]
    Missing {
        /// As configured.
        uri: String,
    },
    /// Made by the Tiled before.
    #[error(
        "The catalog at {uri} was made by an older version of Tiled (revision {revision}); this server needs the \
         schema of Tiled 0.2.20 (revision {required}). Back it up, then run: tiled-host catalog upgrade-database {uri}"
    )]
    Upgradable {
        /// Without password.
        uri: String,
        /// What it is stamped with.
        revision: String,
        /// What we need.
        required: &'static str,
    },
    /// Made by an older Tiled.
    #[error(
        "The catalog at {uri} was made by an older version of Tiled (revision {revision}); this server needs the \
         schema of Tiled 0.2.20 (revision {required}). Back it up, then run with Tiled 0.2.20: \
         tiled catalog upgrade-database {uri}"
    )]
    Outdated {
        /// As configured.
        uri: String,
        /// What it is stamped with.
        revision: String,
        /// What we need.
        required: &'static str,
    },
    /// Made by a newer Tiled or another program.
    #[error(
        "The database at {uri} is stamped with revision {revision:?}, which Tiled 0.2.20 (revision {required}) does \
         not know. Either a newer version of Tiled made it, then run with that version: tiled catalog \
         downgrade-database {uri} {required}; or it belongs to another application"
    )]
    Unrecognized {
        /// As configured.
        uri: String,
        /// What it is stamped with.
        revision: String,
        /// What we need.
        required: &'static str,
    },
    /// The query of a request is at fault.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// A node of this key is there already.
    #[error("/{path} already exists")]
    Collision {
        /// The key, below the parent that was given.
        path: String,
    },
    /// The node is not there: it never was, or somebody deleted it meanwhile.
    #[error("There is no node {node} in the catalog any more")]
    NoNode {
        /// Its id.
        node: i64,
    },
    /// A node that cannot have children in the catalog.
    #[error("Node {node} is no container of the catalog, so nothing can be put into it")]
    NotContainer {
        /// Its id.
        node: i64,
    },
    /// The node has no such data source.
    #[error("No data_source {id} on this node.")]
    NoDataSource {
        /// The id asked for.
        id: i64,
    },
    /// Two assets of a data source for one place.
    #[error(
        "The asset {data_uri} cannot be added: the data source has an asset for parameter {parameter:?} and num \
         {num:?} already (a parameter has either one asset without num or several with different nums)"
    )]
    AssetClash {
        /// Of the asset that came second.
        data_uri: String,
        /// The place.
        parameter: Option<String>,
        /// The place.
        num: Option<i64>,
    },
    /// Tags that nobody defined.
    #[error("Cannot apply access tags that are not defined: {tags:?}")]
    UnknownTags {
        /// Sorted.
        tags: Vec<String>,
    },
    /// There are nodes below the one to be deleted.
    #[error("Cannot delete a node that is not empty. Delete its contents first or pass `recursive=True`.")]
    NotEmpty,
    /// Deleting would remove data that only this server keeps.
    #[error(
        "Some items in this tree are internally managed. Deleting the records will also delete the underlying data \
         files. If you want to delete them, pass external_only=False."
    )]
    InternallyManaged,
    /// The same for one asset.
    #[error(
        "This asset is internally managed. Deleting it would also delete the underlying data. If you want to delete \
         it, pass external_only=False."
    )]
    AssetInternallyManaged,
    /// Rows that do not say what Tiled writes.
    #[error("The catalog row of node {node} is damaged: {reason}")]
    Damaged {
        /// Its id.
        node: i64,
        /// What is wrong.
        reason: String,
    },
    /// A search that took longer than a search may take.
    #[error(
        "The search was stopped after {0} s. Ask for less: another condition, a page without sort, a smaller offset; or \
         let the operator build the search index: tiled-host catalog index URI"
    )]
    TooSlow(u64),
    /// The database is locked by another process for longer than we wait.
    #[error("The catalog database is busy: others have held it for {0} s")]
    Busy(u64),
    /// The database server does not answer, or ended the connection.
    #[error("The catalog database cannot be reached: {reason}")]
    Unavailable {
        /// In its own words.
        reason: String,
    },
    /// A value or a search that the database cannot keep or compare.
    #[error("The catalog database cannot hold this value: {reason}")]
    Unstorable {
        /// In its own words.
        reason: String,
    },
    /// Anything else the database reports.
    #[error("The catalog database failed while {doing}: {source}")]
    Database {
        /// What we did.
        doing: &'static str,
        /// Its own error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl CatalogError {
    /// Whether the caller of the request is at fault.
    pub fn is_callers_fault(&self) -> bool {
        matches!(
            self,
            CatalogError::Query(_)
                | CatalogError::Collision { .. }
                | CatalogError::NoNode { .. }
                | CatalogError::NotContainer { .. }
                | CatalogError::NoDataSource { .. }
                | CatalogError::AssetClash { .. }
                | CatalogError::UnknownTags { .. }
                | CatalogError::NotEmpty
                | CatalogError::Unstorable { .. }
                | CatalogError::InternallyManaged
                | CatalogError::AssetInternallyManaged
        )
    }
}

/// The room's result.
pub type Result<T, E = CatalogError> = std::result::Result<T, E>;

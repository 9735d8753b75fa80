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
    /// Rows that do not say what Tiled writes.
    #[error("The catalog row of node {node} is damaged: {reason}")]
    Damaged {
        /// Its id.
        node: i64,
        /// What is wrong.
        reason: String,
    },
    /// The database is locked by another process for longer than we wait.
    #[error("The catalog database is busy: another process has held its lock for {0} s")]
    Busy(u64),
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
        matches!(self, CatalogError::Query(_) | CatalogError::Collision { .. })
    }
}

/// The room's result.
pub type Result<T, E = CatalogError> = std::result::Result<T, E>;

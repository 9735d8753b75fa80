//! The tree of nodes, whatever holds them: rows of a catalog, things inside files, columns of tables.
//!
//! Takes a path, a caller and a scope; gives a [`Node`], or a page of them. [`Tree::find`] is the only maker of a
//! `Node`, so nothing is read without an access decision. Never knows HTTP, and never encodes anything.

mod adapters;
mod column;
mod error;
mod find;
mod list;
mod mount;
mod node;

pub use adapters::{Adapters, Opened};
pub use column::Column;
pub use error::{TreeError, TreeResult};
pub use list::{Entry, ListRequest, Listing};
pub use mount::{Filler, Mount, MountOptions};
pub use node::{Node, Place};

use std::sync::Arc;

use crate::plugin::Plugins;

/// What strangers may make large.
pub struct TreeLimits {
    /// Opened data sources kept ready.
    pub open_adapters: usize,
    /// Bytes of a column read as an array.
    pub max_column_bytes: u64,
    /// Children counted exactly.
    pub exact_count_limit: u64,
}

/// All that is served: mounts by path, and the adapters that are open.
pub struct Tree {
    /// Longest path first.
    mounts: Vec<Arc<Mount>>,
    adapters: Adapters,
    /// A column is read to know its type: no more bytes than an answer may carry.
    max_column_bytes: u64,
    /// Children are counted exactly up to this many.
    exact_count_limit: u64,
}

impl Tree {
    /// A tree of these mounts, of which no path is below another unless it is longer.
    pub fn new(mut mounts: Vec<Mount>, plugins: Arc<Plugins>, limits: &TreeLimits) -> Self {
        mounts.sort_by_key(|mount| std::cmp::Reverse(mount.path.len()));
        let mounts = mounts.into_iter().map(Arc::new).collect();
        Tree {
            mounts,
            adapters: Adapters::new(plugins, limits.open_adapters),
            max_column_bytes: limits.max_column_bytes,
            exact_count_limit: limits.exact_count_limit,
        }
    }

    /// Where it is mounted.
    pub fn mounts(&self) -> &[Arc<Mount>] {
        &self.mounts
    }

    /// The plugins that open its files.
    pub fn plugins(&self) -> &Arc<Plugins> {
        self.adapters.plugins()
    }

    /// Closes the adapter of a data source that has changed, so that the next reader opens it anew.
    pub fn forget(&self, mount: &Arc<Mount>, data_source: i64) {
        self.adapters.forget(mount, data_source);
    }

    /// Changes whenever any row of any mount may have changed. Cheap: asked for every request.
    pub fn generation(&self) -> u64 {
        self.mounts.iter().fold(0, |all, mount| all.rotate_left(7) ^ mount.catalog.generation())
    }
}

//! A catalog that appears somewhere in the tree.

use std::sync::Arc;

use serde_json::{Map, Value};
use tiled_plugin_api::{
    author::{Result, Source},
    model::Spec,
};

use super::Node;
use crate::{
    catalog::Catalog,
    source::{Roots, Storages, is_database},
};

/// What is said of the mounted root, and where its files may be.
#[derive(Default)]
pub struct MountOptions {
    /// Of the root; replaces the row's own where given.
    pub metadata: Map<String, Value>,
    /// Of the root.
    pub specs: Vec<Spec>,
    /// Of the root.
    pub access_tags: Vec<String>,
    /// Only what is below this node is served.
    pub mount_node: Vec<String>,
    /// Folders in which assets may be.
    pub roots: Roots,
    /// Where data are written, and databases in which assets may be.
    pub storages: Storages,
}

/// A catalog, served below a path.
pub struct Mount {
    /// Where: no segments for `/`.
    pub path: Vec<String>,
    /// Its rows.
    pub catalog: Arc<Catalog>,
    /// What else was configured.
    pub options: MountOptions,
    /// Fills the catalog from a folder, where it was made for one.
    pub filler: Option<Arc<dyn Filler>>,
}

/// Fills a catalog while it is looked at: a folder is registered when somebody asks for it.
pub trait Filler: Send + Sync {
    /// Whether something on the way to these keys is not registered yet. Cheap.
    fn is_behind(&self, keys: &[&str]) -> bool;
    /// Registers what is on the way to these keys. Blocks.
    fn catch_up(&self, keys: &[String]);
}

impl MountOptions {
    /// Opens an asset: a file below the roots, or a database among the storages.
    ///
    /// # Errors
    /// `Forbidden` outside of them; `NotFound`.
    pub fn open_asset(&self, data_uri: &str) -> Result<Source> {
        if is_database(data_uri) { self.storages.database(data_uri) } else { self.roots.open_uri(data_uri) }
    }

    /// As [`MountOptions::open_asset`], where the server itself writes: a file may be yet to come.
    ///
    /// # Errors
    /// `Forbidden` outside of the roots.
    pub fn open_written_asset(&self, data_uri: &str) -> Result<Source> {
        if is_database(data_uri) {
            self.storages.database(data_uri)
        } else {
            self.roots.open_written(data_uri)
        }
    }

    /// Puts what was configured on the root node.
    pub(super) fn dress(&self, node: &mut Node) {
        if !self.metadata.is_empty() {
            node.metadata = Value::Object(self.metadata.clone()).to_string();
        }
        if !self.specs.is_empty() {
            node.specs.clone_from(&self.specs);
        }
        if !self.access_tags.is_empty() {
            node.access_tags = Some(self.access_tags.clone());
        }
    }
}

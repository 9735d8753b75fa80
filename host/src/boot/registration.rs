//! From a configuration to something that registers files in one of its catalogs, without a server.

use std::{path::Path, sync::Arc};

use super::{BootError, catalog_of, mount_node, roots_of, segments, storages_of};
use crate::{
    catalog::Catalog,
    config::{Config, PluginsConfig, TreeConfig},
    plugin::Plugins,
    register::{Options, PluginIdentify, Registrar},
    source::Roots,
};

/// Registers files below one node of a catalog.
pub struct Registration {
    catalog: Arc<Catalog>,
    plugins: Arc<Plugins>,
    roots: Roots,
    /// Path of the tree, for messages.
    tree: String,
    parent: i64,
}

impl Registration {
    /// Opens the catalog that serves `prefix`, and loads the plugins. Containers on the way are made.
    ///
    /// # Errors
    /// What is wrong and what to do: no catalog is served there, it cannot be opened, plugins cannot be loaded.
    pub fn prepare(config: &Config, plugins: &PluginsConfig, prefix: &str) -> Result<Self, BootError> {
        let wanted = segments(prefix);
        let tree = tree_of(config, &wanted)?;
        let roots = roots_of(tree, &storages_of(tree)?)?;
        let catalog = catalog_of(tree)?;
        let mut keys = mount_node(tree.args.mount_node.as_ref());
        keys.extend(wanted.into_iter().skip(segments(&tree.path).len()));
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let parent = catalog.create_path(&keys).map_err(|error| BootError::of_tree(tree, error))?;
        let plugins = Arc::new(Plugins::load(plugins, &roots).map_err(BootError::of)?);
        Ok(Registration { catalog: Arc::new(catalog), plugins, roots, tree: tree.path.clone(), parent })
    }

    /// What registers a folder or file, and with `watch` can follow it.
    ///
    /// # Errors
    /// When the server may not read there, or it cannot be read at all.
    pub fn registrar(&self, path: &Path, options: Options, watch: bool) -> Result<Registrar, BootError> {
        path.symlink_metadata().map_err(|error| BootError(format!("{}: {error}", path.display())))?;
        if let Err(error) = self.roots.admit(path) {
            return Err(BootError(format!(
                "{error}; add {} to readable_storage of tree {}, so that the server may read what is registered",
                path.display(),
                self.tree
            )));
        }
        let identify = Arc::new(PluginIdentify::new(self.plugins.clone(), self.roots.clone()));
        let make = if watch { Registrar::watching } else { Registrar::new };
        make(self.catalog.clone(), self.parent, path, options, identify).map_err(BootError::of)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.plugins.shutdown();
    }
}

/// The catalog that serves a path.
fn tree_of<'c>(config: &'c Config, wanted: &[String]) -> Result<&'c TreeConfig, BootError> {
    let catalogs = || config.trees.iter().filter(|tree| tree.tree == "catalog");
    let served = catalogs().filter(|tree| wanted.starts_with(&segments(&tree.path)));
    served.max_by_key(|tree| segments(&tree.path).len()).ok_or_else(|| {
        let paths: Vec<&str> = catalogs().map(|tree| tree.path.as_str()).collect();
        BootError(match paths.as_slice() {
            [] => "the configuration has no tree = \"catalog\": files are registered in a catalog".into(),
            _ => format!(
                "no catalog is served at /{}: give a --prefix at or below {}",
                wanted.join("/"),
                paths.join(" or ")
            ),
        })
    })
}

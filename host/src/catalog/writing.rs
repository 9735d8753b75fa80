//! What changes a catalog. Every call is one transaction: once it returns, all of it is on the disk, or none.

use serde_json::Value;

use super::{
    AssetDeletion, Catalog, CatalogError, Created, DataSourceRow, DataSourceUpdate, MetadataUpdate, NewNode,
    NodeRow, Result, Updated, change, insert, remove,
};

impl Catalog {
    /// Adds one child, and gives its id and its data sources with the ids of these and of their assets. An asset
    /// that is in the catalog already is used again.
    ///
    /// # Errors
    /// `Collision` when the key is taken; `NoNode` when the parent is not there (any more), `NotContainer` when it
    /// cannot have children in the catalog; `UnknownTags`, `AssetClash`; `Busy`, `Database`.
    pub fn create(&self, parent: i64, node: &NewNode) -> Result<Created> {
        self.store.write("adding a node", |session| insert::create(session, parent, node))
    }

    /// Adds one child.
    ///
    /// # Errors
    /// As [`Catalog::create`], but that the parent is not looked at.
    pub fn insert(&self, parent: i64, node: &NewNode) -> Result<i64> {
        self.store.write("adding a node", |session| insert::insert(session, parent, node))
    }

    /// Adds children in one transaction: all or none. Gives their ids in order.
    ///
    /// # Errors
    /// As [`Catalog::insert`].
    pub fn insert_many(&self, parent: i64, nodes: &[NewNode]) -> Result<Vec<i64>> {
        self.store.write("adding nodes", |session| {
            nodes.iter().map(|node| insert::insert(session, parent, node)).collect()
        })
    }

    /// The container at the end of a path from the root, by its id; containers that are not there are made.
    ///
    /// # Errors
    /// `NotContainer` when a node on the path is none; `Busy`, `Database`.
    pub fn create_path(&self, keys: &[&str]) -> Result<i64> {
        self.create_path_to(keys, &NewNode::container(""))
    }

    /// As [`Catalog::create_path`]; where the last container is made, it gets metadata, specs and access tags of `last`.
    ///
    /// # Errors
    /// As there, and `UnknownTags`.
    pub fn create_path_to(&self, keys: &[&str], last: &NewNode) -> Result<i64> {
        self.store.write("making a path", |session| insert::create_path(session, keys, last))
    }

    /// Changes metadata, specs and access tags of a node to what `change` makes of its present row. What others
    /// change at the same time comes before or after, never between. `change` may be called more than once.
    /// `keep_revision` keeps the former metadata and specs as a revision.
    ///
    /// # Errors
    /// What `change` refuses with, unchanged, and nothing is written. `NoNode`, `UnknownTags`; `Busy`, `Database`.
    pub fn update<E: From<CatalogError>>(
        &self,
        node: i64,
        keep_revision: bool,
        change: &mut dyn FnMut(&NodeRow) -> Result<MetadataUpdate, E>,
    ) -> Result<Updated, E> {
        self.store.write_for("changing metadata", |session, refusal| {
            change::update(session, node, keep_revision, change, refusal)
        })
    }

    /// Changes the structure of a data source to what `change` makes of the present one (null for none), and gives
    /// the new one. `change` may be called more than once.
    ///
    /// # Errors
    /// What `change` refuses with, unchanged, and nothing is written. `NoDataSource`; `Busy`, `Database`.
    pub fn update_structure<E: From<CatalogError>>(
        &self,
        data_source: i64,
        change: &mut dyn FnMut(&Value) -> Result<Value, E>,
    ) -> Result<Value, E> {
        self.store.write_for("changing a structure", |session, refusal| {
            change::update_structure(session, data_source, change, refusal)
        })
    }

    /// Replaces the structure, parameters and properties of a data source of this node, adds assets that it does
    /// not have, and gives it as it is then.
    ///
    /// # Errors
    /// `NoDataSource` when the node has none of this id; `AssetClash`; `Busy`, `Database`.
    pub fn put_data_source(&self, node: i64, update: &DataSourceUpdate) -> Result<DataSourceRow> {
        self.store.write("changing a data source", |session| change::put_data_source(session, node, update))
    }

    /// How many former states of a node's metadata there are.
    ///
    /// # Errors
    /// `Database`.
    pub fn revision_count(&self, node: i64) -> Result<u64> {
        self.store.read("counting revisions", |session| change::revision_count(session, node))
    }

    /// Forgets one former state, and says whether there was one of this number.
    ///
    /// # Errors
    /// `Busy`, `Database`.
    pub fn delete_revision(&self, node: i64, number: i64) -> Result<bool> {
        self.store.write("deleting a revision", |session| change::delete_revision(session, node, number))
    }

    /// Takes a node and, if `recursive`, all below it out of the catalog, with the assets that nothing else uses.
    /// Gives the data sources whose data the caller must remove now, each with only the assets that hold such data.
    /// An asset in a database (`sqlite:`, `postgresql:`, `duckdb:`) may still be used by others: of it, only the
    /// rows of this data source are to go.
    ///
    /// # Errors
    /// `NotEmpty` unless `recursive`, `InternallyManaged` if `external_only`, and nothing is deleted; `NoNode`;
    /// `Busy`, `Database`.
    pub fn delete(&self, node: i64, recursive: bool, external_only: bool) -> Result<Vec<DataSourceRow>> {
        self.store.write("deleting a node", |session| remove::delete(session, node, recursive, external_only))
    }

    /// Takes nodes and all below them out of the catalog in one transaction. Their data are not touched.
    ///
    /// # Errors
    /// `Busy`, `Database`.
    pub fn remove(&self, nodes: &[i64]) -> Result<()> {
        self.store.write("removing nodes", |session| {
            nodes.iter().try_for_each(|node| remove::remove_all(session, *node))
        })
    }

    /// Takes an asset from a node's data sources, and out of the catalog if nothing else uses it. `None` when the
    /// node has no such asset.
    ///
    /// # Errors
    /// `AssetInternallyManaged` if `external_only`, and nothing is deleted; `NoNode`; `Busy`, `Database`.
    pub fn delete_asset(&self, node: i64, asset: i64, external_only: bool) -> Result<Option<AssetDeletion>> {
        self.store
            .write("deleting an asset", |session| remove::delete_asset(session, node, asset, external_only))
    }
}

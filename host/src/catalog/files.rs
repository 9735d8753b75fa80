//! What registration asks: which nodes are there for which files, and the changes of many folders in one transaction.

use std::collections::HashMap;

use serde_json::Value;

use super::failure::Failure;
use super::session::Session;
use super::sql::Param;
use super::{Catalog, CatalogError, DataSourceRow, NewAsset, NewNode, Result};
use super::{insert, lookup, remove, select};

/// A node that has its data in files.
#[derive(Debug, Clone, PartialEq)]
pub struct FileNode {
    /// Its id.
    pub id: i64,
    /// Its key.
    pub key: String,
    /// Its only data source.
    pub source: DataSourceRow,
}

/// A child by its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyTaken {
    /// Its id.
    pub id: i64,
    /// Whether it is a container of the catalog: without data of its own.
    pub is_plain_container: bool,
}

/// What is to be done below one node.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FileChanges {
    /// The node.
    pub parent: i64,
    /// Children to be added.
    pub new: Vec<NewNode>,
    /// Nodes whose files have changed; their keys, access tags and parameters stay.
    pub changed: Vec<(i64, NewNode)>,
    /// Nodes to be removed with all below them.
    pub gone: Vec<i64>,
}

impl Catalog {
    /// The children of a node that use any of these assets, each with its only data source.
    ///
    /// # Errors
    /// `Database`, `Damaged`.
    pub fn file_nodes(&self, parent: i64, uris: &[String]) -> Result<Vec<FileNode>> {
        self.store.read("looking for files", |session| file_nodes(session, parent, uris))
    }

    /// Which of these keys children of a node have.
    ///
    /// # Errors
    /// `Database`.
    pub fn keys_taken(&self, parent: i64, keys: &[String]) -> Result<HashMap<String, KeyTaken>> {
        self.store.read("looking for keys", |session| keys_taken(session, parent, keys))
    }

    /// The URI of any one asset of a node or of what is below it.
    ///
    /// # Errors
    /// `Database`.
    pub fn any_asset(&self, node: i64) -> Result<Option<String>> {
        self.store.read("looking for an asset", |session| {
            let sql = "SELECT a.data_uri FROM nodes_closure c CROSS JOIN data_sources d \
                       CROSS JOIN data_source_asset_association b CROSS JOIN assets a \
                       WHERE c.ancestor = ?1 AND d.node_id = c.descendant AND b.data_source_id = d.id \
                       AND a.id = b.asset_id LIMIT 1";
            Ok(session.first(sql, &[Param::Int(node)], |row| row.opt_string(0))?.flatten())
        })
    }

    /// Whether a node or one below it has data that are not external files.
    ///
    /// # Errors
    /// `Database`.
    pub fn keeps_own_data(&self, node: i64) -> Result<bool> {
        self.store.read("looking for data", |session| {
            let sql = "SELECT 1 FROM nodes_closure c CROSS JOIN data_sources d \
                       WHERE c.ancestor = ?1 AND d.node_id = c.descendant AND d.management <> 'external' LIMIT 1";
            Ok(session.integer(sql, &[Param::Int(node)])?.is_some())
        })
    }

    /// Adds, renews and removes nodes of files in one transaction: all or none. Gives the ids of the new children
    /// of each folder in order.
    ///
    /// # Errors
    /// `Collision` when a key is taken; `NoNode` when a parent is gone; `Busy`, `Database`, `Damaged`.
    pub fn apply_files(&self, folders: &[FileChanges]) -> Result<Vec<Vec<i64>>> {
        self.store.write("registering files", |session| apply(session, folders))
    }
}

fn file_nodes(session: &Session<'_>, parent: i64, uris: &[String]) -> Result<Vec<FileNode>, Failure> {
    // From the few assets to their nodes, never through the children of a large parent.
    let sql = format!(
        "SELECT DISTINCT n.id, n.key FROM assets a CROSS JOIN data_source_asset_association b \
         CROSS JOIN data_sources d CROSS JOIN nodes n WHERE {} AND b.asset_id = a.id \
         AND d.id = b.data_source_id AND n.id = d.node_id AND +n.parent = ?2 ORDER BY n.id",
        session.dialect().in_texts("a.data_uri", "?1")
    );
    let params = [Param::Text(Value::from(uris).to_string()), Param::Int(parent)];
    let nodes = session.rows(&sql, &params, |row| Ok((row.int(0)?, row.string(1)?)))?;
    let ids: Vec<i64> = nodes.iter().map(|(id, _)| *id).collect();
    let mut sources = lookup::data_sources(session, &ids)?;
    let with_source = |(id, key)| {
        let mut sources = sources.remove(&id)?;
        (sources.len() == 1).then(|| FileNode { id, key, source: sources.remove(0) })
    };
    Ok(nodes.into_iter().filter_map(with_source).collect())
}

fn keys_taken(
    session: &Session<'_>,
    parent: i64,
    keys: &[String],
) -> Result<HashMap<String, KeyTaken>, Failure> {
    let sql = format!(
        "SELECT n.key, n.id, n.structure_family = 'container' \
         AND NOT EXISTS (SELECT 1 FROM data_sources d WHERE d.node_id = n.id) \
         FROM nodes n WHERE {} AND n.parent = ?2",
        session.dialect().in_texts("n.key", "?1")
    );
    let params = [Param::Text(Value::from(keys).to_string()), Param::Int(parent)];
    let taken = session.rows(&sql, &params, |row| {
        Ok((row.string(0)?, KeyTaken { id: row.int(1)?, is_plain_container: row.int(2)? != 0 }))
    })?;
    Ok(taken.into_iter().collect())
}

/// Does it all; gives the ids of the new children of each folder in order.
fn apply(session: &Session<'_>, folders: &[FileChanges]) -> Result<Vec<Vec<i64>>, Failure> {
    let mut made = Vec::with_capacity(folders.len());
    for folder in folders {
        for node in &folder.gone {
            remove::remove_all(session, *node)?;
        }
        for (id, node) in &folder.changed {
            renew(session, *id, node)?;
        }
        let new = folder.new.iter().map(|node| insert::insert(session, folder.parent, node));
        made.push(new.collect::<Result<_, _>>()?);
    }
    Ok(made)
}

/// Puts what files are now into a node that is there. Metadata that the files do not have stay.
fn renew(session: &Session<'_>, id: i64, node: &NewNode) -> Result<(), Failure> {
    let sql = format!(
        "SELECT metadata, structure_family, specs FROM nodes WHERE id = ?1{}",
        session.dialect().hold()
    );
    let found = session.first(&sql, &[Param::Int(id)], |row| {
        let specs = select::specs(id, row.text(2)?)?;
        Ok((select::map(id, Some(row.text(0)?))?, row.string(1)?, specs))
    })?;
    // Removed by somebody else meanwhile.
    let Some((before, family, specs)) = found else { return Ok(()) };
    let mut metadata = before.clone();
    if let Value::Object(now) = &node.metadata {
        metadata.extend(now.clone());
    }
    // A file without specs takes away none that were given to its node.
    let specs = if node.specs.is_empty() || specs == node.specs { None } else { Some(&node.specs) };
    if metadata != before || family != node.structure_family.name() || specs.is_some() {
        let sql = "UPDATE nodes SET metadata = ?2, structure_family = ?3, time_updated = CURRENT_TIMESTAMP \
                   WHERE id = ?1";
        let metadata = Param::Text(Value::Object(metadata).to_string());
        session.execute(sql, &[Param::Int(id), metadata, Param::text(node.structure_family.name())])?;
    }
    if let Some(specs) = specs {
        let sql = "UPDATE nodes SET specs = ?2 WHERE id = ?1";
        session.execute(sql, &[Param::Int(id), insert::json(specs)?])?;
    }
    renew_source(session, id, node)
}

fn renew_source(session: &Session<'_>, node: i64, new: &NewNode) -> Result<(), Failure> {
    let old = lookup::data_sources(session, &[node])?.remove(&node).unwrap_or_default();
    let ([old], [new]) = (old.as_slice(), new.data_sources.as_slice()) else {
        let reason = "it has not one data source but several or none".to_owned();
        return Err(CatalogError::Damaged { node, reason }.into());
    };
    let structure = insert::put_structure(session, &new.structure)?;
    let mut properties = old.properties.clone();
    properties.extend(new.properties.clone());
    let sql = "UPDATE data_sources SET structure_id = ?2, structure_family = ?3, mimetype = ?4, properties = ?5, \
               time_updated = CURRENT_TIMESTAMP WHERE id = ?1";
    let params = [
        Param::Int(old.id),
        Param::opt_text(structure.as_deref()),
        Param::text(new.structure_family.name()),
        Param::text(&new.mimetype),
        insert::json(&properties)?,
    ];
    session.execute(sql, &params)?;
    renew_assets(session, old, &new.assets)
}

/// A growing sequence gets its new files behind the old ones, whose rows stay.
fn renew_assets(session: &Session<'_>, old: &DataSourceRow, new: &[NewAsset]) -> Result<(), Failure> {
    let same = |at: usize| {
        let (old, new) = (old.assets.get(at)?, new.get(at)?);
        Some(old.data_uri == new.data_uri && old.parameter == new.parameter && old.num == new.num)
    };
    let kept = (0..old.assets.len()).take_while(|at| same(*at) == Some(true)).count();
    let dropped: Vec<i64> = old.assets.iter().skip(kept).map(|asset| asset.id).collect();
    for asset in &dropped {
        remove::detach(session, old.id, *asset)?;
    }
    for (at, asset) in new.iter().enumerate() {
        if at >= kept {
            insert::attach(session, old.id, asset)?;
        } else if old.assets.get(at).is_some_and(|old| old.size != asset.size) {
            insert::put_asset(session, asset)?;
        }
    }
    for asset in dropped {
        remove::drop_unused(session, asset)?;
    }
    Ok(())
}

//! Taking nodes and assets out of the catalog. Files are not touched here: what the caller must remove once the
//! rows are gone is given back.

use std::collections::HashSet;

use super::change::hold;
use super::failure::Failure;
use super::lookup;
use super::session::Session;
use super::sql::Param;
use super::{AssetDeletion, CatalogError, DataSourceRow, Management};

/// Data of many nodes in one database: rows of a data source can go although others use the same asset.
const DATABASES: [&str; 3] = ["postgresql", "sqlite", "duckdb"];
/// So many nodes in one statement.
const NODES_AT_ONCE: usize = 10_000;

/// Takes a node and all below it out. Gives the internally managed data sources that lose assets, each with those
/// assets only.
pub(super) fn delete(
    session: &Session<'_>,
    node: i64,
    recursive: bool,
    external_only: bool,
) -> Result<Vec<DataSourceRow>, Failure> {
    hold(session, node)?;
    let nodes = hold_below(session, node)?;
    if !recursive && nodes.len() > 1 {
        return Err(CatalogError::NotEmpty.into());
    }
    let mut internal = Vec::new();
    for part in nodes.chunks(NODES_AT_ONCE) {
        let list = [Param::Text(serde_json::Value::from(part).to_string())];
        let sql = format!(
            "SELECT DISTINCT d.node_id FROM data_sources d WHERE d.management <> 'external' AND {}",
            session.dialect().in_integers("d.node_id", "?1")
        );
        internal.extend(session.rows(&sql, &list, |row| row.int(0))?);
    }
    if external_only && !internal.is_empty() {
        return Err(CatalogError::InternallyManaged.into());
    }
    let mut sources: Vec<DataSourceRow> = Vec::new();
    for part in internal.chunks(NODES_AT_ONCE) {
        let found = lookup::data_sources(session, part)?.into_values().flatten();
        sources.extend(found.filter(|source| source.management != Management::External));
    }
    sources.sort_unstable_by_key(|source| source.id);
    let gone = remove(session, node, &nodes)?;
    Ok(sources.into_iter().filter_map(|source| losing(source, &gone)).collect())
}

/// The data source with only the assets whose data go; `None` without any.
fn losing(mut source: DataSourceRow, gone: &HashSet<i64>) -> Option<DataSourceRow> {
    source.assets.retain(|asset| gone.contains(&asset.id) || in_database(&asset.data_uri));
    if source.assets.is_empty() { None } else { Some(source) }
}

fn in_database(data_uri: &str) -> bool {
    DATABASES.iter().any(|scheme| data_uri.starts_with(scheme))
}

/// The node and all below it. None of them can get another child before the transaction ends.
fn hold_below(session: &Session<'_>, node: i64) -> Result<Vec<i64>, Failure> {
    let sql = format!(
        "SELECT n.id FROM nodes n WHERE n.id IN (SELECT descendant FROM nodes_closure WHERE ancestor = ?1) \
         ORDER BY n.id{}",
        session.dialect().hold_alone()
    );
    let mut known = 0;
    loop {
        let nodes = session.rows(&sql, &[Param::Int(node)], |row| row.int(0))?;
        // Children that came while we waited for a row are held in the next round.
        if nodes.len() == known || !session.dialect().others_write() {
            return Ok(nodes);
        }
        known = nodes.len();
    }
}

/// Takes out the node and all below it, whatever its data are.
pub(super) fn remove_all(session: &Session<'_>, node: i64) -> Result<(), Failure> {
    let sql = "SELECT descendant FROM nodes_closure WHERE ancestor = ?1";
    let below = session.rows(sql, &[Param::Int(node)], |row| row.int(0))?;
    remove(session, node, &below).map(drop)
}

/// Takes out the node and all below it, `nodes`, and the assets that nothing uses any more; gives the ids of these.
fn remove(session: &Session<'_>, node: i64, nodes: &[i64]) -> Result<HashSet<i64>, Failure> {
    let d = session.dialect();
    let mut used = HashSet::new();
    for part in nodes.chunks(NODES_AT_ONCE) {
        let list = [Param::Text(serde_json::Value::from(part).to_string())];
        let sql = format!(
            "SELECT DISTINCT b.asset_id FROM data_sources d JOIN data_source_asset_association b \
             ON b.data_source_id = d.id WHERE {}",
            d.in_integers("d.node_id", "?1")
        );
        used.extend(session.rows(&sql, &list, |row| row.int(0))?);
    }
    // All at once: left to the cascade of foreign keys, a deep tree would recurse in the database.
    let sql = "DELETE FROM nodes WHERE id IN (SELECT descendant FROM nodes_closure WHERE ancestor = ?1) \
               AND parent IS NOT NULL";
    session.execute(sql, &[Param::Int(node)])?;
    if node == super::ROOT {
        session.execute("DELETE FROM data_sources WHERE node_id = ?1", &[Param::Int(node)])?;
    }
    let mut used: Vec<i64> = used.into_iter().collect();
    used.sort_unstable();
    let mut gone = HashSet::new();
    for part in used.chunks(NODES_AT_ONCE) {
        let list = [Param::Text(serde_json::Value::from(part).to_string())];
        let sql = format!(
            "DELETE FROM assets WHERE {} AND NOT EXISTS \
             (SELECT 1 FROM data_source_asset_association b WHERE b.asset_id = assets.id) RETURNING id",
            d.in_integers("assets.id", "?1")
        );
        gone.extend(session.rows(&sql, &list, |row| row.int(0))?);
    }
    Ok(gone)
}

/// Takes an asset from the data sources of a node, and out of the catalog if no other uses it. `None` when the
/// node has no such asset.
pub(super) fn delete_asset(
    session: &Session<'_>,
    node: i64,
    asset: i64,
    external_only: bool,
) -> Result<Option<AssetDeletion>, Failure> {
    hold(session, node)?;
    let mut sources = lookup::data_sources(session, &[node])?.remove(&node).unwrap_or_default();
    sources.retain(|source| source.assets.iter().any(|one| one.id == asset));
    if sources.is_empty() {
        return Ok(None);
    }
    // If one of them is internally managed, the asset is.
    let internal = sources.iter().position(|source| source.management != Management::External);
    if external_only && internal.is_some() {
        return Err(CatalogError::AssetInternallyManaged.into());
    }
    for source in &sources {
        detach(session, source.id, asset)?;
    }
    let deleted = drop_unused(session, asset)?;
    let data = internal.filter(|_| deleted).map(|at| sources.swap_remove(at)).map(|mut source| {
        source.assets.retain(|one| one.id == asset);
        source
    });
    Ok(Some(AssetDeletion { deleted, data }))
}

/// Takes an asset from a data source; the catalog keeps it.
pub(super) fn detach(session: &Session<'_>, data_source: i64, asset: i64) -> Result<(), Failure> {
    let sql = "DELETE FROM data_source_asset_association WHERE data_source_id = ?1 AND asset_id = ?2";
    session.execute(sql, &[Param::Int(data_source), Param::Int(asset)]).map(drop)
}

/// Takes an asset out of the catalog if no data source uses it, and says whether.
pub(super) fn drop_unused(session: &Session<'_>, asset: i64) -> Result<bool, Failure> {
    let sql = "DELETE FROM assets WHERE id = ?1 AND NOT EXISTS \
               (SELECT 1 FROM data_source_asset_association b WHERE b.asset_id = assets.id)";
    Ok(session.execute(sql, &[Param::Int(asset)])? > 0)
}

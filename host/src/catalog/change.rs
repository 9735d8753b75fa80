//! Changing nodes and data sources that are there. Each reads what is, asks for what is to be, and writes it in
//! one transaction, with the row held: no change of another is lost.

use serde_json::Value;

use super::failure::Failure;
use super::insert::{attach, json, put_asset, put_structure, tag};
use super::lookup;
use super::select::{Columns, node_row, select};
use super::session::Session;
use super::sql::{Param, Sql};
use super::{CatalogError, Content, DataSourceRow, DataSourceUpdate, MetadataUpdate, NodeRow, Updated};

/// Changes metadata, specs and access tags as `change` says, first keeping what was as a revision if wished.
pub(super) fn update<E>(
    session: &Session<'_>,
    node: i64,
    keep_revision: bool,
    change: &mut dyn FnMut(&NodeRow) -> Result<MetadataUpdate, E>,
    refusal: &mut Option<E>,
) -> Result<Updated, Failure> {
    hold(session, node)?;
    let before = row(session, node)?;
    let update = change(&before).map_err(|error| {
        *refusal = Some(error);
        Failure::Refused
    })?;
    let revision = if keep_revision { Some(keep(session, &before)?) } else { None };
    let mut sets = Vec::new();
    let mut params = vec![Param::Int(node)];
    if let Some(metadata) = &update.metadata {
        params.push(Param::Text(metadata.to_string()));
        sets.push(format!("metadata = ?{}", params.len()));
    }
    if let Some(specs) = &update.specs {
        params.push(json(specs)?);
        sets.push(format!("specs = ?{}", params.len()));
    }
    if !sets.is_empty() {
        let sets = sets.join(", ");
        let sql = format!("UPDATE nodes SET {sets}, time_updated = CURRENT_TIMESTAMP WHERE id = ?1");
        session.execute(&sql, &params)?;
    }
    if let Some(tags) = &update.access_tags {
        session.execute("DELETE FROM node_access_tags_association WHERE node_id = ?1", &params[..1])?;
        tag(session, node, tags)?;
    }
    Ok(Updated { node: row(session, node)?, revision })
}

/// Keeps the node's row from being changed or deleted by others until the transaction ends.
pub(super) fn hold(session: &Session<'_>, node: i64) -> Result<(), Failure> {
    let sql = format!("SELECT id FROM nodes WHERE id = ?1{}", session.dialect().hold());
    match session.integer(&sql, &[Param::Int(node)])? {
        Some(_) => Ok(()),
        None => Err(CatalogError::NoNode { node }.into()),
    }
}

/// A node by its id.
pub(super) fn row(session: &Session<'_>, node: i64) -> Result<NodeRow, Failure> {
    let mut sql = Sql::new(session.dialect(), "");
    select(&mut sql, Columns { content: Content::Structures, children: None, ancestors: false }, "nodes n");
    let id = sql.bind(Param::Int(node));
    sql.push(&format!(" WHERE n.id = {id}"));
    session.first(&sql.text, &sql.params, node_row)?.ok_or_else(|| CatalogError::NoNode { node }.into())
}

/// Adds the state before a change to the revisions, under the number after the last one there is.
fn keep(session: &Session<'_>, before: &NodeRow) -> Result<i64, Failure> {
    let sql = "INSERT INTO revisions(node_id, revision_number, metadata, specs) \
               SELECT n.id, (SELECT coalesce(max(r.revision_number), 0) + 1 FROM revisions r WHERE r.node_id = n.id), \
               n.metadata, n.specs FROM nodes n WHERE n.id = ?1 RETURNING revision_number";
    let node = before.id;
    session.integer(sql, &[Param::Int(node)])?.ok_or_else(|| CatalogError::NoNode { node }.into())
}

/// How many former states there are.
pub(super) fn revision_count(session: &Session<'_>, node: i64) -> Result<u64, Failure> {
    let count = session.integer("SELECT count(*) FROM revisions WHERE node_id = ?1", &[Param::Int(node)])?;
    Ok(count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0))
}

/// Forgets a former state, and says whether there was one.
pub(super) fn delete_revision(session: &Session<'_>, node: i64, number: i64) -> Result<bool, Failure> {
    let sql = "DELETE FROM revisions WHERE node_id = ?1 AND revision_number = ?2";
    Ok(session.execute(sql, &[Param::Int(node), Param::Int(number)])? > 0)
}

/// Changes the structure of a data source as `change` says, and gives the new one.
pub(super) fn update_structure<E>(
    session: &Session<'_>,
    data_source: i64,
    change: &mut dyn FnMut(&Value) -> Result<Value, E>,
    refusal: &mut Option<E>,
) -> Result<Value, Failure> {
    let id = Param::Int(data_source);
    let gone = || Failure::from(CatalogError::NoDataSource { id: data_source });
    let sql = format!("SELECT node_id FROM data_sources WHERE id = ?1{}", session.dialect().hold());
    let node = session.integer(&sql, std::slice::from_ref(&id))?.ok_or_else(gone)?;
    let sql = "SELECT s.structure FROM data_sources d LEFT JOIN structures s ON s.id = d.structure_id \
               WHERE d.id = ?1";
    let text = session.first(sql, std::slice::from_ref(&id), |row| row.opt_string(0))?.ok_or_else(gone)?;
    let before = match text {
        None => Value::Null,
        Some(text) => serde_json::from_str(&text).map_err(|error| CatalogError::Damaged {
            node,
            reason: format!("structure {text:?}: {error}"),
        })?,
    };
    let after = change(&before).map_err(|error| {
        *refusal = Some(error);
        Failure::Refused
    })?;
    if after != before {
        let structure = put_structure(session, &after)?;
        let sql = "UPDATE data_sources SET structure_id = ?2, time_updated = CURRENT_TIMESTAMP WHERE id = ?1";
        session.execute(sql, &[id, Param::opt_text(structure.as_deref())])?;
    }
    Ok(after)
}

/// Replaces what an update says of a data source of this node, and adds its assets.
pub(super) fn put_data_source(
    session: &Session<'_>,
    node: i64,
    update: &DataSourceUpdate,
) -> Result<DataSourceRow, Failure> {
    let gone = || Failure::from(CatalogError::NoDataSource { id: update.id });
    let sql =
        format!("SELECT id FROM data_sources WHERE id = ?1 AND node_id = ?2{}", session.dialect().hold());
    session.integer(&sql, &[Param::Int(update.id), Param::Int(node)])?.ok_or_else(gone)?;
    let structure = put_structure(session, &update.structure)?;
    let sql = "UPDATE data_sources SET structure_id = ?2, parameters = ?3, properties = ?4, \
               mimetype = coalesce(?5, mimetype), time_updated = CURRENT_TIMESTAMP WHERE id = ?1";
    let params = [
        Param::Int(update.id),
        Param::opt_text(structure.as_deref()),
        json(&update.parameters)?,
        json(&update.properties)?,
        Param::opt_text(update.mimetype.as_deref()),
    ];
    session.execute(sql, &params)?;
    for asset in &update.assets {
        let asset_id = put_asset(session, asset)?;
        let sql = "SELECT 1 FROM data_source_asset_association WHERE data_source_id = ?1 AND asset_id = ?2";
        if session.integer(sql, &[Param::Int(update.id), Param::Int(asset_id)])?.is_none() {
            attach(session, update.id, asset)?;
        }
    }
    let sources = lookup::data_sources(session, &[node])?.remove(&node).unwrap_or_default();
    sources.into_iter().find(|source| source.id == update.id).ok_or_else(gone)
}

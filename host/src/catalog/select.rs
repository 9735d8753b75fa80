//! The columns that make a [`NodeRow`], and the row made of them.

use serde_json::{Map, Value};
use tiled_plugin_api::model::{Spec, StructureFamily};

use super::failure::Failure;
use super::session::Row;
use super::sql::Sql;
use super::{CatalogError, Content, Management, NodeRow, SourceBrief};

/// What of a node is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns {
    pub content: Content,
    /// Count children, up to this many.
    pub children: Option<u64>,
    pub ancestors: bool,
}

/// Adds `SELECT … FROM {nodes}` with the joins; `nodes` names the node `n`.
pub(super) fn select(sql: &mut Sql, columns: Columns, nodes: &str) {
    let d = sql.dialect;
    sql.push("SELECT n.id, n.parent, n.key, n.structure_family");
    let tags = "node_access_tags_association a JOIN access_tags t ON t.id = a.tag_id WHERE a.node_id = n.id";
    match columns.content {
        Content::Keys => sql.push(", '{}', '[]', '[]', '', '', NULL, NULL, NULL, NULL, NULL"),
        Content::Nodes | Content::Structures => sql
            .push(", n.metadata, n.specs, ")
            .push(&d.list_of("t.name", tags))
            .push(", CAST(n.time_created AS TEXT), CAST(n.time_updated AS TEXT)")
            .push(", d.id, d.mimetype, d.structure_family, d.management")
            .push(if columns.content == Content::Structures { ", s.structure" } else { ", NULL" }),
    };
    match columns.children {
        Some(limit) => {
            let limit = sql.bind_int(limit);
            sql.push(", CASE n.structure_family WHEN 'container' THEN (SELECT count(*) FROM (SELECT 1 FROM nodes k ");
            sql.push(&format!("WHERE k.parent = n.id LIMIT {limit}) k) END"));
        }
        None => {
            sql.push(", NULL");
        }
    }
    let path = "(SELECT p.key AS key FROM nodes_closure c JOIN nodes p ON p.id = c.ancestor \
                WHERE c.descendant = n.id AND c.depth > 0 AND p.parent IS NOT NULL ORDER BY c.depth DESC) a";
    let ancestors = if columns.ancestors { d.list_of("key", path) } else { "NULL".to_owned() };
    sql.push(", ").push(&ancestors).push(" FROM ").push(nodes);
    if columns.content != Content::Keys {
        // A node has at most one data source in Tiled; were there more, the first counts and no row doubles.
        sql.push(
            " LEFT JOIN data_sources d ON d.node_id = n.id \
             AND NOT EXISTS (SELECT 1 FROM data_sources e WHERE e.node_id = n.id AND e.id < d.id)",
        );
    }
    if columns.content == Content::Structures {
        sql.push(" LEFT JOIN structures s ON s.id = d.structure_id");
    }
}

/// How many columns [`select`] adds.
pub(super) const COLUMNS: usize = 16;

/// The node of a row of [`select`].
pub(super) fn node_row(row: &Row<'_>) -> Result<NodeRow, Failure> {
    let id = row.int(0)?;
    let data_source = match row.opt_int(9)? {
        Some(source) => Some(SourceBrief {
            id: source,
            mimetype: row.string(10)?,
            structure_family: family(id, row.text(11)?)?,
            management: management(id, row.text(12)?)?,
        }),
        None => None,
    };
    let mut access_tags = names(id, row.text(6)?)?;
    access_tags.sort_unstable();
    Ok(NodeRow {
        id,
        parent: row.opt_int(1)?,
        key: row.string(2)?,
        structure_family: family(id, row.text(3)?)?,
        metadata: row.string(4)?,
        specs: specs(id, row.text(5)?)?,
        access_tags,
        time_created: row.opt_string(7)?.unwrap_or_default(),
        time_updated: row.opt_string(8)?.unwrap_or_default(),
        data_source,
        structure: row.opt_string(13)?,
        children: row.opt_int(14)?.and_then(|count| u64::try_from(count).ok()),
        ancestors: row.opt_text(15)?.map(|text| names(id, text)).transpose()?,
    })
}

pub(super) fn family(node: i64, name: &str) -> Result<StructureFamily, CatalogError> {
    StructureFamily::named(name)
        .ok_or_else(|| CatalogError::Damaged { node, reason: format!("family {name:?}") })
}

pub(super) fn management(node: i64, name: &str) -> Result<Management, CatalogError> {
    Management::named(name)
        .ok_or_else(|| CatalogError::Damaged { node, reason: format!("management {name:?}") })
}

pub(super) fn specs(node: i64, text: &str) -> Result<Vec<Spec>, CatalogError> {
    list(node, text, "specs")
}

fn names(node: i64, text: &str) -> Result<Vec<String>, CatalogError> {
    list(node, text, "names")
}

fn list<T: serde::de::DeserializeOwned>(node: i64, text: &str, what: &str) -> Result<Vec<T>, CatalogError> {
    if text == "[]" {
        return Ok(Vec::new());
    }
    serde_json::from_str(text)
        .map_err(|error| CatalogError::Damaged { node, reason: format!("{what} {text:?}: {error}") })
}

/// Stored parameters or properties; older rows have null for none.
pub(super) fn map(node: i64, text: Option<&str>) -> Result<Map<String, Value>, CatalogError> {
    match text.unwrap_or("null") {
        "{}" | "null" => Ok(Map::new()),
        text => serde_json::from_str(text)
            .map_err(|error| CatalogError::Damaged { node, reason: format!("{text:?}: {error}") }),
    }
}

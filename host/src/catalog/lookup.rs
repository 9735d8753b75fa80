//! From a path to the deepest node of the catalog on it, and what hangs at a node.

use std::collections::HashMap;

use rusqlite::{Connection, params_from_iter};

use super::connection::Failure;
use super::select::{COLUMNS, Columns, column, family, management, map, node_row, select, specs};
use super::sql::{Dialect, Param, Sql};
use super::{AssetRow, Content, DataSourceRow, NodeRow, RevisionRow};

/// SQLite joins at most 64 tables; longer paths are walked in pieces.
const SEGMENTS_PER_QUERY: usize = 48;

/// The deepest node there is on the path below `root`, and how many segments lead to it; `None` without a root.
pub(super) fn lookup(
    connection: &Connection,
    dialect: Dialect,
    root: i64,
    segments: &[&str],
    children: Option<u64>,
) -> Result<Option<(NodeRow, usize)>, Failure> {
    let mut from = root;
    let mut consumed = 0;
    loop {
        let rest = &segments[consumed..];
        let piece = &rest[..rest.len().min(SEGMENTS_PER_QUERY)];
        let Some((row, found)) = walk(connection, dialect, from, piece, children)? else { return Ok(None) };
        consumed += found;
        if found < piece.len() || consumed == segments.len() {
            return Ok(Some((row, consumed)));
        }
        from = row.id;
    }
}

fn walk(
    connection: &Connection,
    dialect: Dialect,
    root: i64,
    segments: &[&str],
    children: Option<u64>,
) -> Result<Option<(NodeRow, usize)>, Failure> {
    let mut sql = Sql::new(dialect, "");
    let columns = Columns { content: Content::Structures, children, ancestors: false };
    let root = sql.bind(Param::Int(root));
    // The chain gives NULL from the first segment that is not there; the last id that is not NULL is the node.
    let mut chain = format!("SELECT {root} AS id0");
    let mut joins = String::new();
    let mut deepest = String::new();
    let mut depth = String::from("0");
    for (at, segment) in segments.iter().enumerate() {
        let key = sql.bind(Param::Text((*segment).to_owned()));
        let (here, above) = (at + 1, if at == 0 { "r.id0".to_owned() } else { format!("n{at}.id") });
        joins.push_str(&format!(
            " LEFT JOIN nodes n{here} ON n{here}.key = {key} AND n{here}.parent = {above}"
        ));
        deepest = format!("n{here}.id, {deepest}");
        depth.push_str(&format!(" + (n{here}.id IS NOT NULL)"));
    }
    chain =
        format!("(SELECT coalesce({deepest}r.id0, r.id0) AS id, {depth} AS depth FROM ({chain}) r{joins}) f");
    select(&mut sql, columns, &format!("{chain} CROSS JOIN nodes n ON n.id = f.id"));
    let marker = sql.text.find(" FROM (SELECT coalesce").unwrap_or(sql.text.len());
    sql.text.insert_str(marker, ", f.depth");
    let mut statement = connection.prepare_cached(&sql.text)?;
    let mut rows = statement.query(params_from_iter(&sql.params))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let depth = row.get::<_, i64>(COLUMNS)?;
    Ok(Some((node_row(row)?, usize::try_from(depth).unwrap_or(0))))
}

/// The data sources of nodes, with their assets in order, in two statements however many nodes there are.
pub(super) fn data_sources(
    connection: &Connection,
    nodes: &[i64],
) -> Result<HashMap<i64, Vec<DataSourceRow>>, Failure> {
    let list = Param::Text(serde_json::Value::from(nodes).to_string());
    let mut statement = connection.prepare_cached(
        "SELECT d.id, d.node_id, d.structure_family, s.structure, d.mimetype, d.parameters, d.properties, \
         d.management FROM data_sources d LEFT JOIN structures s ON s.id = d.structure_id \
         WHERE d.node_id IN (SELECT value FROM json_each(?1)) ORDER BY d.id",
    )?;
    let mut found: HashMap<i64, Vec<DataSourceRow>> = HashMap::new();
    let mut place: HashMap<i64, (i64, usize)> = HashMap::new();
    let mut rows = statement.query([&list])?;
    while let Some(row) = rows.next()? {
        let (id, node): (i64, i64) = (row.get(0)?, row.get(1)?);
        let source = DataSourceRow {
            id,
            node_id: node,
            structure_family: family(node, row.get_ref(2)?.as_str().map_err(column)?)?,
            structure: row.get(3)?,
            mimetype: row.get(4)?,
            parameters: map(node, row.get_ref(5)?.as_str_or_null().map_err(column)?)?,
            properties: map(node, row.get_ref(6)?.as_str_or_null().map_err(column)?)?,
            management: management(node, row.get_ref(7)?.as_str().map_err(column)?)?,
            assets: Vec::new(),
        };
        let sources = found.entry(node).or_default();
        place.insert(id, (node, sources.len()));
        sources.push(source);
    }
    let mut statement = connection.prepare_cached(
        "SELECT b.data_source_id, a.id, a.data_uri, a.is_directory, a.size, b.parameter, b.num \
         FROM data_sources d JOIN data_source_asset_association b ON b.data_source_id = d.id \
         JOIN assets a ON a.id = b.asset_id WHERE d.node_id IN (SELECT value FROM json_each(?1)) \
         ORDER BY b.data_source_id, b.parameter, b.num, a.id",
    )?;
    let mut rows = statement.query([&list])?;
    while let Some(row) = rows.next()? {
        let source = place.get(&row.get(0)?).and_then(|(node, at)| found.get_mut(node)?.get_mut(*at));
        let Some(source) = source else { continue };
        source.assets.push(AssetRow {
            id: row.get(1)?,
            data_uri: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
            is_directory: row.get(3)?,
            size: row.get::<_, Option<i64>>(4)?.and_then(|size| u64::try_from(size).ok()),
            parameter: row.get(5)?,
            num: row.get(6)?,
        });
    }
    Ok(found)
}

/// Former states of a node's metadata, oldest first.
pub(super) fn revisions(
    connection: &Connection,
    node: i64,
    offset: u64,
    limit: u64,
) -> Result<Vec<RevisionRow>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT revision_number, metadata, specs, time_updated FROM revisions WHERE node_id = ?1 \
         ORDER BY revision_number LIMIT ?2 OFFSET ?3",
    )?;
    let bound = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let mut rows = statement.query((node, bound(limit), bound(offset)))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(RevisionRow {
            revision_number: row.get(0)?,
            metadata: row.get(1)?,
            specs: specs(node, row.get_ref(2)?.as_str().map_err(column)?)?,
            time_updated: row.get::<_, Option<String>>(3)?.unwrap_or_default(),
        });
    }
    Ok(found)
}

//! From a path to the deepest node of the catalog on it, and what hangs at a node.

use std::collections::HashMap;

use super::failure::Failure;
use super::select::{COLUMNS, Columns, family, management, map, node_row, select, specs};
use super::session::{Row, Session};
use super::sql::{Param, Sql};
use super::{AssetRow, Content, DataSourceRow, NodeRow, RevisionRow};

/// SQLite joins at most 64 tables; longer paths are walked in pieces.
const SEGMENTS_PER_QUERY: usize = 48;

/// The deepest node there is on the path below `root`, and how many segments lead to it; `None` without a root.
pub(super) fn lookup(
    session: &Session<'_>,
    root: i64,
    segments: &[&str],
    children: Option<u64>,
) -> Result<Option<(NodeRow, usize)>, Failure> {
    let mut from = root;
    let mut consumed = 0;
    loop {
        let rest = &segments[consumed..];
        let piece = &rest[..rest.len().min(SEGMENTS_PER_QUERY)];
        let Some((row, found)) = walk(session, from, piece, children)? else { return Ok(None) };
        consumed += found;
        if found < piece.len() || consumed == segments.len() {
            return Ok(Some((row, consumed)));
        }
        from = row.id;
    }
}

fn walk(
    session: &Session<'_>,
    root: i64,
    segments: &[&str],
    children: Option<u64>,
) -> Result<Option<(NodeRow, usize)>, Failure> {
    let mut sql = Sql::new(session.dialect(), "");
    let columns = Columns { content: Content::Structures, children, ancestors: false };
    let root = sql.bind(Param::Int(root));
    // The chain gives NULL from the first segment that is not there; the last id that is not NULL is the node.
    let mut chain = format!("SELECT CAST({root} AS INTEGER) AS id0");
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
        depth.push_str(&format!(" + (CASE WHEN n{here}.id IS NULL THEN 0 ELSE 1 END)"));
    }
    chain =
        format!("(SELECT coalesce({deepest}r.id0, r.id0) AS id, {depth} AS depth FROM ({chain}) r{joins}) f");
    let join = sql.dialect.join_after();
    select(&mut sql, columns, &format!("{chain} {join} nodes n ON n.id = f.id"));
    let marker = sql.text.find(" FROM (SELECT coalesce").unwrap_or(sql.text.len());
    sql.text.insert_str(marker, ", f.depth");
    session.first(&sql.text, &sql.params, |row| {
        Ok((node_row(row)?, usize::try_from(row.int(COLUMNS)?).unwrap_or(0)))
    })
}

/// The data sources of nodes, with their assets in order, in two statements however many nodes there are.
pub(super) fn data_sources(
    session: &Session<'_>,
    nodes: &[i64],
) -> Result<HashMap<i64, Vec<DataSourceRow>>, Failure> {
    let list = [Param::Text(serde_json::Value::from(nodes).to_string())];
    let among = session.dialect().in_integers("d.node_id", "?1");
    let sql = format!(
        "SELECT d.id, d.node_id, d.structure_family, s.structure, d.mimetype, d.parameters, d.properties, \
         d.management FROM data_sources d LEFT JOIN structures s ON s.id = d.structure_id \
         WHERE {among} ORDER BY d.id"
    );
    let mut found: HashMap<i64, Vec<DataSourceRow>> = HashMap::new();
    let mut place: HashMap<i64, (i64, usize)> = HashMap::new();
    for source in session.rows(&sql, &list, source_row)? {
        let sources = found.entry(source.node_id).or_default();
        place.insert(source.id, (source.node_id, sources.len()));
        sources.push(source);
    }
    let sql = format!(
        "SELECT b.data_source_id, a.id, a.data_uri, a.is_directory, a.size, b.parameter, b.num \
         FROM data_sources d JOIN data_source_asset_association b ON b.data_source_id = d.id \
         JOIN assets a ON a.id = b.asset_id WHERE {among} \
         ORDER BY b.data_source_id, b.parameter, b.num, a.id"
    );
    for (source, asset) in session.rows(&sql, &list, |row| Ok((row.int(0)?, asset_row(row, 1)?)))? {
        let source = place.get(&source).and_then(|(node, at)| found.get_mut(node)?.get_mut(*at));
        if let Some(source) = source {
            source.assets.push(asset);
        }
    }
    Ok(found)
}

fn source_row(row: &Row<'_>) -> Result<DataSourceRow, Failure> {
    let node = row.int(1)?;
    Ok(DataSourceRow {
        id: row.int(0)?,
        node_id: node,
        structure_family: family(node, row.text(2)?)?,
        structure: row.opt_string(3)?,
        mimetype: row.string(4)?,
        parameters: map(node, row.opt_text(5)?)?,
        properties: map(node, row.opt_text(6)?)?,
        management: management(node, row.text(7)?)?,
        assets: Vec::new(),
    })
}

/// An asset from the columns id, data_uri, is_directory, size, parameter, num, the first of which is `at`.
fn asset_row(row: &Row<'_>, at: usize) -> Result<AssetRow, Failure> {
    Ok(AssetRow {
        id: row.int(at)?,
        data_uri: row.opt_string(at + 1)?.unwrap_or_default(),
        is_directory: row.int(at + 2)? != 0,
        size: row.opt_int(at + 3)?.and_then(|size| u64::try_from(size).ok()),
        parameter: row.opt_string(at + 4)?,
        num: row.opt_int(at + 5)?,
    })
}

/// Former states of a node's metadata, oldest first.
pub(super) fn revisions(
    session: &Session<'_>,
    node: i64,
    offset: u64,
    limit: u64,
) -> Result<Vec<RevisionRow>, Failure> {
    let sql = "SELECT revision_number, metadata, specs, CAST(time_updated AS TEXT) FROM revisions \
               WHERE node_id = ?1 ORDER BY revision_number LIMIT ?2 OFFSET ?3";
    let bound = |value: u64| Param::Int(i64::try_from(value).unwrap_or(i64::MAX));
    session.rows(sql, &[Param::Int(node), bound(limit), bound(offset)], |row| {
        Ok(RevisionRow {
            revision_number: row.int(0)?,
            metadata: row.string(1)?,
            specs: specs(node, row.text(2)?)?,
            time_updated: row.opt_string(3)?.unwrap_or_default(),
        })
    })
}

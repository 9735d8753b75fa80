//! Adding nodes, with the rows that Tiled's own registration writes.

use md5::{Digest, Md5};
use serde_json::Value;

use super::failure::{Broken, Failure};
use super::lookup;
use super::select::family;
use super::session::Session;
use super::sql::Param;
use super::{CatalogError, Created, NewAsset, NewDataSource, NewNode, ROOT};

/// Tags of these kinds are made when they are first used.
const PRINCIPAL_TAGS: [&str; 2] = ["user:", "service:"];

/// Adds a child of `parent`, its data sources, their structures and assets.
pub(super) fn create(session: &Session<'_>, parent: i64, node: &NewNode) -> Result<Created, Failure> {
    container(session, parent)?;
    let id = insert(session, parent, node)?;
    let data_sources = lookup::data_sources(session, &[id])?.remove(&id).unwrap_or_default();
    Ok(Created { id, data_sources })
}

/// Makes sure that the node is there, can have children in the catalog, and stays until the transaction ends.
pub(super) fn container(session: &Session<'_>, node: i64) -> Result<(), Failure> {
    let sql = format!(
        "SELECT n.structure_family, EXISTS (SELECT 1 FROM data_sources d WHERE d.node_id = n.id) \
         FROM nodes n WHERE n.id = ?1{}",
        session.dialect().keep_parent()
    );
    let found = session.first(&sql, &[Param::Int(node)], |row| {
        Ok((family(node, row.text(0)?)?.name() == "container", row.int(1)? != 0))
    })?;
    match found {
        None => Err(CatalogError::NoNode { node }.into()),
        Some((true, false)) => Ok(()),
        Some(_) => Err(CatalogError::NotContainer { node }.into()),
    }
}

/// Adds a child and gives its id.
pub(super) fn insert(session: &Session<'_>, parent: i64, node: &NewNode) -> Result<i64, Failure> {
    let sql = "INSERT INTO nodes(parent, key, structure_family, metadata, specs) VALUES (?1, ?2, ?3, ?4, ?5) \
               RETURNING id";
    let params = [
        Param::Int(parent),
        Param::text(&node.key),
        Param::text(node.structure_family.name()),
        Param::Text(node.metadata.to_string()),
        json(&node.specs)?,
    ];
    let id = session
        .integer(sql, &params)
        .map_err(|failure| {
            failure
                .instead(Broken::Unique, || CatalogError::Collision { path: node.key.clone() })
                .instead(Broken::Reference, || CatalogError::NoNode { node: parent })
        })?
        .ok_or_else(|| no_id("nodes"))?;
    tag(session, id, &node.access_tags)?;
    for source in &node.data_sources {
        insert_source(session, id, source)?;
    }
    Ok(id)
}

/// Puts tags on a node that has none of them yet.
pub(super) fn tag(session: &Session<'_>, node: i64, tags: &[String]) -> Result<(), Failure> {
    let mut missing = Vec::new();
    for tag in tags {
        if PRINCIPAL_TAGS.iter().any(|kind| tag.starts_with(kind)) {
            let sql = "INSERT INTO access_tags(name) VALUES (?1) ON CONFLICT(name) DO NOTHING";
            session.execute(sql, &[Param::text(tag)])?;
        }
        let Some(id) = session.integer("SELECT id FROM access_tags WHERE name = ?1", &[Param::text(tag)])?
        else {
            missing.push(tag.clone());
            continue;
        };
        let sql = "INSERT INTO node_access_tags_association(node_id, tag_id) VALUES (?1, ?2) \
                   ON CONFLICT(node_id, tag_id) DO NOTHING";
        session.execute(sql, &[Param::Int(node), Param::Int(id)])?;
    }
    if missing.is_empty() {
        return Ok(());
    }
    missing.sort_unstable();
    Err(CatalogError::UnknownTags { tags: missing }.into())
}

fn insert_source(session: &Session<'_>, node: i64, source: &NewDataSource) -> Result<(), Failure> {
    let structure_id = put_structure(session, &source.structure)?;
    let sql = "INSERT INTO data_sources(node_id, structure_id, mimetype, parameters, properties, management, \
               structure_family) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING id";
    let params = [
        Param::Int(node),
        Param::opt_text(structure_id.as_deref()),
        Param::text(&source.mimetype),
        json(&source.parameters)?,
        json(&source.properties)?,
        Param::text(source.management.name()),
        Param::text(source.structure_family.name()),
    ];
    let id = session.integer(sql, &params)?.ok_or_else(|| no_id("data_sources"))?;
    source.assets.iter().try_for_each(|asset| attach(session, id, asset))
}

/// Keeps a structure, once however many data sources have it, and gives its id.
pub(super) fn put_structure(session: &Session<'_>, structure: &Value) -> Result<Option<String>, Failure> {
    if structure.is_null() {
        return Ok(None);
    }
    let id = structure_id(structure);
    let sql = "INSERT INTO structures(id, structure) VALUES (?1, ?2) ON CONFLICT(id) DO NOTHING";
    session.execute(sql, &[Param::text(&id), Param::Text(structure.to_string())])?;
    Ok(Some(id))
}

/// Adds an asset to a data source that does not have it yet.
pub(super) fn attach(session: &Session<'_>, data_source: i64, asset: &NewAsset) -> Result<(), Failure> {
    let asset_id = put_asset(session, asset)?;
    let sql = "INSERT INTO data_source_asset_association(data_source_id, asset_id, parameter, num) \
               VALUES (?1, ?2, ?3, ?4)";
    let params = [
        Param::Int(data_source),
        Param::Int(asset_id),
        Param::opt_text(asset.parameter.as_deref()),
        Param::opt_int(asset.num),
    ];
    session.execute(sql, &params).map_err(|failure| {
        let clash = || CatalogError::AssetClash {
            data_uri: asset.data_uri.clone(),
            parameter: asset.parameter.clone(),
            num: asset.num,
        };
        failure.instead(Broken::Unique, clash).instead(Broken::Check, clash)
    })?;
    Ok(())
}

/// One asset has one row however many nodes use it; its size is renewed.
pub(super) fn put_asset(session: &Session<'_>, asset: &NewAsset) -> Result<i64, Failure> {
    let size = asset.size.and_then(|size| i64::try_from(size).ok());
    let uri = Param::text(&asset.data_uri);
    let known = "SELECT id, size FROM assets WHERE data_uri = ?1";
    let find = || session.first(known, std::slice::from_ref(&uri), |row| Ok((row.int(0)?, row.opt_int(1)?)));
    if let Some((id, old)) = find()? {
        if size.is_some() && size != old {
            let sql = "UPDATE assets SET size = ?2, time_updated = CURRENT_TIMESTAMP WHERE id = ?1";
            session.execute(sql, &[Param::Int(id), Param::opt_int(size)])?;
        }
        return Ok(id);
    }
    let sql = "INSERT INTO assets(data_uri, is_directory, size) VALUES (?1, ?2, ?3) \
               ON CONFLICT(data_uri) DO NOTHING RETURNING id";
    let params = [uri.clone(), Param::bool(asset.is_directory), Param::opt_int(size)];
    match session.integer(sql, &params)? {
        Some(id) => Ok(id),
        // Another process was first.
        None => Ok(find()?.ok_or_else(|| no_id("assets"))?.0),
    }
}

/// The container at the end of a path from the root; those that are not there are made, the last one with what `last`
/// gives it besides its key.
pub(super) fn create_path(session: &Session<'_>, keys: &[&str], last: &NewNode) -> Result<i64, Failure> {
    let mut at = ROOT;
    for (place, key) in keys.iter().enumerate() {
        let child = [Param::Int(at), Param::text(key)];
        let find = || session.integer("SELECT id FROM nodes WHERE parent = ?1 AND key = ?2", &child);
        if let Some(id) = find()? {
            at = id;
            continue;
        }
        container(session, at)?;
        let sql = "INSERT INTO nodes(parent, key, structure_family, metadata, specs) \
                   VALUES (?1, ?2, 'container', ?3, ?4) ON CONFLICT(key, parent) DO NOTHING RETURNING id";
        let plain = NewNode::container(key);
        let node = if place + 1 == keys.len() { last } else { &plain };
        let [parent, key] = child.clone();
        let params = [parent, key, Param::Text(node.metadata.to_string()), json(&node.specs)?];
        at = match session.integer(sql, &params)? {
            Some(id) => {
                tag(session, id, &node.access_tags)?;
                id
            }
            // Another process was first.
            None => find()?.ok_or_else(|| no_id("nodes"))?,
        };
    }
    container(session, at)?;
    Ok(at)
}

/// MD5 of the canonical JSON: Tiled's id of a structure.
pub(super) fn structure_id(structure: &Value) -> String {
    let mut text = String::new();
    canonical(structure, &mut text);
    Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// RFC 8785: keys in order, nothing between. Structures hold no floats, whose form would need more care.
fn canonical(value: &Value, text: &mut String) {
    match value {
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                canonical(item, text);
            }
            text.push(']');
        }
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_unstable();
            text.push('{');
            for (at, key) in keys.into_iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                canonical(&map[key], text);
            }
            text.push('}');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}

pub(super) fn json(value: &impl serde::Serialize) -> Result<Param, Failure> {
    serde_json::to_string(value)
        .map(Param::Text)
        .map_err(|error| CatalogError::Database { doing: "writing JSON", source: Box::new(error) }.into())
}

fn no_id(table: &'static str) -> CatalogError {
    CatalogError::Database { doing: "adding a row", source: format!("no id from {table}").into() }
}

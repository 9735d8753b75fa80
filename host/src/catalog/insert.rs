//! Adding nodes, with the rows that Tiled's own registration writes.

use md5::{Digest, Md5};
use rusqlite::{Connection, ErrorCode, OptionalExtension};
use serde_json::Value;

use super::connection::Failure;
use super::{CatalogError, NewAsset, NewDataSource, NewNode};

/// Adds a child of `parent`, its data sources, their structures and assets. Gives the id.
pub(super) fn insert(connection: &Connection, parent: i64, node: &NewNode) -> Result<i64, Failure> {
    connection
        .prepare_cached(
            "INSERT INTO nodes(parent, key, structure_family, metadata, specs) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute((
            parent,
            &node.key,
            node.structure_family.name(),
            node.metadata.to_string(),
            json(&node.specs)?,
        ))
        .map_err(|error| collision(error, &node.key))?;
    let id = connection.last_insert_rowid();
    for tag in &node.access_tags {
        let found = connection
            .prepare_cached(
                "INSERT INTO node_access_tags_association(node_id, tag_id) \
                 SELECT ?1, id FROM access_tags WHERE name = ?2",
            )?
            .execute((id, tag))?;
        if found == 0 {
            let reason = format!("the access tag {tag:?} is not defined");
            return Err(CatalogError::Damaged { node: id, reason }.into());
        }
    }
    for source in &node.data_sources {
        insert_source(connection, id, source)?;
    }
    Ok(id)
}

fn insert_source(connection: &Connection, node: i64, source: &NewDataSource) -> Result<(), Failure> {
    let structure_id = match &source.structure {
        Value::Null => None,
        structure => {
            let id = structure_id(structure);
            connection
                .prepare_cached(
                    "INSERT INTO structures(id, structure) VALUES (?1, ?2) ON CONFLICT(id) DO NOTHING",
                )?
                .execute((&id, structure.to_string()))?;
            Some(id)
        }
    };
    connection
        .prepare_cached(
            "INSERT INTO data_sources(node_id, structure_id, mimetype, parameters, properties, management, \
             structure_family) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute((
            node,
            structure_id,
            &source.mimetype,
            json(&source.parameters)?,
            json(&source.properties)?,
            source.management.name(),
            source.structure_family.name(),
        ))?;
    let id = connection.last_insert_rowid();
    for asset in &source.assets {
        let asset_id = put_asset(connection, asset)?;
        connection
            .prepare_cached(
                "INSERT INTO data_source_asset_association(data_source_id, asset_id, parameter, num) \
                 VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute((id, asset_id, &asset.parameter, asset.num))?;
    }
    Ok(())
}

/// One asset has one row however many nodes use it; its size is renewed.
fn put_asset(connection: &Connection, asset: &NewAsset) -> Result<i64, Failure> {
    let size = asset.size.and_then(|size| i64::try_from(size).ok());
    let known = connection
        .prepare_cached("SELECT id, size FROM assets WHERE data_uri = ?1")?
        .query_row([&asset.data_uri], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?)))
        .optional()?;
    match known {
        Some((id, old)) => {
            if size.is_some() && size != old {
                connection
                    .prepare_cached(
                        "UPDATE assets SET size = ?2, time_updated = CURRENT_TIMESTAMP WHERE id = ?1",
                    )?
                    .execute((id, size))?;
            }
            Ok(id)
        }
        None => {
            connection
                .prepare_cached("INSERT INTO assets(data_uri, is_directory, size) VALUES (?1, ?2, ?3)")?
                .execute((&asset.data_uri, asset.is_directory, size))?;
            Ok(connection.last_insert_rowid())
        }
    }
}

/// Takes the node and all below it out of the catalog; assets that nothing uses any more go as well. Data stay.
pub(super) fn remove(connection: &Connection, node: i64) -> Result<(), Failure> {
    let assets: Vec<i64> = connection
        .prepare_cached(
            "SELECT DISTINCT b.asset_id FROM nodes_closure c JOIN data_sources d ON d.node_id = c.descendant \
             JOIN data_source_asset_association b ON b.data_source_id = d.id WHERE c.ancestor = ?1",
        )?
        .query_map([node], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    // All at once: left to the cascade of foreign keys, a deep tree would recurse in the database.
    connection
        .prepare_cached(
            "DELETE FROM nodes WHERE id IN (SELECT descendant FROM nodes_closure WHERE ancestor = ?1) AND id <> 0",
        )?
        .execute([node])?;
    let mut statement = connection.prepare_cached(
        "DELETE FROM assets WHERE id = ?1 AND NOT EXISTS \
         (SELECT 1 FROM data_source_asset_association WHERE asset_id = ?1)",
    )?;
    for asset in assets {
        statement.execute([asset])?;
    }
    Ok(())
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

fn json(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string(value)
        .map_err(|error| CatalogError::Database { doing: "writing JSON", source: Box::new(error) }.into())
}

fn collision(error: rusqlite::Error, key: &str) -> Failure {
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => CatalogError::Collision { path: key.to_owned() }.into(),
        _ => error.into(),
    }
}

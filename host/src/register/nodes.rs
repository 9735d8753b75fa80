//! What an opened file becomes in the catalog.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use tiled_plugin_api::model::{Description, StructureFamily};

use super::{identify::takes_list, stamp};
use crate::{
    catalog::{FileNode, Management, NewAsset, NewDataSource, NewNode},
    source::uri_of,
};

/// A node without key, of one file or directory.
pub(super) fn single(
    description: Description,
    mimetype: &str,
    path: &Path,
    is_directory: bool,
    stamp: Option<String>,
) -> NewNode {
    let asset = asset(path, is_directory);
    let asset = if takes_list(mimetype) { listed(asset, 0) } else { asset };
    node(description, mimetype, vec![asset], stamp)
}

/// A node without key, of files in order.
pub(super) fn several(
    description: Description,
    mimetype: &str,
    paths: &[PathBuf],
    stamp: Option<String>,
) -> NewNode {
    let assets = (0..).zip(paths).map(|(num, path)| listed(asset(path, false), num)).collect();
    node(description, mimetype, assets, stamp)
}

/// What must be equal in the files of a sequence: of arrays always, of tables where a rule makes one of them; `None`
/// for what is never part of one.
pub(super) fn form(description: &Description, tables: bool) -> Option<Value> {
    let part = |name: &str| description.structure.get(name).cloned().unwrap_or(Value::Null);
    match description.structure_family {
        StructureFamily::Array => Some(Value::Array(vec![part("shape"), part("data_type")])),
        StructureFamily::Table if tables => Some(part("columns")),
        _ => None,
    }
}

/// Whether registration made the node, or something that wrote the same rows: not one that opens its file in a way
/// of its own.
pub(super) fn is_ours(node: &FileNode) -> bool {
    node.source.management == Management::External && node.source.parameters.is_empty()
}

/// Whether the files of a node look as they did when they were opened last.
pub(super) fn is_unchanged(node: &FileNode, stamp: Option<&str>) -> bool {
    stamp.is_some() && node.source.properties.get(stamp::PROPERTY).and_then(Value::as_str) == stamp
}

fn node(description: Description, mimetype: &str, assets: Vec<NewAsset>, stamp: Option<String>) -> NewNode {
    let metadata = match description.metadata {
        Value::Object(metadata) => metadata,
        _ => Map::new(),
    };
    let mut properties = Map::new();
    properties.insert(stamp::PROPERTY.to_owned(), stamp.map_or(Value::Null, Value::from));
    let source = NewDataSource {
        structure_family: description.structure_family,
        structure: description.structure,
        mimetype: mimetype.to_owned(),
        parameters: Map::new(),
        properties,
        management: Management::External,
        assets,
    };
    NewNode {
        key: String::new(),
        structure_family: description.structure_family,
        metadata: Value::Object(metadata),
        specs: description.specs,
        access_tags: Vec::new(),
        data_sources: vec![source],
    }
}

fn asset(path: &Path, is_directory: bool) -> NewAsset {
    let size = if is_directory { None } else { path.metadata().ok().map(|meta| meta.len()) };
    NewAsset { data_uri: uri_of(path), is_directory, size, parameter: Some("data_uri".to_owned()), num: None }
}

fn listed(asset: NewAsset, num: i64) -> NewAsset {
    NewAsset { parameter: Some("data_uris".to_owned()), num: Some(num), ..asset }
}

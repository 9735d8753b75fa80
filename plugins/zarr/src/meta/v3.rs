//! Version 3: `zarr.json`.

use serde_json::{Map, Value};
use tiled_plugin_api::author::{Error, Result};

use super::{ArrayMeta, Keys, Node, dims, dtype, fill, parse, shapes, without_sentinels};
use crate::codec::parse_v3;

/// Keys that are known; others may change what the values mean.
const KNOWN: [&str; 12] = [
    "zarr_format",
    "node_type",
    "shape",
    "data_type",
    "chunk_grid",
    "chunk_key_encoding",
    "fill_value",
    "codecs",
    "attributes",
    "dimension_names",
    "storage_transformers",
    "consolidated_metadata",
];

/// A group or an array.
///
/// # Errors
/// `InvalidData`, or `UnsupportedFormat` naming the type, codec or extension.
pub fn node(zarr_json: &[u8]) -> Result<Node> {
    let meta = parse(zarr_json)?;
    if meta.get("zarr_format").is_none_or(|format| format != 3) {
        return Err(Error::invalid_data("zarr_format is not 3"));
    }
    let attributes = attributes(&meta)?;
    match meta.get("node_type").and_then(Value::as_str) {
        Some("group") => Ok(Node::Group { format: 3, attributes }),
        Some("array") => array(&meta, attributes).map(|array| Node::Array(Box::new(array))),
        _ => Err(Error::invalid_data("node_type is neither group nor array")),
    }
}

pub(super) fn attributes(meta: &Value) -> Result<Map<String, Value>> {
    let mut attributes = meta.get("attributes").cloned().unwrap_or_else(|| Value::Object(Map::new()));
    without_sentinels(&mut attributes);
    match attributes {
        Value::Object(attributes) => Ok(attributes),
        Value::Null => Ok(Map::new()),
        _ => Err(Error::invalid_data("the attributes are no JSON object")),
    }
}

fn array(meta: &Value, attributes: Map<String, Value>) -> Result<ArrayMeta> {
    check_extensions(meta)?;
    let grid = named(meta.get("chunk_grid"));
    if grid.0 != Some("regular") {
        return Err(Error::unsupported_format("the chunk grid is not regular"));
    }
    let chunk_shape = grid.1.and_then(|config| config.get("chunk_shape"));
    let (shape, chunk_shape) = shapes(meta.get("shape"), chunk_shape)?;
    let element = dtype::v3(meta.get("data_type").unwrap_or(&Value::Null))?;
    let codecs = meta.get("codecs").unwrap_or(&Value::Null);
    Ok(ArrayMeta {
        fill: fill::bytes(meta.get("fill_value"), &element)?,
        chain: parse_v3(codecs, &element, shape.len())?,
        keys: keys(meta.get("chunk_key_encoding"))?,
        dims: dims(meta.get("dimension_names"), &attributes, shape.len()),
        shape,
        chunk_shape,
        element,
        attributes,
        format: 3,
        document: meta.clone(),
    })
}

/// The name and configuration of an extension point: a text, or an object.
pub(super) fn named(value: Option<&Value>) -> (Option<&str>, Option<&Value>) {
    let name = value.and_then(|value| value.get("name").unwrap_or(value).as_str());
    (name, value.and_then(|value| value.get("configuration")))
}

fn keys(encoding: Option<&Value>) -> Result<Keys> {
    let (name, config) = named(encoding);
    let separator = config.and_then(|config| config.get("separator"));
    match name {
        Some("default") => Ok(Keys { prefix: true, separator: Keys::separator(separator, '/')? }),
        Some("v2") => Ok(Keys { prefix: false, separator: Keys::separator(separator, '.')? }),
        _ => Err(Error::unsupported_format("the chunk key encoding is neither default nor v2")),
    }
}

pub(super) fn check_extensions(meta: &Value) -> Result<()> {
    let transformers = meta.get("storage_transformers").and_then(Value::as_array);
    if transformers.is_some_and(|list| !list.is_empty()) {
        return Err(Error::unsupported_format("storage transformers are not supported"));
    }
    for (key, value) in meta.as_object().into_iter().flatten() {
        let optional = value.get("must_understand") == Some(&Value::Bool(false));
        if !KNOWN.contains(&key.as_str()) && !optional {
            return Err(Error::unsupported_format(format!("the extension {key:?} is not known")));
        }
    }
    Ok(())
}

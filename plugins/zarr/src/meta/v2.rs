//! Version 2: `.zarray`, `.zgroup`, `.zattrs`.

use serde_json::{Map, Value};
use tiled_plugin_api::author::{Error, Result};

use super::{ArrayMeta, Keys, Node, dims, dtype, fill, parse, shapes, without_sentinels};
use crate::codec::parse_v2;

/// A group: `.zgroup`, and `.zattrs` where there is one.
///
/// # Errors
/// `InvalidData`.
pub fn group(zgroup: &[u8], zattrs: Option<&[u8]>) -> Result<Node> {
    check_format(&parse(zgroup)?)?;
    Ok(Node::Group { format: 2, attributes: attributes(zattrs)? })
}

/// An array: `.zarray`, and `.zattrs` where there is one.
///
/// # Errors
/// `InvalidData`, or `UnsupportedFormat` naming the type or codec.
pub fn array(zarray: &[u8], zattrs: Option<&[u8]>) -> Result<Node> {
    let meta = parse(zarray)?;
    check_format(&meta)?;
    let (shape, chunk_shape) = shapes(meta.get("shape"), meta.get("chunks"))?;
    let element = dtype::v2(meta.get("dtype").unwrap_or(&Value::Null), meta.get("filters"))?;
    let axes = match meta.get("order").and_then(Value::as_str) {
        None | Some("C") => (0..shape.len()).collect(),
        Some("F") => (0..shape.len()).rev().collect(),
        Some(other) => return Err(Error::invalid_data(format!("the order is {other:?}, not C or F"))),
    };
    let attributes = attributes(zattrs)?;
    Ok(Node::Array(Box::new(ArrayMeta {
        fill: fill::bytes(meta.get("fill_value"), &element)?,
        chain: parse_v2(&meta, &element, axes)?,
        keys: Keys { prefix: false, separator: Keys::separator(meta.get("dimension_separator"), '.')? },
        dims: dims(None, &attributes, shape.len()),
        shape,
        chunk_shape,
        element,
        attributes,
        format: 2,
        document: meta,
    })))
}

fn check_format(meta: &Value) -> Result<()> {
    match meta.get("zarr_format") {
        Some(format) if format == 2 => Ok(()),
        other => Err(Error::invalid_data(format!("zarr_format is {}, not 2", other.unwrap_or(&Value::Null)))),
    }
}

pub(super) fn attributes(zattrs: Option<&[u8]>) -> Result<Map<String, Value>> {
    let Some(zattrs) = zattrs else { return Ok(Map::new()) };
    let mut value = parse(zattrs)?;
    without_sentinels(&mut value);
    match value {
        Value::Object(attributes) => Ok(attributes),
        _ => Err(Error::invalid_data(".zattrs is no JSON object")),
    }
}

//! What `.zarray`, `.zgroup`, `.zattrs` and `zarr.json` say.

mod dtype;
mod fill;
mod json;
mod outline;
mod v2;
mod v3;

use std::sync::Arc;

use serde_json::{Map, Value};
use tiled_plugin_api::{
    author::{Error, Result},
    model::{ArrayStructure, DataType},
};

pub use json::{parse, to_text, with_names, without_sentinels};
pub use outline::Outline;
pub use v2::{array as v2_array, group as v2_group};
pub use v3::node as v3_node;

use crate::{codec::Chain, fallback::Foreign};

/// A node of the tree.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// A group.
    Group {
        /// 2 or 3.
        format: u8,
        /// Of the group.
        attributes: Map<String, Value>,
    },
    /// An array.
    Array(Box<ArrayMeta>),
    /// An array with codecs or a chunk grid that only zarrs knows.
    Foreign(Arc<Foreign>),
}

/// What an element is.
#[derive(Debug, Clone, PartialEq)]
pub enum Element {
    /// Always of the same length.
    Fixed(DataType),
    /// Text of any length.
    Text,
    /// Bytes of any length.
    Bytes,
}

/// An array.
#[derive(Debug, Clone, PartialEq)]
pub struct ArrayMeta {
    /// Lengths of the axes.
    pub shape: Vec<u64>,
    /// Lengths of a chunk of the store (a shard, where there are shards); no zeros.
    pub chunk_shape: Vec<u64>,
    /// As it is read without a catalog's word on it.
    pub element: Element,
    /// One element where there is no chunk: of `element`'s type, or a text's bytes.
    pub fill: Vec<u8>,
    /// Codecs.
    pub chain: Chain,
    /// Names of the chunks' files.
    pub keys: Keys,
    /// Names of the axes.
    pub dims: Option<Vec<String>>,
    /// Of the array.
    pub attributes: Map<String, Value>,
    /// 2 or 3.
    pub format: u8,
    /// `.zarray`, or `zarr.json`, as it is but for sentinels.
    pub document: Value,
}

/// How chunks are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keys {
    /// `c/0/0`, not `0.0`.
    pub prefix: bool,
    /// Between the numbers.
    pub separator: char,
}

impl Keys {
    /// The name of a chunk below its array.
    pub fn name(&self, chunk: &[u64]) -> String {
        let mut name = String::from(if self.prefix { "c" } else { "" });
        for number in chunk {
            if !name.is_empty() {
                name.push(self.separator);
            }
            name.push_str(&number.to_string());
        }
        if name.is_empty() { "0".into() } else { name }
    }

    /// Reads a separator.
    ///
    /// # Errors
    /// `InvalidData` for anything but a dot and a slash: others could lead out of the directory.
    fn separator(value: Option<&Value>, default: char) -> Result<char> {
        match value {
            None | Some(Value::Null) => Ok(default),
            Some(Value::String(text)) if text == "." => Ok('.'),
            Some(Value::String(text)) if text == "/" => Ok('/'),
            Some(other) => {
                Err(Error::invalid_data(format!("the separator of chunk names is {other}, not . or /")))
            }
        }
    }
}

impl ArrayMeta {
    /// The structure that Tiled serves; texts are served in elements of `text_bytes`.
    pub fn structure(&self, text_bytes: u64) -> ArrayStructure {
        use tiled_plugin_api::model::Kind;
        let data_type = match &self.element {
            Element::Fixed(dtype) => dtype.clone(),
            Element::Text => DataType::native(Kind::Unicode, text_bytes),
            Element::Bytes => DataType::native(Kind::Bytes, text_bytes),
        };
        let chunks = self.chain.readable(&self.chunk_shape);
        let mut structure = ArrayStructure::chunked(data_type, self.shape.clone(), chunks);
        structure.dims.clone_from(&self.dims);
        structure
    }
}

/// More axes than NumPy has make no array.
const MAX_AXES: usize = 64;

/// A list of lengths.
pub fn lengths(value: &Value) -> Option<Vec<u64>> {
    value.as_array()?.iter().map(Value::as_u64).collect()
}

/// The shape and the shape of the chunks.
///
/// # Errors
/// `InvalidData` when they do not fit.
fn shapes(shape: Option<&Value>, chunks: Option<&Value>) -> Result<(Vec<u64>, Vec<u64>)> {
    let shape = shape.and_then(lengths).filter(|shape| shape.len() <= MAX_AXES);
    let shape = shape.ok_or_else(|| Error::invalid_data("the shape is no list of lengths"))?;
    let bad = || Error::invalid_data(format!("the chunks are no list of {} lengths above 0", shape.len()));
    let mut chunks = chunks.and_then(lengths).filter(|chunks| chunks.len() == shape.len()).ok_or_else(bad)?;
    for (chunk, length) in chunks.iter_mut().zip(&shape) {
        // Some writers give an empty axis empty chunks.
        if *chunk == 0 && *length == 0 {
            *chunk = 1;
        }
        if *chunk == 0 {
            return Err(bad());
        }
    }
    Ok((shape, chunks))
}

/// Names of the axes: v3's own, else the attribute that xarray writes; only where all have one.
fn dims(own: Option<&Value>, attributes: &Map<String, Value>, rank: usize) -> Option<Vec<String>> {
    let names =
        own.filter(|names| !names.is_null()).or_else(|| attributes.get("_ARRAY_DIMENSIONS"))?.as_array()?;
    let names: Option<Vec<String>> = names.iter().map(|name| Some(name.as_str()?.to_owned())).collect();
    names.filter(|names| names.len() == rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_named_as_the_format_says() {
        let check = |prefix, separator, chunk: &[u64]| Keys { prefix, separator }.name(chunk);
        assert_eq!(check(true, '/', &[1, 20]), "c/1/20");
        assert_eq!(check(true, '.', &[1, 20]), "c.1.20");
        assert_eq!(check(true, '/', &[]), "c");
        assert_eq!(check(false, '.', &[1, 20]), "1.20");
        assert_eq!(check(false, '/', &[]), "0");
        assert!(Keys::separator(Some(&Value::from("/../")), '.').is_err());
    }
}

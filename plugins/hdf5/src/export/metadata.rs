//! Metadata as attributes, as h5py's `attrs.update` makes them.

use serde_json::{Map, Value};
use tiled_plugin_api::prelude::*;

use super::{
    format::{Heaps, Message},
    types,
};

/// The attributes that hold these metadata.
///
/// # Errors
/// `NotAcceptable` for what an attribute cannot hold (nested objects, ragged lists).
pub(crate) fn attributes(metadata: &Map<String, Value>, heaps: &mut Heaps) -> Result<Vec<Message>> {
    metadata.iter().map(|(name, value)| attribute(name, value, heaps)).collect()
}

fn unfit(name: &str) -> Error {
    Error::new(ErrorKind::NotAcceptable, "Metadata contains types or structure that does not fit into HDF5.")
        .with_detail(format!("the key {name:?}"))
}

fn attribute(name: &str, value: &Value, heaps: &mut Heaps) -> Result<Message> {
    if value.is_null() {
        return Message::attribute(name, &types::float(4, false)?, &Message::null_space(), &[]);
    }
    let (mut shape, mut leaves) = (vec![], vec![]);
    flatten(value, 0, &mut shape, &mut leaves).ok_or_else(|| unfit(name))?;
    let (data_type, bytes) = values(&leaves, heaps).ok_or_else(|| unfit(name))?;
    Message::attribute(name, &data_type, &Message::space(&shape), &bytes)
}

/// Lists of lists of the same lengths become axes; `None` where the lengths differ.
fn flatten<'a>(
    value: &'a Value,
    depth: usize,
    shape: &mut Vec<u64>,
    leaves: &mut Vec<&'a Value>,
) -> Option<()> {
    let Value::Array(items) = value else {
        leaves.push(value);
        return (depth == shape.len()).then_some(());
    };
    let length = items.len() as u64;
    match shape.get(depth) {
        None if leaves.is_empty() => shape.push(length),
        Some(n) if *n == length => {}
        _ => return None,
    }
    items.iter().try_for_each(|item| flatten(item, depth + 1, shape, leaves))
}

/// The common type of the values, and their bytes.
fn values(leaves: &[&Value], heaps: &mut Heaps) -> Option<(Vec<u8>, Vec<u8>)> {
    let all = |is: fn(&Value) -> bool| leaves.iter().all(|v| is(v));
    if leaves.is_empty() {
        return Some((types::float(8, false).ok()?, vec![]));
    }
    if all(Value::is_string) {
        let bytes =
            leaves.iter().flat_map(|v| heaps.put(v.as_str().unwrap_or_default().as_bytes())).collect();
        return Some((types::text(), bytes));
    }
    if all(Value::is_boolean) {
        return Some((types::boolean(), leaves.iter().map(|v| u8::from(**v == Value::Bool(true))).collect()));
    }
    if all(Value::is_i64) {
        let bytes = leaves.iter().flat_map(|v| v.as_i64().unwrap_or_default().to_le_bytes()).collect();
        return Some((types::integer(8, true, false), bytes));
    }
    if all(Value::is_u64) {
        let bytes = leaves.iter().flat_map(|v| v.as_u64().unwrap_or_default().to_le_bytes()).collect();
        return Some((types::integer(8, false, false), bytes));
    }
    // Numbers of all kinds; a null among them was a NaN.
    if all(|v| v.is_number() || v.is_null()) {
        let bytes = leaves.iter().flat_map(|v| v.as_f64().unwrap_or(f64::NAN).to_le_bytes()).collect();
        return Some((types::float(8, false).ok()?, bytes));
    }
    None
}

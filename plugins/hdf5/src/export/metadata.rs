//! Metadata as attributes, as h5py's `attrs.update` makes them. What an attribute cannot hold is one of JSON text.

use serde_json::{Map, Value};
use tiled_plugin_api::prelude::*;

use super::{Flavour, Kept, format::Message, types};

/// The attributes that hold these metadata.
///
/// # Errors
/// `NotAcceptable` for a name that is longer than an attribute takes, and for objects where they are refused; those of
/// the store.
pub(crate) fn attributes(metadata: &Map<String, Value>, kept: &mut Kept) -> Result<Vec<Message>> {
    metadata.iter().map(|(name, value)| attribute(name, value, kept)).collect()
}

/// An attribute with a text.
///
/// # Errors
/// As [`attributes`].
pub(crate) fn text(name: &str, text: &str, kept: &mut Kept) -> Result<Message> {
    let place = kept.text(text.as_bytes())?;
    Message::attribute(name, &types::text(), &Message::space(&[]), &place)
}

fn attribute(name: &str, value: &Value, kept: &mut Kept) -> Result<Message> {
    if kept.refuses_objects && has_object(value) {
        let message = format!(
            "Metadata contains types or structure that does not fit into HDF5: the key {name:?}. \
             With `metadata=json` in the query it is JSON text."
        );
        return Err(Error::new(ErrorKind::NotAcceptable, message));
    }
    match plain(name, value, kept)? {
        Some(message) => Ok(message),
        None => text(name, &value.to_string(), kept),
    }
}

fn has_object(value: &Value) -> bool {
    match value {
        Value::Object(_) => true,
        Value::Array(items) => items.iter().any(has_object),
        _ => false,
    }
}

/// The value as numbers or texts; `None` where it is neither, or too large.
fn plain(name: &str, value: &Value, kept: &mut Kept) -> Result<Option<Message>> {
    let is_netcdf = kept.flavour == Flavour::Netcdf;
    if value.is_null() && !is_netcdf {
        return Message::attribute(name, &types::float(4, false)?, &Message::null_space(), &[]).map(Some);
    }
    let (mut shape, mut leaves) = (vec![], vec![]);
    let fits = flatten(value, 0, &mut shape, &mut leaves).is_some();
    // An attribute of netCDF has one axis.
    if !fits || (is_netcdf && shape.len() > 1) {
        return Ok(None);
    }
    let Some((data_type, bytes)) = values(&leaves, kept)? else { return Ok(None) };
    Ok(Message::attribute(name, &data_type, &Message::space(&shape), &bytes).ok())
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
        None if leaves.is_empty() && depth < MAX_AXES => shape.push(length),
        Some(n) if *n == length => {}
        _ => return None,
    }
    items.iter().try_for_each(|item| flatten(item, depth + 1, shape, leaves))
}

/// HDF5 has no more.
const MAX_AXES: usize = 32;

/// The common type of the values, and their bytes.
fn values(leaves: &[&Value], kept: &mut Kept) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
    let all = |is: fn(&Value) -> bool| leaves.iter().all(|v| is(v));
    if leaves.is_empty() {
        return Ok(Some((types::float(8, false)?, vec![])));
    }
    if all(Value::is_string) {
        let mut bytes = Vec::with_capacity(16 * leaves.len());
        for leaf in leaves {
            bytes.extend(kept.text(leaf.as_str().unwrap_or_default().as_bytes())?);
        }
        return Ok(Some((types::text(), bytes)));
    }
    if all(Value::is_boolean) {
        let bytes = leaves.iter().map(|v| u8::from(**v == Value::Bool(true))).collect();
        let is_netcdf = kept.flavour == Flavour::Netcdf;
        let data_type = if is_netcdf { types::integer(1, true, false) } else { types::boolean() };
        return Ok(Some((data_type, bytes)));
    }
    if all(Value::is_i64) {
        let bytes = leaves.iter().flat_map(|v| v.as_i64().unwrap_or_default().to_le_bytes()).collect();
        return Ok(Some((types::integer(8, true, false), bytes)));
    }
    if all(Value::is_u64) {
        let bytes = leaves.iter().flat_map(|v| v.as_u64().unwrap_or_default().to_le_bytes()).collect();
        return Ok(Some((types::integer(8, false, false), bytes)));
    }
    // Numbers of all kinds; a null among them was a NaN.
    let any_number = leaves.iter().any(|v| v.is_number());
    if any_number && all(|v| v.is_number() || v.is_null()) {
        let bytes = leaves.iter().flat_map(|v| v.as_f64().unwrap_or(f64::NAN).to_le_bytes()).collect();
        return Ok(Some((types::float(8, false)?, bytes)));
    }
    Ok(None)
}

//! The metadata of a new array, as Tiled's version of zarr-python writes them: version 3, little endian, zstd.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tiled_plugin_api::{
    author::{Error, ErrorKind, Result},
    model::{ArrayStructure, DataType, Kind},
};

use crate::order::order;

/// Stored chunks are not larger, whatever the client's are: a part of one can only be written with the whole.
const MAX_CHUNK_BYTES: u64 = 128 << 20;
/// What chunks are made to hold along an axis that has no elements yet.
const GROWING_CHUNK_BYTES: u64 = 1 << 20;

/// `zarr.json` of an array of this structure.
///
/// # Errors
/// `InvalidArgument` for a structure that makes no sense, `Unsupported` for elements without bytes.
pub fn zarr_json(structure: &ArrayStructure) -> Result<Value> {
    check(structure)?;
    let dtype = &structure.data_type;
    let (name, fill) = named(dtype).unwrap_or_else(|| raw(dtype.itemsize()));
    let bytes = match order(dtype).0 {
        0 | 1 => json!({"name": "bytes"}),
        _ if name["name"] == "raw_bytes" => json!({"name": "bytes"}),
        _ => json!({"name": "bytes", "configuration": {"endian": "little"}}),
    };
    let mut meta = json!({
        "zarr_format": 3,
        "node_type": "array",
        "shape": structure.shape,
        "data_type": name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk_shape(structure)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": fill,
        "codecs": [bytes, {"name": "zstd", "configuration": {"level": 0, "checksum": false}}],
        "attributes": {},
        "storage_transformers": [],
    });
    if let (Some(dims), Some(meta)) = (&structure.dims, meta.as_object_mut()) {
        meta.insert("dimension_names".into(), json!(dims));
    }
    Ok(meta)
}

fn check(structure: &ArrayStructure) -> Result<()> {
    let ArrayStructure { shape, chunks, dims, data_type, .. } = structure;
    let invalid = |message: String| Err(Error::new(ErrorKind::InvalidArgument, message));
    let covers = |chunks: &Vec<u64>, length: u64| {
        chunks.iter().try_fold(0u64, |all, n| all.checked_add(*n)) == Some(length)
    };
    if chunks.len() != shape.len() || !chunks.iter().zip(shape).all(|(chunks, n)| covers(chunks, *n)) {
        return invalid(format!("The chunks do not add up to the shape {shape:?}"));
    }
    if shape.iter().any(|n| i64::try_from(*n).is_err()) {
        return invalid(format!("The shape {shape:?} is larger than any array"));
    }
    if dims.as_ref().is_some_and(|dims| dims.len() != shape.len()) {
        return invalid(format!("There must be one name for each of the {} axes", shape.len()));
    }
    if data_type.kind() == Kind::Object || data_type.itemsize() == 0 || data_type.itemsize() > MAX_CHUNK_BYTES
    {
        let message =
            "Arrays of Python objects, of elements without bytes, and of huge elements are not stored";
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    Ok(())
}

/// Zarr's chunks are all of one size: the client's largest along each axis.
fn chunk_shape(structure: &ArrayStructure) -> Vec<u64> {
    let mut chunk: Vec<u64> =
        structure.chunks.iter().map(|axis| axis.iter().max().copied().unwrap_or(0)).collect();
    let item = structure.data_type.itemsize();
    let bytes = |chunk: &[u64]| chunk.iter().fold(item, |all, n| all.saturating_mul((*n).max(1)));
    // The array will grow along an axis that is empty now.
    let growing = chunk.iter().position(|n| *n == 0);
    let room = (GROWING_CHUNK_BYTES / bytes(&chunk).max(1)).max(1);
    for (axis, length) in chunk.iter_mut().enumerate().filter(|(_, length)| **length == 0) {
        *length = if growing == Some(axis) { room } else { 1 };
    }
    while bytes(&chunk) > MAX_CHUNK_BYTES {
        let Some(longest) = chunk.iter_mut().max_by_key(|n| **n).filter(|n| **n > 1) else { break };
        *longest = longest.div_ceil(2);
    }
    chunk
}

/// Zarr's name of a type, and its fill value in Zarr's words; `None` for what it has no name for.
fn named(dtype: &DataType) -> Option<(Value, Value)> {
    let (kind, size, units) = match dtype {
        DataType::Struct { itemsize, fields } => {
            let fields: Option<Vec<Value>> = fields
                .iter()
                .map(|field| match field.shape {
                    None => Some(json!([field.name, named(&field.dtype)?.0])),
                    Some(_) => None,
                })
                .collect();
            let name = json!({"name": "structured", "configuration": {"fields": fields?}});
            return Some((name, zeros(*itemsize)));
        }
        DataType::Builtin { kind, itemsize, dt_units, .. } => (*kind, *itemsize, dt_units.as_deref()),
    };
    let bits = size * 8;
    let sized = |name: &str| json!({"name": name, "configuration": {"length_bytes": size}});
    Some(match (kind, size) {
        (Kind::Bool, 1) => ("bool".into(), false.into()),
        (Kind::Int, 1 | 2 | 4 | 8) => (format!("int{bits}").into(), 0.into()),
        (Kind::Uint, 1 | 2 | 4 | 8) => (format!("uint{bits}").into(), 0.into()),
        (Kind::Float, 2 | 4 | 8) => (format!("float{bits}").into(), 0.0.into()),
        (Kind::Complex, 8 | 16) => (format!("complex{bits}").into(), json!([0.0, 0.0])),
        (Kind::Bytes, _) if size > 0 => (sized("null_terminated_bytes"), "".into()),
        (Kind::Unicode, _) if size > 0 && size % 4 == 0 => (sized("fixed_length_utf32"), "".into()),
        (Kind::Datetime, 8) => (time("numpy.datetime64", units), i64::MIN.into()),
        (Kind::Timedelta, 8) => (time("numpy.timedelta64", units), i64::MIN.into()),
        (Kind::Void, _) if size > 0 => raw(size),
        _ => return None,
    })
}

/// Bytes that only the catalog knows the meaning of.
fn raw(size: u64) -> (Value, Value) {
    (json!({"name": "raw_bytes", "configuration": {"length_bytes": size}}), zeros(size))
}

fn zeros(size: u64) -> Value {
    STANDARD.encode(vec![0; usize::try_from(size.min(MAX_CHUNK_BYTES)).unwrap_or(0)]).into()
}

/// `[25s]` is 25 times a second.
fn time(name: &str, units: Option<&str>) -> Value {
    let units = units.unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let (factor, unit) = units.split_at(units.find(|c: char| !c.is_ascii_digit()).unwrap_or(units.len()));
    let factor: u64 = factor.parse().unwrap_or(1);
    let unit = if unit.is_empty() { "generic" } else { unit };
    json!({"name": name, "configuration": {"unit": unit, "scale_factor": factor}})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(dtype: &str, chunks: Vec<Vec<u64>>) -> Vec<u64> {
        let shape = chunks.iter().map(|axis| axis.iter().sum()).collect();
        let data_type = DataType::from_numpy_str(dtype).unwrap();
        chunk_shape(&ArrayStructure { data_type, chunks, shape, dims: None, resizable: false })
    }

    #[test]
    fn stored_chunks_are_the_largest_of_the_client_and_bounded() {
        assert_eq!(chunks("<f8", vec![vec![3], vec![4, 2], vec![2, 5, 1]]), [3, 4, 5]);
        assert_eq!(chunks("<f8", vec![]), [] as [u64; 0]);
        assert_eq!(chunks("<f8", vec![vec![0], vec![1024]]), [128, 1024]);
        assert_eq!(chunks("<f8", vec![vec![0], vec![0]]), [131_072, 1]);
        let halved = chunks("<f8", vec![vec![1 << 20], vec![1 << 20]]);
        assert_eq!(halved.iter().product::<u64>() * 8, MAX_CHUNK_BYTES);
    }

    #[test]
    fn types_have_the_names_of_zarr() {
        let name = |text| named(&DataType::from_numpy_str(text).unwrap()).map(|(name, _)| name.to_string());
        assert_eq!(name(">f8").unwrap(), "\"float64\"");
        assert_eq!(
            name("<M8[25s]").unwrap(),
            json!({"name": "numpy.datetime64", "configuration": {"unit": "s", "scale_factor": 25}})
                .to_string()
        );
        assert_eq!(name("<f16"), None);
    }
}

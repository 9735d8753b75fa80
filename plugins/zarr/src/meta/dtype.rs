//! Data types: NumPy's texts of v2, names and configurations of v3.

use serde_json::Value;
use tiled_plugin_api::{
    author::{Error, Result},
    model::{DataType, Field, Kind},
};

use super::{Element, lengths};

/// No NumPy type is larger; keeps all sums of sizes far from overflow.
const MAX_ITEM_BYTES: u64 = 1 << 31;
const MAX_DEPTH: u32 = 16;

/// The type of a v2 array. `filters` says what objects are.
///
/// # Errors
/// `UnsupportedFormat` for objects of other kinds, `InvalidData` for what is no type.
pub fn v2(dtype: &Value, filters: Option<&Value>) -> Result<Element> {
    if dtype.as_str().is_some_and(|text| text.trim_start_matches(['|', '<', '>', '=']).starts_with('O')) {
        let ids = filters.and_then(Value::as_array).into_iter().flatten();
        let ids: Vec<&str> = ids.filter_map(|filter| filter.get("id")?.as_str()).collect();
        if ids.contains(&"vlen-utf8") {
            return Ok(Element::Text);
        }
        if ids.contains(&"vlen-bytes") {
            return Ok(Element::Bytes);
        }
        return Err(Error::unsupported_format(format!(
            "Python objects encoded by {ids:?}; only texts and bytes are read"
        )));
    }
    numpy(dtype, 0).map(Element::Fixed)
}

fn unknown(dtype: &Value) -> Error {
    Error::unsupported_format(format!("the data type {dtype} is not supported"))
}

/// A NumPy type as v2 writes it: a text, or a list of fields.
fn numpy(dtype: &Value, depth: u32) -> Result<DataType> {
    if let Some(text) = dtype.as_str() {
        return builtin(text).ok_or_else(|| unknown(dtype));
    }
    let fields = dtype.as_array().filter(|fields| !fields.is_empty() && depth < MAX_DEPTH);
    let mut record = Vec::new();
    for (at, field) in fields.ok_or_else(|| unknown(dtype))?.iter().enumerate() {
        let (name, kind, shape) = match field.as_array().map(Vec::as_slice) {
            Some([name, kind]) => (name, kind, None),
            Some([name, kind, shape]) => {
                let one = shape.as_u64().map(|n| vec![n]);
                (name, kind, Some(one.or_else(|| lengths(shape)).ok_or_else(|| unknown(dtype))?))
            }
            _ => return Err(unknown(dtype)),
        };
        let name = match name.as_str() {
            // NumPy names the nameless by their place.
            Some("") => format!("f{at}"),
            Some(name) => name.to_owned(),
            None => return Err(unknown(dtype)),
        };
        record.push(Field { name, dtype: numpy(kind, depth + 1)?, shape });
    }
    checked(record).ok_or_else(|| unknown(dtype))
}

fn builtin(text: &str) -> Option<DataType> {
    let mut dtype = DataType::from_numpy_str(text)?;
    let size = dtype.itemsize();
    let DataType::Builtin { kind, dt_units, .. } = &mut dtype else { return None };
    let fits = match kind {
        Kind::Object => false,
        Kind::Bool => size == 1,
        Kind::Int | Kind::Uint => matches!(size, 1 | 2 | 4 | 8),
        Kind::Float => matches!(size, 2 | 4 | 8 | 16),
        Kind::Complex => matches!(size, 8 | 16 | 32),
        Kind::Timedelta | Kind::Datetime => size == 8,
        Kind::Bytes | Kind::Unicode | Kind::Void => size <= MAX_ITEM_BYTES,
    };
    if matches!(kind, Kind::Timedelta | Kind::Datetime) {
        dt_units.get_or_insert_with(|| "[generic]".into());
    }
    fits.then_some(dtype)
}

/// Packed records, where names and sizes are sound.
fn checked(fields: Vec<Field>) -> Option<DataType> {
    let mut size = 0u64;
    for (at, field) in fields.iter().enumerate() {
        let repeat = field.shape.iter().flatten().try_fold(1u64, |all, n| all.checked_mul(*n))?;
        size =
            size.checked_add(field.dtype.itemsize().checked_mul(repeat)?).filter(|n| *n <= MAX_ITEM_BYTES)?;
        if fields.get(..at)?.iter().any(|other| other.name == field.name) {
            return None;
        }
    }
    Some(DataType::Struct { itemsize: size, fields })
}

/// The type of a v3 array.
///
/// # Errors
/// `UnsupportedFormat` naming the type.
pub fn v3(dtype: &Value) -> Result<Element> {
    match name(dtype) {
        Some("string" | "variable_length_utf8") => Ok(Element::Text),
        Some("bytes" | "variable_length_bytes") => Ok(Element::Bytes),
        _ => named(dtype, 0).map(Element::Fixed),
    }
}

fn name(dtype: &Value) -> Option<&str> {
    dtype.get("name").unwrap_or(dtype).as_str()
}

fn named(dtype: &Value, depth: u32) -> Result<DataType> {
    let number = |key: &str| dtype.get("configuration")?.get(key)?.as_u64().filter(|n| *n <= MAX_ITEM_BYTES);
    let sized =
        |kind, size: Option<u64>| size.map(|size| DataType::native(kind, size)).ok_or_else(|| unknown(dtype));
    match name(dtype).ok_or_else(|| unknown(dtype))? {
        "bool" => sized(Kind::Bool, Some(1)),
        "int8" => sized(Kind::Int, Some(1)),
        "int16" => sized(Kind::Int, Some(2)),
        "int32" => sized(Kind::Int, Some(4)),
        "int64" => sized(Kind::Int, Some(8)),
        "uint8" => sized(Kind::Uint, Some(1)),
        "uint16" => sized(Kind::Uint, Some(2)),
        "uint32" => sized(Kind::Uint, Some(4)),
        "uint64" => sized(Kind::Uint, Some(8)),
        "float16" => sized(Kind::Float, Some(2)),
        "float32" => sized(Kind::Float, Some(4)),
        "float64" => sized(Kind::Float, Some(8)),
        "complex64" | "complex_float32" => sized(Kind::Complex, Some(8)),
        "complex128" | "complex_float64" => sized(Kind::Complex, Some(16)),
        "null_terminated_bytes" => sized(Kind::Bytes, number("length_bytes")),
        "fixed_length_ascii" => sized(Kind::Bytes, number("length_bits").map(|bits| bits / 8)),
        "raw_bytes" => sized(Kind::Void, number("length_bytes")),
        "fixed_length_utf32" => sized(Kind::Unicode, number("length_bytes").filter(|n| n % 4 == 0)),
        "numpy.datetime64" => time(dtype, Kind::Datetime).ok_or_else(|| unknown(dtype)),
        "numpy.timedelta64" => time(dtype, Kind::Timedelta).ok_or_else(|| unknown(dtype)),
        "structured" | "struct" => record(dtype, depth),
        raw => {
            let bits = raw.strip_prefix('r').and_then(|bits| bits.parse::<u64>().ok());
            sized(
                Kind::Void,
                bits.filter(|bits| *bits > 0 && bits % 8 == 0 && *bits <= MAX_ITEM_BYTES).map(|n| n / 8),
            )
        }
    }
}

fn time(dtype: &Value, kind: Kind) -> Option<DataType> {
    let config = dtype.get("configuration")?;
    let unit = config
        .get("unit")?
        .as_str()
        .filter(|unit| unit.chars().all(|c| c.is_ascii_alphabetic() || c == 'μ'))?;
    let factor = config.get("scale_factor").map_or(Some(1), Value::as_u64)?;
    let factor = if factor > 1 { factor.to_string() } else { String::new() };
    let mut dtype = DataType::native(kind, 8);
    if let DataType::Builtin { dt_units, .. } = &mut dtype {
        *dt_units = Some(format!("[{factor}{}]", unit.replace('μ', "u")));
    }
    Some(dtype)
}

/// Fields as pairs, or as objects (`struct`).
fn record(dtype: &Value, depth: u32) -> Result<DataType> {
    let fields = dtype.get("configuration").and_then(|c| c.get("fields")).and_then(Value::as_array);
    let fields =
        fields.filter(|fields| !fields.is_empty() && depth < MAX_DEPTH).ok_or_else(|| unknown(dtype))?;
    let mut record = Vec::new();
    for field in fields {
        let pair = match field.as_array().map(Vec::as_slice) {
            Some([name, kind]) => Some((name, kind)),
            _ => field.get("name").zip(field.get("data_type")),
        };
        let (name, kind) = pair.ok_or_else(|| unknown(dtype))?;
        let name = name.as_str().ok_or_else(|| unknown(dtype))?;
        record.push(Field::new(name, named(kind, depth + 1)?));
    }
    checked(record).ok_or_else(|| unknown(dtype))
}

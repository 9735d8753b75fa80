//! Fill values: one element as bytes.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use tiled_plugin_api::{
    author::{Error, Result},
    model::{DataType, Endianness, Kind},
};

use super::{Element, json::plain};

/// The bytes of a fill value, in the byte order of the type. None and null are zeros.
///
/// # Errors
/// `InvalidData` when it is no value of the type.
pub fn bytes(value: Option<&Value>, element: &Element) -> Result<Vec<u8>> {
    let value = value.unwrap_or(&Value::Null);
    let filled = match element {
        Element::Fixed(dtype) => fixed(value, dtype),
        Element::Text => Some(value.as_str().map(|text| text.as_bytes().to_vec()).unwrap_or_default()),
        Element::Bytes => {
            Some(value.as_str().and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default())
        }
    };
    filled.ok_or_else(|| Error::invalid_data(format!("the fill value {value} is none of the data type")))
}

fn fixed(value: &Value, dtype: &DataType) -> Option<Vec<u8>> {
    let size = usize::try_from(dtype.itemsize()).ok()?;
    if value.is_null() {
        return Some(vec![0; size]);
    }
    let DataType::Builtin { endianness, kind, .. } = dtype else { return raw(value, size) };
    let mut bytes = match kind {
        Kind::Bool => vec![u8::from(value.as_bool().or_else(|| value.as_i64().map(|n| n != 0))?)],
        Kind::Int | Kind::Uint => integer(value, size)?,
        Kind::Timedelta | Kind::Datetime => match value.as_str().map(plain) {
            Some("NaT") => i64::MIN.to_le_bytes().to_vec(),
            _ => integer(value, size)?,
        },
        Kind::Float => float(value, size)?,
        Kind::Complex => complex(value, size)?,
        Kind::Bytes | Kind::Void => return raw(value, size),
        Kind::Unicode => text(value, size)?,
        Kind::Object => return None,
    };
    if *endianness == Endianness::Big {
        let unit = match kind {
            Kind::Complex => size / 2,
            Kind::Unicode => 4,
            _ => size,
        };
        bytes.chunks_mut(unit.max(1)).for_each(<[u8]>::reverse);
    }
    Some(bytes)
}

fn integer(value: &Value, size: usize) -> Option<Vec<u8>> {
    let bits = match value {
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(n), ..) => n as u64,
            (_, Some(n), _) => n,
            (.., Some(n)) if n.fract() == 0.0 => n as i64 as u64,
            _ => return None,
        },
        Value::Bool(value) => u64::from(*value),
        Value::String(text) => hex(text)?,
        _ => return None,
    };
    bits.to_le_bytes().get(..size).map(<[u8]>::to_vec)
}

/// The bits of a hexadecimal text.
fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

fn float(value: &Value, size: usize) -> Option<Vec<u8>> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::Bool(value) => f64::from(u8::from(*value)),
        Value::String(text) => match plain(text) {
            "NaN" => f64::NAN,
            "Infinity" | "inf" => f64::INFINITY,
            "-Infinity" | "-inf" => f64::NEG_INFINITY,
            text => return hex(text)?.to_le_bytes().get(..size).map(<[u8]>::to_vec),
        },
        _ => return None,
    };
    Some(match size {
        2 => half::f16::from_f64(number).to_le_bytes().to_vec(),
        4 => (number as f32).to_le_bytes().to_vec(),
        8 => number.to_le_bytes().to_vec(),
        // Long doubles: only zero is the same everywhere.
        _ if number == 0.0 => vec![0; size],
        _ => return None,
    })
}

fn complex(value: &Value, size: usize) -> Option<Vec<u8>> {
    let zero = Value::from(0);
    let (real, imaginary) = match value.as_array().map(Vec::as_slice) {
        Some([real, imaginary]) => (real, imaginary),
        Some(_) => return None,
        None => (value, &zero),
    };
    let mut bytes = float(real, size / 2)?;
    bytes.extend(float(imaginary, size / 2)?);
    Some(bytes)
}

/// Base64, or a list of bytes; shorter ones are padded as NumPy does.
fn raw(value: &Value, size: usize) -> Option<Vec<u8>> {
    let mut bytes = match value {
        Value::String(text) => STANDARD.decode(text).ok()?,
        Value::Array(items) => {
            items.iter().map(|item| u8::try_from(item.as_u64()?).ok()).collect::<Option<Vec<u8>>>()?
        }
        // Old writers gave 0 to every type.
        Value::Number(number) if number.as_f64() == Some(0.0) => vec![],
        _ => return None,
    };
    if bytes.len() > size {
        return None;
    }
    bytes.resize(size, 0);
    Some(bytes)
}

fn text(value: &Value, size: usize) -> Option<Vec<u8>> {
    let text = match value {
        Value::String(text) => text.as_str(),
        Value::Number(number) if number.as_f64() == Some(0.0) => "",
        _ => return None,
    };
    let mut bytes: Vec<u8> = text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
    bytes.resize(size, 0);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(value: Value, dtype: &str) -> Option<Vec<u8>> {
        bytes(Some(&value), &Element::Fixed(DataType::from_numpy_str(dtype).unwrap())).ok()
    }

    #[test]
    fn fill_values_are_elements_in_the_order_of_their_type() {
        assert_eq!(check(json!(-2), "<i2"), Some(vec![0xfe, 0xff]));
        assert_eq!(check(json!(258), ">u4"), Some(vec![0, 0, 1, 2]));
        assert_eq!(check(json!(u64::MAX), "<u8"), Some(vec![0xff; 8]));
        assert_eq!(check(json!("NaN"), "<f4"), Some(f32::NAN.to_le_bytes().to_vec()));
        assert_eq!(check(json!("0x7fc00001"), "<f4"), Some(vec![1, 0, 0xc0, 0x7f]));
        assert_eq!(check(json!(1.5), ">f2"), Some(vec![0x3e, 0]));
        assert_eq!(check(json!([1.0, "-Infinity"]), "<c8"), Some(vec![0, 0, 0x80, 0x3f, 0, 0, 0x80, 0xff]));
        assert_eq!(check(json!("YWI="), "|S4"), Some(b"ab\0\0".to_vec()));
        assert_eq!(check(json!(0), "|S2"), Some(vec![0, 0]));
        assert_eq!(check(json!("é"), "<U2"), Some(vec![0xe9, 0, 0, 0, 0, 0, 0, 0]));
        assert_eq!(check(json!(null), "<f8"), Some(vec![0; 8]));
        assert_eq!(check(json!("NaT"), "<M8[s]"), Some(vec![0, 0, 0, 0, 0, 0, 0, 0x80]));
        assert_eq!(check(json!("x"), "<f8"), None);
        assert_eq!(check(json!(0.5), "<i4"), None);
    }
}

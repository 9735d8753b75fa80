//! Elements of attributes as JSON, as numpy's `tolist` gives them.

use serde_json::{Number, Value};

use super::raw::{Class, Member, Order, Pad, TypeInfo};

/// Puts items into nested lists of these lengths; a scalar stays bare.
pub(crate) fn nest(dims: &[u64], items: &mut dyn Iterator<Item = Value>) -> Value {
    match dims {
        [] => items.next().unwrap_or(Value::Null),
        [n, rest @ ..] => (0..*n).map(|_| nest(rest, items)).collect(),
    }
}

/// An element without pointers or parts. References and unknown types are null.
pub(crate) fn leaf(info: &TypeInfo, bytes: &[u8]) -> Value {
    match &info.class {
        Class::Integer { signed, order, .. } => integer(*signed, *order, bytes),
        Class::Bits(order) => integer(false, *order, bytes),
        Class::Float { order, .. } => number(float(*order, bytes), bytes.len()),
        Class::Text(pad) => text(*pad, bytes),
        Class::Opaque(_) => text(Pad::Nul, bytes),
        Class::Enum(base, members) => match is_bool(base, members) {
            true => Value::Bool(bytes.iter().any(|b| *b != 0)),
            false => leaf(base, bytes),
        },
        Class::Complex(part) => complex(part, bytes),
        Class::Compound(members) => match complex_parts(members) {
            Some(part) => complex(part, bytes),
            None => Value::Null,
        },
        _ => Value::Null,
    }
}

/// The type of the parts, where these are h5py's two fields of a complex number.
pub(crate) fn complex_parts(members: &[Member]) -> Option<&TypeInfo> {
    let [real, imaginary] = members else { return None };
    let named = real.name == "r" && imaginary.name == "i" && real.info == imaginary.info;
    let floats = matches!(real.info.class, Class::Float { .. });
    let placed = real.offset == 0 && imaginary.offset == real.info.size;
    (named && floats && placed).then_some(&real.info)
}

/// Whether these are h5py's names of false and true.
pub(crate) fn is_bool(base: &TypeInfo, members: &[(String, Vec<u8>)]) -> bool {
    let value = |name: &str| {
        let (_, bytes) = members.iter().find(|(n, _)| n == name)?;
        leaf(base, bytes).as_u64()
    };
    members.len() == 2 && value("FALSE") == Some(0) && value("TRUE") == Some(1)
}

/// Text of a fixed number of bytes, without its padding.
pub(crate) fn trimmed(pad: Pad, bytes: &[u8]) -> &[u8] {
    let end = match pad {
        Pad::Terminated => bytes.iter().position(|b| *b == 0),
        Pad::Nul => bytes.iter().rposition(|b| *b != 0).map_or(Some(0), |i| Some(i + 1)),
        Pad::Space => bytes.iter().rposition(|b| *b != b' ').map_or(Some(0), |i| Some(i + 1)),
    };
    bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default()
}

fn text(pad: Pad, bytes: &[u8]) -> Value {
    let bytes = trimmed(Pad::Nul, trimmed(pad, bytes));
    Value::String(String::from_utf8_lossy(bytes).into_owned())
}

/// The bytes with the least significant first, filled up with `fill` to eight; `None` for more than eight.
fn word(order: Order, bytes: &[u8], fill: u8) -> Option<[u8; 8]> {
    let mut word = [fill; 8];
    let place = word.get_mut(..bytes.len())?;
    place.copy_from_slice(bytes);
    if order == Order::Big {
        place.reverse();
    }
    Some(word)
}

fn integer(signed: bool, order: Order, bytes: &[u8]) -> Value {
    let top = if order == Order::Big { bytes.first() } else { bytes.last() };
    let negative = signed && top.is_some_and(|b| b & 0x80 != 0);
    match word(order, bytes, if negative { 0xff } else { 0 }) {
        Some(word) if signed => i64::from_le_bytes(word).into(),
        Some(word) => u64::from_le_bytes(word).into(),
        None => Value::Null,
    }
}

fn float(order: Order, bytes: &[u8]) -> f64 {
    let word = |bytes| word(order, bytes, 0).unwrap_or_default();
    match bytes.len() {
        2 => half(u16::from_le_bytes([word(bytes)[0], word(bytes)[1]])),
        4 => {
            let [a, b, c, d, ..] = word(bytes);
            f64::from(f32::from_le_bytes([a, b, c, d]))
        }
        8 => f64::from_le_bytes(word(bytes)),
        16 => extended(bytes),
        _ => f64::NAN,
    }
}

/// An IEEE half.
fn half(bits: u16) -> f64 {
    let (exponent, mantissa) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    let size = match exponent {
        0 => mantissa * 2_f64.powi(-24),
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + mantissa) * 2_f64.powi(exponent - 25),
    };
    if bits & 0x8000 == 0 { size } else { -size }
}

/// An x87 long double, to the nearest double.
fn extended(bytes: &[u8]) -> f64 {
    let (Some(mantissa), Some(top)) = (bytes.get(..8), bytes.get(8..10)) else { return f64::NAN };
    let mantissa = mantissa.iter().rev().fold(0_u64, |all, b| all << 8 | u64::from(*b));
    let top = top.iter().rev().fold(0_i32, |all, b| all << 8 | i32::from(*b));
    let size = match top & 0x7fff {
        0x7fff => f64::INFINITY,
        exponent => mantissa as f64 * 2_f64.powi(exponent - 16383 - 63),
    };
    if top & 0x8000 == 0 { size } else { -size }
}

/// Not finite: null. A float32 is written with its own shortest digits, as orjson does.
fn number(value: f64, size: usize) -> Value {
    let value = if size == 4 { (value as f32).to_string().parse().unwrap_or(value) } else { value };
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

fn complex(part: &TypeInfo, bytes: &[u8]) -> Value {
    bytes.chunks_exact(part.size.max(1)).map(|half| leaf(part, half)).collect()
}

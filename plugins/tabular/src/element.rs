//! Elements of NumPy arrays as JSON and as plain text.

use base64::{Engine, engine::general_purpose::STANDARD};
use tiled_plugin_api::{
    author::{Error, ErrorKind, Result},
    model::{DataType, Field, Kind},
};

use crate::{
    json,
    moment::{Moment, NAT, Unit, push_numpy, push_numpy_span},
    number::{f16_to_f32, push_f16, push_f32, push_f64, push_int, push_json_f32, push_json_f64},
    python,
};

/// Writes one element, given its bytes.
pub type Element = Box<dyn Fn(&[u8], &mut Vec<u8>) + Send + Sync>;

/// How elements are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// JSON: `null` for NaN, infinities and NaT; ISO 8601 times; `data:` URIs for bytes; lists for records and complex.
    Json,
    /// Python's `str`.
    Plain,
    /// Python's `repr`: as `Plain`, but text in quotes.
    Repr,
}

/// A writer for elements of this type.
///
/// # Errors
/// `NotAcceptable` for types that have no text: objects, unknown sizes.
pub fn element(data_type: &DataType, style: Style) -> Result<Element> {
    match data_type {
        DataType::Struct { fields, .. } => record(fields, style),
        DataType::Builtin { kind, itemsize, dt_units, .. } => {
            let unit = dt_units.as_deref().and_then(Unit::parse);
            builtin(
                *kind,
                usize::try_from(*itemsize).map_err(Error::internal)?,
                unit,
                data_type.is_swapped(),
                style,
            )
        }
    }
}

/// The lowest bytes of a number, in this machine's order.
pub fn word(bytes: &[u8], swapped: bool) -> u64 {
    let mut out = [0; 8];
    for (slot, byte) in out.iter_mut().zip(bytes) {
        *slot = *byte;
    }
    let value = u64::from_le_bytes(out);
    // Bytes behind the number are zero: swapping moves them to its front, where they are shifted away.
    if swapped != cfg!(target_endian = "big") {
        value.swap_bytes() >> (64 - 8 * bytes.len().clamp(1, 8))
    } else {
        value
    }
}

/// A signed integer of up to 8 bytes.
pub fn signed(bytes: &[u8], swapped: bool) -> i64 {
    let shift = 64 - 8 * bytes.len().clamp(1, 8);
    (word(bytes, swapped) << shift) as i64 >> shift
}

/// A float of 2, 4, 8 or 16 bytes.
pub fn float(bytes: &[u8], swapped: bool) -> f64 {
    match bytes.len() {
        2 => f64::from(f16_to_f32(word(bytes, swapped) as u16)),
        4 => f64::from(f32::from_bits(word(bytes, swapped) as u32)),
        8 => f64::from_bits(word(bytes, swapped)),
        _ => extended(bytes, swapped),
    }
}

/// x86's 80-bit float, as NumPy keeps long doubles.
fn extended(bytes: &[u8], swapped: bool) -> f64 {
    let mut ordered = bytes.to_vec();
    if swapped {
        ordered.reverse();
    }
    let mantissa = word(ordered.get(..8).unwrap_or_default(), false);
    let top = word(ordered.get(8..10).unwrap_or_default(), false);
    let sign = if top & 0x8000 == 0 { 1.0 } else { -1.0 };
    match (top & 0x7fff) as i32 {
        0x7fff if mantissa << 1 == 0 => sign * f64::INFINITY,
        0x7fff => f64::NAN,
        // In two steps: 2^-16445 alone is no float64.
        exponent => {
            sign * mantissa as f64
                * 2_f64.powi((exponent - 16_383) / 2)
                * 2_f64.powi(exponent - 16_383 - (exponent - 16_383) / 2 - 63)
        }
    }
}

/// UCS-4 text without its padding.
pub fn unicode(bytes: &[u8], swapped: bool) -> String {
    let codes = bytes.chunks_exact(4).map(|code| word(code, swapped) as u32);
    let text: String =
        codes.map(|code| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    text.trim_end_matches('\0').to_owned()
}

/// Bytes without their padding.
pub fn trimmed(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
    bytes.get(..end).unwrap_or_default()
}

fn builtin(kind: Kind, size: usize, unit: Option<Unit>, swapped: bool, style: Style) -> Result<Element> {
    let json = style == Style::Json;
    let known = match kind {
        Kind::Int | Kind::Uint => matches!(size, 1 | 2 | 4 | 8),
        Kind::Float => matches!(size, 2 | 4 | 8 | 16),
        Kind::Complex => matches!(size, 8 | 16 | 32),
        Kind::Datetime | Kind::Timedelta => size == 8 && unit.is_some(),
        Kind::Object => false,
        _ => true,
    };
    let Some(unit) = known.then(|| unit.unwrap_or(Unit { base: crate::moment::Base::Day, multiple: 1 }))
    else {
        let message =
            format!("Elements of kind {:?} and {size} bytes cannot be written as text", kind.letter());
        return Err(Error::new(ErrorKind::NotAcceptable, message));
    };
    Ok(match kind {
        Kind::Bool if json => {
            Box::new(|bytes, out| json::push_bool(out, bytes.first().is_some_and(|b| *b != 0)))
        }
        Kind::Bool => Box::new(|bytes, out| {
            out.extend_from_slice(if bytes.first().is_some_and(|b| *b != 0) { b"True" } else { b"False" });
        }),
        Kind::Int => Box::new(move |bytes, out| push_int(out, signed(bytes, swapped))),
        Kind::Uint => Box::new(move |bytes, out| push_int(out, word(bytes, swapped))),
        Kind::Float => Box::new(move |bytes, out| push_float(out, bytes, swapped, json)),
        Kind::Complex => Box::new(move |bytes, out| push_complex(out, bytes, swapped, json)),
        Kind::Timedelta if json => Box::new(move |bytes, out| match signed(bytes, swapped) {
            NAT => json::push_null(out),
            count => push_int(out, count),
        }),
        Kind::Timedelta => Box::new(move |bytes, out| push_numpy_span(out, signed(bytes, swapped), unit)),
        Kind::Datetime if json => {
            Box::new(move |bytes, out| match Moment::new(signed(bytes, swapped), unit) {
                None => json::push_null(out),
                Some(moment) => {
                    out.push(b'"');
                    moment.push_iso(out, b'T');
                    out.push(b'"');
                }
            })
        }
        Kind::Datetime => Box::new(move |bytes, out| push_numpy(out, signed(bytes, swapped), unit)),
        Kind::Unicode => text(swapped, style),
        Kind::Bytes if json => Box::new(|bytes, out| push_data_uri(out, trimmed(bytes))),
        Kind::Bytes => Box::new(|bytes, out| python::push_bytes(out, trimmed(bytes))),
        Kind::Void | Kind::Object if json => Box::new(|bytes, out| push_data_uri(out, bytes)),
        Kind::Void | Kind::Object => Box::new(|bytes, out| python::push_bytes(out, bytes)),
    })
}

fn text(swapped: bool, style: Style) -> Element {
    match style {
        Style::Json => Box::new(move |bytes, out| json::push_string(out, &unicode(bytes, swapped))),
        Style::Plain => Box::new(move |bytes, out| out.extend_from_slice(unicode(bytes, swapped).as_bytes())),
        Style::Repr => Box::new(move |bytes, out| python::push_text(out, &unicode(bytes, swapped))),
    }
}

fn push_float(out: &mut Vec<u8>, bytes: &[u8], swapped: bool, json: bool) {
    let value = float(bytes, swapped);
    match (bytes.len(), json) {
        (4, true) => push_json_f32(out, value as f32),
        (4, false) => push_f32(out, value as f32),
        (2, false) => push_f16(out, value as f32, word(bytes, swapped) as u16),
        (_, true) => push_json_f64(out, value),
        (_, false) => push_f64(out, value),
    }
}

/// `[re,im]` as JSON, else `(re+imj)` as `savetxt` writes it.
fn push_complex(out: &mut Vec<u8>, bytes: &[u8], swapped: bool, json: bool) {
    let (re, im) = bytes.split_at(bytes.len() / 2);
    if json {
        out.push(b'[');
        push_float(out, re, swapped, true);
        out.push(b',');
        push_float(out, im, swapped, true);
        out.push(b']');
        return;
    }
    out.extend_from_slice(b" (");
    push_float(out, re, swapped, false);
    let value = float(im, swapped);
    if value.is_nan() || value.is_sign_positive() {
        out.push(b'+');
    }
    push_float(out, im, swapped, false);
    out.extend_from_slice(b"j)");
}

/// Bytes as the JSON string Tiled sends for them.
pub fn push_data_uri(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(b"\"data:application/octet-stream;base64,");
    out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
    out.push(b'"');
}

/// A record: a list in JSON, a tuple in Python.
fn record(fields: &[Field], style: Style) -> Result<Element> {
    let mut at = 0;
    let mut members = Vec::with_capacity(fields.len());
    for field in fields {
        let size = usize::try_from(field.nbytes()).map_err(Error::internal)?;
        let end = at + size;
        members.push((at..end, member(field, style)?));
        at = end;
    }
    let (open, close, between): (u8, u8, &[u8]) =
        if style == Style::Json { (b'[', b']', b",") } else { (b'(', b')', b", ") };
    Ok(Box::new(move |bytes, out| {
        out.push(open);
        for (place, (range, write)) in members.iter().enumerate() {
            if place > 0 {
                out.extend_from_slice(between);
            }
            write(bytes.get(range.clone()).unwrap_or_default(), out);
        }
        out.push(close);
    }))
}

/// A field of a record, sub-arrays as nested lists.
pub fn member(field: &Field, style: Style) -> Result<Element> {
    let style = if style == Style::Plain && field.shape.is_some() { Style::Repr } else { style };
    let mut write = element(&field.dtype, style)?;
    let mut size = usize::try_from(field.dtype.itemsize()).map_err(Error::internal)?;
    for count in field.shape.iter().flatten().rev() {
        let inner = size;
        size *= usize::try_from(*count).map_err(Error::internal)?;
        write = Box::new(move |bytes, out| {
            out.push(b'[');
            for (place, part) in bytes.chunks_exact(inner.max(1)).enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                write(part, out);
            }
            out.push(b']');
        });
    }
    Ok(write)
}

#[cfg(test)]
mod tests {
    use tiled_plugin_api::model::Endianness;

    use super::*;

    fn written(data_type: &DataType, style: Style, bytes: &[u8]) -> String {
        let mut out = Vec::new();
        element(data_type, style).unwrap()(bytes, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn numpy(text: &str) -> DataType {
        DataType::from_numpy_str(text).unwrap()
    }

    #[test]
    fn byte_order_is_that_of_the_type() {
        assert_eq!(written(&numpy(">i2"), Style::Json, &[0xff, 0xfe]), "-2");
        assert_eq!(written(&numpy("<u4"), Style::Json, &[1, 0, 0, 0]), "1");
        assert_eq!(written(&numpy(">f8"), Style::Plain, &1.5_f64.to_be_bytes()), "1.5");
        let text = DataType::ordered(Kind::Unicode, 8, Endianness::Big);
        assert_eq!(written(&text, Style::Json, &[0, 0, 0, 65, 0, 0, 0, 0]), "\"A\"");
    }

    #[test]
    fn json_has_lists_for_records_and_complex() {
        let record = DataType::record(vec![
            Field::new("a", numpy("|S2")),
            Field { name: "b".into(), dtype: numpy("|u1"), shape: Some(vec![2]) },
        ]);
        assert_eq!(
            written(&record, Style::Json, b"x\0\x01\x02"),
            "[\"data:application/octet-stream;base64,eA==\",[1,2]]"
        );
        let mut complex = 1.0_f32.to_le_bytes().to_vec();
        complex.extend_from_slice(&f32::NAN.to_le_bytes());
        assert_eq!(written(&numpy("<c8"), Style::Json, &complex), "[1.0,null]");
    }

    #[test]
    fn plain_complex_is_that_of_savetxt() {
        let complex = |re: f64, im: f64| [re.to_le_bytes(), im.to_le_bytes()].concat();
        assert_eq!(written(&numpy("<c16"), Style::Plain, &complex(1.0, 2.0)), " (1.0+2.0j)");
        assert_eq!(written(&numpy("<c16"), Style::Plain, &complex(3.0, -4.0)), " (3.0-4.0j)");
    }

    #[test]
    fn long_doubles_are_read() {
        let mut one = [0_u8; 16];
        one[7] = 0x80;
        one[8] = 0xff;
        one[9] = 0x3f;
        assert_eq!(written(&numpy("<f16"), Style::Json, &one), "1.0");
    }
}

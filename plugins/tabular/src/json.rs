//! Cells of Arrow columns as JSON, with the values that Tiled's own JSON has.
//!
//! Missing values, NaN and infinities are `null`; times are ISO 8601; bytes are their text (UTF-8, else Latin-1);
//! lists are arrays, structs objects, decimals text.

use arrow::{
    array::{Array, ArrayRef, AsArray, OffsetSizeTrait, UnionArray},
    datatypes::{
        ArrowNativeType, ArrowPrimitiveType, DataType, Date32Type, Date64Type, DurationMicrosecondType,
        DurationMillisecondType, DurationNanosecondType, DurationSecondType, Float16Type, Float32Type,
        Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, Time32MillisecondType, Time32SecondType,
        Time64MicrosecondType, Time64NanosecondType, TimeUnit, TimestampMicrosecondType,
        TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
        UInt32Type, UInt64Type, UnionMode,
    },
    util::display::{ArrayFormatter, FormatOptions},
};
use tiled_plugin_api::author::{Error, Result};

use crate::{
    moment::{Base, Moment, Unit},
    number::{push_int, push_json_f64},
    zone::{Zone, push_offset},
};

/// Writes the cell of one row.
pub type Cell<'a> = Box<dyn Fn(usize, &mut Vec<u8>) + 'a>;

/// A writer for the cells of `array`.
///
/// # Errors
/// `InvalidData` where the array contradicts its own type.
pub fn cells(array: &dyn Array) -> Result<Cell<'_>> {
    let bare = bare_cells(array)?;
    match array.logical_nulls() {
        None => Ok(bare),
        Some(nulls) => {
            Ok(Box::new(move |row, out| if nulls.is_null(row) { push_null(out) } else { bare(row, out) }))
        }
    }
}

/// Text as a JSON string.
pub fn push_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut from = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..0x20 => b"",
            _ => continue,
        };
        out.extend_from_slice(bytes.get(from..at).unwrap_or_default());
        if escape.is_empty() {
            out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
        } else {
            out.extend_from_slice(escape);
        }
        from = at + 1;
    }
    out.extend_from_slice(bytes.get(from..).unwrap_or_default());
    out.push(b'"');
}

/// Bytes as the JSON string of their text: UTF-8, else Latin-1.
pub fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => push_string(out, text),
        Err(_) => push_string(out, &bytes.iter().map(|b| char::from(*b)).collect::<String>()),
    }
}

/// `true` or `false`.
pub fn push_bool(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

/// `null`
pub fn push_null(out: &mut Vec<u8>) {
    out.extend_from_slice(b"null");
}

fn primitive<'a, T: ArrowPrimitiveType>(
    array: &'a dyn Array,
    write: impl Fn(&mut Vec<u8>, T::Native) + 'a,
) -> Result<Cell<'a>> {
    let array = array.as_primitive_opt::<T>().ok_or_else(|| odd(array))?;
    let values = array.values();
    Ok(Box::new(move |row, out| match values.get(row) {
        Some(value) => write(out, *value),
        None => push_null(out),
    }))
}

fn odd(array: &dyn Array) -> Error {
    Error::invalid_data(format!("A column of type {} is not what it says", array.data_type()))
}

fn bare_cells(array: &dyn Array) -> Result<Cell<'_>> {
    match array.data_type() {
        DataType::Null => Ok(Box::new(|_, out| push_null(out))),
        DataType::Boolean => {
            let array = array.as_boolean_opt().ok_or_else(|| odd(array))?;
            Ok(Box::new(|row, out| push_bool(out, array.value(row))))
        }
        DataType::Int8 => primitive::<Int8Type>(array, push_int),
        DataType::Int16 => primitive::<Int16Type>(array, push_int),
        DataType::Int32 => primitive::<Int32Type>(array, push_int),
        DataType::Int64 => primitive::<Int64Type>(array, push_int),
        DataType::UInt8 => primitive::<UInt8Type>(array, push_int),
        DataType::UInt16 => primitive::<UInt16Type>(array, push_int),
        DataType::UInt32 => primitive::<UInt32Type>(array, push_int),
        DataType::UInt64 => primitive::<UInt64Type>(array, push_int),
        DataType::Float16 => primitive::<Float16Type>(array, |out, v| push_json_f64(out, v.to_f64())),
        DataType::Float32 => primitive::<Float32Type>(array, |out, v| push_json_f64(out, f64::from(v))),
        DataType::Float64 => primitive::<Float64Type>(array, push_json_f64),
        DataType::Date32 | DataType::Date64 | DataType::Time32(_) | DataType::Time64(_) => times(array),
        DataType::Timestamp(..) | DataType::Duration(_) => times(array),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => texts(array),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            blobs(array)
        }
        DataType::List(_) => lists::<i32>(array),
        DataType::LargeList(_) => lists::<i64>(array),
        DataType::FixedSizeList(_, size) => fixed_lists(array, usize::try_from(*size).unwrap_or(0)),
        DataType::Struct(_) => structs(array),
        DataType::Map(..) => maps(array),
        DataType::Dictionary(..) => dictionary(array),
        DataType::Union(..) => unions(array),
        _ => shown(array),
    }
}

fn texts(array: &dyn Array) -> Result<Cell<'_>> {
    if let Some(array) = array.as_string_opt::<i32>() {
        return Ok(Box::new(|row, out| push_string(out, array.value(row))));
    }
    if let Some(array) = array.as_string_opt::<i64>() {
        return Ok(Box::new(|row, out| push_string(out, array.value(row))));
    }
    let array = array.as_string_view_opt().ok_or_else(|| odd(array))?;
    Ok(Box::new(|row, out| push_string(out, array.value(row))))
}

fn blobs(array: &dyn Array) -> Result<Cell<'_>> {
    if let Some(array) = array.as_binary_opt::<i32>() {
        return Ok(Box::new(|row, out| push_bytes(out, array.value(row))));
    }
    if let Some(array) = array.as_binary_opt::<i64>() {
        return Ok(Box::new(|row, out| push_bytes(out, array.value(row))));
    }
    if let Some(array) = array.as_fixed_size_binary_opt() {
        return Ok(Box::new(|row, out| push_bytes(out, array.value(row))));
    }
    let array = array.as_binary_view_opt().ok_or_else(|| odd(array))?;
    Ok(Box::new(|row, out| push_bytes(out, array.value(row))))
}

/// The unit of an Arrow time and its places behind the second.
pub fn unit_of(unit: TimeUnit) -> (Unit, u8) {
    match unit {
        TimeUnit::Second => (Unit::of(Base::Second), 0),
        TimeUnit::Millisecond => (Unit::of(Base::Fraction(3)), 3),
        TimeUnit::Microsecond => (Unit::of(Base::Fraction(6)), 6),
        TimeUnit::Nanosecond => (Unit::of(Base::Fraction(9)), 9),
    }
}

/// The count of a row's time or span.
pub type Count<'a> = Box<dyn Fn(usize) -> i64 + 'a>;

/// The counts of a column of times or spans, and their unit. `None` for other types.
pub fn counts(array: &dyn Array) -> Option<(Count<'_>, Unit)> {
    fn of<T: ArrowPrimitiveType>(array: &dyn Array) -> Option<Count<'_>>
    where
        i64: From<T::Native>,
    {
        let values = array.as_primitive_opt::<T>()?.values();
        Some(Box::new(move |row| values.get(row).map_or(crate::moment::NAT, |v| i64::from(*v))))
    }
    let unit = match array.data_type() {
        DataType::Date32 => Unit::of(Base::Day),
        DataType::Date64 => unit_of(TimeUnit::Millisecond).0,
        DataType::Time32(unit) | DataType::Time64(unit) => unit_of(*unit).0,
        DataType::Timestamp(unit, _) | DataType::Duration(unit) => unit_of(*unit).0,
        _ => return None,
    };
    let counts = match array.data_type() {
        DataType::Date32 => of::<Date32Type>(array),
        DataType::Date64 => of::<Date64Type>(array),
        DataType::Time32(TimeUnit::Second) => of::<Time32SecondType>(array),
        DataType::Time32(_) => of::<Time32MillisecondType>(array),
        DataType::Time64(TimeUnit::Microsecond) => of::<Time64MicrosecondType>(array),
        DataType::Time64(_) => of::<Time64NanosecondType>(array),
        DataType::Timestamp(TimeUnit::Second, _) => of::<TimestampSecondType>(array),
        DataType::Timestamp(TimeUnit::Millisecond, _) => of::<TimestampMillisecondType>(array),
        DataType::Timestamp(TimeUnit::Microsecond, _) => of::<TimestampMicrosecondType>(array),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => of::<TimestampNanosecondType>(array),
        DataType::Duration(TimeUnit::Second) => of::<DurationSecondType>(array),
        DataType::Duration(TimeUnit::Millisecond) => of::<DurationMillisecondType>(array),
        DataType::Duration(TimeUnit::Microsecond) => of::<DurationMicrosecondType>(array),
        _ => of::<DurationNanosecondType>(array),
    };
    Some((counts?, unit))
}

fn times(array: &dyn Array) -> Result<Cell<'_>> {
    let (count, unit) = counts(array).ok_or_else(|| odd(array))?;
    let zone = match array.data_type() {
        DataType::Timestamp(_, Some(zone)) => Some(Zone::named(zone)),
        _ => None,
    };
    let per_second = if let Base::Fraction(digits) = unit.base { 10_i64.pow(u32::from(digits)) } else { 1 };
    let kind = array.data_type().clone();
    Ok(Box::new(move |row, out| {
        let value = count(row);
        if matches!(kind, DataType::Duration(_)) {
            return if value == crate::moment::NAT { push_null(out) } else { push_int(out, value) };
        }
        let offset = zone.as_ref().map(|zone| zone.offset_s(value.div_euclid(per_second)));
        let shift = offset.filter(|_| value != crate::moment::NAT).map_or(0, |offset| offset * per_second);
        let Some(moment) = Moment::new(value.saturating_add(shift), unit) else { return push_null(out) };
        out.push(b'"');
        match kind {
            DataType::Date32 => moment.push_date(out),
            DataType::Time32(_) | DataType::Time64(_) => {
                moment.push_time(out, if moment.places() == 0 { 0 } else { moment.places().max(6) })
            }
            _ => moment.push_iso(out, b'T'),
        }
        offset.into_iter().for_each(|offset| push_offset(out, offset));
        out.push(b'"');
    }))
}

/// Writes `from..to` of the cells as a JSON array.
fn push_range(out: &mut Vec<u8>, cell: &Cell<'_>, range: std::ops::Range<usize>) {
    out.push(b'[');
    for (place, row) in range.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        cell(row, out);
    }
    out.push(b']');
}

fn lists<O: OffsetSizeTrait>(array: &dyn Array) -> Result<Cell<'_>> {
    let array = array.as_list_opt::<O>().ok_or_else(|| odd(array))?;
    let cell = cells(array.values())?;
    let offsets = array.value_offsets();
    Ok(Box::new(move |row, out| {
        let bounds = (offsets.get(row), offsets.get(row + 1));
        let (Some(from), Some(to)) = bounds else { return push_null(out) };
        push_range(out, &cell, from.as_usize()..to.as_usize());
    }))
}

fn fixed_lists(array: &dyn Array, size: usize) -> Result<Cell<'_>> {
    let array = array.as_fixed_size_list_opt().ok_or_else(|| odd(array))?;
    let cell = cells(array.values())?;
    Ok(Box::new(move |row, out| push_range(out, &cell, row * size..(row + 1) * size)))
}

fn structs(array: &dyn Array) -> Result<Cell<'_>> {
    let array = array.as_struct_opt().ok_or_else(|| odd(array))?;
    let fields = array.fields().iter().zip(array.columns());
    let members = fields.map(|(field, column)| Ok((field.name().clone(), cells(column)?)));
    let members: Vec<(String, Cell<'_>)> = members.collect::<Result<_>>()?;
    Ok(Box::new(move |row, out| {
        out.push(b'{');
        for (place, (name, cell)) in members.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            push_string(out, name);
            out.push(b':');
            cell(row, out);
        }
        out.push(b'}');
    }))
}

fn maps(array: &dyn Array) -> Result<Cell<'_>> {
    let array = array.as_map_opt().ok_or_else(|| odd(array))?;
    let (key, value) = (cells(array.keys())?, cells(array.values())?);
    let offsets = array.value_offsets();
    Ok(Box::new(move |row, out| {
        let (Some(from), Some(to)) = (offsets.get(row), offsets.get(row + 1)) else { return push_null(out) };
        out.push(b'[');
        for (place, entry) in (from.as_usize()..to.as_usize()).enumerate() {
            out.extend_from_slice(if place > 0 { b",[" } else { b"[" });
            key(entry, out);
            out.push(b',');
            value(entry, out);
            out.push(b']');
        }
        out.push(b']');
    }))
}

/// The place of each row's value among the values of a dictionary.
pub fn dictionary_keys(array: &dyn Array) -> Option<(Vec<usize>, &ArrayRef)> {
    let array = array.as_any_dictionary_opt()?;
    if array.values().is_empty() {
        return Some((vec![0; array.len()], array.values()));
    }
    Some((array.normalized_keys(), array.values()))
}

fn dictionary(array: &dyn Array) -> Result<Cell<'_>> {
    let (keys, values) = dictionary_keys(array).ok_or_else(|| odd(array))?;
    let cell = cells(values)?;
    let count = values.len();
    Ok(Box::new(move |row, out| match keys.get(row) {
        Some(key) if *key < count => cell(*key, out),
        _ => push_null(out),
    }))
}

fn unions(array: &dyn Array) -> Result<Cell<'_>> {
    let array: &UnionArray = array.as_union_opt().ok_or_else(|| odd(array))?;
    let DataType::Union(fields, mode) = array.data_type() else { return Err(odd(array)) };
    let dense = *mode == UnionMode::Dense;
    let members = fields.iter().map(|(id, _)| Ok((id, cells(array.child(id))?)));
    let members: Vec<(i8, Cell<'_>)> = members.collect::<Result<_>>()?;
    Ok(Box::new(move |row, out| {
        let id = array.type_id(row);
        let place = if dense { array.value_offset(row) } else { row };
        match members.iter().find(|(member, _)| *member == id) {
            Some((_, cell)) => cell(place, out),
            None => push_null(out),
        }
    }))
}

/// Anything else as the text arrow shows.
fn shown(array: &dyn Array) -> Result<Cell<'_>> {
    let formatter = ArrayFormatter::try_new(array, &FormatOptions::default()).map_err(Error::from_arrow)?;
    Ok(Box::new(move |row, out| push_string(out, &formatter.value(row).try_to_string().unwrap_or_default())))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{
        array::{
            BooleanArray, DictionaryArray, Float32Array, Float64Array, Int64Array, ListArray, StringArray,
            StructArray, TimestampNanosecondArray,
        },
        datatypes::{Field, Int32Type},
    };

    use super::*;

    fn all(array: &dyn Array) -> String {
        let cell = cells(array).unwrap();
        let mut out = Vec::new();
        push_range(&mut out, &cell, 0..array.len());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn missing_values_and_nan_are_null() {
        assert_eq!(all(&Float64Array::from(vec![Some(1.5), None, Some(f64::NAN)])), "[1.5,null,null]");
        assert_eq!(all(&BooleanArray::from(vec![Some(true), None])), "[true,null]");
        assert_eq!(all(&StringArray::from(vec![Some("a\"\u{1}ü"), None])), "[\"a\\\"\\u0001ü\",null]");
    }

    #[test]
    fn float32_is_widened_as_python_does() {
        assert_eq!(all(&Float32Array::from(vec![0.1])), "[0.10000000149011612]");
    }

    #[test]
    fn times_are_iso() {
        let times = TimestampNanosecondArray::from(vec![Some(0), None, Some(1_500_000_000)]);
        assert_eq!(all(&times), r#"["1970-01-01T00:00:00",null,"1970-01-01T00:00:01.500000"]"#);
        let zoned = TimestampNanosecondArray::from(vec![0]).with_timezone("+01:00");
        assert_eq!(all(&zoned), r#"["1970-01-01T01:00:00+01:00"]"#);
    }

    #[test]
    fn nested_cells_are_nested() {
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![
            Some(vec![Some(1), None]),
            None,
            Some(vec![]),
        ]);
        assert_eq!(all(&lists), "[[1,null],null,[]]");
        let field = Arc::new(Field::new("n", DataType::Int64, true));
        let column: ArrayRef = Arc::new(Int64Array::from(vec![7]));
        assert_eq!(all(&StructArray::from(vec![(field, column)])), r#"[{"n":7}]"#);
        let words: DictionaryArray<Int32Type> =
            vec![Some("a"), None, Some("b"), Some("a")].into_iter().collect();
        assert_eq!(all(&words), r#"["a",null,"b","a"]"#);
    }
}

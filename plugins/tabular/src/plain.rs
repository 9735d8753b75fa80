//! Cells of Arrow columns as text, as pandas' `to_csv` writes them: missing values empty, floats as `repr`, times with
//! a blank between date and time.

use arrow::{
    array::{Array, AsArray},
    datatypes::{ArrowPrimitiveType, DataType, Float16Type, Float32Type, Float64Type},
    util::display::{ArrayFormatter, FormatOptions},
};
use tiled_plugin_api::author::{Error, Result};

pub use crate::json::Cell;
use crate::{
    json,
    moment::{Base, Moment, NAT, Unit, push_pandas_span},
    number::{push_f16, push_f32, push_f64},
    python,
    zone::{Zone, push_offset},
};

/// A writer for the cells of `array`.
///
/// # Errors
/// `InvalidData` where the array contradicts its own type.
pub fn cells(array: &dyn Array) -> Result<Cell<'_>> {
    let bare = bare_cells(array)?;
    match array.logical_nulls() {
        None => Ok(bare),
        Some(nulls) => Ok(Box::new(move |row, out| {
            if nulls.is_valid(row) {
                bare(row, out);
            }
        })),
    }
}

fn bare_cells(array: &dyn Array) -> Result<Cell<'_>> {
    match array.data_type() {
        DataType::Null => Ok(Box::new(|_, _| ())),
        DataType::Boolean => {
            let array = array.as_boolean();
            Ok(Box::new(|row, out| out.extend_from_slice(if array.value(row) { b"True" } else { b"False" })))
        }
        DataType::Float16 => floats::<Float16Type>(array, |out, v| {
            if !v.is_nan() {
                push_f16(out, v.to_f32(), v.to_bits());
            }
        }),
        DataType::Float32 => floats::<Float32Type>(array, |out, v| {
            if !v.is_nan() {
                push_f32(out, v);
            }
        }),
        DataType::Float64 => floats::<Float64Type>(array, |out, v| {
            if !v.is_nan() {
                push_f64(out, v);
            }
        }),
        data_type if data_type.is_integer() => json::cells(array),
        DataType::Utf8 => {
            let array = array.as_string::<i32>();
            Ok(Box::new(|row, out| out.extend_from_slice(array.value(row).as_bytes())))
        }
        DataType::LargeUtf8 => {
            let array = array.as_string::<i64>();
            Ok(Box::new(|row, out| out.extend_from_slice(array.value(row).as_bytes())))
        }
        DataType::Utf8View => {
            let array = array.as_string_view();
            Ok(Box::new(|row, out| out.extend_from_slice(array.value(row).as_bytes())))
        }
        DataType::Binary => {
            let array = array.as_binary::<i32>();
            Ok(Box::new(|row, out| python::push_bytes(out, array.value(row))))
        }
        DataType::LargeBinary => {
            let array = array.as_binary::<i64>();
            Ok(Box::new(|row, out| python::push_bytes(out, array.value(row))))
        }
        DataType::FixedSizeBinary(_) => {
            let array = array.as_fixed_size_binary();
            Ok(Box::new(|row, out| python::push_bytes(out, array.value(row))))
        }
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) | DataType::Duration(_) => times(array),
        DataType::Time32(_) | DataType::Time64(_) => times_of_day(array),
        DataType::Dictionary(..) => dictionary(array),
        data_type if data_type.is_nested() => json::cells(array),
        _ => shown(array),
    }
}

fn floats<'a, T: ArrowPrimitiveType>(
    array: &'a dyn Array,
    write: impl Fn(&mut Vec<u8>, T::Native) + 'a,
) -> Result<Cell<'a>> {
    let values = array.as_primitive::<T>().values();
    Ok(Box::new(move |row, out| {
        if let Some(value) = values.get(row) {
            write(out, *value);
        }
    }))
}

/// As Python writes a time: without fraction, or with six places.
fn times_of_day(array: &dyn Array) -> Result<Cell<'_>> {
    let Some((count, unit)) = json::counts(array) else { return json::cells(array) };
    Ok(Box::new(move |row, out| {
        let Some(moment) = Moment::new(count(row), unit) else { return };
        let places = moment.places();
        moment.push_time(out, if places == 0 { 0 } else { places.max(6) });
    }))
}

fn times(array: &dyn Array) -> Result<Cell<'_>> {
    let Some((count, unit)) = json::counts(array) else { return json::cells(array) };
    let digits = if let Base::Fraction(digits) = unit.base { digits } else { 0 };
    match array.data_type() {
        DataType::Duration(_) => Ok(Box::new(move |row, out| {
            if count(row) != NAT {
                push_pandas_span(out, count(row), digits);
            }
        })),
        DataType::Timestamp(_, Some(zone)) => {
            let (zone, per_second) = (Zone::named(zone), 10_i64.pow(u32::from(digits)));
            Ok(Box::new(move |row, out| {
                let value = count(row);
                let offset = zone.offset_s(value.div_euclid(per_second));
                let shift = if value == NAT { 0 } else { offset * per_second };
                if let Some(moment) = Moment::new(value.saturating_add(shift), unit) {
                    moment.push_iso(out, b' ');
                    push_offset(out, offset);
                }
            }))
        }
        _ => {
            let places = places(array, &count, unit);
            Ok(Box::new(move |row, out| {
                let Some(moment) = Moment::new(count(row), unit) else { return };
                moment.push_date(out);
                if let Some(places) = places {
                    out.push(b' ');
                    moment.push_time(out, places);
                }
            }))
        }
    }
}

/// How precisely pandas writes a column of times: as its finest cell needs. `None`: dates alone will do.
fn places(array: &dyn Array, count: &dyn Fn(usize) -> i64, unit: Unit) -> Option<u32> {
    let rows = (0..array.len()).filter(|row| array.is_valid(*row));
    let needs = rows.filter_map(|row| Moment::new(count(row), unit));
    needs.filter(|moment| moment.second > 0 || moment.atto > 0).map(|moment| moment.places()).max()
}

fn dictionary(array: &dyn Array) -> Result<Cell<'_>> {
    let Some((keys, values)) = json::dictionary_keys(array) else { return json::cells(array) };
    let cell = cells(values)?;
    let count = values.len();
    Ok(Box::new(move |row, out| {
        if let Some(key) = keys.get(row).filter(|key| **key < count) {
            cell(*key, out);
        }
    }))
}

/// Anything else as the text arrow shows.
fn shown(array: &dyn Array) -> Result<Cell<'_>> {
    let formatter = ArrayFormatter::try_new(array, &FormatOptions::default()).map_err(Error::from_arrow)?;
    Ok(Box::new(move |row, out| {
        out.extend_from_slice(formatter.value(row).try_to_string().unwrap_or_default().as_bytes());
    }))
}

#[cfg(test)]
mod tests {
    use arrow::array::{BinaryArray, BooleanArray, Float32Array, Float64Array, TimestampMillisecondArray};

    use super::*;

    fn all(array: &dyn Array) -> Vec<String> {
        let cell = cells(array).unwrap();
        let text = |row| {
            let mut out = Vec::new();
            cell(row, &mut out);
            String::from_utf8(out).unwrap()
        };
        (0..array.len()).map(text).collect()
    }

    #[test]
    fn cells_are_those_of_pandas_to_csv() {
        assert_eq!(
            all(&Float64Array::from(vec![Some(1e16), Some(f64::NAN), None, Some(2.0)])),
            ["1e+16", "", "", "2.0"]
        );
        assert_eq!(all(&Float32Array::from(vec![0.1, 1e10])), ["0.1", "1e+10"]);
        assert_eq!(all(&BooleanArray::from(vec![Some(true), None])), ["True", ""]);
        assert_eq!(all(&BinaryArray::from(vec![&b"x"[..]])), ["b'x'"]);
    }

    #[test]
    fn times_are_as_precise_as_the_column_needs() {
        let day = 86_400_000;
        assert_eq!(
            all(&TimestampMillisecondArray::from(vec![Some(0), None, Some(day)])),
            ["1970-01-01", "", "1970-01-02"]
        );
        let fine = TimestampMillisecondArray::from(vec![0, 1500]);
        assert_eq!(all(&fine), ["1970-01-01 00:00:00.000", "1970-01-01 00:00:01.500"]);
    }
}

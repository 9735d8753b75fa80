//! Bytes of a binary table's column as Arrow arrays.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, BooleanArray, FixedSizeListArray, Float32Array, Float64Array, Int8Array, Int16Array,
        Int32Array, Int64Array, StringArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
    },
    datatypes::{DataType, Field},
};
use tiled_plugin_api::prelude::{Error, Result};

use crate::form::Column;

/// Which part of a complex column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of a column that is not complex.
    Whole,
    /// Real parts.
    Real,
    /// Imaginary parts.
    Imag,
}

/// How whole numbers are served.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Numbers {
    /// As they are.
    Plain,
    /// By an offset of half their range, with the other sign.
    Sign,
    /// As double precision.
    Scaled(f64, f64),
}

fn numbers(column: &Column) -> Numbers {
    let half = match column.code {
        b'B' => -128.0,
        b'I' => 32_768.0,
        b'J' => 2_147_483_648.0,
        b'K' => 9_223_372_036_854_775_808.0,
        _ => f64::NAN,
    };
    match column.scale {
        None => Numbers::Plain,
        Some((by, zero)) if by == 1.0 && zero == half => Numbers::Sign,
        Some((by, zero)) => Numbers::Scaled(by, zero),
    }
}

/// The type of one element.
pub fn item_type(column: &Column) -> DataType {
    let is_number = b"BIJKED".contains(&column.code);
    match (column.code, numbers(column)) {
        (b'L' | b'X', _) => DataType::Boolean,
        (b'A', _) => DataType::Utf8,
        (b'C', Numbers::Plain) => DataType::Float32,
        (_, Numbers::Scaled(..)) if is_number => DataType::Float64,
        (b'B', Numbers::Sign) => DataType::Int8,
        (b'I', Numbers::Sign) => DataType::UInt16,
        (b'J', Numbers::Sign) => DataType::UInt32,
        (b'K', Numbers::Sign) => DataType::UInt64,
        (b'B', _) => DataType::UInt8,
        (b'I', _) => DataType::Int16,
        (b'J', _) => DataType::Int32,
        (b'K', _) => DataType::Int64,
        (b'E', _) => DataType::Float32,
        _ => DataType::Float64,
    }
}

/// The lengths of the lists in a row, the inner one first; none where a row has one element. Of texts the axis of their
/// characters is left out.
pub fn lists(column: &Column) -> Vec<u64> {
    let dimensions = column.dimensions.as_slice();
    if column.code == b'A' {
        return match (dimensions.split_first(), column.text_width) {
            (Some((_, outer)), _) => outer.to_vec(),
            (None, Some(width)) if width < column.repeat => vec![column.repeat / width],
            _ => vec![],
        };
    }
    match (dimensions, column.repeat) {
        ([], 1) => vec![],
        ([], repeat) => vec![repeat],
        _ => dimensions.to_vec(),
    }
}

/// The type of a row's value.
pub fn row_type(column: &Column) -> DataType {
    lists(column).iter().fold(item_type(column), |inner, length| {
        let length = i32::try_from(*length).unwrap_or(i32::MAX);
        DataType::FixedSizeList(Arc::new(Field::new("item", inner, true)), length)
    })
}

/// The values of `rows` rows from the bytes of this column alone, one row after the other.
///
/// # Errors
/// `InvalidData` where lists are longer than Arrow's.
pub fn rows(column: &Column, part: Part, bytes: &[u8], rows: usize) -> Result<ArrayRef> {
    let items = match column.code {
        b'X' => bits(bytes, rows, column.repeat as usize),
        b'A' => {
            let count = lists(column).iter().product::<u64>().max(1);
            texts(bytes, (column.repeat / count) as usize, rows * count as usize)
        }
        _ => items(column, part, bytes),
    };
    let mut array = items;
    for length in lists(column) {
        let length = i32::try_from(length).map_err(|_| Error::invalid_data("a list is too long"))?;
        let field = Arc::new(Field::new("item", array.data_type().clone(), true));
        let list = FixedSizeListArray::try_new(field, length, array, None);
        array = Arc::new(list.map_err(Error::from_arrow)?);
    }
    Ok(array)
}

/// Elements that follow each other, without lists.
pub fn items(column: &Column, part: Part, bytes: &[u8]) -> ArrayRef {
    let (null, how) = (column.null, numbers(column));
    let is_null = move |value: i64| null == Some(value);
    let float = move |value: f64| match how {
        Numbers::Scaled(by, zero) => value * by + zero,
        _ => value,
    };
    /// Elements of `$n` bytes, read by `$read`, as an array; null where they are the null value.
    macro_rules! array {
        ($array:ty, $n:literal, $read:expr, $convert:expr) => {
            Arc::new(
                bytes
                    .as_chunks::<$n>()
                    .0
                    .iter()
                    .map(|b| {
                        let value = $read(*b);
                        (!is_null(i64::from(value))).then(|| $convert(value))
                    })
                    .collect::<$array>(),
            ) as ArrayRef
        };
    }
    match (column.code, how) {
        (b'L', _) => logicals(bytes),
        (b'B', Numbers::Plain) => array!(UInt8Array, 1, u8::from_be_bytes, |v| v),
        (b'B', Numbers::Sign) => array!(Int8Array, 1, u8::from_be_bytes, |v: u8| (v ^ 0x80).cast_signed()),
        (b'B', _) => array!(Float64Array, 1, u8::from_be_bytes, |v| float(f64::from(v))),
        (b'I', Numbers::Plain) => array!(Int16Array, 2, i16::from_be_bytes, |v| v),
        (b'I', Numbers::Sign) => {
            array!(UInt16Array, 2, i16::from_be_bytes, |v: i16| v.cast_unsigned() ^ 0x8000)
        }
        (b'I', _) => array!(Float64Array, 2, i16::from_be_bytes, |v| float(f64::from(v))),
        (b'J', Numbers::Plain) => array!(Int32Array, 4, i32::from_be_bytes, |v| v),
        (b'J', Numbers::Sign) => {
            array!(UInt32Array, 4, i32::from_be_bytes, |v: i32| v.cast_unsigned() ^ 0x8000_0000)
        }
        (b'J', _) => array!(Float64Array, 4, i32::from_be_bytes, |v| float(f64::from(v))),
        (b'K', Numbers::Plain) => array!(Int64Array, 8, i64::from_be_bytes, |v| v),
        (b'K', Numbers::Sign) => {
            array!(UInt64Array, 8, i64::from_be_bytes, |v: i64| v.cast_unsigned() ^ 1 << 63)
        }
        (b'K', _) => array!(Float64Array, 8, i64::from_be_bytes, |v: i64| float(v as f64)),
        _ => floats(column.code, how, part, bytes),
    }
}

fn floats(code: u8, how: Numbers, part: Part, bytes: &[u8]) -> ArrayRef {
    let single = |b: &[u8; 4]| f32::from_be_bytes(*b);
    let double = |b: &[u8; 8]| f64::from_be_bytes(*b);
    // Of complex numbers every second float.
    let (skip, step) = match part {
        Part::Whole => (0, 1),
        Part::Real => (0, 2),
        Part::Imag => (1, 2),
    };
    let scaled = |value: f64| match how {
        // What is added to a complex number is added to its real part.
        Numbers::Scaled(by, zero) => value * by + if part == Part::Imag { 0.0 } else { zero },
        _ => value,
    };
    let is_single = matches!(code, b'E' | b'C');
    if is_single {
        let values = bytes.as_chunks::<4>().0.iter().map(single).skip(skip).step_by(step);
        return match how {
            Numbers::Scaled(..) => Arc::new(Float64Array::from_iter_values(values.map(|v| scaled(v.into())))),
            _ => Arc::new(Float32Array::from_iter_values(values)),
        };
    }
    let values = bytes.as_chunks::<8>().0.iter().map(double).skip(skip).step_by(step);
    Arc::new(Float64Array::from_iter_values(values.map(scaled)))
}

/// `T` and `F`; anything else is undefined.
pub fn logicals(bytes: &[u8]) -> ArrayRef {
    let value = |byte: &u8| match byte {
        b'T' => Some(true),
        b'F' => Some(false),
        _ => None,
    };
    Arc::new(bytes.iter().map(value).collect::<BooleanArray>())
}

/// Bits, the highest of a byte first; rows begin with a byte.
pub fn bits(bytes: &[u8], rows: usize, repeat: usize) -> ArrayRef {
    let row = |at: usize| bytes.get(at * repeat.div_ceil(8)..).unwrap_or_default();
    let bit = |row: &[u8], i: usize| row.get(i / 8).map(|byte| byte >> (7 - i % 8) & 1 == 1);
    let all = (0..rows).flat_map(|at| (0..repeat).map(move |i| (at, i)));
    Arc::new(all.map(|(at, i)| bit(row(at), i)).collect::<BooleanArray>())
}

/// Texts of `width` bytes.
pub fn texts(bytes: &[u8], width: usize, count: usize) -> ArrayRef {
    let text = |at: usize| bytes.get(at * width..(at + 1) * width).map(text);
    Arc::new((0..count).map(text).collect::<StringArray>())
}

/// A text: up to the first NUL, without blanks at its end.
pub fn text(bytes: &[u8]) -> String {
    let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    let text =
        str::from_utf8(bytes).map_or_else(|_| bytes.iter().map(|b| char::from(*b)).collect(), str::to_owned);
    text.trim_end().to_owned()
}

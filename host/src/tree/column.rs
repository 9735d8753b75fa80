//! One column of a table as an array, with the types that pandas gives it: integers with gaps become floats, text
//! becomes `U` of the longest value, times keep their unit.

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, PrimitiveArray, RecordBatchReader},
    compute::{cast, concat},
    datatypes::{ArrowPrimitiveType, DataType as ArrowType, TimeUnit},
    util::display::{ArrayFormatter, FormatOptions},
};
use tiled_plugin_api::{
    author::{Error, ErrorKind, Result, TableStream},
    model::{ArrayStructure, DataType, Endianness, Kind},
};

/// A column, read.
pub struct Column {
    /// One axis, one chunk.
    pub structure: ArrayStructure,
    /// Its elements.
    pub bytes: Vec<u8>,
}

impl Column {
    /// Reads the first column of a stream.
    ///
    /// # Errors
    /// Those of the stream; `TooLarge` beyond `max_bytes`.
    pub fn read(stream: TableStream, max_bytes: u64) -> Result<Self> {
        let reader = stream.into_reader()?;
        let kind = reader.schema().fields().first().map(|field| field.data_type().clone());
        let kind = kind.ok_or_else(|| Error::internal("a column was asked for, and none came"))?;
        let (mut parts, mut held) = (Vec::new(), 0_u64);
        for batch in reader {
            let column = batch.map_err(Error::from_arrow)?.column(0).clone();
            held += column.get_array_memory_size() as u64;
            if held > max_bytes {
                let message =
                    format!("The column would exceed {max_bytes} bytes. Read the table in partitions");
                return Err(Error::new(ErrorKind::TooLarge, message));
            }
            parts.push(column);
        }
        let parts: Vec<&dyn Array> = parts.iter().map(|part| &**part).collect();
        let whole = match parts.as_slice() {
            [] => arrow::array::new_empty_array(&kind),
            parts => concat(parts).map_err(Error::internal)?,
        };
        let (data_type, bytes) = to_numpy(&whole, max_bytes)?;
        let structure = ArrayStructure::single_chunk(data_type, vec![whole.len() as u64]);
        Ok(Column { structure, bytes })
    }
}

fn to_numpy(array: &ArrayRef, max_bytes: u64) -> Result<(DataType, Vec<u8>)> {
    use ArrowType as T;
    let gaps = array.null_count() > 0;
    Ok(match array.data_type() {
        T::Dictionary(_, values) => return to_numpy(&cast_to(array, values)?, max_bytes),
        T::Null => (DataType::native(Kind::Float, 8), f64::NAN.to_le_bytes().repeat(array.len())),
        T::Boolean if !gaps => {
            let flags: &BooleanArray = array.as_boolean();
            (DataType::native(Kind::Bool, 1), flags.values().iter().map(u8::from).collect())
        }
        kind if kind.is_integer() && gaps => {
            let floats = cast_to(array, &T::Float64)?;
            (DataType::native(Kind::Float, 8), floats_with_nan(floats.as_primitive()))
        }
        T::Float64 => (DataType::native(Kind::Float, 8), floats_with_nan(array.as_primitive())),
        T::Float32 if gaps => {
            let floats = array.as_primitive::<arrow::datatypes::Float32Type>();
            (
                DataType::native(Kind::Float, 4),
                floats.iter().flat_map(|v| v.unwrap_or(f32::NAN).to_le_bytes()).collect(),
            )
        }
        T::Float16 if !gaps => plain(array, Kind::Float, 2)?,
        T::Float32 => plain(array, Kind::Float, 4)?,
        kind if kind.is_signed_integer() => plain(array, Kind::Int, width(kind))?,
        kind if kind.is_unsigned_integer() => plain(array, Kind::Uint, width(kind))?,
        T::Timestamp(unit, _) => times(array, Kind::Datetime, *unit)?,
        T::Duration(unit) => times(array, Kind::Timedelta, *unit)?,
        T::Binary | T::LargeBinary | T::FixedSizeBinary(_) | T::BinaryView => bytes(array)?,
        _ => text(array, max_bytes)?,
    })
}

fn cast_to(array: &ArrayRef, kind: &ArrowType) -> Result<ArrayRef> {
    cast(array, kind).map_err(Error::internal)
}

fn width(kind: &ArrowType) -> u64 {
    kind.primitive_width().unwrap_or(8) as u64
}

/// Elements of a primitive array without gaps, as they lie in memory.
fn plain(array: &ArrayRef, kind: Kind, itemsize: u64) -> Result<(DataType, Vec<u8>)> {
    let data = array.to_data();
    let width = itemsize as usize;
    let all = data.buffers().first().map_or(&[][..], |buffer| buffer.as_slice());
    let from = data.offset() * width;
    let part =
        all.get(from..from + data.len() * width).ok_or_else(|| Error::internal("a short Arrow buffer"))?;
    Ok((DataType::native(kind, itemsize), part.to_vec()))
}

fn floats_with_nan(floats: &Float64Array) -> Vec<u8> {
    floats.iter().flat_map(|value| value.unwrap_or(f64::NAN).to_le_bytes()).collect()
}

/// NumPy's NaT is the smallest integer.
fn times(array: &ArrayRef, kind: Kind, unit: TimeUnit) -> Result<(DataType, Vec<u8>)> {
    let ticks = cast_to(array, &ArrowType::Int64)?;
    let ticks: &PrimitiveArray<arrow::datatypes::Int64Type> = ticks.as_primitive();
    let bytes = ticks.iter().flat_map(|tick| tick.unwrap_or(i64::MIN).to_le_bytes()).collect();
    let name = match unit {
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
        TimeUnit::Microsecond => "us",
        TimeUnit::Nanosecond => "ns",
    };
    let data_type = DataType::Builtin {
        endianness: Endianness::NATIVE,
        kind,
        itemsize: <arrow::datatypes::Int64Type as ArrowPrimitiveType>::Native::BITS as u64 / 8,
        dt_units: Some(format!("[{name}]")),
    };
    Ok((data_type, bytes))
}

fn bytes(array: &ArrayRef) -> Result<(DataType, Vec<u8>)> {
    let array = cast_to(array, &ArrowType::LargeBinary)?;
    let values = array.as_binary::<i64>();
    let longest = values.iter().map(|v| v.map_or(0, <[u8]>::len)).max().unwrap_or(0).max(1);
    let mut out = vec![0; longest * values.len()];
    for (row, value) in out.chunks_exact_mut(longest).zip(values.iter()) {
        let value = value.unwrap_or_default();
        row[..value.len()].copy_from_slice(value);
    }
    Ok((DataType::native(Kind::Bytes, longest as u64), out))
}

/// UCS-4 of the longest value. What is missing is `None`, as pandas' objects print.
fn text(array: &ArrayRef, max_bytes: u64) -> Result<(DataType, Vec<u8>)> {
    let options = FormatOptions::default().with_null("None");
    let formatter = ArrayFormatter::try_new(array, &options).map_err(Error::internal)?;
    let mut values = Vec::with_capacity(array.len());
    for row in 0..array.len() {
        values.push(if array.is_null(row) { "None".to_owned() } else { formatter.value(row).to_string() });
    }
    let longest = values.iter().map(|value| value.chars().count()).max().unwrap_or(0).max(1);
    if (longest as u64).saturating_mul(values.len() as u64 * 4) > max_bytes {
        let message =
            format!("The column as fixed-width text would exceed {max_bytes} bytes. Read the table instead");
        return Err(Error::new(ErrorKind::TooLarge, message));
    }
    let mut out = Vec::with_capacity(longest * values.len() * 4);
    for value in &values {
        let end = out.len() + longest * 4;
        out.extend(value.chars().flat_map(|c| (c as u32).to_le_bytes()));
        out.resize(end, 0);
    }
    Ok((DataType::native(Kind::Unicode, longest as u64 * 4), out))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, RecordBatch, StringArray};
    use tiled_plugin_api::author::one_batch;

    use super::*;

    fn check(array: ArrayRef) -> (String, Vec<u8>) {
        let batch = RecordBatch::try_from_iter([("a", array)]).unwrap();
        let column = Column::read(one_batch(batch), 1 << 20).unwrap();
        (column.structure.data_type.numpy_str().unwrap(), column.bytes)
    }

    #[test]
    fn integers_with_gaps_become_floats() {
        assert_eq!(check(Arc::new(Int64Array::from(vec![1, 2]))).0, "<i8");
        let (kind, bytes) = check(Arc::new(Int64Array::from(vec![Some(1), None])));
        assert_eq!((kind.as_str(), &bytes[..8]), ("<f8", &1.0_f64.to_le_bytes()[..]));
        assert!(f64::from_le_bytes(bytes[8..].try_into().unwrap()).is_nan());
    }

    #[test]
    fn text_becomes_fixed_width() {
        let (kind, bytes) = check(Arc::new(StringArray::from(vec![Some("é"), Some("ab")])));
        assert_eq!(
            (kind.as_str(), bytes),
            ("<U2", vec![0xe9, 0, 0, 0, 0, 0, 0, 0, b'a', 0, 0, 0, b'b', 0, 0, 0])
        );
    }
}

//! Columns of tables and of sparse arrays as datasets.

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchReader},
    compute::{cast, concat},
    datatypes::{DataType as Arrow, Float64Type, Int64Type, TimeUnit},
    error::ArrowError,
    util::display::{ArrayFormatter, FormatOptions},
};
use tiled_plugin_api::prelude::*;

use super::{format::Heaps, plan::Item, types};

/// The columns of a table, one dataset each.
///
/// # Errors
/// Those of reading the table.
pub(crate) fn columns(stream: TableStream, heaps: &mut Heaps) -> Result<Vec<(String, Item)>> {
    let columns = read(stream)?;
    columns.into_iter().map(|(name, column)| Ok((name, dataset(&column, heaps).map_err(internal)?))).collect()
}

/// A sparse array as Tiled writes it: `data`, and `coords` with a row per axis.
///
/// # Errors
/// Those of reading the table.
pub(crate) fn sparse(stream: TableStream, heaps: &mut Heaps) -> Result<Vec<(String, Item)>> {
    let mut data = vec![];
    let (mut axes, mut rows, mut coords) = (0, 0, vec![]);
    for (name, column) in read(stream)? {
        if name == "data" {
            data.push((name, dataset(&column, heaps).map_err(internal)?));
        } else {
            let numbers = cast(&column, &Arrow::Int64).map_err(internal)?;
            let numbers = numbers.as_primitive::<Int64Type>();
            rows = numbers.len() as u64;
            axes += 1;
            coords.extend(numbers.values().iter().flat_map(|n| n.to_le_bytes()));
        }
    }
    data.push(("coords".into(), Item::ready(types::integer(8, true, false), vec![axes, rows], coords)));
    Ok(data)
}

fn internal(error: ArrowError) -> Error {
    Error::internal(error)
}

/// All rows of every column.
fn read(stream: TableStream) -> Result<Vec<(String, ArrayRef)>> {
    let reader = stream.into_reader()?;
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<RecordBatch>, ArrowError>>().map_err(Error::from_arrow)?;
    let mut all = vec![];
    for (i, field) in schema.fields().iter().enumerate() {
        let parts: Vec<&dyn Array> = batches.iter().map(|batch| batch.column(i).as_ref()).collect();
        let column = match &parts[..] {
            [] => arrow::array::new_empty_array(field.data_type()),
            parts => concat(parts).map_err(internal)?,
        };
        all.push((field.name().clone(), column));
    }
    Ok(all)
}

fn dataset(column: &ArrayRef, heaps: &mut Heaps) -> Result<Item, ArrowError> {
    let rows = vec![column.len() as u64];
    let ready = |data_type, bytes| Ok(Item::ready(data_type, rows.clone(), bytes));
    match column.data_type() {
        kind if kind.is_numeric() && !is_decimal(kind) && column.null_count() == 0 => {
            let (size, bytes) = plain(column);
            let signed = kind.is_signed_integer();
            if kind.is_floating() {
                let float = types::float(size, false).map_err(|e| ArrowError::CastError(e.message))?;
                return ready(float, bytes);
            }
            ready(types::integer(size, signed, false), bytes)
        }
        Arrow::Boolean if column.null_count() == 0 => {
            ready(types::boolean(), column.as_boolean().values().iter().map(u8::from).collect())
        }
        // As pandas: what is missing among numbers is NaN, and the column one of floats.
        kind if (kind.is_numeric() && !is_decimal(kind)) || *kind == Arrow::Boolean => {
            let numbers = cast(column, &Arrow::Float64)?;
            let numbers = numbers.as_primitive::<Float64Type>();
            let bytes = numbers.iter().flat_map(|n| n.unwrap_or(f64::NAN).to_le_bytes()).collect();
            let float = types::float(8, false).map_err(|e| ArrowError::CastError(e.message))?;
            ready(float, bytes)
        }
        Arrow::Timestamp(unit, _) => time(column, Kind::Datetime, unit_name(*unit), rows),
        Arrow::Duration(unit) => time(column, Kind::Timedelta, unit_name(*unit), rows),
        Arrow::Date64 => time(column, Kind::Datetime, "ms", rows),
        Arrow::Date32 => time(&cast(column, &Arrow::Int32)?, Kind::Datetime, "D", rows),
        _ => texts(column, heaps, rows),
    }
}

fn is_decimal(kind: &Arrow) -> bool {
    matches!(
        kind,
        Arrow::Decimal32(..) | Arrow::Decimal64(..) | Arrow::Decimal128(..) | Arrow::Decimal256(..)
    )
}

/// Bytes of a value and the bytes of all, for a column of numbers without gaps.
fn plain(column: &ArrayRef) -> (u64, Vec<u8>) {
    let data = column.to_data();
    let size = data.data_type().primitive_width().unwrap_or(1);
    let bytes = data.buffers().first().and_then(|buffer| {
        let start = data.offset().checked_mul(size)?;
        buffer.as_slice().get(start..start.checked_add(data.len().checked_mul(size)?)?)
    });
    (size as u64, bytes.unwrap_or_default().to_vec())
}

fn unit_name(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
        TimeUnit::Microsecond => "us",
        TimeUnit::Nanosecond => "ns",
    }
}

/// NumPy's 64-bit times, a gap as its "not a time".
fn time(column: &ArrayRef, kind: Kind, unit: &str, rows: Vec<u64>) -> Result<Item, ArrowError> {
    let numbers = cast(column, &Arrow::Int64)?;
    let numbers = numbers.as_primitive::<Int64Type>();
    let bytes = numbers.iter().flat_map(|n| n.unwrap_or(i64::MIN).to_le_bytes()).collect();
    let data_type = DataType::Builtin {
        endianness: Endianness::Little,
        kind,
        itemsize: 8,
        dt_units: Some(format!("[{unit}]")),
    };
    let encoded = types::encode(&data_type).map_err(|e| ArrowError::CastError(e.message))?;
    Ok(Item::ready(encoded.bytes, rows, bytes))
}

/// Texts, and everything else as text; a gap is empty.
fn texts(column: &ArrayRef, heaps: &mut Heaps, rows: Vec<u64>) -> Result<Item, ArrowError> {
    let bytes = match cast(column, &Arrow::LargeUtf8) {
        Ok(texts) => texts
            .as_string::<i64>()
            .iter()
            .flat_map(|t| heaps.put(t.unwrap_or_default().as_bytes()))
            .collect(),
        Err(_) => {
            let formatter = ArrayFormatter::try_new(column.as_ref(), &FormatOptions::default())?;
            let texts = (0..column.len()).map(|i| formatter.value(i).try_to_string());
            texts.collect::<Result<Vec<_>, _>>()?.iter().flat_map(|t| heaps.put(t.as_bytes())).collect()
        }
    };
    Ok(Item::ready(types::text(), rows, bytes))
}

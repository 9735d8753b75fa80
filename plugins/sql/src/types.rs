//! Arrow types in databases: what a column is declared as, what its values are ingested as, and the way back.
//!
//! Where Tiled has a type it is Tiled's. The others are ours, chosen so that no value is lost: nanoseconds that a database
//! has no type for as integers, unsigned 64-bit integers as text in SQLite and as `NUMERIC` in PostgreSQL.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, GenericListArray, OffsetSizeTrait},
    compute::{CastOptions, cast_with_options},
    datatypes::{DataType, Field, TimeUnit},
};
use tiled_plugin_api::author::{Error, ErrorKind, Result};

use crate::{address::Dialect, list_text};

/// How values of a column are kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// The type in `CREATE TABLE`.
    pub sql: String,
    /// What they are converted to before they are given to the driver.
    pub arrow: DataType,
}

fn kept(sql: &str, arrow: DataType) -> Kept {
    Kept { sql: sql.to_owned(), arrow }
}

/// How values of this type are kept.
///
/// # Errors
/// `InvalidArgument` for types that the database cannot keep.
pub fn keep(dialect: Dialect, data_type: &DataType) -> Result<Kept> {
    use DataType as T;
    if let T::Dictionary(_, values) = data_type {
        return keep(dialect, values);
    }
    let found = match dialect {
        Dialect::DuckDb => duckdb(data_type)?,
        Dialect::Sqlite => sqlite(data_type),
        Dialect::Postgres => postgres(data_type)?,
    };
    found.ok_or_else(|| {
        let name = dialect.name();
        Error::new(ErrorKind::InvalidArgument, format!("Unsupported PyArrow type: {data_type} in {name}"))
    })
}

fn item(data_type: DataType) -> Arc<Field> {
    Arc::new(Field::new("item", data_type, true))
}

fn items(data_type: &DataType) -> Option<&DataType> {
    match data_type {
        DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
            Some(field.data_type())
        }
        _ => None,
    }
}

fn duckdb(data_type: &DataType) -> Result<Option<Kept>> {
    use DataType as T;
    if let Some(inner) = items(data_type) {
        let inner = keep(Dialect::DuckDb, inner)?;
        return Ok(Some(kept(&format!("{}[]", inner.sql), T::List(item(inner.arrow)))));
    }
    Ok(Some(match data_type {
        T::Boolean => kept("BOOLEAN", T::Boolean),
        T::Int8 => kept("TINYINT", T::Int8),
        T::UInt8 => kept("UTINYINT", T::UInt8),
        T::Int16 => kept("SMALLINT", T::Int16),
        T::UInt16 => kept("USMALLINT", T::UInt16),
        T::Int32 => kept("INTEGER", T::Int32),
        T::UInt32 => kept("UINTEGER", T::UInt32),
        T::Int64 => kept("BIGINT", T::Int64),
        T::UInt64 => kept("UBIGINT", T::UInt64),
        T::Float16 | T::Float32 => kept("REAL", T::Float32),
        T::Float64 => kept("DOUBLE", T::Float64),
        T::Utf8 | T::LargeUtf8 | T::Utf8View => kept("VARCHAR", T::Utf8),
        T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => kept("BLOB", T::Binary),
        T::Decimal32(p, s) | T::Decimal64(p, s) | T::Decimal128(p, s) | T::Decimal256(p, s)
            if *p <= 38 && *s >= 0 =>
        {
            kept(&format!("DECIMAL({p}, {s})"), T::Decimal128(*p, *s))
        }
        T::Date32 | T::Date64 => kept("DATE", T::Date32),
        T::Timestamp(TimeUnit::Second, None) => kept("TIMESTAMP_S", data_type.clone()),
        T::Timestamp(TimeUnit::Millisecond, None) => kept("TIMESTAMP_MS", data_type.clone()),
        T::Timestamp(TimeUnit::Microsecond, None) => kept("TIMESTAMP", data_type.clone()),
        T::Timestamp(TimeUnit::Nanosecond, None) => kept("TIMESTAMP_NS", data_type.clone()),
        T::Timestamp(TimeUnit::Second | TimeUnit::Millisecond | TimeUnit::Microsecond, Some(_)) => {
            kept("TIMESTAMP WITH TIME ZONE", T::Timestamp(TimeUnit::Microsecond, Some("UTC".into())))
        }
        T::Time32(_) | T::Time64(TimeUnit::Microsecond) => kept("TIME", T::Time64(TimeUnit::Microsecond)),
        T::Timestamp(..) | T::Time64(_) | T::Duration(_) => kept("BIGINT", T::Int64),
        _ => return Ok(None),
    }))
}

fn sqlite(data_type: &DataType) -> Option<Kept> {
    use DataType as T;
    if let Some(inner) = items(data_type) {
        return list_text::can(inner).then(|| kept("TEXT", T::Utf8));
    }
    Some(match data_type {
        T::UInt64 => kept("TEXT", T::Utf8),
        T::Boolean => kept("INTEGER", T::Int64),
        kind if kind.is_integer() => kept("INTEGER", T::Int64),
        T::Float16 | T::Float32 | T::Float64 => kept("REAL", T::Float64),
        T::Decimal32(..) | T::Decimal64(..) | T::Decimal128(..) | T::Decimal256(..) => kept("TEXT", T::Utf8),
        T::Utf8 | T::LargeUtf8 | T::Utf8View => kept("TEXT", T::Utf8),
        T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => kept("BLOB", T::Binary),
        T::Date32 | T::Date64 | T::Time32(_) | T::Time64(_) | T::Timestamp(..) | T::Duration(_) => {
            kept("INTEGER", T::Int64)
        }
        _ => return None,
    })
}

fn postgres(data_type: &DataType) -> Result<Option<Kept>> {
    use DataType as T;
    if let Some(inner) = items(data_type) {
        if items(inner).is_some() {
            return Ok(None);
        }
        let inner = keep(Dialect::Postgres, inner)?;
        return Ok(Some(kept(&format!("{} ARRAY", inner.sql), T::List(item(inner.arrow)))));
    }
    Ok(Some(match data_type {
        T::Boolean => kept("BOOLEAN", T::Boolean),
        T::Int8 | T::Int16 | T::UInt8 => kept("SMALLINT", T::Int16),
        T::Int32 | T::UInt16 => kept("INTEGER", T::Int32),
        T::Int64 | T::UInt32 => kept("BIGINT", T::Int64),
        T::UInt64 => kept("NUMERIC", T::Decimal128(20, 0)),
        T::Float16 | T::Float32 => kept("REAL", T::Float32),
        T::Float64 => kept("DOUBLE PRECISION", T::Float64),
        T::Utf8 | T::LargeUtf8 | T::Utf8View => kept("TEXT", T::Utf8),
        T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => kept("BYTEA", T::Binary),
        T::Decimal32(p, s) | T::Decimal64(p, s) | T::Decimal128(p, s) if *s >= 0 => {
            kept("NUMERIC", T::Decimal128(*p, *s))
        }
        T::Decimal256(p, s) if *s >= 0 => kept("NUMERIC", T::Decimal256(*p, *s)),
        T::Date32 | T::Date64 => kept("DATE", T::Date32),
        T::Timestamp(TimeUnit::Nanosecond, _) | T::Time64(TimeUnit::Nanosecond) | T::Duration(_) => {
            kept("BIGINT", T::Int64)
        }
        T::Timestamp(_, None) => kept("TIMESTAMP", T::Timestamp(TimeUnit::Microsecond, None)),
        T::Timestamp(_, Some(_)) => {
            kept("TIMESTAMP WITH TIME ZONE", T::Timestamp(TimeUnit::Microsecond, Some("UTC".into())))
        }
        T::Time32(_) | T::Time64(_) => kept("TIME", T::Time64(TimeUnit::Microsecond)),
        _ => return Ok(None),
    }))
}

/// The same values in another type. A value that does not fit is an error, never missing.
///
/// # Errors
/// `InvalidArgument` naming what does not fit.
pub fn convert(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    use DataType as T;
    let from = array.data_type();
    if from == to {
        return Ok(array.clone());
    }
    match (from, to) {
        // Times and days as the integers they are.
        (T::Time32(_), T::Int64) | (T::Date32, T::Int64) => convert(&cast(array, &T::Int32)?, to),
        (T::Int64, T::Time32(_) | T::Date32) => cast(&cast(array, &T::Int32)?, to),
        // A moment stays the same moment whatever its zone is called.
        (T::Timestamp(unit, from_zone), T::Timestamp(to_unit, to_zone)) if from_zone != to_zone => {
            let scaled = cast(array, &T::Timestamp(*to_unit, from_zone.clone()))?;
            let _ = unit;
            cast(&cast(&scaled, &T::Int64)?, to)
        }
        (T::Utf8, kind) if items(kind).is_some() => list_text::read(array.as_string(), kind),
        (kind, T::Utf8) if items(kind).is_some() => Ok(Arc::new(list_text::write(array)?)),
        (T::List(_), T::List(field)) => list::<i32>(array, field),
        (T::LargeList(_), T::LargeList(field)) => list::<i64>(array, field),
        _ => cast(array, to),
    }
}

/// Lists whose items are converted by the rules of this module.
fn list<O: OffsetSizeTrait>(array: &ArrayRef, field: &Arc<Field>) -> Result<ArrayRef> {
    let list = array.as_list::<O>();
    let values = convert(list.values(), field.data_type())?;
    let made =
        GenericListArray::<O>::try_new(field.clone(), list.offsets().clone(), values, list.nulls().cloned());
    made.map(|list| Arc::new(list) as ArrayRef).map_err(unfit)
}

fn cast(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(array, to, &options).map_err(unfit)
}

fn unfit(error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidArgument, error.to_string())
}

//! The types that the catalog declares for columns of text. A table that was written through the server has types that
//! a file of text does not tell: times, narrow and missing integers, decimals. They are given where all values fit;
//! else the columns stay what pandas makes of them.

use std::{collections::HashMap, sync::Arc};

use arrow::datatypes::{DataType, Schema};
use tiled_plugin_api::author::{Context, Error, ErrorKind, Result};

use crate::{
    build::{arrow_type, schema},
    layout::{Column, Layout, Type},
    table::{Files, UNWRITTEN},
};

/// Sets the targets of the columns in all layouts, which have the same columns.
///
/// # Errors
/// Those of reading the files.
pub fn declare(
    cx: &Context,
    files: &Files,
    declared: &Schema,
    versions: &[u64],
    layouts: &mut [Layout],
) -> Result<()> {
    let Some(first) = layouts.first() else { return Ok(()) };
    let empty = layouts.iter().all(|layout| layout.rows == 0);
    // By name once: a file may have a hundred thousand columns. Of equal names the first one counts.
    let fields = declared.fields().iter().rev().map(|field| (field.name().as_str(), field.data_type()));
    let fields: HashMap<&str, &DataType> = fields.collect();
    let wish = |column: &Column| wish(column, fields.get(column.name.as_str())?);
    let wishes: Vec<Option<Column>> = first.columns.iter().map(wish).collect();
    for (place, wish) in wishes.into_iter().enumerate() {
        let Some(wish) = wish else { continue };
        if !empty && !always_fits(&wish) && !all_fit(cx, files, &wish, versions, layouts)? {
            continue;
        }
        for layout in layouts.iter_mut() {
            if let Some(column) = layout.columns.get_mut(place) {
                (column.kind, column.target) = (wish.kind, wish.target.clone());
            }
        }
    }
    Ok(())
}

/// The column as it is read to become the declared type; `None` where it is of that type, or cannot become it.
fn wish(column: &Column, target: &DataType) -> Option<Column> {
    if *target == arrow_type(column.kind) {
        return None;
    }
    let as_text = || if column.kind == Type::RawText { Type::RawText } else { Type::Text };
    let kind = match target {
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64 => match column.kind {
            Type::Int | Type::Uint => column.kind,
            Type::Bool => return None,
            // Whole numbers of which some are missing.
            Type::Float | Type::Text | Type::RawText => Type::Text,
        },
        DataType::Float16 | DataType::Float32 | DataType::Float64 => match column.kind {
            Type::Int | Type::Uint | Type::Float => Type::Float,
            Type::Text if !column.missing && column.width == 0 => Type::Text,
            _ => return None,
        },
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => as_text(),
        DataType::Dictionary(_, values) if matches!(**values, DataType::Utf8 | DataType::LargeUtf8) => {
            as_text()
        }
        DataType::Boolean
        | DataType::Date32
        | DataType::Date64
        | DataType::Time32(_)
        | DataType::Time64(_)
        | DataType::Timestamp(..)
        | DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => Type::Text,
        _ => return None,
    };
    Some(Column {
        kind,
        target: Some(target.clone()).filter(|target| *target != arrow_type(kind)),
        ..column.clone()
    })
}

/// Text can always be text, and a number a float.
fn always_fits(wish: &Column) -> bool {
    match &wish.target {
        None => true,
        Some(target) => {
            matches!(target, DataType::LargeUtf8 | DataType::Utf8View | DataType::Float16 | DataType::Float32)
        }
    }
}

/// Whether every value becomes the target: the files are read once for that, a batch at a time.
fn all_fit(cx: &Context, files: &Files, wish: &Column, versions: &[u64], layouts: &[Layout]) -> Result<bool> {
    for (number, layout) in layouts.iter().enumerate() {
        if versions.get(number) == Some(&UNWRITTEN) {
            continue;
        }
        let place = layout.columns.iter().find(|column| column.name == wish.name);
        let place = place.ok_or_else(|| Error::internal("files with different columns"))?.place;
        let columns = vec![Column { place, ..wish.clone() }];
        let schema = Arc::clone(&schema(&columns, &[]));
        for batch in files.batches(cx, number, columns, schema, layout.latin1)?.into_iter().flatten() {
            match batch {
                Err(error) if error.kind == ErrorKind::InvalidData => return Ok(false),
                batch => batch.map(|_| ())?,
            }
        }
    }
    Ok(true)
}

//! Columns of variable length: their values are in the heap behind the table.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, BooleanArray, ListArray, StringArray},
    buffer::OffsetBuffer,
    datatypes::{DataType, Field},
};
use tiled_plugin_api::prelude::{Error, ErrorKind, Result, Source};

use crate::{
    column::{self, Part},
    form::{self, Column},
    tiles::descriptor,
};

/// Values of one column in one batch of rows.
pub const MAX_BATCH_BYTES: u64 = 64 << 20;
/// Values of one row.
const MAX_ROW_BYTES: u64 = 512 << 20;

/// The type of a row's value: a list, or a text.
pub fn row_type(column: &Column) -> DataType {
    if column.code == b'A' {
        return DataType::Utf8;
    }
    DataType::List(Arc::new(Field::new("item", column::item_type(column), true)))
}

/// Where the values of a row are in the heap.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    count: u64,
    at: u64,
    bytes: u64,
}

/// Reads the descriptors of some rows and tests them against a heap of `len` bytes.
///
/// # Errors
/// `InvalidData` where one leads out of the heap, `TooLarge` for rows larger than any.
pub fn places(column: &Column, bytes: &[u8], len: u64) -> Result<Vec<Place>> {
    let width = column.width().max(1) as usize;
    let place = |bytes: &[u8]| {
        // A column that repeats no descriptor has no values.
        let (count, at) = if bytes.is_empty() { Some((0, 0)) } else { descriptor(bytes) }?;
        let bytes = if column.code == b'X' {
            count.div_ceil(8)
        } else {
            count.checked_mul(form::item_bytes(column.code))?
        };
        let end = at.checked_add(bytes)?;
        (end <= len || bytes == 0).then_some(Place { count, at, bytes })
    };
    let places: Option<Vec<Place>> = bytes.chunks_exact(width).map(place).collect();
    let places =
        places.ok_or_else(|| Error::invalid_data("a row's values lie behind the end of the data"))?;
    if places.iter().any(|place| place.bytes > MAX_ROW_BYTES) {
        let message = format!("a row has more than {MAX_ROW_BYTES} bytes");
        return Err(Error::new(ErrorKind::TooLarge, message));
    }
    Ok(places)
}

/// Bytes of the values of these rows.
pub fn size(places: &[Place]) -> u64 {
    places.iter().fold(0, |all: u64, place| all.saturating_add(place.bytes))
}

/// The values of these rows.
///
/// # Errors
/// `InvalidData` where the file ends before.
pub fn rows(
    column: &Column,
    part: Part,
    source: &Source,
    heap_at: u64,
    places: &[Place],
) -> Result<ArrayRef> {
    let total = usize::try_from(size(places)).map_err(Error::internal)?;
    let mut bytes = vec![0; total];
    let mut rest = bytes.as_mut_slice();
    for place in places {
        let (row, after) = rest.split_at_mut(place.bytes as usize);
        source.read_exact_at(heap_at + place.at, row)?;
        rest = after;
    }
    let rows = || {
        places.iter().scan(0, |from, place| {
            let start = *from;
            *from += place.bytes as usize;
            bytes.get(start..*from)
        })
    };
    if column.code == b'A' {
        return Ok(Arc::new(rows().map(|row| Some(column::text(row))).collect::<StringArray>()));
    }
    let values = if column.code == b'X' {
        let bit = |row: &[u8], i: u64| row.get(i as usize / 8).map(|byte| byte >> (7 - i % 8) & 1 == 1);
        let of_row =
            |(row, place): (&'_ [u8], &Place)| (0..place.count).map(|i| bit(row, i)).collect::<Vec<_>>();
        Arc::new(rows().zip(places).flat_map(of_row).collect::<BooleanArray>())
    } else {
        column::items(column, part, &bytes)
    };
    let offsets = OffsetBuffer::from_lengths(places.iter().map(|place| place.count as usize));
    let field = Arc::new(Field::new("item", column::item_type(column), true));
    ListArray::try_new(field, offsets, values, None)
        .map(|list| Arc::new(list) as ArrayRef)
        .map_err(Error::from_arrow)
}

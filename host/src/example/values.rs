//! The values of the example files: made up, and the same every time.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema},
};
use serde_json::json;
use tiled_plugin_api::{
    author::{Error, Result, TableStream, table_structure},
    model::TableStructure,
};

use super::{memory::Memory, scan_metadata};

const SIDE: u64 = 128;
const ROWS: u32 = 200;

/// Column and row of position `i`, from -1 to 1.
fn place(i: u64) -> (f64, f64) {
    let scaled = |n: u64| n as f64 / (SIDE - 1) as f64 * 2.0 - 1.0;
    (scaled(i % SIDE), scaled(i / SIDE))
}

/// One frame of a turning blob.
pub fn frame(number: u32, of: u32) -> Memory {
    let angle = f64::from(number) / f64::from(of) * std::f64::consts::TAU;
    Memory::array(&[SIDE, SIDE], |i| {
        let (x, y) = place(i);
        let distance = (x - 0.5 * angle.cos()).powi(2) + (y - 0.5 * angle.sin()).powi(2);
        // From 100 to 60,100: within u16.
        (100.0 + 60_000.0 * (-12.0 * distance).exp()) as u16
    })
}

/// Diffraction spots, as real numbers.
pub fn spots() -> Memory {
    Memory::array(&[SIDE, SIDE], |i| {
        let (x, y) = place(i);
        let lattice = (18.0 * x).cos().max(0.0).powi(8) * (18.0 * y).cos().max(0.0).powi(8);
        (1000.0 * lattice * (-2.0 * (x * x + y * y)).exp()) as f32
    })
}

/// Powder rings in colour.
pub fn rings() -> Memory {
    Memory::array(&[SIDE, SIDE, 3], |i| {
        let (x, y) = place(i / 3);
        let phase = 20.0 * x.hypot(y) + (i % 3) as f64;
        (127.5 + 127.5 * phase.sin()) as u8
    })
}

/// A table; its number changes the values a little.
///
/// # Errors
/// There is none.
pub fn table(number: u32) -> Result<(TableStructure, TableStream)> {
    let rows = || (0..ROWS).map(move |row| f64::from(row + 7 * number));
    let names = ["north", "east", "south", "west"];
    let places = (0..ROWS as usize).map(|row| names.get(row % names.len()).copied());
    let columns: [(&str, DataType, ArrayRef); 5] = [
        ("index", DataType::Int64, Arc::new(Int64Array::from_iter_values((0..ROWS).map(i64::from)))),
        ("place", DataType::Utf8, Arc::new(StringArray::from_iter(places))),
        (
            "temperature",
            DataType::Float64,
            Arc::new(Float64Array::from_iter_values(rows().map(|t| 15.0 + 8.0 * (t / 20.0).sin()))),
        ),
        (
            "pressure",
            DataType::Float64,
            Arc::new(Float64Array::from_iter_values(rows().map(|t| 1013.0 + 5.0 * (t / 33.0).cos()))),
        ),
        (
            "valid",
            DataType::Boolean,
            Arc::new(BooleanArray::from_iter((0..ROWS).map(|row| Some(row % 10 != 3)))),
        ),
    ];
    let fields: Vec<Field> =
        columns.iter().map(|(name, kind, _)| Field::new(*name, kind.clone(), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let arrays = columns.into_iter().map(|(_, _, array)| array).collect();
    let batch = RecordBatch::try_new(schema.clone(), arrays).map_err(Error::internal)?;
    Ok((table_structure(&schema, 1)?, TableStream::from_batches(schema, vec![Ok(batch)])))
}

/// A scan with a detector, a motor and a counter.
pub fn scan() -> Memory {
    const POINTS: u64 = 50;
    let position = |i: u64| i as f64 * 0.1 - 2.5;
    Memory::default()
        .with_group("", scan_metadata())
        .with_group("entry", json!({"NX_class": "NXentry"}))
        .with_group("entry/data", json!({"NX_class": "NXdata", "signal": "counts"}))
        .with("entry/data/x", json!({"units": "mm"}), &[POINTS], position)
        .with("entry/data/counts", json!({"units": "1/s"}), &[POINTS], |i| {
            (20.0 + 5000.0 * (-position(i).powi(2) * 4.0).exp()) as i32
        })
        .with_group("entry/instrument", json!({"NX_class": "NXinstrument", "name": "example"}))
        .with("entry/instrument/detector", json!({"exposure_s": 0.1}), &[10, 32, 32], |i| {
            let (frame, row, column) = (i / 1024, i / 32 % 32, i % 32);
            (frame * 10 + (row * column) % 97) as u16
        })
}

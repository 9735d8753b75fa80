//! Files that are a few lines of text, or a header before the values.

use serde_json::{Value, json};

const POINTS: u32 = 500;

/// Names and contents.
pub fn files() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("arrays/wave.npy", npy()),
        ("arrays/plane.zarr/zarr.json", zarr_group()),
        ("arrays/plane.zarr/height/zarr.json", zarr_array()),
        ("arrays/plane.zarr/height/c/0/0", zarr_chunk(0)),
        ("arrays/plane.zarr/height/c/1/0", zarr_chunk(1)),
        ("climate/stations.nc", netcdf()),
        ("spectra/iron_foil.xdi", xdi()),
    ]
}

fn wave() -> impl Iterator<Item = f64> {
    (0..POINTS).map(|i| (f64::from(i) / 20.0).sin() * (-f64::from(i) / 250.0).exp())
}

/// NumPy's format, version 1.0: the header is padded so that the values begin at a multiple of 64.
fn npy() -> Vec<u8> {
    const BEFORE_HEADER: usize = 10;
    let mut header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({POINTS},), }}");
    while !(BEFORE_HEADER + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    // 118 characters: far below the limit of 65,535.
    bytes.extend_from_slice(&(header.len() as u16).to_le_bytes());
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend(wave().flat_map(f64::to_le_bytes));
    bytes
}

const ZARR_ROWS: u32 = 32;
const ZARR_COLUMNS: u32 = 64;

fn zarr_group() -> Vec<u8> {
    text(&json!({"zarr_format": 3, "node_type": "group", "attributes": {"title": "A plane, uncompressed"}}))
}

/// Two chunks, one above the other.
fn zarr_array() -> Vec<u8> {
    text(&json!({
        "zarr_format": 3,
        "node_type": "array",
        "shape": [2 * ZARR_ROWS, ZARR_COLUMNS],
        "data_type": "float32",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [ZARR_ROWS, ZARR_COLUMNS]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0.0,
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
        "attributes": {"units": "m"},
        "dimension_names": ["y", "x"],
    }))
}

fn zarr_chunk(number: u32) -> Vec<u8> {
    let places = (0..ZARR_ROWS).flat_map(|row| (0..ZARR_COLUMNS).map(move |column| (row, column)));
    // Small whole numbers: exact as f32.
    places
        .flat_map(|(row, column)| ((number * ZARR_ROWS + row) as f32 + column as f32 / 4.0).to_le_bytes())
        .collect()
}

fn text(document: &Value) -> Vec<u8> {
    format!("{document:#}\n").into_bytes()
}

/// NetCDF's classic format (CDF-1): one dimension, two variables with units. Everything is big-endian, names are padded
/// to 4 bytes.
fn netcdf() -> Vec<u8> {
    const LENGTH: u32 = 24;
    const HEADER_BYTES: u32 = 4 + 4 + (8 + 12) + 8 + 8 + 2 * VARIABLE_BYTES;
    const VARIABLE_BYTES: u32 = 8 + 8 + (8 + 12 + 8 + 4) + 12;
    let mut bytes = b"CDF\x01".to_vec();
    let put = |bytes: &mut Vec<u8>, number: u32| bytes.extend_from_slice(&number.to_be_bytes());
    let name = |bytes: &mut Vec<u8>, name: &str| {
        bytes.extend_from_slice(&(name.len() as u32).to_be_bytes());
        bytes.extend_from_slice(name.as_bytes());
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    };
    put(&mut bytes, 0);
    for number in [0x0A, 1] {
        put(&mut bytes, number);
    }
    name(&mut bytes, "time");
    put(&mut bytes, LENGTH);
    for number in [0, 0, 0x0B, 2] {
        put(&mut bytes, number);
    }
    for (number, (variable, unit)) in (0..).zip([("time", "hour"), ("temp", "degC")]) {
        name(&mut bytes, variable);
        for number in [1, 0, 0x0C, 1] {
            put(&mut bytes, number);
        }
        name(&mut bytes, "units");
        put(&mut bytes, 2);
        name(&mut bytes, unit);
        // Type 6 is double.
        for number in [6, LENGTH * 8, HEADER_BYTES + number * LENGTH * 8] {
            put(&mut bytes, number);
        }
    }
    debug_assert_eq!(bytes.len(), HEADER_BYTES as usize);
    let hours = || (0..LENGTH).map(f64::from);
    bytes.extend(hours().flat_map(f64::to_be_bytes));
    bytes.extend(
        hours()
            .map(|hour| 12.0 - 6.0 * (hour / 24.0 * std::f64::consts::TAU).cos())
            .flat_map(f64::to_be_bytes),
    );
    bytes
}

/// A spectrum in the XAFS Data Interchange format.
fn xdi() -> Vec<u8> {
    let mut text = String::from(
        "# XDI/1.0 tiled-host\n# Column.1: energy eV\n# Column.2: mutrans\n# Element.symbol: Fe\n# Element.edge: K\n\
         # Mono.d_spacing: 3.13555\n# Sample.name: Iron foil\n# ///\n# Made up, for demonstration\n#----\n\
         # energy mutrans\n",
    );
    for i in 0..POINTS {
        let energy = 7000.0 + f64::from(i);
        let edge = 1.0 / (1.0 + (-(energy - 7112.0) / 2.0).exp());
        let ripple = edge * 0.1 * ((energy - 7112.0).max(0.0) / 15.0).sin();
        text.push_str(&format!("{energy:10.3} {:10.6}\n", 0.3 + edge + ripple));
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_say_where_the_values_are() {
        let npy = npy();
        assert_eq!((npy.len() - POINTS as usize * 8) % 64, 0);
        assert_eq!(npy.len() % 8, 0);
        // Header, two variables of 24 doubles.
        let netcdf = netcdf();
        assert_eq!(netcdf.len() % 4, 0);
        assert_eq!(&netcdf[netcdf.len() - 48 * 8..][..8], 0.0_f64.to_be_bytes());
    }
}

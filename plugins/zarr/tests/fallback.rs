//! Arrays that only the crate `zarrs` knows, written by it.

use std::{fs, path::Path, sync::Arc};

use serde_json::{Value, json};
use tempfile::TempDir;
use tiled_plugin_api::{
    author::{Adapter, Error, ErrorKind, Result},
    model::{ArrayStructure, SliceDim},
    testing::{open_path, read_array, read_slice},
};
use tiled_zarr::ZarrReader;
use zarrs::{
    array::Array,
    storage::{ListableStorageTraits, ReadableStorageTraits, store::MemoryStore},
};

fn open(path: &Path) -> Result<Box<dyn Adapter>> {
    open_path(&ZarrReader, "application/x-zarr", path)
}

/// 7 x 5 numbers: 10 for the first row, 20 for the second, and so on, plus the column.
fn values() -> Vec<i32> {
    (0..35).map(|n| n / 5 * 10 + n % 5).collect()
}

fn metadata(grid: Value, codecs: Value) -> Value {
    json!({
        "zarr_format": 3, "node_type": "array", "shape": [7, 5], "data_type": "int32", "fill_value": -3,
        "chunk_grid": grid, "codecs": codecs, "attributes": {"unit": "K"}, "dimension_names": ["y", "x"],
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
    })
}

/// Writes [`values`] with `zarrs` as the array `a` of a store.
fn written(folder: &TempDir, meta: &Value) {
    let store = Arc::new(MemoryStore::new());
    let array =
        Array::new_with_metadata(store.clone(), "/a", serde_json::from_value(meta.clone()).unwrap()).unwrap();
    array.store_metadata().unwrap();
    array.store_array_subset(&array.subset_all(), values()).unwrap();
    for key in store.list().unwrap() {
        let file = folder.path().join(key.as_str());
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, store.get(&key).unwrap().unwrap()).unwrap();
    }
    if !folder.path().join("a/.zarray").exists() {
        fs::write(folder.path().join("zarr.json"), r#"{"zarr_format": 3, "node_type": "group"}"#).unwrap();
    } else {
        fs::write(folder.path().join(".zgroup"), r#"{"zarr_format": 2}"#).unwrap();
    }
}

fn regular() -> Value {
    json!({"name": "regular", "configuration": {"chunk_shape": [3, 2]}})
}

fn pcodec() -> Value {
    let configuration = json!({"level": 8, "mode_spec": "auto", "delta_spec": "auto", "paging_spec": "equal_pages_up_to",
               "delta_encoding_order": null, "equal_pages_up_to": 262144});
    json!([{"name": "transpose", "configuration": {"order": [1, 0]}},
           {"name": "numcodecs.pcodec", "configuration": configuration}, {"name": "crc32c"}])
}

fn numbers(bytes: &[u8]) -> Vec<i32> {
    bytes.as_chunks::<4>().0.iter().map(|bytes| i32::from_ne_bytes(*bytes)).collect()
}

/// Checks the whole, and a slice that runs backwards over one axis and skips along the other.
fn check(folder: &TempDir, chunks: &[Vec<u64>]) {
    let adapter = open(folder.path()).unwrap();
    let description = adapter.describe("a").unwrap();
    let structure: ArrayStructure = description.structure().unwrap();
    assert_eq!((structure.shape.as_slice(), structure.chunks.as_slice()), (&[7, 5][..], chunks));
    assert_eq!(structure.data_type.numpy_str().unwrap(), "<i4");
    assert_eq!(numbers(&read_array(&*adapter, "a").unwrap()), values());
    let slice = [SliceDim { start: 6, step: -2, count: 4 }, SliceDim { start: 1, step: 3, count: 2 }];
    let part = numbers(&read_slice(&*adapter, "a", &slice).unwrap());
    assert_eq!(part, [61, 64, 41, 44, 21, 24, 1, 4]);
    assert_ne!(adapter.revision("a").unwrap(), 0);
}

#[test]
fn pcodec_is_read_and_described() {
    let folder = TempDir::new().unwrap();
    written(&folder, &metadata(regular(), pcodec()));
    check(&folder, &[vec![3, 3, 1], vec![2, 2, 1]]);
    let adapter = open(folder.path()).unwrap();
    let description = adapter.describe("a").unwrap();
    assert_eq!(description.metadata["attributes"]["unit"], "K");
    let dims = description.structure::<ArrayStructure>().unwrap().dims.unwrap();
    assert_eq!(dims, ["y", "x"]);
    let before = adapter.revision("a").unwrap();
    fs::remove_file(folder.path().join("a/c/2/2")).unwrap();
    assert_ne!(open(folder.path()).unwrap().revision("a").unwrap(), before);
    let read = numbers(&read_array(&*adapter, "a").unwrap());
    assert_eq!(read[30..], [60, 61, 62, 63, -3], "a missing chunk is the fill value");
}

#[test]
fn uneven_chunk_grids_are_read() {
    let bytes = json!([{"name": "bytes", "configuration": {"endian": "big"}}, {"name": "gzip", "configuration": {"level": 1}}]);
    let rectangular = json!({"name": "rectangular", "configuration": {"chunk_shape": [[1, 4, 2], 3]}});
    let rectilinear = json!({"name": "rectilinear",
        "configuration": {"kind": "inline", "chunk_shapes": [[1, 4, 2], [[2, 2], 1]]}});
    for (grid, columns) in [(rectangular, vec![3, 2]), (rectilinear, vec![2, 2, 1])] {
        for codecs in [bytes.clone(), pcodec()] {
            let folder = TempDir::new().unwrap();
            written(&folder, &metadata(grid.clone(), codecs));
            check(&folder, &[vec![1, 4, 2], columns.clone()]);
        }
    }
}

#[test]
fn pcodec_of_version_2_is_read() {
    let folder = TempDir::new().unwrap();
    let mut compressor = pcodec()[1]["configuration"].clone();
    compressor["id"] = "pcodec".into();
    written(
        &folder,
        &json!({
            "zarr_format": 2, "shape": [7, 5], "chunks": [3, 2], "dtype": "<i4", "fill_value": -3, "order": "C",
            "filters": null, "compressor": compressor, "dimension_separator": "/",
        }),
    );
    check(&folder, &[vec![3, 3, 1], vec![2, 2, 1]]);
}

#[test]
fn many_read_at_once() {
    let folder = TempDir::new().unwrap();
    written(&folder, &metadata(regular(), pcodec()));
    let adapter = &*open(folder.path()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| assert_eq!(numbers(&read_array(adapter, "a").unwrap()), values()));
        }
    });
}

#[test]
fn damaged_chunks_and_links_that_lead_out_are_errors_that_name_the_chunk() {
    let folder = TempDir::new().unwrap();
    written(&folder, &metadata(regular(), pcodec()));
    let chunk = folder.path().join("a/c/1/0");
    let bytes = fs::read(&chunk).unwrap();
    let failed = || -> Error { read_array(&*open(folder.path()).unwrap(), "a").unwrap_err() };
    for length in [0, 1, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&chunk, &bytes[..length]).unwrap();
        let error = failed();
        assert_eq!(error.kind, ErrorKind::InvalidData, "{length} bytes: {error}");
        assert!(error.message.contains("/a") && error.message.contains("a/c/1/0"), "{error}");
    }
    for at in 0..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] ^= 0x55;
        fs::write(&chunk, bad).unwrap();
        assert_eq!(failed().kind, ErrorKind::InvalidData, "byte {at}");
    }
    let outside = TempDir::new().unwrap();
    fs::write(outside.path().join("secret"), &bytes).unwrap();
    fs::remove_file(&chunk).unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret"), &chunk).unwrap();
    assert_eq!(failed().kind, ErrorKind::Forbidden);
}

#[test]
fn more_numbers_than_a_chunk_has_are_refused_before_they_are_decoded() {
    let folder = TempDir::new().unwrap();
    let codecs = json!([pcodec()[1]]);
    written(&folder, &metadata(regular(), codecs));
    let many = pco::standalone::simple_compress(&vec![1i32; 1 << 22], &pco::ChunkConfig::default()).unwrap();
    assert!(many.len() < 1000);
    fs::write(folder.path().join("a/c/0/0"), many).unwrap();
    let error = read_array(&*open(folder.path()).unwrap(), "a").unwrap_err();
    assert!(error.kind == ErrorKind::InvalidData && error.message.contains("not 6 elements"), "{error}");
}

#[test]
fn forged_metadata_are_refused() {
    let huge = json!({"name": "regular", "configuration": {"chunk_shape": [1u64 << 39, 1u64 << 39]}});
    let runs = json!({"name": "rectilinear",
        "configuration": {"kind": "inline", "chunk_shapes": [[[1, 1u64 << 60]], 5]}});
    // A decompressor of `zarrs` would believe a forged length.
    let zstd = json!([pcodec()[1], {"name": "zstd", "configuration": {"level": 1, "checksum": false}}]);
    let unknown = json!([{"name": "of-mine"}]);
    let cases = [
        (huge, pcodec(), ErrorKind::TooLarge),
        (runs, pcodec(), ErrorKind::InvalidData),
        (regular(), zstd, ErrorKind::UnsupportedFormat),
        (regular(), unknown, ErrorKind::UnsupportedFormat),
        (json!({"name": "of-mine"}), pcodec(), ErrorKind::UnsupportedFormat),
    ];
    for (grid, codecs, kind) in cases {
        let folder = TempDir::new().unwrap();
        let array = folder.path().join("a");
        fs::create_dir_all(array.join("c/0")).unwrap();
        fs::write(folder.path().join("zarr.json"), r#"{"zarr_format": 3, "node_type": "group"}"#).unwrap();
        fs::write(array.join("zarr.json"), metadata(grid, codecs).to_string()).unwrap();
        fs::write(array.join("c/0/0"), "x").unwrap();
        let error = open(folder.path()).and_then(|adapter| {
            adapter.describe("a")?;
            read_array(&*adapter, "a")
        });
        let error = error.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains("/a"), "{error}");
    }
}

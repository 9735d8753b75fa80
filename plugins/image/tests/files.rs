//! The files of `fixtures/` are read as Pillow reads them; cut, they are refused.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tiled_image::{Format, ImageReader};
use tiled_plugin_api::{prelude::*, testing};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn expected() -> serde_json::Map<String, Value> {
    let text = std::fs::read_to_string(fixture("expected.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap().as_object().unwrap().clone()
}

fn bytes_of(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[i * 2..i * 2 + 2], 16).unwrap()).collect()
}

fn open(paths: &[&Path]) -> Result<Box<dyn Adapter>> {
    let mimetype = if paths.len() > 1 { "multipart/related;type=image/png" } else { "image/png" };
    ImageReader(Format::Png).open(&Context::unbounded(), testing::open_request(mimetype, paths)?)
}

#[test]
fn files_are_what_pillow_reads() {
    for (name, want) in expected() {
        let adapter = open(&[&fixture(&name)]).unwrap();
        let structure: ArrayStructure = adapter.describe("").unwrap().structure().unwrap();
        assert_eq!(serde_json::json!(structure.shape), want["shape"], "{name}");
        assert_eq!(structure.data_type.numpy_str().as_deref(), want["dtype"].as_str(), "{name}");
        let values = bytes_of(want["values"].as_str().unwrap());
        assert!(testing::read_array(&*adapter, "").unwrap() == values, "{name}: values differ");
        let row = values.len() / structure.shape[0] as usize;
        let mut slice: Vec<SliceDim> = structure.shape.iter().map(|n| SliceDim::all(*n)).collect();
        slice[0] = SliceDim { start: 18, step: -9, count: 3 };
        let rows = [18, 9, 0].map(|y| &values[y * row..(y + 1) * row]).concat();
        assert!(testing::read_slice(&*adapter, "", &slice).unwrap() == rows, "{name}: rows differ");
    }
}

#[test]
fn files_that_are_cut_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut");
    for name in expected().keys() {
        let bytes = std::fs::read(fixture(name)).unwrap();
        for length in (0..bytes.len() - bytes.len() / 8).step_by(bytes.len() / 40 + 1) {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let read = open(&[&path]).and_then(|adapter| testing::read_array(&*adapter, ""));
            assert!(read.is_err(), "{name} cut at {length} of {} is read", bytes.len());
        }
    }
}

#[test]
fn a_sequence_stacks_its_files() {
    let path = fixture("rgb.png");
    let adapter = open(&[&path, &path, &path]).unwrap();
    let structure: ArrayStructure = adapter.describe("").unwrap().structure().unwrap();
    assert_eq!((structure.shape, structure.chunks[0].clone()), (vec![3, 19, 21, 3], vec![1, 1, 1]));
    let one = bytes_of(expected()["rgb.png"]["values"].as_str().unwrap());
    assert_eq!(testing::read_array(&*adapter, "").unwrap(), [&one[..]; 3].concat());
}

#[test]
fn a_file_of_another_shape_is_named_when_it_is_read() {
    let adapter = open(&[&fixture("rgb.png"), &fixture("grey.png")]).unwrap();
    let error = testing::read_array(&*adapter, "").unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidData);
    assert!(error.message.contains("grey.png"), "{error}");
}

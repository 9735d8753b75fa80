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
    let is_targa = paths.iter().all(|path| path.extension().is_some_and(|suffix| suffix == "tga"));
    let format = if is_targa { Format::Tga } else { Format::Png };
    ImageReader(format).open(&Context::unbounded(), testing::open_request(mimetype, paths)?)
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
    // Targa's second version is the first with an end: nothing tells that the end is missing.
    for name in expected().keys().filter(|name| *name != "opaque.tga") {
        let path = folder.path().join(format!("cut_{name}"));
        let bytes = std::fs::read(fixture(name)).unwrap();
        for length in (0..bytes.len() - bytes.len() / 8).step_by(bytes.len() / 40 + 1) {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let read = open(&[&path]).and_then(|adapter| testing::read_array(&*adapter, ""));
            let kind = read.map(|_| ()).map_err(|error| error.kind);
            assert!(
                kind == Err(ErrorKind::InvalidData),
                "{name} cut at {length} of {}: {kind:?}",
                bytes.len()
            );
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

#[test]
fn headers_that_promise_more_than_the_file_holds_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let qoi = [b"qoif".as_slice(), &[0, 0, 0x30, 0, 0, 0, 0x30, 0, 4, 0], &[0; 20]].concat();
    let targa = [&[0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x30, 0, 0x30, 32, 0][..], &[0; 20]].concat();
    for (name, bytes) in [("a.qoi", qoi), ("a.tga", targa), ("a.ppm", b"P6 12288 12288 255\n\0\0".to_vec())] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let error = testing::read_array(&*open(&[&path]).unwrap(), "").unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidData, "{name}: {error}");
        assert!(error.message.contains("too short"), "{name}: {error}");
    }
}

#[test]
fn more_pixels_than_pillow_opens_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.ppm");
    std::fs::write(&path, b"P6 65535 65535 255\n").unwrap();
    assert_eq!(open(&[&path]).err().unwrap().kind, ErrorKind::TooLarge);
}

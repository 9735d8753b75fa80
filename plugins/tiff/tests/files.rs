//! The files of `fixtures/` are read as tifffile reads them; cut, they are refused.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tiled_plugin_api::{prelude::*, testing};
use tiled_tiff::TiffReader;

const SEQUENCE: &str = "multipart/related;type=image/tiff";

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
    let mimetype = if paths.len() > 1 { SEQUENCE } else { "image/tiff" };
    TiffReader.open(&Context::unbounded(), testing::open_request(mimetype, paths)?)
}

/// The same slice taken by hand from all the values.
fn pick(all: &[u8], shape: &[u64], slice: &[SliceDim], item: usize) -> Vec<u8> {
    let Some((dim, rest)) = slice.split_first() else { return all[..item].to_vec() };
    let stride = shape[1..].iter().product::<u64>() as usize * item;
    let part = |i| pick(&all[dim.at(i) as usize * stride..], &shape[1..], rest, item);
    (0..dim.count).flat_map(part).collect()
}

#[test]
fn files_are_what_tifffile_reads() {
    for (name, want) in expected() {
        let adapter = open(&[&fixture(&name)]).unwrap();
        let description = adapter.describe("").unwrap();
        let structure: ArrayStructure = description.structure().unwrap();
        assert_eq!(serde_json::json!(structure.shape), want["shape"], "{name}");
        assert_eq!(structure.data_type.numpy_str().as_deref(), want["dtype"].as_str(), "{name}");
        assert_eq!(structure.chunks, whole_chunks(&structure.shape), "{name}");
        for (tag, value) in want["tags"].as_object().unwrap() {
            assert_eq!(&description.metadata[tag], value, "{name}: {tag}");
        }
        let values = bytes_of(want["values"].as_str().unwrap());
        assert!(testing::read_array(&*adapter, "").unwrap() == values, "{name}: values differ");
        let item = structure.data_type.itemsize() as usize;
        for (start, step) in [(0, 2i64), (1, 1), (2, -1), (0, 3)] {
            let dim = |n: &u64| {
                let start = start.min(n - 1);
                let count = if step < 0 { start + 1 } else { (n - start).div_ceil(step.unsigned_abs()) };
                SliceDim { start, step, count }
            };
            let slice: Vec<SliceDim> = structure.shape.iter().map(dim).collect();
            let got = testing::read_slice(&*adapter, "", &slice).unwrap();
            assert!(got == pick(&values, &structure.shape, &slice, item), "{name}: slice {slice:?} differs");
        }
    }
}

#[test]
fn files_that_are_cut_are_refused_or_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.tif");
    for (name, want) in expected() {
        let bytes = std::fs::read(fixture(&name)).unwrap();
        let values = bytes_of(want["values"].as_str().unwrap());
        for length in (0..bytes.len()).step_by(bytes.len() / 40 + 1) {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let Ok(adapter) = open(&[&path]) else { continue };
            if let Ok(got) = testing::read_array(&*adapter, "") {
                let is_part =
                    want["values"].as_str().is_some() && values.windows(got.len().max(1)).any(|w| w == got);
                assert!(is_part, "{name} cut at {length} gives other values");
            }
        }
    }
}

#[test]
fn a_sequence_stacks_its_files() {
    let (a, b) = (fixture("big_endian.tif"), fixture("big_endian.tif"));
    let adapter = open(&[&a, &b]).unwrap();
    let structure: ArrayStructure = adapter.describe("").unwrap().structure().unwrap();
    assert_eq!((structure.shape, structure.chunks), (vec![2, 6, 7], vec![vec![1, 1], vec![6], vec![7]]));
    let one = bytes_of(expected()["big_endian.tif"]["values"].as_str().unwrap());
    assert_eq!(testing::read_array(&*adapter, "").unwrap(), [&one[..], &one[..]].concat());
}

#[test]
fn a_file_of_another_shape_is_named_when_it_is_read() {
    let adapter = open(&[&fixture("big_endian.tif"), &fixture("lerc.tif")]).unwrap();
    let first = [SliceDim::range(0, 1), SliceDim::all(6), SliceDim::all(7)];
    assert!(testing::read_slice(&*adapter, "", &first).is_ok());
    let error = testing::read_array(&*adapter, "").unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidData);
    assert!(error.message.contains("lerc.tif"), "{error}");
}

#[test]
fn the_shape_of_the_catalog_is_kept_where_the_values_fit() {
    let path = fixture("big_tiff_stack.tif");
    let mut request = testing::open_request("image/tiff", &[&path]).unwrap();
    let dtype = DataType::native(Kind::Uint, 2);
    request.structure = serde_json::to_value(ArrayStructure::single_chunk(dtype, vec![9, 14])).ok();
    let adapter = TiffReader.open(&Context::unbounded(), request).unwrap();
    let values = bytes_of(expected()["big_tiff_stack.tif"]["values"].as_str().unwrap());
    let slice = [SliceDim { start: 8, step: -3, count: 3 }, SliceDim::range(5, 4)];
    assert_eq!(testing::read_slice(&*adapter, "", &slice).unwrap(), pick(&values, &[9, 14], &slice, 2));
}

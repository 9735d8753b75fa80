//! The HDF5 reader and serializer on the files of `hdf5/make.py`.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray, TimestampNanosecondArray, UInt64Array};
use serde_json::{Value, json};
use tiled_hdf5::{Hdf5Reader, Hdf5Serializer, NetcdfReader, NetcdfSerializer};
use tiled_plugin_api::{prelude::*, testing};

const MIMETYPE: &str = "application/x-hdf5";

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hdf5").join(name)
}

fn open(name: &str) -> Box<dyn Adapter> {
    testing::open_path(&Hdf5Reader, MIMETYPE, &data(name)).unwrap()
}

fn open_with(names: &[&str], parameters: Value) -> Result<Box<dyn Adapter>> {
    let paths: Vec<PathBuf> = names.iter().map(|name| data(name)).collect();
    let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    let mut request = testing::open_request(MIMETYPE, &paths)?;
    request.parameters = parameters.as_object().cloned().unwrap();
    Hdf5Reader.open(&Context::unbounded(), request)
}

fn structure(adapter: &dyn Adapter, path: &str) -> ArrayStructure {
    adapter.describe(path).unwrap().structure().unwrap()
}

/// Type, shape and values, as text.
fn check(adapter: &dyn Adapter, path: &str) -> String {
    let structure = structure(adapter, path);
    let bytes = testing::read_array(adapter, path).unwrap();
    let kind = structure.data_type.numpy_str().unwrap_or_else(|| "record".into());
    format!("{kind} {:?} {bytes:02x?}", structure.shape)
}

/// The elements of an `i4` array.
fn numbers(bytes: &[u8]) -> Vec<i32> {
    bytes.chunks_exact(4).map(|b| i32::from_le_bytes(b.try_into().unwrap())).collect()
}

fn counted(from: i32, to: i32) -> Vec<i32> {
    (from..to).collect()
}

#[test]
fn types_are_served_as_numpy_has_them() {
    let file = open("types.h5");
    assert_eq!(check(&*file, "big_endian"), ">i2 [6] [00, 00, 00, 01, 00, 02, 00, 03, 00, 04, 00, 05]");
    assert_eq!(check(&*file, "half"), "<f2 [2] [00, 38, 00, c0]");
    assert_eq!(check(&*file, "flag"), "|b1 [3] [01, 00, 01]");
    assert_eq!(
        check(&*file, "complex"),
        "<c8 [2] [00, 00, 80, 3f, 00, 00, 00, 40, 00, 00, 00, 80, 00, 00, 40, c0]"
    );
    assert_eq!(check(&*file, "colour"), "|u1 [2] [00, 02]");
    assert_eq!(check(&*file, "fixed"), "|S4 [3] [61, 62, 00, 00, 00, 00, 00, 00, 61, 62, 63, 64]");
    assert_eq!(check(&*file, "scalar"), "<i8 [1] [07, 00, 00, 00, 00, 00, 00, 00]");
    assert_eq!(check(&*file, "none"), "<f8 [1, 0, 3] []");
}

#[test]
fn records_are_packed() {
    let file = open("types.h5");
    assert_eq!(structure(&*file, "records").data_type.itemsize(), 12);
    let first = "01, 00, 00, c0, 3f, 00, 00, 20, 40, 78, 79, 00";
    let second = "ff, 00, 00, 00, 00, 00, 00, 80, 40, 61, 62, 63";
    assert_eq!(check(&*file, "records"), format!("record [2] [{first}, {second}]"));
}

#[test]
fn array_types_are_further_axes() {
    let file = open("types.h5");
    assert_eq!(structure(&*file, "triples").shape, [2, 2, 3]);
    let slice = [SliceDim::range(1, 1), SliceDim::all(2), SliceDim { start: 2, step: -2, count: 2 }];
    let bytes = testing::read_slice(&*file, "triples", &slice).unwrap();
    let values: Vec<i64> = bytes.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap())).collect();
    assert_eq!(values, [8, 6, 11, 9]);
}

#[test]
fn texts_are_as_wide_as_the_longest() {
    let file = open("types.h5");
    assert_eq!(structure(&*file, "texts").data_type.numpy_str().unwrap(), "|S7");
    assert_eq!(testing::read_array(&*file, "texts").unwrap(), "x\0\0\0\0\0\0\0\0\0\0\0\0\0längst".as_bytes());
    let bytes =
        testing::read_slice(&*file, "chunked_texts", &[SliceDim { start: 5, step: -3, count: 2 }]).unwrap();
    assert_eq!(
        bytes,
        [&b"t5t5t5t5t5\0\0\0\0\0\0\0\0"[..], &b"t2t2\0\0\0\0\0\0\0\0\0\0\0\0\0\0"[..]].concat()
    );
}

#[test]
fn attributes_become_json() {
    let metadata = open("types.h5").describe("").unwrap().metadata;
    let expected = json!({
        "title": "Größe", "bytes": "abc", "empty": null, "floats": [[0.1, null]], "flags": [true, false],
        "names": ["a", "bc"], "big": u64::MAX, "pair": [1, 2.5],
    });
    assert_eq!(metadata, expected.as_object().unwrap().clone().into_iter().collect::<Value>());
}

#[test]
fn references_in_attributes_become_paths() {
    let metadata = open("references.h5").describe("").unwrap().metadata;
    // What is gone, and what is no object but a part of one, has no path.
    let expected = json!({
        "one": "/a/same", "region": null, "many": ["/a", "/", null], "listed": [["/a/same"], []],
        "paired": [["/a/same", 1]],
    });
    assert_eq!(metadata, expected.as_object().unwrap().clone().into_iter().collect::<Value>());
}

#[test]
fn virtual_datasets_convert_numbers() {
    let file = open("converted.h5");
    let floats: Vec<u8> = [-300.0_f64, 0.0, 5.0, 70000.0].into_iter().flat_map(f64::to_be_bytes).collect();
    assert_eq!(testing::read_array(&*file, "as_floats").unwrap(), floats);
    // As HDF5 has it: the nearest number that fits.
    assert_eq!(testing::read_array(&*file, "as_bytes").unwrap(), [0x80, 0, 5, 0x7f]);
}

#[test]
fn integers_with_unused_bits_keep_their_width_and_order() {
    let file = open("references.h5");
    for (name, data_type) in [("some_bits", "<i4"), ("some_bits_big", ">i4")] {
        assert_eq!(structure(&*file, name).data_type.numpy_str().unwrap(), data_type);
        let bytes = testing::read_array(&*file, name).unwrap();
        let number =
            |b: &[u8; 4]| if data_type == "<i4" { i32::from_le_bytes(*b) } else { i32::from_be_bytes(*b) };
        let values: Vec<i32> = bytes.as_chunks().0.iter().map(number).collect();
        assert_eq!(values, [0, 1, -2, 500], "{name}");
    }
}

#[test]
fn a_group_has_its_own_attributes_only() {
    assert_eq!(open("types.h5").describe("group_itself").unwrap().metadata, json!({"own": 1}));
}

#[test]
fn a_child_without_a_form_is_marked_and_fails_nothing_else() {
    let file = open("types.h5");
    let all = ChildrenRequest { offset: 0, limit: 100, keys_only: false };
    let children = file.children("", &all).unwrap();
    let broken: Vec<&str> =
        children.items.iter().filter(|c| c.broken.is_some()).map(|c| c.key.as_str()).collect();
    assert_eq!(broken, ["nothing", "reference", "type"]);
    assert_eq!(children.count, children.items.len() as u64);
    let page = file.children("", &ChildrenRequest { offset: 2, limit: 3, keys_only: true }).unwrap();
    let keys = |items: &[Child]| items.iter().map(|c| c.key.clone()).collect::<Vec<_>>();
    assert_eq!(keys(&page.items), keys(&children.items[2..5]));
}

#[test]
fn every_layout_gives_the_same_values() {
    let file = open("layouts.h5");
    let part = [SliceDim { start: 4, step: -2, count: 3 }, SliceDim { start: 1, step: 3, count: 2 }];
    for name in ["contiguous", "gzip", "plain", "compact", "scaled"] {
        assert_eq!(numbers(&testing::read_array(&*file, name).unwrap()), counted(0, 30), "{name}");
        let bytes = testing::read_slice(&*file, name, &part).unwrap();
        assert_eq!(numbers(&bytes), [25, 28, 13, 16, 1, 4], "{name}");
    }
    for name in ["fixed", "growing", "both", "one"] {
        let file = open("latest.h5");
        assert_eq!(numbers(&testing::read_array(&*file, name).unwrap()), counted(0, 30), "{name}");
    }
    assert_eq!(check(&*file, "twelve_bits"), "<u2 [6] [00, 00, 01, 00, 02, 00, 03, 00, 04, 00, 05, 00]");
}

#[test]
fn chunks_are_those_of_the_file() {
    assert_eq!(structure(&*open("layouts.h5"), "gzip").chunks, [vec![2, 2, 1], vec![4, 2]]);
    assert_eq!(structure(&*open("layouts.h5"), "contiguous").chunks, [vec![5], vec![6]]);
}

#[test]
fn what_was_never_written_has_the_fill_value() {
    let file = open("layouts.h5");
    let mut expected = vec![-7; 30];
    for row in 0..2_usize {
        for column in 0..4 {
            expected[6 * row + column] = (6 * row + column) as i32;
        }
    }
    assert_eq!(numbers(&testing::read_array(&*file, "sparse").unwrap()), expected);
    assert_eq!(numbers(&testing::read_array(&*file, "unwritten").unwrap()), [9, 9, 9]);
}

#[test]
fn links_are_followed_within_the_readable_folder_only() {
    let file = open("links.h5");
    let values = |path: &str| testing::read_array(&*file, path).map(|b| numbers(&b)[0]).map_err(|e| e.kind);
    assert_eq!(values("soft"), Ok(0));
    assert_eq!(values("outside"), Ok(100));
    assert_eq!(values("chain"), Ok(100));
    assert_eq!(values("a/root/a/root/a/x"), Ok(0));
    assert_eq!(values("relative/up"), Err(ErrorKind::BrokenLink));
    assert_eq!(values("missing_file"), Err(ErrorKind::BrokenLink));
    assert_eq!(values("loop"), Err(ErrorKind::BrokenLink));
    assert_eq!(values("escape"), Err(ErrorKind::Forbidden));
    assert_eq!(values("a/none"), Err(ErrorKind::NotFound));
    let message = file.describe("relative/up").unwrap_err().message;
    assert!(message.starts_with("Unable to open object at file://"), "{message}");
    assert!(message.ends_with("links.h5//relative/up"), "{message}");
}

#[test]
fn virtual_datasets_are_put_together_from_their_sources() {
    let file = open("virtual.h5");
    let both = [counted(0, 18), counted(100, 118)].concat();
    assert_eq!(numbers(&testing::read_array(&*file, "stack").unwrap()), both);
    let woven =
        testing::read_slice(&*file, "woven", &[SliceDim::range(1, 3), SliceDim::range(2, 1)]).unwrap();
    assert_eq!(numbers(&woven), [102, 8, 108]);
    let there = testing::read_slice(&*file, "partly", &[SliceDim::range(0, 3), SliceDim::all(6)]).unwrap();
    assert_eq!(numbers(&there), counted(0, 18));
    let missing = testing::read_array(&*file, "partly").unwrap_err();
    assert_eq!(missing.kind, ErrorKind::BrokenLink, "{missing}");
    assert_eq!(testing::read_array(&*file, "escape").unwrap_err().kind, ErrorKind::Forbidden);
}

#[test]
fn several_files_are_joined_along_the_first_axis() {
    let both = open_with(&["part0.h5", "part1.h5"], json!({"dataset": "x"})).unwrap();
    let found = structure(&*both, "");
    assert_eq!((found.shape, found.chunks), (vec![6, 6], vec![vec![3, 3], vec![6]]));
    let part = [SliceDim { start: 5, step: -2, count: 3 }, SliceDim::range(0, 1)];
    assert_eq!(numbers(&testing::read_slice(&*both, "", &part).unwrap()), [112, 100, 6]);
    let scalars = open_with(&["part0.h5", "part1.h5"], json!({"dataset": ["n"]})).unwrap();
    assert_eq!(
        check(&*scalars, ""),
        "<i8 [2] [00, 00, 00, 00, 00, 00, 00, 00, 01, 00, 00, 00, 00, 00, 00, 00]"
    );
}

#[test]
fn the_data_source_may_cut_the_dataset() {
    let cut = json!({"dataset": "/gzip", "slice": "(..., 4:1:-1)", "squeeze": true});
    let file = open_with(&["layouts.h5"], cut).unwrap();
    assert_eq!(structure(&*file, "").shape, [5, 3]);
    assert_eq!(numbers(&testing::read_array(&*file, "").unwrap())[..6], [4, 3, 2, 10, 9, 8]);
    let row =
        open_with(&["layouts.h5"], json!({"dataset": "gzip", "slice": "2:3", "squeeze": true})).unwrap();
    assert_eq!(structure(&*row, "").shape, [6]);
    assert_eq!(numbers(&testing::read_array(&*row, "").unwrap()), counted(12, 18));
    let wrong = open_with(&["layouts.h5"], json!({"dataset": "gzip", "slice": "7"})).unwrap();
    assert_eq!(wrong.describe("").unwrap_err().kind, ErrorKind::InvalidArgument);
}

/// The `x` of both parts in a shape that the catalog declares.
fn declared(shape: &[u64]) -> Result<Box<dyn Adapter>> {
    let paths = [data("part0.h5"), data("part1.h5")];
    let mut request = testing::open_request(MIMETYPE, &[&paths[0], &paths[1]])?;
    request.parameters.insert("dataset".into(), json!("x"));
    let structure = ArrayStructure::single_chunk(DataType::native(Kind::Int, 4), shape.to_vec());
    request.structure = Some(serde_json::to_value(structure).unwrap());
    Hdf5Reader.open(&Context::unbounded(), request)
}

#[test]
fn the_catalog_may_declare_another_shape() {
    let all = [counted(0, 18), counted(100, 118)].concat();
    for shape in [vec![2, 3, 6], vec![36], vec![4, 9], vec![1, 9, 2, 2]] {
        let file = declared(&shape).unwrap();
        assert_eq!(structure(&*file, "").shape, shape);
        assert_eq!(numbers(&testing::read_array(&*file, "").unwrap()), all, "{shape:?}");
    }
    let file = declared(&[4, 9]).unwrap();
    let part = [SliceDim { start: 3, step: -2, count: 2 }, SliceDim { start: 1, step: 4, count: 2 }];
    assert_eq!(
        numbers(&testing::read_slice(&*file, "", &part).unwrap()),
        [all[28], all[32], all[10], all[14]]
    );
    assert_eq!(numbers(&testing::read_array(&*declared(&[4, 6]).unwrap(), "").unwrap()), all[..24]);
    assert_eq!(declared(&[5, 9]).unwrap().describe("").unwrap_err().kind, ErrorKind::InvalidData);
}

/// A table, or a sparse array, of these columns as a file.
fn export_rows(structure_family: StructureFamily, columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let stream = tiled_plugin_api::author::one_batch(RecordBatch::try_from_iter(columns).unwrap());
    let request = EncodeRequest {
        media_type: MIMETYPE.into(),
        structure_family,
        structure: Value::Null,
        metadata: json!({}),
        specs: vec![],
        key: String::new(),
        fields: None,
    };
    testing::encode(&Hdf5Serializer, &request, Payload::Table(stream)).unwrap()
}

#[test]
fn columns_and_coordinates_become_datasets() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.h5");
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1, -2]));
    let gaps: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None]));
    let times: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![Some(5), None]));
    let table = vec![("numbers", numbers.clone()), ("gaps", gaps), ("times", times)];
    std::fs::write(&path, export_rows(StructureFamily::Table, table)).unwrap();
    let file = testing::open_path(&Hdf5Reader, MIMETYPE, &path).unwrap();
    assert_eq!(check(&*file, "numbers"), "<i4 [2] [01, 00, 00, 00, fe, ff, ff, ff]");
    let gap = "00, 00, 00, 00, 00, 00, f0, 3f, 00, 00, 00, 00, 00, 00, f8, 7f";
    assert_eq!(check(&*file, "gaps"), format!("<f8 [2] [{gap}]"));
    let time = "05, 00, 00, 00, 00, 00, 00, 00, 00, 00, 00, 00, 00, 00, 00, 80";
    assert_eq!(check(&*file, "times"), format!("<M8[ns] [2] [{time}]"));

    let axis: ArrayRef = Arc::new(UInt64Array::from(vec![3, 4]));
    let sparse = vec![("dim0", axis.clone()), ("dim1", axis), ("data", numbers)];
    let path = folder.path().join("sparse.h5");
    std::fs::write(&path, export_rows(StructureFamily::Sparse, sparse)).unwrap();
    let file = testing::open_path(&Hdf5Reader, MIMETYPE, &path).unwrap();
    assert_eq!(check(&*file, "data"), "<i4 [2] [01, 00, 00, 00, fe, ff, ff, ff]");
    let coords = testing::read_array(&*file, "coords").unwrap();
    assert_eq!((structure(&*file, "coords").shape, coords[0], coords[24]), (vec![2, 2], 3, 4));
}

#[test]
fn texts_of_several_files_are_equally_wide() {
    let folder = tempfile::tempdir().unwrap();
    let mut paths = vec![];
    for (name, text) in [("a.h5", "x"), ("b.h5", "longer")] {
        let column: ArrayRef = Arc::new(StringArray::from(vec![text, ""]));
        let path = folder.path().join(name);
        std::fs::write(&path, export_rows(StructureFamily::Table, vec![("t", column)])).unwrap();
        paths.push(path);
    }
    let request = testing::open_request(MIMETYPE, &[&paths[0], &paths[1]]).unwrap();
    let both = Hdf5Reader.open(&Context::unbounded(), request).unwrap();
    assert_eq!(testing::read_array(&*both, "t").unwrap(), b"x\0\0\0\0\0\0\0\0\0\0\0longer\0\0\0\0\0\0");
}

#[test]
fn cutting_a_file_off_is_an_error_and_never_a_panic() {
    let whole = std::fs::read(data("layouts.h5")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let all = ChildrenRequest { offset: 0, limit: 100, keys_only: false };
    for length in (0..whole.len()).step_by(997) {
        let path = folder.path().join(format!("{length}.h5"));
        std::fs::write(&path, &whole[..length]).unwrap();
        let opened = testing::open_path(&Hdf5Reader, MIMETYPE, &path);
        let error = opened.and_then(|file| file.children("", &all).map(|_| ())).unwrap_err();
        assert!(
            matches!(error.kind, ErrorKind::InvalidData | ErrorKind::UnsupportedFormat),
            "{length}: {error}"
        );
    }
}

#[test]
fn a_changed_chunk_is_an_error_that_names_it() {
    let mut bytes = std::fs::read(data("layouts.h5")).unwrap();
    let stream = bytes.windows(2).position(|pair| pair == [0x78, 0x5e]).unwrap();
    bytes[stream + 8] ^= 0x55;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changed.h5");
    std::fs::write(&path, bytes).unwrap();
    let file = testing::open_path(&Hdf5Reader, MIMETYPE, &path).unwrap();
    let error = testing::read_array(&*file, "gzip").unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidData);
    assert!(error.message.starts_with("changed.h5: dataset /gzip: chunk at [0, 0]: "), "{error}");
}

#[test]
fn a_file_that_is_replaced_is_read_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("now.h5");
    std::fs::copy(data("part0.h5"), &path).unwrap();
    let file = testing::open_path(&Hdf5Reader, MIMETYPE, &path).unwrap();
    assert_eq!(numbers(&testing::read_array(&*file, "x").unwrap())[0], 0);
    let before = file.revision("").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(20));
    std::fs::write(&path, std::fs::read(data("part1.h5")).unwrap()).unwrap();
    assert_eq!(numbers(&testing::read_array(&*file, "x").unwrap())[0], 100);
    assert_ne!(file.revision("").unwrap(), before);
}

#[test]
fn many_threads_read_the_same_values() {
    let (layouts, links) = (open("layouts.h5"), open("links.h5"));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    assert_eq!(numbers(&testing::read_array(&*layouts, "gzip").unwrap()), counted(0, 30));
                    assert_eq!(numbers(&testing::read_array(&*links, "chain").unwrap()), counted(100, 118));
                    assert_eq!(numbers(&testing::read_array(&*layouts, "compact").unwrap()), counted(0, 30));
                }
            });
        }
    });
}

fn export(adapter: Box<dyn Adapter>) -> Result<Vec<u8>> {
    let node: Arc<dyn Adapter> = adapter.into();
    let description = node.describe("")?;
    let request = EncodeRequest {
        media_type: MIMETYPE.into(),
        structure_family: description.structure_family,
        structure: description.structure,
        metadata: description.metadata,
        specs: vec![],
        key: String::new(),
        fields: None,
    };
    testing::encode(&Hdf5Serializer, &request, Payload::Node(node))
}

#[test]
fn an_exported_tree_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["types.h5", "layouts.h5", "part0.h5"] {
        let path = folder.path().join(name);
        std::fs::write(&path, export(open(name)).unwrap()).unwrap();
        let (before, after) = (open(name), testing::open_path(&Hdf5Reader, MIMETYPE, &path).unwrap());
        let mut metadata = before.describe("").unwrap().metadata;
        if let Some(pair) = metadata.get_mut("pair") {
            // Numbers of two kinds in one list become floats.
            *pair = json!([1.0, 2.5]);
        }
        assert_eq!(after.describe("").unwrap().metadata, metadata);
        let all = ChildrenRequest { offset: 0, limit: 100, keys_only: false };
        for child in after.children("", &all).unwrap().items {
            let description = child.description.unwrap();
            if description.structure_family == StructureFamily::Array
                && child.key != "scalar"
                && child.key != "none"
            {
                assert_eq!(check(&*after, &child.key), check(&*before, &child.key), "{name} {}", child.key);
            }
        }
    }
}

#[test]
fn a_tree_that_has_itself_inside_is_refused() {
    assert_eq!(export(open("links.h5")).unwrap_err().kind, ErrorKind::TooLarge);
}

/// A lone array of four bytes in the file of a serializer.
fn export_array(serializer: &dyn Serializer, metadata: Value, dims: Option<Vec<String>>) -> Vec<u8> {
    let mut structure = ArrayStructure::single_chunk(DataType::native(Kind::Uint, 1), vec![2, 2]);
    structure.dims = dims;
    let request = EncodeRequest {
        media_type: MIMETYPE.into(),
        structure_family: StructureFamily::Array,
        structure: serde_json::to_value(structure).unwrap(),
        metadata,
        specs: vec![],
        key: "x".into(),
        fields: None,
    };
    testing::encode(serializer, &request, testing::one_slab(2, vec![1, 2, 3, 4])).unwrap()
}

#[test]
fn metadata_that_no_attribute_holds_are_json_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.h5");
    let long: Vec<u32> = (0..20_000).collect();
    let metadata =
        json!({"a": {"b": [1, null]}, "mixed": [1, "x"], "ragged": [[1], [2, 3]], "long": long, "n": 1});
    std::fs::write(&path, export_array(&Hdf5Serializer, metadata.clone(), None)).unwrap();
    let found = testing::open_path(&Hdf5Reader, MIMETYPE, &path).unwrap().describe("").unwrap().metadata;
    for key in ["a", "mixed", "ragged", "long"] {
        let text = found[key].as_str().unwrap();
        assert_eq!(serde_json::from_str::<Value>(text).unwrap(), metadata[key], "{key}");
    }
    assert_eq!(found["n"], 1);
}

#[test]
fn netcdf_has_named_dimensions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.nc");
    let dims = Some(vec!["time".to_owned(), "place".to_owned()]);
    std::fs::write(&path, export_array(&NetcdfSerializer, json!({"title": "t"}), dims.clone())).unwrap();
    let file = testing::open_path(&NetcdfReader, "application/x-netcdf", &path).unwrap();
    assert_eq!(structure(&*file, "x").dims, dims);
    assert_eq!(testing::read_array(&*file, "x").unwrap(), [1, 2, 3, 4]);
    let plain = testing::open_path(&Hdf5Reader, MIMETYPE, &path).unwrap();
    assert_eq!(testing::read_array(&*plain, "x").unwrap(), [1, 2, 3, 4]);
}

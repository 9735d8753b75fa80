//! Stores that zarr-python wrote (`reference/make.py`), damaged copies of them, and what a catalog may say of them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use tempfile::TempDir;
use tiled_plugin_api::{
    author::{Adapter, Context, Error, ErrorKind, Reader, Result},
    model::{ArrayStructure, ChildrenRequest, DataType, Endianness, SliceDim, StructureFamily, whole_chunks},
    testing::{FileSource, open_path, open_request, read_array, read_slice},
};
use tiled_zarr::ZarrReader;

const MIMETYPE: &str = "application/x-zarr";
const ALL: ChildrenRequest = ChildrenRequest { offset: 0, limit: 1000, keys_only: false };

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn open(path: &Path) -> Result<Box<dyn Adapter>> {
    open_path(&ZarrReader, MIMETYPE, path)
}

fn expected() -> Value {
    serde_json::from_slice(&fs::read(data("expected.json")).unwrap()).unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// A copy of one array of the data, named `a.zarr`.
fn copied(folder: &TempDir, array: &str) -> PathBuf {
    let to = folder.path().join("a.zarr");
    copy(&data(array), &to);
    to
}

fn crc32(bytes: &[u8]) -> u64 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum().into()
}

fn files_of(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = vec![];
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() { files.extend(files_of(&entry.path())) } else { files.push(entry.path()) }
    }
    files.sort();
    files
}

fn check_array(adapter: &dyn Adapter, path: &str, want: &Value) {
    let structure: ArrayStructure = adapter.describe(path).unwrap().structure().unwrap();
    let text = structure.data_type.numpy_str().unwrap_or_else(|| "record".into());
    let chunks: Vec<u64> = serde_json::from_value(want["chunks"].clone()).unwrap();
    assert_eq!(text, want["dtype"].as_str().unwrap(), "{path}");
    assert_eq!(serde_json::to_value(&structure.shape).unwrap(), want["shape"], "{path}");
    assert_eq!(
        structure,
        ArrayStructure {
            dims: structure.dims.clone(),
            ..ArrayStructure::chunked(structure.data_type.clone(), structure.shape.clone(), &chunks)
        }
    );
    assert_eq!(serde_json::to_value(&structure.dims).unwrap(), want["dims"], "{path}");
    let values = read_array(adapter, path).unwrap();
    assert_eq!(crc32(&values), want["crc32"].as_u64().unwrap(), "{path}");
    if structure.shape.is_empty() || values.is_empty() {
        return;
    }
    // A slice with steps is that of the whole.
    let slice: Vec<SliceDim> =
        structure.shape.iter().map(|n| SliceDim { start: n - 1, step: -2, count: n.div_ceil(2) }).collect();
    let part = read_slice(adapter, path, &slice).unwrap();
    let item = structure.data_type.itemsize() as usize;
    for (number, got) in part.chunks(item).enumerate() {
        let (mut left, mut at, mut stride) = (number as u64, 0, 1);
        for (dim, length) in slice.iter().zip(&structure.shape).rev() {
            at += dim.at(left % dim.count) * stride;
            left /= dim.count;
            stride *= length;
        }
        assert_eq!(got, &values[at as usize * item..][..item], "{path} element {number}");
    }
}

#[test]
fn every_type_and_codec_is_read_as_zarr_python_reads_it() {
    for (store, nodes) in expected().as_object().unwrap() {
        let adapter = &*open(&data(store)).unwrap();
        for (path, want) in nodes.as_object().unwrap() {
            if want.get("members").is_none() {
                check_array(adapter, path, want);
                continue;
            }
            let description = adapter.describe(path).unwrap();
            assert_eq!(description.structure_family, StructureFamily::Container);
            assert_eq!(description.metadata["attributes"], want["attributes"]);
            assert_eq!(description.metadata["node_type"], "group");
            let children = adapter.children(path, &ALL).unwrap();
            let names: Vec<&str> = children.items.iter().map(|child| child.key.as_str()).collect();
            assert_eq!(serde_json::to_value(names).unwrap(), want["members"]);
            assert!(children.items.iter().all(|child| child.broken.is_none()), "{children:?}");
            assert_eq!(description.count, Some(children.count));
        }
    }
}

#[test]
fn one_bad_array_breaks_only_itself() {
    let folder = TempDir::new().unwrap();
    let store = copied(&folder, "v3.zarr/codecs");
    fs::write(store.join("gzip/zarr.json"), "{").unwrap();
    let unknown = fs::read_to_string(store.join("big/zarr.json")).unwrap().replace("\"zstd\"", "\"of-mine\"");
    fs::write(store.join("big/zarr.json"), unknown).unwrap();
    let adapter = open(&store).unwrap();
    let children = adapter.children("", &ALL).unwrap().items;
    let broken: Vec<&str> = children.iter().filter_map(|child| child.broken.as_deref()).collect();
    assert_eq!(broken.len(), 2, "{broken:?}");
    assert!(broken[0].contains("a.zarr: /big/zarr.json") && broken[0].contains("\"of-mine\""), "{broken:?}");
    assert_eq!(adapter.describe("big").unwrap_err().kind, ErrorKind::UnsupportedFormat);
    assert_eq!(adapter.describe("gzip").unwrap_err().kind, ErrorKind::InvalidData);
    assert_eq!(adapter.describe("none").unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(adapter.describe("../a.zarr").unwrap_err().kind, ErrorKind::NotFound);
    read_array(&*adapter, "transpose").unwrap();
}

#[test]
fn a_damaged_chunk_is_an_error_that_names_it() {
    for (array, chunk) in [
        ("v3.zarr/bool", "c/0/1"),
        ("v3.zarr/i1", "c/0/1"),
        ("v3.zarr/u2", "c/0/1"),
        ("v3.zarr/codecs/gzip", "c/0/1"),
        ("v3.zarr/codecs/shards", "c/0/1"),
        ("v3.zarr/codecs/texts", "c/1"),
        ("v2.zarr/codecs/bz2", "0.1"),
        ("v2.zarr/codecs/lz4", "0.1"),
        ("v2.zarr/codecs/lzma", "0.1"),
        ("v2.zarr/codecs/crc32", "0.1"),
        ("v2.zarr/codecs/fletcher32", "0.1"),
    ] {
        let folder = TempDir::new().unwrap();
        let store = copied(&folder, array);
        let bytes = fs::read(store.join(chunk)).unwrap();
        for length in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            fs::write(store.join(chunk), &bytes[..length]).unwrap();
            let error: Error = open(&store).and_then(|adapter| read_array(&*adapter, "")).unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidData, "{array}, {length} bytes: {error}");
            assert!(error.message.contains("a.zarr") && error.message.contains(chunk), "{error}");
        }
        // A missing chunk is the fill value.
        fs::remove_file(store.join(chunk)).unwrap();
        read_array(&*open(&store).unwrap(), "").unwrap();
    }
}

#[test]
fn flipped_bits_do_no_harm() {
    let mut random = 1u64;
    let mut next = |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % below.max(1)
    };
    let (mut errors, mut reads) = (0, 0);
    for store in ["v2.zarr", "v3.zarr"] {
        let folder = TempDir::new().unwrap();
        let store = copied(&folder, store);
        for file in files_of(&store) {
            let good = fs::read(&file).unwrap();
            let array = file.strip_prefix(&store).unwrap().to_str().unwrap();
            let cut = array.rfind("/c/").or_else(|| array.rfind('/')).unwrap_or(0);
            for _ in 0..20 {
                let mut bad = good.clone();
                let at = next(bad.len());
                if let Some(byte) = bad.get_mut(at) {
                    *byte ^= 1 << next(8);
                }
                fs::write(&file, bad).unwrap();
                let read = open(&store).and_then(|adapter| {
                    let description = adapter.describe(&array[..cut])?;
                    match description.structure::<ArrayStructure>() {
                        Ok(structure) if structure.nbytes().is_some_and(|n| n < 1 << 20) => {
                            read_array(&*adapter, &array[..cut])
                        }
                        _ => Ok(vec![]),
                    }
                });
                reads += 1;
                errors += usize::from(read.is_err());
            }
            fs::write(&file, good).unwrap();
        }
    }
    assert!(errors > reads / 4, "{errors} errors of {reads}");
}

#[test]
fn the_catalog_may_give_other_lengths_and_another_byte_order() {
    let mut request = open_request(MIMETYPE, &[&data("v3.zarr/i4")]).unwrap();
    let stored = open(&data("v3.zarr/i4")).unwrap();
    let slice = [SliceDim::all(4), SliceDim::all(5)];
    let mut want = read_slice(&*stored, "", &slice).unwrap();
    let mut structure = ArrayStructure::single_chunk(
        DataType::ordered(tiled_plugin_api::model::Kind::Int, 4, Endianness::Big),
        vec![4, 5],
    );
    structure.dims = Some(vec!["y".into(), "x".into()]);
    request.structure = Some(serde_json::to_value(&structure).unwrap());
    let adapter = ZarrReader.open(&Context::unbounded(), request.clone()).unwrap();
    assert_eq!(adapter.describe("").unwrap().structure::<ArrayStructure>().unwrap(), structure);
    want.chunks_mut(4).for_each(<[u8]>::reverse);
    assert_eq!(read_array(&*adapter, "").unwrap(), want);

    structure.shape = vec![6, 7];
    structure.chunks = whole_chunks(&structure.shape);
    request.structure = Some(serde_json::to_value(&structure).unwrap());
    let adapter = ZarrReader.open(&Context::unbounded(), request).unwrap();
    assert_eq!(read_array(&*adapter, "").unwrap_err().kind, ErrorKind::InvalidData);
}

#[test]
fn a_parameter_names_the_node_that_is_served() {
    let mut request = open_request(MIMETYPE, &[&data("v2.zarr")]).unwrap();
    request.parameters.insert("dataset".into(), "/codecs/zlib".into());
    let adapter = ZarrReader.open(&Context::unbounded(), request.clone()).unwrap();
    let crc = expected()["v2.zarr"]["codecs/zlib"]["crc32"].as_u64().unwrap();
    assert_eq!(crc32(&read_array(&*adapter, "").unwrap()), crc);
    request.parameters.insert("dataset".into(), "no/such".into());
    assert_eq!(ZarrReader.open(&Context::unbounded(), request).err().unwrap().kind, ErrorKind::NotFound);
}

#[test]
fn links_that_lead_out_are_refused() {
    let folder = TempDir::new().unwrap();
    let store = copied(&folder, "v3.zarr/u2");
    fs::rename(store.join("c/0/1"), folder.path().join("secret")).unwrap();
    std::os::unix::fs::symlink(folder.path().join("secret"), store.join("c/0/1")).unwrap();
    let error = read_array(&*open(&store).unwrap(), "").unwrap_err();
    assert_eq!(error.kind, ErrorKind::Forbidden, "{error}");
}

#[test]
fn stores_are_recognised_by_their_metadata() {
    let sniff = |path: PathBuf| ZarrReader.sniff(&FileSource::open(&path).unwrap(), b"");
    assert_eq!(sniff(data("v2.zarr")), 100);
    assert_eq!(sniff(data("v3.zarr/i4")), 100);
    assert_eq!(sniff(data("v3.zarr/i4/c")), 0);
    assert_eq!(sniff(data("expected.json")), 0);
}

#[test]
fn a_changed_chunk_changes_the_revision() {
    let folder = TempDir::new().unwrap();
    let store = copied(&folder, "v3.zarr");
    let adapter = open(&store).unwrap();
    let revisions = || ["", "i4", "u8"].map(|path| adapter.revision(path).unwrap());
    let before = revisions();
    assert_eq!(revisions(), before);
    fs::write(store.join("i4/c/0/0"), b"other").unwrap();
    let after = revisions();
    assert_eq!((after[0], after[2]), (before[0], before[2]));
    assert_ne!(after[1], before[1]);
}

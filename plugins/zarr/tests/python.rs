//! Against zarr-python and Tiled's own adapter: they read what we wrote, into arrays of ours and of theirs.
//!
//! Needs a Python with Tiled's server and Zarr, named by `TILED_PYTHON`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Map, Value, json};
use tiled_plugin_api::{
    author::{Context, CreateRequest, OpenRequest, Reader, WriteRequest, Writer},
    model::{ArrayStructure, DataType, Field, SliceDim, StructureFamily, shape_of},
    testing::{one_slab, open_request, read_array},
};
use tiled_zarr::{ZarrReader, ZarrWriter};

const MIMETYPE: &str = "application/x-zarr";

/// `None`, said aloud, where there is no Python; a failure where `CI` is set.
fn python() -> Option<PathBuf> {
    let python = std::env::var_os("TILED_PYTHON").map(PathBuf::from);
    assert!(python.is_some() || std::env::var_os("CI").is_none(), "TILED_PYTHON names no Python with Tiled");
    if python.is_none() {
        eprintln!("skipped: TILED_PYTHON names no Python with Tiled");
    }
    python
}

fn run(python: &Path, what: &str, folder: &Path) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/store.py");
    let output = Command::new(python).arg(script).arg(what).arg(folder).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{what}:\n{}", String::from_utf8_lossy(&said));
}

fn request(path: &Path, structure: &ArrayStructure) -> OpenRequest {
    let mut request = open_request(MIMETYPE, &[path]).unwrap();
    request.structure = Some(serde_json::to_value(structure).unwrap());
    request
}

/// Writes a region of bytes that count up, and gives the structure after it.
fn write(
    path: &Path,
    structure: &ArrayStructure,
    slice: &[SliceDim],
    extend_to: Option<&[u64]>,
) -> ArrayStructure {
    let cx = Context::unbounded();
    let storage = ZarrWriter.open(&cx, request(path, structure)).unwrap();
    let elements: u64 = shape_of(slice).iter().product();
    let values = (0..elements).flat_map(|i| element(&structure.data_type, 33 + i % 90)).collect();
    let rows = slice.first().map_or(1, |dim| dim.count);
    let extend_to = extend_to.map(<[u64]>::to_vec);
    let how = WriteRequest { extend_to, ..WriteRequest::default() };
    let changed = storage.write(&cx, &how, slice, one_slab(rows, values)).unwrap();
    storage.prepare().unwrap();
    storage.commit().unwrap();
    changed.map_or_else(|| structure.clone(), |changed| serde_json::from_value(changed).unwrap())
}

/// An element that Python reads back byte by byte: text where it is text, else small numbers.
fn element(dtype: &DataType, n: u64) -> Vec<u8> {
    let numpy = dtype.numpy_str().unwrap_or_default();
    let item = dtype.itemsize() as usize;
    match numpy.get(..2).unwrap_or_default() {
        "<U" => (n as u32).to_le_bytes().repeat(item / 4),
        ">U" => (n as u32).to_be_bytes().repeat(item / 4),
        "|b" => vec![(n % 2) as u8],
        _ => vec![n as u8; item],
    }
}

fn note(written: &mut Vec<Value>, folder: &Path, name: &str, structure: &ArrayStructure) {
    let adapter = ZarrReader.open(&Context::unbounded(), request(&folder.join(name), structure)).unwrap();
    let values = format!("{name}.after");
    fs::write(folder.join(&values), read_array(&*adapter, "").unwrap()).unwrap();
    written.push(json!({"name": name, "structure": structure, "values": values}));
}

#[test]
fn python_reads_the_arrays_that_we_make() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let numpy = |text| DataType::from_numpy_str(text).unwrap();
    let mut types: Vec<DataType> = [
        "<f8", ">f8", ">i4", "<i2", "|u1", "|i1", "|b1", "<f2", "<c16", ">c8", "<U5", ">U5", "|S3",
        "<M8[ns]", ">M8[s]", "<m8[25s]", "|V7", "<f16",
    ]
    .map(numpy)
    .into();
    types.push(DataType::record(vec![Field::new("a", numpy("<i4")), Field::new("s", numpy("<U3"))]));
    let pair = Field { name: "p".into(), dtype: numpy("<i2"), shape: Some(vec![2]) };
    types.push(DataType::record(vec![pair, Field::new("b", numpy("|b1"))]));
    let mut written = vec![];
    for (at, data_type) in types.into_iter().enumerate() {
        for (kind, chunks) in [
            ("array", vec![vec![2, 3, 1], vec![4, 1]]),
            ("scalar", vec![]),
            ("empty", vec![vec![0], vec![4]]),
        ] {
            let shape: Vec<u64> = chunks.iter().map(|axis: &Vec<u64>| axis.iter().sum()).collect();
            let structure =
                ArrayStructure { data_type: data_type.clone(), chunks, shape, dims: None, resizable: false };
            let name = format!("{kind}{at}");
            let create = CreateRequest {
                mimetype: MIMETYPE.into(),
                structure_family: StructureFamily::Array,
                structure: serde_json::to_value(&structure).unwrap(),
                parameters: Map::new(),
                storage_uri: format!("file://localhost{}", folder.path().join(&name).display()),
            };
            ZarrWriter.create(&Context::unbounded(), &create).unwrap();
            let everything: Vec<SliceDim> = structure.shape.iter().map(|n| SliceDim::all(*n)).collect();
            let mut structure = write(&folder.path().join(&name), &structure, &everything, None);
            if kind == "empty" {
                let all = [SliceDim::all(3), SliceDim::all(4)];
                structure = write(&folder.path().join(&name), &structure, &all, Some(&[3, 4]));
            }
            note(&mut written, folder.path(), &name, &structure);
        }
    }
    fs::write(folder.path().join("written.json"), json!(written).to_string()).unwrap();
    run(&python, "check", folder.path());
}

#[test]
fn arrays_that_tiled_and_zarr_python_made_are_written_to() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    run(&python, "make", folder.path());
    let made: Vec<Value> =
        serde_json::from_slice(&fs::read(folder.path().join("made.json")).unwrap()).unwrap();
    assert!(made.len() > 15, "{made:?}");
    let mut written = vec![];
    for entry in made {
        let name = entry["name"].as_str().unwrap();
        let path = folder.path().join(name);
        let mut structure: ArrayStructure = serde_json::from_value(entry["structure"].clone()).unwrap();
        let adapter = ZarrReader.open(&Context::unbounded(), request(&path, &structure)).unwrap();
        let before = fs::read(folder.path().join(format!("{name}.values"))).unwrap();
        assert!(read_array(&*adapter, "").unwrap() == before, "{name}");
        if structure.shape.is_empty() {
            structure = write(&path, &structure, &[], None);
        } else {
            structure = write(&path, &structure, &[SliceDim::range(1, 4), SliceDim::range(2, 2)], None);
            structure =
                write(&path, &structure, &[SliceDim::range(6, 3), SliceDim::range(1, 5)], Some(&[9, 6]));
        }
        note(&mut written, folder.path(), name, &structure);
    }
    fs::write(folder.path().join("written.json"), json!(written).to_string()).unwrap();
    run(&python, "check", folder.path());
}

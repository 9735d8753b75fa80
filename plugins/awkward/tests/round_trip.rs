//! A directory of buffers, from the files to each media type.

use std::{io::Read, sync::Arc};

use serde_json::{Value, json};
use tiled_awkward::{ArrowSerializer, BuffersReader, JsonSerializer, ParquetSerializer, ZipSerializer};
use tiled_plugin_api::{
    author::{
        Adapter, Buffers, Context, EncodeRequest, Error, ErrorKind, OwnedBuffer, Payload, Reader, Result,
        Serializer,
    },
    model::{Description, StructureFamily},
    testing::{encode, open_request},
};

fn structure() -> Value {
    json!({"length": 2, "form": {"class": "ListOffsetArray", "offsets": "i64", "form_key": "node0", "parameters": {},
        "content": {"class": "NumpyArray", "primitive": "int64", "inner_shape": [], "form_key": "node1", "parameters": {}}}})
}

fn i64s(values: &[i64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn opened(folder: &tempfile::TempDir) -> Box<dyn Adapter> {
    std::fs::write(folder.path().join("node0-offsets"), i64s(&[0, 2, 3])).unwrap();
    std::fs::write(folder.path().join("node1-data"), i64s(&[1, 2, 3])).unwrap();
    let mut request = open_request("application/x-awkward-buffers", &[folder.path()]).unwrap();
    request.structure = Some(structure());
    BuffersReader.open(&Context::unbounded(), request).unwrap()
}

fn request(family: StructureFamily, structure: Value, fields: Option<Vec<String>>) -> EncodeRequest {
    EncodeRequest {
        media_type: String::new(),
        structure_family: family,
        structure,
        metadata: json!({}),
        specs: vec![],
        key: String::new(),
        fields,
    }
}

fn entries(bytes: Vec<u8>) -> Vec<(String, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let count = archive.len();
    let entry = |place| {
        let mut file = archive.by_index(place).unwrap();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        (file.name().unwrap().into_owned(), content)
    };
    (0..count).map(entry).collect()
}

#[test]
fn form_keys_choose_buffers() {
    let folder = tempfile::tempdir().unwrap();
    let node: Arc<dyn Adapter> = opened(&folder).into();
    let zipped = |fields| {
        let request = request(StructureFamily::Awkward, structure(), fields);
        entries(encode(&ZipSerializer, &request, Payload::Node(node.clone())).unwrap())
    };
    assert_eq!(
        zipped(None),
        [("node0-offsets".into(), i64s(&[0, 2, 3])), ("node1-data".into(), i64s(&[1, 2, 3]))]
    );
    assert_eq!(zipped(Some(vec!["node1".into()])), [("node1-data".into(), i64s(&[1, 2, 3]))]);
    assert_eq!(zipped(Some(vec![])), []);
}

#[test]
fn awkward_arrays_are_json_arrow_and_parquet() {
    let folder = tempfile::tempdir().unwrap();
    let node: Arc<dyn Adapter> = opened(&folder).into();
    let request = request(StructureFamily::Awkward, structure(), None);
    let bytes =
        |serializer: &dyn Serializer| encode(serializer, &request, Payload::Node(node.clone())).unwrap();
    assert_eq!(bytes(&JsonSerializer), b"[[1,2],[3]]");
    assert!(bytes(&ArrowSerializer).starts_with(b"ARROW1"));
    assert!(bytes(&ParquetSerializer).starts_with(b"PAR1"));
}

#[test]
fn a_missing_buffer_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let node = opened(&folder);
    std::fs::remove_file(folder.path().join("node1-data")).unwrap();
    let error = node.read_buffers(&Context::unbounded(), "", &[]).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidData);
    assert!(error.message.contains("node1-data"));
}

struct Ragged;

impl Adapter for Ragged {
    fn describe(&self, _path: &str) -> Result<Description> {
        Err(Error::unsupported("describe"))
    }

    fn read_buffers(&self, _cx: &Context, _path: &str, _form_keys: &[String]) -> Result<Buffers> {
        let data: Vec<u8> = [1.5_f64, 2.5, f64::NAN].iter().flat_map(|value| value.to_le_bytes()).collect();
        let buffer = OwnedBuffer::from_vec;
        Ok(vec![("node0-offsets".into(), buffer(i64s(&[0, 1, 3]))), ("node1-data".into(), buffer(data))])
    }
}

#[test]
fn ragged_arrays_are_nested_lists_and_zips_with_their_form() {
    let structure = json!({"data_type": {"endianness": "little", "kind": "f", "itemsize": 8, "dt_units": null},
        "shape": [2, null], "size": 3, "chunks": [[2], null], "dims": null, "resizable": false});
    let request = request(StructureFamily::Ragged, structure, None);
    assert_eq!(
        encode(&JsonSerializer, &request, Payload::Node(Arc::new(Ragged))).unwrap(),
        b"[[1.5],[2.5,null]]"
    );
    let entries = entries(encode(&ZipSerializer, &request, Payload::Node(Arc::new(Ragged))).unwrap());
    let names: Vec<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["node0-offsets", "node1-data", "length", "form"]);
    assert_eq!(entries[2].1, [0, 0, 0, 0, 0, 0, 0, 2]);
    let inner: String = serde_json::from_slice(&entries[3].1).unwrap();
    let form: Value = serde_json::from_str(&inner).unwrap();
    assert_eq!(form["content"]["primitive"], "float64");
}

//! Buffers that are sent as a ZIP file are those that are read.

use std::{fs, io::Write, path::Path, sync::Arc};

use serde_json::{Map, Value, json};
use tiled_awkward::{BuffersReader, BuffersWriter, ZipSerializer};
use tiled_plugin_api::{
    author::{
        Adapter, Context, CreateRequest, EncodeRequest, Error, ErrorKind, OpenRequest, OwnedBuffer, Payload,
        Reader, Result, WriteRequest, Writer,
    },
    model::StructureFamily,
    testing::{encode, open_request},
};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

const MIMETYPE: &str = "application/x-awkward-buffers";

fn structure(key: &str) -> Value {
    json!({"length": 2, "form": {"class": "ListOffsetArray", "offsets": "i64", "form_key": key, "parameters": {},
        "content": {"class": "NumpyArray", "primitive": "int64", "inner_shape": [], "form_key": "node1", "parameters": {}}}})
}

fn create(path: &Path, structure: Value, structure_family: StructureFamily) -> Result<()> {
    let request = CreateRequest {
        mimetype: MIMETYPE.into(),
        structure_family,
        structure,
        parameters: Map::new(),
        storage_uri: format!("file://localhost{}", path.display()),
    };
    let created = BuffersWriter.create(&Context::unbounded(), &request)?;
    assert!(created.assets[0].is_directory);
    Ok(())
}

fn request(path: &Path) -> OpenRequest {
    let mut request = open_request(MIMETYPE, &[path]).unwrap();
    request.structure = Some(structure("node0"));
    request
}

fn zipped(entries: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(std::io::Cursor::new(vec![]));
    for (name, bytes) in entries {
        zip.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn write(path: &Path, media_type: &str, bytes: Vec<u8>) -> Result<()> {
    let storage = BuffersWriter.open(&Context::unbounded(), request(path))?;
    let payload = Payload::Body { media_type: media_type.into(), bytes: OwnedBuffer::from_vec(bytes) };
    storage.write(&Context::unbounded(), &WriteRequest::default(), &[], payload)?;
    storage.prepare()?;
    storage.commit()
}

fn refusal(result: Result<impl Sized>) -> ErrorKind {
    match result {
        Ok(_) => panic!("it was not refused"),
        Err(Error { kind, .. }) => kind,
    }
}

#[test]
fn what_a_client_sends_is_what_it_gets_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x/a");
    create(&path, structure("node0"), StructureFamily::Awkward).unwrap();
    let read =
        || -> Arc<dyn Adapter> { BuffersReader.open(&Context::unbounded(), request(&path)).unwrap().into() };
    let missing = read().read_buffers(&Context::unbounded(), "", &[]);
    assert_eq!(refusal(missing), ErrorKind::InvalidData);
    for (method, last) in [(CompressionMethod::Stored, 3u8), (CompressionMethod::Deflated, 4)] {
        let entries: [(&str, &[u8]); 2] = [("node0-offsets", &[1; 24]), ("node1-data", &[last; 24])];
        write(&path, "application/zip", zipped(&entries, method)).unwrap();
        let got = read().read_buffers(&Context::unbounded(), "", &[]).unwrap();
        let got: Vec<(&str, &[u8])> = got.iter().map(|(name, bytes)| (name.as_str(), &**bytes)).collect();
        assert_eq!(got, entries);
        // What we serve can be sent to us.
        let how = EncodeRequest {
            media_type: String::new(),
            structure_family: StructureFamily::Awkward,
            structure: structure("node0"),
            metadata: json!({}),
            specs: vec![],
            key: String::new(),
            fields: None,
        };
        write(&path, "application/zip", encode(&ZipSerializer, &how, Payload::Node(read())).unwrap())
            .unwrap();
    }
    assert_eq!(fs::read_dir(&path).unwrap().count(), 2);
    BuffersWriter.delete(&Context::unbounded(), request(&path)).unwrap();
    assert!(!path.exists());
}

#[test]
fn what_does_not_fit_the_form_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    create(&path, structure("node0"), StructureFamily::Awkward).unwrap();
    let stored = |entries: &[(&str, &[u8])]| zipped(entries, CompressionMethod::Stored);
    let (offsets, data): ((&str, &[u8]), (&str, &[u8])) =
        (("node0-offsets", &[0; 24]), ("node1-data", &[7; 24]));
    let mut damaged = stored(&[offsets, data]);
    damaged[60] ^= 1;
    for (body, kind) in [
        (stored(&[offsets]), ErrorKind::InvalidArgument),
        (stored(&[offsets, data, ("../out", &[1])]), ErrorKind::InvalidArgument),
        (stored(&[offsets, data, ("node2-data", &[1])]), ErrorKind::InvalidArgument),
        (damaged, ErrorKind::InvalidArgument),
        (b"PK nothing".to_vec(), ErrorKind::InvalidArgument),
        (
            zipped(&[offsets, ("node1-data", &vec![0; 300 << 20])], CompressionMethod::Deflated),
            ErrorKind::TooLarge,
        ),
    ] {
        assert_eq!(refusal(write(&path, "application/zip", body)), kind);
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
    }
    assert_eq!(refusal(write(&path, "text/csv", stored(&[offsets, data]))), ErrorKind::UnsupportedFormat);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn only_directories_of_buffers_are_made_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let awkward = StructureFamily::Awkward;
    for (key, family, kind) in [
        ("../x", awkward, ErrorKind::InvalidArgument),
        ("a/b", awkward, ErrorKind::InvalidArgument),
        ("node0", StructureFamily::Array, ErrorKind::Unsupported),
    ] {
        assert_eq!(refusal(create(&path, structure(key), family)), kind);
    }
    create(&path, structure("node0"), awkward).unwrap();
    fs::write(path.join("letter.txt"), "dear").unwrap();
    assert_eq!(refusal(create(&path, structure("node0"), awkward)), ErrorKind::Conflict);
    assert_eq!(refusal(BuffersWriter.delete(&Context::unbounded(), request(&path))), ErrorKind::Conflict);
    assert!(path.join("letter.txt").exists());
}

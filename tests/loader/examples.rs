//! The example plugins, built as their README says, do what their pages say.

use std::sync::{Arc, Mutex};

use tiled_host::plugin::context;
use tiled_plugin_api::{
    author::{SlabStream, Slabs},
    model::StructureFamily,
    prelude::*,
};

use tiled_tests::{Access, KEY, Server, configuration, python, run_python, writable_tree};

use crate::{
    fixtures::{example, top},
    server::{kind, load, read_all},
};

#[tokio::test]
async fn the_minimal_plugin_reads_two_columns() {
    let server = load(&[&example("plugin-minimal", "tiled_xy")], "").unwrap();
    let adapter = server.open("text/x-xy", b"# angle counts\n1.5 10\n2 20\n\n").await.unwrap();
    let structure: ArrayStructure = adapter.describe("").unwrap().structure().unwrap();
    assert_eq!(structure.shape, [2, 2]);
    let bytes = read_all(&*adapter).unwrap();
    let values: Vec<f64> = bytes.chunks_exact(8).map(|b| f64::from_ne_bytes(b.try_into().unwrap())).collect();
    assert_eq!(values, [1.5, 10.0, 2.0, 20.0]);
    let error = server.open("text/x-xy", b"1 2\n3 x\n").await.err().unwrap();
    assert_eq!(
        (error.kind, &*error.message),
        (ErrorKind::InvalidData, "text-x-xy.dat: line 2: two numbers expected")
    );
    assert_eq!(kind(server.open("text/x-xy", b"\xff\xfe").await), ErrorKind::UnsupportedFormat);
}

#[test]
fn the_minimal_plugin_is_minimal() {
    let code = std::fs::read_to_string(top().join("examples/plugin-minimal/src/lib.rs")).unwrap();
    assert!(code.lines().count() < 60, "{} lines", code.lines().count());
}

#[test]
fn a_run_is_its_documents() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let more = folder.path().join("plugins");
    std::fs::create_dir(&more).unwrap();
    std::fs::copy(example("plugin-bluesky", "tiled_bluesky"), more.join("libtiled_bluesky.so")).unwrap();
    let configuration = configuration(Access::Public, &writable_tree(folder.path(), ""));
    let both = format!("directory = [\"{{plugins}}\", \"{}\"]", more.display());
    let server = Server::config(&configuration.replace("directory = \"{plugins}\"", &both));
    run_python(&python, "bluesky_run.py", &[server.url(), KEY]);
    server.end();
}

struct Collect(Arc<Mutex<Vec<u8>>>);

impl ByteSink for Collect {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(())
    }
}

/// Rows of `f8`, one slab each.
struct Rows(std::vec::IntoIter<Vec<f64>>);

impl SlabStream for Rows {
    fn next(&mut self) -> Result<Option<Slab>> {
        let row = self.0.next();
        Ok(row.map(|row| {
            let bytes = row.iter().flat_map(|value| value.to_ne_bytes()).collect();
            Slab { rows: 1, bytes: OwnedBuffer::from_vec(bytes) }
        }))
    }
}

#[tokio::test]
async fn the_serializer_plugin_writes_slab_by_slab() {
    let server = load(&[&example("plugin-serializer", "tiled_tsv")], "").unwrap();
    assert_eq!(server.plugins.media_type_of_alias("tsv"), Some("text/tab-separated-values"));
    assert_eq!(server.plugins.formats()["array"], ["text/tab-separated-values"]);
    assert_eq!(server.plugins.aliases()["array"]["text/tab-separated-values"], ["tsv"]);
    let written = Arc::new(Mutex::new(Vec::new()));
    let encode = async |shape: Vec<u64>| {
        let serializer = server.plugins.serializer_for("array", "text/tab-separated-values").unwrap();
        let structure = ArrayStructure::single_chunk(DataType::native(Kind::Float, 8), shape);
        let request = EncodeRequest {
            media_type: "text/tab-separated-values".into(),
            structure_family: StructureFamily::Array,
            structure: tiled_plugin_api::serde_json::to_value(&structure).unwrap(),
            metadata: Default::default(),
            specs: vec![],
            key: String::new(),
            fields: None,
        };
        let (cx, _handle) = context("test", None);
        let (plugin, inner, sink) = (serializer.plugin.clone(), cx.clone(), Collect(written.clone()));
        let rows = Rows(vec![vec![1.5, 2.0], vec![-3.0, 1e300]].into_iter());
        plugin
            .stream(&cx, move || {
                let mut sink = Sink::new(sink);
                serializer.encode(&inner, &request, Payload::Array(Slabs::new(rows)), &mut sink)?;
                sink.push()
            })
            .await
    };
    encode(vec![2, 2]).await.unwrap();
    let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
    assert_eq!(text.lines().next(), Some("1.5\t2"));
    assert_eq!(text.lines().nth(1).unwrap().split('\t').nth(1).unwrap().parse(), Ok(1e300));
    assert_eq!(kind(encode(vec![1, 2, 2]).await), ErrorKind::NotAcceptable);
}

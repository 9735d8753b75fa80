//! A plugin that panics, lies about lengths or hangs: the request fails, the server and its other requests do not.

use std::time::{Duration, Instant};

use tiled_host::plugin::{PluginState, context};
use tiled_plugin_api::{author::TableRequest, model::StructureFamily, prelude::*};

use crate::{
    fixtures::fixture,
    server::{Server, kind, load, read_all},
};

fn server(toml: &str) -> Server {
    load(&[&fixture("misbehaving"), &fixture("plain")], toml).unwrap()
}

async fn others_are_served(server: &Server) {
    let adapter = server.open("x/plain", b"hello").await.unwrap();
    assert_eq!(read_all(&*adapter).unwrap(), b"hello");
}

#[tokio::test]
async fn a_panic_in_open_is_an_error_with_the_text_for_the_log_only() {
    let server = server("");
    let error = server.open("x/open", b"").await.err().unwrap();
    assert_eq!(
        (error.kind, &*error.message, &*error.detail),
        (ErrorKind::Panic, "The plugin panicked in open", "boom in open")
    );
    assert_eq!(server.status("misbehaving").panics, 1);
    others_are_served(&server).await;
}

#[tokio::test]
async fn a_panic_whose_payload_panics_again_is_an_error_too() {
    let server = server("");
    assert_eq!(kind(server.open("x/bomb", b"").await), ErrorKind::Panic);
    others_are_served(&server).await;
}

#[tokio::test]
async fn a_panic_in_describe_or_in_a_read_is_an_error() {
    let server = server("");
    let adapter = server.open("x/describe", b"").await.unwrap();
    assert_eq!(kind(adapter.describe("")), ErrorKind::Panic);
    let adapter = server.open("x/read", b"").await.unwrap();
    let error = adapter.read_into(&Context::unbounded(), "", &[SliceDim::all(10)], &mut [0; 40]).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Panic);
    assert!(error.detail.contains("index out of bounds"), "{error}");
    others_are_served(&server).await;
}

#[tokio::test]
async fn a_panic_while_an_adapter_is_dropped_ends_nothing() {
    let server = server("");
    let adapter = server.open("x/drop", b"").await.unwrap();
    drop(adapter);
    others_are_served(&server).await;
}

#[tokio::test]
async fn a_panic_while_a_table_is_pulled_is_an_error_of_that_batch() {
    let server = server("");
    let adapter = server.open("x/stream", b"").await.unwrap();
    let stream = adapter.read_table(&Context::unbounded(), "", &TableRequest::default()).unwrap();
    let mut batches = stream.into_reader().unwrap();
    assert_eq!(batches.next().unwrap().unwrap().num_rows(), 1);
    assert_eq!(batches.next().unwrap().unwrap().num_rows(), 1);
    let error = Error::from_arrow(batches.next().unwrap().unwrap_err());
    assert_eq!(error.kind, ErrorKind::Panic, "{error}");
    assert!(batches.next().is_none());
    assert_eq!(server.status("misbehaving").panics, 1);
    others_are_served(&server).await;
}

struct Nowhere;

impl ByteSink for Nowhere {
    fn write(&mut self, _bytes: &[u8]) -> Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_panic_in_a_serializer_is_an_error() {
    let server = server("");
    let serializer = server.plugins.serializer_for("array", "x/boom").unwrap();
    let (cx, _handle) = context("test", None);
    let (plugin, inner) = (serializer.plugin.clone(), cx.clone());
    let request = EncodeRequest {
        media_type: "x/boom".into(),
        structure_family: StructureFamily::Array,
        structure: Default::default(),
        metadata: Default::default(),
        specs: vec![],
        key: String::new(),
        fields: None,
    };
    let encoded = plugin.stream(&cx, move || {
        let table = TableStream::from_batches(
            std::sync::Arc::new(tiled_plugin_api::arrow::datatypes::Schema::empty()),
            [],
        );
        serializer.encode(&inner, &request, Payload::Table(table), &mut Sink::new(Nowhere))
    });
    assert_eq!(kind(encoded.await), ErrorKind::Panic);
    others_are_served(&server).await;
}

#[tokio::test]
async fn a_buffer_of_the_wrong_length_is_the_plugins_error_and_never_served() {
    let server = server("");
    let adapter = server.open("x/length", b"").await.unwrap();
    let error = adapter.read_owned(&Context::unbounded(), "", &[SliceDim::all(10)]).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Internal);
    assert!(error.detail.contains("read_owned gave 7 bytes, not 40"), "{error}");
    let request = ChildrenRequest { offset: 0, limit: 10, keys_only: true };
    assert_eq!(
        kind(adapter.children("", &request)),
        ErrorKind::Internal,
        "1000 children where 10 were asked for"
    );
}

#[tokio::test]
async fn a_sniff_that_panics_is_no_claim() {
    let server = server("");
    let path = server.data.join("nameless");
    std::fs::write(&path, "BOOM").unwrap();
    let head = || Some((server.roots.open(&path).unwrap(), b"BOOM".to_vec()));
    assert!(server.plugins.reader_for_file(&path, head).is_none());
    std::fs::write(&path, "PLAIN").unwrap();
    let head = || Some((server.roots.open(&path).unwrap(), b"PLAIN".to_vec()));
    assert_eq!(server.plugins.reader_for_file(&path, head).unwrap().0, "x/plain");
}

#[tokio::test]
async fn a_call_that_hangs_frees_its_request_and_others_are_served_meanwhile() {
    let server = server("[plugins.defaults]\ntimeout_s = 0.2\nmax_concurrency = 1");
    let begun = Instant::now();
    let error = server.open("x/hang", b"").await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Cancelled);
    assert!(begun.elapsed() < Duration::from_secs(3), "the request waited {:?}", begun.elapsed());
    assert_eq!(server.status("misbehaving").late_calls, 1);
    others_are_served(&server).await;
    let adapter = server.open("x/length", b"").await.unwrap();
    assert!(adapter.describe("").is_ok(), "the plugin itself serves others too");
    assert!(begun.elapsed() < Duration::from_secs(4), "the hung call was not waited for");
}

#[tokio::test]
async fn a_call_sees_that_its_client_has_gone() {
    let server = server("[plugins.defaults]\nmax_concurrency = 1");
    let gone = tokio::time::timeout(Duration::from_millis(100), server.open("x/patient", b"")).await;
    assert!(gone.is_err(), "the client went away first");
    let begun = Instant::now();
    server.open("x/length", b"").await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(3), "the only thread was freed");
    assert_eq!(server.status("misbehaving").late_calls, 0);
}

#[tokio::test]
async fn a_plugin_that_panics_on_many_files_is_put_out_of_service_and_the_others_go_on() {
    let server = server("[plugins]\nquarantine_after_panics = 4");
    for i in 0..4 {
        let path = server.data.join(format!("{i}.dat"));
        std::fs::write(&path, "").unwrap();
        assert_eq!(kind(server.open_request(server.request_for("x/open", &path)).await), ErrorKind::Panic);
    }
    let error = server.open("x/length", b"").await.err().unwrap();
    assert!(error.message.contains("misbehaving is out of service"), "{error}");
    assert_eq!(server.status("misbehaving").state, PluginState::OutOfService);
    assert_eq!(server.status("misbehaving").panics, 4, "no call was made after that");
    others_are_served(&server).await;
}

#[tokio::test]
async fn one_bad_file_does_not_put_its_format_out_of_service() {
    let server = server("[plugins]\nquarantine_after_panics = 4");
    let path = server.data.join("bad.dat");
    std::fs::write(&path, "").unwrap();
    for _ in 0..10 {
        assert_eq!(kind(server.open_request(server.request_for("x/open", &path)).await), ErrorKind::Panic);
    }
    assert_eq!(server.status("misbehaving").panics, 4, "the file is left alone after that");
    assert!(server.open("x/length", b"").await.is_ok());
}

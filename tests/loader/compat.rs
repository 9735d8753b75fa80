//! Plugins built against other versions of the plugin API.

use std::{fs, path::PathBuf};

use tiled_host::plugin::PluginState;
use tiled_plugin_api::prelude::*;

use crate::{
    fixtures::{against, fixture, top},
    server::{Server, kind, load, read_all},
};

const ADAPTER: &str = "src/abi/adapter.rs";
const ROOT: &str = "src/abi/root.rs";
const END_OF_TRAIT: &str = "}

pub type AdapterObject";

/// What stands in the plugin API's file of adapters from `start` up to `end`.
fn part(start: &str, end: &str) -> String {
    let text = fs::read_to_string(top().join("plugin-api").join(ADAPTER)).unwrap();
    let (_, from) = text.split_once(start).unwrap_or_else(|| panic!("{ADAPTER} does not hold {start}"));
    let (part, _) = from.split_once(end).unwrap_or_else(|| panic!("{ADAPTER} does not hold {end}"));
    format!("{start}{part}")
}

async fn opens_and_reads(server: &Server) -> std::sync::Arc<dyn Adapter> {
    let adapter = server.open("x/plain", b"hello").await.unwrap();
    assert_eq!(read_all(&*adapter).unwrap(), b"hello");
    adapter
}

#[tokio::test]
async fn a_plugin_of_this_version_is_loaded_and_reads() {
    let server = load(&[&fixture("plain")], "").unwrap();
    let adapter = opens_and_reads(&server).await;
    let buffers = adapter.read_buffers(&Context::unbounded(), "", &[]).unwrap();
    assert_eq!((buffers[0].0.as_str(), &*buffers[0].1), ("node0-data", &b"hello"[..]));
    let status = server.status("plain");
    assert_eq!((status.state, status.version.as_deref()), (PluginState::Loaded, Some("0.3.0")));
    assert_eq!((status.reads, status.extensions), (vec!["x/plain".to_owned()], vec![".plain".to_owned()]));
}

/// With a method behind the last of the adapter, and one behind the last of the module.
fn newer() -> PathBuf {
    let more = format!(
        "
    fn a_later_method(&self, _path: RStr<'_>) -> AbiResult<u64> {{
        abi_stable::std_types::RErr(crate::author::Error::unsupported(\"a_later_method\").into())
    }}
{END_OF_TRAIT}"
    );
    against(
        "newer",
        &[
            ("Cargo.toml", "version = \"1.0.0\"", "version = \"1.7.0\""),
            (ADAPTER, END_OF_TRAIT, &more),
            (
                ROOT,
                "AbiResult<PluginObject>,\n}",
                "AbiResult<PluginObject>,\n    pub later: extern \"C\" fn() -> u64,\n}",
            ),
            (ROOT, "PluginModule { create }", "PluginModule { create, later }"),
            (
                ROOT,
                "/// The module of a plugin,",
                "extern \"C\" fn later() -> u64 {\n    7\n}\n\n/// The module of a plugin,",
            ),
        ],
    )
}

/// Without any method behind those that a plugin must have.
fn older() -> PathBuf {
    let offered = part("    /// JSON list of form keys.\n    fn read_buffers", END_OF_TRAIT);
    let given = part(
        "    fn read_buffers(\n        &self,\n        cx: ContextObject,",
        "}\n\npub fn export_adapter",
    );
    let taken = part("    fn read_buffers(&self, cx: &Context,", "    fn revision(&self, path: &str)");
    against("older", &[(ADAPTER, &offered, ""), (ADAPTER, &given, ""), (ADAPTER, &taken, "")])
}

async fn is_newer(server: &Server) {
    let adapter = opens_and_reads(server).await;
    assert!(adapter.read_buffers(&Context::unbounded(), "", &[]).is_ok());
    assert_eq!(server.status("newer").api_version.as_deref(), Some("1.7.0"));
}

async fn is_older(server: &Server) {
    let adapter = opens_and_reads(server).await;
    assert_eq!(kind(adapter.read_buffers(&Context::unbounded(), "", &[])), ErrorKind::Unsupported);
    assert_eq!(adapter.stored_as("", "zarr_v3").unwrap(), None);
    assert_eq!(kind(adapter.stored_chunk(&Context::unbounded(), "", &[0])), ErrorKind::Unsupported);
}

#[tokio::test]
async fn a_plugin_of_a_newer_minor_with_more_methods_is_loaded_and_reads() {
    is_newer(&load(&[&newer()], "").unwrap()).await;
}

#[tokio::test]
async fn a_plugin_of_an_older_minor_with_fewer_methods_is_loaded_and_says_what_it_cannot() {
    is_older(&load(&[&older()], "").unwrap()).await;
}

#[tokio::test]
async fn plugins_of_all_minors_go_together_in_any_order() {
    let (newer, older, plain) = (newer(), older(), fixture("plain"));
    for _ in 0..2 {
        is_older(&load(&[&older], "").unwrap()).await;
        is_newer(&load(&[&newer], "").unwrap()).await;
        opens_and_reads(&load(&[&plain], "").unwrap()).await;
    }
}

#[test]
fn a_plugin_whose_structs_differ_is_refused_in_one_line() {
    let library = against(
        "changed",
        &[
            (
                "src/abi/error.rs",
                "    pub reserved: [u64; 2],",
                "    pub reserved: [u64; 2],\n    pub more: u64,",
            ),
            ("src/abi/error.rs", "reserved: [0; 2],", "reserved: [0; 2],\n            more: 0,"),
        ],
    );
    let reason = load(&[&library], "").unwrap().reason("libtiled_changed.so");
    assert!(reason.contains("does not fit this server: its types differ from ours"), "{reason}");
    assert!(reason.contains("build it again with the plugin API of this server"), "{reason}");
    assert!(reason.lines().count() == 1 && reason.len() < 700, "{} characters: {reason}", reason.len());
}

#[test]
fn a_plugin_of_another_major_is_refused_before_it_is_loaded() {
    let library = against(
        "major",
        &[
            ("Cargo.toml", "version = \"1.0.0\"", "version = \"2.0.0\""),
            ("src/export.rs", "\\\"abi_major\\\":1", "\\\"abi_major\\\":2"),
        ],
    );
    let reason = load(&[&library], "").unwrap().reason("libtiled_major.so");
    assert!(reason.contains("is refused: plugin major was built for plugin API 2.x"), "{reason}");
}

#[test]
fn a_plugin_that_claims_our_major_and_has_another_is_refused_by_the_check() {
    let library = against("lying", &[("Cargo.toml", "version = \"1.0.0\"", "version = \"2.0.0\"")]);
    let reason = load(&[&library], "").unwrap().reason("libtiled_lying.so");
    assert!(reason.contains("does not fit this server"), "{reason}");
    assert!(reason.lines().count() == 1 && reason.len() < 700, "{reason}");
}

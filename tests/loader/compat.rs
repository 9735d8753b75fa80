//! Plugins built against other versions of the plugin API.

use std::path::PathBuf;

use tiled_host::plugin::PluginState;
use tiled_plugin_api::prelude::*;

use crate::{
    fixtures::{against, fixture},
    server::{Server, kind, load, read_all},
};

const ADAPTER: &str = "src/abi/adapter.rs";
const ROOT: &str = "src/abi/root.rs";
const LAST_METHOD_IN_TRAIT: &str = "    /// JSON list of form keys.
    fn read_buffers(
        &self,
        _cx: ContextObject,
        _path: RStr<'_>,
        _form_keys: RStr<'_>,
    ) -> AbiResult<RVec<AbiBuffer>> {
        abi_stable::std_types::RErr(crate::author::Error::unsupported(\"read_buffers\").into())
    }
";

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

fn newer() -> PathBuf {
    let more = format!(
        "{LAST_METHOD_IN_TRAIT}
    fn a_later_method(&self, _path: RStr<'_>) -> AbiResult<u64> {{
        abi_stable::std_types::RErr(crate::author::Error::unsupported(\"a_later_method\").into())
    }}
"
    );
    against(
        "newer",
        &[
            ("Cargo.toml", "version = \"1.0.0\"", "version = \"1.7.0\""),
            (ADAPTER, LAST_METHOD_IN_TRAIT, &more),
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

fn older() -> PathBuf {
    const EXPORT: &str = "    fn read_buffers(
        &self,
        cx: ContextObject,
        path: RStr<'_>,
        form_keys: RStr<'_>,
    ) -> AbiResult<RVec<AbiBuffer>> {
        guard(\"read_buffers\", || {
            let form_keys: Vec<String> = from_json(form_keys.as_str())?;
            let buffers = self.0.read_buffers(&import_context(cx), path.as_str(), &form_keys)?;
            Ok(buffers.into_iter().map(|(name, bytes)| AbiBuffer { name: name.into(), bytes }).collect())
        })
    }
";
    const FOREIGN: &str = "        let keys = to_json(&form_keys)?;
        let buffers = take(self.0.read_buffers(export_context(cx), path.into(), keys.as_rstr()))?;
        Ok(buffers.into_iter().map(|buffer| (buffer.name.into(), buffer.bytes)).collect())
";
    let without = "        let _ = (cx, path, form_keys);\n        Err(crate::author::Error::unsupported(\"read_buffers\"))\n";
    against(
        "older",
        &[(ADAPTER, LAST_METHOD_IN_TRAIT, ""), (ADAPTER, EXPORT, ""), (ADAPTER, FOREIGN, without)],
    )
}

async fn is_newer(server: &Server) {
    let adapter = opens_and_reads(server).await;
    assert!(adapter.read_buffers(&Context::unbounded(), "", &[]).is_ok());
    assert_eq!(server.status("newer").api_version.as_deref(), Some("1.7.0"));
}

async fn is_older(server: &Server) {
    let adapter = opens_and_reads(server).await;
    assert_eq!(kind(adapter.read_buffers(&Context::unbounded(), "", &[])), ErrorKind::Unsupported);
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

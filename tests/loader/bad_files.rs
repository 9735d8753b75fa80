//! Files that are no plugins, or not whole ones. None of them may end the process or run.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tiled_host::plugin::PluginState;

use crate::{
    fixtures::{fixture, in_c, twin},
    server::{load, read_all},
};

/// The reason why a discovered file of these bytes is left out, and why the server does not start when it is listed.
fn check(bytes: &[u8]) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.so");
    fs::write(&path, bytes).unwrap();
    check_file(&path)
}

fn check_file(path: &Path) -> (String, String) {
    let name = path.file_name().unwrap().to_str().unwrap();
    let discovered = load(&[path], "").unwrap().reason(name);
    let entry = format!("[[plugin]]\nname = 'bad'\npath = '{}'", path.display());
    let listed = load(&[], &entry).err().expect("a listed plugin that cannot be loaded ends the start");
    assert!(listed.contains(path.to_str().unwrap()), "{listed} names the file");
    (discovered, listed)
}

#[test]
fn texts_and_empty_files_are_left_out_and_named_when_listed() {
    for bytes in [&b""[..], b"#!/bin/sh\necho no\n", b"\x7fELF"] {
        let (discovered, listed) = check(bytes);
        assert!(discovered.contains("not a shared library"), "{discovered}");
        assert!(listed.contains("is not a usable library: not a shared library"), "{listed}");
    }
}

#[test]
fn a_library_cut_at_any_place_is_refused_and_kills_nothing() {
    let whole = fs::read(fixture("plain")).unwrap();
    for part in [64, 1000, 4096, 200_000, whole.len() / 2, whole.len() - 5000, whole.len() - 1] {
        let (discovered, listed) = check(&whole[..part]);
        for text in [&discovered, &listed] {
            assert!(text.contains("copy it again, with mv"), "{part} of {} bytes: {text}", whole.len());
        }
    }
}

/// C source with a constructor that leaves a trace.
fn with_trace(trace: &Path, more: &str) -> String {
    format!(
        "#include <stdio.h>
         __attribute__((constructor)) static void ran(void) {{ FILE *f = fopen(\"{}\", \"w\"); if (f) fclose(f); }}
         {more}",
        trace.display()
    )
}

fn descriptor(symbol: &str) -> String {
    let json = format!(
        "{{\"name\":\"bad\",\"version\":\"1\",\"abi\":\"abi_stable/0.11\",\"abi_major\":1,\"abi_minor\":0,\
         \"panic\":\"unwind\",\"target\":\"\",\"symbol\":\"{symbol}\"}}"
    );
    format!("__attribute__((section(\".tiled_plugin\"), used)) static const char d[] = {json:?};")
}

#[test]
fn a_library_without_a_descriptor_is_left_out_and_its_constructors_do_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let library = in_c(folder.path(), "plain_c", &with_trace(&trace, "int x(void) { return 1; }"));
    let (discovered, listed) = check_file(&library);
    assert!(discovered.contains("a library, but not a plugin"), "{discovered}");
    assert!(listed.contains("build it with export_plugin!"), "{listed}");
    assert!(!trace.exists(), "code of the library ran");
    let server = load(&[&library], "").unwrap();
    assert_eq!(server.plugins.table()[0].state, PluginState::NotAPlugin);
}

#[test]
fn a_library_whose_descriptor_is_not_kept_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        ("nosymbol", descriptor("tiled_plugin_v1_none"), "undefined symbol: tiled_plugin_v1_none"),
        (
            "unresolved",
            format!("{} extern int nowhere(void); int x(void) {{ return nowhere(); }}", descriptor("x")),
            "undefined symbol: nowhere",
        ),
        ("zeros", format!("{} char header[4096];", descriptor("header")), "does not fit this server"),
        (
            "nonsense",
            "__attribute__((section(\".tiled_plugin\"), used)) static const char d[] = \"nonsense\";"
                .to_owned(),
            "its descriptor cannot be read",
        ),
    ];
    for (name, source, expected) in cases {
        let library = in_c(folder.path(), name, &source);
        let (discovered, listed) = check_file(&library);
        for text in [discovered, listed] {
            assert!(text.contains(expected), "{name}: {text}");
            assert!(text.lines().count() == 1 && text.len() < 1000, "{name}: {text}");
        }
    }
}

#[test]
fn a_plugin_built_to_abort_on_panic_is_refused() {
    let library = twin("aborting", &[("Cargo.toml", "debug = false", "debug = false\npanic = \"abort\"")]);
    let (discovered, listed) = {
        let discovered = load(&[&library], "").unwrap().reason("libtiled_aborting.so");
        let entry = format!("[[plugin]]\nname = 'aborting'\npath = '{}'", library.display());
        (discovered, load(&[], &entry).err().unwrap())
    };
    for text in [discovered, listed] {
        assert!(text.contains("a panic would end the server; build it with panic = \"unwind\""), "{text}");
    }
}

#[tokio::test]
async fn a_library_that_is_overwritten_after_it_was_loaded_goes_on_working() {
    let server = load(&[&fixture("plain")], "").unwrap();
    let installed = server.installed.join("libtiled_plain.so");
    // As `cp` does: the same file, new bytes, and fewer of them.
    fs::write(&installed, vec![0; 100]).unwrap();
    let adapter = server.open("x/plain", b"still here").await.unwrap();
    assert_eq!(read_all(&*adapter).unwrap(), b"still here");
}

#[test]
fn a_listed_plugin_that_is_nowhere_is_told_with_all_places_that_were_searched() {
    let text = load(&[], "[[plugin]]\nname = 'spe'").err().unwrap();
    assert!(text.contains("spe: cannot be found: no plugin of this name in "), "{text}");
    assert!(text.contains("/plugins"), "{text}");
    let server = load(&[], "[plugins]\non_error = 'skip'\n[[plugin]]\nname = 'spe'").unwrap();
    assert_eq!(server.status("spe").state, PluginState::Refused);
    assert!(load(&[], "[plugins]\non_error = 'skip'\n[[plugin]]\nname = 'spe'\nrequired = true").is_err());
}

#[test]
fn a_pin_is_kept() {
    let library: PathBuf = fixture("plain");
    let entry = |digest: &str| format!("[[plugin]]\nname = 'plain'\nsha256 = '{digest}'");
    let text = load(&[&library], &entry(&"0".repeat(64))).err().unwrap();
    let (_, rest) = text.split_once("its sha256 is ").unwrap();
    load(&[&library], &entry(&rest[..64])).unwrap();
}

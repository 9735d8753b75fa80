//! Several plugins that want the same, and who gets it.

use std::fs;

use tiled_host::plugin::PluginState;
use tiled_plugin_api::prelude::*;

use crate::{
    fixtures::{fixture, twin},
    server::{kind, load},
};

#[test]
fn two_plugins_that_claim_one_type_stop_the_start_until_one_is_chosen() {
    let (plain, other) = (fixture("plain"), twin("twin", &[]));
    let text = load(&[&plain, &other], "").err().expect("a conflict");
    let line = "\"x/plain\" = \"plain\"";
    assert_eq!(
        text,
        format!("x/plain: conflict: claimed by the plugins plain and twin; add to [formats]: {line}"),
        "names both, and the line to add"
    );
    let server = load(&[&plain, &other], &format!("[formats]\n{line}")).unwrap();
    assert_eq!(server.plugins.reader_for("x/plain").unwrap().plugin.name(), "plain");
    let server = load(&[&plain, &other], "[formats]\n'x/plain' = 'twin'").unwrap();
    assert_eq!(server.plugins.reader_for("x/plain; q=1").unwrap().plugin.name(), "twin");
    let server = load(&[&plain, &other], "[[plugin]]\nname = 'twin'\npriority = 1").unwrap();
    let by_name = server.plugins.reader_for_file(&server.data.join("A.PLAIN"), || None).unwrap();
    assert_eq!((&*by_name.0, by_name.1.plugin.name()), ("x/plain", "twin"));
}

#[test]
fn of_two_files_with_one_name_the_second_is_refused_naming_both() {
    let plain = fixture("plain");
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("z_copy.so");
    fs::copy(&plain, &copy).unwrap();
    let server = load(&[&plain, &copy], "").unwrap();
    let reason = server.reason("z_copy.so");
    assert!(
        reason.contains("there is a plugin plain already: ") && reason.contains("libtiled_plain.so"),
        "{reason}"
    );
    assert_eq!(server.status("plain").state, PluginState::Loaded);
}

#[test]
fn one_file_under_two_names_is_one_plugin() {
    let server = load(&[&fixture("plain")], "").unwrap();
    let library = server.installed.join("libtiled_plain.so");
    fs::hard_link(&library, server.installed.join("z_link.so")).unwrap();
    std::os::unix::fs::symlink(&library, server.installed.join("y_link.so")).unwrap();
    let config = tiled_host::config::PluginsConfig::in_directory(&server.installed);
    let overview = tiled_host::plugin::overview(&config);
    assert_eq!(overview.plugins.len(), 1, "{:?}", overview.plugins);
}

#[test]
fn the_configuration_decides_what_is_loaded_and_how_names_are_read() {
    let plain = fixture("plain");
    let server = load(&[&plain], "[plugins]\ndiscover = false").unwrap();
    assert_eq!(server.status("plain").state, PluginState::NotWanted);
    assert!(server.plugins.reader_for("x/plain").is_none());
    let server = load(&[&plain], "[plugins]\ndiscover = false\n[[plugin]]\nname = 'plain'").unwrap();
    assert_eq!(server.status("plain").state, PluginState::Loaded);
    let server = load(&[&plain], "[extensions]\n'.odd' = 'x/plain'\n'scan_*.[0-9]*' = 'x/plain'").unwrap();
    for (name, found) in [
        ("a.odd", true),
        ("scan_a.0001", true),
        ("scan_a.txt", false),
        ("a.b.plain", true),
        (".plain", false),
    ] {
        let reader = server.plugins.reader_for_file(&server.data.join(name), || None);
        assert_eq!(reader.is_some(), found, "{name}");
    }
    let toml = "[adapters_by_mimetype]\n'x/lab' = 'plain'";
    let server = load(&[&plain], toml).unwrap();
    assert_eq!(server.plugins.reader_for("x/lab").unwrap().plugin.name(), "plain");
}

#[tokio::test]
async fn a_link_inside_a_file_leads_no_further_than_the_readable_folders() {
    let server = load(&[&fixture("plain")], "").unwrap();
    let adapter = server.open("x/plain", b"PLAIN").await.unwrap();
    fs::write(server.data.join("beside.dat"), "").unwrap();
    let base =
        format!("file://localhost{}", server.data.canonicalize().unwrap().join("x-plain.dat").display());
    assert!(adapter.describe(&format!("link {base} beside.dat")).is_ok());
    for (link, expected) in [
        ("../manifest.toml", ErrorKind::Forbidden),
        ("/etc/passwd", ErrorKind::Forbidden),
        ("file:///etc/passwd", ErrorKind::Forbidden),
        ("gone.dat", ErrorKind::NotFound),
    ] {
        assert_eq!(kind(adapter.describe(&format!("link {base} {link}"))), expected, "{link}");
    }
}

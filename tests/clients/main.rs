//! Tiled's Python client, unchanged, against the built program.

use std::{fs, path::Path};

use tiled_tests::{Access, KEY, Server, configuration, example_data, python, run_python, writable_tree};

#[test]
fn the_python_client_reads_everything_that_the_demonstration_serves() {
    let Some(python) = python() else { return };
    let data = example_data();
    let server = Server::directory(data.path(), Access::Public);
    run_python(&python, "reads_examples.py", &[server.url()]);
    server.end();
}

#[test]
fn the_python_client_comes_in_with_a_key_and_not_without() {
    let Some(python) = python() else { return };
    let data = example_data();
    let server = Server::directory(data.path(), Access::Private);
    run_python(&python, "comes_in.py", &[server.url(), KEY]);
    server.end();
}

#[test]
fn the_python_client_exports_what_other_programs_open() {
    let Some(python) = python() else { return };
    let data = example_data();
    let server = Server::directory(data.path(), Access::Public);
    run_python(&python, "exports.py", &[server.url()]);
    server.end();
}

#[test]
fn every_family_is_sent_in_every_format_that_can_hold_it() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let server = Server::config(&configuration(Access::Public, &writable_tree(folder.path(), "")));
    run_python(&python, "formats.py", &[server.url(), KEY]);
    server.end();
}

#[test]
fn answers_of_more_than_a_gigabyte_take_little_memory() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    run_python(&python, "large.py", &["make", &folder.path().display().to_string()]);
    let server = Server::directory(folder.path(), Access::Public);
    run_python(&python, "large.py", &["check", server.url(), &server.pid().to_string()]);
    server.end();
}

#[test]
fn clients_of_zarr_read_what_tileds_client_reads() {
    let Some(python) = python() else { return };
    let data = example_data();
    let server = Server::directory(data.path(), Access::Private);
    run_python(&python, "reads_zarr.py", &[server.url(), KEY]);
    server.end();
}

#[test]
fn the_python_client_reads_what_it_wrote() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let server = Server::config(&configuration(Access::Public, &writable_tree(folder.path(), "")));
    run_python(&python, "writes.py", &[server.url(), KEY]);
    server.end();
}

#[test]
fn the_python_client_reads_files_of_instruments() {
    let Some(python) = python() else { return };
    let fixtures = |plugin: &str| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        root.join("plugins").join(plugin).join("tests/fixtures")
    };
    let (frames, fits, data) = (fixtures("frames"), fixtures("fits"), tempfile::tempdir().unwrap());
    let place = |from: &Path, name: &str, to: &str| {
        let to = data.path().join(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from.join(name), to).unwrap();
    };
    for name in ["frames.edf", "pilatus.cbf", "counts.spe", "volume.mrc"] {
        place(&frames, name, &format!("frames/{name}"));
    }
    for number in 1..=3 {
        place(&frames, "pilatus.cbf", &format!("run/frame_{number:04}.cbf"));
    }
    place(&frames, "image.mrc", "maps/density.map");
    fs::write(data.path().join("maps/program.map"), "Archive member included to satisfy reference by file")
        .unwrap();
    for name in ["rice16.fits", "scaled.fits", "dither1.fits", "several.fits"] {
        place(&fits, name, &format!("sky/{name}"));
    }
    let server = Server::directory(data.path(), Access::Public);
    let expected = [&frames, &fits].map(|folder| folder.join("expected.json").display().to_string());
    run_python(&python, "reads_instruments.py", &[server.url(), &expected[0], &expected[1]]);
    server.end();
}

#[test]
fn arrays_of_lists_are_exported_as_awkward_writes_them() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display();
    let tree = format!(
        r#"
        [[trees]]
        path = "/"
        tree = "catalog"
        [trees.args]
        uri = "sqlite:///{path}/catalog.db"
        init_if_not_exists = true
        writable_storage = ["file://localhost{path}/data", "sqlite:///{path}/tables.db"]
        "#
    );
    let server = Server::config(&configuration(Access::Public, &tree));
    run_python(&python, "lists_as_tables.py", &[server.url(), KEY]);
    server.end();
}

/// Bluesky's own writer and client, for runs in tables that grow, arrays, and files of detectors.
#[test]
fn runs_that_bluesky_writes_are_what_its_documents_say() {
    let Some(python) = python() else { return };
    for tables in ["duckdb", "sqlite"] {
        let folder = tempfile::tempdir().unwrap();
        let detectors = folder.path().join("detectors");
        std::fs::create_dir(&detectors).unwrap();
        let path = folder.path().display();
        let storages = format!(
            r#"writable_storage = ["file://localhost{path}/data", "{tables}:///{path}/tables.db"]
            readable_storage = ["file://localhost{path}/detectors"]"#
        );
        let tree = writable_tree(folder.path(), "")
            .replace(&format!(r#"writable_storage = "file://localhost{path}/data""#), &storages);
        let server = Server::config(&configuration(Access::Private, &tree));
        let detectors = detectors.display().to_string();
        run_python(&python, "bluesky_runs.py", &[server.url(), KEY, &detectors]);
        server.end();
    }
}

//! Tiled's Python client, unchanged, against the built program.

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

//! One catalog under Tiled's server and ours: `clients/shares.py` says what is written, changed and read.

use tiled_tests::{KEY, Postgres, Tiled, python, run_python};

use crate::Place;

fn one_after_the_other(place: &Place) {
    let Some(python) = python() else { return };
    let run = |url: &str, steps: &[(&str, &str)]| {
        for &(what, name) in steps {
            run_python(&python, "shares.py", &[what, url, KEY, name]);
        }
    };
    std::fs::create_dir_all(place.path().join("data")).unwrap();
    let theirs = Tiled::serve(&python, &place.catalog, &place.storages);
    run(theirs.url(), &[("write", "theirs")]);
    theirs.end();
    let ours = place.serve();
    run(ours.url(), &[("read", "theirs"), ("change", "theirs"), ("changed", "theirs"), ("write", "ours")]);
    ours.end();
    let theirs = Tiled::serve(&python, &place.catalog, &place.storages);
    run(theirs.url(), &[("changed", "theirs"), ("read", "ours"), ("change", "ours"), ("changed", "ours")]);
    theirs.end();
    let ours = place.serve();
    run(ours.url(), &[("changed", "theirs"), ("changed", "ours")]);
    ours.end();
}

#[test]
fn what_tiled_and_we_write_in_turn_both_read_in_files() {
    one_after_the_other(&Place::files("duckdb"));
}

#[test]
fn what_tiled_and_we_write_in_turn_both_read_in_postgresql() {
    let Some(server) = Postgres::shared() else { return };
    one_after_the_other(&Place::database(server));
}

fn at_the_same_time(place: &Place, families: &str) {
    let Some(python) = python() else { return };
    std::fs::create_dir_all(place.path().join("data")).unwrap();
    let theirs = Tiled::serve(&python, &place.catalog, &place.storages);
    let ours = place.serve();
    run_python(&python, "shares.py", &["together", ours.url(), theirs.url(), KEY, families]);
    let log = theirs.log();
    assert!(!log.contains("500 Internal Server Error"), "{log}");
    theirs.end();
    ours.end();
}

#[test]
fn tiled_and_we_write_at_the_same_time_in_files() {
    // Tiled keeps no ragged arrays in SQLite, and DuckDB belongs to one process.
    at_the_same_time(&Place::files("sqlite"), "plain");
}

#[test]
fn tiled_and_we_write_at_the_same_time_in_postgresql() {
    let Some(server) = Postgres::shared() else { return };
    at_the_same_time(&Place::database(server), "ragged");
}

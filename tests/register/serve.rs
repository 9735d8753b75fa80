//! `serve catalog`, `catalog init`, and how a server ends.

use std::{fs, process::Command};

use tiled_tests::{Server, program, python};

use crate::{entries, listing, npy};

#[test]
fn a_temporary_catalog_goes_with_its_server() {
    let temporary = tempfile::tempdir().unwrap();
    let mut server = Server::with_words(&["serve", "catalog", "--temp"], temporary.path());
    assert!(listing(&server.owner(), "").is_empty());
    assert_eq!(entries(temporary.path()).len(), 1);
    assert_eq!(server.terminate().code(), Some(0));
    assert!(entries(temporary.path()).is_empty(), "{:?}", entries(temporary.path()));
    server.end();
}

#[test]
fn a_served_directory_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().unwrap();
    let data = tempfile::tempdir().unwrap();
    fs::write(data.path().join("a.npy"), npy(3, 1)).unwrap();
    let folder = data.path().display().to_string();
    let mut server = Server::with_words(&["serve", "directory", &folder, "--watch"], temporary.path());
    assert_eq!(listing(&server.owner(), ""), ["a"]);
    assert_eq!(server.terminate().code(), Some(0));
    assert!(entries(temporary.path()).is_empty(), "{:?}", entries(temporary.path()));
    server.end();
}

/// What the program ends with, and all it says.
fn run(words: &[&str]) -> (Option<i32>, String) {
    let output = program().args(words).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[test]
fn a_catalog_of_the_tiled_before_is_brought_up_to_date() {
    let Some(python) = python() else { return };
    let home = tempfile::tempdir().unwrap();
    let database = home.path().join("catalog.db").display().to_string();
    assert_eq!(run(&["catalog", "init", &database]).0, Some(0));
    let mut theirs = Command::new(python);
    theirs.args(["-m", "tiled", "catalog", "downgrade-database"]);
    let done = theirs.args([&format!("sqlite+aiosqlite:///{database}"), "3bc110ce44e9"]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let (code, text) = run(&["catalog", "check", &database]);
    assert!(code == Some(1) && text.contains("tiled-host catalog upgrade-database"), "{text}");
    let (code, text) = run(&["catalog", "upgrade-database", &database]);
    assert!(code == Some(0) && text.contains("917dbbcfc4b1"), "{text}");
    assert_eq!(run(&["catalog", "check", &database]).0, Some(0));
    let (code, text) = run(&["catalog", "upgrade-database", &database]);
    assert!(code == Some(0) && text.contains("nothing to do"), "{text}");
}

#[test]
fn a_catalog_is_made_checked_and_served() {
    let home = tempfile::tempdir().unwrap();
    let database = home.path().join("catalog.db").display().to_string();
    let (code, text) = run(&["catalog", "check", &database]);
    assert!(code == Some(1) && text.contains("tiled-host catalog init"), "{text}");
    let (code, text) = run(&["catalog", "init", &database]);
    assert!(code == Some(0) && text.contains("Database initialized."), "{text}");
    let (code, text) = run(&["catalog", "init", &database]);
    assert!(code == Some(1) && text.contains("already initialized"), "{text}");
    assert_eq!(run(&["catalog", "init", "--if-not-exists", &database]).0, Some(0));
    assert_eq!(run(&["catalog", "check", &database]).0, Some(0));
    assert_eq!(run(&["catalog", "upgrade-database", &database]).0, Some(0));
    let mut server = Server::with_words(&["serve", "catalog", &database, "--public"], home.path());
    assert_eq!(server.client().get("/api/v1/metadata/").status, 200);
    assert_eq!(server.terminate().code(), Some(0));
    server.end();
    let (code, text) = run(&["serve", "catalog"]);
    assert!(code == Some(2) && text.contains("<DATABASE>"), "{text}");
}

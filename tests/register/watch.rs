//! Folders that are followed.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use tiled_tests::{Server, program};

use crate::{Lab, eventually, listing, npy};

fn sorted(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn register_follows_a_folder_until_it_is_told_to_end() {
    let lab = Lab::open();
    lab.write("a.npy", &npy(3, 1));
    let data = lab.data().display().to_string();
    let mut command = program();
    command.args(lab.words(&["--prefix", "/lab", "--watch", &data])).stdout(Stdio::null());
    let mut watcher = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(watcher.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(said.any(|line| line.contains("Watching for changes")));
    eventually(&sorted(&["a"]), || lab.listing());
    lab.write("new/b.npy", &npy(3, 2));
    eventually(&sorted(&["a", "new", "new/b"]), || lab.listing());
    fs::rename(lab.data().join("a.npy"), lab.data().join("c.npy")).unwrap();
    eventually(&sorted(&["c", "new", "new/b"]), || lab.listing());
    lab.write("c.npy", &npy(7, 5));
    let values = || lab.server.owner().get("/api/v1/array/full/lab/c?format=application/octet-stream").body;
    eventually(&vec![5; 7], values);
    fs::remove_dir_all(lab.data().join("new")).unwrap();
    eventually(&sorted(&["c"]), || lab.listing());
    let pid = watcher.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(watcher.wait().unwrap().code(), Some(0));
    lab.server.end();
}

#[test]
fn a_served_directory_is_followed_with_watch() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    fs::create_dir_all(data.join("sub")).unwrap();
    fs::write(data.join("sub/a.npy"), npy(3, 1)).unwrap();
    let folder = data.display().to_string();
    let server =
        Server::with_words(&["serve", "directory", &folder, "--watch", "--include-ext", ".npy"], home.path());
    let list = || listing(&server.owner(), "");
    eventually(&sorted(&["sub", "sub/a"]), list);
    fs::write(data.join("sub/b.npy"), npy(3, 1)).unwrap();
    fs::write(data.join("sub/c.csv"), "x\n1\n").unwrap();
    eventually(&sorted(&["sub", "sub/a", "sub/b"]), list);
    fs::rename(data.join("sub"), data.join("moved")).unwrap();
    eventually(&sorted(&["moved", "moved/a", "moved/b"]), list);
    server.end();
}

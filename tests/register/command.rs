//! `tiled-host register` beside a server that runs on the same catalog.

use std::fs;

use crate::{Lab, npy, run};

#[test]
fn what_is_registered_is_served_at_once_and_not_opened_again() {
    let lab = Lab::open();
    lab.write("a.npy", &npy(3, 1));
    lab.write("run/frame1.npy", &npy(4, 2));
    lab.write("run/frame2.npy", &npy(4, 3));
    lab.write("run/table.csv", b"x,y\n1,2\n");
    lab.write("notes.md", b"none of ours");
    assert!(lab.listing().is_empty());
    let first = lab.register(&[]);
    assert_eq!(first.code, 0, "{}{}", first.out, first.err);
    assert!(first.out.contains("4 files") && first.out.contains("4 new nodes"), "{}", first.out);
    assert_eq!(lab.listing(), ["a", "run", "run/frame", "run/table"]);
    let values = lab.server.owner().get("/api/v1/array/full/lab/run/frame?format=application/octet-stream");
    assert_eq!(values.body, [2, 2, 2, 2, 3, 3, 3, 3]);
    let second = lab.register(&[]);
    assert!(second.out.contains("0 new nodes, 0 changed, 3 unchanged"), "{}", second.out);
    // A longer file has the same node, and the running server serves what it is now.
    let id = || {
        let node = lab.server.owner().get("/api/v1/metadata/lab/a?include_data_sources=true").json();
        node["data"]["attributes"]["data_sources"][0]["id"].clone()
    };
    let before = id();
    lab.write("a.npy", &npy(5, 9));
    let third = lab.register(&[]);
    assert!(third.out.contains("0 new nodes, 1 changed, 2 unchanged"), "{}", third.out);
    assert_eq!(id(), before);
    assert_eq!(
        lab.server.owner().get("/api/v1/array/full/lab/a?format=application/octet-stream").body,
        [9; 5]
    );
    lab.server.end();
}

#[test]
fn a_collision_keeps_both_and_keys_do_not_change_later() {
    let lab = Lab::open();
    lab.write("a.csv", b"x\n1\n");
    assert_eq!(lab.register(&[]).code, 0);
    lab.write("a.npy", &npy(2, 1));
    lab.write("b.npy", &npy(2, 1));
    lab.write("b.csv", b"x\n1\n");
    lab.write("b/inner.csv", b"x\n1\n");
    for _ in 0..2 {
        assert_eq!(lab.register(&[]).code, 0);
        assert_eq!(lab.listing(), ["a", "a.npy", "b", "b.csv", "b.npy", "b/inner"]);
    }
    let families = |key: &str| {
        let node = lab.server.owner().get(&format!("/api/v1/metadata/lab/{key}")).json();
        node["data"]["attributes"]["structure_family"].as_str().unwrap().to_owned()
    };
    assert_eq!(["a", "a.npy", "b", "b.csv"].map(families), ["table", "array", "container", "table"]);
    let again = lab.register(&["--overwrite", "--keep-ext"]);
    assert_eq!(again.code, 0, "{}", again.err);
    assert_eq!(lab.listing(), ["a.csv", "a.npy", "b", "b.csv", "b.npy", "b/inner.csv"]);
    lab.server.end();
}

#[test]
fn bad_files_are_named_and_stop_nothing() {
    let lab = Lab::open();
    lab.write("good.npy", &npy(2, 1));
    lab.write("bad.h5", b"not HDF5 at all");
    lab.write("cut.npy", &npy(100, 1)[..90]);
    lab.write("x.unknown", b"?");
    let mixed = lab.register(&[]);
    assert_eq!(mixed.code, 0, "{}", mixed.err);
    assert!(mixed.out.contains("bad.h5: "), "{}", mixed.out);
    assert!(mixed.out.contains("no plugin opens: 1 (.unknown 1)"), "{}", mixed.out);
    assert!(lab.listing().contains(&"good".to_owned()));
    fs::remove_file(lab.data().join("good.npy")).unwrap();
    fs::remove_file(lab.data().join("cut.npy")).unwrap();
    let none = lab.register(&[]);
    assert_eq!(none.code, 1);
    assert!(none.err.contains("nothing could be registered"), "{}", none.err);
    assert!(lab.listing().contains(&"good".to_owned()), "what is gone stays until it is wished away");
    assert_eq!(lab.register(&["--prune"]).code, 1);
    assert!(!lab.listing().contains(&"good".to_owned()));
    lab.server.end();
}

#[test]
fn flags_say_what_files_are_and_how_they_are_grouped() {
    let lab = Lab::open();
    lab.write("one.dat", b"x,y\n1,2\n");
    lab.write("s1.npy", &npy(2, 1));
    lab.write("s2.npy", &npy(2, 1));
    lab.write("part1.csv", b"x\n1\n");
    lab.write("part2.csv", b"x\n2\n");
    lab.write("raw/z.csv", b"x\n1\n");
    let flags = ["--ext", ".dat=text/csv", "--adapter", "text/csv=csv"];
    let walkers = ["--walker", "s*.npy=single", "--walker", "part*.csv=sequence", "--walker", "raw=skip"];
    let done = lab.register(&[&flags[..], &walkers[..]].concat());
    assert_eq!(done.code, 0, "{}", done.err);
    assert_eq!(lab.listing(), ["one", "part", "s1", "s2"]);
    let table = lab.server.owner().get("/api/v1/table/full/lab/part?format=text/csv");
    assert_eq!(table.text().lines().collect::<Vec<_>>(), ["x", "1", "2"]);
    lab.server.end();
}

#[test]
fn what_cannot_be_is_refused_with_what_to_do() {
    let lab = Lab::open();
    let outside = tempfile::tempdir().unwrap();
    let outside = outside.path().display().to_string();
    let refused = run(&lab.words(&["--prefix", "/lab", &outside]));
    assert!(refused.code == 1 && refused.err.contains("readable_storage"), "{}", refused.err);
    let data = lab.data().display().to_string();
    let refused = run(&lab.words(&[&data]));
    assert!(refused.code == 1 && refused.err.contains("--prefix at or below /lab"), "{}", refused.err);
    for (flag, value, reason) in [
        ("--walker", "my.module:walk", "Python function"),
        ("--mimetype-hook", "my.module:hook", "--ext"),
        ("--ext", ".dat", "'='"),
    ] {
        let refused = run(&lab.words(&[flag, value, &data]));
        assert!(refused.code == 2 && refused.err.contains(reason), "{flag}: {}", refused.err);
    }
    lab.server.end();
}

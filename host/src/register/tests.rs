//! Registration of real folders, with a file type of our own: a `.dat` file holds its shape as JSON.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::{Value, json};
use tiled_plugin_api::model::{Description, StructureFamily};

use super::*;
use crate::catalog::{NodeRow, PageRequest};

/// `.dat`: an array of the shape that stands in it. `.box`: a directory that is one thing. `.csv`: a table.
#[derive(Default)]
struct Shapes {
    described: AtomicUsize,
}

impl Identify for Shapes {
    fn identify(&self, path: &Path, is_directory: bool) -> Option<Identified> {
        let extension = path.extension()?.to_str()?;
        let named = |mimetype: &str, sequence: Option<&str>| Identified {
            mimetype: mimetype.to_owned(),
            sequence: sequence.map(str::to_owned),
        };
        match (extension, is_directory) {
            ("dat", false) => {
                Some(named("application/x-shape", Some("multipart/related;type=application/x-shape")))
            }
            ("box", true) => Some(named("application/x-box", None)),
            ("csv", false) => Some(named("text/csv", Some("multipart/related;type=text/csv"))),
            _ => None,
        }
    }

    fn describe(&self, mimetype: &str, paths: &[PathBuf]) -> Result<Description, String> {
        self.described.fetch_add(1, Ordering::Relaxed);
        let structure = match mimetype {
            "application/x-box" => return Ok(Description::container(0)),
            "text/csv" => json!({"columns": ["a"], "npartitions": 1}),
            "application/x-shape" => json!({"shape": read(&paths[0])?, "data_type": "f"}),
            _ => json!({"shape": [paths.len(), read(&paths[0])?], "data_type": "f"}),
        };
        let family = if mimetype == "text/csv" { StructureFamily::Table } else { StructureFamily::Array };
        Description::new(family, &structure).map_err(|error| error.to_string())
    }
}

fn read(path: &Path) -> Result<Value, String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    serde_json::from_str(&text).map_err(|_| "not a shape".to_owned())
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Folder(tempfile::tempdir().unwrap());
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn registrar(&self, options: Options) -> (Arc<Catalog>, Registrar) {
        let catalog = Arc::new(Catalog::temporary().unwrap());
        let identify = Arc::new(Shapes::default());
        let registrar = Registrar::new(catalog.clone(), ROOT, self.path(), options, identify).unwrap();
        (catalog, registrar)
    }

    /// Registers all; the paths of the nodes, and the names left out.
    fn registered(&self, options: Options) -> (Arc<Catalog>, Vec<String>, Vec<String>) {
        let (catalog, registrar) = self.registrar(options);
        registrar.run();
        let names = registrar
            .problems()
            .iter()
            .map(|p| p.path.file_name().unwrap().to_string_lossy().into())
            .collect();
        let paths = paths(&catalog);
        (catalog, paths, names)
    }
}

fn paths(catalog: &Catalog) -> Vec<String> {
    let all = PageRequest { limit: 1000, ..PageRequest::default() };
    let path = |row: NodeRow| {
        let mut keys = row.ancestors.unwrap();
        keys.push(row.key);
        keys.join("/")
    };
    let mut paths: Vec<String> =
        catalog.search_deep(ROOT, 64, &all).unwrap().rows.into_iter().map(path).collect();
    paths.sort();
    paths
}

#[test]
fn numbered_files_that_are_alike_become_one_node() {
    let folder = Folder::new(&[
        ("A2.dat", "[3]"),
        ("A1.dat", "[3]"),
        ("A3.dat", "[3]"),
        ("B1.dat", "[3]"),
        ("B2.dat", "[4]"),
        ("7.dat", "[1]"),
        ("one.dat", "[5]"),
        ("t1.csv", "a\n1"),
        ("t2.csv", "a\n1"),
    ]);
    let (catalog, found, _) = folder.registered(Options::default());
    assert_eq!(found, ["A", "B1", "B2", "_unnamed", "one", "t1", "t2"]);
    let (row, _) = catalog.lookup(&["A"]).unwrap().unwrap();
    assert_eq!(row.structure.as_deref(), Some("{\"shape\":[3,[3]],\"data_type\":\"f\"}"));
    let source = catalog.data_sources(row.id).unwrap().remove(0);
    assert_eq!(source.mimetype, "multipart/related;type=application/x-shape");
    let assets: Vec<_> = source.assets.iter().map(|a| (a.parameter.as_deref(), a.num, a.size)).collect();
    assert_eq!(assets, [0, 1, 2].map(|num| (Some("data_uris"), Some(num), Some(3))));
    assert!(
        source.assets[0].data_uri.starts_with("file://localhost/")
            && source.assets[0].data_uri.ends_with("/A1.dat")
    );
    let (row, _) = catalog.lookup(&["one"]).unwrap().unwrap();
    let source = catalog.data_sources(row.id).unwrap().remove(0);
    assert_eq!((source.assets[0].parameter.as_deref(), source.assets[0].num), (Some("data_uri"), None));
}

#[test]
fn a_bad_file_is_left_out_and_stops_nothing() {
    let folder = Folder::new(&[
        ("A1.dat", "[3]"),
        ("A2.dat", "bad"),
        ("A3.dat", "[3]"),
        ("x.dat", "bad"),
        ("y.dat", "[1]"),
    ]);
    let (catalog, found, mut left_out) = folder.registered(Options::default());
    assert_eq!(found, ["A", "y"]);
    left_out.sort();
    assert_eq!(left_out, ["A2.dat", "x.dat"]);
    let (row, _) = catalog.lookup(&["A"]).unwrap().unwrap();
    assert_eq!(catalog.data_sources(row.id).unwrap()[0].assets.len(), 2);
}

#[test]
fn keys_that_collide_lose_no_node() {
    let folder = Folder::new(&[
        ("a.dat", "[1]"),
        ("a.csv", "a\n1"),
        ("a/inner.dat", "[1]"),
        ("a.x.dat", "[2]"),
        (".hidden.dat", "[1]"),
        (".git/x.dat", "[1]"),
        ("unknown.zzz", ""),
        ("store.box/0.dat", "[1]"),
    ]);
    let (catalog, found, left_out) = folder.registered(Options::default());
    assert_eq!(found, ["a", "a-2", "a-2/inner", "a.dat", "a.x.dat", "store"]);
    assert!(left_out.is_empty());
    let (row, _) = catalog.lookup(&["a"]).unwrap().unwrap();
    let table = catalog.data_sources(row.id).unwrap().remove(0);
    assert_eq!((table.assets[0].parameter.as_deref(), table.assets[0].num), (Some("data_uris"), Some(0)));
    let (row, _) = catalog.lookup(&["store"]).unwrap().unwrap();
    let store = catalog.data_sources(row.id).unwrap().remove(0);
    assert_eq!((store.assets[0].is_directory, store.assets[0].size), (true, None));
    let (_, found, _) = folder.registered(Options { keep_ext: true, ..Options::default() });
    assert_eq!(found, ["a", "a.csv", "a.dat", "a.x.dat", "a/inner.dat", "store.box"]);
}

#[test]
fn links_do_not_lead_out_of_the_folder_and_pipes_are_not_opened() {
    let outside = Folder::new(&[("secret.dat", "[1]")]);
    let folder = Folder::new(&[("in.dat", "[1]"), ("sub/deep.dat", "[2]")]);
    let link = |to: &Path, name: &str| std::os::unix::fs::symlink(to, folder.path().join(name)).unwrap();
    link(&outside.path().join("secret.dat"), "out.dat");
    link(outside.path(), "outdir");
    link(&folder.path().join("in.dat"), "alias.dat");
    link(folder.path(), "sub/loop");
    link(Path::new("/nowhere/at/all"), "dangling.dat");
    let pipe = folder.path().join("pipe.dat");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let (_, found, mut left_out) = folder.registered(Options::default());
    assert_eq!(found, ["alias", "in", "sub", "sub/deep"]);
    left_out.sort();
    assert_eq!(left_out, ["dangling.dat", "loop", "out.dat", "outdir"]);
}

#[test]
fn a_listing_waits_only_for_the_folders_on_its_way() {
    let folder =
        Folder::new(&[("a/b/x.dat", "[1]"), ("a/y.dat", "[1]"), ("c/d/z.dat", "[1]"), ("c/w.dat", "[1]")]);
    let (catalog, registrar) = folder.registrar(Options::default());
    assert!(registrar.is_behind::<&str>(&[]) && paths(&catalog).is_empty());
    registrar.ensure(&["a"]);
    assert_eq!(paths(&catalog), ["a", "a/b", "a/y", "c"]);
    assert!(
        !registrar.is_behind(&["a"]) && !registrar.is_behind(&["a", "y"]) && !registrar.is_behind(&["nope"])
    );
    assert!(registrar.is_behind(&["a", "b"]) && registrar.is_behind(&["c", "w"]));
    registrar.ensure(&["c", "w", "column"]);
    assert_eq!(paths(&catalog), ["a", "a/b", "a/y", "c", "c/d", "c/w"]);
    let summary = registrar.run();
    assert_eq!((summary.nodes, paths(&catalog).len()), (8, 8));
    assert!(!registrar.is_behind(&["c", "d"]));
}

#[test]
fn many_who_ask_at_once_register_each_folder_once() {
    let names: Vec<String> = (0..40).map(|n| format!("f{}/g{}/x{n}y.dat", n % 5, n % 10)).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "[1]")).collect();
    let folder = Folder::new(&files);
    let catalog = Arc::new(Catalog::temporary().unwrap());
    let identify = Arc::new(Shapes::default());
    let registrar =
        Registrar::new(catalog.clone(), ROOT, folder.path(), Options::default(), identify.clone()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..6 {
            let registrar = &registrar;
            scope.spawn(move || {
                registrar.ensure(&[format!("f{}", thread % 5), format!("g{thread}")]);
                registrar.run();
            });
        }
    });
    assert_eq!(paths(&catalog).len(), 40 + 5 + 10);
    assert_eq!(identify.described.load(Ordering::Relaxed), 40);
    assert!(!registrar.is_behind::<&str>(&[]));
}

#[test]
fn a_file_or_a_store_is_one_node_and_overwriting_replaces_what_was_there() {
    let folder = Folder::new(&[("only.dat", "[1]"), ("s.box/x", ""), ("sub/a.dat", "[1]")]);
    let catalog = Arc::new(Catalog::temporary().unwrap());
    let register = |path: &str, overwrite| {
        let options = Options { overwrite, ..Options::default() };
        let identify = Arc::new(Shapes::default());
        Registrar::new(catalog.clone(), ROOT, &folder.path().join(path), options, identify).unwrap().run();
        paths(&catalog)
    };
    assert_eq!(register("only.dat", false), ["only"]);
    assert_eq!(register("s.box", false), ["only", "s"]);
    assert_eq!(register("only.dat", false), ["only", "only.dat", "s"]);
    assert_eq!(register("sub", true), ["a"]);
}

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
use crate::catalog::{NewNode, NodeRow, PageRequest};

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
            is_frame: extension == "dat",
        };
        match (extension, is_directory) {
            ("dat", false) => {
                Some(named("application/x-shape", Some("multipart/related;type=application/x-shape")))
            }
            ("box", true) => Some(named("application/x-box", None)),
            ("csv", false) => Some(named("text/csv", Some("text/csv"))),
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

pub(super) struct Folder(tempfile::TempDir);

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
    assert_eq!(found, ["a", "a.csv", "a.dat", "a.x.dat", "a/inner", "store"]);
    assert_eq!(left_out, ["unknown.zzz"]);
    let (row, _) = catalog.lookup(&["a.csv"]).unwrap().unwrap();
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
    assert_eq!(register("only.dat", false), ["only", "s"], "it is registered already");
    assert_eq!(register("sub", true), ["a"]);
}

/// A folder and a catalog that it is registered in again and again.
struct Again {
    folder: Folder,
    catalog: Arc<Catalog>,
    identify: Arc<Shapes>,
}

impl Again {
    fn new(files: &[(&str, &str)]) -> Self {
        let catalog = Arc::new(Catalog::temporary().unwrap());
        Again { folder: Folder::new(files), catalog, identify: Arc::new(Shapes::default()) }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// Registers; gives how many nodes were new, renewed, unchanged, removed, and how many files were opened.
    fn register(&self, options: Options) -> ([u64; 4], usize) {
        // A stamp is not trusted when the file was written just now.
        std::thread::sleep(std::time::Duration::from_millis(30));
        let opened = self.identify.described.swap(0, Ordering::Relaxed);
        assert!(opened < 1000);
        let options = Options { workers: 3, ..options };
        let registrar =
            Registrar::new(self.catalog.clone(), ROOT, self.folder.path(), options, self.identify.clone());
        let s = registrar.unwrap().run();
        ([s.nodes, s.renewed, s.unchanged, s.removed], self.identify.described.load(Ordering::Relaxed))
    }

    fn id(&self, path: &[&str]) -> i64 {
        let (row, depth) = self.catalog.lookup(path).unwrap().unwrap();
        assert_eq!(depth, path.len(), "{path:?}");
        row.id
    }

    fn structure(&self, path: &[&str]) -> String {
        self.catalog.lookup(path).unwrap().unwrap().0.structure.unwrap()
    }

    fn assets(&self, path: &[&str]) -> usize {
        self.catalog.data_sources(self.id(path)).unwrap()[0].assets.len()
    }
}

#[test]
fn files_that_did_not_change_are_not_opened_again_and_those_that_did_keep_their_node() {
    let again = Again::new(&[
        ("a.dat", "[1]"),
        ("a.csv", "a"),
        ("s1.dat", "[2]"),
        ("s2.dat", "[2]"),
        ("sub/b.dat", "[3]"),
        ("sub.x/c.dat", "[3]"),
        ("st.box/y", ""),
    ]);
    let (counts, _) = again.register(Options::default());
    assert_eq!(counts, [8, 0, 0, 0]);
    let before = paths(&again.catalog);
    let (counts, opened) = again.register(Options::default());
    assert_eq!((counts, opened), ([0, 0, 6, 0], 0));
    assert_eq!(paths(&again.catalog), before);
    let id = again.id(&["a.dat"]);
    again.write("a.dat", "[17]");
    again.write("sub/new.dat", "[3]");
    let (counts, _) = again.register(Options::default());
    assert_eq!(counts, [1, 1, 5, 0]);
    assert_eq!(
        (again.id(&["a.dat"]), again.structure(&["a.dat"])),
        (id, "{\"shape\":[17],\"data_type\":\"f\"}".into())
    );
    again.id(&["sub", "new"]);
    // Damaged now: the node stays, and the file is named.
    again.write("a.dat", "bad bad");
    let (counts, _) = again.register(Options::default());
    assert_eq!(counts, [0, 0, 6, 0]);
    assert!(again.structure(&["a.dat"]).contains("[17]"));
}

#[test]
fn a_sequence_grows_and_shrinks_in_its_node() {
    let again = Again::new(&[("s1.dat", "[2]"), ("s2.dat", "[2]"), ("s4.dat", "[2]")]);
    assert_eq!(again.register(Options::default()).0, [1, 0, 0, 0]);
    let id = again.id(&["s"]);
    again.write("s3.dat", "[2]");
    assert_eq!(again.register(Options::default()).0, [0, 1, 0, 0]);
    assert_eq!((again.id(&["s"]), again.assets(&["s"])), (id, 4));
    assert!(again.structure(&["s"]).contains("[4,[2]]"), "{}", again.structure(&["s"]));
    let source = again.catalog.data_sources(id).unwrap().remove(0);
    let names: Vec<_> =
        source.assets.iter().map(|asset| asset.data_uri.rsplit('/').next().unwrap()).collect();
    assert_eq!(names, ["s1.dat", "s2.dat", "s3.dat", "s4.dat"]);
    // One that is not like the others stands alone.
    again.write("s5.dat", "[9]");
    assert_eq!(again.register(Options::default()).0, [1, 0, 1, 0]);
    assert_eq!(again.id(&["s"]), id);
    again.id(&["s5"]);
    fs::remove_file(again.folder.path().join("s1.dat")).unwrap();
    assert_eq!(again.register(Options::default()).0, [0, 1, 1, 0]);
    assert_eq!((again.id(&["s"]), again.assets(&["s"])), (id, 3));
}

#[test]
fn what_is_gone_is_removed_only_on_demand_and_never_what_clients_wrote() {
    let again =
        Again::new(&[("a.dat", "[1]"), ("b.dat", "[1]"), ("sub/c.dat", "[1]"), ("mine/d.dat", "[1]")]);
    again.register(Options::default());
    let mine = again.id(&["mine"]);
    let mut written = NewNode::container("written");
    written.structure_family = StructureFamily::Array;
    written.data_sources.push(crate::catalog::NewDataSource {
        structure_family: StructureFamily::Array,
        structure: json!({"shape": [1]}),
        mimetype: "application/x-zarr".to_owned(),
        parameters: serde_json::Map::new(),
        properties: serde_json::Map::new(),
        management: crate::catalog::Management::Writable,
        assets: Vec::new(),
    });
    again.catalog.insert(mine, &written).unwrap();
    again.catalog.insert(ROOT, &NewNode::container("by hand")).unwrap();
    for gone in ["b.dat", "sub/c.dat", "mine/d.dat"] {
        fs::remove_file(again.folder.path().join(gone)).unwrap();
    }
    for gone in ["sub", "mine"] {
        fs::remove_dir(again.folder.path().join(gone)).unwrap();
    }
    assert_eq!(again.register(Options::default()).0, [0, 0, 1, 0]);
    assert_eq!(again.register(Options { prune: true, ..Options::default() }).0, [0, 0, 1, 2]);
    assert_eq!(paths(&again.catalog), ["a", "by hand", "mine", "mine/d", "mine/written"]);
    let identify = again.identify.clone();
    let overwrite = Options { overwrite: true, ..Options::default() };
    let refused = Registrar::new(again.catalog.clone(), ROOT, again.folder.path(), overwrite, identify);
    assert!(refused.err().unwrap().contains("data that clients wrote"));
}

#[test]
fn rules_and_suffixes_say_what_is_registered_and_how() {
    let folder = Folder::new(&[
        ("s1.dat", "[1]"),
        ("s2.dat", "[1]"),
        ("t1.csv", "a"),
        ("t2.csv", "a"),
        ("dark1.dat", "[1]"),
        ("raw/x1.dat", "[1]"),
        ("raw/x2.dat", "[1]"),
        ("skipped/x.dat", "[1]"),
    ]);
    let rules = ["raw/*=single", "t*.csv=sequence", "dark*=skip", "skipped=skip"];
    let rules: Vec<Rule> = rules.iter().map(|rule| rule.parse().unwrap()).collect();
    let (catalog, found, _) = folder.registered(Options { rules: rules.clone(), ..Options::default() });
    assert_eq!(found, ["raw", "raw/x1", "raw/x2", "s", "t"]);
    let (row, _) = catalog.lookup(&["t"]).unwrap().unwrap();
    assert_eq!(catalog.data_sources(row.id).unwrap()[0].assets.len(), 2);
    let (_, found, _) = folder.registered(Options { include: vec![".csv".to_owned()], ..Options::default() });
    assert_eq!(found, ["raw", "skipped", "t1", "t2"]);
}

#[test]
fn keys_that_somebody_else_takes_meanwhile_lose_no_node() {
    let again = Again::new(&[("a.dat", "[1]"), ("sub/x.dat", "[1]")]);
    let registrar = Registrar::new(
        again.catalog.clone(),
        ROOT,
        again.folder.path(),
        Options::default(),
        again.identify.clone(),
    )
    .unwrap();
    // It believes that nothing is there.
    again.catalog.insert(ROOT, &NewNode::container("a")).unwrap();
    again.catalog.insert(ROOT, &NewNode::container("sub")).unwrap();
    let summary = registrar.run();
    assert_eq!((summary.nodes, summary.problems), (3, 0));
    assert_eq!(paths(&again.catalog), ["a", "a.dat", "sub", "sub-2", "sub-2/x"]);
}

#[test]
fn what_happens_in_a_watched_folder_happens_in_the_catalog() {
    let again = Again::new(&[("a.dat", "[1]"), ("s1.dat", "[2]"), ("sub/deep/b.dat", "[1]")]);
    let root = again.folder.path().to_owned();
    let registrar =
        Registrar::watching(again.catalog.clone(), ROOT, &root, Options::default(), again.identify.clone());
    let registrar = Arc::new(registrar.unwrap());
    let worker = registrar.clone();
    let (ready, is_ready) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || worker.run_and_watch(|_| ready.send(()).unwrap()));
    is_ready.recv().unwrap();
    let soon = |wanted: &[&str]| {
        for _ in 0..200 {
            if paths(&again.catalog) == wanted {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        assert_eq!(paths(&again.catalog), wanted);
    };
    soon(&["a", "s", "sub", "sub/deep", "sub/deep/b"]);
    let id = again.id(&["a"]);
    again.write("new.dat", "[5]");
    again.write("s2.dat", "[2]");
    again.write("a.dat", "[123]");
    again.write(".hidden.dat", "[5]");
    soon(&["a", "new", "s", "sub", "sub/deep", "sub/deep/b"]);
    let eventually = |what: &dyn Fn() -> bool| {
        for _ in 0..200 {
            if what() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("it did not happen");
    };
    eventually(&|| again.structure(&["a"]).contains("123") && again.assets(&["s"]) == 2);
    assert_eq!(again.id(&["a"]), id);
    fs::rename(root.join("new.dat"), root.join("newer.dat")).unwrap();
    fs::remove_file(root.join("s1.dat")).unwrap();
    soon(&["a", "newer", "s", "sub", "sub/deep", "sub/deep/b"]);
    eventually(&|| again.assets(&["s"]) == 1);
    // A folder with what is in it: moved away, moved in, and written to afterwards.
    let elsewhere = Folder::new(&[("batch/x/c.dat", "[1]")]);
    fs::rename(elsewhere.path().join("batch"), root.join("batch")).unwrap();
    fs::rename(root.join("sub"), elsewhere.path().join("sub")).unwrap();
    soon(&["a", "batch", "batch/x", "batch/x/c", "newer", "s"]);
    again.write("batch/x/later.dat", "[1]");
    fs::create_dir_all(root.join("made/at/once")).unwrap();
    again.write("made/at/once/e.dat", "[1]");
    fs::rename(elsewhere.path().join("sub"), root.join("back")).unwrap();
    let wanted = ["a", "back", "back/deep", "back/deep/b", "batch", "batch/x", "batch/x/c", "batch/x/later"];
    let more = ["made", "made/at", "made/at/once", "made/at/once/e", "newer", "s"];
    soon(&[&wanted[..], &more[..]].concat());
    fs::remove_dir_all(root.join("batch")).unwrap();
    fs::remove_dir_all(root.join("made")).unwrap();
    fs::remove_file(root.join("s2.dat")).unwrap();
    soon(&["a", "back", "back/deep", "back/deep/b", "newer"]);
    registrar.stop();
    thread.join().unwrap();
}

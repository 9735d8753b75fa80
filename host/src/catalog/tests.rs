//! The catalog against a database that Tiled itself made, and its SQL against the answers for nodes in memory.

use rusqlite::Connection;
use serde_json::{Value, json};
use tiled_plugin_api::model::{Spec, StructureFamily};

use super::*;
use crate::query::{self, Operator, Pattern, parse_sort};

mod writing;

/// Runs a test on a new catalog in each kind of database.
fn on_each(test: impl Fn(&Catalog)) {
    test(&Catalog::temporary().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let uri = format!("sqlite:///{}", directory.path().join("catalog.db").display());
    test(&Catalog::open(&uri, true).unwrap());
}

/// A database made by Tiled 0.2.20, in a directory of its own, with Tiled's journal mode.
fn made_by_tiled() -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("catalog.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch(include_str!("testdata/tiled_0_2_20.sql")).unwrap();
    let uri = format!("sqlite:///{}", path.display());
    (directory, uri)
}

fn keys(page: &Page) -> Vec<&str> {
    page.rows.iter().map(|row| row.key.as_str()).collect()
}

fn asking(queries: Vec<Query>) -> PageRequest {
    PageRequest { queries, ..PageRequest::default() }
}

#[test]
fn the_tables_are_those_that_tiled_makes() {
    let schema = |path: &Path| -> Vec<(String, String, Option<String>)> {
        let connection = Connection::open(path).unwrap();
        let mut statement =
            connection.prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        rows.collect::<rusqlite::Result<_>>().unwrap()
    };
    let (theirs, _) = made_by_tiled();
    let ours = tempfile::tempdir().unwrap();
    let path = ours.path().join("catalog.db");
    Catalog::open(&format!("sqlite:///{}", path.display()), true).unwrap();
    assert_eq!(schema(&path), schema(&theirs.path().join("catalog.db")));
}

#[test]
fn a_path_leads_to_the_deepest_node_there_is() {
    let (_directory, uri) = made_by_tiled();
    let catalog = Catalog::open(&uri, false).unwrap();
    let check = |path: &[&str], key: &str, consumed: usize| {
        let (row, found) = catalog.lookup(path).unwrap().unwrap();
        assert_eq!((row.key.as_str(), found), (key, consumed), "{path:?}");
    };
    check(&[], "", 0);
    check(&["nope"], "", 0);
    check(&["sub"], "sub", 1);
    check(&["sub", "deeper", "arr"], "arr", 3);
    check(&["sub", "f", "g", "y"], "f", 2);
    check(&["sub", "nope", "arr"], "sub", 1);
    let long: Vec<&str> = ["sub", "deeper", "arr"].into_iter().chain(["x"; 200]).collect();
    check(&long, "arr", 3);

    let (row, _) = catalog.lookup_from(ROOT, &["sub", "f"], Some(100)).unwrap().unwrap();
    assert_eq!(row.structure.as_deref(), Some("{\"keys\":[\"g\",\"x\"]}"));
    assert_eq!(row.metadata, "{\"color\":\"red\"}");
    assert_eq!(row.data_source.unwrap().mimetype, "application/x-hdf5");
    assert_eq!(row.structure_family, StructureFamily::Container);
    assert_eq!(row.children, Some(0));
    let (row, _) = catalog.lookup_from(ROOT, &["sub"], Some(1)).unwrap().unwrap();
    assert_eq!((row.children, row.data_source, row.structure), (Some(1), None, None));
}

#[test]
fn paths_deeper_than_one_query_are_walked_in_pieces() {
    let catalog = Catalog::temporary().unwrap();
    let mut parent = ROOT;
    for level in 0..120 {
        parent = catalog.insert(parent, &NewNode::container(&format!("k{level}"))).unwrap();
    }
    let path: Vec<String> = (0..120).map(|level| format!("k{level}")).collect();
    let mut path: Vec<&str> = path.iter().map(String::as_str).collect();
    path.push("nope");
    let (row, consumed) = catalog.lookup(&path).unwrap().unwrap();
    assert_eq!((row.id, consumed), (parent, 120));
    let deep = catalog.search_deep(ROOT, 64, &PageRequest::default()).unwrap();
    assert_eq!(deep.rows.len(), 64);
}

#[test]
fn data_sources_and_revisions_are_those_that_tiled_wrote() {
    let (_directory, uri) = made_by_tiled();
    let catalog = Catalog::open(&uri, false).unwrap();
    let sources = catalog.data_sources(1).unwrap();
    assert_eq!(sources.len(), 1);
    assert_eq!(sources[0].mimetype, "multipart/related;type=image/tiff");
    assert_eq!(sources[0].management, Management::External);
    let assets: Vec<_> = sources[0].assets.iter().map(|a| (a.data_uri.as_str(), a.num, a.size)).collect();
    assert_eq!(assets[2], ("file://localhost/data/A0002.tif", Some(2), Some(280)));
    assert_eq!(sources[0].assets[0].parameter.as_deref(), Some("data_uris"));
    assert_eq!(catalog.data_sources_of(&[1, 2, 4, 5]).unwrap().len(), 3);
    let revisions = catalog.revisions(8, 0, 10).unwrap();
    assert_eq!(revisions.len(), 1);
    assert!(revisions[0].metadata.contains("\"red\""));
    assert_eq!(revisions[0].specs, [Spec::named("alpha")]);
}

#[test]
fn the_id_of_a_structure_is_tileds() {
    let (directory, _) = made_by_tiled();
    let connection = Connection::open(directory.path().join("catalog.db")).unwrap();
    let mut statement = connection.prepare("SELECT id, structure FROM structures").unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut seen = 0;
    while let Some(row) = rows.next().unwrap() {
        let (id, text): (String, String) = (row.get(0).unwrap(), row.get(1).unwrap());
        assert_eq!(insert::structure_id(&serde_json::from_str(&text).unwrap()), id);
        seen += 1;
    }
    assert_eq!(seen, 5);
}

#[test]
fn pages_follow_each_other_by_cursor_and_by_offset() {
    let (_directory, uri) = made_by_tiled();
    let catalog = Catalog::open(&uri, false).unwrap();
    let mut request = PageRequest { limit: 2, counting: Counting::UpTo(3), ..PageRequest::default() };
    let first = catalog.page(ROOT, &request).unwrap();
    assert_eq!(keys(&first), ["A", "table"]);
    assert_eq!(first.count, Some(Count { value: 4, exact: false }));
    assert!(first.rows[0].structure.as_deref().is_some_and(|text| text.contains("\"shape\":[3,3,4]")));
    request.start = Start::Cursor(first.next_cursor.unwrap());
    request.counting = Counting::Exact;
    let second = catalog.page(ROOT, &request).unwrap();
    assert_eq!(keys(&second), ["single", "sub"]);
    assert_eq!(second.count, Some(Count { value: 5, exact: true }));
    request.start = Start::Offset(4);
    let last = catalog.page(ROOT, &request).unwrap();
    assert_eq!((keys(&last), last.next_cursor, last.has_more), (vec!["meta"], None, false));
    request.sorting = parse_sort(&["-"]).unwrap();
    request.start = Start::Cursor(4);
    assert_eq!(keys(&catalog.page(ROOT, &request).unwrap()), ["single", "table"]);
    request = PageRequest { limit: 0, counting: Counting::Exact, ..PageRequest::default() };
    assert_eq!(catalog.page(ROOT, &request).unwrap().count, Some(Count { value: 5, exact: true }));
    assert_eq!(catalog.count(ROOT).unwrap(), 5);
    let content = Content::Keys;
    assert_eq!(catalog.page(ROOT, &PageRequest { content, ..PageRequest::default() }).unwrap().rows.len(), 5);
}

#[test]
fn a_deep_search_gives_the_ancestors() {
    let (_directory, uri) = made_by_tiled();
    let catalog = Catalog::open(&uri, false).unwrap();
    let arrays = asking(vec![Query::StructureFamily { family: StructureFamily::Array }]);
    let page = catalog.search_deep(ROOT, 64, &arrays).unwrap();
    assert_eq!(keys(&page), ["A", "single", "arr"]);
    assert_eq!(page.rows[2].ancestors.as_deref(), Some(&["sub".to_owned(), "deeper".to_owned()][..]));
    assert_eq!(page.rows[0].ancestors.as_deref(), Some(&[][..]));
    assert_eq!(keys(&catalog.search_deep(ROOT, 1, &arrays).unwrap()), ["A", "single"]);
    let below = catalog.search_deep(4, 64, &PageRequest { limit: 1, ..arrays.clone() }).unwrap();
    assert_eq!((keys(&below), below.has_more), (vec!["arr"], false));
    assert_eq!(below.rows[0].ancestors.as_ref().map(Vec::len), Some(2));
}

#[test]
fn full_text_searches_use_the_index_and_bad_ones_are_the_callers_fault() {
    let (_directory, uri) = made_by_tiled();
    let catalog = Catalog::open(&uri, false).unwrap();
    let search = |text: &str| catalog.page(ROOT, &asking(vec![Query::FullText { text: text.to_owned() }]));
    assert_eq!(keys(&search("blue").unwrap()), ["meta"]);
    assert_eq!(keys(&search("blu").unwrap()), Vec::<&str>::new());
    assert_eq!(keys(&search("blu*").unwrap()), ["meta"]);
    assert_eq!(keys(&search("red-blue").unwrap()), Vec::<&str>::new());
    let error = search("\"blue").unwrap_err();
    assert!(error.is_callers_fault(), "{error}");
    assert!(error.to_string().contains("filter[fulltext]"), "{error}");
}

#[test]
fn distinct_values_are_counted() {
    let catalog = Catalog::temporary().unwrap();
    let metadata = [
        json!({"c": "red"}),
        json!({"c": 10}),
        json!({}),
        json!({"c": "red"}),
        json!({"c": 9}),
        json!({"c": null}),
    ];
    let nodes = metadata.into_iter().enumerate().map(|(at, metadata)| NewNode {
        metadata,
        specs: if at == 0 { vec![Spec::named("x")] } else { vec![] },
        ..NewNode::container(&at.to_string())
    });
    catalog.insert_many(ROOT, &nodes.collect::<Vec<_>>()).unwrap();
    let request = DistinctRequest {
        metadata: vec!["c".into()],
        structure_families: true,
        specs: true,
        ..DistinctRequest::default()
    };
    let found = catalog.distinct(ROOT, &request).unwrap();
    let pairs =
        |values: &[DistinctValue]| -> Value { values.iter().map(|v| json!([v.value, v.count])).collect() };
    assert_eq!(pairs(&found.metadata[0].1), json!([[9, 1], [10, 1], ["red", 2], [null, 2]]));
    assert_eq!(pairs(&found.structure_families.unwrap()), json!([["container", 6]]));
    assert_eq!(pairs(&found.specs.unwrap()), json!([[[], 5], [[{"name": "x", "version": null}], 1]]));
}

#[test]
fn commits_of_anybody_change_the_generation() {
    let (directory, uri) = made_by_tiled();
    let catalog = Catalog::open(&uri, false).unwrap();
    let before = catalog.generation();
    assert_eq!(before, catalog.generation());
    let other = Connection::open(directory.path().join("catalog.db")).unwrap();
    other.execute("UPDATE nodes SET metadata = '{}' WHERE id = 5", []).unwrap();
    let after = catalog.generation();
    assert_ne!(before, after);
    catalog.insert(ROOT, &NewNode::container("new")).unwrap();
    assert_ne!(after, catalog.generation());

    let own = Catalog::temporary().unwrap();
    let before = own.generation();
    own.insert(ROOT, &NewNode::container("new")).unwrap();
    assert_ne!(before, own.generation());
}

#[test]
fn a_taken_key_is_a_collision_and_leaves_nothing_behind() {
    let catalog = Catalog::temporary().unwrap();
    let nodes = [NewNode::container("a"), NewNode::container("b"), NewNode::container("a")];
    assert!(
        matches!(catalog.insert_many(ROOT, &nodes), Err(CatalogError::Collision { path }) if path == "a")
    );
    assert_eq!(catalog.count(ROOT).unwrap(), 0);
    let ids = catalog.insert_many(ROOT, &nodes[..2]).unwrap();
    catalog.insert(ids[0], &NewNode::container("deep")).unwrap();
    catalog.remove(&ids[..1]).unwrap();
    assert_eq!(keys(&catalog.search_deep(ROOT, 64, &PageRequest::default()).unwrap()), ["b"]);
}

#[test]
fn databases_of_other_versions_are_refused_with_what_to_do() {
    let check = |revision: Option<&str>, wanted: &str| {
        let (directory, uri) = made_by_tiled();
        let connection = Connection::open(directory.path().join("catalog.db")).unwrap();
        match revision {
            Some(revision) => connection.execute("UPDATE alembic_version SET version_num = ?1", [revision]),
            None => connection.execute("DELETE FROM alembic_version", []),
        }
        .unwrap();
        let text = Catalog::open(&uri, true).err().unwrap().to_string();
        assert!(text.contains(wanted), "{text}");
    };
    check(Some("3e87cbeb195b"), "tiled catalog upgrade-database sqlite:///");
    check(Some("ffffffffffff"), "\"ffffffffffff\"");
    check(None, "tiled-host catalog init sqlite:///");
    let text = Catalog::open("sqlite:////nowhere/x.db", false).err().unwrap().to_string();
    assert!(text.contains("No catalog database found"), "{text}");
}

#[test]
fn a_database_that_cannot_be_written_beside_is_served() {
    let (directory, uri) = made_by_tiled();
    let path = directory.path().join("catalog.db");
    Connection::open(&path).unwrap().query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
    let mut rights = std::fs::metadata(directory.path()).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut rights, 0o555);
    std::fs::set_permissions(directory.path(), rights.clone()).unwrap();
    let catalog = Catalog::open(&uri, false);
    let count = catalog.map(|catalog| catalog.count(ROOT).unwrap());
    std::os::unix::fs::PermissionsExt::set_mode(&mut rights, 0o755);
    std::fs::set_permissions(directory.path(), rights).unwrap();
    assert_eq!(count.unwrap(), 5);
}

/// A small generator of numbers, so that a failure comes back.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }

    fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.roll(items.len())].clone()
    }

    fn value(&mut self) -> Value {
        let values = json!([
            null, true, false, 0, 1, 2, 10, -1, 1.0, 1.5, 1e300, 9007199254740993_i64, 9007199254740992.0,
            "", "red", "Red", "blue red", "1", "é", "a\"b", "%", [], [1], [1.0, "red"], ["red"], [null], {}, {"x": 1},
            {"red": 1}, {"x": 1.0}, [{"x": 1}], 18446744073709551615_u64
        ]);
        let values = values.as_array().unwrap();
        self.pick(values)
    }

    fn key(&mut self) -> String {
        self.pick(&["a", "b", "a.b", "é.x", "q\"t", "a..b", "", "0", "a b"]).to_owned()
    }

    fn metadata(&mut self) -> Value {
        let mut metadata = json!({});
        for _ in 0..self.roll(4) {
            let (key, value) = (self.key(), self.value());
            let mut at = &mut metadata;
            for segment in key.split('.') {
                if !at.is_object() {
                    *at = json!({});
                }
                at = &mut at[segment];
            }
            *at = value;
        }
        metadata
    }

    fn query(&mut self) -> Query {
        let (key, value) = (self.key(), self.value());
        let values = (0..self.roll(4)).map(|_| self.value()).collect();
        match self.roll(12) {
            0 => Query::Eq { key, value },
            1 => Query::NotEq { key, value },
            2 | 3 => {
                let operator = self.pick(&[Operator::Lt, Operator::Le, Operator::Gt, Operator::Ge]);
                let value =
                    self.pick(&[json!(1), json!(1.5), json!("red"), json!(true), json!(9007199254740992.0)]);
                Query::Comparison { operator, key, value }
            }
            4 => Query::Contains { key, value },
            5 => Query::In { key, values },
            6 => Query::NotIn { key, values },
            7 => Query::KeyPresent { key, exists: self.roll(2) == 0 },
            8 => Query::Like { key, pattern: self.pick(&["r%", "%E_", "%", "_", "\\%", "É"]).to_owned() },
            9 => {
                let text = self.pick(&["^r", "ed", "É", "^$", "[0-9]"]);
                Query::Regex { key, pattern: Pattern::new(text, self.roll(2) == 0).unwrap() }
            }
            10 => {
                Query::Specs { include: vec![self.pick(&["x", "y"]).to_owned()], exclude: vec!["z".into()] }
            }
            _ => Query::KeysFilter { keys: vec![self.roll(300).to_string(), self.roll(300).to_string()] },
        }
    }
}

/// 300 nodes of random metadata.
fn random_catalog(dice: &mut Dice) -> (Catalog, Vec<NewNode>) {
    let catalog = Catalog::temporary().unwrap();
    let mut nodes = Vec::new();
    for at in 0..300 {
        let specs = ["x", "y", "z"].into_iter().filter(|_| dice.roll(2) == 0).map(Spec::named).collect();
        nodes.push(NewNode { metadata: dice.metadata(), specs, ..NewNode::container(&at.to_string()) });
    }
    catalog.insert_many(ROOT, &nodes).unwrap();
    (catalog, nodes)
}

#[test]
fn the_database_answers_queries_as_memory_does() {
    let mut dice = Dice(0x5eed);
    let (catalog, nodes) = random_catalog(&mut dice);
    let mut hits = 0;
    for _ in 0..3000 {
        let query = dice.query();
        let request = PageRequest { limit: 300, content: Content::Keys, ..asking(vec![query.clone()]) };
        let page = catalog.page(ROOT, &request).unwrap_or_else(|error| panic!("{query:?}: {error}"));
        let container = StructureFamily::Container;
        let wanted: Vec<&str> = nodes
            .iter()
            .filter(|node| query::matches(&query, &node.key, container, &node.specs, &node.metadata))
            .map(|node| node.key.as_str())
            .collect();
        assert_eq!(keys(&page), wanted, "{query:?}");
        hits += wanted.len();
    }
    assert!(hits > 10_000, "the queries hit too little to say anything: {hits}");
}

#[test]
fn the_database_sorts_as_memory_does() {
    let mut dice = Dice(0xbeef);
    let (catalog, nodes) = random_catalog(&mut dice);
    for _ in 0..200 {
        let mut items: Vec<String> = Vec::new();
        for key in ["a", "b", "a.b", "id"] {
            if dice.roll(2) == 0 {
                items.push(format!("{}{key}", dice.pick(&["", "-", "+"])));
            }
        }
        if dice.roll(2) == 0 {
            items.push("-".to_owned());
        }
        let sorting = parse_sort(&items).unwrap();
        let request = PageRequest { limit: 300, sorting: sorting.clone(), ..PageRequest::default() };
        let mut wanted: Vec<&NewNode> = nodes.iter().collect();
        query::sort_in_memory(&mut wanted, &sorting, |node| (&node.key, &node.metadata));
        let wanted: Vec<&str> = wanted.iter().map(|node| node.key.as_str()).collect();
        assert_eq!(keys(&catalog.page(ROOT, &request).unwrap()), wanted, "{items:?}");
    }
}

//! The catalog against a database that Tiled itself made, and its SQL against the answers for nodes in memory.

use rusqlite::Connection;
use serde_json::{Value, json};
use tiled_plugin_api::model::{Spec, StructureFamily};

use super::*;
use crate::query::{self, Operator, Pattern, parse_sort};

mod admin;
mod postgres;
mod random;
mod search;
mod server;
mod speed;
mod writing;

/// Runs a test on a new catalog in each kind of database.
fn on_each(test: impl Fn(&Catalog)) {
    test(&Catalog::temporary().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let uri = format!("sqlite:///{}", directory.path().join("catalog.db").display());
    test(&Catalog::open(&uri, true).unwrap());
    if let Some(server) = server::shared() {
        test(&Catalog::open(&server.database(), true).unwrap());
    }
}

/// Whether the catalog has to find a container of these specs and metadata.
fn is_found(
    catalog: &Catalog,
    query: &Query,
    key: &str,
    family: StructureFamily,
    specs: &[Spec],
    metadata: &Value,
) -> bool {
    // With Tiled, nodes without a value are in no list for SQLite, and not in any for PostgreSQL.
    if let (Query::NotIn { key: of, values }, Store::Postgres(_)) = (query, &catalog.store) {
        let any = Query::In { key: of.clone(), values: values.clone() };
        return !query::matches(&any, key, family, specs, metadata);
    }
    query::matches(query, key, family, specs, metadata)
}

/// Runs a test on a catalog with the rows that Tiled 0.2.20 made, in each kind of database.
fn on_each_made_by_tiled(test: impl Fn(&Catalog)) {
    let (directory, uri) = made_by_tiled();
    test(&Catalog::open(&uri, false).unwrap());
    if let Some(server) = server::shared() {
        let uri = server.database();
        let catalog = Catalog::open(&uri, true).unwrap();
        copy(&directory.path().join("catalog.db"), &catalog);
        test(&catalog);
    }
}

/// Copies the rows of an SQLite file to the same tables of another database.
fn copy(from: &Path, to: &Catalog) {
    let from = Connection::open(from).unwrap();
    let tables = [
        "nodes",
        "access_tags",
        "structures",
        "assets",
        "node_access_tags_association",
        "data_sources",
        "revisions",
        "data_source_asset_association",
    ];
    let copy_row = |session: &session::Session<'_>, table: &str, row: &rusqlite::Row<'_>| {
        let statement: &rusqlite::Statement<'_> = row.as_ref();
        let columns: Vec<&str> = statement.column_names().collect();
        let place = |(at, name): (usize, &&str)| match *name {
            "time_created" | "time_updated" => format!("CAST(CAST(?{} AS TEXT) AS TIMESTAMP)", at + 1),
            _ => format!("?{}", at + 1),
        };
        let places: Vec<String> = columns.iter().enumerate().map(place).collect();
        let value = |at: usize| match row.get::<_, rusqlite::types::Value>(at).unwrap() {
            rusqlite::types::Value::Integer(value) => sql::Param::Int(value),
            rusqlite::types::Value::Text(value) => sql::Param::Text(value),
            rusqlite::types::Value::Null => sql::Param::Null,
            other => panic!("{other:?}"),
        };
        let values: Vec<sql::Param> = (0..columns.len()).map(value).collect();
        let (columns, places) = (columns.join(", "), places.join(", "));
        session.execute(
            &format!("INSERT INTO {table}({columns}) VALUES ({places}) ON CONFLICT DO NOTHING"),
            &values,
        )
    };
    to.store
        .write("copying", |session| {
            for table in tables {
                let mut statement = from.prepare(&format!("SELECT * FROM {table} ORDER BY 1")).unwrap();
                let mut rows = statement.query([]).unwrap();
                while let Some(row) = rows.next().unwrap() {
                    copy_row(session, table, row)?;
                }
            }
            for table in ["nodes", "access_tags", "assets", "data_sources", "revisions"] {
                session.script(&format!(
                    "SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) + 1 FROM {table}))"
                ))?;
            }
            Ok(())
        })
        .unwrap();
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

fn parsed(text: Option<&str>) -> Value {
    serde_json::from_str(text.unwrap()).unwrap()
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
    on_each_made_by_tiled(|catalog| {
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
        assert_eq!(parsed(row.structure.as_deref()), json!({"keys": ["g", "x"]}));
        assert_eq!(parsed(Some(&row.metadata)), json!({"color": "red"}));
        assert_eq!(row.data_source.unwrap().mimetype, "application/x-hdf5");
        assert_eq!(row.structure_family, StructureFamily::Container);
        assert_eq!(row.children, Some(0));
        let (row, _) = catalog.lookup_from(ROOT, &["sub"], Some(1)).unwrap().unwrap();
        assert_eq!((row.children, row.data_source, row.structure), (Some(1), None, None));
    });
}

#[test]
fn paths_deeper_than_one_query_are_walked_in_pieces() {
    on_each(|catalog| {
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
    });
}

#[test]
fn data_sources_and_revisions_are_those_that_tiled_wrote() {
    on_each_made_by_tiled(|catalog| {
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
    });
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
    on_each_made_by_tiled(|catalog| {
        let mut request = PageRequest { limit: 2, counting: Counting::UpTo(3), ..PageRequest::default() };
        let first = catalog.page(ROOT, &request).unwrap();
        assert_eq!(keys(&first), ["A", "table"]);
        assert_eq!(first.count, Some(Count { value: 4, exact: false }));
        assert_eq!(parsed(first.rows[0].structure.as_deref())["shape"], json!([3, 3, 4]));
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
        assert_eq!(
            catalog.page(ROOT, &PageRequest { content, ..PageRequest::default() }).unwrap().rows.len(),
            5
        );
    });
}

#[test]
fn a_deep_search_gives_the_ancestors() {
    on_each_made_by_tiled(|catalog| {
        let arrays = asking(vec![Query::StructureFamily { family: StructureFamily::Array }]);
        let page = catalog.search_deep(ROOT, 64, &arrays).unwrap();
        assert_eq!(keys(&page), ["A", "single", "arr"]);
        assert_eq!(page.rows[2].ancestors.as_deref(), Some(&["sub".to_owned(), "deeper".to_owned()][..]));
        assert_eq!(page.rows[0].ancestors.as_deref(), Some(&[][..]));
        assert_eq!(keys(&catalog.search_deep(ROOT, 1, &arrays).unwrap()), ["A", "single"]);
        let below = catalog.search_deep(4, 64, &PageRequest { limit: 1, ..arrays.clone() }).unwrap();
        assert_eq!((keys(&below), below.has_more), (vec!["arr"], false));
        assert_eq!(below.rows[0].ancestors.as_ref().map(Vec::len), Some(2));
    });
}

#[test]
fn full_text_searches_use_the_index_and_bad_ones_are_the_callers_fault() {
    on_each_made_by_tiled(|catalog| {
        let search =
            |text: &str| catalog.page(ROOT, &asking(vec![Query::FullText { text: text.to_owned() }]));
        assert_eq!(keys(&search("blue").unwrap()), ["meta"]);
        assert_eq!(keys(&search("blu").unwrap()), Vec::<&str>::new());
        assert_eq!(keys(&search("blu*").unwrap()), ["meta"]);
        assert_eq!(keys(&search("red-blue").unwrap()), Vec::<&str>::new());
        let error = search("\"blue").unwrap_err();
        assert!(error.is_callers_fault(), "{error}");
        assert!(error.to_string().contains("filter[fulltext]"), "{error}");
    });
}

#[test]
fn distinct_values_are_counted() {
    on_each(|catalog| {
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
        let pairs = |values: &[DistinctValue]| -> Value {
            values.iter().map(|v| json!([v.value, v.count])).collect()
        };
        assert_eq!(pairs(&found.metadata[0].1), json!([[9, 1], [10, 1], ["red", 2], [null, 2]]));
        assert_eq!(pairs(&found.structure_families.unwrap()), json!([["container", 6]]));
        assert_eq!(pairs(&found.specs.unwrap()), json!([[[], 5], [[{"name": "x", "version": null}], 1]]));
    });
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
    on_each(|catalog| {
        let nodes = [NewNode::container("a"), NewNode::container("b"), NewNode::container("a")];
        assert!(
            matches!(catalog.insert_many(ROOT, &nodes), Err(CatalogError::Collision { path }) if path == "a")
        );
        assert_eq!(catalog.count(ROOT).unwrap(), 0);
        let ids = catalog.insert_many(ROOT, &nodes[..2]).unwrap();
        catalog.insert(ids[0], &NewNode::container("deep")).unwrap();
        catalog.remove(&ids[..1]).unwrap();
        assert_eq!(keys(&catalog.search_deep(ROOT, 64, &PageRequest::default()).unwrap()), ["b"]);
    });
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
    check(Some("3e87cbeb195b"), "tiled-host catalog upgrade-database sqlite:///");
    check(Some("c31f6a1d7e20"), "tiled catalog upgrade-database sqlite:///");
    check(Some("ffffffffffff"), "\"ffffffffffff\"");
    check(None, "tiled-host catalog init sqlite:///");
    let text = Catalog::open("sqlite:////nowhere/x.db", false).err().unwrap().to_string();
    assert!(text.contains("No catalog database found"), "{text}");
}

#[test]
fn a_copy_that_lost_its_write_ahead_log_gets_one_when_it_is_written() {
    let (directory, uri) = made_by_tiled();
    let path = directory.path().join("catalog.db");
    let mode = || -> String {
        let connection = Connection::open(&path).unwrap();
        connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(mode(), "delete");
    let catalog = Catalog::open(&uri, false).unwrap();
    assert_eq!(catalog.count(ROOT).unwrap(), 5);
    assert_eq!(mode(), "delete");
    catalog.build_search_index(|_| true).unwrap();
    assert_eq!(mode(), "wal");
    assert_eq!(catalog.count(ROOT).unwrap(), 5);
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

//! What only a database server can do to us: restart, deadlock, commits from elsewhere, values it cannot hold.

use std::sync::atomic::{AtomicBool, Ordering};

use super::server::{Server, config, shared};
use super::*;
use crate::catalog::link::Link;

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn commits_of_other_processes_change_the_generation_and_reads_do_not() {
    let Some(server) = shared() else { return };
    let uri = server.database();
    let catalog = Catalog::open(&uri, true).unwrap();
    let other = Link::open(&config(&uri)).unwrap_or_else(|failure| panic!("{failure}"));
    let run = |sql: &str| other.simple(sql).unwrap_or_else(|failure| panic!("{sql}: {failure}"));
    let mut before = catalog.generation();
    for _ in 0..3 {
        run("BEGIN; INSERT INTO nodes(parent, key, structure_family, metadata, specs) \
             VALUES (0, gen_random_uuid()::text, 'container', '{}', '[]')");
        let count = catalog.count(ROOT).unwrap();
        run("COMMIT");
        let after = catalog.generation();
        assert_ne!(before, after);
        assert_eq!(catalog.count(ROOT).unwrap(), count + 1);
        before = after;
    }
}

#[test]
fn a_restart_of_the_server_costs_no_read_and_no_acknowledged_write() {
    let Some(server) = Server::start() else { return };
    let catalog = Catalog::open(&server.database(), true).unwrap();
    catalog.create(ROOT, &NewNode::container("before")).unwrap();
    catalog.generation();
    server.down();
    let error = catalog.count(ROOT).unwrap_err();
    assert!(matches!(error, CatalogError::Unavailable { .. }), "{error}");
    let error = catalog.create(ROOT, &NewNode::container("down")).unwrap_err();
    assert!(matches!(error, CatalogError::Unavailable { .. }), "{error}");
    assert_ne!(catalog.generation(), catalog.generation());
    server.up();
    assert_eq!(catalog.count(ROOT).unwrap(), 1);
    server.down();
    server.up();
    // The connections in the pool are dead and do not know it yet.
    assert_eq!(catalog.generation(), catalog.generation());
    assert_eq!(catalog.count(ROOT).unwrap(), 1);
    server.down();
    server.up();
    catalog.create(ROOT, &NewNode::container("after")).unwrap();
    assert_eq!(catalog.count(ROOT).unwrap(), 2);
}

#[test]
fn writes_during_restarts_are_kept_if_they_were_acknowledged() {
    let Some(server) = Server::start() else { return };
    let catalog = Catalog::open(&server.database(), true).unwrap();
    let done = AtomicBool::new(false);
    let acknowledged: Vec<String> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|thread| {
                let (catalog, done) = (&catalog, &done);
                scope.spawn(move || {
                    let mut kept = Vec::new();
                    for at in 0.. {
                        if done.load(Ordering::Relaxed) {
                            return kept;
                        }
                        let key = format!("{thread}-{at}");
                        match catalog.create(ROOT, &NewNode::container(&key)) {
                            Ok(_) => kept.push(key),
                            Err(CatalogError::Unavailable { .. } | CatalogError::Busy(_)) => {}
                            Err(error) => panic!("{error}"),
                        }
                    }
                    kept
                })
            })
            .collect();
        for _ in 0..3 {
            std::thread::sleep(std::time::Duration::from_millis(300));
            server.down();
            server.up();
        }
        done.store(true, Ordering::Relaxed);
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    assert!(!acknowledged.is_empty());
    for key in &acknowledged {
        assert_eq!(catalog.lookup(&[key]).unwrap().unwrap().1, 1, "{key} was acknowledged and is lost");
    }
}

#[test]
fn a_child_that_is_added_while_its_parent_is_deleted_is_refused_or_deleted_with_notice() {
    on_each(|catalog| {
        for round in 0..30 {
            let top = catalog.create(ROOT, &NewNode::container(&format!("top{round}"))).unwrap().id;
            let (deleted, made) = std::thread::scope(|scope| {
                let adder = scope.spawn(|| catalog.create(top, &NewNode::container("child")));
                (catalog.delete(top, false, true), adder.join().unwrap())
            });
            // Whoever comes second is told.
            match (deleted, made) {
                (Ok(_), Err(CatalogError::NoNode { .. })) | (Err(CatalogError::NotEmpty), Ok(_)) => {}
                (deleted, made) => panic!("deleted: {deleted:?}, made: {made:?}"),
            }
        }
    });
}

#[test]
fn values_that_the_database_cannot_hold_are_the_callers_fault() {
    let Some(server) = shared() else { return };
    let catalog = Catalog::open(&server.database(), true).unwrap();
    for node in [
        NewNode { metadata: json!({"a": "nul \u{0}"}), ..NewNode::container("a") },
        NewNode::container("nul \u{0}"),
        NewNode::container(&"k".repeat(2000)),
    ] {
        let error = catalog.create(ROOT, &node).unwrap_err();
        assert!(matches!(error, CatalogError::Unstorable { .. }) && error.is_callers_fault(), "{error}");
    }
    let query = Query::Eq { key: "a".to_owned(), value: json!("nul \u{0}") };
    let error = catalog.page(ROOT, &asking(vec![query])).unwrap_err();
    assert!(error.is_callers_fault(), "{error}");
    // No id is so large.
    let far = PageRequest { start: Start::Cursor(i64::MAX), ..PageRequest::default() };
    assert_eq!(catalog.page(ROOT, &far).unwrap().rows, []);
    assert_eq!(catalog.count(ROOT).unwrap(), 0);
}

#[test]
fn calls_from_threads_of_a_runtime_work() {
    let Some(server) = shared() else { return };
    let catalog = std::sync::Arc::new(Catalog::open(&server.database(), true).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let tasks: Vec<_> = (0..40)
        .map(|at| {
            let catalog = catalog.clone();
            runtime.spawn(async move {
                catalog.create(ROOT, &NewNode::container(&at.to_string())).unwrap();
                catalog.generation();
                catalog.count(ROOT).unwrap()
            })
        })
        .collect();
    for task in tasks {
        assert!(runtime.block_on(task).unwrap() > 0);
    }
    assert_eq!(catalog.count(ROOT).unwrap(), 40);
    // The last owner may be a task.
    runtime.block_on(async move { tokio::spawn(async move { drop(catalog) }).await.unwrap() });
}

#[test]
fn a_database_without_a_catalog_or_of_another_version_is_refused() {
    let Some(server) = shared() else { return };
    let uri = server.database();
    let text = Catalog::open(&uri, false).err().unwrap().to_string();
    assert!(text.contains("No catalog database found") && text.contains("tiled-host catalog init"), "{text}");
    Catalog::open(&uri, true).unwrap();
    Catalog::open(&uri, true).unwrap();
    let other = Link::open(&config(&uri)).unwrap_or_else(|failure| panic!("{failure}"));
    assert!(other.simple("UPDATE alembic_version SET version_num = 'ffffffffffff'").is_ok());
    let text = Catalog::open(&uri, true).err().unwrap().to_string();
    assert!(text.contains("ffffffffffff"), "{text}");
    let text = Catalog::open(&server.uri("nowhere"), true).err().unwrap().to_string();
    assert!(text.contains("nowhere"), "{text}");
}

/// Needs `TILED_PYTHON`, a Python with Tiled 0.2.20.
#[test]
fn the_tables_are_those_that_tiled_makes_on_postgresql() {
    let (Some(server), Some(python)) = (shared(), std::env::var_os("TILED_PYTHON")) else { return };
    let dump = |database: &str| -> Vec<String> {
        let script = format!(
            "pg_dump -s --no-owner -U postgres -h {} -p {} {database} | grep -v '^--\\|restrict'",
            server.folder().display(),
            server.port()
        );
        let output = server.command(&script).output().unwrap();
        let mut lines: Vec<String> =
            String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    let name = |uri: &str| uri.split(['/', '?']).nth(3).unwrap().to_owned();
    let (theirs, ours) = (server.database(), server.database());
    let init = std::process::Command::new(python)
        .args(["-m", "tiled", "catalog", "init", &theirs])
        .output()
        .unwrap();
    assert!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));
    Catalog::open(&theirs, false).unwrap().create(ROOT, &NewNode::container("a")).unwrap();
    Catalog::open(&ours, true).unwrap();
    let (theirs, ours) = (dump(&name(&theirs)), dump(&name(&ours)));
    assert!(theirs.len() > 300);
    assert_eq!(theirs, ours);
}

#[test]
fn metadata_come_back_with_the_same_values() {
    on_each(|catalog| {
        let metadata = json!({"a": [1, 1.5, 1e300, -0.1, "é\"\\", null, true, {"b": {}}], "": 1, "z": 18446744073709551615_u64});
        let node = NewNode { metadata: metadata.clone(), ..NewNode::container("m") };
        catalog.create(ROOT, &node).unwrap();
        let (row, _) = catalog.lookup(&["m"]).unwrap().unwrap();
        assert_eq!(value(&row.metadata)["a"][0], metadata["a"][0]);
        assert!(query::same_value(&value(&row.metadata), &metadata), "{}", row.metadata);
        assert_eq!(row.time_created.get(..2), Some("20"));
    });
}

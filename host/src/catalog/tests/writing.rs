//! What changes a catalog: all of it or nothing, and nothing lost among many writers.

use std::sync::Barrier;

use super::*;

const TIFF: &str = "image/tiff";

fn asset(uri: &str) -> NewAsset {
    NewAsset {
        data_uri: uri.to_owned(),
        is_directory: false,
        size: Some(8),
        parameter: Some("data_uris".to_owned()),
        num: Some(0),
    }
}

/// An array with one asset for each address.
fn array(key: &str, management: Management, uris: &[&str]) -> NewNode {
    let number = |(at, uri): (usize, &&str)| NewAsset { num: Some(at as i64), ..asset(uri) };
    NewNode {
        structure_family: StructureFamily::Array,
        data_sources: vec![NewDataSource {
            structure_family: StructureFamily::Array,
            structure: json!({"shape": [2, 3], "chunks": [[2], [3]]}),
            mimetype: TIFF.to_owned(),
            parameters: serde_json::Map::new(),
            properties: json!({"a": 1}).as_object().unwrap().clone(),
            management,
            assets: uris.iter().enumerate().map(number).collect(),
        }],
        ..NewNode::container(key)
    }
}

fn set(metadata: Value) -> MetadataUpdate {
    MetadataUpdate { metadata: Some(metadata), ..MetadataUpdate::default() }
}

#[test]
fn a_created_node_comes_back_with_the_ids_of_its_data_sources_and_assets() {
    on_each(|catalog| {
        let made =
            catalog.create(ROOT, &array("a", Management::External, &["file:///x", "file:///y"])).unwrap();
        assert_eq!(made.data_sources, catalog.data_sources(made.id).unwrap());
        let again = catalog.create(ROOT, &array("b", Management::External, &["file:///y"])).unwrap();
        assert_eq!(again.data_sources[0].assets[0].id, made.data_sources[0].assets[1].id);
        assert_ne!(again.data_sources[0].id, made.data_sources[0].id);
        let structure = made.data_sources[0].structure.as_deref().unwrap();
        assert_eq!(serde_json::from_str::<Value>(structure).unwrap()["shape"], json!([2, 3]));
        assert_eq!(made.data_sources[0].properties["a"], 1);
    });
}

#[test]
fn a_parent_that_cannot_have_children_is_the_callers_fault() {
    on_each(|catalog| {
        let made = catalog.create(ROOT, &array("a", Management::External, &["file:///x"])).unwrap();
        let error = catalog.create(made.id, &NewNode::container("b")).unwrap_err();
        assert!(matches!(error, CatalogError::NotContainer { .. }) && error.is_callers_fault(), "{error}");
        let file = NewNode {
            structure_family: StructureFamily::Container,
            ..array("f", Management::External, &["file:///f.h5"])
        };
        let file = catalog.create(ROOT, &file).unwrap();
        let error = catalog.create(file.id, &NewNode::container("b")).unwrap_err();
        assert!(matches!(error, CatalogError::NotContainer { .. }), "{error}");
        let error = catalog.create(12345, &NewNode::container("b")).unwrap_err();
        assert!(matches!(error, CatalogError::NoNode { .. }), "{error}");
        let error = catalog.create(ROOT, &NewNode::container("a")).unwrap_err();
        assert!(matches!(error, CatalogError::Collision { .. }), "{error}");
        let tagged = NewNode { access_tags: vec!["nobody's".to_owned()], ..NewNode::container("t") };
        let error = catalog.create(ROOT, &tagged).unwrap_err();
        assert!(matches!(&error, CatalogError::UnknownTags { tags } if tags == &["nobody's"]), "{error}");
        let tagged = NewNode {
            access_tags: vec!["user:x".to_owned(), "public".to_owned()],
            ..NewNode::container("t")
        };
        let id = catalog.create(ROOT, &tagged).unwrap().id;
        let (row, _) = catalog.lookup(&["t"]).unwrap().unwrap();
        assert_eq!((row.id, row.access_tags), (id, vec!["public".to_owned(), "user:x".to_owned()]));
    });
}

#[test]
fn an_update_keeps_what_was_under_the_next_number() {
    on_each(|catalog| {
        let id = catalog.create(ROOT, &NewNode::container("a")).unwrap().id;
        for n in 1..4 {
            let mut change = |row: &NodeRow| -> Result<MetadataUpdate> {
                let before: Value = serde_json::from_str(&row.metadata).unwrap();
                Ok(set(json!({"n": before["n"].as_i64().unwrap_or(0) + 1})))
            };
            let updated = catalog.update(id, true, &mut change).unwrap();
            assert_eq!(updated.revision, Some(n));
            assert_eq!(serde_json::from_str::<Value>(&updated.node.metadata).unwrap(), json!({"n": n}));
        }
        assert_eq!(catalog.revision_count(id).unwrap(), 3);
        assert!(catalog.delete_revision(id, 2).unwrap());
        assert!(!catalog.delete_revision(id, 2).unwrap());
        let mut specs = |_: &NodeRow| -> Result<MetadataUpdate> {
            Ok(MetadataUpdate {
                specs: Some(vec![Spec::named("s")]),
                access_tags: Some(vec!["public".to_owned()]),
                ..MetadataUpdate::default()
            })
        };
        let updated = catalog.update(id, true, &mut specs).unwrap();
        assert_eq!((updated.revision, updated.node.specs), (Some(4), vec![Spec::named("s")]));
        assert_eq!(updated.node.access_tags, ["public"]);
        let updated = catalog.update(id, false, &mut |_| Ok::<_, CatalogError>(set(json!({})))).unwrap();
        assert_eq!(updated.revision, None);
        let numbers: Vec<i64> =
            catalog.revisions(id, 0, 10).unwrap().iter().map(|revision| revision.revision_number).collect();
        assert_eq!(numbers, [1, 3, 4]);
        let last = catalog.revisions(id, 2, 10).unwrap().remove(0);
        assert_eq!(serde_json::from_str::<Value>(&last.metadata).unwrap(), json!({"n": 3}));
        assert_eq!(last.specs, []);
        let gone = catalog.update(999, true, &mut |_| Ok::<_, CatalogError>(set(json!({})))).unwrap_err();
        assert!(matches!(gone, CatalogError::NoNode { .. }), "{gone}");
    });
}

#[derive(Debug)]
enum Refusal {
    Mine(u8),
    Catalog,
}

impl From<CatalogError> for Refusal {
    fn from(_: CatalogError) -> Self {
        Refusal::Catalog
    }
}

#[test]
fn the_callers_refusal_comes_back_as_it_is_and_nothing_is_written() {
    on_each(|catalog| {
        let made = catalog.create(ROOT, &array("a", Management::Writable, &["file:///x"])).unwrap();
        let refused = catalog.update(made.id, true, &mut |_| Err(Refusal::Mine(7)));
        assert!(matches!(refused, Err(Refusal::Mine(7))));
        assert!(matches!(catalog.update(999, true, &mut |_| Err(Refusal::Mine(7))), Err(Refusal::Catalog)));
        assert_eq!(catalog.revision_count(made.id).unwrap(), 0);
        let source = made.data_sources[0].id;
        assert!(matches!(
            catalog.update_structure(source, &mut |_| Err(Refusal::Mine(1))),
            Err(Refusal::Mine(1))
        ));
        assert!(matches!(
            catalog.update_structure(999, &mut |_| Err(Refusal::Mine(1))),
            Err(Refusal::Catalog)
        ));
    });
}

#[test]
fn no_update_is_lost_among_many_writers() {
    const THREADS: usize = 8;
    const EACH: usize = 20;
    on_each(|catalog| {
        let made = catalog.create(ROOT, &array("a", Management::Writable, &["file:///x"])).unwrap();
        let source = made.data_sources[0].id;
        let start = Barrier::new(THREADS);
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (start, id) = (&start, made.id);
                scope.spawn(move || {
                    start.wait();
                    for at in 0..EACH {
                        let add = |row: &NodeRow| -> Result<MetadataUpdate> {
                            let before: Value = serde_json::from_str(&row.metadata).unwrap();
                            Ok(set(json!({"n": before["n"].as_i64().unwrap_or(0) + 1})))
                        };
                        catalog.update(id, true, &mut { add }).unwrap();
                        let grow = |before: &Value| -> Result<Value> {
                            let mut after = before.clone();
                            after["shape"][0] = (before["shape"][0].as_i64().unwrap() + 1).into();
                            Ok(after)
                        };
                        catalog.update_structure(source, &mut { grow }).unwrap();
                        catalog.create(ROOT, &NewNode::container(&format!("{thread}-{at}"))).unwrap();
                        // A failure among them takes nothing with it.
                        catalog.create(ROOT, &NewNode::container("a")).unwrap_err();
                    }
                });
            }
        });
        let all = THREADS * EACH;
        let (row, _) = catalog.lookup(&["a"]).unwrap().unwrap();
        assert_eq!(serde_json::from_str::<Value>(&row.metadata).unwrap(), json!({"n": all}));
        assert_eq!(
            serde_json::from_str::<Value>(&row.structure.unwrap()).unwrap()["shape"][0],
            json!(2 + all)
        );
        assert_eq!(catalog.revision_count(row.id).unwrap(), all as u64);
        assert_eq!(catalog.count(ROOT).unwrap(), 1 + all as u64);
    });
}

#[test]
fn a_write_that_panics_harms_no_other() {
    on_each(|catalog| {
        let id = catalog.create(ROOT, &NewNode::container("a")).unwrap().id;
        let start = Barrier::new(5);
        std::thread::scope(|scope| {
            let panicking = scope.spawn(|| {
                start.wait();
                for _ in 0..20 {
                    let change = || {
                        catalog.update(id, true, &mut |_| -> Result<MetadataUpdate> { panic!("on purpose") })
                    };
                    std::panic::catch_unwind(std::panic::AssertUnwindSafe(change)).unwrap_err();
                }
            });
            for thread in 0..4 {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    for at in 0..20 {
                        catalog.create(ROOT, &NewNode::container(&format!("{thread}-{at}"))).unwrap();
                    }
                });
            }
            panicking.join().unwrap();
        });
        assert_eq!(catalog.count(ROOT).unwrap(), 81);
        assert_eq!(catalog.revision_count(id).unwrap(), 0);
    });
}

#[test]
fn deleting_refuses_what_tiled_refuses_and_gives_the_data_that_must_go() {
    on_each(|catalog| {
        let top = catalog.create(ROOT, &NewNode::container("top")).unwrap().id;
        let inner = catalog.create(top, &array("w", Management::Writable, &["file:///w"])).unwrap();
        catalog.create(top, &array("e", Management::External, &["file:///e"])).unwrap();
        let sql = "sqlite:///storage.db";
        catalog.create(top, &array("s", Management::Writable, &[sql])).unwrap();
        catalog.create(ROOT, &array("other", Management::Writable, &[sql, "file:///shared"])).unwrap();
        catalog.create(top, &array("m", Management::Writable, &["file:///shared"])).unwrap();
        assert!(matches!(catalog.delete(top, false, true), Err(CatalogError::NotEmpty)));
        assert!(matches!(catalog.delete(top, true, true), Err(CatalogError::InternallyManaged)));
        assert!(matches!(catalog.delete(inner.id, false, true), Err(CatalogError::InternallyManaged)));
        assert_eq!(catalog.count(top).unwrap(), 4);
        let gone = catalog.delete(top, true, false).unwrap();
        let uris: Vec<&str> =
            gone.iter().flat_map(|source| &source.assets).map(|asset| asset.data_uri.as_str()).collect();
        assert_eq!(uris, ["file:///w", sql]);
        assert!(catalog.lookup(&["top"]).unwrap().unwrap().1 == 0);
        assert!(matches!(catalog.delete(top, true, false), Err(CatalogError::NoNode { .. })));
        let (other, _) = catalog.lookup(&["other"]).unwrap().unwrap();
        assert_eq!(catalog.data_sources(other.id).unwrap()[0].assets.len(), 2);
        assert_eq!(catalog.delete(other.id, false, false).unwrap()[0].assets.len(), 2);
        // The root stays.
        catalog.delete(ROOT, true, true).unwrap();
        assert_eq!(catalog.lookup(&[]).unwrap().unwrap().0.id, ROOT);
    });
}

#[test]
fn an_asset_goes_when_nothing_uses_it_any_more() {
    on_each(|catalog| {
        let a = catalog.create(ROOT, &array("a", Management::External, &["file:///x", "file:///y"])).unwrap();
        let b = catalog.create(ROOT, &array("b", Management::Writable, &["file:///y"])).unwrap();
        let id = b.data_sources[0].assets[0].id;
        assert_eq!(catalog.delete_asset(a.id, 999, true).unwrap(), None);
        assert_eq!(
            catalog.delete_asset(a.id, id, true).unwrap(),
            Some(AssetDeletion { deleted: false, data: None })
        );
        assert_eq!(catalog.delete_asset(a.id, id, true).unwrap(), None);
        assert_eq!(catalog.data_sources(a.id).unwrap()[0].assets.len(), 1);
        assert!(matches!(catalog.delete_asset(b.id, id, true), Err(CatalogError::AssetInternallyManaged)));
        let done = catalog.delete_asset(b.id, id, false).unwrap().unwrap();
        assert!(done.deleted);
        assert_eq!(done.data.unwrap().assets[0].data_uri, "file:///y");
    });
}

#[test]
fn a_data_source_is_replaced_and_gets_the_assets_it_lacks() {
    on_each(|catalog| {
        let a = catalog.create(ROOT, &array("a", Management::External, &["file:///x"])).unwrap();
        let other = catalog.create(ROOT, &NewNode::container("c")).unwrap();
        let mut update = DataSourceUpdate {
            id: a.data_sources[0].id,
            structure: json!({"shape": [4, 3]}),
            mimetype: None,
            parameters: json!({"p": [1]}).as_object().unwrap().clone(),
            properties: serde_json::Map::new(),
            assets: vec![asset("file:///x"), NewAsset { num: Some(1), ..asset("file:///z") }],
        };
        assert!(matches!(catalog.put_data_source(other.id, &update), Err(CatalogError::NoDataSource { .. })));
        let now = catalog.put_data_source(a.id, &update).unwrap();
        assert_eq!(now, catalog.data_sources(a.id).unwrap()[0]);
        assert_eq!((now.mimetype.as_str(), now.assets.len(), now.properties.len()), (TIFF, 2, 0));
        assert_eq!(serde_json::from_str::<Value>(&now.structure.unwrap()).unwrap(), json!({"shape": [4, 3]}));
        update.assets = vec![NewAsset { num: Some(1), ..asset("file:///other") }];
        update.structure = json!({"shape": [9, 9]});
        let error = catalog.put_data_source(a.id, &update).unwrap_err();
        assert!(matches!(error, CatalogError::AssetClash { .. }) && error.is_callers_fault(), "{error}");
        update.assets = vec![NewAsset { num: None, ..asset("file:///other") }];
        let error = catalog.put_data_source(a.id, &update).unwrap_err();
        assert!(matches!(error, CatalogError::AssetClash { .. }), "{error}");
        assert_eq!(catalog.data_sources(a.id).unwrap()[0].parameters["p"], json!([1]));
        let (row, _) = catalog.lookup(&["a"]).unwrap().unwrap();
        assert_eq!(serde_json::from_str::<Value>(&row.structure.unwrap()).unwrap(), json!({"shape": [4, 3]}));
    });
}

#[test]
fn a_path_is_made_where_it_is_missing() {
    on_each(|catalog| {
        let id = catalog.create_path(&["a", "b", "c"]).unwrap();
        assert_eq!(catalog.create_path(&["a", "b", "c"]).unwrap(), id);
        assert_eq!(catalog.lookup(&["a", "b", "c"]).unwrap().unwrap().0.id, id);
        assert_eq!(catalog.create_path(&[]).unwrap(), ROOT);
        let last = NewNode { specs: vec![Spec::named("s")], ..NewNode::container("") };
        catalog.create_path_to(&["a", "d", "e"], &last).unwrap();
        let specs = |keys: &[&str]| catalog.lookup(keys).unwrap().unwrap().0.specs;
        assert_eq!((specs(&["a", "d"]), specs(&["a", "d", "e"])), (vec![], vec![Spec::named("s")]));
        catalog.create_path_to(&["a", "d"], &last).unwrap();
        assert_eq!(specs(&["a", "d"]), [], "what is there stays");
        let last = NewNode { access_tags: vec!["nobody knows it".into()], ..NewNode::container("") };
        let error = catalog.create_path_to(&["a", "f"], &last).unwrap_err();
        assert!(matches!(error, CatalogError::UnknownTags { .. }), "{error}");
        assert_eq!(catalog.lookup(&["a", "f"]).unwrap().unwrap().1, 1, "nothing is left of it");
        catalog.create(id, &array("x", Management::External, &["file:///x"])).unwrap();
        let error = catalog.create_path(&["a", "b", "c", "x", "y"]).unwrap_err();
        assert!(matches!(error, CatalogError::NotContainer { .. }), "{error}");
        let error = catalog.create_path(&["a", "b", "c", "x"]).unwrap_err();
        assert!(matches!(error, CatalogError::NotContainer { .. }), "{error}");
    });
}

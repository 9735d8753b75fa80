//! Searches by three ways give one answer: the metadata read by the database, the search index, and nodes in memory.

use serde_json::{Map, Number};

use super::*;
use crate::query::sort_in_memory;

/// Numbers that look random and are the same in every run.
struct Dice {
    state: u64,
    /// Only words that PostgreSQL's own full text search takes apart as we do.
    plain_words: bool,
    /// Some metadata are too long for the index.
    long: bool,
}

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.state >> 33) % below as u64).unwrap()
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let at = self.roll(of.len());
        &of[at]
    }

    fn scalar(&mut self) -> Value {
        let long = "long ".repeat(19);
        let texts = [
            "red".to_owned(),
            "Red".into(),
            "green".into(),
            "blue".into(),
            String::new(),
            "1".into(),
            "1.5".into(),
            "café".into(),
            "caf\u{e9} ole".into(),
            "e\u{301}t\u{e9}".into(),
            "İstanbul".into(),
            "line\none".into(),
            "sample-1.tif".into(),
            "50%".into(),
            "a_b".into(),
            "\"q\"".into(),
            "Ω".into(),
            "dog cat".into(),
            format!("{long}a"),
            format!("{long}b"),
            format!("{long}ab"),
            long[..95].to_owned(),
            format!("{}x", &long[..95]),
        ];
        match self.roll(12) {
            0 => Value::Null,
            1 => Value::Bool(self.roll(2) == 0),
            2..=3 => Value::from(i64::try_from(self.roll(6)).unwrap() - 2),
            4 => Number::from_f64(*self.one(&[1.0, 1.5, -0.0, 1e300, 2.0, 1e-9])).unwrap().into(),
            5 => Value::from(*self.one(&[i64::MAX, i64::MAX - 1, i64::MIN, 9_007_199_254_740_993])),
            _ => Value::from(self.one(&texts).clone()),
        }
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.roll(if depth > 2 { 6 } else { 9 }) {
            6 => (0..self.roll(4)).map(|_| self.value(depth + 1)).collect(),
            7 => self.metadata(depth + 1),
            8 if self.roll(12) == 0 => (0..70).map(|_| self.scalar()).collect(),
            _ => self.scalar(),
        }
    }

    fn metadata(&mut self, depth: usize) -> Value {
        let mut map = Map::new();
        for _ in 0..self.roll(5) {
            let key = *self.one(&["a", "b", "c", "red", "", "x.y", "k\"", "é"]);
            map.insert(key.to_owned(), self.value(depth));
        }
        if depth == 0 && self.roll(5) > 0 {
            // Texts of which there are many.
            map.insert("u".to_owned(), Value::from(format!("u-{}", self.roll(100_000))));
        }
        if depth == 0 && self.roll(3) > 0 {
            map.insert("m".to_owned(), self.scalar());
        }
        if self.long && depth == 0 && self.roll(40) == 0 {
            map.insert("big".to_owned(), Value::from("wide ".repeat(14_000)));
        }
        Value::Object(map)
    }

    fn key(&mut self) -> String {
        (*self.one(&[
            "a",
            "b",
            "c",
            "red",
            "a.b",
            "m",
            "u",
            "u",
            "b.a",
            "c.red",
            "a.b.c",
            "",
            "é",
            "nope",
            "k\"",
            "a.b.c.a.b.c.a.b.c",
        ]))
        .to_owned()
    }

    fn query(&mut self) -> Query {
        let key = self.key();
        let operator = *self.one(&[Operator::Lt, Operator::Gt, Operator::Le, Operator::Ge]);
        let names = |dice: &mut Dice| -> Vec<String> {
            (0..dice.roll(3)).map(|_| (*dice.one(&["alpha", "beta", "gamma"])).to_owned()).collect()
        };
        match self.roll(15) {
            0 | 1 => Query::Eq { key, value: self.value(1) },
            2 => Query::NotEq { key, value: self.value(1) },
            3 | 4 => {
                let value = loop {
                    let value = self.scalar();
                    if !value.is_null() {
                        break value;
                    }
                };
                Query::Comparison { operator, key, value }
            }
            5 => Query::Contains { key, value: self.value(2) },
            6 => Query::In { key, values: (0..self.roll(4)).map(|_| self.value(2)).collect() },
            7 => Query::NotIn { key, values: (0..self.roll(4)).map(|_| self.value(2)).collect() },
            8 => Query::KeyPresent { key, exists: self.roll(3) > 0 },
            9 => Query::Like {
                key,
                pattern: (*self
                    .one(&["re%", "%e%", "_ed", "50\\%", "%ong a%", "é%", "%7%", "u-1%", "U_2%", "long l%"]))
                .to_owned(),
            },
            10 => {
                let pattern =
                    *self.one(&["^r", "e", "b$", "^$", r"\d", "É", "(?i)RED", "7$", "^u-1", "^long"]);
                Query::Regex { key, pattern: Pattern::new(pattern, self.roll(2) == 0).unwrap() }
            }
            11 => {
                let plain =
                    ["red", "RED", "dog cat", "dog OR blue", "lo*", "red NOT dog", "wide", "long AND a"];
                let text = *self.one(if self.plain_words {
                    &plain[..]
                } else {
                    &[
                        "red",
                        "RED",
                        "dog cat",
                        "dog OR blue",
                        "lo*",
                        "NOT red",
                        "red NOT dog",
                        "sample-1.tif",
                        "café",
                        "cafe",
                        "\"line one\"",
                        "one",
                        "istanbul",
                        "ete",
                        "t",
                        "ω",
                        "wide",
                        "a",
                        "1.5",
                        "q",
                    ][..]
                });
                Query::FullText { text: text.to_owned() }
            }
            12 => Query::Specs { include: names(self), exclude: names(self) },
            13 => {
                let keys = (0..3).map(|_| format!("k{}", self.roll(500))).collect();
                Query::KeysFilter { keys }
            }
            _ => Query::StructureFamily {
                family: *self.one(&[StructureFamily::Array, StructureFamily::Table]),
            },
        }
    }

    fn node(&mut self, at: usize) -> NewNode {
        let family = if self.roll(20) == 0 { StructureFamily::Table } else { StructureFamily::Array };
        let mut node = NewNode::container(&format!("k{at}"));
        node.structure_family = family;
        node.metadata = self.metadata(0);
        for name in ["alpha", "beta"] {
            if self.roll(3) == 0 {
                node.specs.push(Spec::named(name));
            }
        }
        node
    }
}

/// The children of the root as they are in the database.
fn children(catalog: &Catalog) -> Vec<(String, StructureFamily, Vec<Spec>, Value)> {
    let page = catalog.page(ROOT, &PageRequest { limit: 10_000, ..PageRequest::default() }).unwrap();
    let each = |row: NodeRow| {
        let metadata = serde_json::from_str(&row.metadata).unwrap();
        (row.key, row.structure_family, row.specs, metadata)
    };
    page.rows.into_iter().map(each).collect()
}

fn check_searches(catalog: &Catalog, dice: &mut Dice, rounds: usize) {
    let nodes = children(catalog);
    for _ in 0..rounds {
        let queries: Vec<Query> = (0..=dice.roll(3)).map(|_| dice.query()).collect();
        let everywhere = [&[][..], &[], &["m"], &["-m"], &["m", "-id"], &["-u", "m", "-"], &["id"]];
        // PostgreSQL writes lists and objects in its own way, which their order shows.
        let in_sqlite = [&["a"][..], &["-b"], &["c", "-id"], &["-a.b", "-"]];
        let sort = if dice.plain_words || dice.roll(2) == 0 {
            *dice.one(&everywhere)
        } else {
            *dice.one(&in_sqlite)
        };
        let sorting = parse_sort(sort).unwrap();
        let mut wanted: Vec<(&str, &Value)> = nodes
            .iter()
            .filter(|(key, family, specs, metadata)| {
                queries.iter().all(|query| is_found(catalog, query, key, *family, specs, metadata))
            })
            .map(|(key, _, _, metadata)| (key.as_str(), metadata))
            .collect();
        sort_in_memory(&mut wanted, &sorting, |(key, metadata)| (key, metadata));
        let wanted: Vec<&str> = wanted.into_iter().map(|(key, _)| key).collect();
        let (offset, limit) = (*dice.one(&[0, 0, 3, 50]), *dice.one(&[1, 10, 10_000]));
        let request = PageRequest {
            queries: queries.clone(),
            sorting,
            start: Start::Offset(offset),
            limit,
            counting: Counting::Exact,
            ..PageRequest::default()
        };
        let page = catalog.page(ROOT, &request).unwrap();
        let part: Vec<&str> = wanted
            .iter()
            .copied()
            .skip(usize::try_from(offset).unwrap())
            .take(usize::try_from(limit).unwrap())
            .collect();
        assert_eq!(keys(&page), part, "{queries:?} {sort:?} {offset} {limit}");
        assert_eq!(page.count.unwrap().value, wanted.len() as u64, "{queries:?}");
        let most = PageRequest { counting: Counting::UpTo(5), limit: 0, ..request.clone() };
        let count = catalog.page(ROOT, &most).unwrap().count.unwrap();
        assert_eq!(
            (count.value, count.exact),
            (wanted.len().min(6) as u64, wanted.len() <= 5),
            "{queries:?}"
        );
        if sort.is_empty() {
            let deep = catalog.search_deep(ROOT, 1, &request).unwrap();
            assert_eq!(keys(&deep), part, "below: {queries:?}");
        }
    }
}

fn distinct_values(catalog: &Catalog) -> Vec<(String, Vec<DistinctValue>)> {
    let metadata = ["a", "b", "c", "m", "red", "a.b", "nope"].map(str::to_owned).to_vec();
    let request = DistinctRequest { queries: vec![], metadata, structure_families: true, specs: true };
    let found = catalog.distinct(ROOT, &request).unwrap();
    let mut all = found.metadata;
    all.push(("family".to_owned(), found.structure_families.unwrap()));
    for found in all.iter_mut().flat_map(|(_, values)| values) {
        // 1 and 1.0 are one value, and either may stand for both.
        if let Some(number) = found.value.as_f64().filter(|number| number.abs() < 1e15) {
            found.value = Value::from(number + 0.0);
        }
    }
    all
}

/// What another program does to the rows, which knows nothing of the index.
fn changes(dice: &mut Dice, from: usize) -> String {
    let mut script = String::new();
    let quoted = |metadata: &Value| metadata.to_string().replace('\'', "''");
    for at in from..from + 160 {
        let (metadata, family) = (quoted(&dice.metadata(0)), *dice.one(&["array", "table"]));
        script += &format!(
            "INSERT INTO nodes (parent, key, structure_family, metadata, specs) VALUES (0, 'k{at}', '{family}', \
             '{metadata}', '[{{\"name\":\"gamma\",\"version\":null}}]');\n"
        );
    }
    for at in (0..from).step_by(3) {
        let metadata = quoted(&dice.metadata(0));
        script += &format!("UPDATE nodes SET metadata = '{metadata}' WHERE key = 'k{at}';\n");
    }
    script
        + "DELETE FROM nodes WHERE parent = 0 AND id % 7 = 0;\n\
           UPDATE nodes SET specs = '[]', structure_family = 'table' WHERE id % 11 = 0 AND id > 0;\n"
}

#[test]
fn the_index_changes_no_answer_whoever_writes_the_rows() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("catalog.db");
    let catalog = Catalog::open(&format!("sqlite:///{}", path.display()), true).unwrap();
    check_index(&catalog, Dice { state: 7, plain_words: false, long: false }, |script| {
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "foreign_keys", true).unwrap();
        connection.execute_batch(script).unwrap();
    });
    if let Some(server) = server::shared() {
        let database = server.database();
        let catalog = Catalog::open(&database, true).unwrap();
        check_index(&catalog, Dice { state: 8, plain_words: true, long: false }, |script| {
            catalog.store.write("changing rows", |session| session.script(script)).unwrap();
        });
    }
}

fn check_index(catalog: &Catalog, mut dice: Dice, run: impl Fn(&str)) {
    let nodes: Vec<NewNode> = (0..300).map(|at| dice.node(at)).collect();
    catalog.insert_many(ROOT, &nodes).unwrap();
    check_searches(catalog, &mut dice, 60);
    let without = distinct_values(catalog);
    catalog.build_search_index(|_| true).unwrap();
    assert!(catalog.has_search_index().unwrap());
    assert_eq!(distinct_values(catalog), without);
    check_searches(catalog, &mut dice, 200);
    for long in [false, true] {
        dice.long = long;
        run(&changes(&mut dice, if long { 500 } else { 300 }));
        check_searches(catalog, &mut dice, 150);
    }
    let with = distinct_values(catalog);
    catalog.remove_search_index().unwrap();
    assert!(!catalog.has_search_index().unwrap());
    assert_eq!(distinct_values(catalog), with);
    check_searches(catalog, &mut dice, 60);
}

#[test]
fn without_the_index_the_database_is_as_tiled_makes_it() {
    let (directory, uri) = made_by_tiled();
    let schema = || -> Vec<String> {
        let connection = Connection::open(directory.path().join("catalog.db")).unwrap();
        let sql = "SELECT type || name || coalesce(sql, '') FROM sqlite_schema ORDER BY 1";
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<rusqlite::Result<_>>().unwrap()
    };
    let before = schema();
    let catalog = Catalog::open(&uri, false).unwrap();
    catalog.build_search_index(|_| true).unwrap();
    assert_ne!(schema(), before);
    catalog.remove_search_index().unwrap();
    assert_eq!(schema(), before);
}

#[test]
fn an_index_that_is_not_complete_is_not_used_and_is_continued() {
    let catalog = Catalog::temporary().unwrap();
    let mut dice = Dice { state: 3, plain_words: false, long: true };
    let nodes: Vec<NewNode> = (0..1200).map(|at| dice.node(at)).collect();
    catalog.insert_many(ROOT, &nodes).unwrap();
    catalog.build_search_index(|_| false).unwrap();
    assert!(!catalog.has_search_index().unwrap());
    check_searches(&catalog, &mut dice, 20);
    catalog.build_search_index(|_| true).unwrap();
    assert!(catalog.has_search_index().unwrap());
    check_searches(&catalog, &mut dice, 100);
}

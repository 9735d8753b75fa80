//! Random queries and orders: the database answers as memory does.

use super::*;

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
                let text = self.pick(&[
                    "^r",
                    "ed",
                    "É",
                    "^$",
                    "[0-9]",
                    r"\bred\b",
                    r"^\W*$",
                    "(?m)^b.*d$",
                    r"\S{2,3} ",
                    "[^a-z]|e(d| )",
                    r"\B.",
                ]);
                Query::Regex { key, pattern: Pattern::new(text, self.roll(2) == 0).unwrap() }
            }
            10 => {
                Query::Specs { include: vec![self.pick(&["x", "y"]).to_owned()], exclude: vec!["z".into()] }
            }
            _ => Query::KeysFilter { keys: vec![self.roll(300).to_string(), self.roll(300).to_string()] },
        }
    }
}

/// With the keys of objects in PostgreSQL's order.
fn in_order(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(String, Value)> = map.into_iter().collect();
            entries.sort_unstable_by(|(a, _), (b, _)| (a.len(), a).cmp(&(b.len(), b)));
            entries.into_iter().map(|(key, value)| (key, in_order(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(in_order).collect(),
        other => other,
    }
}

/// 300 nodes of random metadata; if `plain`, none that databases write in different ways.
fn fill(catalog: &Catalog, dice: &mut Dice, plain: bool) -> Vec<NewNode> {
    let mut nodes = Vec::new();
    for at in 0..300 {
        let specs = ["x", "y", "z"].into_iter().filter(|_| dice.roll(2) == 0).map(Spec::named).collect();
        let mut metadata = dice.metadata();
        if !plain {
            nodes.push(NewNode { metadata, specs, ..NewNode::container(&at.to_string()) });
            continue;
        }
        let text = metadata.to_string().replace("e300", "e3").replace("e+300", "e3");
        metadata = in_order(serde_json::from_str(&text).unwrap());
        nodes.push(NewNode { metadata, specs, ..NewNode::container(&at.to_string()) });
    }
    catalog.insert_many(ROOT, &nodes).unwrap();
    nodes
}

#[test]
fn the_database_answers_queries_as_memory_does() {
    on_each(|catalog| {
        let mut dice = Dice(0x5eed);
        let nodes = fill(catalog, &mut dice, false);
        let mut hits = 0;
        for _ in 0..3000 {
            let query = dice.query();
            let request = PageRequest { limit: 300, content: Content::Keys, ..asking(vec![query.clone()]) };
            let page = catalog.page(ROOT, &request).unwrap_or_else(|error| panic!("{query:?}: {error}"));
            let container = StructureFamily::Container;
            let wanted: Vec<&str> = nodes
                .iter()
                .filter(|node| is_found(catalog, &query, &node.key, container, &node.specs, &node.metadata))
                .map(|node| node.key.as_str())
                .collect();
            assert_eq!(keys(&page), wanted, "{query:?}");
            hits += wanted.len();
        }
        assert!(hits > 10_000, "the queries hit too little to say anything: {hits}");
    });
}

#[test]
fn the_database_sorts_as_memory_does() {
    on_each(|catalog| {
        let mut dice = Dice(0xbeef);
        let nodes = fill(catalog, &mut dice, true);
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
    });
}

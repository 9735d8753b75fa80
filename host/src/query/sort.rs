//! A total order of metadata values, and sorting by it in memory.

use std::cmp::Ordering;

use serde_json::Value;

use super::{SortTarget, Sorting, compare_numbers, lookup_path};

/// The place of a value's type in the order: numbers, texts, booleans, lists, objects; what is missing or null last.
pub const fn rank(value: Option<&Value>) -> u8 {
    match value {
        Some(Value::Number(_)) => 0,
        Some(Value::String(_)) => 1,
        Some(Value::Bool(_)) => 2,
        Some(Value::Array(_)) => 3,
        Some(Value::Object(_)) => 4,
        Some(Value::Null) | None => MISSING,
    }
}

const MISSING: u8 = 5;

/// Sorts children that stand in their order of insertion. `node` gives a child's key and metadata.
pub fn sort_in_memory<T>(items: &mut [T], sorting: &Sorting, node: impl Fn(&T) -> (&str, &Value)) {
    if sorting.newest_first {
        items.reverse();
    }
    if sorting.keys.is_empty() {
        return;
    }
    items.sort_by(|a, b| {
        let ((key_a, metadata_a), (key_b, metadata_b)) = (node(a), node(b));
        sorting.keys.iter().fold(Ordering::Equal, |order, sort| {
            order.then_with(|| match &sort.target {
                SortTarget::Key => directed(key_a.cmp(key_b), sort.descending),
                SortTarget::Metadata(path) => {
                    compare(lookup_path(metadata_a, path), lookup_path(metadata_b, path), sort.descending)
                }
            })
        })
    });
}

fn directed(order: Ordering, descending: bool) -> Ordering {
    if descending { order.reverse() } else { order }
}

fn compare(a: Option<&Value>, b: Option<&Value>, descending: bool) -> Ordering {
    let (rank_a, rank_b) = (rank(a), rank(b));
    if rank_a == MISSING || rank_b == MISSING {
        return rank_a.cmp(&rank_b);
    }
    let order = rank_a.cmp(&rank_b).then_with(|| match (a, b) {
        (Some(Value::Number(a)), Some(Value::Number(b))) => compare_numbers(a, b),
        (Some(Value::String(a)), Some(Value::String(b))) => a.cmp(b),
        (Some(a), Some(b)) => a.to_string().cmp(&b.to_string()),
        _ => Ordering::Equal,
    });
    directed(order, descending)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::query::parse_sort;

    fn order(sort: &[&str]) -> String {
        let mut items: Vec<(&str, Value)> = vec![
            ("a", json!({"n": 10})),
            ("b", json!({"n": "x"})),
            ("c", json!({})),
            ("d", json!({"n": 9.5})),
            ("e", json!({"n": 10, "m": 1})),
            ("f", json!({"n": null})),
        ];
        sort_in_memory(&mut items, &parse_sort(sort).unwrap(), |(key, metadata)| (key, metadata));
        items.iter().map(|(key, _)| *key).collect()
    }

    #[test]
    fn numbers_come_before_texts_and_missing_values_last() {
        assert_eq!(order(&["n"]), "daebcf");
        assert_eq!(order(&["-n"]), "baedcf");
        assert_eq!(order(&["n", "-"]), "deabfc");
        assert_eq!(order(&["n", "m"]), "deabcf");
        assert_eq!(order(&["-"]), "fedcba");
        assert_eq!(order(&["-id"]), "fedcba");
        assert_eq!(order(&[]), "abcdef");
    }
}

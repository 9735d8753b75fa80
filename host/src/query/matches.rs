//! Answering queries for children that are in memory: same meaning as the catalog's SQL.

use std::cmp::Ordering;

use serde_json::{Number, Value};
use tiled_plugin_api::model::{Spec, StructureFamily};

use super::{Query, fulltext_matches, like};

/// Whether one node meets one query. Children inside files carry no access tags of their own, so a query for
/// tags matches none of them.
pub fn matches(query: &Query, key: &str, family: StructureFamily, specs: &[Spec], metadata: &Value) -> bool {
    let at = |path: &str| lookup_path(metadata, path);
    match query {
        Query::FullText { text } => fulltext_matches(text, metadata),
        Query::Lookup { key: wanted } => key == wanted,
        Query::KeysFilter { keys } => keys.iter().any(|wanted| key == wanted),
        Query::Regex { key, pattern } => at(key).and_then(Value::as_str).is_some_and(|t| pattern.is_match(t)),
        Query::Eq { key, value } => same_value(at(key).unwrap_or(&Value::Null), value),
        Query::NotEq { key, value } => {
            at(key).is_some_and(|found| !found.is_null() && !same_value(found, value))
        }
        Query::Comparison { operator, key, value } => {
            at(key).and_then(|found| order(found, value)).is_some_and(|order| operator.holds(order))
        }
        Query::Contains { key, value } => at(key).is_some_and(|found| contains(found, value)),
        Query::In { key, values } => {
            let found = at(key).unwrap_or(&Value::Null);
            values.iter().any(|value| same_value(found, value))
        }
        Query::NotIn { values, .. } if values.is_empty() => true,
        Query::NotIn { key, values } => at(key)
            .is_some_and(|found| !found.is_null() && !values.iter().any(|value| same_value(found, value))),
        Query::KeyPresent { key, exists } => at(key).is_some() == *exists,
        Query::Like { key, pattern } => {
            at(key).and_then(Value::as_str).is_some_and(|text| like(pattern, text))
        }
        Query::Specs { include, exclude } => {
            let has = |name: &String| specs.iter().any(|spec| &spec.name == name);
            include.iter().all(has) && !exclude.iter().any(has)
        }
        Query::AccessTags { .. } => false,
        Query::StructureFamily { family: wanted } => family == *wanted,
    }
}

/// The value at a dotted path through objects.
pub fn lookup_path<'a>(metadata: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(metadata, |value, segment| value.as_object()?.get(segment))
}

/// Equality by JSON type, numbers by value, objects in any order of keys.
pub fn same_value(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare_numbers(a, b).is_eq(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_value(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same_value(a, b)))
        }
        _ => a == b,
    }
}

/// A list has the element, a text the part (ASCII letters in either case, as SQLite's LIKE), an object the key.
pub fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Array(items), _) => items.iter().any(|item| same_value(item, part)),
        (Value::String(text), Value::String(part)) => {
            text.to_ascii_lowercase().contains(&part.to_ascii_lowercase())
        }
        (Value::Object(map), Value::String(key)) => map.contains_key(key),
        _ => false,
    }
}

/// The order of two values of the same type; `None` for others and for types without order.
fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => Some(compare_numbers(a, b)),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// The order of two numbers by value, exact also between integers and floats.
pub fn compare_numbers(a: &Number, b: &Number) -> Ordering {
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (Some(a), None) => compare_mixed(a, float(b)),
        (None, Some(b)) => compare_mixed(b, float(a)).reverse(),
        (None, None) => float(a).total_cmp(&float(b)),
    }
}

fn integer(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

/// Zero has one sign.
fn float(number: &Number) -> f64 {
    number.as_f64().unwrap_or(0.0) + 0.0
}

#[expect(clippy::cast_possible_truncation, reason = "a float cast to i128 saturates, which keeps the order")]
fn compare_mixed(a: i128, b: f64) -> Ordering {
    let whole = b.floor();
    a.cmp(&(whole as i128)).then(if b > whole { Ordering::Less } else { Ordering::Equal })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::query::{Operator, Pattern};

    fn check(query: &Query, metadata: &Value, wanted: bool) {
        let specs = [Spec::named("alpha"), Spec::named("beta")];
        let found = matches(query, "a", StructureFamily::Array, &specs, metadata);
        assert_eq!(found, wanted, "{query:?} {metadata}");
    }

    #[test]
    fn equality_is_by_type_and_numbers_by_value() {
        let eq = |value| Query::Eq { key: "a.b".into(), value };
        let noteq = |value| Query::NotEq { key: "a.b".into(), value };
        for (found, asked, wanted) in [
            (json!(1), json!(1.0), true),
            (json!(1), json!("1"), false),
            (json!(true), json!(1), false),
            (json!(null), json!(null), true),
            (json!([1, 2]), json!([1.0, 2]), true),
            (json!({"x": 1, "y": 2}), json!({"y": 2, "x": 1}), true),
            (json!(0.0), json!(-0.0), true),
        ] {
            check(&eq(asked.clone()), &json!({"a": {"b": found}}), wanted);
            check(&noteq(asked), &json!({"a": {"b": found}}), !wanted && !found.is_null());
        }
        check(&eq(json!(null)), &json!({"a": 5}), true);
        check(&noteq(json!(1)), &json!({}), false);
    }

    #[test]
    fn order_holds_only_within_a_type() {
        let ge = |value| Query::Comparison { operator: Operator::Ge, key: "t".into(), value };
        check(&ge(json!(300)), &json!({"t": 300.5}), true);
        check(&ge(json!(300)), &json!({"t": "500"}), false);
        check(&ge(json!("b")), &json!({"t": "c"}), true);
        check(&ge(json!(9_007_199_254_740_993_i64)), &json!({"t": 9_007_199_254_740_992.0}), false);
    }

    #[test]
    fn membership_specs_and_texts() {
        let key = || "l".to_owned();
        let list = json!({"l": [1, "ccd"], "s": "Copper", "z": null});
        check(&Query::Contains { key: key(), value: json!("ccd") }, &list, true);
        check(&Query::Contains { key: key(), value: json!("cc") }, &list, false);
        check(&Query::Contains { key: "s".into(), value: json!("opp") }, &list, true);
        check(&Query::In { key: "s".into(), values: vec![json!(1), json!("Copper")] }, &list, true);
        check(&Query::In { key: "s".into(), values: vec![] }, &list, false);
        check(&Query::NotIn { key: "gone".into(), values: vec![] }, &list, true);
        check(&Query::NotIn { key: "gone".into(), values: vec![json!(1)] }, &list, false);
        check(&Query::KeyPresent { key: "z".into(), exists: true }, &list, true);
        check(&Query::KeyPresent { key: "gone".into(), exists: false }, &list, true);
        let pattern = Pattern::new("^co", false).unwrap();
        check(&Query::Regex { key: "s".into(), pattern }, &list, true);
        let specs = |include: &[&str], exclude: &[&str]| Query::Specs {
            include: include.iter().map(|s| (*s).to_owned()).collect(),
            exclude: exclude.iter().map(|s| (*s).to_owned()).collect(),
        };
        check(&specs(&["alpha"], &["gamma"]), &list, true);
        check(&specs(&["alpha"], &["beta"]), &list, false);
    }
}

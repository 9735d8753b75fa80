//! A query as an SQL condition on the node `n`. Means the same as `query::matches`; as with Tiled, `NotIn` on PostgreSQL
//! finds also nodes that have no value at all.

use serde_json::Value;

use super::sql::{Dialect, Param, Sql};
use crate::query::Query;

/// Binds what the query needs and gives the condition.
pub(super) fn condition(sql: &mut Sql, query: &Query) -> String {
    let d = sql.dialect;
    match query {
        Query::FullText { text } => {
            let (asked, condition) = d.words(text);
            condition(&sql.bind(asked))
        }
        Query::Lookup { key } => format!("n.key = {}", sql.bind(Param::Text(key.clone()))),
        Query::KeysFilter { keys } => {
            let list = sql.bind(list(keys.iter().map(|key| Value::from(key.as_str()))));
            d.in_texts("n.key", &list)
        }
        Query::Regex { .. } | Query::Like { .. } | Query::Contains { .. } => within(sql, query),
        Query::Eq { key, value } => {
            let path = sql.bind(d.path(key));
            equal(sql, &path, value)
        }
        Query::NotEq { key, value } => unequal(sql, key, std::slice::from_ref(value)),
        Query::Comparison { operator, key, value } => {
            let path = sql.bind(d.path(key));
            let of_type = match value {
                Value::Number(_) => d.is_number(&path),
                Value::Bool(_) => d.is_any_bool(&path),
                _ => d.is_text(&path),
            };
            let asked = sql.bind(d.comparable(value));
            format!("({of_type} AND {})", d.compare(&path, operator.symbol(), &asked, value))
        }
        Query::In { values, .. } if values.is_empty() => "1 = 0".to_owned(),
        Query::In { key, values } => {
            let path = sql.bind(d.path(key));
            equal_to_any(sql, &path, values)
        }
        Query::NotIn { values, .. } if values.is_empty() => "1 = 1".to_owned(),
        Query::NotIn { key, values } if d == Dialect::Postgres => {
            let path = sql.bind(d.path(key));
            format!("NOT coalesce({}, 1 = 0)", equal_to_any(sql, &path, values))
        }
        Query::NotIn { key, values } => unequal(sql, key, values),
        Query::KeyPresent { key, exists } => {
            let path = sql.bind(d.path(key));
            format!("{}({})", if *exists { "" } else { "NOT " }, d.has_key(&path))
        }
        Query::Specs { include, exclude } => specs(sql, include, exclude),
        Query::AccessTags { tags } => {
            let list = sql.bind(list(tags.iter().map(|tag| Value::from(tag.as_str()))));
            format!(
                "EXISTS (SELECT 1 FROM node_access_tags_association a JOIN access_tags t ON t.id = a.tag_id \
                 WHERE a.node_id = n.id AND {})",
                d.in_texts("t.name", &list)
            )
        }
        Query::StructureFamily { family } => {
            format!("n.structure_family = {}", sql.bind(Param::Text(family.name().to_owned())))
        }
    }
}

/// Conditions on what is in a value.
fn within(sql: &mut Sql, query: &Query) -> String {
    let d = sql.dialect;
    match query {
        Query::Regex { key, pattern } => {
            let path = sql.bind(d.path(key));
            let asked = sql.bind(d.pattern(pattern));
            let test = d.regex(&d.text(&path), &asked, pattern.case_sensitive());
            format!("({} AND {test})", d.is_text(&path))
        }
        Query::Contains { key, value } => {
            let path = sql.bind(d.path(key));
            let asked = sql.bind(Param::Text(value.to_string()));
            d.contains(&path, &asked)
        }
        Query::Like { key, pattern } => {
            let path = sql.bind(d.path(key));
            let asked = sql.bind(Param::Text(pattern.clone()));
            format!("({} AND {})", d.is_text(&path), d.like(&d.text(&path), &asked))
        }
        _ => "1 = 0".to_owned(),
    }
}

fn equal(sql: &mut Sql, path: &str, value: &Value) -> String {
    let d = sql.dialect;
    match value {
        Value::Null => d.is_absent(path),
        Value::Bool(value) => d.is_bool(path, *value),
        Value::Number(_) => {
            let asked = sql.bind(d.comparable(value));
            format!("({} AND {})", d.is_number(path), d.compare(path, "=", &asked, value))
        }
        Value::String(_) => {
            let asked = sql.bind(d.comparable(value));
            format!("({} AND {})", d.is_text(path), d.compare(path, "=", &asked, value))
        }
        Value::Array(_) | Value::Object(_) => {
            let asked = sql.bind(Param::Text(value.to_string()));
            d.same(path, &asked)
        }
    }
}

/// Numbers and texts are looked up in one list each; the others are compared in turn.
fn equal_to_any(sql: &mut Sql, path: &str, values: &[Value]) -> String {
    let d = sql.dialect;
    let mut parts = Vec::new();
    let of = |test: fn(&Value) -> bool| values.iter().filter(move |value| test(value));
    if of(Value::is_number).next().is_some() {
        let asked = sql.bind(list(of(Value::is_number).cloned()));
        parts.push(format!("({} AND {})", d.is_number(path), d.is_any(path, &asked)));
    }
    if of(Value::is_string).next().is_some() {
        let asked = sql.bind(list(of(Value::is_string).cloned()));
        parts.push(format!("({} AND {})", d.is_text(path), d.is_any(path, &asked)));
    }
    for (value, test) in [(Value::Null, d.is_absent(path)), (true.into(), d.is_bool(path, true))]
        .into_iter()
        .chain([(false.into(), d.is_bool(path, false))])
    {
        if values.contains(&value) {
            parts.push(test);
        }
    }
    let compound: Vec<Value> = of(|value| value.is_array() || value.is_object()).cloned().collect();
    if !compound.is_empty() {
        let asked = sql.bind(Param::Text(Value::Array(compound).to_string()));
        parts.push(d.same_as_any(path, &asked));
    }
    if parts.is_empty() { "1 = 0".to_owned() } else { format!("({})", parts.join(" OR ")) }
}

/// There, not null, and equal to none.
fn unequal(sql: &mut Sql, key: &str, values: &[Value]) -> String {
    let path = sql.bind(sql.dialect.path(key));
    let absent = sql.dialect.is_absent(&path);
    let equal = match values {
        [value] => equal(sql, &path, value),
        _ => equal_to_any(sql, &path, values),
    };
    format!("(NOT ({absent}) AND NOT coalesce({equal}, 1 = 0))")
}

fn specs(sql: &mut Sql, include: &[String], exclude: &[String]) -> String {
    let mut parts = vec!["1 = 1".to_owned()];
    for (names, not) in [(include, ""), (exclude, "NOT ")] {
        for name in names {
            let name = sql.bind(Param::Text(name.clone()));
            parts.push(format!("{not}{}", sql.dialect.has_spec(&name)));
        }
    }
    format!("({})", parts.join(" AND "))
}

fn list(values: impl Iterator<Item = Value>) -> Param {
    Param::Text(Value::Array(values.collect()).to_string())
}

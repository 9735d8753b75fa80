//! From the query parameters of a URL to queries and sort order.

use serde_json::Value;
use tiled_plugin_api::model::StructureFamily;

use super::{Operator, Pattern, Query, QueryError, SortKey, SortTarget, Sorting, Words};

/// Longest LIKE pattern: matching takes time that grows with its length times that of the text.
const LIKE_PATTERN_LIMIT: usize = 4096;

/// All parameters of one kind of query, in the order given.
struct Group<'a> {
    name: &'static str,
    fields: Vec<(&'static str, Vec<&'a str>)>,
}

/// The queries among decoded query parameters (`filter[eq][condition][key]`, …). Several queries of one kind are
/// zipped by position: the first key goes with the first value. Parameters that are no filters are skipped.
///
/// # Errors
/// For unknown names, missing companions, and values that cannot be read.
pub fn parse_filters(pairs: &[(String, String)]) -> Result<Vec<Query>, QueryError> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (parameter, value) in pairs {
        let Some(rest) = parameter.strip_prefix("filter[") else { continue };
        let (name, field) = split_parameter(rest)
            .ok_or_else(|| QueryError::MalformedParameter { parameter: parameter.clone() })?;
        let name = Query::NAMES
            .into_iter()
            .find(|known| *known == name)
            .ok_or_else(|| QueryError::UnknownFilter { name: name.to_owned() })?;
        let field = fields_of(name)
            .iter()
            .find(|known| **known == field)
            .ok_or_else(|| QueryError::UnknownField { filter: name, field: field.to_owned() })?;
        let group = match groups.iter().position(|group| group.name == name) {
            Some(at) => &mut groups[at],
            None => {
                let fields = fields_of(name).iter().map(|field| (*field, Vec::new())).collect();
                groups.push(Group { name, fields });
                let last = groups.len() - 1;
                &mut groups[last]
            }
        };
        for (known, values) in &mut group.fields {
            if known == field {
                values.push(value);
            }
        }
    }
    let mut queries = Vec::new();
    for group in &groups {
        for at in 0..group.len()? {
            queries.push(group.query(at)?);
        }
    }
    Ok(queries)
}

/// `eq][condition][key]` → `eq`, `key`.
fn split_parameter(rest: &str) -> Option<(&str, &str)> {
    let (name, rest) = rest.split_once("][")?;
    let field = rest.strip_prefix("condition][")?.strip_suffix(']')?;
    Some((name, field))
}

/// The fields of each query; those that may be left out come last, see [`required`].
const fn fields_of(name: &str) -> &'static [&'static str] {
    match name.as_bytes() {
        b"fulltext" => &["text"],
        b"lookup" => &["key"],
        b"keys_filter" => &["keys"],
        b"regex" => &["key", "pattern", "case_sensitive"],
        b"comparison" => &["operator", "key", "value"],
        b"eq" | b"noteq" | b"contains" | b"in" | b"notin" => &["key", "value"],
        b"keypresent" => &["key", "exists"],
        b"like" => &["key", "pattern"],
        b"specs" => &["include", "exclude"],
        b"access_tags_filter" => &["tags"],
        _ => &["value"],
    }
}

/// Whether the field must be given; the others have a default when none of the queries gives it.
fn required(name: &str, field: &str) -> bool {
    !matches!((name, field), ("regex", "case_sensitive") | ("keypresent", "exists") | ("specs", "exclude"))
}

impl Group<'_> {
    /// How many queries of this kind there are.
    fn len(&self) -> Result<usize, QueryError> {
        let wanted = self.fields.iter().map(|(_, values)| values.len()).max().unwrap_or(0);
        for (field, values) in &self.fields {
            let left_out = values.is_empty() && !required(self.name, field);
            if values.len() != wanted && !left_out {
                let found = values.len();
                return Err(QueryError::MissingField { filter: self.name, field, found, wanted });
            }
        }
        Ok(wanted)
    }

    fn raw(&self, field: &'static str, at: usize) -> Option<&str> {
        self.fields.iter().find(|(known, _)| *known == field)?.1.get(at).copied()
    }

    fn text(&self, field: &'static str, at: usize) -> String {
        self.raw(field, at).unwrap_or_default().to_owned()
    }

    fn json(&self, field: &'static str, at: usize) -> Result<Value, QueryError> {
        let text = self.raw(field, at).unwrap_or_default();
        serde_json::from_str(text).map_err(|error| {
            let reason = format!("{text:?} is not a JSON document ({error}); text is written with quotes");
            self.bad(field, reason)
        })
    }

    fn list(&self, field: &'static str, at: usize) -> Result<Vec<Value>, QueryError> {
        match self.json(field, at)? {
            Value::Array(items) => Ok(items),
            _ => Err(self.bad(field, "a JSON list is wanted".to_owned())),
        }
    }

    fn names(&self, field: &'static str, at: usize) -> Result<Vec<String>, QueryError> {
        let text_only = |item| match item {
            Value::String(text) => Ok(text),
            _ => Err(self.bad(field, "a JSON list of strings is wanted".to_owned())),
        };
        self.list(field, at)?.into_iter().map(text_only).collect()
    }

    fn flag(&self, field: &'static str, at: usize) -> Result<bool, QueryError> {
        let Some(text) = self.raw(field, at) else { return Ok(true) };
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" | "t" | "y" => Ok(true),
            "false" | "0" | "no" | "off" | "f" | "n" => Ok(false),
            _ => Err(self.bad(field, format!("{text:?} is neither true nor false"))),
        }
    }

    fn bad(&self, field: &'static str, reason: String) -> QueryError {
        QueryError::BadValue { filter: self.name, field, reason }
    }

    fn query(&self, at: usize) -> Result<Query, QueryError> {
        let key = self.text("key", at);
        Ok(match self.name {
            "fulltext" => {
                let text = self.text("text", at);
                Words::parse(&text)
                    .map_err(|reason| self.bad("text", format!("not a full text search: {reason}")))?;
                Query::FullText { text }
            }
            "lookup" => Query::Lookup { key },
            "keys_filter" => Query::KeysFilter { keys: self.names("keys", at)? },
            "regex" => Query::Regex { key, pattern: self.pattern(at)? },
            "eq" => Query::Eq { key, value: self.json("value", at)? },
            "noteq" => Query::NotEq { key, value: self.json("value", at)? },
            "comparison" => self.comparison(key, at)?,
            "contains" => Query::Contains { key, value: self.json("value", at)? },
            "in" => Query::In { key, values: self.list("value", at)? },
            "notin" => Query::NotIn { key, values: self.list("value", at)? },
            "keypresent" => Query::KeyPresent { key, exists: self.flag("exists", at)? },
            "like" => Query::Like { key, pattern: self.like_pattern(at)? },
            "specs" => {
                let left_out = self.raw("exclude", at).is_none();
                let exclude = if left_out { vec![] } else { self.names("exclude", at)? };
                Query::Specs { include: self.names("include", at)?, exclude }
            }
            "access_tags_filter" => Query::AccessTags { tags: self.names("tags", at)? },
            _ => self.family(at)?,
        })
    }

    fn pattern(&self, at: usize) -> Result<Pattern, QueryError> {
        let case_sensitive = self.flag("case_sensitive", at)?;
        Pattern::new(self.raw("pattern", at).unwrap_or_default(), case_sensitive)
            .map_err(|reason| self.bad("pattern", format!("not a regular expression: {reason}")))
    }

    fn like_pattern(&self, at: usize) -> Result<String, QueryError> {
        match self.json("pattern", at)? {
            Value::String(pattern) if pattern.len() <= LIKE_PATTERN_LIMIT => Ok(pattern),
            Value::String(_) => Err(self.bad("pattern", format!("longer than {LIKE_PATTERN_LIMIT} bytes"))),
            _ => Err(self.bad("pattern", "a JSON string is wanted".to_owned())),
        }
    }

    fn comparison(&self, key: String, at: usize) -> Result<Query, QueryError> {
        let name = self.raw("operator", at).unwrap_or_default();
        let operator = Operator::named(name)
            .ok_or_else(|| self.bad("operator", format!("{name:?} is none of lt, gt, le, ge")))?;
        let value = self.json("value", at)?;
        if matches!(value, Value::Null | Value::Array(_) | Value::Object(_)) {
            return Err(self.bad("value", "only numbers, strings and booleans have an order".to_owned()));
        }
        Ok(Query::Comparison { operator, key, value })
    }

    fn family(&self, at: usize) -> Result<Query, QueryError> {
        let name = self.raw("value", at).unwrap_or_default();
        let families = || StructureFamily::ALL.map(StructureFamily::name).join(", ");
        StructureFamily::named(name)
            .map(|family| Query::StructureFamily { family })
            .ok_or_else(|| self.bad("value", format!("{name:?} is none of {}", families())))
    }
}

/// The order asked for by the `sort` parameters, in their order. Empty items are skipped; `+` or `-` alone (last)
/// is the order of insertion, which in-memory trees of Tiled call `_`.
///
/// # Errors
/// `MalformedSort`, `DuplicateSort`, `DefaultSortNotLast`.
pub fn parse_sort<S: AsRef<str>>(items: &[S]) -> Result<Sorting, QueryError> {
    let mut sorting = Sorting::default();
    let mut seen: Vec<&str> = Vec::new();
    for item in items.iter().map(AsRef::as_ref).filter(|item| !item.is_empty()) {
        let (descending, key) = match item.as_bytes().first() {
            Some(b'-') => (true, &item[1..]),
            Some(b'+') => (false, &item[1..]),
            _ => (false, item),
        };
        if !key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.') {
            return Err(QueryError::MalformedSort { item: item.to_owned() });
        }
        let key = if key == "_" { "" } else { key };
        if seen.contains(&key) {
            return Err(QueryError::DuplicateSort { key: key.to_owned() });
        }
        if seen.contains(&"") {
            return Err(QueryError::DefaultSortNotLast);
        }
        seen.push(key);
        match key {
            "" => sorting.newest_first = descending,
            "id" => sorting.keys.push(SortKey { target: SortTarget::Key, descending }),
            _ => {
                let path = key.strip_prefix("metadata.").unwrap_or(key).to_owned();
                sorting.keys.push(SortKey { target: SortTarget::Metadata(path), descending });
            }
        }
    }
    Ok(sorting)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<Vec<Query>, QueryError> {
        let pairs: Vec<_> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        parse_filters(&pairs)
    }

    #[test]
    fn queries_of_one_kind_are_zipped_by_position() {
        let found = parse(&[
            ("page[limit]", "3"),
            ("filter[eq][condition][key]", "color"),
            ("filter[eq][condition][key]", "n"),
            ("filter[eq][condition][value]", "\"red\""),
            ("filter[eq][condition][value]", "1"),
        ]);
        let eq = |key: &str, value| Query::Eq { key: key.to_owned(), value };
        assert_eq!(found, Ok(vec![eq("color", json!("red")), eq("n", json!(1))]));
    }

    #[test]
    fn every_query_type_is_read() {
        let k = |name: &str, field: &str| format!("filter[{name}][condition][{field}]");
        let pairs: Vec<(String, String)> = [
            (k("fulltext", "text"), "dog"),
            (k("lookup", "key"), "a"),
            (k("keys_filter", "keys"), "[\"a\"]"),
            (k("regex", "key"), "s"),
            (k("regex", "pattern"), "^Cu"),
            (k("noteq", "key"), "n"),
            (k("noteq", "value"), "1"),
            (k("comparison", "operator"), "ge"),
            (k("comparison", "key"), "n"),
            (k("comparison", "value"), "1.5"),
            (k("contains", "key"), "l"),
            (k("contains", "value"), "\"x\""),
            (k("in", "key"), "n"),
            (k("in", "value"), "[1, \"b\"]"),
            (k("notin", "key"), "n"),
            (k("notin", "value"), "[]"),
            (k("keypresent", "key"), "n"),
            (k("keypresent", "exists"), "False"),
            (k("like", "key"), "n"),
            (k("like", "pattern"), "\"Ni%\""),
            (k("specs", "include"), "[\"foo\"]"),
            (k("specs", "exclude"), "[]"),
            (k("access_tags_filter", "tags"), "[\"t\"]"),
            (k("structure_family", "value"), "table"),
        ]
        .into_iter()
        .map(|(k, v)| (k, v.to_owned()))
        .collect();
        let queries = parse_filters(&pairs).unwrap();
        let names: Vec<_> = queries.iter().map(Query::name).collect();
        let mut wanted = Query::NAMES.to_vec();
        wanted.retain(|name| *name != "eq");
        assert_eq!(names, wanted);
        assert!(queries.contains(&Query::KeyPresent { key: "n".into(), exists: false }));
    }

    #[test]
    fn bad_filters_are_refused_by_name() {
        let check = |pairs: &[(&str, &str)], wanted: &str| {
            let text = parse(pairs).unwrap_err().to_string();
            assert!(text.contains(wanted), "{text}");
        };
        check(&[("filter[nope][condition][key]", "a")], "'nope'");
        check(&[("filter[eq][key]", "a")], "filter[NAME][condition][FIELD]");
        check(&[("filter[eq][condition][kee]", "a")], "'kee'");
        check(&[("filter[eq][condition][key]", "a")], "filter[eq][condition][value] is missing");
        check(&[("filter[keys_filter][condition][keys]", "a")], "not a JSON document");
        check(&[("filter[keys_filter][condition][keys]", "[1]")], "list of strings");
        check(&[("filter[structure_family][condition][value]", "nope")], "none of array");
        check(
            &[("filter[regex][condition][key]", "a"), ("filter[regex][condition][pattern]", "(")],
            "filter[regex][condition][pattern]: not a regular expression",
        );
    }

    #[test]
    fn sort_items_become_an_order() {
        let sorting = parse_sort(&["-color", "", "metadata.n", "id", "-"]).unwrap();
        let key = |path: &str, descending| {
            let target = SortTarget::Metadata(path.to_owned());
            SortKey { target, descending }
        };
        let id = SortKey { target: SortTarget::Key, descending: false };
        assert_eq!(sorting.keys, [key("color", true), key("n", false), id]);
        assert!(sorting.newest_first);
        assert_eq!(parse_sort(&["x", "-x"]), Err(QueryError::DuplicateSort { key: "x".into() }));
        assert_eq!(parse_sort(&["-", "x"]), Err(QueryError::DefaultSortNotLast));
        assert!(matches!(parse_sort(&["a b"]), Err(QueryError::MalformedSort { .. })));
    }
}

//! The expressions of `sql.rs` for PostgreSQL. `at` is a JSON value inside of a node's metadata.

use serde_json::Value;

/// The value at a path, NULL where nothing is. Strict: a segment is never a place in an array.
pub(super) fn at(path: &str) -> String {
    format!("jsonb_path_query_first(n.metadata, {path}, '{{}}', true)")
}

/// A dotted path as `jsonpath`.
pub(super) fn path(dotted: &str) -> String {
    let mut path = String::from("strict $");
    for segment in dotted.split('.') {
        path.push('.');
        path.push_str(&Value::from(segment).to_string());
    }
    path
}

/// The text of a JSON text, compared byte by byte as SQLite does.
pub(super) fn text(at: &str) -> String {
    format!("(({at}) #>> '{{}}') COLLATE \"C\"")
}

/// Compares with a number (as JSON), text or boolean of the type that was tested before.
pub(super) fn compare(at: &str, symbol: &str, asked: &str, value: &Value) -> String {
    match value {
        Value::String(_) => format!("{} {symbol} CAST({asked} AS TEXT)", text(at)),
        _ => format!("({at}) {symbol} CAST({asked} AS JSONB)"),
    }
}

/// Equality with one of a JSON list.
pub(super) fn same_as_any(at: &str, list: &str) -> String {
    format!("({at}) = ANY(ARRAY(SELECT jsonb_array_elements(CAST({list} AS JSONB))))")
}

/// `query::contains`.
pub(super) fn contains(at: &str, asked: &str) -> String {
    let asked = format!("CAST({asked} AS JSONB)");
    let part = format!("({asked} #>> '{{}}')");
    format!(
        "coalesce(CASE jsonb_typeof({at}) WHEN 'array' THEN \
         EXISTS (SELECT 1 FROM jsonb_array_elements({at}) item(v) WHERE item.v = {asked}) \
         WHEN 'string' THEN jsonb_typeof({asked}) = 'string' AND position({} IN {}) > 0 \
         WHEN 'object' THEN jsonb_typeof({asked}) = 'string' AND jsonb_exists({at}, {part}) END, false)",
        lower(&part),
        lower(&text(at))
    )
}

/// ASCII letters in lower case, others as they are.
pub(super) fn lower(text: &str) -> String {
    format!("lower({text} COLLATE \"C\")")
}

pub(super) fn rank(at: &str) -> String {
    format!(
        "CASE jsonb_typeof({at}) WHEN 'number' THEN 0 WHEN 'string' THEN 1 WHEN 'boolean' THEN 2 \
         WHEN 'array' THEN 3 WHEN 'object' THEN 4 ELSE 5 END"
    )
}

/// What sorts values of one rank: numbers, then all else by its text.
pub(super) fn order(at: &str) -> [String; 2] {
    [
        format!("CASE jsonb_typeof({at}) WHEN 'number' THEN CAST({at} AS NUMERIC) END"),
        format!("CASE jsonb_typeof({at}) WHEN 'number' THEN NULL ELSE {} END", text(at)),
    ]
}

/// Whether the metadata of the node `node` have the words of a `tsquery`, in the expression of Tiled's index.
pub(super) fn has_words(node: &str, asked: &str) -> String {
    format!(
        "jsonb_to_tsvector('simple'::regconfig, {node}.metadata, '[\"string\"]'::jsonb) \
         @@ to_tsquery('simple'::regconfig, {asked})"
    )
}

/// A search as a `tsquery`. One that is written in the syntax of `to_tsquery` stays as it is; else words that
/// stand beside each other must all be there, `"…"` is a phrase, `word*` a beginning, and `AND`, `OR`, `NOT` are
/// what they are in SQLite.
pub(super) fn tsquery(text: &str) -> String {
    if text.contains(['&', '|', '!', '<', ':']) {
        return text.to_owned();
    }
    let mut query = String::new();
    // Whether the next term follows one without an operator between.
    let mut after_term = false;
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (term, length) = match first {
            '(' => ("(".to_owned(), 1),
            ')' => (")".to_owned(), 1),
            '"' => {
                let end = rest[1..].find('"').map_or(rest.len(), |end| end + 1);
                // An end that is missing is left to the database to complain about.
                let quoted = if end < rest.len() { quote(&rest[1..end]) } else { "'".to_owned() };
                (quoted, (end + 1).min(rest.len()))
            }
            _ => {
                let stop = |c: char| c.is_whitespace() || "()\"".contains(c);
                let end = rest.find(stop).unwrap_or(rest.len());
                (word(&rest[..end]), end)
            }
        };
        let operator = matches!(term.as_str(), "&" | "|" | "& !");
        if after_term && !operator && term != ")" {
            query.push_str(" & ");
        }
        after_term = !operator && term != "(";
        query.push_str(&term);
        query.push(' ');
        rest = rest[length..].trim_start();
    }
    query
}

fn word(word: &str) -> String {
    match word {
        "AND" => "&".to_owned(),
        "OR" => "|".to_owned(),
        "NOT" => "& !".to_owned(),
        _ => match word.strip_suffix('*') {
            Some(start) => format!("{}:*", quote(start)),
            None => quote(word),
        },
    }
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

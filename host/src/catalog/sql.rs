//! SQL text with its parameters, and the parts of it that differ between databases.

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};
use serde_json::Value;

use super::postgres_regex;
use super::postgres_sql as pg;
use crate::query::Pattern;

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Param {
    Int(i64),
    Real(f64),
    Text(String),
    Null,
}

impl Param {
    pub fn text(value: &str) -> Self {
        Param::Text(value.to_owned())
    }

    pub fn opt_text(value: Option<&str>) -> Self {
        value.map_or(Param::Null, Param::text)
    }

    pub fn opt_int(value: Option<i64>) -> Self {
        value.map_or(Param::Null, Param::Int)
    }

    pub fn bool(value: bool) -> Self {
        Param::Int(i64::from(value))
    }
}

impl ToSql for Param {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Param::Int(value) => ValueRef::Integer(*value),
            Param::Real(value) => ValueRef::Real(*value),
            Param::Text(value) => ValueRef::Text(value.as_bytes()),
            Param::Null => ValueRef::Null,
        }))
    }
}

/// A statement being written. Values are always parameters, so that its text depends only on its form and the
/// prepared statement is found again.
#[derive(Debug)]
pub(super) struct Sql {
    pub text: String,
    pub params: Vec<Param>,
    pub dialect: Dialect,
}

impl Sql {
    pub fn new(dialect: Dialect, text: &str) -> Self {
        let mut text = text.to_owned();
        text.reserve(1024);
        Sql { text, params: Vec::new(), dialect }
    }

    pub fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Adds a value and gives its placeholder, which may be used more than once. The session puts it as its database wants
    /// it.
    pub fn bind(&mut self, value: Param) -> String {
        self.params.push(value);
        format!("?{}", self.params.len())
    }

    pub fn bind_int(&mut self, value: u64) -> String {
        self.bind(Param::Int(i64::try_from(value).unwrap_or(i64::MAX)))
    }
}

/// Which database the text is for. Arguments are expressions or placeholders; `n` is the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite {
        /// Whether the table for full text search is there.
        fulltext: bool,
    },
    Postgres,
}

impl Dialect {
    /// `sqlite` or `postgres`.
    fn either(self, sqlite: impl FnOnce() -> String, postgres: impl FnOnce() -> String) -> String {
        match self {
            Dialect::Sqlite { .. } => sqlite(),
            Dialect::Postgres => postgres(),
        }
    }

    fn word(self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self {
            Dialect::Sqlite { .. } => sqlite,
            Dialect::Postgres => postgres,
        }
    }

    /// Ends a `SELECT` of rows that nobody else may change or delete before the transaction ends.
    pub fn hold(self) -> &'static str {
        self.word("", " FOR NO KEY UPDATE")
    }

    /// Ends a `SELECT` of rows `n` that nobody else may change, delete or refer to before the transaction ends.
    pub fn hold_alone(self) -> &'static str {
        self.word("", " FOR UPDATE OF n")
    }

    /// Ends a `SELECT` of rows `n` that nobody else may delete before the transaction ends.
    pub fn keep_parent(self) -> &'static str {
        self.word("", " FOR KEY SHARE OF n")
    }

    /// Whether others write while a transaction that writes is open.
    pub fn others_write(self) -> bool {
        matches!(self, Dialect::Postgres)
    }

    /// A join whose left side is to be read first; SQLite takes it as an order, PostgreSQL finds its own way.
    pub fn join_after(self) -> &'static str {
        self.word("CROSS JOIN", "JOIN")
    }

    /// Whether the table of Alembic's revision is there, as 0 or 1.
    pub fn is_stamped(self) -> &'static str {
        self.word(
            "SELECT count(*) FROM sqlite_schema WHERE name = 'alembic_version'",
            "SELECT CASE WHEN to_regclass('alembic_version') IS NULL THEN 0 ELSE 1 END",
        )
    }

    /// Sorts a text byte by byte.
    pub fn bytewise(self, text: &str) -> String {
        self.either(|| text.to_owned(), || format!("{text} COLLATE \"C\""))
    }

    /// Whether the integer is in a JSON list of integers.
    pub fn in_integers(self, value: &str, list: &str) -> String {
        self.either(
            || format!("{value} IN (SELECT value FROM json_each({list}))"),
            || {
                format!(
                    "{value} = ANY(ARRAY(SELECT CAST(jsonb_array_elements_text(CAST({list} AS JSONB)) AS INTEGER)))"
                )
            },
        )
    }

    /// Whether the text of a column is in a JSON list of texts.
    pub fn in_texts(self, value: &str, list: &str) -> String {
        self.either(
            || format!("{value} IN (SELECT value FROM json_each({list}))"),
            || format!("{value} = ANY(ARRAY(SELECT jsonb_array_elements_text(CAST({list} AS JSONB))))"),
        )
    }

    /// A dotted path as the database's own path. Every segment is the key of an object.
    pub fn path(self, dotted: &str) -> Param {
        match self {
            Dialect::Sqlite { .. } => {
                let mut path = String::from("$");
                for segment in dotted.split('.') {
                    path.push('.');
                    path.push_str(&serde_json::Value::from(segment).to_string());
                }
                Param::Text(path)
            }
            Dialect::Postgres => Param::Text(pg::path(dotted)),
        }
    }

    /// The JSON type of the value at a path, in the database's words.
    fn kind(self, path: &str) -> String {
        self.either(|| format!("json_type(n.metadata, {path})"), || format!("jsonb_typeof({})", pg::at(path)))
    }

    pub fn is_number(self, path: &str) -> String {
        format!("{} {}", self.kind(path), self.word("IN ('integer', 'real')", "= 'number'"))
    }

    pub fn is_text(self, path: &str) -> String {
        format!("{} = {}", self.kind(path), self.word("'text'", "'string'"))
    }

    pub fn is_bool(self, path: &str, value: bool) -> String {
        self.either(
            || format!("json_type(n.metadata, {path}) = '{value}'"),
            || format!("{} = '{value}'", pg::at(path)),
        )
    }

    pub fn is_any_bool(self, path: &str) -> String {
        format!("{} {}", self.kind(path), self.word("IN ('true', 'false')", "= 'boolean'"))
    }

    /// Missing or null.
    pub fn is_absent(self, path: &str) -> String {
        format!("coalesce({}, 'null') = 'null'", self.kind(path))
    }

    pub fn has_key(self, path: &str) -> String {
        format!("{} IS NOT NULL", self.kind(path))
    }

    /// A number, text or boolean as the parameter that [`Dialect::compare`] takes.
    pub fn comparable(self, value: &Value) -> Param {
        match (self, value) {
            (_, Value::String(text)) => Param::Text(text.clone()),
            (Dialect::Sqlite { .. }, Value::Number(number)) => {
                let float = || number.as_f64().unwrap_or(f64::INFINITY);
                number.as_i64().map_or_else(|| Param::Real(float()), Param::Int)
            }
            (Dialect::Sqlite { .. }, Value::Bool(value)) => Param::bool(*value),
            (_, other) => Param::Text(other.to_string()),
        }
    }

    /// Compares the value at a path, which is of the type of `value`, with `value` bound as `asked`.
    pub fn compare(self, path: &str, symbol: &str, asked: &str, value: &Value) -> String {
        self.either(
            || format!("json_extract(n.metadata, {path}) {symbol} {asked}"),
            || pg::compare(&pg::at(path), symbol, asked, value),
        )
    }

    /// Whether the number or text at a path is in a JSON list of such.
    pub fn is_any(self, path: &str, list: &str) -> String {
        self.either(
            || format!("json_extract(n.metadata, {path}) IN (SELECT value FROM json_each({list}))"),
            || pg::same_as_any(&pg::at(path), list),
        )
    }

    /// The text at a path.
    pub fn text(self, path: &str) -> String {
        self.either(|| format!("json_extract(n.metadata, {path})"), || pg::text(&pg::at(path)))
    }

    /// The JSON at a path; NULL where nothing is.
    pub fn json(self, path: &str) -> String {
        self.either(|| format!("n.metadata -> {path}"), || pg::at(path))
    }

    /// The place of the type in the order of values, as `query::rank` gives it.
    pub fn rank(self, path: &str) -> String {
        self.either(
            || {
                format!(
                    "CASE json_type(n.metadata, {path}) WHEN 'integer' THEN 0 WHEN 'real' THEN 0 WHEN 'text' THEN 1 \
                     WHEN 'true' THEN 2 WHEN 'false' THEN 2 WHEN 'array' THEN 3 WHEN 'object' THEN 4 ELSE 5 END"
                )
            },
            || pg::rank(&pg::at(path)),
        )
    }

    /// What sorts the values of one rank, by one after the other: numbers, texts, and all others by the JSON text that
    /// the database writes (PostgreSQL writes `1e300` in digits).
    pub fn order(self, path: &str) -> Vec<String> {
        match self {
            Dialect::Sqlite { .. } => vec![format!("json_extract(n.metadata, {path})")],
            Dialect::Postgres => pg::order(&pg::at(path)).to_vec(),
        }
    }

    /// Deep equality with the JSON text `asked`.
    pub fn same(self, path: &str, asked: &str) -> String {
        self.either(
            || format!("tiled_same({asked}, n.metadata -> {path})"),
            || format!("({}) = CAST({asked} AS JSONB)", pg::at(path)),
        )
    }

    /// Deep equality with one of the JSON list `asked`.
    pub fn same_as_any(self, path: &str, asked: &str) -> String {
        self.either(
            || format!("tiled_contains(n.metadata -> {path}, {asked})"),
            || pg::same_as_any(&pg::at(path), asked),
        )
    }

    /// Membership of the JSON text `asked`.
    pub fn contains(self, path: &str, asked: &str) -> String {
        self.either(
            || format!("tiled_contains({asked}, n.metadata -> {path})"),
            || pg::contains(&pg::at(path), asked),
        )
    }

    /// What to bind for a regular expression.
    pub fn pattern(self, pattern: &Pattern) -> Param {
        match self {
            Dialect::Sqlite { .. } => Param::text(pattern.text()),
            // What cannot be translated is left to PostgreSQL to read, or to complain about.
            Dialect::Postgres => {
                let translated = postgres_regex::translate(pattern.text(), pattern.case_sensitive());
                Param::Text(translated.unwrap_or_else(|| pattern.text().to_owned()))
            }
        }
    }

    pub fn regex(self, text: &str, pattern: &str, case_sensitive: bool) -> String {
        self.either(
            || format!("tiled_regex({pattern}, {}, {text})", u8::from(case_sensitive)),
            || format!("{text} ~ CAST({pattern} AS TEXT)"),
        )
    }

    pub fn like(self, text: &str, pattern: &str) -> String {
        self.either(
            || format!("{text} LIKE {pattern}"),
            || {
                let pattern = format!("CAST({pattern} AS TEXT)");
                format!("{} LIKE {} ESCAPE ''", pg::lower(text), pg::lower(&pattern))
            },
        )
    }

    /// What to bind for a search of whole words, and the condition given its placeholder.
    pub fn words(self, text: &str) -> (Param, fn(&str) -> String) {
        match self {
            Dialect::Sqlite { .. } => {
                (Param::text(text), |asked| format!("tiled_words({asked}, n.metadata)"))
            }
            Dialect::Postgres => (Param::Text(pg::tsquery(text)), |asked| pg::has_words("n", asked)),
        }
    }

    pub fn has_spec(self, name: &str) -> String {
        self.either(
            || format!("EXISTS (SELECT 1 FROM json_each(n.specs) s WHERE s.value ->> '$.name' = {name})"),
            || format!("n.specs @> jsonb_build_array(jsonb_build_object('name', CAST({name} AS TEXT)))"),
        )
    }

    /// A JSON list of the texts of a column of `tables`, which may have conditions.
    pub fn list_of(self, column: &str, tables: &str) -> String {
        self.either(
            || format!("(SELECT json_group_array({column}) FROM {tables})"),
            || format!("(SELECT coalesce(jsonb_agg({column}), '[]') FROM {tables})"),
        )
    }
}

//! SQL text with its parameters, and the parts of it that differ between databases.

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};

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

    /// Adds a value and gives its placeholder, which may be used more than once.
    pub fn bind(&mut self, value: Param) -> String {
        self.params.push(value);
        self.dialect.placeholder(self.params.len())
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
}

impl Dialect {
    pub fn placeholder(self, number: usize) -> String {
        match self {
            Dialect::Sqlite { .. } => format!("?{number}"),
        }
    }

    /// Ends a `SELECT` of rows that nobody else may change or delete before the transaction ends.
    pub fn hold(self) -> &'static str {
        match self {
            Dialect::Sqlite { .. } => "",
        }
    }

    /// Ends a `SELECT` of rows that nobody else may delete before the transaction ends.
    pub fn keep_parent(self) -> &'static str {
        match self {
            Dialect::Sqlite { .. } => "",
        }
    }

    /// Whether others write while a transaction that writes is open.
    pub fn others_write(self) -> bool {
        match self {
            Dialect::Sqlite { .. } => false,
        }
    }

    /// Whether the integer is in a JSON list of integers.
    pub fn in_integers(self, value: &str, list: &str) -> String {
        self.in_list(value, list)
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
        }
    }

    pub fn is_number(self, path: &str) -> String {
        format!("json_type(n.metadata, {path}) IN ('integer', 'real')")
    }

    pub fn is_text(self, path: &str) -> String {
        format!("json_type(n.metadata, {path}) = 'text'")
    }

    pub fn is_bool(self, path: &str, value: bool) -> String {
        format!("json_type(n.metadata, {path}) = '{value}'")
    }

    pub fn is_any_bool(self, path: &str) -> String {
        format!("json_type(n.metadata, {path}) IN ('true', 'false')")
    }

    /// Missing or null.
    pub fn is_absent(self, path: &str) -> String {
        format!("coalesce(json_type(n.metadata, {path}), 'null') = 'null'")
    }

    pub fn has_key(self, path: &str) -> String {
        format!("json_type(n.metadata, {path}) IS NOT NULL")
    }

    /// The number, text or boolean (as 0 or 1) at a path.
    pub fn scalar(self, path: &str) -> String {
        format!("json_extract(n.metadata, {path})")
    }

    /// The JSON at a path; NULL where nothing is.
    pub fn json(self, path: &str) -> String {
        format!("n.metadata -> {path}")
    }

    /// The place of the type in the order of values, as `query::rank` gives it.
    pub fn rank(self, path: &str) -> String {
        format!(
            "CASE json_type(n.metadata, {path}) WHEN 'integer' THEN 0 WHEN 'real' THEN 0 WHEN 'text' THEN 1 \
             WHEN 'true' THEN 2 WHEN 'false' THEN 2 WHEN 'array' THEN 3 WHEN 'object' THEN 4 ELSE 5 END"
        )
    }

    /// Deep equality with the JSON text `asked`.
    pub fn same(self, path: &str, asked: &str) -> String {
        format!("tiled_same({asked}, n.metadata -> {path})")
    }

    /// Deep equality with one of the JSON list `asked`.
    pub fn same_as_any(self, path: &str, asked: &str) -> String {
        format!("tiled_contains(n.metadata -> {path}, {asked})")
    }

    /// Membership of the JSON text `asked`.
    pub fn contains(self, path: &str, asked: &str) -> String {
        format!("tiled_contains({asked}, n.metadata -> {path})")
    }

    /// Whether the value is in a JSON list of scalars of its type.
    pub fn in_list(self, value: &str, list: &str) -> String {
        format!("{value} IN (SELECT value FROM json_each({list}))")
    }

    pub fn regex(self, text: &str, pattern: &str, case_sensitive: bool) -> String {
        format!("tiled_regex({pattern}, {}, {text})", u8::from(case_sensitive))
    }

    pub fn like(self, text: &str, pattern: &str) -> String {
        format!("{text} LIKE {pattern}")
    }

    /// What to bind for a search of whole words, and the condition given its placeholder.
    pub fn words(self, text: &str) -> (Param, fn(&str) -> String) {
        match self {
            Dialect::Sqlite { fulltext: true } => (Param::Text(fts5_expression(text)), |asked| {
                format!("n.id IN (SELECT rowid FROM metadata_fts5 WHERE metadata_fts5 MATCH {asked})")
            }),
            Dialect::Sqlite { fulltext: false } => {
                (Param::Text(text.to_owned()), |asked| format!("tiled_words({asked}, n.metadata)"))
            }
        }
    }

    pub fn has_spec(self, name: &str) -> String {
        format!("EXISTS (SELECT 1 FROM json_each(n.specs) s WHERE s.value ->> '$.name' = {name})")
    }

    /// A JSON list of the texts of a column of `tables`, which may have conditions.
    pub fn list_of(self, column: &str, tables: &str) -> String {
        format!("(SELECT json_group_array({column}) FROM {tables})")
    }
}

/// The text as an FTS5 expression. Text that is written in FTS5's own syntax stays as it is; the words of any
/// other are quoted where FTS5 would take offence at their punctuation (`sample-1.tif`).
fn fts5_expression(text: &str) -> String {
    let bare = |word: &str| word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii());
    let syntax = |c: char| "\"*():^{}".contains(c);
    if text.contains(syntax) || text.split_whitespace().all(bare) {
        return text.to_owned();
    }
    let quote = |word: &str| if bare(word) { word.to_owned() } else { format!("\"{word}\"") };
    text.split_whitespace().map(quote).collect::<Vec<_>>().join(" ")
}

//! How facts look in each database. In SQLite a value is one column: numbers sort before texts by themselves, and
//! what is neither is a blob, which sorts after both, in the order of `query::rank`.

use serde_json::Value;

use super::facts::cut;
use super::postgres_sql as pg;
use super::sql::{Dialect, Param};
use crate::query::{Operator, Words};

/// A pattern for JSON text in which SQLite's full text search may see other words than we do: it knows no escapes, and
/// an older Unicode. What is ASCII, Latin, punctuation, arrow or mathematical sign is read alike.
pub(super) const ODD: &str =
    "*[^]^-~ -[\u{a0}-\u{12f}\u{131}-\u{148}\u{14a}-\u{17f}\u{2010}-\u{2027}\u{2190}-\u{22ff}]*";

impl Dialect {
    /// What stands for a path in a fact.
    pub fn fact_path(self, path: &str) -> String {
        match self {
            Dialect::Sqlite { .. } => format!("(SELECT p.id FROM tiled_host_paths p WHERE p.path = {path})"),
            Dialect::Postgres => format!("hashtextextended(CAST({path} AS TEXT), 0)"),
        }
    }

    /// A value as a parameter that compares with those of facts.
    pub fn fact_mark(self, value: &Value) -> Param {
        match (self, value) {
            (_, Value::String(text)) => Param::text(cut(text)),
            (Dialect::Postgres, Value::Bool(value)) => Param::Text(u8::from(*value).to_string()),
            _ => self.comparable(value),
        }
    }

    pub fn fact_at(self, value: &Value, mark: &str) -> String {
        match self {
            Dialect::Sqlite { .. } => format!("f.value = {}", sqlite_mark(value, mark)),
            Dialect::Postgres => {
                let [kind, num, txt] = postgres_mark(value, mark);
                format!("f.kind = {kind} AND f.num = {num} AND f.txt = {txt}")
            }
        }
    }

    pub fn fact_side(self, operator: Operator, value: &Value, mark: &str) -> String {
        let symbol = operator.symbol();
        match self {
            Dialect::Sqlite { .. } => {
                let least = matches!(operator, Operator::Lt | Operator::Le);
                let end = match value {
                    Value::Number(_) => (!least).then_some("f.value < ''"),
                    Value::Bool(_) if least => Some("f.value >= x'02'"),
                    Value::Bool(_) => Some("f.value <= x'03'"),
                    _ if least => Some("f.value >= ''"),
                    _ => Some("f.value < x''"),
                };
                let end = end.map(|end| format!(" AND {end}")).unwrap_or_default();
                format!("f.value {symbol} {}{end}", sqlite_mark(value, mark))
            }
            Dialect::Postgres => match (value, postgres_mark(value, mark)) {
                (Value::String(_), [kind, num, txt]) => {
                    format!("f.kind = {kind} AND f.num = {num} AND f.txt {symbol} {txt}")
                }
                (_, [kind, num, _]) => format!("f.kind = {kind} AND f.num {symbol} {num}"),
            },
        }
    }

    pub fn fact_beyond(self, operator: Operator, value: &Value, mark: &str) -> String {
        let symbol = operator.symbol();
        match self {
            Dialect::Sqlite { .. } => {
                let end = if operator == Operator::Gt { " AND f.value < x'06'" } else { "" };
                format!("f.value {symbol} {}{end}", sqlite_mark(value, mark))
            }
            Dialect::Postgres => {
                let [kind, num, txt] = postgres_mark(value, mark);
                format!("(f.kind, f.num, f.txt) {symbol} ({kind}, {num}, {txt}) AND f.kind < 5")
            }
        }
    }

    pub fn fact_not_null(self) -> &'static str {
        match self {
            Dialect::Sqlite { .. } => "f.value < x'06'",
            Dialect::Postgres => "f.kind < 5",
        }
    }

    pub fn fact_is_text(self) -> &'static str {
        match self {
            Dialect::Sqlite { .. } => "f.value >= '' AND f.value < x''",
            Dialect::Postgres => "f.kind = 1 AND f.num = 0",
        }
    }

    pub fn fact_is_object(self) -> &'static str {
        match self {
            Dialect::Sqlite { .. } => "f.value = x'05'",
            Dialect::Postgres => "f.kind = 4",
        }
    }

    pub fn fact_is_long_list(self) -> &'static str {
        match self {
            Dialect::Sqlite { .. } => "f.value = x'07'",
            Dialect::Postgres => "f.kind = 6",
        }
    }

    /// Selects the ids of the facts `f` with a text between those of a pair, for each of a JSON list of pairs; conditions
    /// may follow.
    pub fn between_select(self, path: &str, pairs: &str) -> String {
        match self {
            Dialect::Sqlite { .. } => format!(
                "SELECT f.node AS id FROM json_each({pairs}) b CROSS JOIN tiled_host_facts f ON f.path = {path} \
                 AND f.value >= b.value ->> 0 AND f.value <= b.value ->> 1 WHERE 1 = 1"
            ),
            Dialect::Postgres => format!(
                "SELECT f.node AS id FROM jsonb_array_elements(CAST({pairs} AS JSONB)) b JOIN LATERAL (SELECT * \
                 FROM tiled_host_facts t WHERE t.path = {path} AND t.kind = 1 AND t.num = 0 \
                 AND t.txt >= (b.value ->> 0) AND t.txt <= (b.value ->> 1) OFFSET 0) f ON true WHERE 1 = 1"
            ),
        }
    }

    /// Ends a `SELECT` that is to be answered by itself, before what is around it.
    pub fn fence(self) -> &'static str {
        match self {
            Dialect::Sqlite { .. } => "",
            Dialect::Postgres => " OFFSET 0",
        }
    }

    /// The least text of a path (placeholder), or the one after `v.x`, of the facts `f`.
    pub fn next_text(self, path: &str, after: bool) -> String {
        let path = self.fact_path(path);
        let text = self.fact_text();
        let range = match (self, after) {
            (_, false) => self.fact_is_text(),
            // One lower bound only: SQLite begins at the first it sees.
            (Dialect::Sqlite { .. }, true) => "f.value > v.x AND f.value < x''",
            (Dialect::Postgres, true) => "f.kind = 1 AND f.num = 0 AND f.txt > v.x",
        };
        format!(
            "(SELECT {text} FROM tiled_host_facts f WHERE f.path = {path} AND {range} ORDER BY {} LIMIT 1)",
            self.fact_order("")
        )
    }

    /// Selects the ids of the nodes `k` whose key is in a JSON list of texts; conditions may follow.
    pub fn key_select(self, list: &str) -> String {
        match self {
            // By Tiled's index of keys, for each key of the list.
            Dialect::Sqlite { .. } => format!(
                "SELECT k.id AS id FROM json_each({list}) j CROSS JOIN nodes k ON k.key = j.value WHERE 1 = 1"
            ),
            Dialect::Postgres => {
                format!("SELECT k.id AS id FROM nodes k WHERE {}", self.in_texts("k.key", list))
            }
        }
    }

    /// Joins a table, as `name`, of which one row at most has these values: it is looked up for each row before it,
    /// and never read as a whole. `{t}` in the condition stands for it.
    pub fn look_up(self, table: &str, name: &str, condition: &str) -> String {
        match self {
            Dialect::Sqlite { .. } => {
                format!(" CROSS JOIN {table} {name} ON {}", condition.replace("{t}", name))
            }
            // OFFSET keeps the planner, which may know nothing yet of new rows, from turning it into another join.
            Dialect::Postgres => format!(
                " JOIN LATERAL (SELECT * FROM {table} t WHERE {} OFFSET 0) {name} ON true",
                condition.replace("{t}", "t")
            ),
        }
    }

    pub fn fact_text(self) -> &'static str {
        match self {
            Dialect::Sqlite { .. } => "f.value",
            Dialect::Postgres => "f.txt",
        }
    }

    /// What facts are ordered by, as `query::rank` orders values.
    pub fn fact_order(self, direction: &str) -> String {
        match self {
            Dialect::Sqlite { .. } => format!("f.value{direction}"),
            Dialect::Postgres => format!("f.kind{direction}, f.num{direction}, f.txt{direction}"),
        }
    }

    /// The columns of a value.
    pub fn fact_columns(self) -> &'static str {
        match self {
            Dialect::Sqlite { .. } => "f.value",
            Dialect::Postgres => "f.kind, f.num, f.txt",
        }
    }

    /// Whether the value is only the begin of what is in the metadata, or stands for a list or an object.
    pub fn fact_is_cut(self) -> String {
        match self {
            Dialect::Sqlite { .. } => format!(
                "CASE typeof(f.value) WHEN 'text' THEN length(f.value) >= {} WHEN 'blob' THEN f.value IN (x'04', x'05') ELSE 0 END",
                super::facts::TEXT_LENGTH
            ),
            Dialect::Postgres => format!(
                "CASE WHEN f.kind IN (3, 4) OR f.kind = 1 AND length(f.txt) >= {} THEN 1 ELSE 0 END",
                super::facts::TEXT_LENGTH
            ),
        }
    }

    /// Type (as `query::rank`) and value of a fact as JSON text.
    pub fn fact_json(self) -> &'static str {
        match self {
            Dialect::Sqlite { .. } => {
                "CASE typeof(f.value) WHEN 'blob' THEN CASE f.value WHEN x'02' THEN 'false' WHEN x'03' THEN 'true' \
                 ELSE 'null' END ELSE json_quote(f.value) END"
            }
            Dialect::Postgres => {
                "CASE f.kind WHEN 0 THEN CAST(f.num AS TEXT) WHEN 1 THEN CAST(to_json(f.txt) AS TEXT) \
                 WHEN 2 THEN CASE f.num WHEN 0 THEN 'false' ELSE 'true' END ELSE 'null' END"
            }
        }
    }

    /// Whether a text has a part, ASCII letters in either case; the part is in lower case.
    pub fn has_part(self, text: &str, part: &str) -> String {
        match self {
            // SQLite's lower() knows ASCII only.
            Dialect::Sqlite { .. } => format!("instr(lower({text}), {part}) > 0"),
            Dialect::Postgres => format!("strpos({}, CAST({part} AS TEXT)) > 0", pg::lower(text)),
        }
    }

    /// What to look for in the database's own full text search to find all nodes that may answer; `None` where it
    /// cannot narrow them down.
    pub fn word_candidates(self, text: &str) -> Option<String> {
        let words = Words::parse(text).ok()?;
        match self {
            Dialect::Sqlite { fulltext } => {
                if fulltext {
                    fts5(&words)
                } else {
                    None
                }
            }
            Dialect::Postgres => Some(pg::tsquery(text)),
        }
    }

    /// Selects the ids of nodes for an expression of the database's full text search.
    pub fn word_select(self, asked: &str) -> String {
        match self {
            Dialect::Sqlite { .. } => {
                format!("SELECT rowid AS id FROM metadata_fts5 WHERE metadata_fts5 MATCH {asked}")
            }
            Dialect::Postgres => {
                format!("SELECT w.id AS id FROM nodes w WHERE {}", pg::has_words("w", asked))
            }
        }
    }

    /// The same as a condition on a node, where there is no index.
    pub fn word_filter(self, asked: &str) -> String {
        let select = self.word_select(asked);
        match self {
            Dialect::Sqlite { .. } => format!("(n.id IN ({select}) OR n.metadata GLOB '{ODD}')"),
            Dialect::Postgres => format!("n.id IN ({select})"),
        }
    }

    /// Whether its own full text search is what decides, and not only narrows down.
    pub fn words_are_exact(self) -> bool {
        matches!(self, Dialect::Postgres)
    }
}

/// Kind, number and text of a value.
fn postgres_mark(value: &Value, mark: &str) -> [String; 3] {
    let text = format!("CAST({mark} AS TEXT)");
    match value {
        Value::String(_) => ["1".to_owned(), "0".to_owned(), text],
        Value::Bool(_) => ["2".to_owned(), format!("CAST({text} AS NUMERIC)"), "''".to_owned()],
        _ => ["0".to_owned(), format!("CAST({text} AS NUMERIC)"), "''".to_owned()],
    }
}

fn sqlite_mark(value: &Value, mark: &str) -> String {
    // A parameter for the boolean as well keeps the text of the statement the same.
    if value.is_boolean() { format!("CASE {mark} WHEN 0 THEN x'02' ELSE x'03' END") } else { mark.to_owned() }
}

/// The search without what must not be found, in FTS5's language: words are quoted, and found in the whole metadata.
fn fts5(words: &Words) -> Option<String> {
    match words {
        Words::Row { words, prefix } => {
            Some(format!("\"{}\"{}", words.join(" "), if *prefix { " *" } else { "" }))
        }
        Words::All(parts) => {
            let parts: Vec<String> = parts.iter().filter_map(fts5).collect();
            (!parts.is_empty()).then(|| format!("({})", parts.join(" AND ")))
        }
        Words::Any(parts) => {
            let all: Vec<String> = parts.iter().map(fts5).collect::<Option<_>>()?;
            (!all.is_empty()).then(|| format!("({})", all.join(" OR ")))
        }
        Words::Not(_) => None,
    }
}

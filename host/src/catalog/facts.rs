//! What of a query the search index answers. The index has one row, a fact, for each value in the metadata of a
//! node: its path, the value, the node and the node's parent. `index.rs` says how they come there.
//!
//! A driver gives candidates: all nodes that meet a query, and perhaps others. Only where it is exact the query's
//! own condition need not be looked at again.

use serde_json::Value;

use super::CatalogError;
use super::page::Scope;
use super::sql::{Dialect, Param, Sql};
use crate::query::{Operator, Pattern, Query, QueryError, Words};

/// Keys with more segments are not in the index.
pub(super) const DEPTH: usize = 8;
/// So many characters of a text are in the index.
pub(super) const TEXT_LENGTH: usize = 96;
/// Lists with more elements are in the index by their name only.
pub(super) const LIST_LENGTH: usize = 64;
/// Longer metadata are not in the index; their nodes are always candidates.
pub(super) const METADATA_BYTES: usize = 65_536;
/// The path of the nodes that are not in the index, of specs, and of families.
const LEFT_OUT: &str = "!";
/// Of the nodes whose words the database may read otherwise than we do.
const ODD_TEXTS: &str = "?";
const SPECS: &str = "#";
pub(super) const FAMILY: &str = "^";
/// So many values are looked up one by one.
const VALUES_MAX: usize = 64;

/// A way to the candidates for one query.
#[derive(Debug, Clone)]
pub(super) struct Driver {
    /// Which of the queries.
    pub query: usize,
    /// Whether all candidates meet the query.
    pub exact: bool,
    pub(super) source: Source,
}

#[derive(Debug, Clone)]
pub(super) enum Source {
    Facts(Vec<Span>),
    /// Rows of the table for full text search.
    Words(String),
    Keys(Vec<String>),
    Tags(Vec<String>),
}

/// One stretch of the index.
#[derive(Debug, Clone)]
pub(super) struct Span {
    pub path: String,
    pub range: Range,
}

#[derive(Debug, Clone)]
pub(super) enum Range {
    Any,
    NotNull,
    At(Value),
    /// Of the same type, before or after.
    Side(Operator, Value),
    /// Of any type but null, before or after.
    Beyond(Operator, Value),
    Texts(Filter),
    /// Texts from one on up to another, each of some pairs.
    Between(Vec<[String; 2]>),
    LongList,
    Objects,
}

#[derive(Debug, Clone)]
pub(super) enum Filter {
    Part(String),
    Like(String),
    Regex(Pattern),
}

/// Refuses what cannot be read.
pub(super) fn check(queries: &[Query]) -> Result<(), CatalogError> {
    for query in queries {
        if let Query::FullText { text } = query {
            Words::parse(text).map_err(|reason| {
                let reason = format!("not a full text search: {reason}");
                QueryError::BadValue { filter: "fulltext", field: "text", reason }
            })?;
        }
    }
    Ok(())
}

/// The drivers for those of the queries that have one. `facts`: whether there is an index.
pub(super) fn drivers(dialect: Dialect, facts: bool, queries: &[Query]) -> Vec<Driver> {
    let all = queries.iter().enumerate();
    all.filter_map(|(at, query)| {
        let (source, exact) = match query {
            Query::Lookup { key } => (Source::Keys(vec![key.clone()]), true),
            Query::KeysFilter { keys } => (Source::Keys(keys.clone()), true),
            Query::AccessTags { tags } => (Source::Tags(tags.clone()), true),
            Query::FullText { text } if facts || dialect.words_are_exact() => {
                (Source::Words(dialect.word_candidates(text)?), dialect.words_are_exact())
            }
            _ if !facts => return None,
            // Those without a value have no fact.
            Query::NotIn { .. } if dialect == Dialect::Postgres => return None,
            _ => spans(query).map(|(spans, exact)| (Source::Facts(spans), exact))?,
        };
        Some(Driver { query: at, source, exact })
    })
    .collect()
}

fn spans(query: &Query) -> Option<(Vec<Span>, bool)> {
    let one = |path: String, range| vec![Span { path, range }];
    Some(match query {
        Query::Eq { key, value } => (one(path(key)?, Range::At(scalar(value)?)), !is_cut(value)),
        Query::In { key, values } if (1..=VALUES_MAX).contains(&values.len()) => {
            let path = path(key)?;
            let at = |value| Some(Span { path: path.clone(), range: Range::At(scalar(value)?) });
            (values.iter().map(at).collect::<Option<_>>()?, !values.iter().any(is_cut))
        }
        Query::NotEq { key, value } => unequal(key, std::slice::from_ref(value))?,
        Query::NotIn { key, values } if !values.is_empty() => unequal(key, values)?,
        Query::Comparison { operator, key, value } => {
            // Of cut texts, those that begin alike may be on either side.
            let operator = match operator {
                Operator::Lt | Operator::Le if is_cut(value) => Operator::Le,
                Operator::Gt | Operator::Ge if is_cut(value) => Operator::Ge,
                other => *other,
            };
            (one(path(key)?, Range::Side(operator, scalar(value)?)), !is_cut(value))
        }
        Query::KeyPresent { key, exists: true } => (one(path(key)?, Range::Any), true),
        Query::Contains { key, value } => (containing(key, value)?, false),
        Query::Like { key, pattern } => (one(path(key)?, Range::Texts(Filter::Like(pattern.clone()))), false),
        Query::Regex { key, pattern } => {
            (one(path(key)?, Range::Texts(Filter::Regex(pattern.clone()))), false)
        }
        Query::Specs { include, exclude } => {
            let name = Value::from(include.first()?.as_str());
            let exact = include.len() == 1 && exclude.is_empty() && !is_cut(&name);
            (one(SPECS.to_owned(), Range::At(name)), exact)
        }
        Query::StructureFamily { family } => {
            (one(FAMILY.to_owned(), Range::At(Value::from(family.name()))), true)
        }
        _ => return None,
    })
}

fn unequal(key: &str, values: &[Value]) -> Option<(Vec<Span>, bool)> {
    let path = path(key)?;
    let span = |range| Span { path: path.clone(), range };
    match values {
        [value] if !is_cut(value) && scalar(value).is_some() => {
            let beyond = |operator| span(Range::Beyond(operator, value.clone()));
            Some((vec![beyond(Operator::Lt), beyond(Operator::Gt)], true))
        }
        _ => Some((vec![span(Range::NotNull)], false)),
    }
}

fn containing(key: &str, value: &Value) -> Option<Vec<Span>> {
    let path = path(key)?;
    let (element, value) = (format!("[{path}"), scalar(value)?);
    let mut spans = vec![
        Span { path: element.clone(), range: Range::At(value.clone()) },
        Span { path: element, range: Range::LongList },
    ];
    if let Value::String(part) = &value {
        spans.push(Span { path: path.clone(), range: Range::Texts(Filter::Part(part.clone())) });
        if part.contains('.') || path.split('.').count() > DEPTH {
            spans.push(Span { path, range: Range::Objects });
        } else {
            spans.push(Span { path: format!("{path}.{part}"), range: Range::Any });
        }
    }
    Some(spans)
}

/// The path of a key as it is in the index.
pub(super) fn path(key: &str) -> Option<String> {
    (key.split('.').count() <= DEPTH).then(|| format!(".{key}"))
}

/// What has facts of its own: numbers, texts, booleans.
fn scalar(value: &Value) -> Option<Value> {
    match value {
        Value::Null | Value::Array(_) | Value::Object(_) => None,
        other => Some(other.clone()),
    }
}

/// Whether the index cannot tell the value from others that begin alike.
fn is_cut(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.chars().count() >= TEXT_LENGTH)
}

impl Driver {
    /// Whether the candidates come in the order of their ids, so that a page ends the search.
    pub fn is_ordered(&self, scope: Scope) -> bool {
        let one = |spans: &Vec<Span>| matches!(&spans[..], [Span { range: Range::At(_), .. }]);
        matches!((scope, &self.source), (Scope::Children(_), Source::Facts(spans)) if one(spans))
    }

    /// Whether one select may give a node twice.
    pub fn repeats(&self) -> bool {
        matches!(self.source, Source::Tags(_) | Source::Keys(_))
    }

    /// Whether it knows the parent of its candidates.
    pub fn is_scoped(&self) -> bool {
        !matches!(self.source, Source::Words(_))
    }

    /// Selects that give the candidates' `id`. The same may come twice.
    pub fn selects(&self, sql: &mut Sql, scope: Scope, left_out: bool) -> Vec<String> {
        // PostgreSQL refuses a parameter that is not used.
        let parent = match scope {
            Scope::Children(parent) if self.is_scoped() || !sql.dialect.words_are_exact() => {
                Some(sql.bind(Param::Int(parent)))
            }
            _ => None,
        };
        let parent_is =
            |column: &str| parent.as_ref().map_or("1 = 1".to_owned(), |p| format!("{column} = {p}"));
        match &self.source {
            Source::Facts(spans) => {
                let mut parts: Vec<String> =
                    spans.iter().map(|span| span.select(sql, &parent_is("f.parent"))).collect();
                if left_out {
                    let span = Span { path: LEFT_OUT.to_owned(), range: Range::Any };
                    parts.push(span.select(sql, &parent_is("f.parent")));
                }
                parts
            }
            Source::Words(expression) => {
                let asked = sql.bind(Param::text(expression));
                let mut parts = vec![sql.dialect.word_select(&asked)];
                if !sql.dialect.words_are_exact() {
                    let odd = Span { path: ODD_TEXTS.to_owned(), range: Range::Any };
                    parts.push(odd.select(sql, &parent_is("f.parent")));
                }
                parts
            }
            Source::Keys(keys) => {
                let list = sql.bind(Param::Text(Value::from(keys.clone()).to_string()));
                vec![format!("{} AND {}", sql.dialect.key_select(&list), parent_is("k.parent"))]
            }
            Source::Tags(tags) => {
                let list = sql.bind(Param::Text(Value::from(tags.clone()).to_string()));
                let test = sql.dialect.in_texts("t.name", &list);
                vec![format!(
                    "SELECT a.node_id AS id FROM access_tags t JOIN node_access_tags_association a \
                     ON a.tag_id = t.id WHERE {test} AND {}",
                    parent_is("a.parent_id")
                )]
            }
        }
    }

    /// The condition of the one span of an ordered driver on the fact `f`.
    pub fn ordered(&self, sql: &mut Sql, parent: i64) -> String {
        let parent = sql.bind(Param::Int(parent));
        match &self.source {
            Source::Facts(spans) => match spans.first() {
                Some(span) => format!("{} AND f.parent = {parent}", span.condition(sql)),
                None => "1 = 0".to_owned(),
            },
            _ => "1 = 0".to_owned(),
        }
    }
}

impl Span {
    fn select(&self, sql: &mut Sql, parent: &str) -> String {
        if let Range::Between(pairs) = &self.range {
            let path = fact_path(sql, &self.path);
            let pairs =
                sql.bind(Param::Text(Value::from_iter(pairs.iter().map(|pair| pair.to_vec())).to_string()));
            return format!("{} AND {parent}", sql.dialect.between_select(&path, &pairs));
        }
        let condition = self.condition(sql);
        format!("SELECT f.node AS id FROM tiled_host_facts f WHERE {condition} AND {parent}")
    }

    fn condition(&self, sql: &mut Sql) -> String {
        let path = fact_path(sql, &self.path);
        let range = match &self.range {
            Range::Any => "1 = 1".to_owned(),
            Range::NotNull => sql.dialect.fact_not_null().to_owned(),
            Range::At(value) => {
                let mark = mark(sql, value);
                sql.dialect.fact_at(value, &mark)
            }
            Range::Side(operator, value) => {
                let mark = mark(sql, value);
                sql.dialect.fact_side(*operator, value, &mark)
            }
            Range::Beyond(operator, value) => {
                let mark = mark(sql, value);
                sql.dialect.fact_beyond(*operator, value, &mark)
            }
            Range::Texts(filter) => texts(sql, filter),
            // Has a select of its own.
            Range::Between(_) => "1 = 0".to_owned(),
            Range::LongList => sql.dialect.fact_is_long_list().to_owned(),
            Range::Objects => sql.dialect.fact_is_object().to_owned(),
        };
        format!("f.path = {path} AND {range}")
    }
}

/// Texts that the filter lets pass, and those that are cut, of which it cannot know.
fn texts(sql: &mut Sql, filter: &Filter) -> String {
    let d = sql.dialect;
    let text = d.fact_text();
    let test = match filter {
        Filter::Part(part) => {
            let part = sql.bind(Param::Text(part.to_ascii_lowercase()));
            d.has_part(text, &part)
        }
        Filter::Like(pattern) => {
            let pattern = sql.bind(Param::Text(pattern.clone()));
            d.like(text, &pattern)
        }
        Filter::Regex(pattern) => {
            let asked = sql.bind(d.pattern(pattern));
            d.regex(text, &asked, pattern.case_sensitive())
        }
    };
    format!("{} AND (length({text}) >= {TEXT_LENGTH} OR {test})", d.fact_is_text())
}

/// Binds a path and gives what stands for it in a fact.
pub(super) fn fact_path(sql: &mut Sql, path: &str) -> String {
    let path = sql.bind(Param::text(path));
    sql.dialect.fact_path(&path)
}

/// Whether some nodes of the scope are not in the index.
pub(super) fn left_out(sql: &mut Sql, scope: Scope) {
    let path = fact_path(sql, LEFT_OUT);
    sql.push(&format!("SELECT count(*) FROM (SELECT 1 FROM tiled_host_facts f WHERE f.path = {path}"));
    if let Scope::Children(parent) = scope {
        let (zero, parent) = (mark(sql, &Value::from(0)), sql.bind(Param::Int(parent)));
        let at = sql.dialect.fact_at(&Value::from(0), &zero);
        sql.push(&format!(" AND {at} AND f.parent = {parent}"));
    }
    sql.push(" LIMIT 1) l");
}

/// Binds a value as the index has it.
fn mark(sql: &mut Sql, value: &Value) -> String {
    let param = sql.dialect.fact_mark(value);
    sql.bind(param)
}

/// The first characters of a text.
pub(super) fn cut(text: &str) -> &str {
    text.char_indices().nth(TEXT_LENGTH).map_or(text, |(end, _)| &text[..end])
}

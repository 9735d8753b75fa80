//! Listing: the children of a node, or all below it, that meet some queries, in some order, a page at a time.

use std::collections::HashMap;

use super::condition::condition;
use super::failure::Failure;
use super::plan::{self, Parts, Plan, Wanted};
use super::select::{Columns, node_row, select};
use super::session::Session;
use super::sql::{Dialect, Param, Sql};
use super::{Count, Counting, NodeRow, Page, PageRequest, Result, Start, sorted};
use crate::query::{Query, SortKey, SortTarget, Sorting};

/// Which nodes a listing is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scope {
    /// The children of this node.
    Children(i64),
    /// All below this node, down to so many levels.
    Below(i64, u32),
}

impl Scope {
    /// Adds the table `n` to select from, its condition, and the conditions of the queries.
    pub fn restrict(self, sql: &mut Sql, queries: &[Query]) -> String {
        let mut parts = match self {
            Scope::Children(parent) => vec![format!("n.parent = {}", sql.bind(Param::Int(parent)))],
            Scope::Below(root, levels) => {
                let (root, levels) = (sql.bind(Param::Int(root)), sql.bind(Param::Int(levels.into())));
                vec![format!("c.ancestor = {root} AND c.depth BETWEEN 1 AND {levels}")]
            }
        };
        parts.extend(queries.iter().map(|query| condition(sql, query)));
        parts.join(" AND ")
    }

    pub fn tables(self, dialect: Dialect) -> String {
        match self {
            Scope::Children(_) => "nodes n".to_owned(),
            Scope::Below(..) => {
                format!("nodes_closure c {} nodes n ON n.id = c.descendant", dialect.join_after())
            }
        }
    }

    /// The id by a name under which an index gives it in order.
    pub fn id(self) -> &'static str {
        match self {
            Scope::Children(_) => "n.id",
            Scope::Below(..) => "c.descendant",
        }
    }
}

/// One page.
pub(super) fn page(session: &Session<'_>, scope: Scope, request: &PageRequest) -> Result<Page, Failure> {
    let mut rows = Vec::new();
    let plan = plan::choose(session, scope, &request.queries, wanted(request))?;
    if request.limit > 0 {
        rows = match found(session, scope, request, &plan)? {
            Some(ids) => of_ids(session, scope, request, &ids)?,
            None => {
                let sql = page_sql(session.dialect(), scope, request, &plan);
                session
                    .rows(&sql.text, &sql.params, node_row)
                    .map_err(|failure| failure.blame(&request.queries))?
            }
        };
    }
    let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    // A first page that is not full is all there is.
    let all_seen = request.limit > 0 && !has_more && matches!(request.start, Start::Offset(0));
    let count = match request.counting {
        Counting::None => None,
        _ if all_seen => Some(Count { value: rows.len() as u64, exact: true }),
        Counting::Exact => Some(count(session, scope, &request.queries)?),
        Counting::UpTo(most) => Some(count_by(session, scope, &request.queries, &plan, Some(most))?),
    };
    let next_cursor = rows.last().filter(|_| has_more && request.sorting.is_insertion()).map(|row| row.id);
    Ok(Page { rows, count, has_more, next_cursor })
}

fn wanted(request: &PageRequest) -> Wanted {
    let skipped = match request.start {
        Start::Offset(offset) => offset,
        Start::Cursor(_) => 0,
    };
    match request.counting {
        _ if !request.sorting.is_insertion() => Wanted::All,
        Counting::UpTo(most) if request.limit == 0 => Wanted::First(most.saturating_add(1)),
        _ => Wanted::First(request.limit.saturating_add(1).saturating_add(skipped)),
    }
}

/// The ids of the page and the next node, where the search index gives them.
fn found(
    session: &Session<'_>,
    scope: Scope,
    request: &PageRequest,
    plan: &Plan,
) -> Result<Option<Vec<i64>>, Failure> {
    if let Plan::Walk(_) = plan {
        return sorted::ids(session, scope, request);
    }
    let mut sql = Sql::new(session.dialect(), "");
    let with_node = !request.sorting.is_insertion();
    let mut parts = plan.parts(&mut sql, scope, &request.queries, with_node);
    let tail = tail(&mut sql, &mut parts, request);
    sql.push(&format!("SELECT {} AS id FROM {} WHERE {}{tail}", parts.id, parts.tables, parts.conditions));
    session.rows(&sql.text, &sql.params, |row| row.int(0)).map(Some)
}

/// The nodes of these ids, in this order.
fn of_ids(
    session: &Session<'_>,
    scope: Scope,
    request: &PageRequest,
    ids: &[i64],
) -> Result<Vec<NodeRow>, Failure> {
    let mut sql = Sql::new(session.dialect(), "");
    select(&mut sql, columns(scope, request), "nodes n");
    let list = sql.bind(Param::Text(serde_json::Value::from(ids).to_string()));
    let test = sql.dialect.in_integers("n.id", &list);
    sql.push(" WHERE ").push(&test);
    let mut rows = session.rows(&sql.text, &sql.params, node_row)?;
    let places: HashMap<i64, usize> = ids.iter().enumerate().map(|(at, id)| (*id, at)).collect();
    rows.sort_by_key(|row| places.get(&row.id).copied());
    Ok(rows)
}

/// How many there are, exactly.
pub(super) fn count(session: &Session<'_>, scope: Scope, queries: &[Query]) -> Result<Count, Failure> {
    let plan = plan::choose(session, scope, queries, Wanted::All)?;
    count_by(session, scope, queries, &plan, None)
}

/// Counted exactly up to `most`, beyond which the count says `most + 1`, inexact.
fn count_by(
    session: &Session<'_>,
    scope: Scope,
    queries: &[Query],
    plan: &Plan,
    most: Option<u64>,
) -> Result<Count, Failure> {
    let mut sql = Sql::new(session.dialect(), "SELECT count(*) FROM ");
    let parts = plan.parts(&mut sql, scope, queries, false);
    match most {
        None => sql.push(&parts.tables).push(" WHERE ").push(&parts.conditions),
        Some(most) => {
            let limit = sql.bind_int(most.saturating_add(1));
            sql.push("(SELECT 1 FROM ").push(&parts.tables).push(" WHERE ").push(&parts.conditions);
            sql.push(&format!(" LIMIT {limit}) l"))
        }
    };
    let value = session.integer(&sql.text, &sql.params).map_err(|failure| failure.blame(queries))?;
    let value = value.and_then(|value| u64::try_from(value).ok()).unwrap_or(0);
    Ok(Count { value, exact: most.is_none_or(|most| value <= most) })
}

fn columns(scope: Scope, request: &PageRequest) -> Columns {
    let ancestors = matches!(scope, Scope::Below(..));
    Columns { content: request.content, children: request.children, ancestors }
}

fn page_sql(dialect: Dialect, scope: Scope, request: &PageRequest, plan: &Plan) -> Sql {
    let mut sql = Sql::new(dialect, "");
    let mut parts = plan.parts(&mut sql, scope, &request.queries, true);
    let tail = tail(&mut sql, &mut parts, request);
    let skips = !matches!(request.start, Start::Offset(0) | Start::Cursor(_));
    if request.sorting.is_insertion() && !skips {
        select(&mut sql, columns(scope, request), &parts.tables);
        sql.push(" WHERE ").push(&parts.conditions).push(&tail);
    } else {
        // Sorted and skipped by id alone: metadata and structures are fetched only for the nodes of the page.
        let ids = format!("(SELECT n.id AS id FROM {} WHERE {}{tail}) f", parts.tables, parts.conditions);
        select(&mut sql, columns(scope, request), &format!("{ids} JOIN nodes n ON n.id = f.id"));
        let mut terms = order_by(&mut sql, &request.sorting.keys);
        terms.push(last_term("n.id", &request.sorting));
        sql.push(" ORDER BY ").push(&terms.join(", "));
    }
    sql
}

/// Order and bounds of a page, with a condition for where it begins.
fn tail(sql: &mut Sql, parts: &mut Parts, request: &PageRequest) -> String {
    let mut offset = String::new();
    match request.start {
        Start::Offset(0) => {}
        Start::Offset(start) => offset = format!(" OFFSET {}", sql.bind_int(start)),
        Start::Cursor(cursor) => {
            let cursor = sql.bind(Param::Int(cursor));
            let beyond = if request.sorting.newest_first { "<" } else { ">" };
            parts.conditions.push_str(&format!(" AND {} {beyond} {cursor}", parts.id));
        }
    }
    let mut terms = order_by(sql, &request.sorting.keys);
    terms.push(last_term(parts.id, &request.sorting));
    let limit = sql.bind_int(request.limit.saturating_add(1));
    format!(" ORDER BY {} LIMIT {limit}{offset}", terms.join(", "))
}

/// Numbers before texts, what lacks the key last.
pub(super) fn order_by(sql: &mut Sql, keys: &[SortKey]) -> Vec<String> {
    let d = sql.dialect;
    let mut terms = Vec::new();
    for key in keys {
        let direction = direction(key.descending);
        match &key.target {
            SortTarget::Key => terms.push(format!("{}{direction}", d.bytewise("n.key"))),
            SortTarget::Metadata(path) => {
                let path = sql.bind(d.path(path));
                terms.push(format!("({})", d.is_absent(&path)));
                terms.push(format!("{}{direction}", d.rank(&path)));
                terms.extend(d.order(&path).into_iter().map(|term| format!("{term}{direction}")));
            }
        }
    }
    terms
}

/// Insertion decides where the keys do not.
pub(super) fn last_term(id: &str, sorting: &Sorting) -> String {
    format!("{id}{}", direction(sorting.newest_first))
}

pub(super) const fn direction(descending: bool) -> &'static str {
    if descending { " DESC" } else { "" }
}

//! Listing: the children of a node, or all below it, that meet some queries, in some order, a page at a time.

use super::condition::condition;
use super::failure::Failure;
use super::select::{Columns, node_row, select};
use super::session::Session;
use super::sql::{Dialect, Param, Sql};
use super::{Count, Counting, Page, PageRequest, Result, Start};
use crate::query::{Query, SortTarget, Sorting};

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
    fn id(self) -> &'static str {
        match self {
            Scope::Children(_) => "n.id",
            Scope::Below(..) => "c.descendant",
        }
    }
}

/// One page.
pub(super) fn page(session: &Session<'_>, scope: Scope, request: &PageRequest) -> Result<Page, Failure> {
    let mut rows = Vec::new();
    if request.limit > 0 {
        let sql = page_sql(session.dialect(), scope, request);
        rows = session
            .rows(&sql.text, &sql.params, node_row)
            .map_err(|failure| failure.blame(&request.queries))?;
    }
    let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    // A first page that is not full is all there is.
    let all_seen = request.limit > 0 && !has_more && matches!(request.start, Start::Offset(0));
    let count = match request.counting {
        Counting::None => None,
        _ if all_seen => Some(Count { value: rows.len() as u64, exact: true }),
        Counting::Exact => Some(count(session, scope, &request.queries, None)?),
        Counting::UpTo(most) => Some(count(session, scope, &request.queries, Some(most))?),
    };
    let next_cursor = rows.last().filter(|_| has_more && request.sorting.is_insertion()).map(|row| row.id);
    Ok(Page { rows, count, has_more, next_cursor })
}

/// How many there are; counted exactly up to `most`, beyond which the count says `most + 1`, inexact.
pub(super) fn count(
    session: &Session<'_>,
    scope: Scope,
    queries: &[Query],
    most: Option<u64>,
) -> Result<Count, Failure> {
    let mut sql = Sql::new(session.dialect(), "SELECT count(*) FROM ");
    let conditions = scope.restrict(&mut sql, queries);
    let tables = scope.tables(sql.dialect);
    match most {
        None => sql.push(&tables).push(" WHERE ").push(&conditions),
        Some(most) => {
            let limit = sql.bind_int(most.saturating_add(1));
            sql.push("(SELECT 1 FROM ").push(&tables).push(" WHERE ").push(&conditions);
            sql.push(&format!(" LIMIT {limit}) l"))
        }
    };
    let value = session.integer(&sql.text, &sql.params).map_err(|failure| failure.blame(queries))?;
    let value = value.and_then(|value| u64::try_from(value).ok()).unwrap_or(0);
    Ok(Count { value, exact: most.is_none_or(|most| value <= most) })
}

fn page_sql(dialect: Dialect, scope: Scope, request: &PageRequest) -> Sql {
    let mut sql = Sql::new(dialect, "");
    let ancestors = matches!(scope, Scope::Below(..));
    let columns = Columns { content: request.content, children: request.children, ancestors };
    let mut conditions = scope.restrict(&mut sql, &request.queries);
    let mut offset = None;
    match request.start {
        Start::Offset(0) => {}
        Start::Offset(start) => offset = Some(sql.bind_int(start)),
        Start::Cursor(cursor) => {
            let cursor = sql.bind(Param::Int(cursor));
            let beyond = if request.sorting.newest_first { "<" } else { ">" };
            conditions.push_str(&format!(" AND {} {beyond} {cursor}", scope.id()));
        }
    }
    let order = order_by(&mut sql, scope, &request.sorting);
    let limit = sql.bind_int(request.limit.saturating_add(1));
    let skips = offset.is_some();
    let mut tail = format!(" ORDER BY {order} LIMIT {limit}");
    if let Some(offset) = offset {
        tail.push_str(&format!(" OFFSET {offset}"));
    }
    if request.sorting.is_insertion() && !skips {
        select(&mut sql, columns, &scope.tables(dialect));
        sql.push(" WHERE ").push(&conditions).push(&tail);
    } else {
        // Sorted and skipped by id alone: metadata and structures are fetched only for the nodes of the page.
        let ids = format!("(SELECT n.id AS id FROM {} WHERE {conditions}{tail}) f", scope.tables(dialect));
        select(&mut sql, columns, &format!("{ids} JOIN nodes n ON n.id = f.id"));
        let order = order.replace("c.descendant", "n.id");
        sql.push(" ORDER BY ").push(&order);
    }
    sql
}

/// Numbers before texts, what lacks the key last, then by insertion.
fn order_by(sql: &mut Sql, scope: Scope, sorting: &Sorting) -> String {
    let d = sql.dialect;
    let mut terms = Vec::new();
    for key in &sorting.keys {
        let direction = if key.descending { " DESC" } else { "" };
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
    terms.push(format!("{}{}", scope.id(), if sorting.newest_first { " DESC" } else { "" }));
    terms.join(", ")
}

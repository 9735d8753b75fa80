//! Sorting by what is in the metadata, in the order that the search index has already: a page is read from where it
//! is, and nothing is sorted.

use super::condition::condition;
use super::facts::{self, fact_path};
use super::failure::Failure;
use super::page::{Scope, direction, last_term, order_by};
use super::session::Session;
use super::sql::{Param, Sql};
use super::{PageRequest, Start, index};
use crate::query::SortTarget;

/// The ids of a page and of the node after it, or `None`: where the page reaches nodes that lack the key, or values of
/// which the index has only a part.
pub(super) fn ids(
    session: &Session<'_>,
    scope: Scope,
    request: &PageRequest,
) -> Result<Option<Vec<i64>>, Failure> {
    let (Scope::Children(parent), Some((first, others))) = (scope, request.sorting.keys.split_first()) else {
        return Ok(None);
    };
    let SortTarget::Metadata(key) = &first.target else { return Ok(None) };
    let Some(path) = facts::path(key) else { return Ok(None) };
    if !index::is_complete(session, scope)? {
        return Ok(None);
    }
    let mut sql = Sql::new(session.dialect(), "");
    let d = session.dialect();
    let (path, parent) = (fact_path(&mut sql, &path), sql.bind(Param::Int(parent)));
    let mut conditions = format!("f.path = {path} AND {} AND f.parent = {parent}", d.fact_not_null());
    for query in &request.queries {
        conditions = format!("{conditions} AND {}", condition(&mut sql, query));
    }
    let mut terms = vec![d.fact_order(direction(first.descending))];
    terms.extend(order_by(&mut sql, others));
    terms.push(last_term("f.node", &request.sorting));
    let needs_node = !request.queries.is_empty() || !others.is_empty();
    let join = if needs_node { d.look_up("nodes", "n", "{t}.id = f.node") } else { String::new() };
    let wanted = request.limit.saturating_add(1);
    let limit = sql.bind_int(wanted);
    let offset = match request.start {
        Start::Offset(offset) => sql.bind_int(offset),
        Start::Cursor(_) => return Ok(None),
    };
    sql.push(&format!(
        "SELECT f.node, {} FROM tiled_host_facts f{join} WHERE {conditions} ORDER BY {} LIMIT {limit} OFFSET {offset}",
        d.fact_is_cut(),
        terms.join(", ")
    ));
    let found = session.rows(&sql.text, &sql.params, |row| Ok((row.int(0)?, row.int(1)? != 0)))?;
    let whole = found.len() as u64 == wanted && found.iter().all(|(_, cut)| !cut);
    Ok(whole.then(|| found.into_iter().map(|(id, _)| id).collect()))
}

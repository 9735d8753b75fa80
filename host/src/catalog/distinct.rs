//! Which values there are among the children of a node.

use serde_json::Value;

use super::facts::fact_path;
use super::failure::Failure;
use super::page::Scope;
use super::plan::{self, Wanted};
use super::session::Session;
use super::sql::{Param, Sql};
use super::{CatalogError, DistinctRequest, DistinctResult, DistinctValue};
use super::{facts, index};
use crate::query;

/// Counts the values of each thing asked for.
pub(super) fn distinct(
    session: &Session<'_>,
    scope: Scope,
    request: &DistinctRequest,
) -> Result<DistinctResult, Failure> {
    let group = |of: Of<'_>| values(session, scope, request, of);
    let mut result = DistinctResult::default();
    for key in &request.metadata {
        result.metadata.push((key.clone(), group(Of::Metadata(key))?));
    }
    if request.structure_families {
        result.structure_families = Some(group(Of::Family)?);
    }
    if request.specs {
        result.specs = Some(group(Of::Specs)?);
    }
    Ok(result)
}

#[derive(Clone, Copy)]
enum Of<'a> {
    Metadata(&'a str),
    Family,
    Specs,
}

fn values(
    session: &Session<'_>,
    scope: Scope,
    request: &DistinctRequest,
    of: Of<'_>,
) -> Result<Vec<DistinctValue>, Failure> {
    if let Some(found) = counted(session, scope, request, of)? {
        return Ok(found);
    }
    let dialect = session.dialect();
    let plan = plan::choose(session, scope, &request.queries, Wanted::All)?;
    let mut sql = Sql::new(dialect, "SELECT ");
    let (value, order) = match of {
        Of::Metadata(key) => {
            let path = sql.bind(dialect.path(key));
            let terms = std::iter::once(dialect.rank(&path)).chain(dialect.order(&path));
            let order: Vec<String> = terms.map(|term| format!("min({term})")).collect();
            (dialect.json(&path), order.join(", "))
        }
        Of::Family => ("CAST(n.structure_family AS TEXT)".to_owned(), "1".to_owned()),
        Of::Specs => ("n.specs".to_owned(), "1".to_owned()),
    };
    let parts = plan.parts(&mut sql, scope, &request.queries, true);
    sql.push(&value).push(", count(*) FROM ").push(&parts.tables).push(" WHERE ").push(&parts.conditions);
    sql.push(" GROUP BY 1 ORDER BY ").push(&order);
    let groups = session
        .rows(&sql.text, &sql.params, |row| Ok((row.opt_string(0)?, row.int(1)?)))
        .map_err(|failure| failure.blame(&request.queries))?;
    let mut found = Vec::new();
    for (text, count) in groups {
        let value = match (of, text) {
            (_, None) => Value::Null,
            (Of::Family, Some(name)) => Value::String(name),
            (_, Some(text)) => json(&text)?,
        };
        add(&mut found, value, count);
    }
    Ok(found)
}

fn json(text: &str) -> Result<Value, CatalogError> {
    serde_json::from_str(text)
        .map_err(|error| CatalogError::Database { doing: "reading distinct values", source: Box::new(error) })
}

/// Values come in order, so that equal ones are neighbours; not quite so lists and objects, which come by their text.
const COMPOUND_NEAR: usize = 1000;

/// A missing key and a null are one bucket; so are texts written differently and the same numbers.
fn add(found: &mut Vec<DistinctValue>, value: Value, count: i64) {
    let count = u64::try_from(count).unwrap_or(0);
    let rank = query::rank(Some(&value));
    let near = if matches!(value, Value::Array(_) | Value::Object(_)) { COMPOUND_NEAR } else { 1 };
    let mut others =
        found.iter_mut().rev().take(near).take_while(|other| query::rank(Some(&other.value)) == rank);
    match others.find(|other| query::same_value(&other.value, &value)) {
        Some(other) => other.count += count,
        None => found.push(DistinctValue { value, count }),
    }
}

/// From the search index alone; `None` where it cannot tell.
fn counted(
    session: &Session<'_>,
    scope: Scope,
    request: &DistinctRequest,
    of: Of<'_>,
) -> Result<Option<Vec<DistinctValue>>, Failure> {
    let path = match of {
        Of::Metadata(key) => facts::path(key),
        Of::Family => Some(facts::FAMILY.to_owned()),
        Of::Specs => None,
    };
    let (Some(path), Scope::Children(parent), true) = (path, scope, request.queries.is_empty()) else {
        return Ok(None);
    };
    if !index::is_complete(session, scope)? {
        return Ok(None);
    }
    let d = session.dialect();
    let mut sql = Sql::new(d, "");
    let (path, parent) = (fact_path(&mut sql, &path), sql.bind(Param::Int(parent)));
    sql.push(&format!(
        "SELECT {}, {}, count(*) FROM tiled_host_facts f WHERE f.path = {path} AND f.parent = {parent} \
         GROUP BY {} ORDER BY {}",
        d.fact_json(),
        d.fact_is_cut(),
        d.fact_columns(),
        d.fact_order("")
    ));
    let groups =
        session.rows(&sql.text, &sql.params, |row| Ok((row.string(0)?, row.int(1)? != 0, row.int(2)?)))?;
    let (mut found, mut seen) = (Vec::new(), 0);
    for (text, cut, count) in &groups {
        if *cut {
            return Ok(None);
        }
        seen += count;
        add(&mut found, json(text)?, *count);
    }
    let all = super::page::count(session, scope, &[])?.value;
    let missing = i64::try_from(all).unwrap_or(i64::MAX).saturating_sub(seen);
    if missing > 0 {
        add(&mut found, Value::Null, missing);
    }
    Ok(Some(found))
}

//! Which values there are among the children of a node.

use serde_json::Value;

use super::failure::Failure;
use super::page::Scope;
use super::session::Session;
use super::sql::Sql;
use super::{CatalogError, DistinctRequest, DistinctResult, DistinctValue};

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
    let dialect = session.dialect();
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
    let conditions = scope.restrict(&mut sql, &request.queries);
    sql.push(&value).push(", count(*) FROM ").push(&scope.tables(dialect)).push(" WHERE ").push(&conditions);
    sql.push(" GROUP BY 1 ORDER BY ").push(&order);
    let groups = session
        .rows(&sql.text, &sql.params, |row| Ok((row.opt_string(0)?, row.int(1)?)))
        .map_err(|failure| failure.blame(&request.queries))?;
    let mut found: Vec<DistinctValue> = Vec::new();
    for (text, count) in groups {
        let value = match (of, text) {
            (_, None) => Value::Null,
            (Of::Family, Some(name)) => Value::String(name),
            (_, Some(text)) => serde_json::from_str(&text).map_err(|error| CatalogError::Database {
                doing: "reading distinct values",
                source: Box::new(error),
            })?,
        };
        let count = u64::try_from(count).unwrap_or(0);
        // A missing key and a null are one bucket; so are texts written differently and the same numbers.
        match found.iter_mut().rev().find(|other| crate::query::same_value(&other.value, &value)) {
            Some(other) => other.count += count,
            None => found.push(DistinctValue { value, count }),
        }
    }
    Ok(found)
}

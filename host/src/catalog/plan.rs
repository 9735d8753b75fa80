//! The way a search goes: through the nodes in their order, or from the candidates of one of its queries. Few
//! candidates are gathered whole; where all queries have many, walking in order fills a page sooner.

use super::condition::condition;
use super::facts::{self, Driver};
use super::failure::Failure;
use super::index;
use super::page::Scope;
use super::session::Session;
use super::sql::{Param, Sql};
use super::texts;
use crate::query::Query;

/// Containers with no more ids than this are walked through without further ado.
const SMALL: u64 = 200;
/// Candidates are counted this far, one after the other, to find a query that has few.
const CAPS: [u64; 4] = [256, 4096, 65_536, 1 << 20];

/// What is to be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The first so many in the order of insertion.
    First(u64),
    /// All of them: to be counted or sorted.
    All,
}

/// A way to go.
#[derive(Debug)]
pub(super) enum Plan {
    /// Through all in order. Whether there is an index.
    Walk(bool),
    /// From the candidates of a query.
    Drive(Driver, LeftOut),
}

/// Whether some nodes in question are not in the index.
pub(super) type LeftOut = bool;

/// What an SQL statement of a plan is made of.
pub(super) struct Parts {
    /// After `FROM`; with the node `n` if asked for or needed.
    pub tables: String,
    pub conditions: String,
    /// The node's id.
    pub id: &'static str,
}

/// Chooses the way.
pub(super) fn choose(
    session: &Session<'_>,
    scope: Scope,
    queries: &[Query],
    wanted: Wanted,
) -> Result<Plan, Failure> {
    facts::check(queries)?;
    // The key of a child is found by Tiled's own index.
    let one_key =
        matches!(scope, Scope::Children(_)) && queries.iter().any(|q| matches!(q, Query::Lookup { .. }));
    if queries.is_empty() || one_key {
        return Ok(Plan::Walk(true));
    }
    let facts = index::is_ready(session)?;
    let mut drivers = facts::drivers(session.dialect(), facts, queries);
    if drivers.is_empty() {
        return Ok(Plan::Walk(facts));
    }
    let extent = extent(session, scope)?;
    if extent <= SMALL {
        return Ok(Plan::Walk(facts));
    }
    if facts {
        texts::narrow(session, &mut drivers)?;
    }
    let left_out = facts && index::has_left_out(session, scope)?;
    if let [driver] = &drivers[..]
        && (driver.is_ordered(scope) && !left_out || driver.exact && wanted == Wanted::All)
        && queries.len() == 1
    {
        return Ok(Plan::Drive(driver.clone(), left_out));
    }
    if let Some(at) = fewest(session, scope, &drivers, (wanted, extent), left_out)? {
        return Ok(Plan::Drive(drivers.swap_remove(at), left_out));
    }
    Ok(dense(drivers, scope, wanted, left_out, facts))
}

/// Which of the drivers has the fewest candidates, where one has few.
fn fewest(
    session: &Session<'_>,
    scope: Scope,
    drivers: &[Driver],
    (wanted, extent): (Wanted, u64),
    left_out: bool,
) -> Result<Option<usize>, Failure> {
    for cap in CAPS {
        let mut best = None;
        for (at, driver) in drivers.iter().enumerate() {
            let found = candidates(session, scope, driver, cap, left_out)?;
            if found < cap && best.is_none_or(|(fewest, _)| found < fewest) {
                best = Some((found, at));
            }
        }
        if let Some((_, at)) = best {
            return Ok(Some(at));
        }
        // Walking reads the metadata of about extent / cap nodes for each that is found; gathering takes less for
        // each candidate.
        let walk = match wanted {
            Wanted::First(wanted) => wanted.saturating_mul(extent / cap),
            Wanted::All => extent,
        };
        if walk < cap / 8 {
            break;
        }
    }
    Ok(None)
}

/// All queries have many candidates.
fn dense(drivers: Vec<Driver>, scope: Scope, wanted: Wanted, left_out: bool, facts: bool) -> Plan {
    let mut drivers = drivers.into_iter();
    let found = match wanted {
        Wanted::First(_) => drivers.find(|driver| driver.is_ordered(scope) && !left_out),
        Wanted::All => drivers.find(|driver| driver.exact),
    };
    found.map_or(Plan::Walk(facts), |driver| Plan::Drive(driver, left_out))
}

/// How many candidates there are, as far as `cap`.
fn candidates(
    session: &Session<'_>,
    scope: Scope,
    driver: &Driver,
    cap: u64,
    left_out: bool,
) -> Result<u64, Failure> {
    let mut sql = Sql::new(session.dialect(), "SELECT count(*) FROM (SELECT 1 FROM (");
    let selects = driver.selects(&mut sql, scope, left_out).join(" UNION ALL ");
    let cap = sql.bind_int(cap);
    sql.push(&selects).push(&format!(") c LIMIT {cap}) l"));
    let found = session.integer(&sql.text, &sql.params)?;
    Ok(found.and_then(|found| u64::try_from(found).ok()).unwrap_or(0))
}

/// How many nodes there may be: the distance between the first id and the last.
fn extent(session: &Session<'_>, scope: Scope) -> Result<u64, Failure> {
    let ends = match scope {
        Scope::Children(parent) => session.first(
            "SELECT (SELECT id FROM nodes WHERE parent = ?1 ORDER BY id LIMIT 1), \
             (SELECT id FROM nodes WHERE parent = ?1 ORDER BY id DESC LIMIT 1)",
            &[Param::Int(parent)],
            |row| Ok((row.opt_int(0)?, row.opt_int(1)?)),
        )?,
        Scope::Below(..) => session
            .first("SELECT 0, max(id) FROM nodes", &[], |row| Ok((row.opt_int(0)?, row.opt_int(1)?)))?,
    };
    let Some((Some(first), Some(last))) = ends else { return Ok(0) };
    Ok(u64::try_from(last.saturating_sub(first)).unwrap_or(0).saturating_add(1))
}

impl Plan {
    /// Tables and conditions of a statement that finds the nodes. `with_node`: the statement uses columns of `n`.
    pub fn parts(&self, sql: &mut Sql, scope: Scope, queries: &[Query], with_node: bool) -> Parts {
        match self {
            Plan::Walk(facts) => {
                let mut conditions = scope.restrict(sql, queries);
                for query in queries {
                    let Query::FullText { text } = query else { continue };
                    let Some(text) = sql.dialect.word_candidates(text).filter(|_| !facts) else { continue };
                    // Before the slower test of the words themselves.
                    let asked = sql.bind(Param::Text(text));
                    conditions = format!("{} AND {conditions}", sql.dialect.word_filter(&asked));
                }
                Parts { tables: scope.tables(sql.dialect), conditions, id: scope.id() }
            }
            Plan::Drive(driver, left_out) => driven(sql, scope, queries, with_node, driver, *left_out),
        }
    }
}

fn driven(
    sql: &mut Sql,
    scope: Scope,
    queries: &[Query],
    with_node: bool,
    driver: &Driver,
    left_out: bool,
) -> Parts {
    let mut conditions = Vec::new();
    let (mut tables, id) = match scope {
        Scope::Children(parent) if driver.is_ordered(scope) && !left_out => {
            conditions.push(driver.ordered(sql, parent));
            ("tiled_host_facts f".to_owned(), "f.node")
        }
        _ => {
            let selects = driver.selects(sql, scope, left_out);
            (format!("({}{}) u", distinct(driver, &selects), sql.dialect.fence()), "u.id")
        }
    };
    if let Scope::Below(root, levels) = scope {
        let (root, levels) = (sql.bind(Param::Int(root)), sql.bind(Param::Int(levels.into())));
        let condition = format!("{{t}}.descendant = {id} AND {{t}}.ancestor = {root}");
        tables.push_str(&sql.dialect.look_up("nodes_closure", "c", &condition));
        conditions.push(format!("c.depth BETWEEN 1 AND {levels}"));
    }
    let mut node = with_node;
    if let Scope::Children(parent) = scope
        && !driver.is_scoped()
    {
        node = true;
        conditions.push(format!("n.parent = {}", sql.bind(Param::Int(parent))));
    }
    for (at, query) in queries.iter().enumerate() {
        if at != driver.query || !driver.exact || left_out {
            node = true;
            conditions.push(condition(sql, query));
        }
    }
    if node {
        tables.push_str(&sql.dialect.look_up("nodes", "n", &format!("{{t}}.id = {id}")));
    }
    if conditions.is_empty() {
        conditions.push("1 = 1".to_owned());
    }
    Parts { tables, conditions: conditions.join(" AND "), id }
}

/// The same node may come from several stretches of the index, and with several tags.
fn distinct(driver: &Driver, selects: &[String]) -> String {
    match selects {
        [one] if driver.repeats() => format!("SELECT DISTINCT id FROM ({one}) s"),
        many => many.join(" UNION "),
    }
}

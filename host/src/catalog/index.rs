//! The search index: whether it is there, making it, taking it away. It belongs to the database: triggers keep it, so
//! rows written by Tiled or any other program enter it too, and Tiled runs on the database as before. It never
//! changes an answer; without it, or while it is being made, searches read the metadata itself.

use std::time::Instant;

use super::failure::Failure;
use super::page::Scope;
use super::session::Session;
use super::sql::{Dialect, Param, Sql};
use super::{Catalog, Result, facts};
use super::{index_postgres, index_sqlite};

/// Of what is in the index. An index of another version is not used, and made anew.
const VERSION: i64 = 1;
/// So many nodes enter the index in one transaction: others may write in between.
const BATCH: i64 = 500;
/// The same while others do write.
const BATCH_BESIDE: i64 = 50;

/// Whether there is a complete index.
pub(super) fn is_ready(session: &Session<'_>) -> Result<bool, Failure> {
    Ok(state(session)?.is_some_and(|state| state.ready))
}

/// Whether the index is complete and has all nodes of the scope.
pub(super) fn is_complete(session: &Session<'_>, scope: Scope) -> Result<bool, Failure> {
    Ok(is_ready(session)? && !has_left_out(session, scope)?)
}

/// Whether some nodes of the scope are not in the index, for their size.
pub(super) fn has_left_out(session: &Session<'_>, scope: Scope) -> Result<bool, Failure> {
    let mut sql = Sql::new(session.dialect(), "");
    facts::left_out(&mut sql, scope);
    Ok(session.integer(&sql.text, &sql.params)? != Some(0))
}

struct State {
    /// Nodes up to this id are in the index, and all that were written since it was begun.
    indexed_to: i64,
    ready: bool,
}

fn state(session: &Session<'_>) -> Result<Option<State>, Failure> {
    let present = match session.dialect() {
        Dialect::Sqlite { .. } => session.integer(index_sqlite::PRESENT, &[])?,
        Dialect::Postgres => session.integer(index_postgres::PRESENT, &[])?,
    };
    if present != Some(1) {
        return Ok(None);
    }
    let read = |row: &super::session::Row<'_>| Ok((row.int(0)?, row.int(1)?, row.int(2)?));
    let found = session.first("SELECT version, indexed_to, ready FROM tiled_host_state", &[], read)?;
    Ok(found
        .filter(|(version, ..)| *version == VERSION)
        .map(|(_, indexed_to, ready)| State { indexed_to, ready: ready != 0 }))
}

/// Makes tables and triggers, unless they are there.
fn begin(session: &Session<'_>) -> Result<(), Failure> {
    if state(session)?.is_none() {
        remove(session)?;
        session.script(&on(session, index_sqlite::create, index_postgres::create))?;
        let sql = "INSERT INTO tiled_host_state (version, indexed_to, ready) VALUES (?1, -1, 0)";
        session.execute(sql, &[Param::Int(VERSION)])?;
    }
    Ok(())
}

/// Adds some nodes that were there before the triggers. Gives whether there are more.
fn proceed(session: &Session<'_>, batch: i64) -> Result<bool, Failure> {
    let Some(state) = state(session)? else { return Ok(false) };
    if state.ready {
        return Ok(false);
    }
    let from = Param::Int(state.indexed_to);
    let sql = "SELECT max(id) FROM (SELECT id FROM nodes WHERE id > ?1 ORDER BY id LIMIT ?2) l";
    let Some(to) = session.integer(sql, &[from.clone(), Param::Int(batch)])? else {
        session.execute("UPDATE tiled_host_state SET ready = 1", &[])?;
        if session.dialect() == Dialect::Postgres {
            session.script("ANALYZE tiled_host_facts")?;
        }
        return Ok(false);
    };
    session.execute(
        on(session, || index_sqlite::ADD_RANGE, || index_postgres::ADD_RANGE),
        &[from, Param::Int(to)],
    )?;
    session.execute("UPDATE tiled_host_state SET indexed_to = ?1", &[Param::Int(to)])?;
    Ok(true)
}

fn on<T>(session: &Session<'_>, sqlite: impl FnOnce() -> T, postgres: impl FnOnce() -> T) -> T {
    match session.dialect() {
        Dialect::Sqlite { .. } => sqlite(),
        Dialect::Postgres => postgres(),
    }
}

fn remove(session: &Session<'_>) -> Result<(), Failure> {
    session.script(on(session, || index_sqlite::DROP, || index_postgres::DROP))
}

impl Catalog {
    /// Whether searches find a complete index.
    ///
    /// # Errors
    /// `Database`.
    pub fn has_search_index(&self) -> Result<bool> {
        self.store.read("looking for the search index", is_ready)
    }

    /// Makes the search index and brings all nodes into it, some at a time, so that others can write meanwhile.
    /// Continues one that was not completed. `progress` is told up to which id, and stops it by `false`.
    ///
    /// # Errors
    /// `Database`, also where the database cannot be written; `Busy`.
    pub fn build_search_index(&self, mut progress: impl FnMut(i64) -> bool) -> Result<()> {
        const DOING: &str = "building the search index";
        if self.has_search_index()? {
            return Ok(());
        }
        self.store.write(DOING, begin)?;
        let mut batch = BATCH;
        loop {
            let (writes, since) = (self.store.writes(), Instant::now());
            if !self.store.write(DOING, |session| proceed(session, batch))? {
                return Ok(());
            }
            let at =
                self.store.read(DOING, |session| Ok(state(session)?.map_or(0, |state| state.indexed_to)))?;
            if !progress(at) {
                return Ok(());
            }
            batch = (batch * 2).min(BATCH);
            if self.store.writes() > writes + 1 {
                // Somebody waits: half of the time is theirs.
                batch = BATCH_BESIDE;
                std::thread::sleep(since.elapsed());
            }
        }
    }

    /// Takes the search index out of the database: what is left is as Tiled makes it.
    ///
    /// # Errors
    /// `Database`, `Busy`.
    pub fn remove_search_index(&self) -> Result<()> {
        self.store.write("removing the search index", remove)
    }
}

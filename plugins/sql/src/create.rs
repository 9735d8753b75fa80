//! Making room for a data source, and removing it.

use std::sync::Arc;

use tiled_plugin_api::author::{Error, ErrorKind, Result};

use crate::{
    address::Dialect, layout::Layout, names::quoted, pool::Pool, rows::is_numbered, session::Session,
};

/// Attempts at `IF NOT EXISTS`, which PostgreSQL lets fail when two do it at once.
const ATTEMPTS: u32 = 8;

/// Makes the table where it is missing, and gives the new data source's number.
///
/// # Errors
/// `Conflict` when a table of that name has other columns; those of the database.
pub fn create(pool: &Arc<Pool>, layout: &Layout) -> Result<i32> {
    let mut attempt = 0;
    let number = loop {
        attempt += 1;
        let made = pool.transaction(|session| {
            make_table(session, layout)?;
            next_number(session)
        });
        match made {
            Err(error) if error.kind == ErrorKind::Conflict && attempt < ATTEMPTS => {
                std::thread::sleep(std::time::Duration::from_millis(5 << attempt));
            }
            made => break made?,
        }
    };
    check_columns(pool, layout)?;
    i32::try_from(number).map_err(|_| Error::internal("the database has no more numbers for data sources"))
}

/// Makes the table and its indexes where they are missing.
///
/// # Errors
/// Those of the database.
pub fn make_table(session: &mut Session, layout: &Layout) -> Result<()> {
    session.run(&layout.create_table())?;
    // It may have been there, made by Tiled.
    let numbered = is_numbered(session, &layout.table)?;
    layout.create_indexes(numbered).iter().try_for_each(|sql| session.run(sql))
}

fn next_number(session: &mut Session) -> Result<i64> {
    let found = if session.dialect() == Dialect::Sqlite {
        session.run("CREATE TABLE IF NOT EXISTS _dataset_id_counter (value INTEGER NOT NULL)")?;
        session.run(
            "INSERT INTO _dataset_id_counter (value) SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM _dataset_id_counter)",
        )?;
        session.run("UPDATE _dataset_id_counter SET value = value + 1")?;
        session.integers("SELECT value FROM _dataset_id_counter")?
    } else {
        session.run("CREATE SEQUENCE IF NOT EXISTS _dataset_id_counter")?;
        session.integers("SELECT nextval('_dataset_id_counter')")?
    };
    found.first().copied().ok_or_else(|| Error::internal("the database gave no number"))
}

/// A table of that name may have been there before.
fn check_columns(pool: &Arc<Pool>, layout: &Layout) -> Result<()> {
    let mut session = pool.session()?;
    // With the table before it: SQLite takes a name in quotes that it does not know for a text.
    let own = ["_dataset_id", "_partition_id"].into_iter();
    let names = own.chain(layout.columns.iter().map(|column| column.stored.as_str()));
    let names: Vec<String> = names.map(|name| format!("t.{}", quoted(name))).collect();
    let sql = format!("SELECT {} FROM {} AS t WHERE 1 = 0", names.join(", "), quoted(&layout.table));
    let found = session.query(&sql);
    let other = |what: &str| {
        let name = &layout.table;
        Error::new(ErrorKind::Conflict, format!("The database has a table {name} with other columns: {what}"))
    };
    let query = found.map_err(|error| other("one is missing").with_detail(error))?;
    // SQLite's driver knows no types without rows; it would keep any value anyhow.
    if layout.dialect != Dialect::Sqlite {
        for (column, field) in layout.columns.iter().zip(query.schema().fields().iter().skip(2)) {
            let (wanted, there) = (&column.kept.arrow, field.data_type());
            if !agree(wanted, there) {
                return Err(other(&format!("{} is {there}", column.field.name())));
            }
        }
    }
    drop(query);
    session.give_back();
    Ok(())
}

/// Whether values of one are given back as the other.
fn agree(wanted: &arrow::datatypes::DataType, there: &arrow::datatypes::DataType) -> bool {
    use arrow::datatypes::DataType as T;
    match (wanted, there) {
        // PostgreSQL's numbers without bounds are text.
        (T::Decimal128(..) | T::Decimal256(..), T::Utf8) => true,
        (T::Timestamp(a, x), T::Timestamp(b, y)) => a == b && x.is_some() == y.is_some(),
        (T::List(a), T::List(b)) => agree(a.data_type(), b.data_type()),
        (a, b) => a == b,
    }
}

/// Removes the rows of a data source, and the table with the last of them, as Tiled does.
///
/// # Errors
/// Those of the database.
pub fn delete(pool: &Arc<Pool>, layout: &Layout) -> Result<()> {
    let mut session = pool.session()?;
    if crate::rows::is_missing(&mut session, &layout.table) {
        session.give_back();
        return Ok(());
    }
    session.give_back();
    let table = quoted(&layout.table);
    pool.transaction(|session| {
        session.run(&format!("DELETE FROM {table} WHERE {}", layout.condition(None)))
    })?;
    // Not in one transaction: DuckDB drops no table whose rows the transaction has changed.
    pool.transaction(|session| {
        if session.dialect() == Dialect::Postgres {
            session.run(&format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))?;
        }
        if session.integers(&format!("SELECT COUNT(*) FROM (SELECT 1 FROM {table} LIMIT 1) AS one"))? == [0] {
            session.run(&format!("DROP TABLE {table}"))?;
        }
        Ok(())
    })
}

//! Writing tables: rows are checked and converted first, then written in one transaction when they are committed.
//!
//! A transaction is not held open between the calls of the host: SQLite and DuckDB have one writer at a time, and those who
//! wait for it would hold the threads that its end needs.

use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use serde_json::Value;
use tiled_plugin_api::{
    author::{Context, Error, ErrorKind, Payload, Result, Storage, TableStream, WriteRequest},
    model::SliceDim,
};

use crate::{
    address::Dialect, create::make_table, layout::Layout, names::quoted, pool, pool::Pool, rows::is_missing,
};

/// What a commit will do.
pub struct Staged {
    /// Rows that go; none when rows are only added.
    pub delete: Option<String>,
    /// Rows that come.
    pub batches: Vec<RecordBatch>,
}

/// Does what is staged in one transaction. A table that went with its last rows is made again.
///
/// # Errors
/// Those of the database; then nothing was changed.
pub fn write(pool: &Arc<Pool>, layout: &Layout, staged: &Staged) -> Result<()> {
    let schema = layout.ingest_schema();
    let once = |make: bool| {
        pool.transaction(|session| {
            if make {
                make_table(session, layout)?;
            }
            if layout.dialect == Dialect::Postgres {
                // Rows that come together stay together: writers of one data source wait for each other.
                let tag = layout.table.bytes().fold(0_u32, |all, byte| all.rotate_left(5) ^ u32::from(byte));
                session.integers(&format!(
                    "SELECT 1 FROM (SELECT pg_advisory_xact_lock({}, {})) AS held",
                    tag as i32, layout.dataset
                ))?;
            }
            if let Some(condition) = &staged.delete {
                session.run(&format!("DELETE FROM {} WHERE {condition}", quoted(&layout.table)))?;
            }
            session.ingest(&layout.table, &schema, &staged.batches)
        })
    };
    let Err(error) = once(false) else { return Ok(()) };
    let mut session = pool.session()?;
    let missing = is_missing(&mut session, &layout.table);
    session.give_back();
    if missing { once(true) } else { Err(error) }
}

/// A table that can be written.
pub struct TableStore {
    layout: Layout,
    uri: String,
    staged: Mutex<Option<Staged>>,
}

impl TableStore {
    /// The table of this layout.
    pub fn new(layout: Layout, uri: String) -> Self {
        TableStore { layout, uri, staged: Mutex::new(None) }
    }

    fn prepared(&self, cx: &Context, rows: TableStream, partition: u64) -> Result<Vec<RecordBatch>> {
        let partition = i16::try_from(partition).ok().filter(|p| (*p as u64) < self.layout.partitions);
        let partition =
            partition.ok_or_else(|| Error::new(ErrorKind::OutOfBounds, "Partition out of range"))?;
        let mut batches = Vec::new();
        for batch in rows.into_reader()? {
            cx.check()?;
            batches.push(self.layout.prepare(&batch.map_err(Error::from_arrow)?, partition)?);
        }
        Ok(batches)
    }
}

impl Storage for TableStore {
    fn write(
        &self,
        cx: &Context,
        request: &WriteRequest,
        _slice: &[SliceDim],
        payload: Payload,
    ) -> Result<Option<Value>> {
        let Payload::Table(rows) = payload else {
            return Err(Error::new(ErrorKind::InvalidArgument, "Rows of a table are expected"));
        };
        let batches = self.prepared(cx, rows, request.partition.unwrap_or(0))?;
        let delete = (!request.append).then(|| self.layout.condition(request.partition));
        *self.staged.lock().map_err(Error::internal)? = Some(Staged { delete, batches });
        Ok(None)
    }

    fn prepare(&self) -> Result<()> {
        // Whether the database can be reached at all.
        pool::open_uri(&self.uri)?.session()?.give_back();
        Ok(())
    }

    fn commit(&self) -> Result<()> {
        let Some(staged) = self.staged.lock().map_err(Error::internal)?.take() else { return Ok(()) };
        write(&pool::open_uri(&self.uri)?, &self.layout, &staged)
    }

    fn abort(&self) -> Result<()> {
        self.staged.lock().map_err(Error::internal)?.take();
        Ok(())
    }
}

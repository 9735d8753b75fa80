//! Rows on their way out: one query after the other, batch by batch, in the types that clients know.

use std::{collections::VecDeque, sync::Arc};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, Float32Array, Float64Array, RecordBatch, RecordBatchOptions,
        RecordBatchReader,
    },
    datatypes::{Schema, SchemaRef},
    error::ArrowError,
};
use tiled_plugin_api::author::{Context, Error, ErrorKind, Result, TableStream};

use crate::{
    address::Dialect,
    layout::{Layout, ROW},
    pool::{Lent, Pool},
    session::{Query, Session},
    types::convert,
};

/// Rows at most in a batch that is passed on.
const BATCH_ROWS: usize = 65_536;

/// Rows of a data source.
pub struct Rows {
    cx: Context,
    layout: Arc<Layout>,
    places: Vec<usize>,
    schema: SchemaRef,
    /// Before the connection: dropped first.
    current: Option<Running>,
    waiting: VecDeque<String>,
    session: Option<Lent>,
    /// The rest of a batch that was too large.
    rest: Option<RecordBatch>,
}

struct Running {
    query: Query,
    /// Rows still to be left out.
    skip: usize,
}

/// Places of the columns asked for, in that order; all without a wish.
///
/// # Errors
/// `NotFound` for a name that is not there.
pub fn places(layout: &Layout, columns: Option<&[String]>) -> Result<Vec<usize>> {
    let Some(columns) = columns else { return Ok((0..layout.columns.len()).collect()) };
    let place = |name: &String| {
        layout.schema.index_of(name).map_err(|_| Error::not_found(format!("No such field {name}")))
    };
    columns.iter().map(place).collect()
}

impl Rows {
    /// The rows of one partition, or of all of them one after the other, all from one moment.
    ///
    /// # Errors
    /// `OutOfBounds`, `NotFound`; those of the database.
    pub fn open(
        cx: &Context,
        pool: &Arc<Pool>,
        layout: &Arc<Layout>,
        places: Vec<usize>,
        partition: Option<u64>,
    ) -> Result<Self> {
        if partition.is_some_and(|partition| partition >= layout.partitions) {
            return Err(Error::new(ErrorKind::OutOfBounds, "Partition out of range"));
        }
        let (mut session, ()) = pool.first(Session::begin_reading)?;
        let numbered = is_numbered(&mut session, &layout.table)?;
        let select = |partition| layout.select(&places, &layout.condition(partition), numbered);
        let mut waiting = VecDeque::new();
        if let Some(partition) = partition {
            waiting.push_back(select(Some(partition)));
        } else if layout.partitions == 1 || !layout.order_by.is_empty() {
            waiting.push_back(select(None));
        } else {
            for partition in 0..layout.partitions {
                waiting.push_back(select(Some(partition)));
            }
        }
        let fields = places.iter().map(|place| layout.columns[*place].field.clone()).collect::<Vec<_>>();
        let schema = Arc::new(Schema::new_with_metadata(fields, layout.schema.metadata().clone()));
        let mut rows = Rows {
            cx: cx.clone(),
            layout: layout.clone(),
            places,
            schema,
            current: None,
            waiting,
            session: Some(session),
            rest: None,
        };
        // What the database has against the query is said now, not after the first byte.
        rows.advance()?;
        Ok(rows)
    }

    /// As a stream of Arrow's C interface.
    pub fn into_stream(self) -> TableStream {
        TableStream::from_reader(Box::new(self))
    }

    /// Starts the next query; `false` at the end, when the connection goes back to the others.
    fn advance(&mut self) -> Result<bool> {
        self.current = None;
        let Some(session) = &mut self.session else { return Ok(false) };
        let Some(sql) = self.waiting.pop_front() else {
            if let Some(mut session) = self.session.take()
                && session.commit().is_ok()
            {
                session.give_back();
            }
            return Ok(false);
        };
        match session.query(&sql) {
            Ok(query) => {
                let skip = usize::from(self.layout.dialect == Dialect::Sqlite);
                self.current = Some(Running { query, skip });
                Ok(true)
            }
            Err(error) => {
                let mut session = self.session.take();
                // The table went with its last data source's rows: there are none.
                if let Some(session) = &mut session {
                    session.rollback().ok();
                    if self.is_missing(session) {
                        self.waiting.clear();
                        return Ok(false);
                    }
                }
                Err(error)
            }
        }
    }

    fn is_missing(&self, session: &mut Lent) -> bool {
        is_missing(session, &self.layout.table)
    }

    fn step(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            self.cx.check()?;
            if let Some(batch) = self.rest.take() {
                return Ok(Some(self.cut(batch)));
            }
            let Some(running) = &mut self.current else {
                if self.advance()? {
                    continue;
                }
                return Ok(None);
            };
            let Some(batch) = running.query.next() else {
                self.current = None;
                continue;
            };
            let batch =
                batch.map_err(|error| Error::internal(format!("reading {}: {error}", self.layout.table)))?;
            let skip = running.skip.min(batch.num_rows());
            running.skip -= skip;
            let batch = batch.slice(skip, batch.num_rows() - skip);
            if batch.num_rows() > 0 {
                let batch = self.restore(&batch)?;
                return Ok(Some(self.cut(batch)));
            }
        }
    }

    fn cut(&mut self, batch: RecordBatch) -> RecordBatch {
        if batch.num_rows() <= BATCH_ROWS {
            return batch;
        }
        self.rest = Some(batch.slice(BATCH_ROWS, batch.num_rows() - BATCH_ROWS));
        batch.slice(0, BATCH_ROWS)
    }

    /// What the database gave, in the types of the table.
    fn restore(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.places.len());
        for (number, place) in self.places.iter().enumerate() {
            let column = &self.layout.columns[*place];
            let given =
                batch.columns().get(number).ok_or_else(|| Error::internal("a column did not come"))?;
            let values = restore(given, &column.kept.arrow, column.field.data_type()).map_err(|error| {
                Error::invalid_data(format!("column {}: {}", column.field.name(), error.message))
            })?;
            // SQLite has no NaN: where nothing may be missing, this is what is missing.
            let nan = self.layout.dialect == Dialect::Sqlite && !column.field.is_nullable();
            columns.push(if nan { with_nan(values) } else { values });
        }
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
            .map_err(|error| Error::invalid_data(format!("{}: {error}", self.layout.table)))
    }
}

/// Values as the database gave them, by way of how they were kept.
fn restore(
    given: &ArrayRef,
    kept: &arrow::datatypes::DataType,
    wanted: &arrow::datatypes::DataType,
) -> Result<ArrayRef> {
    use arrow::datatypes::DataType as T;
    // PostgreSQL gives numbers without bounds as text.
    let direct = matches!((given.data_type(), kept), (T::Utf8, T::Decimal128(..) | T::Decimal256(..)));
    let values = if direct { given.clone() } else { convert(given, kept)? };
    convert(&values, wanted)
}

/// Floats with NaN for what is missing.
fn with_nan(values: ArrayRef) -> ArrayRef {
    use arrow::datatypes::{Float32Type, Float64Type};
    if values.null_count() == 0 {
        return values;
    }
    if let Some(floats) = values.as_primitive_opt::<Float64Type>() {
        return Arc::new(Float64Array::from_iter_values(
            floats.iter().map(|value| value.unwrap_or(f64::NAN)),
        ));
    }
    if let Some(floats) = values.as_primitive_opt::<Float32Type>() {
        return Arc::new(Float32Array::from_iter_values(
            floats.iter().map(|value| value.unwrap_or(f32::NAN)),
        ));
    }
    values
}

/// Whether a table of PostgreSQL numbers its rows. Names of tables are letters, digits and `_`.
///
/// # Errors
/// Those of the database.
pub fn is_numbered(session: &mut Session, table: &str) -> Result<bool> {
    if session.dialect() != Dialect::Postgres {
        return Ok(false);
    }
    let found = session.integers(&format!(
        "SELECT COUNT(*) FROM pg_attribute WHERE attrelid = to_regclass('\"{table}\"') AND attname = '{ROW}' \
         AND attidentity <> '' AND NOT attisdropped"
    ))?;
    Ok(found == [1])
}

/// Whether there is no such table.
pub fn is_missing(session: &mut Lent, table: &str) -> bool {
    let sql = match session.dialect() {
        Dialect::Sqlite => {
            format!("SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = '{table}'")
        }
        Dialect::DuckDb => format!("SELECT COUNT(*) FROM duckdb_tables() WHERE table_name = '{table}'"),
        Dialect::Postgres => format!("SELECT CASE WHEN to_regclass('\"{table}\"') IS NULL THEN 0 ELSE 1 END"),
    };
    // Names of tables are letters, digits and `_`.
    session.integers(&sql).is_ok_and(|found| found == [0])
}

impl Iterator for Rows {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            (self.current, self.session, self.rest) = (None, None, None);
            self.waiting.clear();
        }
        step.map_err(Error::into_arrow).transpose()
    }
}

impl RecordBatchReader for Rows {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}

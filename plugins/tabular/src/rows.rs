//! What a table serializer writes: the columns that are no index, batch by batch.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch, RecordBatchReader},
    datatypes::SchemaRef,
};
use tiled_plugin_api::author::{Context, EncodeRequest, Error, ErrorKind, Payload, Result};

use crate::{dataset, pandas};

/// Record batches with the errors of the plugin API.
pub struct Rows {
    /// Of the batches that come.
    pub schema: SchemaRef,
    reader: Box<dyn RecordBatchReader + Send>,
    keep: Option<Vec<usize>>,
    counted: Option<Counted>,
    cx: Context,
}

/// An index that is no column of the batches: the number of the next row, and the step.
struct Counted {
    next: i64,
    step: i64,
}

impl Rows {
    /// The batches of a reader.
    pub fn new(cx: &Context, reader: Box<dyn RecordBatchReader + Send>) -> Self {
        Rows { schema: reader.schema(), reader, keep: None, counted: None, cx: cx.clone() }
    }

    /// The next batch, or `None` at the end.
    ///
    /// # Errors
    /// Those of the producer; `Cancelled`.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<RecordBatch>> {
        self.cx.check()?;
        let Some(batch) = self.reader.next() else { return Ok(None) };
        let batch = batch.map_err(Error::from_arrow)?;
        let batch = match &self.keep {
            None => batch,
            Some(keep) => batch.project(keep).map_err(Error::from_arrow)?,
        };
        let Some(counted) = &mut self.counted else { return Ok(Some(batch)) };
        let rows = i64::try_from(batch.num_rows()).map_err(Error::internal)?;
        let number = |row: i64| counted.next.wrapping_add(row.wrapping_mul(counted.step));
        let index: ArrayRef = Arc::new(Int64Array::from_iter_values((0..rows).map(number)));
        counted.next = number(rows);
        let columns = batch.columns().iter().cloned().chain([index]).collect();
        RecordBatch::try_new(self.schema.clone(), columns).map(Some).map_err(Error::from_arrow)
    }

    /// With pandas' index as a column, which Tiled sends along even where it only counts the rows.
    pub fn with_index(mut self) -> Self {
        if let Some(schema) = pandas::with_index(&self.schema) {
            let (next, step) = pandas::range_index(&self.schema).unwrap_or((0, 1));
            (self.schema, self.counted) = (schema, Some(Counted { next, step }));
        }
        self
    }

    /// With the columns in this order.
    ///
    /// # Errors
    /// `Conflict` naming a column that is not there, or has no place.
    pub fn in_order(mut self, names: &[String]) -> Result<Self> {
        let place = |name: &String| self.schema.index_of(name).ok();
        let places: Option<Vec<usize>> = names.iter().map(place).collect();
        let Some(places) = places.filter(|places| places.len() == self.schema.fields().len()) else {
            let message = format!("The columns there are {}, not those of these rows", names.join(", "));
            return Err(Error::new(ErrorKind::Conflict, message));
        };
        self.schema = self.schema.project(&places).map_err(Error::internal)?.into();
        let kept = self.keep.take();
        let kept = |place: usize| kept.as_ref().map_or(Some(place), |kept| kept.get(place).copied());
        self.keep = Some(places.into_iter().filter_map(kept).collect());
        Ok(self)
    }

    /// Without the index columns that pandas' metadata name.
    ///
    /// # Errors
    /// `Internal` when the schema cannot be projected.
    pub fn without_index(mut self) -> Result<Self> {
        let index = pandas::index_columns(&self.schema);
        if index.is_empty() {
            return Ok(self);
        }
        let fields = self.schema.fields().iter().enumerate();
        let keep: Vec<usize> =
            fields.filter(|(_, f)| !index.contains(f.name())).map(|(place, _)| place).collect();
        self.schema = self.schema.project(&keep).map_err(Error::internal)?.into();
        self.keep = Some(keep);
        Ok(self)
    }
}

/// The rows of a table or a sparse array, or of an xarray dataset as one table.
///
/// # Errors
/// `NotAcceptable` for a payload that is no table.
pub fn table_rows(cx: &Context, request: &EncodeRequest, payload: Payload) -> Result<Rows> {
    let reader: Box<dyn RecordBatchReader + Send> = match payload {
        Payload::Table(stream) => Box::new(stream.into_reader()?),
        Payload::Node(node) => dataset::table(cx, node, request.fields.as_deref())?,
        _ => {
            let message = format!("{} is for tables, not for arrays", request.essence());
            return Err(Error::new(ErrorKind::NotAcceptable, message));
        }
    };
    Ok(Rows::new(cx, reader))
}

//! Files one after the other as one stream of rows.

use arrow::{
    array::{RecordBatch, RecordBatchReader},
    datatypes::SchemaRef,
    error::ArrowError,
};
use tiled_plugin_api::author::{Context, Error, Result, TableStream};

use crate::parquet_file::Batches;

/// The rows of the parts with these numbers. `open` gives those of one part in the columns and types of `schema`.
pub fn stream(
    cx: &Context,
    numbers: std::ops::Range<usize>,
    schema: SchemaRef,
    open: impl FnMut(usize) -> Result<Batches> + Send + 'static,
) -> TableStream {
    let parts = Parts { cx: cx.clone(), numbers, schema, open, current: None };
    TableStream::from_reader(Box::new(parts))
}

struct Parts<F> {
    cx: Context,
    numbers: std::ops::Range<usize>,
    schema: SchemaRef,
    open: F,
    current: Option<Batches>,
}

impl<F: FnMut(usize) -> Result<Batches>> Parts<F> {
    fn step(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            self.cx.check()?;
            if let Some(batches) = &mut self.current {
                match batches.next().transpose()? {
                    Some(batch) => return Ok(Some(batch)),
                    None => self.current = None,
                }
            }
            let Some(number) = self.numbers.next() else { return Ok(None) };
            self.current = Some((self.open)(number)?);
        }
    }
}

impl<F: FnMut(usize) -> Result<Batches>> Iterator for Parts<F> {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            (self.numbers, self.current) = (0..0, None);
        }
        step.map_err(Error::into_arrow).transpose()
    }
}

impl<F: FnMut(usize) -> Result<Batches>> RecordBatchReader for Parts<F> {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}

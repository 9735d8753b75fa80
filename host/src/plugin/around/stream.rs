//! A table stream of a loaded plugin: it is pulled after the call has returned, so its panics are counted here.

use std::sync::Arc;

use tiled_plugin_api::{
    arrow::{
        array::{RecordBatch, RecordBatchReader},
        datatypes::SchemaRef,
        error::ArrowError,
    },
    author::{Error, Result, TableStream},
};

use super::super::LoadedPlugin;

/// The same stream; no values are copied.
pub(super) fn counted(
    stream: TableStream,
    plugin: Arc<LoadedPlugin>,
    origin: Arc<str>,
) -> Result<TableStream> {
    let inner: Box<dyn RecordBatchReader + Send> = Box::new(stream.into_reader()?);
    Ok(TableStream::from_reader(Box::new(Counted { inner, plugin, origin })))
}

struct Counted {
    inner: Box<dyn RecordBatchReader + Send>,
    plugin: Arc<LoadedPlugin>,
    origin: Arc<str>,
}

impl Iterator for Counted {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.inner.next()?;
        if let Err(error) = &item {
            // The kind is in the text; arrow's errors cannot be cloned.
            let error = Error::from_arrow(ArrowError::ExternalError(error.to_string().into()));
            let _ = self.plugin.health.note::<()>(&self.origin, Err(error));
        }
        Some(item)
    }
}

impl RecordBatchReader for Counted {
    fn schema(&self) -> SchemaRef {
        self.inner.schema()
    }
}

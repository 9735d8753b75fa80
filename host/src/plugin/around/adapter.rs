//! An adapter of a loaded plugin.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::Value;
use tiled_plugin_api::{
    author::{Adapter, Buffers, Context, Error, OwnedBuffer, Result, TableRequest, TableStream},
    model::{Children, ChildrenRequest, DataType, Description, Plan, SliceDim},
};

use super::{
    super::{LoadedPlugin, context::within_job},
    stream,
};

/// The decorator.
pub(super) struct Around {
    inner: Box<dyn Adapter>,
    plugin: Arc<LoadedPlugin>,
    origin: Arc<str>,
    /// Bytes of an element, by path; only asked for where the plugin hands over its own buffers.
    item_bytes: Mutex<HashMap<String, u64>>,
}

/// Paths whose item size is remembered.
const REMEMBERED: usize = 4096;

impl Around {
    pub(super) fn new(inner: Box<dyn Adapter>, plugin: Arc<LoadedPlugin>, origin: Arc<str>) -> Self {
        Around { inner, plugin, origin, item_bytes: Mutex::default() }
    }

    fn guarded<T>(&self, call: impl FnOnce(&dyn Adapter) -> Result<T>) -> Result<T> {
        self.plugin.health.admit(&self.origin)?;
        self.plugin.health.note(&self.origin, call(&*self.inner))
    }

    fn item_bytes(&self, path: &str) -> Result<u64> {
        let known = || self.item_bytes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = known().get(path) {
            return Ok(*bytes);
        }
        let structure = self.guarded(|inner| inner.describe(path))?.structure;
        let data_type = structure.get("data_type").cloned().unwrap_or(Value::Null);
        let data_type: DataType =
            serde_json::from_value(data_type).map_err(|e| self.fault(path, e.to_string()))?;
        let mut known = known();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(path.to_owned(), data_type.itemsize());
        Ok(data_type.itemsize())
    }

    fn fault(&self, path: &str, what: String) -> Error {
        let at = format!("plugin {}, {} at {path:?}", self.plugin.name(), self.origin);
        tracing::error!(target: "plugin", plugin = self.plugin.name(), "{at}: {what}");
        Error::internal(format!("{at}: {what}"))
    }
}

#[deny(clippy::missing_trait_methods)]
impl Adapter for Around {
    fn describe(&self, path: &str) -> Result<Description> {
        self.guarded(|inner| inner.describe(path))
    }

    fn children(&self, path: &str, request: &ChildrenRequest) -> Result<Children> {
        let children = self.guarded(|inner| inner.children(path, request))?;
        if children.items.len() as u64 > request.limit {
            let what =
                format!("{} children where at most {} were asked for", children.items.len(), request.limit);
            return Err(self.fault(path, what));
        }
        Ok(children)
    }

    fn plan(&self, path: &str, slice: &[SliceDim]) -> Result<Option<Plan>> {
        self.guarded(|inner| inner.plan(path, slice))
    }

    fn read_into(&self, cx: &Context, path: &str, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
        self.guarded(|inner| inner.read_into(&within_job(cx), path, slice, out))
    }

    fn read_owned(&self, cx: &Context, path: &str, slice: &[SliceDim]) -> Result<Option<OwnedBuffer>> {
        let Some(buffer) = self.guarded(|inner| inner.read_owned(&within_job(cx), path, slice))? else {
            return Ok(None);
        };
        let bytes = self.item_bytes(path)?;
        let expected = slice.iter().try_fold(bytes, |all, dim| all.checked_mul(dim.count));
        if expected != Some(buffer.len() as u64) {
            let expected = expected.map_or_else(|| "more than can be".to_owned(), |n| n.to_string());
            return Err(self.fault(path, format!("read_owned gave {} bytes, not {expected}", buffer.len())));
        }
        Ok(Some(buffer))
    }

    fn read_table(&self, cx: &Context, path: &str, request: &TableRequest) -> Result<TableStream> {
        let stream = self.guarded(|inner| inner.read_table(&within_job(cx), path, request))?;
        stream::counted(stream, self.plugin.clone(), self.origin.clone())
    }

    fn read_buffers(&self, cx: &Context, path: &str, form_keys: &[String]) -> Result<Buffers> {
        self.guarded(|inner| inner.read_buffers(&within_job(cx), path, form_keys))
    }

    fn stored_as(&self, path: &str, format: &str) -> Result<Option<String>> {
        self.guarded(|inner| inner.stored_as(path, format))
    }

    fn stored_chunk(&self, cx: &Context, path: &str, chunk: &[u64]) -> Result<Option<OwnedBuffer>> {
        self.guarded(|inner| inner.stored_chunk(&within_job(cx), path, chunk))
    }

    fn revision(&self, path: &str) -> Result<u64> {
        self.guarded(|inner| inner.revision(path))
    }
}

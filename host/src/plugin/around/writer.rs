//! A writer of a loaded plugin, and its storages.

use std::sync::Arc;

use serde_json::Value;
use tiled_plugin_api::{
    author::{Context, CreateRequest, Created, OpenRequest, Payload, Result, Storage, WriteRequest, Writer},
    model::SliceDim,
};

use super::super::{LoadedPlugin, context::within_job};
use crate::source::without_password;

/// A writer of a loaded plugin. Its methods block: call them within [`LoadedPlugin::call`].
pub struct LoadedWriter {
    /// Whose it is.
    pub plugin: Arc<LoadedPlugin>,
    /// Storage formats it keeps.
    pub mimetypes: Vec<String>,
    /// Schemes of storage URIs; never empty.
    pub schemes: Vec<String>,
    writer: Arc<dyn Writer>,
}

impl LoadedWriter {
    pub(in super::super) fn new(
        plugin: Arc<LoadedPlugin>,
        claim: &super::super::inspect::WriterClaim,
        writer: Arc<dyn Writer>,
    ) -> Self {
        let schemes = if claim.schemes.is_empty() { vec!["file".into()] } else { claim.schemes.clone() };
        LoadedWriter { plugin, mimetypes: claim.mimetypes.clone(), schemes, writer }
    }

    /// Makes room.
    ///
    /// # Errors
    /// The plugin's; `Panic` when it panicked, or has too often.
    pub fn create(&self, cx: &Context, request: &CreateRequest) -> Result<Created> {
        let health = &self.plugin.health;
        let origin = without_password(&request.storage_uri);
        health.admit(&origin)?;
        health.note(&origin, self.writer.create(&within_job(cx), request))
    }

    /// Opens what `create` made.
    ///
    /// # Errors
    /// As `create`.
    pub fn open(&self, cx: &Context, request: OpenRequest) -> Result<Arc<dyn Storage>> {
        let origin = origin_of(&request);
        self.plugin.health.admit(&origin)?;
        let inner = self.plugin.health.note(&origin, self.writer.open(&within_job(cx), request))?;
        Ok(Arc::new(Around { inner, plugin: self.plugin.clone(), origin }))
    }

    /// Removes what `create` made.
    ///
    /// # Errors
    /// As `create`.
    pub fn delete(&self, cx: &Context, request: OpenRequest) -> Result<()> {
        let origin = origin_of(&request);
        self.plugin.health.admit(&origin)?;
        self.plugin.health.note(&origin, self.writer.delete(&within_job(cx), request))
    }
}

impl std::fmt::Debug for LoadedWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LoadedWriter({} of {})", self.mimetypes.join(", "), self.plugin.name())
    }
}

fn origin_of(request: &OpenRequest) -> String {
    request.assets.first().map_or_else(String::new, |asset| without_password(&asset.source.uri()))
}

struct Around {
    inner: Box<dyn Storage>,
    plugin: Arc<LoadedPlugin>,
    origin: String,
}

impl Around {
    fn guarded<T>(&self, call: impl FnOnce(&dyn Storage) -> Result<T>) -> Result<T> {
        self.plugin.health.admit(&self.origin)?;
        self.plugin.health.note(&self.origin, call(&*self.inner))
    }
}

#[deny(clippy::missing_trait_methods)]
impl Storage for Around {
    fn write(
        &self,
        cx: &Context,
        request: &WriteRequest,
        slice: &[SliceDim],
        payload: Payload,
    ) -> Result<Option<Value>> {
        self.guarded(|inner| inner.write(&within_job(cx), request, slice, payload))
    }

    fn prepare(&self) -> Result<()> {
        self.guarded(|inner| inner.prepare())
    }

    fn commit(&self) -> Result<()> {
        self.guarded(|inner| inner.commit())
    }

    fn abort(&self) -> Result<()> {
        self.guarded(|inner| inner.abort())
    }
}

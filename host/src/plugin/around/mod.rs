//! What stands around everything a plugin gives: calls are refused to a plugin out of service, panics are counted,
//! lengths are checked, and a context also ends with the job of the pool that the call is part of.

mod adapter;
mod stream;
mod writer;

use std::sync::Arc;

use tiled_plugin_api::author::{
    Adapter, Context, EncodeRequest, OpenRequest, Payload, Reader, Result, Serializer, Sink, Source,
};
pub use writer::LoadedWriter;

use super::{LoadedPlugin, context::within_job, inspect::ReaderClaim};
use crate::source::without_password;

/// A reader of a loaded plugin. Its methods block: call them within [`LoadedPlugin::call`].
pub struct LoadedReader {
    /// Whose it is.
    pub plugin: Arc<LoadedPlugin>,
    /// What it claims; the first is that of files found by suffix.
    pub mimetypes: Vec<String>,
    /// The mimetype of numbered files opened together.
    pub sequence: Option<String>,
    /// Whether it opens directories instead of files.
    pub directory: bool,
    /// The mimetype its requests are given, where files are registered under another one.
    opened_as: Option<String>,
    reader: Arc<dyn Reader>,
}

impl LoadedReader {
    pub(super) fn new(plugin: Arc<LoadedPlugin>, claim: &ReaderClaim, reader: Arc<dyn Reader>) -> Self {
        LoadedReader {
            plugin,
            mimetypes: claim.mimetypes.clone(),
            sequence: claim.sequence.clone(),
            directory: claim.directory,
            opened_as: None,
            reader,
        }
    }

    /// The same reader for files that are registered as `mimetype` and are of the type `opened_as`.
    pub(super) fn opening(&self, mimetype: &str, opened_as: &str) -> Self {
        LoadedReader {
            plugin: self.plugin.clone(),
            mimetypes: vec![mimetype.to_owned()],
            sequence: None,
            directory: self.directory,
            opened_as: Some(opened_as.to_owned()),
            reader: self.reader.clone(),
        }
    }

    /// Opens the data; the adapter is decorated as this room's page says.
    ///
    /// # Errors
    /// The plugin's; `Panic` when it panicked, or has too often.
    pub fn open(&self, cx: &Context, mut request: OpenRequest) -> Result<Arc<dyn Adapter>> {
        if let Some(mimetype) = &self.opened_as {
            request.mimetype.clone_from(mimetype);
        }
        let origin: Arc<str> = request
            .assets
            .first()
            .map_or_else(String::new, |asset| without_password(&asset.source.uri()))
            .into();
        self.plugin.health.admit(&origin)?;
        let opened = self.reader.open(&within_job(cx), request);
        let inner = self.plugin.health.note(&origin, opened)?;
        Ok(Arc::new(adapter::Around::new(inner, self.plugin.clone(), origin)))
    }

    /// How sure it is that this is its type, 0 to 100.
    pub fn sniff(&self, source: &Source, head: &[u8]) -> u32 {
        const SURE: u32 = 100;
        if self.plugin.health.is_out_of_service() { 0 } else { self.reader.sniff(source, head).min(SURE) }
    }
}

impl std::fmt::Debug for LoadedReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LoadedReader({} of {})", self.mimetypes.join(", "), self.plugin.name())
    }
}

/// A serializer of a loaded plugin. It blocks: call it within [`LoadedPlugin::stream`].
pub struct LoadedSerializer {
    /// Whose it is.
    pub plugin: Arc<LoadedPlugin>,
    serializer: Arc<dyn Serializer>,
}

impl LoadedSerializer {
    pub(super) fn new(plugin: Arc<LoadedPlugin>, serializer: Arc<dyn Serializer>) -> Self {
        LoadedSerializer { plugin, serializer }
    }

    /// Writes the encoded values to the sink.
    ///
    /// # Errors
    /// The plugin's; `Panic` when it panicked, or has too often.
    pub fn encode(
        &self,
        cx: &Context,
        request: &EncodeRequest,
        payload: Payload,
        sink: &mut Sink,
    ) -> Result<()> {
        let origin = format!("{} as {}", request.structure_family, request.essence());
        self.plugin.health.admit(&origin)?;
        let encoded = self.serializer.encode(&within_job(cx), request, payload, sink);
        self.plugin.health.note(&origin, encoded)
    }
}

impl std::fmt::Debug for LoadedSerializer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LoadedSerializer of {}", self.plugin.name())
    }
}

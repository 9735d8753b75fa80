//! The plugin room: finds libraries, decides which of them may be loaded, loads them, and stands around every call.
//!
//! Takes a [`PluginsConfig`](crate::config::PluginsConfig) and the readable [`Roots`](crate::source::Roots); gives
//! [`Plugins`], which answers "who opens this" and "who writes that" and does not change afterwards. Calls that may
//! take long go through [`LoadedPlugin::call`] or [`LoadedPlugin::stream`], the plugin's own threads.
//!
//! Never loads a file that was not inspected first; ABI types never leave `edge`; nothing depends on the order of files.

mod around;
mod choice;
mod context;
mod discover;
mod edge;
mod error;
mod health;
mod inspect;
mod load;
mod manifest;
mod pool;
mod registry;
mod services;
mod status;
mod survey;

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tiled_plugin_api::{
    abi::ForeignPlugin,
    author::{Context, Error, Host, Result, Source},
};

pub use around::{LoadedReader, LoadedSerializer, LoadedWriter};
pub use context::{CancelHandle, context};
pub use error::{PluginError, Refusal, Step};
pub use inspect::{Descriptor, Inspected, ReaderClaim, SerializerClaim, WriterClaim, inspect};
pub use status::{Overview, PluginState, PluginStatus, overview};

use self::{
    load::Common,
    manifest::Settings,
    pool::Pool,
    registry::Registry,
    services::{ChunkCache, Services},
    survey::{LeftOut, Survey},
};
use crate::{config::PluginsConfig, source::Roots};

/// All plugins of a server.
pub struct Plugins {
    loaded: Vec<Arc<LoadedPlugin>>,
    registry: Registry,
    left_out: Vec<LeftOut>,
    host: Host,
}

impl Plugins {
    /// Finds, inspects, loads and starts the plugins. Those that are left out are kept with their reason.
    ///
    /// # Errors
    /// A listed plugin cannot be loaded, or two plugins claim the same: every reason in a line of its own.
    pub fn load(config: &PluginsConfig, roots: &Roots) -> std::result::Result<Plugins, PluginError> {
        let mut survey = Survey::of(config);
        let cache = ChunkCache::new(config.plugins.cache_bytes);
        let host = |name: &str| {
            Host::new(Arc::new(Services { plugin: name.into(), roots: roots.clone(), cache: cache.clone() }))
        };
        let mut groups: HashMap<String, Arc<Mutex<()>>> = HashMap::new();
        let mut common = Common {
            state_dir: config.plugins.state_dir.as_deref().map(|path| config.resolve(path)),
            in_place: config.plugins.in_place,
            host: &host,
            group: &mut |name| groups.entry(name.to_owned()).or_default().clone(),
            quarantine_after_panics: config.plugins.quarantine_after_panics,
        };
        let mut loaded = Vec::new();
        for candidate in std::mem::take(&mut survey.candidates) {
            let name = candidate.descriptor.name.as_str();
            let pin = config.entry(name).and_then(|entry| entry.sha256.as_deref());
            match load::load(&candidate, Settings::of(&candidate.descriptor, config), pin, &mut common) {
                Ok(plugin) => {
                    loaded.push(Arc::new(plugin));
                    survey.candidates.push(candidate);
                }
                Err(refusal) => survey.refuse(config, name, &candidate.path, refusal),
            }
        }
        let choice = survey.choose(config);
        survey.fatal.extend(choice.conflicts.iter().cloned());
        let registry =
            Registry::build(&choice, &loaded, config).map_err(|refusal| PluginError(vec![refusal]))?;
        if !survey.fatal.is_empty() {
            return Err(PluginError(survey.fatal));
        }
        Ok(Plugins { loaded, registry, left_out: survey.left_out, host: host("") })
    }

    /// The reader of a mimetype: exact with its parameters, then without.
    pub fn reader_for(&self, mimetype: &str) -> Option<Arc<LoadedReader>> {
        self.registry.readers_for(mimetype).first().cloned()
    }

    /// As [`Plugins::reader_for`], where a plugin has one reader for files and one for directories of a mimetype.
    pub fn reader_for_kind(&self, mimetype: &str, is_directory: bool) -> Option<Arc<LoadedReader>> {
        let readers = self.registry.readers_for(mimetype);
        readers.iter().find(|reader| reader.directory == is_directory).or_else(|| readers.first()).cloned()
    }

    /// Mimetype and reader of a file or directory: as `[extensions]` says, else by the longest suffix that a plugin
    /// claims, else by what is in it. `head` gives the source and its first 4 KiB (nothing of a directory), and is
    /// called only where names do not decide. Blocks.
    pub fn reader_for_file(
        &self,
        path: &Path,
        head: impl FnOnce() -> Option<(Source, Vec<u8>)>,
    ) -> Option<(String, Arc<LoadedReader>)> {
        self.registry.reader_for_file(path, path.is_dir(), head)
    }

    /// The serializer of a family (or spec) and a media type.
    pub fn serializer_for(&self, key: &str, media_type: &str) -> Option<Arc<LoadedSerializer>> {
        self.registry.serializer_for(key, media_type)
    }

    /// The writer of a storage format, for storage URIs of this scheme (`file`).
    pub fn writer_for(&self, mimetype: &str, scheme: &str) -> Option<Arc<LoadedWriter>> {
        self.registry.writer_for(mimetype, scheme)
    }

    /// Family or spec to media types.
    pub fn formats(&self) -> &BTreeMap<String, Vec<String>> {
        &self.registry.formats
    }

    /// Family or spec to media type to short names.
    pub fn aliases(&self) -> &BTreeMap<String, BTreeMap<String, Vec<String>>> {
        &self.registry.aliases
    }

    /// The media type of a short name: `csv`.
    pub fn media_type_of_alias(&self, alias: &str) -> Option<&str> {
        self.registry.media_type_of_alias(alias)
    }

    /// The host's services, for an [`OpenRequest`](tiled_plugin_api::author::OpenRequest): a loaded plugin has its own.
    pub fn host(&self) -> Host {
        self.host.clone()
    }

    /// Every plugin and every file that is left out, and why.
    pub fn table(&self) -> Vec<PluginStatus> {
        let loaded = self.loaded.iter().map(|plugin| PluginStatus::loaded(plugin));
        loaded.chain(self.left_out.iter().map(PluginStatus::left_out)).collect()
    }

    /// Lets plugins stop their own threads, at the end of the server.
    pub fn shutdown(&self) {
        for plugin in &self.loaded {
            plugin.foreign.shutdown();
        }
    }
}

/// A plugin that runs.
pub struct LoadedPlugin {
    path: PathBuf,
    descriptor: Descriptor,
    settings: Settings,
    foreign: ForeignPlugin,
    work: Pool,
    streams: Pool,
    health: health::Health,
}

impl LoadedPlugin {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.descriptor.name
    }

    /// Runs `f`, which calls the plugin, on one of the plugin's threads. It is given up at the plugin's timeout, at the
    /// context's deadline, and when the future is dropped; calls of the plugin within it then see it cancelled.
    ///
    /// # Errors
    /// `Cancelled` when it was given up, `Busy` when too many calls hang already.
    pub async fn call<T: Send + 'static>(
        self: &Arc<Self>,
        cx: &Context,
        f: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let limit = Duration::from_millis(cx.remaining_ms()).min(self.settings.timeout);
        self.work.run(Instant::now().checked_add(limit), f).await
    }

    /// As [`LoadedPlugin::call`] for writing an answer: it mostly waits for the client, so there is no timeout but the
    /// context's, and threads beside those for calls.
    ///
    /// # Errors
    /// As `call`.
    pub async fn stream<T: Send + 'static>(
        self: &Arc<Self>,
        cx: &Context,
        f: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let deadline = match cx.remaining_ms() {
            u64::MAX => None,
            ms => Instant::now().checked_add(Duration::from_millis(ms)),
        };
        self.streams.run(deadline, f).await
    }

    fn refusal(&self, error: &Error) -> Refusal {
        Refusal::new(self.path.display(), Step::Create, error, "its descriptor offers what it does not have")
    }
}

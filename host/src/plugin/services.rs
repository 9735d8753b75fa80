//! What the host does for a plugin: log, open other files, keep decoded chunks.

use std::sync::Arc;

use quick_cache::{Weighter, sync::Cache};
use tiled_plugin_api::author::{HostServices, Level, OwnedBuffer, Result, Source};

use crate::source::Roots;

/// Decoded chunks of all plugins, bounded by their bytes.
#[derive(Clone)]
pub(super) struct ChunkCache(Arc<Cache<Key, Arc<OwnedBuffer>, Bytes>>);

/// The plugin, and its own key.
type Key = (Arc<str>, String);

#[derive(Clone)]
struct Bytes;

/// What an entry costs beside its bytes.
const ENTRY_BYTES: u64 = 128;

impl Weighter<Key, Arc<OwnedBuffer>> for Bytes {
    fn weight(&self, key: &Key, chunk: &Arc<OwnedBuffer>) -> u64 {
        chunk.len() as u64 + key.1.len() as u64 + ENTRY_BYTES
    }
}

impl ChunkCache {
    pub(super) fn new(max_bytes: u64) -> Self {
        const USUAL_CHUNK_BYTES: u64 = 256 << 10;
        let entries = usize::try_from(max_bytes / USUAL_CHUNK_BYTES).unwrap_or(usize::MAX).clamp(16, 1 << 20);
        ChunkCache(Arc::new(Cache::with_weighter(entries, max_bytes, Bytes)))
    }
}

/// The services as one plugin has them.
pub(super) struct Services {
    pub(super) plugin: Arc<str>,
    pub(super) roots: Roots,
    pub(super) cache: ChunkCache,
}

impl HostServices for Services {
    fn log(&self, level: Level, message: &str) {
        let plugin = &*self.plugin;
        match level {
            Level::Error => tracing::error!(target: "plugin", plugin, "{message}"),
            Level::Warn => tracing::warn!(target: "plugin", plugin, "{message}"),
            Level::Info => tracing::info!(target: "plugin", plugin, "{message}"),
            Level::Debug => tracing::debug!(target: "plugin", plugin, "{message}"),
        }
    }

    fn open_source(&self, uri: &str) -> Result<Source> {
        self.roots.open_uri(uri)
    }

    fn resolve(&self, base: &str, link: &str) -> Result<Source> {
        self.roots.resolve(base, link)
    }

    fn cache_get(&self, key: &str) -> Option<OwnedBuffer> {
        let chunk = self.cache.0.get(&(self.plugin.clone(), key.to_owned()))?;
        Some(OwnedBuffer::from_owner(Shared(chunk)))
    }

    fn cache_put(&self, key: &str, bytes: OwnedBuffer) {
        self.cache.0.insert((self.plugin.clone(), key.to_owned()), Arc::new(bytes));
    }
}

struct Shared(Arc<OwnedBuffer>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn services(plugin: &str, cache: &ChunkCache) -> Services {
        Services { plugin: plugin.into(), roots: Roots::default(), cache: cache.clone() }
    }

    #[test]
    fn what_a_plugin_keeps_is_its_own_and_comes_back_without_a_copy() {
        let cache = ChunkCache::new(1 << 20);
        let (a, b) = (services("a", &cache), services("b", &cache));
        let chunk = OwnedBuffer::from_vec(vec![7; 100]);
        let at = chunk.as_ptr();
        a.cache_put("k", chunk);
        assert_eq!(a.cache_get("k").unwrap().as_ptr(), at);
        assert!(b.cache_get("k").is_none());
    }

    #[test]
    fn the_cache_holds_no_more_bytes_than_it_may() {
        let cache = ChunkCache::new(1 << 20);
        let a = services("a", &cache);
        for i in 0..100 {
            a.cache_put(&i.to_string(), OwnedBuffer::from_vec(vec![0; 100_000]));
        }
        let kept = (0..100).filter(|i| a.cache_get(&i.to_string()).is_some()).count();
        assert!((1..=10).contains(&kept), "{kept} of 100 are kept");
    }
}

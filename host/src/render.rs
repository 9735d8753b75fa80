//! Rendered documents, kept until any row of any catalog changes: most requests for metadata are repeated.

use std::sync::Arc;

use bytes::Bytes;
use quick_cache::{Weighter, sync::Cache};

/// A document as it was sent.
pub struct Rendered {
    /// Its tag.
    pub etag: String,
    /// Encoded, and compressed where the request wished so.
    pub body: Bytes,
    /// Of the body.
    pub content_type: &'static str,
    /// Of the body.
    pub content_encoding: Option<&'static str>,
}

/// With the tree's generation it was made from.
type Kept = (u64, Arc<Rendered>);

#[derive(Clone)]
struct ByBytes;

impl Weighter<u128, Kept> for ByBytes {
    fn weight(&self, _key: &u128, (_, rendered): &Kept) -> u64 {
        // What an entry takes beside its body.
        const ENTRY_BYTES: u64 = 200;
        rendered.body.len() as u64 + ENTRY_BYTES
    }
}

/// Documents by a digest of everything they depend on beside the tree: URL, caller, headers.
pub struct RenderCache(Cache<u128, Kept, ByBytes>);

impl RenderCache {
    /// A cache of so many bytes.
    pub fn new(bytes: u64) -> Self {
        const TYPICAL_BYTES: u64 = 1500;
        RenderCache(Cache::with_weighter(
            usize::try_from(bytes / TYPICAL_BYTES).unwrap_or(1).max(1),
            bytes,
            ByBytes,
        ))
    }

    /// The document, if the tree is still as it was.
    pub fn get(&self, key: u128, generation: u64) -> Option<Arc<Rendered>> {
        self.0.get(&key).filter(|(then, _)| *then == generation).map(|(_, rendered)| rendered)
    }

    /// Keeps a document that was made from the tree of this generation, and gives it back.
    pub fn keep(&self, key: u128, generation: u64, rendered: Rendered) -> Arc<Rendered> {
        let rendered = Arc::new(rendered);
        self.0.insert(key, (generation, rendered.clone()));
        rendered
    }
}

//! Tags of answers: 32 hex digits, as Tiled's look.

use std::hash::{Hash, Hasher};

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// Collects what an answer depends on.
#[derive(Default)]
pub struct Digest(Xxh3);

impl Digest {
    /// Adds one thing.
    #[must_use]
    pub fn with(mut self, part: &(impl Hash + ?Sized)) -> Self {
        part.hash(&mut self.0);
        self
    }

    /// The tag.
    pub fn etag(&self) -> String {
        format!("{:032x}", self.0.digest128())
    }
}

impl Hasher for Digest {
    fn finish(&self) -> u64 {
        self.0.digest()
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}

/// The tag of these very bytes.
pub fn etag_of(bytes: &[u8]) -> String {
    format!("{:032x}", xxh3_128(bytes))
}

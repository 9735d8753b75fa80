//! Memory that all requests share: values are admitted before they are read, and wait when there is no room.

use std::sync::Arc;

use bytes::Bytes;
use tiled_plugin_api::author::{Error, ErrorKind, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Permits count pieces of this size.
const PIECE_BYTES: u64 = 64 * 1024;

/// A share of the server's memory. Cheap to clone.
#[derive(Clone)]
pub struct Budget {
    pieces: Arc<Semaphore>,
    all: u32,
}

/// Memory that is taken until this is dropped.
pub struct Taken(#[allow(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl Budget {
    /// So many bytes for all requests together.
    pub fn new(bytes: u64) -> Self {
        let all = u32::try_from(bytes.div_ceil(PIECE_BYTES)).unwrap_or(u32::MAX).clamp(1, 1 << 28);
        Budget { pieces: Arc::new(Semaphore::new(all as usize)), all }
    }

    /// Takes `bytes`, waiting for others to give theirs back.
    ///
    /// # Errors
    /// `TooLarge` when there is not so much in all.
    pub async fn take(&self, bytes: u64) -> Result<Taken> {
        let pieces = u32::try_from(bytes.div_ceil(PIECE_BYTES)).unwrap_or(u32::MAX);
        if pieces > self.all {
            let message = format!(
                "This read takes {bytes} bytes of memory at once and the server may use {}. Use slicing, or raise \
                 [limits] memory_mb",
                u64::from(self.all) * PIECE_BYTES
            );
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        self.pieces.clone().acquire_many_owned(pieces).await.map(Taken).map_err(Error::internal)
    }
}

struct Held<T> {
    bytes: T,
    _taken: Taken,
}

impl<T: AsRef<[u8]>> AsRef<[u8]> for Held<T> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

impl Taken {
    /// Bytes that give the memory back when the last reader of them is done. Not copied.
    pub fn hold<T: AsRef<[u8]> + Send + Sync + 'static>(self, bytes: T) -> Bytes {
        Bytes::from_owner(Held { bytes, _taken: self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn memory_comes_back_when_the_bytes_are_sent() {
        let budget = Budget::new(2 * PIECE_BYTES);
        let bytes = budget.take(2 * PIECE_BYTES).await.unwrap().hold(vec![1, 2, 3]);
        let part = bytes.slice(1..);
        drop(bytes);
        assert_eq!(budget.pieces.available_permits(), 0);
        drop(part);
        assert_eq!(budget.pieces.available_permits(), 2);
        assert_eq!(budget.take(3 * PIECE_BYTES).await.err().unwrap().kind, ErrorKind::TooLarge);
    }
}

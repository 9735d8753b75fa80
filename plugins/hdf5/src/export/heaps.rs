//! Global heaps: where texts of variable length lie, and references from variables to their dimensions.

use tiled_plugin_api::prelude::*;

use super::store::{Extent, Store};

/// A heap is closed when it has this many bytes.
const HEAP_BYTES: usize = 64 << 10;
/// libhdf5 makes no smaller ones.
const MIN_HEAP_BYTES: usize = 4096;
const HEAP_HEAD_BYTES: usize = 16;
const OBJECT_HEAD_BYTES: usize = 16;

/// Objects on their way into global heaps, one heap behind the other.
#[derive(Debug, Default)]
pub(crate) struct Heaps {
    /// Where the next heap will be.
    at: u64,
    /// Those that are full.
    done: Vec<Extent>,
    /// Objects of the last one.
    open: Vec<u8>,
    objects: u16,
}

impl Heaps {
    /// Heaps that will lie from `start` on.
    pub(crate) fn at(start: u64) -> Self {
        Heaps { at: start, ..Heaps::default() }
    }

    /// Keeps `count` elements that have these bytes and gives the 16 bytes that stand for them, and the address at which
    /// theirs begin.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) fn put(&mut self, count: usize, bytes: &[u8], store: &mut Store) -> Result<([u8; 16], u64)> {
        let mut place = [0; 16];
        if bytes.is_empty() {
            return Ok((place, 0));
        }
        if self.open.len() > HEAP_BYTES || self.objects == u16::MAX {
            self.close(store)?;
        }
        self.objects += 1;
        place[..4].copy_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
        place[4..12].copy_from_slice(&self.at.to_le_bytes());
        place[12..].copy_from_slice(&u32::from(self.objects).to_le_bytes());
        let address = self.at + (HEAP_HEAD_BYTES + self.open.len() + OBJECT_HEAD_BYTES) as u64;
        self.open.extend(self.objects.to_le_bytes());
        self.open.extend([1, 0, 0, 0, 0, 0]);
        self.open.extend((bytes.len() as u64).to_le_bytes());
        self.open.extend(bytes);
        self.open.resize(self.open.len().next_multiple_of(8), 0);
        Ok((place, address))
    }

    fn close(&mut self, store: &mut Store) -> Result<()> {
        if self.objects == 0 {
            return Ok(());
        }
        let used = HEAP_HEAD_BYTES + self.open.len();
        // What is left over is an object of its own, of at least its head.
        let size = (used + OBJECT_HEAD_BYTES).max(MIN_HEAP_BYTES);
        let mut heap = b"GCOL\x01\0\0\0".to_vec();
        heap.extend((size as u64).to_le_bytes());
        heap.append(&mut self.open);
        heap.extend([0; 8]);
        heap.extend(((size - used) as u64).to_le_bytes());
        heap.resize(size, 0);
        self.done.push(store.keep(&heap)?);
        self.at += size as u64;
        self.objects = 0;
        Ok(())
    }

    /// All heaps, and the address behind them.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) fn finish(mut self, store: &mut Store) -> Result<(Vec<Extent>, u64)> {
        self.close(store)?;
        Ok((self.done, self.at))
    }
}

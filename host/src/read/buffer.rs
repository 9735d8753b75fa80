//! Buffers for values, used again and again: a fresh one would have to be zeroed, a third of the cost of filling it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tiled_plugin_api::author::{Error, Result};

/// Buffers that wait for the next read, all together.
const KEPT_BYTES: usize = 192 << 20;
/// Smaller ones are not worth keeping.
const SMALLEST_KEPT_BYTES: usize = 64 << 10;

static KEPT: Mutex<Kept> = Mutex::new(Kept { buffers: Vec::new(), bytes: 0 });

struct Kept {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

fn kept() -> MutexGuard<'static, Kept> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A buffer of `len` bytes whose content is arbitrary: adapters fill all of it (`plugin-api/ABI.md`). Goes back to the
/// others when dropped.
pub struct Buffer {
    memory: Vec<u8>,
    len: usize,
}

impl Buffer {
    /// A buffer of so many bytes.
    ///
    /// # Errors
    /// `Internal` when the machine cannot address so many.
    pub fn new(nbytes: u64) -> Result<Self> {
        let len = usize::try_from(nbytes).map_err(Error::internal)?;
        if len >= SMALLEST_KEPT_BYTES {
            let mut kept = kept();
            let fits = |memory: &Vec<u8>| memory.len() >= len && memory.len() / 2 <= len;
            if let Some(at) = kept.buffers.iter().rposition(fits) {
                let memory = kept.buffers.swap_remove(at);
                kept.bytes -= memory.len();
                return Ok(Buffer { memory, len });
            }
        }
        Ok(Buffer { memory: vec![0; len], len })
    }
}

impl std::ops::Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory[..self.len]
    }
}

impl std::ops::DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory[..self.len]
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.memory);
        if memory.len() < SMALLEST_KEPT_BYTES {
            return;
        }
        let mut kept = kept();
        if kept.bytes + memory.len() <= KEPT_BYTES {
            kept.bytes += memory.len();
            kept.buffers.push(memory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_for_a_read_of_about_its_size() {
        let first = Buffer::new(1_000_003).unwrap();
        let at = first.as_ptr();
        drop(first);
        let second = Buffer::new(1_000_001).unwrap();
        assert_eq!((second.as_ptr(), second.len()), (at, 1_000_001));
    }
}

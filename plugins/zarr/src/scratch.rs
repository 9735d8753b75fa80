//! Buffers that a thread keeps for its next chunk: allocating and zeroing one for each would cost as much as decoding.

use std::{
    cell::RefCell,
    ops::{Deref, DerefMut},
};

/// Larger buffers are given back to the system.
const KEPT_BYTES: usize = 64 << 20;
const KEPT: usize = 3;

thread_local! {
    static POOL: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer with anything in it.
#[derive(Debug)]
pub struct Scratch {
    bytes: Vec<u8>,
    len: usize,
}

impl Scratch {
    /// A buffer of `len` bytes.
    pub fn of(len: usize) -> Self {
        let mut bytes = POOL.with_borrow_mut(|pool| {
            // The smallest that is large enough, else the largest.
            let at = pool.iter().position(|b| b.len() >= len).or_else(|| pool.len().checked_sub(1));
            at.map(|at| pool.remove(at)).unwrap_or_default()
        });
        if bytes.len() < len {
            // A new zeroed allocation is cheaper than growing: nothing is copied, pages come zeroed.
            bytes = vec![0; len];
        }
        Scratch { bytes, len }
    }
}

impl Scratch {
    /// Keeps the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }
}

impl From<Vec<u8>> for Scratch {
    fn from(bytes: Vec<u8>) -> Self {
        let len = bytes.len();
        Scratch { bytes, len }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        if bytes.is_empty() || bytes.len() > KEPT_BYTES {
            return;
        }
        // While the thread ends the pool may be gone: then the buffer simply goes too.
        let _ = POOL.try_with(|pool| {
            if let Ok(mut pool) = pool.try_borrow_mut() {
                let at = pool.partition_point(|other| other.len() < bytes.len());
                pool.insert(at, bytes);
                if pool.len() > KEPT {
                    pool.remove(0);
                }
            }
        });
    }
}

impl Deref for Scratch {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.len).unwrap_or_default()
    }
}

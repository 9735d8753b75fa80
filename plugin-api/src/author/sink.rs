//! Where encoded bytes go.

use super::{OwnedBuffer, Result};

/// Takes bytes of an answer; the host implements it.
pub trait ByteSink: Send {
    /// Passes bytes on. Blocks while the client is slower than the plugin.
    ///
    /// # Errors
    /// `Cancelled` when the client has gone: stop then.
    fn write(&mut self, bytes: &[u8]) -> Result<()>;

    /// Passes bytes on with their owner, so that they need not be copied.
    ///
    /// # Errors
    /// As [`ByteSink::write`].
    fn write_owned(&mut self, bytes: OwnedBuffer) -> Result<()> {
        self.write(&bytes)
    }
}

/// A sink with conveniences; also `std::io::Write`. Collects small writes.
pub struct Sink {
    to: Box<dyn ByteSink>,
    pending: Vec<u8>,
}

const COLLECT_BYTES: usize = 64 * 1024;

impl Sink {
    /// A sink over this implementation.
    pub fn new(to: impl ByteSink + 'static) -> Self {
        Sink { to: Box::new(to), pending: Vec::new() }
    }

    /// Passes bytes on.
    ///
    /// # Errors
    /// `Cancelled` when the client has gone.
    pub fn put(&mut self, bytes: &[u8]) -> Result<()> {
        if self.pending.len() + bytes.len() < COLLECT_BYTES {
            self.pending.extend_from_slice(bytes);
            return Ok(());
        }
        self.push()?;
        if bytes.len() >= COLLECT_BYTES { self.to.write(bytes) } else { self.put(bytes) }
    }

    /// Passes bytes on without a copy: slabs as they came, large pieces of text.
    ///
    /// # Errors
    /// `Cancelled` when the client has gone.
    pub fn put_owned(&mut self, bytes: OwnedBuffer) -> Result<()> {
        if bytes.len() < COLLECT_BYTES {
            return self.put(&bytes);
        }
        self.push()?;
        self.to.write_owned(bytes)
    }

    /// Passes on what was collected. Called for you after `encode`.
    ///
    /// # Errors
    /// `Cancelled` when the client has gone.
    pub fn push(&mut self) -> Result<()> {
        if !self.pending.is_empty() {
            self.to.write(&self.pending)?;
            self.pending.clear();
        }
        Ok(())
    }
}

impl std::io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.put(bytes).map_err(std::io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.push().map_err(std::io::Error::other)
    }
}

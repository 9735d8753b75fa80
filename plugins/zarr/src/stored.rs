//! The stored bytes of a chunk: a file, a part of one, or memory.

use tiled_plugin_api::{
    author::{Error, Result, Source},
    layout::gather::Linear,
};

use crate::scratch::Scratch;

/// The stored bytes of a chunk.
pub trait Bytes: Linear {
    /// How many.
    ///
    /// # Errors
    /// `NotFound` when the file has gone.
    fn len(&self) -> Result<u64>;
    /// A name for the host's cache, with the version of the file.
    ///
    /// # Errors
    /// As `len`.
    fn key(&self) -> Result<String>;
    /// The bytes, where they are in memory.
    fn memory(&self) -> Option<&[u8]> {
        None
    }
}

impl Bytes for Source {
    fn len(&self) -> Result<u64> {
        (**self).len()
    }

    fn key(&self) -> Result<String> {
        Ok(format!("zarr {} {:x}", self.uri(), self.version()?))
    }
}

/// Some of the bytes of another.
pub struct Window<'a> {
    /// Those.
    pub of: &'a dyn Bytes,
    /// Where they begin.
    pub at: u64,
    /// How many.
    pub len: u64,
}

impl Linear for Window<'_> {
    fn fill(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        match offset.checked_add(out.len() as u64) {
            Some(end) if end <= self.len => self.of.fill(self.at + offset, out),
            _ => Err(Error::invalid_data("it is truncated")),
        }
    }
}

impl Bytes for Window<'_> {
    fn len(&self) -> Result<u64> {
        Ok(self.len)
    }

    fn key(&self) -> Result<String> {
        Ok(format!("{} {}", self.of.key()?, self.at))
    }

    fn memory(&self) -> Option<&[u8]> {
        self.of.memory()?.get(usize::try_from(self.at).ok()?..)?.get(..usize::try_from(self.len).ok()?)
    }
}

/// Bytes in memory, and a name for the cache.
pub struct Memory(pub Vec<u8>, pub String);

impl Linear for Memory {
    fn fill(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = self.0.get(start..).and_then(|rest| rest.get(..out.len()));
        out.copy_from_slice(bytes.ok_or_else(|| Error::invalid_data("it is truncated"))?);
        Ok(())
    }
}

impl Bytes for Memory {
    fn len(&self) -> Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn key(&self) -> Result<String> {
        Ok(self.1.clone())
    }

    fn memory(&self) -> Option<&[u8]> {
        Some(&self.0)
    }
}

/// Encoded bytes, copied only where they are not in memory.
pub enum Encoded<'a> {
    /// In memory already.
    Borrowed(&'a [u8]),
    /// Read from a file.
    Read(Scratch),
}

impl<'a> Encoded<'a> {
    /// All stored bytes, at most `limit`.
    ///
    /// # Errors
    /// `InvalidData` when there are more.
    pub fn load(bytes: &'a dyn Bytes, limit: usize) -> Result<Self> {
        if let Some(bytes) = bytes.memory() {
            return Ok(Encoded::Borrowed(bytes));
        }
        let len = usize::try_from(bytes.len()?).ok().filter(|len| *len <= limit);
        let mut read =
            Scratch::of(len.ok_or_else(|| Error::invalid_data("it is larger than its elements can be"))?);
        bytes.fill(0, &mut read)?;
        Ok(Encoded::Read(read))
    }
}

impl std::ops::Deref for Encoded<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Encoded::Borrowed(bytes) => bytes,
            Encoded::Read(bytes) => bytes,
        }
    }
}

/// All stored bytes, at most `limit`.
///
/// # Errors
/// `InvalidData` when there are more.
pub fn load(bytes: &dyn Bytes, limit: usize) -> Result<Vec<u8>> {
    Ok(Encoded::load(bytes, limit)?.to_vec())
}

//! Bytes that must wait until the file's head is known: in memory as long as they are few, then in a file without a name.

use std::{fs::File, io::Write, os::unix::fs::FileExt};

use tiled_plugin_api::prelude::*;

/// So much of one export waits in memory.
const MEMORY_BYTES: usize = 16 << 20;
/// Read back at once.
const PIECE_BYTES: usize = 256 << 10;

/// Where bytes are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    at: u64,
    pub(crate) len: u64,
}

/// All that waits in one export.
#[derive(Debug, Default)]
pub(crate) struct Store {
    memory: Vec<u8>,
    /// What comes when memory is full.
    file: Option<File>,
    len: u64,
}

impl Store {
    /// Keeps bytes.
    ///
    /// # Errors
    /// `Internal` when the disk is full.
    pub(crate) fn keep(&mut self, bytes: &[u8]) -> Result<Extent> {
        let extent = Extent { at: self.len, len: bytes.len() as u64 };
        self.len += extent.len;
        if self.file.is_none() && self.memory.len() + bytes.len() <= MEMORY_BYTES {
            self.memory.extend_from_slice(bytes);
            return Ok(extent);
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile().map_err(Error::internal)?),
        };
        file.write_all(bytes).map_err(Error::internal)?;
        Ok(extent)
    }

    /// Calls `each` with what was kept, piece by piece; pieces have a multiple of 16 bytes but the last one.
    ///
    /// # Errors
    /// Those of `each`; `Internal` when the file cannot be read.
    pub(crate) fn read(&self, extent: Extent, each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let in_memory = self.memory.len() as u64;
        if extent.at + extent.len <= in_memory {
            let (start, end) = (extent.at as usize, (extent.at + extent.len) as usize);
            return self.memory.get(start..end).unwrap_or_default().chunks(PIECE_BYTES).try_for_each(each);
        }
        let Some(file) = &self.file else { return Err(Error::internal("nothing was kept there")) };
        let (mut at, mut left) = (extent.at - in_memory, extent.len);
        let mut piece = vec![0; PIECE_BYTES.min(usize::try_from(left).unwrap_or(PIECE_BYTES))];
        while left > 0 {
            let now = left.min(piece.len() as u64);
            let part = piece.get_mut(..now as usize).unwrap_or_default();
            file.read_exact_at(part, at).map_err(Error::internal)?;
            each(part)?;
            (at, left) = (at + now, left - now);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back_from_memory_and_from_the_file() {
        let mut store = Store::default();
        let part: Vec<u8> = (0..5_000_000_u32).map(|n| n as u8).collect();
        let kept: Vec<Extent> = (0..5).map(|_| store.keep(&part).unwrap()).collect();
        assert!(store.file.is_some() && store.memory.len() <= MEMORY_BYTES);
        for extent in kept {
            let mut back = vec![];
            store
                .read(extent, &mut |piece| {
                    back.extend_from_slice(piece);
                    Ok(())
                })
                .unwrap();
            assert!(back == part);
        }
    }
}

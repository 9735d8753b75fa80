//! The index of a shard.

use tiled_plugin_api::author::{Error, Result};

use crate::{
    codec::{Body, Shards},
    parts::Part,
    stored::{Bytes, Encoded, Window},
};

/// Where the inner chunks of a shard are.
pub struct Index {
    entries: Vec<u8>,
    big: bool,
    grid: Vec<u64>,
}

impl Index {
    /// Reads the index of a shard of `shape`.
    ///
    /// # Errors
    /// `InvalidData` when the shard is too short or its index damaged.
    pub fn read(bytes: &dyn Bytes, shards: &Shards, shape: &[u64]) -> Result<Self> {
        let grid: Option<Vec<u64>> = shape
            .iter()
            .zip(&shards.chunk_shape)
            .map(|(n, c)| n.checked_rem(*c).filter(|r| *r == 0).map(|_| n / c))
            .collect();
        let grid = grid.ok_or_else(|| Error::invalid_data("the inner chunks do not divide the shards"))?;
        let len =
            grid.iter().try_fold(16u64, |all, n| all.checked_mul(*n)).and_then(|n| usize::try_from(n).ok());
        let stored =
            len.and_then(|len| shards.index.encoded_len(len)).map(|n| n as u64).filter(|n| *n <= 1 << 30);
        let total = bytes.len()?;
        let fits = stored.zip(len).and_then(|(stored, len)| Some((stored, len, total.checked_sub(stored)?)));
        let (stored, len, end) =
            fits.ok_or_else(|| Error::invalid_data("the shard is too short for its index"))?;
        let window = Window { of: bytes, at: if shards.index_at_end { end } else { 0 }, len: stored };
        let mut entries = vec![0; len];
        let encoded = Encoded::load(&window, stored as usize)?;
        let decoded = shards.index.decode_into(&encoded, &mut entries);
        decoded.map_err(|e| Error::invalid_data(format!("the index of the shard: {e}")))?;
        Ok(Index { entries, big: matches!(shards.index.body, Body::Raw { big: true }), grid })
    }

    /// The bytes of an inner chunk; `None` where it is missing.
    ///
    /// # Errors
    /// `InvalidData` when they are not in the shard.
    pub fn of<'a>(&self, parts: &[&Part], bytes: &'a dyn Bytes) -> Result<Option<impl Bytes + use<'a>>> {
        let number = parts.iter().zip(&self.grid).fold(0u64, |all, (part, n)| all * n + part.chunk);
        let entry =
            usize::try_from(number).ok().and_then(|number| self.entries.as_chunks::<16>().0.get(number));
        let entry = entry.ok_or_else(|| Error::internal("an inner chunk that is not in the index"))?;
        let word = |word: [u8; 8]| if self.big { u64::from_be_bytes(word) } else { u64::from_le_bytes(word) };
        let &[a, b, c, d, e, f, g, h, ref len @ ..] = entry;
        let (at, len) = (word([a, b, c, d, e, f, g, h]), word(*len));
        if at == u64::MAX && len == u64::MAX {
            return Ok(None);
        }
        let total = bytes.len()?;
        if at.checked_add(len).is_none_or(|end| end > total) {
            return Err(Error::invalid_data("the index of the shard leads beyond its end"));
        }
        Ok(Some(Window { of: bytes, at, len }))
    }
}

//! A look at a collection of the global heap before libhdf5 reads it: it goes on for ever, holding its lock, where a
//! forged one has a free object of no bytes.

use super::FileBytes;

/// Headers of a collection and of its objects, padding included, for every width of a length.
const HEAD: usize = 16;

/// Whether libhdf5 comes to an end with the collection at `address`.
pub(super) fn ends(file: &dyn FileBytes, address: u64) -> bool {
    looked_at(file, address).unwrap_or(false)
}

/// `None`: it lies outside of the file.
fn looked_at(file: &dyn FileBytes, address: u64) -> Option<bool> {
    let mut signature = [0; 4];
    if file.read_exact_at(address, &mut signature).is_err() || signature != *b"GCOL" {
        // The rest of one, or none at all: libhdf5 says so itself.
        return Some(true);
    }
    let mut head = [0; HEAD];
    file.read_exact_at(address, &mut head).ok()?;
    let wide = length_size(file)?;
    let size = number(head.get(8..)?.get(..wide)?);
    if size > file.len().ok()?.checked_sub(address)? {
        return None;
    }
    let mut bytes = vec![0; usize::try_from(size).ok()?];
    file.read_exact_at(address, &mut bytes).ok()?;
    let mut at = HEAD;
    while let Some(object) = bytes.get(at..).and_then(|rest| rest.get(..HEAD)) {
        let length = usize::try_from(number(object.get(8..)?.get(..wide)?)).ok()?;
        let free = object.starts_with(&[0, 0]);
        if free && length == 0 {
            return Some(false);
        }
        let need = if free { length } else { length.checked_next_multiple_of(8)?.checked_add(HEAD)? };
        at = at.checked_add(need)?;
    }
    Some(true)
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |all, byte| (all << 8) | u64::from(*byte))
}

/// Bytes of a length, from the superblock.
fn length_size(file: &dyn FileBytes) -> Option<usize> {
    let len = file.len().ok()?;
    let starts = std::iter::once(0).chain((9..63).map(|bit| 1_u64 << bit));
    let mut head = [0; HEAD];
    for at in starts.take_while(|at| *at < len) {
        if file.read_exact_at(at, &mut head).is_ok() && head.starts_with(b"\x89HDF\r\n\x1a\n") {
            let place = if head[8] < 2 { 14 } else { 10 };
            return Some(usize::from(head[place])).filter(|wide| matches!(wide, 2 | 4 | 8));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use tiled_plugin_api::prelude::{Error, Result};

    use super::*;

    struct Memory(Vec<u8>);

    impl FileBytes for Memory {
        fn len(&self) -> Result<u64> {
            Ok(self.0.len() as u64)
        }

        fn read_exact_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
            let from = offset as usize;
            let part = self.0.get(from..from + out.len()).ok_or_else(|| Error::invalid_data("short"))?;
            out.copy_from_slice(part);
            Ok(())
        }
    }

    /// A collection of 64 bytes behind a superblock: one object of 3 bytes, and 24 free bytes.
    fn file() -> Vec<u8> {
        let mut file = b"\x89HDF\r\n\x1a\n\x02\x08\x08\x00\x00\x00\x00\x00".to_vec();
        file.extend(b"GCOL\x01\0\0\0\x40\0\0\0\0\0\0\0");
        file.extend(b"\x01\0\x01\0\0\0\0\0\x03\0\0\0\0\0\0\0abc\0\0\0\0\0");
        file.extend(b"\0\0\0\0\0\0\0\0\x18\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        file
    }

    #[test]
    fn a_sound_collection_ends() {
        assert!(ends(&Memory(file()), 16));
    }

    #[test]
    fn a_free_object_without_bytes_never_ends() {
        let mut forged = file();
        forged[64] = 0;
        assert!(!ends(&Memory(forged), 16));
    }

    #[test]
    fn a_collection_beyond_the_end_is_refused() {
        let mut forged = file();
        forged.truncate(70);
        assert!(!ends(&Memory(forged), 16));
    }
}

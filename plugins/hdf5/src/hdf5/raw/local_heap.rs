//! A guard against forged local heaps: libhdf5 follows a heap's list of free places without an end, and takes memory
//! for every step. A list in a circle would take all memory there is.

use tiled_plugin_api::prelude::Result;

use super::FileBytes;

/// Whether metadata that libhdf5 is about to get may be followed. `address_bytes`, `length_bytes`: the widths of this
/// file's numbers; `base`: where its address 0 is.
pub(super) fn is_sound(bytes: &dyn FileBytes, read: &[u8], widths: (usize, usize), base: u64) -> bool {
    if !read.starts_with(b"HEAP\0") {
        return true;
    }
    // Signature, version, 3 unused; size, first free place, address of the places.
    let (address_bytes, length_bytes) = widths;
    let number = |from: usize, wide: usize| read.get(from..from + wide).map(little);
    let (Some(size), Some(first), Some(address)) = (
        number(8, length_bytes),
        number(8 + length_bytes, length_bytes),
        number(8 + 2 * length_bytes, address_bytes),
    ) else {
        return true;
    };
    ends(bytes, base.saturating_add(address), (size, first), length_bytes).unwrap_or(false)
}

fn little(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |all, b| all << 8 | u64::from(*b))
}

/// Whether the list comes to its end (1) within as many steps as there can be free places.
fn ends(bytes: &dyn FileBytes, start: u64, (size, first): (u64, u64), wide: usize) -> Result<bool> {
    let end = start.saturating_add(size);
    if end > bytes.len()? {
        return Ok(false);
    }
    let mut at = first;
    let mut next = vec![0; wide];
    for _ in 0..=size / (2 * wide as u64).max(1) {
        if at == 1 || at >= size {
            // The end, or what libhdf5 refuses by itself.
            return Ok(true);
        }
        if start + at + wide as u64 > end {
            return Ok(true);
        }
        bytes.read_exact_at(start + at, &mut next)?;
        at = little(&next);
    }
    Ok(false)
}

/// The widths of addresses and lengths that a superblock announces; 8 where there is none.
pub(super) fn widths(bytes: &dyn FileBytes) -> (usize, usize) {
    let len = bytes.len().unwrap_or(0);
    let starts = std::iter::once(0).chain((9..63).map(|bit| 1_u64 << bit)).take_while(|at| *at < len);
    let mut head = [0; 16];
    for at in starts {
        if bytes.read_exact_at(at, &mut head).is_err() || !head.starts_with(b"\x89HDF\r\n\x1a\n") {
            continue;
        }
        let place = if head[8] < 2 { 13 } else { 9 };
        return (usize::from(head[place]).clamp(1, 8), usize::from(head[place + 1]).clamp(1, 8));
    }
    (8, 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Memory(Vec<u8>);

    impl FileBytes for Memory {
        fn len(&self) -> Result<u64> {
            Ok(self.0.len() as u64)
        }

        fn read_exact_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
            out.copy_from_slice(&self.0[offset as usize..][..out.len()]);
            Ok(())
        }
    }

    #[test]
    fn a_list_of_free_places_in_a_circle_is_refused() {
        let heap = |second: u64| {
            let mut bytes = b"HEAP\0\0\0\0".to_vec();
            // 64 bytes behind this head; free places at 16 and 32.
            let words = [64_u64, 16, 32, 0, 0, 32, 16, second, 16, 0, 0];
            words.iter().for_each(|word| bytes.extend(word.to_le_bytes()));
            bytes.resize(96, 0);
            is_sound(&Memory(bytes.clone()), &bytes, (8, 8), 0)
        };
        assert!(heap(1));
        assert!(!heap(16));
    }
}

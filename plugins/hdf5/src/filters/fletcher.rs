//! HDF5's fletcher32: a checksum behind the data.

use tiled_plugin_api::author::{Error, Result};

/// The data without its checksum.
///
/// # Errors
/// `InvalidData` when there is none or it differs.
pub fn verify(input: &[u8]) -> Result<&[u8]> {
    let damaged = |why: &str| Error::invalid_data(format!("filter 3 (fletcher32): {why}"));
    let (data, stored) = input.split_last_chunk::<4>().ok_or_else(|| damaged("the checksum is missing"))?;
    let sum = checksum(data);
    // HDF5 before 1.6.3 swapped the bytes of each half on big-endian machines; libhdf5 accepts both, so do we.
    let [a, b, c, d] = *stored;
    if sum == u32::from_le_bytes([a, b, c, d]) || sum == u32::from_le_bytes([b, a, d, c]) {
        return Ok(data);
    }
    Err(damaged("the checksum differs: the chunk is damaged"))
}

/// Sums of big-endian 16-bit words; an odd last byte counts as the high half of a word.
fn checksum(data: &[u8]) -> u32 {
    let fold = |sum: u32| (sum & 0xffff) + (sum >> 16);
    let (mut one, mut two) = (0u32, 0u32);
    // 360 words: the most that cannot overflow 32 bits.
    for block in data.chunks(720) {
        for word in block.chunks(2) {
            let high = word.first().copied().unwrap_or(0);
            let low = word.get(1).copied().unwrap_or(0);
            one += u32::from(u16::from_be_bytes([high, low]));
            two += one;
        }
        one = fold(one);
        two = fold(two);
    }
    (fold(two) << 16) | fold(one)
}

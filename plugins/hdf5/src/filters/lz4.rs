//! LZ4 blocks, and the HDF5 filter 32004 that strings them together.
#![allow(unsafe_code)]

use std::ffi::c_int;

use tiled_plugin_api::author::{Error, Result};

use super::{be_u32, be_u64, head, too_long, truncated};

/// Decodes one LZ4 block and says how many bytes it gave.
///
/// # Errors
/// `InvalidData` when it is damaged or does not fit into `out`.
pub fn block(input: &[u8], out: &mut [u8]) -> Result<usize> {
    let damaged = || Error::invalid_data("an LZ4 block is damaged or too long");
    let from = c_int::try_from(input.len()).map_err(|_| damaged())?;
    // A block cannot give more than the int that counts it: a larger buffer is only filled in part.
    let room = c_int::try_from(out.len()).unwrap_or(c_int::MAX);
    // SAFETY: LZ4_decompress_safe reads at most `from` bytes and writes at most `room`, whatever the input says.
    let got =
        unsafe { lz4_sys::LZ4_decompress_safe(input.as_ptr().cast(), out.as_mut_ptr().cast(), from, room) };
    usize::try_from(got).map_err(|_| damaged())
}

/// Bytes that the header of the filter announces.
pub fn content_size(input: &[u8]) -> Option<u64> {
    be_u64(input, 0).ok()
}

/// Decodes filter 32004: u64 bytes in all, u32 bytes of a block, then u32 length and LZ4 block each, big endian. A
/// block whose length is that of its content is stored as it is.
///
/// # Errors
/// `InvalidData`.
pub fn decode(input: &[u8], out: &mut [u8]) -> Result<usize> {
    let room = out.len();
    let total = usize::try_from(be_u64(input, 0)?).map_err(|_| too_long(room))?;
    let block_bytes = be_u32(input, 8)? as usize;
    let out = head(out, total)?;
    if block_bytes == 0 && total > 0 {
        return Err(Error::invalid_data("the block size is 0"));
    }
    let mut at = 12usize;
    for part in out.chunks_mut(block_bytes.max(1)) {
        let length = be_u32(input, at)? as usize;
        let encoded =
            at.checked_add(4).and_then(|at| input.get(at..)?.get(..length)).ok_or_else(truncated)?;
        at += 4 + length;
        if length == part.len() {
            part.copy_from_slice(encoded);
        } else if block(encoded, part)? != part.len() {
            return Err(Error::invalid_data("an LZ4 block is too short"));
        }
    }
    Ok(total)
}

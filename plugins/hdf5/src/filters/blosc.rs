//! Blosc 1 (filter 32001): blosclz, lz4, zlib, zstd, with its own shuffles, through c-blosc.
#![allow(unsafe_code)]

use blosc_src::{blosc_cbuffer_validate, blosc_decompress_ctx};
use tiled_plugin_api::author::{Error, Result};

use super::{too_long, truncated};

fn le_u32(bytes: &[u8], at: usize) -> Result<usize> {
    let word = bytes.get(at..).and_then(|bytes| bytes.first_chunk::<4>()).ok_or_else(truncated)?;
    Ok(u32::from_le_bytes(*word) as usize)
}

/// Bytes that the header announces.
pub fn content_size(input: &[u8]) -> Option<u64> {
    le_u32(input, 4).ok().map(|size| size as u64)
}

/// Decodes one Blosc buffer and says how many bytes it gave.
///
/// # Errors
/// `InvalidData` when it is damaged, truncated, or does not fit into `out`.
pub fn decode(input: &[u8], out: &mut [u8]) -> Result<usize> {
    // The header has the sizes of content and buffer; what lies behind the buffer is padding.
    let (total, encoded) = (le_u32(input, 4)?, le_u32(input, 12)?);
    let input = input.get(..encoded).ok_or_else(truncated)?;
    if total > out.len() {
        return Err(too_long(out.len()));
    }
    let mut checked = 0usize;
    // SAFETY: reads the header of `input.len()` bytes only and writes one size.
    let valid = unsafe { blosc_cbuffer_validate(input.as_ptr().cast(), input.len(), &raw mut checked) };
    if valid != 0 || checked != total {
        return Err(Error::invalid_data("the Blosc header is damaged"));
    }
    // SAFETY: the buffer has as many bytes as its header says (just validated); c-blosc keeps within them and writes at
    // most `out.len()` bytes. The `_ctx` form touches no global state; 1 thread: we own the threads.
    let got = unsafe { blosc_decompress_ctx(input.as_ptr().cast(), out.as_mut_ptr().cast(), out.len(), 1) };
    usize::try_from(got)
        .ok()
        .filter(|got| *got == total)
        .ok_or_else(|| Error::invalid_data("the Blosc buffer is damaged, or its codec is not built in"))
}

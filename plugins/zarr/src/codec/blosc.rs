//! Blosc 1 frames, through C-Blosc. The only `unsafe` code of this plugin.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_void};

use super::Outcome;

/// How a frame is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The compressor inside.
    pub name: &'static CStr,
    /// 0 to 9.
    pub level: i32,
    /// 0 none, 1 bytes, 2 bits.
    pub shuffle: i32,
    /// Bytes of an element.
    pub size: usize,
    /// Bytes of a block; 0 leaves it to C-Blosc.
    pub block: usize,
}

/// No frame holds more.
const MAX_BYTES: usize = i32::MAX as usize - blosc_src::BLOSC_MAX_OVERHEAD as usize;

/// Bytes that a frame of `len` bytes takes at most.
pub const fn bound(len: usize) -> usize {
    len.saturating_add(blosc_src::BLOSC_MAX_OVERHEAD as usize)
}

/// Encodes a frame on the calling thread, and says how long it is.
///
/// # Errors
/// When C-Blosc refuses: it takes less than 2 GiB.
pub fn encode_into(bytes: &[u8], settings: &Settings, out: &mut [u8]) -> Outcome<usize> {
    if bytes.len() > MAX_BYTES {
        return Err(format!("{} bytes are more than a Blosc frame holds", bytes.len()));
    }
    // SAFETY: pointers and lengths are those of two slices that do not overlap, and of a text that ends in NUL; C-Blosc
    // writes at most `out.len()` bytes. The `_ctx` function uses no global state.
    let got = unsafe {
        blosc_src::blosc_compress_ctx(
            settings.level.clamp(0, 9),
            settings.shuffle.clamp(0, 2),
            settings.size.max(1),
            bytes.len(),
            bytes.as_ptr().cast::<c_void>(),
            out.as_mut_ptr().cast::<c_void>(),
            out.len(),
            settings.name.as_ptr(),
            settings.block,
            1,
        )
    };
    match usize::try_from(got) {
        Ok(got) if got > 0 => Ok(got),
        _ => Err(format!("Blosc cannot encode it (code {got})")),
    }
}

/// Checks the header against the length of the frame and gives the length of its content.
///
/// # Errors
/// When it is no frame of this length.
pub fn content_len(frame: &[u8]) -> Outcome<usize> {
    // C-Blosc reads the 16 bytes of the header without a look at the length.
    if frame.len() < blosc_src::BLOSC_MIN_HEADER_LENGTH as usize {
        return Err(format!("{} bytes are no Blosc frame", frame.len()));
    }
    let mut len = 0;
    // SAFETY: the pointer and the length are those of a slice that holds at least a header; `len` is written to.
    let code =
        unsafe { blosc_src::blosc_cbuffer_validate(frame.as_ptr().cast::<c_void>(), frame.len(), &mut len) };
    if code == 0 { Ok(len) } else { Err("the Blosc header does not fit the bytes".into()) }
}

/// Decodes a frame on the calling thread.
///
/// # Errors
/// When the frame is damaged or its content not exactly as long as `out`.
pub fn decode_into(frame: &[u8], out: &mut [u8]) -> Outcome<()> {
    let len = content_len(frame)?;
    if len != out.len() {
        return Err(format!("Blosc holds {len} bytes instead of {}", out.len()));
    }
    if len == 0 {
        return Ok(());
    }
    // SAFETY: the frame's length was checked against its header, so C-Blosc reads within it; it writes at most
    // `out.len()` bytes. The `_ctx` function uses no global state.
    let got = unsafe {
        blosc_src::blosc_decompress_ctx(
            frame.as_ptr().cast(),
            out.as_mut_ptr().cast::<c_void>(),
            out.len(),
            1,
        )
    };
    match usize::try_from(got) {
        Ok(got) if got == out.len() => Ok(()),
        _ => Err(format!("Blosc cannot decode it (code {got})")),
    }
}

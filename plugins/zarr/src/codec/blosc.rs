//! Blosc 1 frames, through C-Blosc. The only `unsafe` code of this plugin.
#![allow(unsafe_code)]

use std::ffi::c_void;

use super::Outcome;

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

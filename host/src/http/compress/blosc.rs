//! Frames of Blosc 1 through C-Blosc, which plugins link, too: C-Blosc2, which clients have, reads them as its own.
#![allow(unsafe_code)]

use std::ffi::c_void;

/// Values are shuffled as if they had so many bytes, Tiled's default: right for all of 1, 2, 4 and 8.
pub const VALUE_BYTES: usize = 8;
/// LZ4 keeps up with loopback where values are smooth, and its frames are what readers decode fastest.
const COMPRESSOR: &std::ffi::CStr = c"lz4";
const LEVEL: i32 = 5;

/// A frame of values of so many bytes each; 1 for no shuffle. None where C-Blosc refuses: it takes less than 2 GiB.
pub fn frame(bytes: &[u8], value_bytes: usize) -> Option<Vec<u8>> {
    let overhead = blosc_src::BLOSC_MAX_OVERHEAD as usize;
    if bytes.len() > i32::MAX as usize - overhead {
        return None;
    }
    let mut out = vec![0_u8; bytes.len() + overhead];
    // SAFETY: pointers and lengths are those of two buffers that do not overlap, and of a text that ends in NUL; C-Blosc
    // writes at most `out.len()` bytes. The `_ctx` function uses no global state, and one thread is the calling one.
    let length = unsafe {
        blosc_src::blosc_compress_ctx(
            LEVEL,
            i32::from(value_bytes > 1),
            value_bytes,
            bytes.len(),
            bytes.as_ptr().cast::<c_void>(),
            out.as_mut_ptr().cast::<c_void>(),
            out.len(),
            COMPRESSOR.as_ptr(),
            0,
            1,
        )
    };
    out.truncate(usize::try_from(length).ok().filter(|length| *length > 0)?);
    out.shrink_to_fit();
    Some(out)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// What frames hold, one behind the other.
    pub fn contents(mut frames: &[u8]) -> Vec<u8> {
        let number =
            |at: usize, frames: &[u8]| u32::from_le_bytes(frames[at..at + 4].try_into().unwrap()) as usize;
        let mut all = Vec::new();
        while !frames.is_empty() {
            let (frame, rest) = frames.split_at(number(12, frames));
            let mut content = vec![0_u8; number(4, frame)];
            // SAFETY: the frame is whole, and the buffer as long as its header says.
            let got = unsafe {
                blosc_src::blosc_decompress_ctx(
                    frame.as_ptr().cast(),
                    content.as_mut_ptr().cast::<c_void>(),
                    content.len(),
                    1,
                )
            };
            assert_eq!(usize::try_from(got), Ok(content.len()));
            all.extend(content);
            frames = rest;
        }
        all
    }

    #[test]
    fn frames_hold_what_went_in() {
        let values: Vec<u8> = (0..100_000_u32).flat_map(|value| (value / 7).to_le_bytes()).collect();
        let small = frame(&values, VALUE_BYTES).unwrap();
        assert!(small.len() < values.len() / 10, "{}", small.len());
        assert_eq!(contents(&small), values);
        let odd = &values[..12_345];
        assert_eq!(contents(&frame(odd, 1).unwrap()), odd);
        let one = frame(&[7], VALUE_BYTES).unwrap();
        assert_eq!(contents(&one), [7]);
    }
}

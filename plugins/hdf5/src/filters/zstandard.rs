//! Zstandard (filter 32015, and inside bitshuffle).

use std::cell::Cell;

use tiled_plugin_api::author::{Error, Result};
use zstd::bulk::Decompressor;

thread_local! {
    static DECODER: Cell<Option<Decompressor<'static>>> = const { Cell::new(None) };
}

/// Decodes zstd frames and says how many bytes they gave.
///
/// # Errors
/// `InvalidData` when they are damaged or do not fit into `out`.
pub fn decode(input: &[u8], out: &mut [u8]) -> Result<usize> {
    let mut decoder = match DECODER.take() {
        Some(decoder) => decoder,
        None => Decompressor::new().map_err(Error::internal)?,
    };
    let result = decoder.decompress_to_buffer(input, out);
    DECODER.set(Some(decoder));
    result.map_err(|error| Error::invalid_data(format!("the zstd frame is damaged or too long: {error}")))
}

/// What the first frame's header says its content has; `None` where it does not say.
pub fn content_size(input: &[u8]) -> Option<u64> {
    zstd::zstd_safe::get_frame_content_size(input).ok().flatten()
}

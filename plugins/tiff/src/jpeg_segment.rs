//! JPEG strips and tiles.

use tiled_plugin_api::prelude::Result;

use crate::{file::File, page::Page};

/// What all JPEG segments of a page have in common.
pub struct JpegSegments;

impl JpegSegments {
    /// Reads the shared tables.
    ///
    /// # Errors
    /// `UnsupportedFormat`.
    pub fn new(file: &File, _page: &Page) -> Result<Self> {
        Err(file.unknown("JPEG is not supported"))
    }

    /// Samples of one segment.
    ///
    /// # Errors
    /// `InvalidData`.
    pub fn decode(&self, _raw: Vec<u8>, _shape: [u64; 4], _valid: [u64; 5]) -> Result<Vec<u8>> {
        Ok(vec![])
    }
}

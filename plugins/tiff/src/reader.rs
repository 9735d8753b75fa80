//! Opens TIFF files and sequences of them.

use tiled_plugin_api::prelude::{Adapter, Context, OpenRequest, Reader, Result, Source};

use crate::adapter::TiffAdapter;

/// The mimetype of numbered files that are opened together.
pub const SEQUENCE: &str = "multipart/related;type=image/tiff";

/// Opens TIFF files.
#[derive(Default)]
pub struct TiffReader;

impl Reader for TiffReader {
    fn sniff(&self, _source: &Source, head: &[u8]) -> u32 {
        match head.get(..4) {
            Some(b"II*\0" | b"MM\0*" | b"II+\0" | b"MM\0+") => 90,
            _ => 0,
        }
    }

    fn open(&self, _cx: &Context, request: OpenRequest) -> Result<Box<dyn Adapter>> {
        let is_sequence = request.mimetype.replace(' ', "") == SEQUENCE || request.assets.len() > 1;
        Ok(Box::new(TiffAdapter::open(&request, is_sequence)?))
    }
}

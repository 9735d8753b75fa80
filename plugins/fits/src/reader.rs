//! Recognises and opens FITS files.

use tiled_plugin_api::prelude::{Adapter, Context, OpenRequest, Reader, Result, Source};

use crate::adapter::FitsAdapter;

/// Opens FITS files.
#[derive(Debug, Clone, Copy, Default)]
pub struct FitsReader;

impl Reader for FitsReader {
    fn sniff(&self, _source: &Source, head: &[u8]) -> u32 {
        if head.starts_with(b"SIMPLE  =") { 95 } else { 0 }
    }

    fn open(&self, cx: &Context, request: OpenRequest) -> Result<Box<dyn Adapter>> {
        let name = request.source().name();
        Ok(Box::new(FitsAdapter::open(cx, &request).map_err(|e| e.within(name))?))
    }
}

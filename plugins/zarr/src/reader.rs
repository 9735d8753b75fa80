//! Recognises and opens stores.

use tiled_plugin_api::author::{Adapter, Context, OpenRequest, Reader, Result, Source};

use crate::{adapter::ZarrAdapter, tree::MARKERS};

/// Opens directories that hold a Zarr array or group.
#[derive(Debug, Clone, Copy, Default)]
pub struct ZarrReader;

impl Reader for ZarrReader {
    fn sniff(&self, source: &Source, _head: &[u8]) -> u32 {
        let is_store =
            || MARKERS.into_iter().any(|marker| source.child(marker).is_ok_and(|file| !file.is_directory()));
        if source.is_directory() && is_store() { 100 } else { 0 }
    }

    fn open(&self, _cx: &Context, request: OpenRequest) -> Result<Box<dyn Adapter>> {
        Ok(Box::new(ZarrAdapter::open(&request)?))
    }
}

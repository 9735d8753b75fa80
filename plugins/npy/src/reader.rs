//! Recognises and opens `.npy` files and `.npz` archives.

use tiled_plugin_api::author::{Adapter, Context, OpenRequest, Reader, Result, Source};

use crate::{adapter::NpyAdapter, archive::NpzAdapter, header::MAGIC};

/// Opens `.npy` files, one or many.
#[derive(Debug, Clone, Copy, Default)]
pub struct NpyReader;

impl Reader for NpyReader {
    fn sniff(&self, _source: &Source, head: &[u8]) -> u32 {
        if head.starts_with(MAGIC) { 100 } else { 0 }
    }

    fn open(&self, _cx: &Context, request: OpenRequest) -> Result<Box<dyn Adapter>> {
        let is_stack = request.mimetype.starts_with("multipart/related");
        Ok(Box::new(NpyAdapter::open(&request, is_stack)?))
    }
}

/// Opens `.npz` archives.
#[derive(Debug, Clone, Copy, Default)]
pub struct NpzReader;

impl Reader for NpzReader {
    fn sniff(&self, _source: &Source, head: &[u8]) -> u32 {
        // A zip file whose first member is named *.npy.
        let (Some(b"PK\x03\x04"), Some(&[a, b])) =
            (head.first_chunk(), head.get(26..28).and_then(|n| n.first_chunk()))
        else {
            return 0;
        };
        let name = head.get(30..30 + usize::from(u16::from_le_bytes([a, b])));
        if name.is_some_and(|name| name.ends_with(b".npy")) { 90 } else { 0 }
    }

    fn open(&self, _cx: &Context, request: OpenRequest) -> Result<Box<dyn Adapter>> {
        Ok(Box::new(NpzAdapter::open(&request)?))
    }
}

//! Opens pictures and sequences of them.

use tiled_plugin_api::prelude::{Adapter, Context, OpenRequest, Reader, Result, Source};

use crate::{adapter::ImageAdapter, picture::Format};

/// Opens pictures of one format; the content decides, so that a wrong suffix does no harm.
pub struct ImageReader(pub Format);

impl Reader for ImageReader {
    fn sniff(&self, _source: &Source, head: &[u8]) -> u32 {
        match Format::of(head) {
            // Two letters are little to go by.
            Some(Format::Bmp) if self.0 == Format::Bmp => 30,
            Some(Format::Ico | Format::Pnm) if Format::of(head) == Some(self.0) => 50,
            Some(format) if format == self.0 => 90,
            _ => 0,
        }
    }

    fn open(&self, _cx: &Context, request: OpenRequest) -> Result<Box<dyn Adapter>> {
        let is_sequence = request.mimetype.starts_with("multipart/related") || request.assets.len() > 1;
        Ok(Box::new(ImageAdapter::open(&request, self.0, is_sequence)?))
    }
}

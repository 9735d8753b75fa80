//! JPEG strips and tiles: shared tables, and which colours tifffile asks libjpeg for.

use tiled_plugin_api::prelude::Result;

use crate::{
    codec,
    file::File,
    jpeg::{self, Colors, JpegError},
    page::Page,
};

/// What all JPEG segments of a page have in common.
pub struct JpegSegments {
    tables: Option<Vec<u8>>,
    colors: Colors,
    name: String,
    samples: usize,
}

impl JpegSegments {
    /// Reads the shared tables.
    ///
    /// # Errors
    /// `InvalidData` when the file is cut.
    pub fn new(file: &File, page: &Page) -> Result<Self> {
        let is_rgb = page.layout.photometric == 2 && page.layout.extra_samples.is_empty();
        // RGB without a JFIF header is stored as RGB, as Aperio does; with one it is YCbCr in truth.
        let colors =
            if page.planar || (is_rgb && !is_jfif(file, page)) { Colors::Keep } else { Colors::Convert };
        let samples = usize::try_from(page.layout.shaped[4]).unwrap_or(usize::MAX);
        let tables = codec::tag_bytes(file, page, 347);
        Ok(JpegSegments { tables, colors, name: file.source.name(), samples })
    }

    /// Samples of one segment.
    ///
    /// # Errors
    /// `InvalidData`, `UnsupportedFormat`.
    pub fn decode(&self, raw: &[u8]) -> Result<Vec<u8>> {
        let picture =
            jpeg::decode(raw, self.tables.as_deref(), self.colors).map_err(|error| match error {
                JpegError::Damaged(what) => codec::damaged(&self.name, format_args!("damaged JPEG: {what}")),
                JpegError::Unsupported(what) => codec::unknown(&self.name, what),
            })?;
        if picture.components != self.samples {
            let (got, wanted) = (picture.components, self.samples);
            return Err(codec::damaged(
                &self.name,
                format_args!("JPEG of {got} instead of {wanted} samples"),
            ));
        }
        Ok(picture.samples)
    }
}

fn is_jfif(file: &File, page: &Page) -> bool {
    let place =
        page.offsets.first().zip(page.counts.first()).filter(|(offset, count)| **offset > 0 && **count >= 11);
    place.and_then(|(offset, _)| file.bytes(offset.checked_add(6)?, 4).ok()).as_deref() == Some(b"JFIF")
}

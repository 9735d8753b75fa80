//! WebP: RGB or RGBA, the first frame of animations.

use std::io::Cursor;

use image_webp::WebPDecoder;
use tiled_plugin_api::prelude::{Error, Result};

use crate::picture::{Form, Picture, Sample, damaged};

/// Shape and type.
///
/// # Errors
/// `InvalidData`.
pub fn form(bytes: &[u8]) -> Result<Form> {
    let decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(|error| damaged("WebP", error))?;
    let ((width, height), samples) = (decoder.dimensions(), if decoder.has_alpha() { 4 } else { 3 });
    Ok(Form { height: height.into(), width: width.into(), samples, sample: Sample::U8 })
}

/// The picture.
///
/// # Errors
/// `InvalidData`.
pub fn decode(bytes: &[u8]) -> Result<Picture> {
    let form = form(bytes)?.check()?;
    let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(|error| damaged("WebP", error))?;
    let mut out = vec![0; usize::try_from(form.nbytes()).map_err(Error::internal)?];
    if decoder.is_animated() {
        decoder.read_frame(&mut out).map_err(|error| damaged("WebP", error))?;
    } else {
        decoder.read_image(&mut out).map_err(|error| damaged("WebP", error))?;
    }
    Ok(Picture { form, bytes: out })
}

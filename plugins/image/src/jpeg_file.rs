//! JPEG files: grey, RGB or CMYK. Of CMYK with Adobe's marker the values are inverted, as Pillow does.

use tiled_plugin_api::prelude::{Error, Result};

use crate::{
    jpeg::{self, Colors, JpegError},
    picture::{Form, Picture, Sample},
};

fn error(error: JpegError) -> Error {
    match error {
        JpegError::Damaged(what) => Error::invalid_data(format!("damaged JPEG: {what}")),
        JpegError::Unsupported(what) => Error::unsupported_format(what),
    }
}

/// Shape and type.
///
/// # Errors
/// `InvalidData`, `UnsupportedFormat`.
pub fn form(bytes: &[u8]) -> Result<Form> {
    let header = jpeg::header(bytes).map_err(error)?;
    if !matches!(header.components, 1 | 3 | 4) {
        return Err(Error::unsupported_format(format!(
            "JPEG of {} components is not supported",
            header.components
        )));
    }
    let (height, width) = (header.height as u64, header.width as u64);
    Ok(Form { height, width, samples: header.components as u64, sample: Sample::U8 })
}

/// The picture.
///
/// # Errors
/// `InvalidData`, `UnsupportedFormat`.
pub fn decode(bytes: &[u8]) -> Result<Picture> {
    let form = form(bytes)?;
    let picture = jpeg::decode(bytes, None, Colors::Convert).map_err(error)?;
    if !picture.is_complete {
        return Err(Error::invalid_data("truncated JPEG: it has no end"));
    }
    let is_inverted = picture.components == 4 && jpeg::header(bytes).map_err(error)?.adobe;
    let mut samples = picture.samples;
    if is_inverted {
        samples.iter_mut().for_each(|value| *value = !*value);
    }
    Ok(Picture { form, bytes: samples })
}

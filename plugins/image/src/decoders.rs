//! The doors to the crate `image`: its limits and its errors, and the formats of which it gives what Pillow gives.

use std::io::Cursor;

use image::{
    ColorType, ImageDecoder, ImageError, Limits,
    codecs::{qoi::QoiDecoder, webp::WebPDecoder},
};
use tiled_plugin_api::prelude::{Error, ErrorKind, Result};

use crate::picture::{Form, Picture, Sample, damaged};

/// More bytes of pixels are refused.
const MAX_BYTES: u64 = 1 << 30;

/// The error of a decoder for a format.
pub fn refused(what: &str, error: ImageError) -> Error {
    match error {
        ImageError::Unsupported(error) => Error::unsupported_format(format!("{what}: {error}")),
        ImageError::Limits(error) => Error::new(ErrorKind::TooLarge, format!("{what}: {error}")),
        error => damaged(what, error),
    }
}

/// Shape and type of what a decoder gives in bytes.
///
/// # Errors
/// `UnsupportedFormat` for other samples.
pub fn form_of(what: &str, decoder: &impl ImageDecoder) -> Result<Form> {
    let samples = match decoder.color_type() {
        ColorType::L8 => 1,
        ColorType::La8 => 2,
        ColorType::Rgb8 => 3,
        ColorType::Rgba8 => 4,
        other => return Err(Error::unsupported_format(format!("{what} of {other:?} is not supported"))),
    };
    let (width, height) = decoder.dimensions();
    Ok(Form { height: height.into(), width: width.into(), samples, sample: Sample::U8 })
}

/// All pixels, within limits. `ratio` is how many bytes one byte of the `packed` ones can become at most.
///
/// # Errors
/// `InvalidData`, `UnsupportedFormat`, `TooLarge`.
pub fn pixels(what: &str, mut decoder: impl ImageDecoder, packed: usize, ratio: u64) -> Result<Vec<u8>> {
    let bytes = decoder.total_bytes();
    if bytes > (packed as u64).saturating_mul(ratio) {
        return Err(damaged(what, "the file is too short for its pixels"));
    }
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_BYTES);
    limits.reserve(bytes).map_err(|error| refused(what, error))?;
    decoder.set_limits(limits).map_err(|error| refused(what, error))?;
    let mut out = vec![0; usize::try_from(bytes).map_err(Error::internal)?];
    decoder.read_image(&mut out).map_err(|error| refused(what, error))?;
    Ok(out)
}

fn webp(bytes: &[u8]) -> Result<WebPDecoder<Cursor<&[u8]>>> {
    // Behind the first frame `image` does not look: but what is cut is damaged.
    let promised =
        bytes.get(4..).and_then(|rest| rest.first_chunk::<4>()).map(|size| u32::from_le_bytes(*size));
    if promised.is_none_or(|size| bytes.len() < (size as usize).saturating_add(8)) {
        return Err(damaged("WebP", "it is cut"));
    }
    WebPDecoder::new(Cursor::new(bytes)).map_err(|error| refused("WebP", error))
}

/// Shape and type of WebP.
///
/// # Errors
/// `InvalidData`.
pub fn webp_form(bytes: &[u8]) -> Result<Form> {
    form_of("WebP", &webp(bytes)?)
}

/// The picture, or the first of an animation.
///
/// # Errors
/// `InvalidData`.
pub fn webp_decode(bytes: &[u8]) -> Result<Picture> {
    let form = webp_form(bytes)?.check()?;
    // A picture of one colour takes next to no bytes.
    Ok(Picture { form, bytes: pixels("WebP", webp(bytes)?, bytes.len(), u64::MAX)? })
}

fn qoi(bytes: &[u8]) -> Result<QoiDecoder<&[u8]>> {
    QoiDecoder::new(bytes).map_err(|error| refused("QOI", error))
}

/// Shape and type of QOI.
///
/// # Errors
/// `InvalidData`.
pub fn qoi_form(bytes: &[u8]) -> Result<Form> {
    form_of("QOI", &qoi(bytes)?)
}

/// The picture of a QOI file.
///
/// # Errors
/// `InvalidData`.
pub fn qoi_decode(bytes: &[u8]) -> Result<Picture> {
    let form = qoi_form(bytes)?.check()?;
    // A run of 62 pixels takes a byte.
    Ok(Picture { form, bytes: pixels("QOI", qoi(bytes)?, bytes.len(), 62 * 4)? })
}

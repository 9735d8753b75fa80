//! GIF: the first frame on its canvas, as indices, which the crate `image` does not give.

use std::num::NonZeroU64;

use tiled_plugin_api::prelude::{Error, Result};

use crate::picture::{Form, Picture, Sample, damaged};

/// A frame of more bytes is refused.
const MAX_BYTES: NonZeroU64 = NonZeroU64::MIN.saturating_add((1 << 30) - 1);

fn decoder(bytes: &[u8]) -> Result<gif::Decoder<&[u8]>> {
    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::Indexed);
    options.set_memory_limit(gif::MemoryLimit::Bytes(MAX_BYTES));
    options.read_info(bytes).map_err(|error| damaged("GIF", error))
}

/// Shape and type.
///
/// # Errors
/// `InvalidData`.
pub fn form(bytes: &[u8]) -> Result<Form> {
    let mut decoder = decoder(bytes)?;
    let canvas = (u64::from(decoder.width()), u64::from(decoder.height()));
    let frame = decoder.next_frame_info().map_err(|error| damaged("GIF", error))?;
    let frame = frame.ok_or_else(|| Error::invalid_data("damaged GIF: there is no frame in it"))?;
    // A frame may be larger than its canvas: then the canvas grows.
    let width = canvas.0.max(u64::from(frame.left) + u64::from(frame.width));
    let height = canvas.1.max(u64::from(frame.top) + u64::from(frame.height));
    Ok(Form { height, width, samples: 1, sample: Sample::U8 })
}

/// The picture.
///
/// # Errors
/// `InvalidData`.
pub fn decode(bytes: &[u8]) -> Result<Picture> {
    let form = form(bytes)?.check()?;
    let mut decoder = decoder(bytes)?;
    let frame = decoder.read_next_frame().map_err(|error| damaged("GIF", error))?;
    let frame = frame.ok_or_else(|| Error::invalid_data("damaged GIF: there is no frame in it"))?;
    let width = usize::try_from(form.width).map_err(Error::internal)?;
    let mut out =
        vec![frame.transparent.unwrap_or(0); usize::try_from(form.nbytes()).map_err(Error::internal)?];
    let (top, left, columns) = (usize::from(frame.top), usize::from(frame.left), usize::from(frame.width));
    let rows = out.chunks_exact_mut(width.max(1)).skip(top);
    for (row, values) in rows.zip(frame.buffer.chunks_exact(columns.max(1))) {
        if let Some(place) = row.get_mut(left..left + values.len()) {
            place.copy_from_slice(values);
        }
    }
    Ok(Picture { form, bytes: out })
}

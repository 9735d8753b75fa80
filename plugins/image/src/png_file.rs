//! PNG as Pillow reads it: grey of less than 8 bits is spread to 8, one bit becomes bool, 16 bits of colour lose the
//! lower 8, palettes stay indices, tRNS is left out.

use std::{borrow::Cow, io::Cursor};

use png::{BitDepth, ColorType, Decoder, Limits, Reader, Transformations};
use tiled_plugin_api::prelude::{Error, Result};

use crate::picture::{Form, Picture, Sample, damaged, unpack};

/// Deflate makes at most so many bytes of one.
const MAX_RATIO: u64 = 1100;

/// The file without the chunks of an animation: what Pillow shows first does not need them.
fn still(bytes: &[u8]) -> Cow<'_, [u8]> {
    const SIGNATURE_BYTES: usize = 8;
    let (mut kept, mut at) = (bytes.get(..SIGNATURE_BYTES).unwrap_or_default().to_vec(), SIGNATURE_BYTES);
    let mut is_animated = false;
    while let Some((length, kind)) = bytes.get(at..at + 8).and_then(|head| head.split_first_chunk::<4>()) {
        let end = at.saturating_add(u32::from_be_bytes(*length) as usize).saturating_add(12).min(bytes.len());
        if matches!(kind, b"acTL" | b"fcTL" | b"fdAT") {
            is_animated = true;
        } else {
            kept.extend_from_slice(bytes.get(at..end).unwrap_or_default());
        }
        at = end;
    }
    if is_animated { Cow::Owned(kept) } else { Cow::Borrowed(bytes) }
}

fn reader(bytes: &[u8]) -> Result<Reader<Cursor<&[u8]>>> {
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: 1 << 32 });
    decoder.set_transformations(Transformations::IDENTITY);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.read_info().map_err(|error| damaged("PNG", error))
}

/// Shape and type.
///
/// # Errors
/// `InvalidData`.
pub fn form(bytes: &[u8]) -> Result<Form> {
    form_of(&reader(&still(bytes))?)
}

fn form_of(reader: &Reader<Cursor<&[u8]>>) -> Result<Form> {
    let info = reader.info();
    let (samples, sample) = match (info.color_type, info.bit_depth) {
        (ColorType::Grayscale, BitDepth::One) => (1, Sample::Bool),
        (ColorType::Grayscale, BitDepth::Sixteen) => (1, Sample::U16),
        (ColorType::Grayscale | ColorType::Indexed, _) => (1, Sample::U8),
        // As Pillow: it has no mode for grey and alpha of 16 bits.
        (ColorType::GrayscaleAlpha, BitDepth::Sixteen) => (4, Sample::U8),
        (ColorType::GrayscaleAlpha, _) => (2, Sample::U8),
        (ColorType::Rgb, _) => (3, Sample::U8),
        (ColorType::Rgba, _) => (4, Sample::U8),
    };
    Ok(Form { height: info.height.into(), width: info.width.into(), samples, sample })
}

/// The picture; of animated files the one that other programs show.
///
/// # Errors
/// `InvalidData`.
pub fn decode(bytes: &[u8]) -> Result<Picture> {
    let bytes = still(bytes);
    let mut reader = reader(&bytes)?;
    let form = form_of(&reader)?;
    let size = reader.output_buffer_size().unwrap_or(usize::MAX);
    if size as u64 > (bytes.len() as u64).saturating_mul(MAX_RATIO) {
        return Err(Error::invalid_data("damaged PNG: the file is too short for its pixels"));
    }
    let mut out = vec![0; size];
    let info = reader.next_frame(&mut out).map_err(|error| damaged("PNG", error))?;
    // What is behind the pixels must be whole, too: its checksums are part of the file.
    reader.finish().map_err(|error| damaged("PNG", error))?;
    if (u64::from(info.width), u64::from(info.height)) != (form.width, form.height) {
        return Err(Error::invalid_data("damaged PNG: the first frame has another size"));
    }
    out.truncate(info.buffer_size());
    let width = info.width as usize;
    let bytes = match (info.color_type, info.bit_depth) {
        (ColorType::Grayscale, BitDepth::One) => unpack(&out, 1, info.line_size, width, 1),
        (ColorType::Grayscale, BitDepth::Two) => unpack(&out, 2, info.line_size, width, 85),
        (ColorType::Grayscale, BitDepth::Four) => unpack(&out, 4, info.line_size, width, 17),
        (_, BitDepth::One) => unpack(&out, 1, info.line_size, width, 1),
        (_, BitDepth::Two) => unpack(&out, 2, info.line_size, width, 1),
        (_, BitDepth::Four) => unpack(&out, 4, info.line_size, width, 1),
        (_, BitDepth::Eight) => out,
        (ColorType::Grayscale, BitDepth::Sixteen) => {
            out.as_chunks_mut::<2>().0.iter_mut().for_each(|value| value.reverse());
            out
        }
        (ColorType::GrayscaleAlpha, BitDepth::Sixteen) => out
            .as_chunks::<4>()
            .0
            .iter()
            .flat_map(|[grey, _, alpha, _]| [*grey, *grey, *grey, *alpha])
            .collect(),
        (_, BitDepth::Sixteen) => out.as_chunks::<2>().0.iter().map(|[high, _]| *high).collect(),
    };
    Ok(Picture { form, bytes })
}

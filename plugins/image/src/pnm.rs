//! PBM, PGM and PPM, plain and raw.
//!
//! `image` would scale samples to the full range in single precision, Pillow does in double and rounds halves to even:
//! so the decoder is told that the range is full, and the scaling is done here.

use std::io::Read;

use image::{ImageDecoder, codecs::pnm::PnmDecoder};
use tiled_plugin_api::prelude::{Error, Result};

use crate::{
    decoders::{pixels, refused},
    picture::{Form, Picture, Sample, damaged},
};

const WHAT: &str = "portable anymap";

struct Map<'a> {
    kind: u8,
    form: Form,
    /// Largest sample.
    range: u32,
    /// What is behind the header.
    rest: &'a [u8],
}

fn read(bytes: &[u8]) -> Result<Map<'_>> {
    let decoder = PnmDecoder::new(bytes).map_err(|error| refused(WHAT, error))?;
    let (width, height) = decoder.dimensions();
    let (rest, header) = decoder.into_inner();
    let range = header.maximal_sample();
    if !(1..=65535).contains(&range) {
        return Err(damaged(WHAT, format!("the largest sample is {range}")));
    }
    let kind = bytes.get(1).copied().unwrap_or_default();
    let (samples, sample) = match (kind, range) {
        (b'1' | b'4', _) => (1, Sample::Bool),
        (b'2' | b'5', ..=255) => (1, Sample::U8),
        (b'2' | b'5', _) => (1, Sample::I32),
        (b'3' | b'6', _) => (3, Sample::U8),
        _ => return Err(Error::unsupported_format("a portable anymap of this kind is not supported")),
    };
    let form = Form { height: height.into(), width: width.into(), samples, sample };
    Ok(Map { kind, form, range, rest })
}

/// Shape and type.
///
/// # Errors
/// `InvalidData`, `UnsupportedFormat`.
pub fn form(bytes: &[u8]) -> Result<Form> {
    Ok(read(bytes)?.form)
}

/// The picture.
///
/// # Errors
/// `InvalidData`, `UnsupportedFormat`.
pub fn decode(bytes: &[u8]) -> Result<Picture> {
    let Map { kind, form, range, rest } = read(bytes)?;
    form.check()?;
    let is_bits = form.sample == Sample::Bool;
    let full = if range > 255 { 65535 } else { 255 };
    let end = if is_bits { String::new() } else { format!(" {full}") };
    let header = format!("P{} {} {}{end}\n", char::from(kind), form.width, form.height);
    let decoder = PnmDecoder::new(header.as_bytes().chain(rest)).map_err(|error| refused(WHAT, error))?;
    let out = pixels(WHAT, decoder, rest.len(), 8)?;
    let is_plain = matches!(kind, b'2' | b'3');
    let scale = |value: u32, most: f64| -> Result<u32> {
        if is_plain && value > range {
            return Err(damaged(WHAT, format!("the sample {value} is larger than {range}")));
        }
        Ok((f64::from(value) / f64::from(range) * most).round_ties_even().min(most) as u32)
    };
    let wide = out.as_chunks::<2>().0.iter().map(|pair| u32::from(u16::from_ne_bytes(*pair)));
    let bytes = match form.sample {
        Sample::Bool => out.iter().map(|value| u8::from(*value != 0)).collect(),
        Sample::I32 => {
            let values: Result<Vec<[u8; 4]>> =
                wide.map(|value| Ok(scale(value, 65535.0)?.to_le_bytes())).collect();
            values?.concat()
        }
        _ if full > 255 => wide.map(|value| Ok(scale(value, 255.0)? as u8)).collect::<Result<_>>()?,
        _ if range == 255 => out,
        _ => out.iter().map(|value| Ok(scale((*value).into(), 255.0)? as u8)).collect::<Result<_>>()?,
    };
    Ok(Picture { form, bytes })
}

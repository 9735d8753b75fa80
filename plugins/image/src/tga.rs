//! Targa: grey, grey and alpha, indices of palettes, RGB, RGBA; uncompressed or run-length coded.
//!
//! `image` replaces indices by colours and drops the fourth channel of 16 bits, which Pillow keeps: so it is told that
//! indices are grey levels, and that pixels of 16 bits are two bytes of which it need not know the meaning.

use image::codecs::tga::TgaDecoder;
use tiled_plugin_api::prelude::{Error, Result};

use crate::{
    decoders::{pixels, refused},
    picture::{Form, Picture, Sample, damaged},
};

const HEADER_BYTES: usize = 18;
/// Bits of the descriptor that say where the first pixel is.
const ORIENTATION: u8 = 0x30;

/// The header as `image` shall see it.
struct Header {
    changed: [u8; HEADER_BYTES],
    form: Form,
    is_packed: bool,
}

fn header(bytes: &[u8]) -> Result<Header> {
    let (head, _) =
        bytes.split_first_chunk::<HEADER_BYTES>().ok_or_else(|| damaged("Targa", "the header is cut"))?;
    let mut changed = *head;
    let [_, map, kind, _, _, _, _, _, _, _, _, _, w0, w1, h0, h1, depth, descriptor] = *head;
    // Grey of 8 bits and two bytes of 16 need no change by `image`.
    let (kind_seen, alpha_bits, samples) = match (kind & 7, depth) {
        (1, 8) if map == 1 => (3, 0, 1),
        (3, 8) => (3, 0, 1),
        (3, 16) => (3, 8, 2),
        (2, 16) => (3, 8, 4),
        (2, 24) => (2, 0, 3),
        (2, 32) => (2, 8, 4),
        _ => {
            let message = format!("Targa of type {kind} with {depth} bits is not supported");
            return Err(Error::unsupported_format(message));
        }
    };
    if kind & !0xb != 0 || map > 1 {
        return Err(damaged("Targa", format!("there is no type {kind} with a palette of type {map}")));
    }
    changed[2] = kind & 8 | kind_seen;
    changed[17] = descriptor & ORIENTATION | alpha_bits;
    let (width, height) = (u16::from_le_bytes([w0, w1]).into(), u16::from_le_bytes([h0, h1]).into());
    Ok(Header {
        changed,
        form: Form { height, width, samples, sample: Sample::U8 },
        is_packed: (kind & 7, depth) == (2, 16),
    })
}

/// Shape and type.
///
/// # Errors
/// `InvalidData`, `UnsupportedFormat`.
pub fn form(bytes: &[u8]) -> Result<Form> {
    Ok(header(bytes)?.form)
}

/// The picture.
///
/// # Errors
/// `InvalidData`, `UnsupportedFormat`.
pub fn decode(bytes: &[u8]) -> Result<Picture> {
    use std::io::Read;
    let Header { changed, form, is_packed } = header(bytes)?;
    form.check()?;
    let rest = bytes.get(HEADER_BYTES..).unwrap_or_default();
    let decoder = TgaDecoder::new(changed.chain(rest)).map_err(|error| refused("Targa", error))?;
    // A run of 128 pixels of one byte takes two.
    let mut out = pixels("Targa", decoder, rest.len(), 128)?;
    if is_packed {
        out = out.as_chunks::<2>().0.iter().flat_map(|pair| spread(u16::from_le_bytes(*pair))).collect();
    }
    if form.samples == 4 && is_opaque(bytes) {
        out.as_chunks_mut::<4>().0.iter_mut().for_each(|pixel| pixel[3] = 255);
    }
    Ok(Picture { form, bytes: out })
}

/// Five bits each of blue, green, red from below, and one that is set where the pixel is transparent.
fn spread(value: u16) -> [u8; 4] {
    let level = |shift: u16| ((value >> shift & 31) * 255 / 31) as u8;
    [level(10), level(5), level(0), if value >> 15 == 0 { 255 } else { 0 }]
}

/// Whether the extension area of a file of version 2 says that the fourth channel is no transparency.
fn is_opaque(bytes: &[u8]) -> bool {
    const ATTRIBUTES_AT: usize = 494;
    let Some((_, footer)) = bytes.split_last_chunk::<26>() else { return false };
    let Some(offset) = footer.first_chunk::<4>().filter(|_| footer.ends_with(b"TRUEVISION-XFILE.\0")) else {
        return false;
    };
    let offset = u32::from_le_bytes(*offset) as usize;
    offset != 0 && bytes.get(offset.saturating_add(ATTRIBUTES_AT)) == Some(&0)
}

//! Windows bitmaps: indices of palettes, RGB, RGBA; uncompressed or run-length coded.

use std::io::Cursor;

use image::codecs::bmp::BmpDecoder;
use tiled_plugin_api::prelude::{Error, Result};

use crate::{
    decoders::{self, refused},
    picture::{Form, Picture, Sample},
};

/// What the headers say.
struct Header {
    width: usize,
    height: usize,
    is_top_down: bool,
    bits: usize,
    compression: u32,
    /// Red, green, blue, alpha.
    masks: [u32; 4],
    is_black_and_white: bool,
    pixels_at: usize,
}

fn damaged(what: &str) -> Error {
    Error::invalid_data(format!("damaged BMP: {what}"))
}

fn number(bytes: &[u8], at: usize, size: usize) -> Result<u32> {
    let bytes = bytes.get(at..at + size).ok_or_else(|| damaged("the header is cut"))?;
    Ok(bytes.iter().rev().fold(0, |all, byte| (all << 8) | u32::from(*byte)))
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Self> {
        let size = number(bytes, 14, 4)? as usize;
        let is_short = size == 12;
        if !is_short && !matches!(size, 40 | 52 | 56 | 64 | 108 | 124) {
            return Err(Error::unsupported_format(format!(
                "BMP with a header of {size} bytes is not supported"
            )));
        }
        let (width, height, bits) = if is_short {
            (number(bytes, 18, 2)?, number(bytes, 20, 2)? as i32, number(bytes, 24, 2)?)
        } else {
            (number(bytes, 18, 4)?, number(bytes, 22, 4)? as i32, number(bytes, 28, 2)?)
        };
        let compression = if is_short { 0 } else { number(bytes, 30, 4)? };
        let mut masks = match bits {
            16 => [0x7c00, 0x3e0, 0x1f, 0],
            _ => [0xff_0000, 0xff00, 0xff, 0],
        };
        if compression == 3 {
            for (i, mask) in masks.iter_mut().enumerate() {
                // The mask of alpha stands in the larger headers only.
                *mask = if i < 3 || size >= 56 { number(bytes, 54 + i * 4, 4)? } else { 0 };
            }
            if masks == [0; 4] {
                masks = [0xff_0000, 0xff00, 0xff, 0xff00_0000];
            }
        }
        if bits != 32 {
            masks[3] = 0;
        }
        // Of 24 bits there is but one order.
        let compression = if bits == 24 && compression == 3 { 0 } else { compression };
        let colors = if is_short { 0 } else { number(bytes, 46, 4)? };
        let colors = if colors == 0 && bits <= 8 { 1 << bits } else { colors as usize };
        let palette = 14 + size;
        let step = if is_short { 3 } else { 4 };
        // Some files say that the pixels begin where in truth the palette does.
        let pixels_at = match number(bytes, 10, 4)? as usize {
            at if at == palette && bits <= 8 => at.saturating_add(colors.saturating_mul(step)),
            at => at,
        };
        let is_black_and_white = bits == 1 && colors == 2 && {
            let color = |i: usize| bytes.get(palette + i * step..palette + i * step + 3);
            color(0) == Some(&[0; 3][..]) && color(1) == Some(&[255; 3][..])
        };
        Ok(Header {
            width: width as usize,
            height: height.unsigned_abs() as usize,
            is_top_down: height < 0,
            bits: bits as usize,
            compression,
            masks,
            is_black_and_white,
            pixels_at,
        })
    }

    fn form(&self) -> Result<Form> {
        let (samples, sample) = match (self.bits, self.compression) {
            (1, 0) if self.is_black_and_white => (1, Sample::Bool),
            (1, 0) | (4, 0 | 2) | (8, 0 | 1) => (1, Sample::U8),
            (16 | 32, 0 | 3) if self.masks[3] != 0 => (4, Sample::U8),
            (16 | 32, 0 | 3) | (24, 0) => (3, Sample::U8),
            (bits, compression) => {
                let message = format!("BMP of {bits} bits with compression {compression} is not supported");
                return Err(Error::unsupported_format(message));
            }
        };
        Ok(Form { height: self.height as u64, width: self.width as u64, samples, sample })
    }
}

/// Shape and type.
///
/// # Errors
/// `InvalidData`, `UnsupportedFormat`.
pub fn form(bytes: &[u8]) -> Result<Form> {
    Header::read(bytes)?.form()
}

/// The file as `image` shall see it: one kind of header, and a palette that turns each index into its own grey level.
///
/// `image` would give colours for indices; it does not know all headers, either.
fn plain(header: &Header, pixels: &[u8]) -> Vec<u8> {
    const HEADERS_BYTES: u32 = 14 + 56;
    let colors = if header.bits <= 8 { 1u32 << header.bits } else { 0 };
    let height = if header.is_top_down { -(header.height as i32) } else { header.height as i32 };
    let mut out = Vec::with_capacity(pixels.len().saturating_add(2048));
    out.extend(b"BM");
    let words = [0, 0, HEADERS_BYTES + colors * 4, 56, header.width as u32, height as u32];
    out.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    out.extend([1, 0, header.bits as u8, 0]);
    let words = [header.compression, 0, 0, 0, 0, 0];
    out.extend(words.iter().chain(&header.masks).flat_map(|word| word.to_le_bytes()));
    out.extend((0..colors).flat_map(|index| [index as u8, index as u8, index as u8, 0]));
    out.extend_from_slice(pixels);
    out
}

/// The picture.
///
/// # Errors
/// `InvalidData`, `UnsupportedFormat`.
pub fn decode(bytes: &[u8]) -> Result<Picture> {
    let header = Header::read(bytes)?;
    let form = header.form()?.check()?;
    let mut pixels = bytes.get(header.pixels_at..).unwrap_or_default().to_vec();
    if !matches!(header.compression, 1 | 2) {
        // The padding of the last row may be left out.
        let row = (header.width * header.bits).div_ceil(32) * 4;
        let padding = row - (header.width * header.bits).div_ceil(8);
        if pixels.len().saturating_add(padding) < row.saturating_mul(header.height) {
            return Err(damaged("the pixels are cut"));
        }
        pixels.resize(row * header.height, 0);
    }
    let file = plain(&header, &pixels);
    let decoder = BmpDecoder::new(Cursor::new(&file)).map_err(|error| refused("BMP", error))?;
    // Runs may leave out whole rows.
    let mut out = decoders::pixels("BMP", decoder, file.len(), u64::MAX)?;
    if header.bits <= 8 {
        out = out.as_chunks::<3>().0.iter().map(|[index, ..]| *index).collect();
    } else if header.bits == 16 {
        let [red, green, blue, _] = header.masks.map(u32::count_ones);
        round_down(&mut out, 3, [red, green, blue]);
    }
    Ok(Picture { form, bytes: out })
}

/// Channels of so many bits were spread to 8 and rounded; Pillow rounds down.
pub fn round_down(values: &mut [u8], samples: usize, bits: [u32; 3]) {
    for pixel in values.chunks_exact_mut(samples) {
        for (value, bits) in pixel.iter_mut().zip(bits) {
            let full = (1u32 << bits.clamp(1, 8)) - 1;
            let level = (u32::from(*value) * full + 127) / 255;
            *value = (level * 255 / full) as u8;
        }
    }
}

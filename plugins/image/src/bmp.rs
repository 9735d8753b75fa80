//! Windows bitmaps: indices of palettes, RGB, RGBA; uncompressed or run-length coded.

use tiled_plugin_api::prelude::{Error, Result};

use crate::picture::{Form, Picture, Sample, unpack};

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
        let colors = if is_short { 0 } else { number(bytes, 46, 4)? };
        let colors = if colors == 0 && bits <= 8 { 1 << bits } else { colors as usize };
        let palette = 14 + size;
        let is_black_and_white = bits == 1 && colors == 2 && {
            let step = if is_short { 3 } else { 4 };
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
            pixels_at: number(bytes, 10, 4)? as usize,
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

/// The picture.
///
/// # Errors
/// `InvalidData`, `UnsupportedFormat`.
pub fn decode(bytes: &[u8]) -> Result<Picture> {
    let header = Header::read(bytes)?;
    let form = header.form()?.check()?;
    let pixels = bytes.get(header.pixels_at..).unwrap_or_default();
    if matches!(header.compression, 1 | 2) {
        return Ok(Picture { form, bytes: run_lengths(&header, pixels)? });
    }
    let row = (header.width * header.bits).div_ceil(32) * 4;
    let last = row * (header.height - 1) + (header.width * header.bits).div_ceil(8);
    if pixels.len() < last {
        return Err(damaged("the pixels are cut"));
    }
    let mut out = Vec::with_capacity(usize::try_from(form.nbytes()).map_err(Error::internal)?);
    for y in 0..header.height {
        let y = if header.is_top_down { y } else { header.height - 1 - y };
        let line = pixels.get(y * row..pixels.len().min((y + 1) * row)).unwrap_or_default();
        match header.bits {
            1 | 4 | 8 => out.extend(unpack(line, header.bits, line.len(), header.width, 1)),
            24 => out
                .extend(line.as_chunks::<3>().0.iter().take(header.width).flat_map(|[b, g, r]| [*r, *g, *b])),
            bits => {
                for pixel in line.chunks_exact(bits / 8).take(header.width) {
                    let value = pixel.iter().rev().fold(0u32, |all, byte| (all << 8) | u32::from(*byte));
                    let masks = header.masks.iter().take(usize::try_from(form.samples).unwrap_or(3));
                    out.extend(masks.map(|mask| channel(value, *mask)));
                }
            }
        }
    }
    Ok(Picture { form, bytes: out })
}

/// The bits of a mask, spread to 8.
fn channel(value: u32, mask: u32) -> u8 {
    let (shift, bits) = (mask.trailing_zeros().min(31), mask.count_ones());
    let value = u64::from((value & mask) >> shift);
    let full = (1u64 << bits) - 1;
    (value * 255).checked_div(full).unwrap_or(0) as u8
}

/// RLE8 and RLE4.
fn run_lengths(header: &Header, data: &[u8]) -> Result<Vec<u8>> {
    let (width, height) = (header.width, header.height);
    let mut out = vec![0; width * height];
    let (mut x, mut y, mut at) = (0usize, 0usize, 0usize);
    let nibbles = header.compression == 2;
    while y < height {
        let Some([first, second]) = data.get(at..at + 2).and_then(|pair| <[u8; 2]>::try_from(pair).ok())
        else {
            return Err(damaged("the pixels are cut"));
        };
        at += 2;
        let value = |i: usize, bytes: &[u8]| -> u8 {
            let byte = bytes.get(if nibbles { i / 2 } else { i }).copied().unwrap_or(0);
            match (nibbles, i % 2) {
                (true, 0) => byte >> 4,
                (true, _) => byte & 15,
                _ => byte,
            }
        };
        let mut put = |x: usize, y: usize, value: u8| {
            let row = if header.is_top_down { y } else { height - 1 - y };
            if x < width
                && let Some(place) = out.get_mut(row * width + x)
            {
                *place = value;
            }
        };
        match (first, second) {
            (0, 0) => (x, y) = (0, y + 1),
            (0, 1) => break,
            (0, 2) => {
                let (Some(right), Some(up)) = (data.get(at), data.get(at + 1)) else {
                    return Err(damaged("the pixels are cut"));
                };
                (x, y, at) = (x + usize::from(*right), y + usize::from(*up), at + 2);
            }
            (0, count) => {
                let count = usize::from(count);
                let bytes = if nibbles { count.div_ceil(2) } else { count };
                let values = data.get(at..at + bytes).ok_or_else(|| damaged("the pixels are cut"))?;
                (0..count).for_each(|i| put(x + i, y, value(i, values)));
                x += count;
                at += bytes.next_multiple_of(2);
            }
            (count, byte) => {
                let byte = [byte];
                let same = |i: usize| if nibbles { value(i % 2, &byte) } else { byte[0] };
                (0..usize::from(count)).for_each(|i| put(x + i, y, same(i)));
                x += usize::from(count);
            }
        }
    }
    Ok(out)
}

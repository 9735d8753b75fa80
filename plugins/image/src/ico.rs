//! Windows icons: the largest picture, and of several of one size the one that Pillow takes.
//!
//! `image` prefers depth to size and takes no PNG but RGBA: so it is handed an icon with the one picture chosen here,
//! and pictures stored as PNG go the way of PNG files.

use std::io::Cursor;

use image::codecs::ico::IcoDecoder;
use tiled_plugin_api::prelude::{Error, Result};

use crate::{
    bmp,
    decoders::{pixels, refused},
    picture::{Form, Picture, Sample, damaged, unpack},
    png_file,
};

const ENTRY_BYTES: usize = 16;
const START_BYTES: usize = 6;

fn cut() -> Error {
    damaged("icon", "it is cut")
}

/// The entry Pillow opens and the file from its picture on.
fn chosen(bytes: &[u8]) -> Result<([u8; ENTRY_BYTES], &[u8])> {
    let (start, rest) = bytes.split_first_chunk::<START_BYTES>().ok_or_else(cut)?;
    let count = usize::from(u16::from_le_bytes([start[4], start[5]]));
    let entries = rest.as_chunks::<ENTRY_BYTES>().0.get(..count).ok_or_else(cut)?;
    let side = |byte: u8| if byte == 0 { 256 } else { u32::from(byte) };
    let rank = |entry: &&[u8; ENTRY_BYTES]| {
        let depth = match (u16::from_le_bytes([entry[6], entry[7]]), entry[2]) {
            (0, 0) => 256,
            (0, 1) => 256,
            (0, colors) => u32::from(colors).next_power_of_two().trailing_zeros(),
            (bits, _) => bits.into(),
        };
        (std::cmp::Reverse(side(entry[0]) * side(entry[1])), depth)
    };
    let entry =
        entries.iter().min_by_key(rank).ok_or_else(|| damaged("icon", "there is no picture in it"))?;
    let at = u32::from_le_bytes([entry[12], entry[13], entry[14], entry[15]]);
    Ok((*entry, bytes.get(at as usize..).ok_or_else(cut)?))
}

fn is_png(picture: &[u8]) -> bool {
    picture.starts_with(b"\x89PNG\r\n\x1a\n")
}

/// A picture that is no PNG: its colours, and behind them a mask of a bit for each pixel.
struct Bitmap {
    width: usize,
    height: usize,
    bits: u16,
    /// Bytes of header, palette and colours.
    end: usize,
}

impl Bitmap {
    fn read(picture: &[u8]) -> Result<Self> {
        const HEADER_BYTES: usize = 40;
        let head = picture.first_chunk::<HEADER_BYTES>().ok_or_else(cut)?;
        let word = |at: usize| -> usize {
            let bytes = head.get(at..at + 4).unwrap_or_default();
            bytes.iter().rev().fold(0, |all, byte| (all << 8) | usize::from(*byte))
        };
        let (width, height, bits) = (word(4), word(8) / 2, u16::from_le_bytes([head[14], head[15]]));
        if word(0) != HEADER_BYTES || word(16) != 0 || !matches!(bits, 1 | 4 | 8 | 16 | 24 | 32) {
            let message = format!("icon of {bits} bits with compression {} is not supported", word(16));
            return Err(Error::unsupported_format(message));
        }
        if !(1..=256).contains(&width) || !(1..=256).contains(&height) {
            return Err(damaged("icon", format!("a picture of {width} x {height} pixels")));
        }
        let colors = match (bits, word(32)) {
            (16.., _) => 0,
            (_, 0) => 1 << bits,
            (_, colors) => colors.min(256),
        };
        let row = (width * usize::from(bits)).div_ceil(32) * 4;
        Ok(Bitmap { width, height, bits, end: HEADER_BYTES + colors * 4 + row * height })
    }

    /// Makes transparent what the mask hides: as Pillow, that at the end of the `whole` picture.
    fn mask(&self, whole: &[u8], pixels: &mut [u8]) -> Result<()> {
        let row = self.width.div_ceil(32) * 4;
        let start = whole.len().checked_sub(row * self.height).ok_or_else(cut)?;
        let bits = unpack(whole.get(start..).unwrap_or_default(), 1, row, self.width, 1);
        let rows = pixels.chunks_exact_mut(self.width * 4).rev().zip(bits.chunks_exact(self.width));
        for (pixels, bits) in rows {
            for (pixel, bit) in pixels.as_chunks_mut::<4>().0.iter_mut().zip(bits) {
                pixel[3] = if *bit == 0 { 255 } else { 0 };
            }
        }
        Ok(())
    }
}

/// Shape and type.
///
/// # Errors
/// `InvalidData`, `UnsupportedFormat`.
pub fn form(bytes: &[u8]) -> Result<Form> {
    let (_, picture) = chosen(bytes)?;
    if is_png(picture) {
        return png_file::form(picture);
    }
    let Bitmap { width, height, .. } = Bitmap::read(picture)?;
    Ok(Form { height: height as u64, width: width as u64, samples: 4, sample: Sample::U8 })
}

/// The picture.
///
/// # Errors
/// `InvalidData`, `UnsupportedFormat`.
pub fn decode(bytes: &[u8]) -> Result<Picture> {
    let (mut entry, picture) = chosen(bytes)?;
    if is_png(picture) {
        return png_file::decode(picture);
    }
    let (form, bitmap) = (form(bytes)?, Bitmap::read(picture)?);
    let size = u32::from_le_bytes([entry[8], entry[9], entry[10], entry[11]]) as usize;
    let whole = picture.get(..size).ok_or_else(cut)?;
    let colors = picture.get(..bitmap.end).ok_or_else(cut)?;
    // The mask is left out: `image` looks for it behind the colours and wants its rows padded, Pillow writes others.
    entry[0] = bitmap.width as u8;
    entry[1] = bitmap.height as u8;
    entry[8..12].copy_from_slice(&(bitmap.end as u32).to_le_bytes());
    entry[12..].copy_from_slice(&((START_BYTES + ENTRY_BYTES) as u32).to_le_bytes());
    let file = [&[0, 0, 1, 0, 1, 0][..], &entry, colors].concat();
    let decoder = IcoDecoder::new(Cursor::new(&file)).map_err(|error| refused("icon", error))?;
    let mut out = pixels("icon", decoder, file.len(), 32)?;
    if bitmap.bits == 16 {
        bmp::round_down(&mut out, 4, [5; 3]);
    }
    // Where the directory says 32 bits the fourth channel counts, and the mask for nothing.
    if u16::from_le_bytes([entry[6], entry[7]]) != 32 {
        bitmap.mask(whole, &mut out)?;
    }
    Ok(Picture { form, bytes: out })
}

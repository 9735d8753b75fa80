//! Decompression of strips and tiles, and unpacking of values that are no whole bytes.
//!
//! Every decoder stops at the number of bytes that the segment has, so that a bomb costs no more than that.

use std::io::Read;

use tiled_plugin_api::prelude::Error;

use crate::{
    file::{File, Value},
    page::Page,
};

/// What went wrong, for a message that names the place.
pub type Outcome<T> = Result<T, String>;

/// `InvalidData` that names the file.
pub fn damaged(name: &str, what: impl std::fmt::Display) -> Error {
    Error::invalid_data(format!("{name}: {what}"))
}

/// `UnsupportedFormat` that names the file.
pub fn unknown(name: &str, what: impl std::fmt::Display) -> Error {
    Error::unsupported_format(format!("{name}: {what}"))
}

/// Whether this number of a compression is known here.
pub fn is_known(compression: u64) -> bool {
    matches!(
        compression,
        1..=8 | 32773 | 32946 | 33007 | 34887 | 34892 | 34925 | 34933 | 50000 | 50001 | 50013
    )
}

/// The name of a compression, for messages.
pub fn name(compression: u64) -> String {
    let name = match compression {
        32809 => "ThunderScan",
        32895..=32898 => "IT8",
        33003..=33005 | 34712 => "JPEG 2000",
        34661 => "JBIG",
        34676 | 34677 => "SGI LogLuv",
        34934 | 22610 => "JPEG XR",
        48124 => "Jetraw",
        50002 | 52546 => "JPEG XL",
        65000..=65002 => "EER",
        _ => return compression.to_string(),
    };
    format!("{compression} ({name})")
}

/// Bytes of a segment, at most `size` of them where its codec knows no end.
///
/// # Errors
/// A text where the data are damaged.
pub fn decompress(file: &File, page: &Page, raw: Vec<u8>, size: usize) -> Outcome<Vec<u8>> {
    match page.layout.compression {
        1 => Ok(raw),
        5 => lzw(&raw, size),
        8 | 32946 | 50013 => read_up_to(flate2::read::ZlibDecoder::new(&*raw), size),
        32773 => Ok(pack_bits(&raw, size)),
        34925 => read_up_to(lzma_rust2::XzReader::new(&*raw, true), size),
        50000 => read_up_to(zstd::stream::read::Decoder::with_buffer(&*raw).map_err(text)?, size),
        34887 => lerc(file, page, raw, size),
        other => Err(format!("compression {} is not supported", name(other))),
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// At most `size` bytes of a stream. An error after that many does not matter.
fn read_up_to(mut from: impl Read, size: usize) -> Outcome<Vec<u8>> {
    let mut out = Vec::with_capacity(size.min(1 << 24));
    let mut part = vec![0; (64 * 1024).min(size.max(1))];
    while out.len() < size {
        let room = part.len().min(size - out.len());
        let got = from.read(part.get_mut(..room).unwrap_or_default()).map_err(text)?;
        if got == 0 {
            break;
        }
        out.extend_from_slice(part.get(..got).unwrap_or_default());
    }
    Ok(out)
}

/// LZW, of either bit order. Streams without an end code are fine where they have enough values.
fn lzw(raw: &[u8], size: usize) -> Outcome<Vec<u8>> {
    // Files of before 1988 wrote the least significant bit first: their clear code shows it.
    let is_old = raw.first() == Some(&0) && raw.get(1).is_some_and(|byte| byte & 1 == 1);
    let mut decoder = if is_old {
        weezl::decode::Decoder::new(weezl::BitOrder::Lsb, 8)
    } else {
        weezl::decode::Decoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8)
    };
    let mut out = vec![0; size.min(raw.len().saturating_mul(4096))];
    let (mut read, mut written) = (0, 0);
    while written < out.len() {
        let result = decoder
            .decode_bytes(raw.get(read..).unwrap_or_default(), out.get_mut(written..).unwrap_or_default());
        read += result.consumed_in;
        written += result.consumed_out;
        match result.status {
            Ok(weezl::LzwStatus::Ok) => {}
            Ok(weezl::LzwStatus::Done | weezl::LzwStatus::NoProgress) => break,
            Err(error) => return Err(format!("LZW: {error}")),
        }
    }
    out.truncate(written);
    Ok(out)
}

fn pack_bits(raw: &[u8], size: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(size.min(raw.len().saturating_mul(128)));
    let mut at = 0;
    while let Some(head) = raw.get(at).filter(|_| out.len() < size) {
        let count = usize::from(*head);
        at += 1;
        match count {
            0..=127 => {
                let end = (at + count + 1).min(raw.len());
                out.extend_from_slice(raw.get(at..end).unwrap_or_default());
                at = end;
            }
            128 => {}
            _ => {
                let byte = raw.get(at).copied();
                out.extend(std::iter::repeat_n(byte, 257 - count).flatten());
                at += 1;
            }
        }
    }
    out
}

/// LERC, plain or within deflate or Zstandard as the tag LercParameters says.
fn lerc(file: &File, page: &Page, raw: Vec<u8>, size: usize) -> Outcome<Vec<u8>> {
    let parameters = page.directory.numbers(file, 50674).map_err(text)?.unwrap_or_default();
    // A LERC blob is hardly larger than its values.
    let limit = size.saturating_mul(2).saturating_add(1 << 16);
    let blob = match parameters.get(1) {
        Some(1) => read_up_to(flate2::read::ZlibDecoder::new(&*raw), limit)?,
        Some(2) => read_up_to(zstd::stream::read::Decoder::with_buffer(&*raw).map_err(text)?, limit)?,
        _ => raw,
    };
    let info = lerc_reader::inspect_first(&blob).map_err(text)?;
    let values = u64::from(info.width) * u64::from(info.height) * u64::from(info.depth);
    if values > size as u64 {
        return Err(format!("LERC: {} x {} x {} values are too many", info.width, info.height, info.depth));
    }
    let decoded = lerc_reader::decode_first(&blob).map_err(text)?;
    macro_rules! bytes {
        ($values:expr) => {
            Ok($values.iter().flat_map(|v| v.to_ne_bytes()).collect())
        };
    }
    match decoded.pixels {
        lerc_core::PixelData::I8(v) => bytes!(v),
        lerc_core::PixelData::U8(v) => Ok(v),
        lerc_core::PixelData::I16(v) => bytes!(v),
        lerc_core::PixelData::U16(v) => bytes!(v),
        lerc_core::PixelData::I32(v) => bytes!(v),
        lerc_core::PixelData::U32(v) => bytes!(v),
        lerc_core::PixelData::F32(v) => bytes!(v),
        lerc_core::PixelData::F64(v) => bytes!(v),
    }
}

/// PNG or WebP within TIFF.
///
/// # Errors
/// A text where the data are damaged or do not fit the page.
pub fn image(page: &Page, raw: &[u8], size: u64) -> Outcome<Vec<u8>> {
    let size = usize::try_from(size).map_err(text)?;
    if page.layout.compression == 50001 {
        let mut decoder = image_webp::WebPDecoder::new(std::io::Cursor::new(raw)).map_err(text)?;
        let bytes =
            decoder.output_buffer_size().filter(|n| *n <= size.saturating_mul(2)).ok_or("WebP: too large")?;
        let mut out = vec![0; bytes];
        decoder.read_image(&mut out).map_err(text)?;
        // The alpha channel of an opaque segment may be left out.
        if page.samples == 4 && !decoder.has_alpha() {
            out = out.chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], 255]).collect();
        } else if page.samples == 3 && decoder.has_alpha() {
            out = out.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
        }
        return Ok(out);
    }
    let mut reader = png::Decoder::new(std::io::Cursor::new(raw)).read_info().map_err(text)?;
    let bytes =
        reader.output_buffer_size().filter(|n| *n <= size.saturating_mul(2)).ok_or("PNG: too large")?;
    let mut out = vec![0; bytes];
    let info = reader.next_frame(&mut out).map_err(text)?;
    out.truncate(info.buffer_size());
    if info.bit_depth == png::BitDepth::Sixteen && cfg!(target_endian = "little") {
        crate::segment::swap_items(&mut out, 2);
    }
    Ok(out)
}

/// Values of `bits` bits each, most significant first, rows padded to bytes: `row` bytes and `run` values a row, into
/// values of `item` bytes.
pub fn unpack_bits(bytes: &[u8], bits: u64, row: usize, run: usize, item: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len().saturating_mul(8));
    let mask = if bits >= 64 { u64::MAX } else { (1 << bits) - 1 };
    for row in bytes.chunks_exact(row.max(1)) {
        if bits == 1 {
            let pixels = row.iter().flat_map(|byte| (0..8).rev().map(move |bit| (byte >> bit) & 1));
            out.extend(pixels.take(run));
            continue;
        }
        let (mut kept, mut have, mut rest) = (0u64, 0u64, row.iter());
        for _ in 0..run {
            while have < bits {
                kept = (kept << 8) | u64::from(rest.next().copied().unwrap_or(0));
                have += 8;
            }
            have -= bits;
            let value = (kept >> have) & mask;
            match item {
                1 => out.push(value as u8),
                2 => out.extend((value as u16).to_ne_bytes()),
                4 => out.extend((value as u32).to_ne_bytes()),
                _ => out.extend(value.to_ne_bytes()),
            }
        }
    }
    out
}

/// Floats of 24 bits (1 sign, 7 exponent, 16 fraction) as those of 32.
pub fn float24(bytes: &[u8], big_endian: bool) -> Vec<u8> {
    let widen = |v: u32| -> f32 {
        let sign = (v >> 23) << 31;
        let (exponent, fraction) = ((v >> 16) & 0x7f, v & 0xffff);
        match (exponent, fraction) {
            (0, 0) => f32::from_bits(sign),
            (0, _) => {
                let value = fraction as f32 * 2f32.powi(-62 - 16);
                if sign == 0 { value } else { -value }
            }
            (0x7f, _) => f32::from_bits(sign | 0x7f80_0000 | (fraction << 7)),
            _ => f32::from_bits(sign | ((exponent + 64) << 23) | (fraction << 7)),
        }
    };
    let value = |b: &[u8; 3]| {
        let [x, y, z] = b.map(u32::from);
        widen(if big_endian { (x << 16) | (y << 8) | z } else { (z << 16) | (y << 8) | x })
    };
    bytes.as_chunks::<3>().0.iter().flat_map(|b| value(b).to_ne_bytes()).collect()
}

/// The value of a tag as bytes, for tables within tags.
pub fn tag_bytes(file: &File, page: &Page, code: u16) -> Option<Vec<u8>> {
    match file.value(page.directory.tag(code)?).ok()? {
        Value::Bytes(bytes) | Value::Ascii(bytes) => Some(bytes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_values_are_spread_row_by_row() {
        assert_eq!(unpack_bits(&[0b1010_0000, 0b0110_0000], 1, 1, 3, 1), [1, 0, 1, 0, 1, 1]);
        assert_eq!(
            unpack_bits(&[0x12, 0x30, 0xab, 0xc0], 12, 2, 1, 2),
            [0x123u16, 0xabc].map(u16::to_ne_bytes).concat()
        );
        assert_eq!(unpack_bits(&[0x5f], 4, 1, 2, 1), [5, 15]);
    }

    #[test]
    fn pack_bits_repeats_and_copies() {
        assert_eq!(pack_bits(&[0xfe, 7, 1, 8, 9, 0x80], 100), [7, 7, 7, 8, 9]);
    }

    #[test]
    fn floats_of_24_bits_widen() {
        assert_eq!(float24(&[0x3f, 0x80, 0x00], true), 1.5f32.to_ne_bytes());
        assert_eq!(float24(&[0x00, 0x00, 0xc0], false), (-2f32).to_ne_bytes());
    }
}

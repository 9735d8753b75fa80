//! How the values of a frame are coded, and their decoding.

use std::io::Read;

use flate2::read::{GzDecoder, ZlibDecoder};
use md5::{Digest, Md5};
use tiled_plugin_api::prelude::{DataType, Error, Result, Source};

use crate::image::Frame;

/// How values are coded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Coding {
    /// As they are.
    Plain,
    /// Differences of one, two, four or eight bytes, little endian (CBF). With the MD5 of the bytes where it is known.
    ByteOffset(Option<[u8; 16]>),
    /// As they are, with the MD5 of the bytes.
    Checked([u8; 16]),
    /// The gzip format.
    Gzip,
    /// The zlib format.
    Zlib,
    /// Two elements of four bits in a byte, the first in the low bits; rows begin with a byte.
    Nibbles,
}

impl Coding {
    /// How many elements of `item` bytes so many bytes can hold at most.
    pub fn most_elements(&self, bytes: u64, item: u64) -> u64 {
        match self {
            Coding::Plain | Coding::Checked(_) => bytes / item.max(1),
            Coding::ByteOffset(_) => bytes,
            // What deflate can do at best.
            Coding::Gzip | Coding::Zlib => bytes.saturating_mul(1032) / item.max(1),
            Coding::Nibbles => bytes.saturating_mul(2),
        }
    }

    /// Fills `out` with all values of a frame.
    ///
    /// # Errors
    /// `InvalidData` where the bytes are damaged or are not those of so many values.
    pub fn decode(
        &self,
        source: &Source,
        frame: &Frame,
        data_type: &DataType,
        shape: &[u64],
        out: &mut [u8],
    ) -> Result<()> {
        if let Coding::Plain = self {
            return source.read_exact_at(frame.at, out);
        }
        let mut coded = vec![0; usize::try_from(frame.len).map_err(Error::internal)?];
        source.read_exact_at(frame.at, &mut coded)?;
        match self {
            Coding::Plain => Ok(()),
            Coding::ByteOffset(sum) => {
                sum.map_or(Ok(()), |sum| check(&coded, &sum))?;
                match data_type.itemsize() {
                    1 => byte_offset::<1>(&coded, out),
                    2 => byte_offset::<2>(&coded, out),
                    4 => byte_offset::<4>(&coded, out),
                    _ => byte_offset::<8>(&coded, out),
                }
            }
            Coding::Checked(sum) => {
                check(&coded, sum)?;
                let values = coded.get(..out.len()).ok_or_else(ends_early)?;
                out.copy_from_slice(values);
                Ok(())
            }
            Coding::Gzip => inflate(GzDecoder::new(&*coded), out),
            Coding::Zlib => inflate(ZlibDecoder::new(&*coded), out),
            Coding::Nibbles => nibbles(&coded, shape, out),
        }
    }
}

fn ends_early() -> Error {
    Error::invalid_data("the compressed data end before the last value")
}

fn check(bytes: &[u8], wanted: &[u8; 16]) -> Result<()> {
    if Md5::digest(bytes).as_slice() == wanted {
        return Ok(());
    }
    Err(Error::invalid_data("the MD5 of the compressed data is not that of the header: the file is damaged"))
}

fn inflate(mut stream: impl Read, out: &mut [u8]) -> Result<()> {
    let damaged = |e: std::io::Error| Error::invalid_data(format!("the compressed data are damaged: {e}"));
    stream.read_exact(out).map_err(damaged)?;
    // Reaches the checksum at the end.
    let mut more = [0];
    match stream.read(&mut more).map_err(damaged)? {
        0 => Ok(()),
        _ => Err(Error::invalid_data("the compressed data hold more values than the header says")),
    }
}

/// Little-endian values of `N` bytes: sums of differences, wrapping as in the library of the format.
fn byte_offset<const N: usize>(mut coded: &[u8], out: &mut [u8]) -> Result<()> {
    let mut value = 0_i64;
    for place in out.as_chunks_mut::<N>().0 {
        let (first, rest) = coded.split_first().ok_or_else(ends_early)?;
        coded = rest;
        let mut delta = i64::from(first.cast_signed());
        if delta == -0x80 {
            delta = i64::from(i16::from_le_bytes(take(&mut coded)?));
            if delta == -0x8000 {
                delta = i64::from(i32::from_le_bytes(take(&mut coded)?));
                if delta == -0x8000_0000 {
                    delta = i64::from_le_bytes(take(&mut coded)?);
                }
            }
        }
        value = value.wrapping_add(delta);
        for (to, from) in place.iter_mut().zip(value.to_le_bytes()) {
            *to = from;
        }
    }
    Ok(())
}

fn take<const N: usize>(coded: &mut &[u8]) -> Result<[u8; N]> {
    let (bytes, rest) = coded.split_first_chunk::<N>().ok_or_else(ends_early)?;
    *coded = rest;
    Ok(*bytes)
}

fn nibbles(coded: &[u8], shape: &[u64], out: &mut [u8]) -> Result<()> {
    let width = shape.last().copied().and_then(|n| usize::try_from(n).ok()).unwrap_or(0).max(1);
    let rows = coded.chunks_exact(width.div_ceil(2));
    if rows.len() < out.len() / width {
        return Err(ends_early());
    }
    for (row, packed) in out.chunks_exact_mut(width).zip(rows) {
        for (pair, byte) in row.chunks_mut(2).zip(packed) {
            for (place, shift) in pair.iter_mut().zip([0, 4]) {
                *place = byte >> shift & 15;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_offsets_of_all_lengths_are_summed() {
        let mut coded = vec![5, 0xff];
        coded.extend([0x80, 0x00, 0x01]);
        coded.extend([0x80, 0x00, 0x80, 0, 0, 2, 0]);
        coded.extend([0x80, 0x00, 0x80, 0, 0, 0, 0x80]);
        coded.extend((-140_000_i64).to_le_bytes());
        let mut out = [0; 20];
        byte_offset::<4>(&coded, &mut out).unwrap();
        let values: Vec<i32> = out.as_chunks::<4>().0.iter().map(|b| i32::from_le_bytes(*b)).collect();
        assert_eq!(values, [5, 4, 260, 131_332, -8668]);
        for cut in 0..coded.len() {
            assert!(byte_offset::<4>(&coded[..cut], &mut out).is_err(), "{cut}");
        }
    }

    #[test]
    fn rows_of_nibbles_begin_with_a_byte() {
        let mut out = [0; 6];
        nibbles(&[0x21, 0xf3, 0x54, 0x06], &[2, 3], &mut out).unwrap();
        assert_eq!(out, [1, 2, 3, 4, 5, 6]);
        assert!(nibbles(&[0x21, 0xf3, 0x54], &[2, 3], &mut out).is_err());
    }
}

//! Compressors. Each decodes into a buffer of known length, or gives all it has up to a limit.

use std::{cell::RefCell, io::Read};

use super::{Outcome, blosc};

/// Which compressor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compressor {
    Blosc,
    Zstd,
    Gzip,
    Zlib,
    Bz2,
    Lz4,
    /// XZ containers.
    Xz,
    /// The older container of the `lzma` tool.
    LzmaAlone,
}

/// Memory that an LZMA dictionary may take.
const LZMA_LIMIT_KIB: u32 = 1 << 19;

thread_local! {
    /// Making a context costs more than decoding a small chunk.
    static ZSTD: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
}

impl Compressor {
    /// Decodes into `out`, which must be filled exactly.
    ///
    /// # Errors
    /// When the bytes are damaged or decode to another length.
    pub fn decode_into(self, bytes: &[u8], out: &mut [u8]) -> Outcome<()> {
        let got = match self {
            Compressor::Blosc => return blosc::decode_into(bytes, out),
            Compressor::Zstd => zstd_into(bytes, out)?,
            Compressor::Lz4 => {
                let (len, block) = lz4_parts(bytes)?;
                if len != out.len() {
                    len
                } else {
                    lz4_flex::block::decompress_into(block, out).map_err(|e| format!("LZ4: {e}"))?
                }
            }
            stream => {
                let mut stream = stream.stream(bytes)?;
                stream.read_exact(out).map_err(|e| self.damaged(e))?;
                // The end must be reached: the checksum stands there.
                out.len() + stream.read(&mut [0]).map_err(|e| self.damaged(e))?
            }
        };
        if got == out.len() { Ok(()) } else { Err(format!("{self:?} holds other than {} bytes", out.len())) }
    }

    /// Decodes all, at most `limit` bytes.
    ///
    /// # Errors
    /// When the bytes are damaged or decode to more.
    pub fn decode_unknown(self, bytes: &[u8], limit: usize) -> Outcome<Vec<u8>> {
        let too_long = || format!("{self:?} holds more than {limit} bytes");
        let len = match self {
            Compressor::Blosc => Some(blosc::content_len(bytes)?),
            Compressor::Lz4 => Some(lz4_parts(bytes)?.0),
            _ => None,
        };
        if let Some(len) = len {
            if len > limit {
                return Err(too_long());
            }
            let mut out = vec![0; len];
            self.decode_into(bytes, &mut out)?;
            return Ok(out);
        }
        let mut out = Vec::new();
        let stream = self.stream(bytes)?;
        stream.take(limit as u64 + 1).read_to_end(&mut out).map_err(|e| self.damaged(e))?;
        if out.len() > limit { Err(too_long()) } else { Ok(out) }
    }

    fn damaged(self, error: std::io::Error) -> String {
        format!("{self:?} cannot decode it: {error}")
    }

    fn stream(self, bytes: &[u8]) -> Outcome<Box<dyn Read + '_>> {
        Ok(match self {
            Compressor::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(bytes)),
            Compressor::Zlib => Box::new(flate2::bufread::ZlibDecoder::new(bytes)),
            Compressor::Bz2 => Box::new(bzip2::bufread::MultiBzDecoder::new(bytes)),
            Compressor::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(bytes, true, LZMA_LIMIT_KIB)),
            Compressor::LzmaAlone => Box::new(
                lzma_rust2::LzmaReader::new_mem_limit(bytes, LZMA_LIMIT_KIB, None)
                    .map_err(|e| self.damaged(e))?,
            ),
            Compressor::Zstd => {
                Box::new(zstd::stream::read::Decoder::with_buffer(bytes).map_err(|e| self.damaged(e))?)
            }
            Compressor::Blosc | Compressor::Lz4 => return Err(format!("{self:?} is no stream")),
        })
    }
}

fn zstd_into(bytes: &[u8], out: &mut [u8]) -> Outcome<usize> {
    ZSTD.with_borrow_mut(|context| {
        let mut decoder = match context.take() {
            Some(decoder) => decoder,
            None => zstd::bulk::Decompressor::new().map_err(|e| format!("Zstd: {e}"))?,
        };
        let got = decoder.decompress_to_buffer(bytes, out).map_err(|e| format!("Zstd cannot decode it: {e}"));
        *context = Some(decoder);
        got
    })
}

/// numcodecs writes the length of the content before an LZ4 block.
fn lz4_parts(bytes: &[u8]) -> Outcome<(usize, &[u8])> {
    let (len, block) = bytes.split_first_chunk().ok_or("it is too short for LZ4")?;
    let len = usize::try_from(i32::from_le_bytes(*len)).map_err(|_| "LZ4 with a negative length")?;
    Ok((len, block))
}

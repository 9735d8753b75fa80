//! Compressors the other way: from bytes to what stands in the file.

use std::{cell::RefCell, io::Write};

use super::{Outcome, blosc, compress::Compressor, effort::Effort};
use crate::scratch::Scratch;

type Zstd = zstd::bulk::Compressor<'static>;

thread_local! {
    /// With the effort it was made for. Making one costs more than a small chunk.
    static ZSTD: RefCell<Option<(Effort, Zstd)>> = const { RefCell::new(None) };
}

impl Compressor {
    /// Compresses `bytes`.
    ///
    /// # Errors
    /// When there are more bytes than the compressor takes.
    pub fn encode(self, bytes: &[u8], effort: &Effort) -> Outcome<Scratch> {
        let refused = |e: std::io::Error| format!("{self:?} cannot encode it: {e}");
        let level =
            |default: u32| effort.level.and_then(|level| u32::try_from(level).ok()).unwrap_or(default);
        let out = match self {
            Compressor::Zstd => return zstd(bytes, effort),
            Compressor::Blosc => {
                let settings = effort.blosc.ok_or("Blosc without settings")?;
                let mut out = Scratch::of(blosc::bound(bytes.len()));
                let len = blosc::encode_into(bytes, &settings, &mut out)?;
                out.truncate(len);
                return Ok(out);
            }
            Compressor::Lz4 => lz4(bytes)?,
            Compressor::Gzip => {
                let level = flate2::Compression::new(level(1).min(9));
                let mut stream = flate2::write::GzEncoder::new(Vec::new(), level);
                stream.write_all(bytes).map_err(refused)?;
                stream.finish().map_err(refused)?
            }
            Compressor::Zlib => {
                let level = flate2::Compression::new(level(1).min(9));
                let mut stream = flate2::write::ZlibEncoder::new(Vec::new(), level);
                stream.write_all(bytes).map_err(refused)?;
                stream.finish().map_err(refused)?
            }
            Compressor::Bz2 => {
                let level = bzip2::Compression::new(level(1).clamp(1, 9));
                let mut stream = bzip2::write::BzEncoder::new(Vec::new(), level);
                stream.write_all(bytes).map_err(refused)?;
                stream.finish().map_err(refused)?
            }
            Compressor::Xz => {
                let options = lzma_rust2::XzOptions::with_preset(level(6).min(9));
                let mut stream = lzma_rust2::XzWriter::new(Vec::new(), options).map_err(refused)?;
                stream.write_all(bytes).map_err(refused)?;
                stream.finish().map_err(refused)?
            }
            Compressor::LzmaAlone => {
                let options = lzma_rust2::LzmaOptions::with_preset(level(6).min(9));
                let stream = lzma_rust2::LzmaWriter::new_use_header(Vec::new(), &options, None);
                let mut stream = stream.map_err(refused)?;
                stream.write_all(bytes).map_err(refused)?;
                stream.finish().map_err(refused)?
            }
        };
        Ok(Scratch::from(out))
    }
}

fn zstd(bytes: &[u8], effort: &Effort) -> Outcome<Scratch> {
    let refused = |e: std::io::Error| format!("Zstd cannot encode it: {e}");
    ZSTD.with_borrow_mut(|kept| {
        let mut encoder = match kept.take() {
            Some((of, encoder)) if of == *effort => encoder,
            _ => {
                let mut encoder = Zstd::new(effort.level.unwrap_or(0)).map_err(refused)?;
                encoder.include_checksum(effort.checksum).map_err(refused)?;
                encoder
            }
        };
        let mut out = Scratch::of(zstd::zstd_safe::compress_bound(bytes.len()));
        let len = encoder.compress_to_buffer(bytes, &mut *out).map_err(refused)?;
        out.truncate(len);
        *kept = Some((*effort, encoder));
        Ok(out)
    })
}

/// The length of the content, then an LZ4 block, as numcodecs has it.
fn lz4(bytes: &[u8]) -> Outcome<Vec<u8>> {
    let len = i32::try_from(bytes.len()).map_err(|_| "LZ4 takes less than 2 GiB")?;
    let mut out = vec![0; 4 + lz4_flex::block::get_maximum_output_size(bytes.len())];
    let (head, block) = out.split_at_mut(4);
    head.copy_from_slice(&len.to_le_bytes());
    let got = lz4_flex::block::compress_into(bytes, block).map_err(|e| format!("LZ4: {e}"))?;
    out.truncate(4 + got);
    Ok(out)
}

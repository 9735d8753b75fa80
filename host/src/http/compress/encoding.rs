//! The encodings, and whole answers in them.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};

use super::blosc;

/// zstd's own default is 3: half as fast for a tenth less.
pub(super) const ZSTD_LEVEL: i32 = 1;

/// How an answer is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Frames of Blosc, one behind the other. Only Tiled's clients know them.
    Blosc2,
    /// One frame of zstd.
    Zstd,
    /// One member of gzip.
    Gzip,
}

impl Encoding {
    /// As headers call it.
    pub const fn name(self) -> &'static str {
        match self {
            Encoding::Blosc2 => "blosc2",
            Encoding::Zstd => "zstd",
            Encoding::Gzip => "gzip",
        }
    }

    /// All of an answer. None where its library refuses.
    pub(super) fn encode(self, bytes: &[u8]) -> Option<Vec<u8>> {
        match self {
            Encoding::Blosc2 => blosc::frame(bytes, blosc::VALUE_BYTES),
            Encoding::Zstd => zstd::bulk::compress(bytes, ZSTD_LEVEL).ok(),
            Encoding::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(bytes).ok()?;
                encoder.finish().ok()
            }
        }
    }
}

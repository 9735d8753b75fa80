//! Answers that are compressed piece after piece, while they are read.

use std::io::{Error, Result, Write};

use flate2::{Compression, write::GzEncoder};

use super::{
    blosc,
    encoding::{Encoding, ZSTD_LEVEL},
};

/// A compressor that gives what it has after each piece.
pub enum Pieces {
    /// A frame of Blosc for each piece.
    Blosc2,
    /// One frame of zstd.
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
    /// One member of gzip.
    Gzip(GzEncoder<Vec<u8>>),
}

impl Pieces {
    /// Before the first piece.
    ///
    /// # Errors
    /// Where zstd has no memory.
    pub fn begin(encoding: Encoding) -> Result<Self> {
        Ok(match encoding {
            Encoding::Blosc2 => Pieces::Blosc2,
            Encoding::Zstd => Pieces::Zstd(zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL)?),
            Encoding::Gzip => Pieces::Gzip(GzEncoder::new(Vec::new(), Compression::fast())),
        })
    }

    /// What is to be sent now of the pieces so far; may be nothing. Pieces are shorter than 2 GiB and not empty.
    ///
    /// # Errors
    /// Where the library refuses.
    pub fn push(&mut self, piece: &[u8]) -> Result<Vec<u8>> {
        match self {
            Pieces::Blosc2 => blosc::frame(piece, 1).ok_or_else(|| Error::other("Blosc cannot encode it")),
            Pieces::Zstd(encoder) => {
                encoder.write_all(piece)?;
                Ok(std::mem::take(encoder.get_mut()))
            }
            Pieces::Gzip(encoder) => {
                encoder.write_all(piece)?;
                Ok(std::mem::take(encoder.get_mut()))
            }
        }
    }

    /// What is left after the last piece.
    ///
    /// # Errors
    /// Where the library refuses.
    pub fn finish(self) -> Result<Vec<u8>> {
        match self {
            Pieces::Blosc2 => Ok(Vec::new()),
            Pieces::Zstd(encoder) => encoder.finish(),
            Pieces::Gzip(encoder) => encoder.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn encoded(encoding: Encoding, pieces: &[&[u8]]) -> Vec<u8> {
        let mut encoder = Pieces::begin(encoding).unwrap();
        let mut all: Vec<u8> = pieces.iter().flat_map(|piece| encoder.push(piece).unwrap()).collect();
        all.extend(encoder.finish().unwrap());
        all
    }

    #[test]
    fn pieces_join_to_one_answer() {
        let pieces: [&[u8]; 3] = [&[1; 100_000], b"in between", &[2; 70_000]];
        let whole = pieces.concat();
        assert_eq!(zstd::decode_all(&*encoded(Encoding::Zstd, &pieces)).unwrap(), whole);
        let mut out = Vec::new();
        let gzip = encoded(Encoding::Gzip, &pieces);
        flate2::read::GzDecoder::new(&*gzip).read_to_end(&mut out).unwrap();
        assert_eq!(out, whole);
        assert_eq!(blosc::tests::contents(&encoded(Encoding::Blosc2, &pieces)), whole);
    }
}

//! A picture in memory as Pillow hands it to NumPy, and the formats it comes from.
//!
//! The first frame of animated files; palettes stay indices; transparency that is not a channel is left out.

use tiled_plugin_api::prelude::{DataType, Endianness, Error, ErrorKind, Kind, Result, Source};

use crate::{bmp, decoders, gif_file, ico, jpeg_file, png_file, pnm, tga};

/// Pixels.
pub struct Picture {
    /// Shape and type.
    pub form: Form,
    /// Rows of pixels of samples; numbers with the least significant byte first.
    pub bytes: Vec<u8>,
}

/// What a picture's array is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// Rows.
    pub height: u64,
    /// Columns.
    pub width: u64,
    /// Samples of a pixel; 1 adds no axis.
    pub samples: u64,
    /// Type of a sample.
    pub sample: Sample,
}

/// Type of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sample {
    /// One byte, 0 or 1.
    Bool,
    /// One byte.
    U8,
    /// Two bytes.
    U16,
    /// Four bytes, signed.
    I32,
}

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Portable Network Graphics.
    Png,
    /// JPEG, and the first picture of MPO.
    Jpeg,
    /// GIF.
    Gif,
    /// Windows bitmap.
    Bmp,
    /// WebP.
    Webp,
    /// PBM, PGM, PPM.
    Pnm,
    /// Targa, which has no mark of its own.
    Tga,
    /// Quite OK Image.
    Qoi,
    /// Windows icon.
    Ico,
}

/// As Pillow: more pixels are taken for a bomb.
pub const MAX_PIXELS: u64 = 178_956_970;
/// Larger files are not pictures.
const MAX_FILE_BYTES: u64 = 2 << 30;

impl Format {
    /// The format by the first bytes of a file; Targa cannot be told.
    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Format::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Format::Jpeg),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Format::Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Format::Webp),
            [b'B', b'M', ..] => Some(Format::Bmp),
            [b'q', b'o', b'i', b'f', ..] => Some(Format::Qoi),
            [0, 0, 1, 0, ..] => Some(Format::Ico),
            [b'P', b'1'..=b'6', b'\t'..=b'\r' | b' ' | b'#', ..] => Some(Format::Pnm),
            _ => None,
        }
    }
}

impl Form {
    /// Shape of the array.
    pub fn shape(&self) -> Vec<u64> {
        let mut shape = vec![self.height, self.width];
        if self.samples > 1 {
            shape.push(self.samples);
        }
        shape
    }

    /// Type of the array.
    pub fn dtype(&self) -> DataType {
        match self.sample {
            Sample::Bool => DataType::native(Kind::Bool, 1),
            Sample::U8 => DataType::native(Kind::Uint, 1),
            Sample::U16 => DataType::ordered(Kind::Uint, 2, Endianness::Little),
            Sample::I32 => DataType::ordered(Kind::Int, 4, Endianness::Little),
        }
    }

    /// Bytes of the array.
    pub fn nbytes(&self) -> u64 {
        let sample = match self.sample {
            Sample::Bool | Sample::U8 => 1,
            Sample::U16 => 2,
            Sample::I32 => 4,
        };
        self.height.saturating_mul(self.width).saturating_mul(self.samples).saturating_mul(sample)
    }

    /// Refuses bombs.
    ///
    /// # Errors
    /// `TooLarge`.
    pub fn check(self) -> Result<Self> {
        let pixels = self.height.saturating_mul(self.width);
        if pixels > MAX_PIXELS {
            let message = format!("{} x {} pixels are more than {MAX_PIXELS}", self.width, self.height);
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        if pixels == 0 {
            return Err(Error::invalid_data("the picture has no pixels"));
        }
        Ok(self)
    }
}

/// Bytes and format of a file; what has no mark is Targa if that is `wanted`.
fn load(source: &Source, wanted: Format) -> Result<(Vec<u8>, Format)> {
    let mut head = [0; 16];
    let got = source.read_at(0, &mut head)?;
    let found = Format::of(head.get(..got).unwrap_or_default());
    let Some(format) = found.or((wanted == Format::Tga).then_some(wanted)) else {
        return Err(Error::invalid_data("not a picture of a kind that is known"));
    };
    Ok((source.read_all(MAX_FILE_BYTES)?, format))
}

/// Shape and type of the picture in a file.
///
/// # Errors
/// `InvalidData` naming the file.
pub fn form(source: &Source, wanted: Format) -> Result<Form> {
    let form = || {
        let (bytes, format) = load(source, wanted)?;
        match format {
            Format::Png => png_file::form(&bytes),
            Format::Jpeg => jpeg_file::form(&bytes),
            Format::Gif => gif_file::form(&bytes),
            Format::Bmp => bmp::form(&bytes),
            Format::Webp => decoders::webp_form(&bytes),
            Format::Pnm => pnm::form(&bytes),
            Format::Tga => tga::form(&bytes),
            Format::Qoi => decoders::qoi_form(&bytes),
            Format::Ico => ico::form(&bytes),
        }
        .and_then(Form::check)
    };
    form().map_err(|error: Error| error.within(source.name()))
}

/// The picture in a file.
///
/// # Errors
/// `InvalidData` naming the file.
pub fn decode(source: &Source, wanted: Format) -> Result<Picture> {
    let decode = || {
        let (bytes, format) = load(source, wanted)?;
        match format {
            Format::Png => png_file::decode(&bytes),
            Format::Jpeg => jpeg_file::decode(&bytes),
            Format::Gif => gif_file::decode(&bytes),
            Format::Bmp => bmp::decode(&bytes),
            Format::Webp => decoders::webp_decode(&bytes),
            Format::Pnm => pnm::decode(&bytes),
            Format::Tga => tga::decode(&bytes),
            Format::Qoi => decoders::qoi_decode(&bytes),
            Format::Ico => ico::decode(&bytes),
        }
    };
    decode().map_err(|error: Error| error.within(source.name()))
}

/// `InvalidData` of another crate's error.
pub fn damaged(what: &str, error: impl std::fmt::Display) -> Error {
    Error::invalid_data(format!("damaged {what}: {error}"))
}

/// Values of `bits` bits each, most significant first, into bytes; rows are padded to whole bytes.
pub fn unpack(bytes: &[u8], bits: usize, row: usize, width: usize, scale: u8) -> Vec<u8> {
    let per_byte = 8 / bits.clamp(1, 8);
    let mask = (1u16 << bits) - 1;
    let mut out = Vec::with_capacity(bytes.len().saturating_mul(per_byte));
    for row in bytes.chunks_exact(row.max(1)) {
        let values = row.iter().flat_map(|byte| {
            (0..per_byte).rev().map(move |i| ((u16::from(*byte) >> (i * bits)) & mask) as u8)
        });
        out.extend(values.take(width).map(|value| value.wrapping_mul(scale)));
    }
    out
}

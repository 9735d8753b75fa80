//! One strip or tile from its bytes in the file to values in this machine's byte order.
//!
//! Takes raw bytes and the page's layout, gives values in C order and their shape. Nothing is made up: fewer values than
//! the segment has are an error.

use tiled_plugin_api::prelude::{DataType, Error, ErrorKind, Kind, Result};

use crate::{
    ccitt, codec,
    file::File,
    jpeg_segment::JpegSegments,
    page::{Bits, Page},
    predictor,
};

/// Larger strips or tiles are refused where they are compressed: they are unpacked as a whole, beside the memory that the
/// host counts, however small the part of them that is wanted.
const MAX_SEGMENT_BYTES: u64 = 1 << 28;

/// Values of a segment.
pub struct Decoded {
    /// In C order, native byte order.
    pub bytes: Vec<u8>,
    /// Depth, rows, columns, samples.
    pub shape: [u64; 4],
}

enum Codec {
    /// Bytes that still have to be unpacked.
    Bytes,
    /// Bits of black and white.
    Ccitt,
    Jpeg(Box<JpegSegments>),
    /// PNG, WebP: values of their own.
    Image,
}

/// What all segments of a page have in common.
pub struct Decoder<'a> {
    file: &'a File,
    page: &'a Page,
    dtype: DataType,
    bits: u64,
    codec: Codec,
}

impl<'a> Decoder<'a> {
    /// Checks that the page can be decoded.
    ///
    /// # Errors
    /// `UnsupportedFormat` for types, predictors and codecs that are not known.
    pub fn new(file: &'a File, page: &'a Page) -> Result<Self> {
        let layout = &page.layout;
        let (Some(dtype), Bits::Same(bits)) = (page.dtype.clone(), &layout.bits) else {
            return Err(file
                .unknown(format_args!("samples of format {} and {:?}", layout.sample_format, layout.bits)));
        };
        let codec = match layout.compression {
            2..=4 => Codec::Ccitt,
            6 | 7 | 34892 | 33007 => Codec::Jpeg(Box::new(JpegSegments::new(file, page)?)),
            34933 | 50001 => Codec::Image,
            _ => Codec::Bytes,
        };
        if page.is_subsampled && (!matches!(codec, Codec::Jpeg(_)) || page.planar) {
            return Err(file.unknown("chroma subsampling without JPEG compression"));
        }
        if !codec::is_known(layout.compression) {
            return Err(file
                .unknown(format_args!("compression {} is not supported", codec::name(layout.compression))));
        }
        if matches!(codec, Codec::Bytes) && !matches!(layout.predictor, 1..=3) {
            return Err(file.unknown(format_args!("predictor {} is not supported", layout.predictor)));
        }
        Ok(Decoder { file, page, dtype, bits: *bits, codec })
    }

    /// Values of the segment whose bytes are `raw`: `shape` of them, or only the `valid` ones at the image's edge.
    ///
    /// # Errors
    /// `InvalidData` when there are too few or they cannot be decoded.
    pub fn decode(&self, mut raw: Vec<u8>, shape: [u64; 4], valid: [u64; 5]) -> Result<Decoded> {
        let item = self.dtype.itemsize();
        let bytes =
            shape.iter().try_fold(item, |all, n| all.checked_mul(*n)).filter(|n| *n <= MAX_SEGMENT_BYTES);
        let Some(bytes) = bytes else {
            let message = format!(
                "{}: a strip or tile of shape {shape:?} is too large: rewrite it in tiles",
                self.file.source.name()
            );
            return Err(Error::new(ErrorKind::TooLarge, message));
        };
        if self.page.layout.fill_order == 2 && matches!(self.codec, Codec::Bytes | Codec::Ccitt) {
            raw.iter_mut().for_each(|byte| *byte = byte.reverse_bits());
        }
        let decoded = match &self.codec {
            Codec::Bytes => self.unpacked(raw, shape, bytes)?,
            Codec::Ccitt => ccitt::decode(self.file, self.page, &raw, shape)?,
            Codec::Jpeg(jpeg) => jpeg.decode(&raw)?,
            Codec::Image => codec::image(self.page, &raw, bytes).map_err(|what| self.file.damaged(what))?,
        };
        self.fit(decoded, shape, valid)
    }

    /// Bytes of a row before unpacking.
    fn packed_row(&self, shape: [u64; 4]) -> u64 {
        (shape[2] * shape[3]).saturating_mul(self.bits).div_ceil(8)
    }

    fn unpacked(&self, raw: Vec<u8>, shape: [u64; 4], bytes: u64) -> Result<Vec<u8>> {
        let is_packed = !matches!(self.bits, 8 | 16 | 32 | 64 | 128);
        let stored =
            if is_packed { self.packed_row(shape).saturating_mul(shape[0] * shape[1]) } else { bytes };
        let stored = usize::try_from(stored).map_err(Error::internal)?;
        let layout = &self.page.layout;
        let mut values =
            codec::decompress(self.file, self.page, raw, stored).map_err(|what| self.file.damaged(what))?;
        values.truncate(stored);
        let row = usize::try_from(self.packed_row(shape)).map_err(Error::internal)?;
        let runs = usize::try_from(shape[2] * shape[3]).map_err(Error::internal)?;
        let item = usize::try_from(self.dtype.itemsize()).map_err(Error::internal)?;
        let samples = usize::try_from(shape[3]).map_err(Error::internal)?;
        if is_packed && self.dtype.kind() == Kind::Float {
            return Ok(codec::float24(&values, self.file.big_endian));
        }
        if is_packed {
            values = codec::unpack_bits(&values, self.bits, row, runs, item);
        } else if layout.predictor == 3 {
            return Ok(predictor::floating(&values, runs, samples, item));
        } else if self.file.big_endian == cfg!(target_endian = "little") && layout.compression != 34887 {
            swap_items(&mut values, if self.dtype.kind() == Kind::Complex { item / 2 } else { item });
        }
        if layout.predictor == 2 {
            predictor::horizontal(&mut values, runs, samples, item);
        }
        Ok(values)
    }

    /// Cuts what is too much; at the edge of the image a tile may hold the valid part only.
    fn fit(&self, mut bytes: Vec<u8>, shape: [u64; 4], valid: [u64; 5]) -> Result<Decoded> {
        let item = self.dtype.itemsize();
        let length =
            |shape: &[u64; 4]| usize::try_from(shape.iter().product::<u64>() * item).unwrap_or(usize::MAX);
        let clipped = [valid[1], valid[2], valid[3], shape[3]];
        let narrow = [valid[1], valid[2], shape[2], shape[3]];
        if bytes.len() >= length(&shape) {
            bytes.truncate(length(&shape));
            return Ok(Decoded { bytes, shape });
        }
        let is_tiled = self.page.is_tiled();
        for small in [clipped, narrow] {
            if is_tiled && bytes.len() == length(&small) {
                return Ok(Decoded { bytes, shape: small });
            }
        }
        let (got, wanted) = (bytes.len(), length(&shape));
        Err(self
            .file
            .damaged(format_args!("damaged or truncated: {got} of {wanted} bytes after decompression")))
    }
}

/// Values of a segment that is not in the file: the GDAL_NODATA tag's, or 0.
///
/// # Errors
/// `TooLarge`.
pub fn nodata(page: &Page, valid: [u64; 5]) -> Result<Vec<u8>> {
    let item = usize::try_from(page.item()).unwrap_or(1);
    let count = valid.iter().try_fold(1u64, |all, n| all.checked_mul(*n));
    let bytes = count.and_then(|n| n.checked_mul(item as u64)).filter(|n| *n <= MAX_SEGMENT_BYTES);
    let Some(bytes) = bytes.and_then(|n| usize::try_from(n).ok()) else {
        return Err(Error::new(ErrorKind::TooLarge, "a sparse strip is too large"));
    };
    let mut out = vec![0; bytes];
    if page.nodata != 0.0 {
        let kind = page.dtype.as_ref().map(DataType::kind);
        let value: Vec<u8> = match (kind, item) {
            (Some(Kind::Float), 4) => (page.nodata as f32).to_ne_bytes().to_vec(),
            (Some(Kind::Float), 8) => page.nodata.to_ne_bytes().to_vec(),
            (Some(Kind::Uint | Kind::Int), 1..=8) => {
                let bytes = (page.nodata as i64).to_le_bytes().into_iter().take(item);
                if cfg!(target_endian = "big") { bytes.rev().collect() } else { bytes.collect() }
            }
            _ => vec![0; item],
        };
        for place in out.chunks_exact_mut(item.max(1)) {
            place.copy_from_slice(&value);
        }
    }
    Ok(out)
}

/// Reverses the bytes of each item.
pub fn swap_items(bytes: &mut [u8], item: usize) {
    match item {
        2 => bytes
            .as_chunks_mut::<2>()
            .0
            .iter_mut()
            .for_each(|v| *v = u16::from_ne_bytes(*v).swap_bytes().to_ne_bytes()),
        4 => bytes
            .as_chunks_mut::<4>()
            .0
            .iter_mut()
            .for_each(|v| *v = u32::from_ne_bytes(*v).swap_bytes().to_ne_bytes()),
        8 => bytes
            .as_chunks_mut::<8>()
            .0
            .iter_mut()
            .for_each(|v| *v = u64::from_ne_bytes(*v).swap_bytes().to_ne_bytes()),
        _ => {}
    }
}

//! Counts the numbers in pcodec bytes before they are decoded: a dozen forged bytes can stand for 2^24 of them.

use pco::{
    data_types::Number,
    standalone::{DecompressorItem, FileDecompressor},
};
use tiled_plugin_api::{
    author::{Error, Result},
    model::{DataType, Kind},
};

/// Decoded at a time; a multiple of pcodec's batches.
const BATCH: usize = 1 << 14;

/// Checks that there are `wanted` elements, with memory for a batch only.
///
/// # Errors
/// `InvalidData` when there are more or less, or the bytes are damaged; `UnsupportedFormat` for other types.
pub fn check(bytes: &[u8], dtype: &DataType, wanted: usize) -> Result<()> {
    let counted = match (dtype.kind(), dtype.itemsize()) {
        (Kind::Int, 2) => count::<i16>(bytes, wanted),
        (Kind::Int, 4) => count::<i32>(bytes, wanted),
        (Kind::Int | Kind::Datetime | Kind::Timedelta, 8) => count::<i64>(bytes, wanted),
        (Kind::Uint, 2) => count::<u16>(bytes, wanted),
        (Kind::Uint, 4) => count::<u32>(bytes, wanted),
        (Kind::Uint, 8) => count::<u64>(bytes, wanted),
        (Kind::Float, 2) => count::<half::f16>(bytes, wanted),
        (Kind::Float, 4) => count::<f32>(bytes, wanted),
        (Kind::Float, 8) => count::<f64>(bytes, wanted),
        (Kind::Complex, 8) => count::<f32>(bytes, wanted.saturating_mul(2)),
        (Kind::Complex, 16) => count::<f64>(bytes, wanted.saturating_mul(2)),
        _ => return Err(Error::unsupported_format("pcodec of a data type that it does not have")),
    };
    match counted.map_err(|e| Error::invalid_data(format!("pcodec: {e}")))? {
        true => Ok(()),
        false => Err(Error::invalid_data(format!("pcodec: there are not {wanted} elements"))),
    }
}

fn count<T: Number>(bytes: &[u8], wanted: usize) -> pco::errors::PcoResult<bool> {
    let (file, mut rest) = FileDecompressor::new(bytes)?;
    let mut batch = vec![T::default(); BATCH];
    let mut total = 0usize;
    while let DecompressorItem::Chunk(mut chunk) = file.chunk_decompressor::<T, _>(rest)? {
        total = total.saturating_add(chunk.n());
        if total > wanted {
            return Ok(false);
        }
        while !chunk.read(&mut batch)?.finished {}
        rest = chunk.into_src();
    }
    Ok(total == wanted)
}

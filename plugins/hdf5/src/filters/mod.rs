//! Decoders of HDF5's chunk filters: from the bytes of one chunk as they lie in the file to its values.
//!
//! Takes the filter pipeline of a dataset and never opens files or calls libhdf5 (but for [`register_with_libhdf5`],
//! which lends the same decoders to libhdf5's own reads). What headers inside a chunk claim is checked against the
//! size of the chunk before anything is allocated. Filters that stay with libhdf5 (n-bit, scale-offset): see
//! [`is_supported`].

mod bitshuffle;
mod blosc;
mod blosc2;
mod bzip;
mod fletcher;
mod jpegls;
mod lz4;
mod lzf;
mod register;
mod szip;
mod transpose;
mod zfp;
mod zstandard;

use std::cell::Cell;

use libdeflater::{DecompressionError, Decompressor};
use tiled_plugin_api::author::{Error, Result};

pub use register::register_with_libhdf5;

/// One filter of a dataset's pipeline, as `H5Pget_filter2` gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The registered number.
    pub id: u32,
    /// Its parameters.
    pub cd_values: Vec<u32>,
}

const GZIP: u32 = 1;
const SHUFFLE: u32 = 2;
const FLETCHER32: u32 = 3;
const SZIP: u32 = 4;
const BZIP2: u32 = 307;
const LZF: u32 = 32000;
const BLOSC: u32 = 32001;
const LZ4: u32 = 32004;
const BITSHUFFLE: u32 = 32008;
const ZFP: u32 = 32013;
const ZSTD: u32 = 32015;
const FCIDECOMP: u32 = 32018;
const BLOSC2: u32 = 32026;

/// Whether [`decode`] knows this filter.
pub fn is_supported(id: u32) -> bool {
    matches!(
        id,
        GZIP | SHUFFLE
            | FLETCHER32
            | SZIP
            | BZIP2
            | LZF
            | BLOSC
            | LZ4
            | BITSHUFFLE
            | ZFP
            | ZSTD
            | FCIDECOMP
            | BLOSC2
    )
}

/// Decodes the stored bytes `raw` of one chunk into `out`, which has exactly the bytes of one whole chunk (edge chunks
/// too are whole). `filters` are in the order in which they were applied; one whose bit is set in `mask` was not
/// applied to this chunk. `element_size` is in bytes.
///
/// # Errors
/// `InvalidData` when the bytes are damaged or do not fill `out` exactly, `UnsupportedFormat` for an unknown filter.
pub fn decode(filters: &[Filter], mask: u32, raw: &[u8], out: &mut [u8], element_size: usize) -> Result<()> {
    let applied = |i: usize| i >= 32 || (mask >> i) & 1 == 0;
    let active: Vec<&Filter> =
        filters.iter().enumerate().filter(|(i, _)| applied(*i)).map(|(_, filter)| filter).collect();
    let mut scratch = SCRATCH.take();
    let result = run(&active, raw, out, element_size, &mut scratch);
    if scratch.iter().all(|buffer| buffer.len() <= KEEP_BYTES) {
        SCRATCH.set(scratch);
    }
    result
}

/// Larger scratch buffers are freed after use, so that one huge chunk does not stay in every thread.
const KEEP_BYTES: usize = 64 << 20;

thread_local! {
    static SCRATCH: Cell<[Vec<u8>; 2]> = const { Cell::new([Vec::new(), Vec::new()]) };
    static INFLATE: Cell<Option<Decompressor>> = const { Cell::new(None) };
}

/// Runs the pipeline backwards. `scratch` holds the input (0) and the output (1) of stages between the first and last.
fn run(
    active: &[&Filter],
    raw: &[u8],
    out: &mut [u8],
    element_size: usize,
    scratch: &mut [Vec<u8>; 2],
) -> Result<()> {
    let limits = limits(active, out.len());
    let (mut in_scratch, mut len) = (false, raw.len());
    for (i, filter) in active.iter().enumerate().rev() {
        let [from, to] = &mut *scratch;
        let input = if in_scratch { from.get(..len) } else { raw.get(..len) }.unwrap_or_default();
        if filter.id == FLETCHER32 {
            len = fletcher::verify(input)?.len();
            continue;
        }
        if i == 0 {
            let got = stage(filter, input, out, element_size)?;
            return exact(got, out.len());
        }
        let limit = limits.get(i).copied().unwrap_or(0);
        if to.len() < limit {
            to.resize(limit, 0);
        }
        len = stage(filter, input, to.get_mut(..limit).unwrap_or_default(), element_size)?;
        scratch.swap(0, 1);
        in_scratch = true;
    }
    let values = if in_scratch { scratch[0].get(..len) } else { raw.get(..len) }.unwrap_or_default();
    exact(values.len(), out.len())?;
    out.copy_from_slice(values);
    Ok(())
}

/// The most bytes that each stage may decode to: those of the chunk, and what the filters before it may have added.
fn limits(active: &[&Filter], chunk: usize) -> Vec<usize> {
    let grown = |size: usize, filter: &&Filter| match filter.id {
        SHUFFLE => size,
        FLETCHER32 => size.saturating_add(4),
        // An encoder may lose a little on incompressible data, never a quarter.
        _ => size.saturating_add(size / 4).saturating_add(1 << 16),
    };
    let mut size = chunk;
    let mut all = Vec::with_capacity(active.len());
    for filter in active {
        all.push(size);
        size = grown(size, filter);
    }
    all
}

fn exact(got: usize, wanted: usize) -> Result<()> {
    if got == wanted {
        return Ok(());
    }
    Err(Error::invalid_data(format!("the chunk decodes to {got} bytes where {wanted} were expected")))
}

/// Undoes one filter and says how many bytes of `out` it filled.
fn stage(filter: &Filter, input: &[u8], out: &mut [u8], element_size: usize) -> Result<usize> {
    let cd = &filter.cd_values;
    let result = match filter.id {
        GZIP => inflate(input, out),
        SHUFFLE => {
            let size = cd.first().map_or(element_size, |size| *size as usize);
            unshuffle(input, out, size)
        }
        SZIP => szip::decode(input, out, cd),
        BZIP2 => bzip::decode(input, out),
        LZF => lzf::decode(input, out),
        BLOSC => blosc::decode(input, out),
        LZ4 => lz4::decode(input, out),
        BITSHUFFLE => bitshuffle::decode(input, out, cd, element_size),
        ZFP => zfp::decode(input, out, cd),
        ZSTD => zstandard::decode(input, out),
        FCIDECOMP => jpegls::decode(input, out),
        BLOSC2 => blosc2::decode(input, out),
        id => {
            return Err(Error::unsupported_format(format!(
                "HDF5 filter {id} ({}) is not supported; rewrite the dataset with gzip, lzf, zstd, blosc or bitshuffle",
                name(id)
            )));
        }
    };
    result.map_err(|error| error.within(format!("filter {} ({})", filter.id, name(filter.id))))
}

/// The name of a registered filter, for messages.
pub fn name(id: u32) -> &'static str {
    match id {
        GZIP => "gzip",
        SHUFFLE => "shuffle",
        FLETCHER32 => "fletcher32",
        SZIP => "szip",
        5 => "n-bit",
        6 => "scale-offset",
        BZIP2 => "bzip2",
        LZF => "lzf",
        BLOSC => "blosc",
        LZ4 => "lz4",
        BITSHUFFLE => "bitshuffle",
        ZFP => "zfp",
        ZSTD => "zstd",
        32017 => "sz",
        FCIDECOMP => "fcidecomp",
        32024 => "sz3",
        32028 => "sperr",
        32033 => "htj2k",
        BLOSC2 => "blosc2",
        _ => "unknown",
    }
}

fn inflate(input: &[u8], out: &mut [u8]) -> Result<usize> {
    let mut decompressor = INFLATE.take().unwrap_or_default();
    let result = decompressor.zlib_decompress(input, out);
    INFLATE.set(Some(decompressor));
    result.map_err(|error| match error {
        DecompressionError::BadData => Error::invalid_data("the zlib stream is damaged or truncated"),
        DecompressionError::InsufficientSpace => too_long(out.len()),
    })
}

fn unshuffle(input: &[u8], out: &mut [u8], size: usize) -> Result<usize> {
    let out = head(out, input.len())?;
    transpose::unshuffle(input, out, size);
    Ok(input.len())
}

/// The first `len` bytes of `out`.
fn head(out: &mut [u8], len: usize) -> Result<&mut [u8]> {
    let room = out.len();
    out.get_mut(..len).ok_or_else(|| too_long(room))
}

fn too_long(room: usize) -> Error {
    Error::invalid_data(format!("it decodes to more than {room} bytes"))
}

fn truncated() -> Error {
    Error::invalid_data("the encoded bytes end too early")
}

/// Big-endian numbers of a header, as bitshuffle and lz4 write them.
fn be_u32(bytes: &[u8], at: usize) -> Result<u32> {
    let word = at.checked_add(4).and_then(|end| bytes.get(at..end)).ok_or_else(truncated)?;
    Ok(word.iter().fold(0, |all, byte| (all << 8) | u32::from(*byte)))
}

fn be_u64(bytes: &[u8], at: usize) -> Result<u64> {
    let low = at.checked_add(4).ok_or_else(truncated)?;
    Ok((u64::from(be_u32(bytes, at)?) << 32) | u64::from(be_u32(bytes, low)?))
}

#[cfg(test)]
mod tests;

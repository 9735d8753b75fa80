//! Bitshuffle (filter 32008): bits transposed block by block, alone or with LZ4 or zstd.

use std::cell::Cell;

use tiled_plugin_api::author::{Error, Result};

use super::{be_u32, be_u64, head, lz4, too_long, transpose, truncated, zstandard};

/// Blocks are made of whole groups of this many elements.
const GROUP: usize = 8;

thread_local! {
    /// One decompressed block, and its byte planes.
    static BLOCKS: Cell<(Vec<u8>, Vec<u8>)> = const { Cell::new((Vec::new(), Vec::new())) };
}

#[derive(Clone, Copy, PartialEq)]
enum Codec {
    Stored,
    Lz4,
    Zstd,
}

/// Bytes that the content has: as the header says, or as many as are stored.
pub fn content_size(input: &[u8], cd: &[u32]) -> Option<u64> {
    if cd.get(4).copied().unwrap_or(0) == 0 { Some(input.len() as u64) } else { be_u64(input, 0).ok() }
}

/// Decodes one chunk and says how many bytes it gave. `cd`: version, version, bytes of an element, elements of a block,
/// codec (0, 2 LZ4, 3 zstd).
///
/// # Errors
/// `InvalidData` when it is damaged or does not fit into `out`.
pub fn decode(input: &[u8], out: &mut [u8], cd: &[u32], element_size: usize) -> Result<usize> {
    let size = cd.get(2).map_or(element_size, |size| *size as usize);
    let codec = match cd.get(4).copied().unwrap_or(0) {
        0 => Codec::Stored,
        2 => Codec::Lz4,
        3 => Codec::Zstd,
        other => return Err(Error::unsupported_format(format!("bitshuffle's codec {other} is not known"))),
    };
    let room = out.len();
    let (total, block, body) = if codec == Codec::Stored {
        (input.len(), cd.get(3).map_or(0, |block| *block as usize), input)
    } else {
        let total = usize::try_from(be_u64(input, 0)?).map_err(|_| too_long(room))?;
        let bytes = be_u32(input, 8)? as usize;
        (total, bytes.checked_div(size).unwrap_or(0), input.get(12..).ok_or_else(truncated)?)
    };
    let out = head(out, total)?;
    if size == 0 || !total.is_multiple_of(size) {
        return Err(Error::invalid_data(format!(
            "{total} bytes are no whole number of {size}-byte elements"
        )));
    }
    let block = if block == 0 { (8192 / size / GROUP * GROUP).max(128) } else { block };
    if block % GROUP != 0 {
        return Err(Error::invalid_data(format!("the block size {block} is no multiple of 8")));
    }
    let mut buffers = BLOCKS.take();
    let result = blocks(body, out, size, block, codec, &mut buffers);
    if buffers.0.len() <= super::KEEP_BYTES {
        BLOCKS.set(buffers);
    }
    result.map(|()| total)
}

fn blocks(
    mut body: &[u8],
    out: &mut [u8],
    size: usize,
    block: usize,
    codec: Codec,
    (encoded, planes): &mut (Vec<u8>, Vec<u8>),
) -> Result<()> {
    // `out` bounds the block, whatever the header says.
    let tail = out.len() / size % GROUP * size;
    let (grouped, rest) = out.split_at_mut(out.len() - tail);
    let block_bytes = block.saturating_mul(size).min(grouped.len()).max(1);
    for buffer in [&mut *encoded, &mut *planes] {
        if buffer.len() < block_bytes {
            buffer.resize(block_bytes, 0);
        }
    }
    for part in grouped.chunks_mut(block_bytes) {
        let n = part.len();
        let planes = planes.get_mut(..n).unwrap_or_default();
        if codec == Codec::Stored {
            let (bits, after) = body.split_at_checked(n).ok_or_else(truncated)?;
            body = after;
            transpose::unbitshuffle(bits, planes, part, size);
            continue;
        }
        let length = be_u32(body, 0)? as usize;
        let packed = body.get(4..).and_then(|body| body.get(..length)).ok_or_else(truncated)?;
        body = body.get(4 + length..).unwrap_or_default();
        let bits = encoded.get_mut(..n).unwrap_or_default();
        let got =
            if codec == Codec::Lz4 { lz4::block(packed, bits)? } else { zstandard::decode(packed, bits)? };
        if got != n {
            return Err(Error::invalid_data(format!(
                "a block decodes to {got} bytes where {n} were expected"
            )));
        }
        transpose::unbitshuffle(bits, planes, part, size);
    }
    // Elements that make no whole group are stored as they are.
    rest.copy_from_slice(body.get(..tail).ok_or_else(truncated)?);
    Ok(())
}

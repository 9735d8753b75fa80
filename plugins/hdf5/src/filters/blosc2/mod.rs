//! Blosc2 (filter 32026): a contiguous frame that holds one chunk, plain or as an n-dimensional array (b2nd).
//!
//! The frame's header is MessagePack (big endian), the rest little endian; c-blosc2's `README_CFRAME_FORMAT.rst` and
//! `README_B2ND_METALAYER.rst` describe both. No C code: the codecs inside are those that other filters use, too.

mod blosclz;
mod chunk;

use tiled_plugin_api::author::{Error, Result};

use self::chunk::Chunk;
use super::{be_u32, be_u64, head, truncated};

/// Shortest header of a frame.
const MIN_HEADER: usize = 87;
/// More axes are not in c-blosc2 either.
const MAX_AXES: usize = 16;
/// The offsets of more chunks than this are not unpacked: HDF5 puts one chunk into a frame.
const MAX_OFFSETS: usize = 1 << 16;

fn damaged(what: &str) -> Error {
    Error::invalid_data(format!("the Blosc2 frame is damaged: {what}"))
}

/// Bytes that the frame's header announces.
pub fn content_size(input: &[u8]) -> Option<u64> {
    be_u64(input, 30).ok()
}

/// Decodes one frame and says how many bytes it gave.
///
/// # Errors
/// `InvalidData` when it is damaged, truncated, or does not fit into `out`; `UnsupportedFormat` for codecs and frames that
/// HDF5's filter does not write.
pub fn decode(input: &[u8], out: &mut [u8]) -> Result<usize> {
    let frame = Frame::parse(input)?;
    match frame.array()? {
        None => {
            let Some(chunk) = frame.chunk()? else {
                // The last of a run of equal chunks: the whole of it is left out.
                return frame.special(out);
            };
            let out = head(out, chunk.bytes())?;
            let block = chunk.block_bytes();
            chunk.blocks(|number, values| put(out, number * block, values))?;
            Ok(chunk.bytes())
        }
        Some(array) => {
            let size = array.bytes(frame.item)?;
            let out = head(out, size)?;
            let Some(chunk) = frame.chunk()? else { return frame.special(out) };
            array.check(&chunk, frame.item)?;
            chunk.blocks(|number, values| array.place(number, values, frame.item, out))?;
            Ok(size)
        }
    }
}

fn put(out: &mut [u8], at: usize, values: &[u8]) -> Result<()> {
    let place = at.checked_add(values.len()).and_then(|end| out.get_mut(at..end));
    place.ok_or_else(|| damaged("a block leads out"))?.copy_from_slice(values);
    Ok(())
}

struct Frame<'a> {
    /// As many bytes as the frame says it has.
    bytes: &'a [u8],
    header: usize,
    /// Bytes of all chunks, behind the header.
    packed: usize,
    item: usize,
}

impl<'a> Frame<'a> {
    fn parse(input: &'a [u8]) -> Result<Frame<'a>> {
        if input.get(2..10) != Some(b"b2frame\0".as_slice()) {
            return Err(damaged("it does not begin with b2frame"));
        }
        let size = |n: u64| usize::try_from(n).map_err(|_| truncated());
        let header = be_u32(input, 11)? as usize;
        let bytes = input.get(..size(be_u64(input, 16)?)?).ok_or_else(truncated)?;
        let (flags, kind) = (*input.get(25).ok_or_else(truncated)?, *input.get(26).ok_or_else(truncated)?);
        if kind & 0x0f != 0 || flags & 0x80 != 0 {
            return Err(Error::unsupported_format(
                "a Blosc2 frame of another kind than HDF5's filter writes",
            ));
        }
        let (packed, item) = (size(be_u64(input, 39)?)?, be_u32(input, 48)? as usize);
        let fits = header.checked_add(packed).is_some_and(|end| end <= bytes.len());
        if header < MIN_HEADER || !fits || item == 0 {
            return Err(damaged("its header claims more than there is"));
        }
        Ok(Frame { bytes, header, packed, item })
    }

    /// The first chunk; `None` where only a special value stands for it.
    fn chunk(&self) -> Result<Option<Chunk<'a>>> {
        let offset = self.offset()?;
        if offset < 0 {
            return Ok(None);
        }
        let at = usize::try_from(offset).map_err(|_| damaged("an offset leads out"))?;
        let chunks = self.bytes.get(self.header..self.header + self.packed).unwrap_or_default();
        Chunk::parse(chunks.get(at..).ok_or_else(|| damaged("an offset leads out"))?).map(Some)
    }

    /// Where the first chunk lies; the list of all is a chunk itself.
    fn offset(&self) -> Result<i64> {
        let index = Chunk::parse(self.bytes.get(self.header + self.packed..).unwrap_or_default())?;
        if index.bytes() < 8 || index.bytes() > MAX_OFFSETS {
            return Err(damaged("the list of its chunks has an odd length"));
        }
        let mut offsets = vec![0; index.bytes()];
        let block = index.block_bytes();
        index.blocks(|number, values| put(&mut offsets, number * block, values))?;
        let first = offsets.first_chunk().copied().ok_or_else(truncated)?;
        Ok(i64::from_le_bytes(first))
    }

    /// A chunk that is left out because all of its values are the same.
    fn special(&self, out: &mut [u8]) -> Result<usize> {
        let [.., kind] = self.offset()?.to_le_bytes();
        let size = content_size(self.bytes).and_then(|n| usize::try_from(n).ok()).ok_or_else(truncated)?;
        chunk::repeated(kind & 7, &[], self.item, head(out, size)?)?;
        Ok(size)
    }

    /// The shapes of a b2nd array, where the frame is one.
    fn array(&self) -> Result<Option<Array>> {
        let header = self.bytes.get(..self.header).ok_or_else(truncated)?;
        let count = header.get(92..94).map_or(0, |n| usize::from(n[0]) << 8 | usize::from(n[1]));
        let mut at = 94;
        for _ in 0..count {
            let marker = *header.get(at).ok_or_else(truncated)?;
            if marker & 0xe0 != 0xa0 {
                return Err(damaged("a metalayer has no name"));
            }
            let end = at + 1 + usize::from(marker & 0x1f);
            let name = header.get(at + 1..end).ok_or_else(truncated)?;
            let content = be_u32(header, end + 1)? as usize;
            at = end + 5;
            if name == b"b2nd" || name == b"caterva" {
                let body =
                    content.checked_add(5).and_then(|from| header.get(from..)).ok_or_else(truncated)?;
                return Array::parse(body).map(Some);
            }
        }
        Ok(None)
    }
}

/// An array in blocks: the chunk is the whole array, its blocks lie one behind the other, those at the edges padded.
struct Array {
    shape: Vec<usize>,
    block: Vec<usize>,
}

impl Array {
    /// `[version, axes, shape, chunk shape, block shape, …]`
    fn parse(body: &[u8]) -> Result<Array> {
        let odd = || damaged("its shapes are not what the format says");
        let axes = usize::from(*body.get(2).ok_or_else(truncated)?);
        if body.first().is_none_or(|b| b & 0xf0 != 0x90) || axes == 0 || axes > MAX_AXES {
            return Err(odd());
        }
        let mut at = 3;
        let mut list = |marker: u8, wide: usize| -> Result<Vec<usize>> {
            at += if axes < 16 { 1 } else { 3 };
            let mut all = Vec::with_capacity(axes);
            for _ in 0..axes {
                if body.get(at) != Some(&marker) {
                    return Err(odd());
                }
                let number = if wide == 8 { be_u64(body, at + 1)? } else { u64::from(be_u32(body, at + 1)?) };
                all.push(usize::try_from(number).map_err(|_| odd())?);
                at += 1 + wide;
            }
            Ok(all)
        };
        let (shape, chunk, block) = (list(0xd3, 8)?, list(0xd2, 4)?, list(0xd2, 4)?);
        if shape != chunk {
            return Err(Error::unsupported_format("a b2nd array of several chunks within one chunk of HDF5"));
        }
        if shape.iter().zip(&block).any(|(n, b)| *b == 0 || b > n) {
            return Err(odd());
        }
        Ok(Array { shape, block })
    }

    fn bytes(&self, item: usize) -> Result<usize> {
        let all = self.shape.iter().try_fold(item, |all, n| all.checked_mul(*n));
        all.ok_or_else(|| damaged("its shape is too large"))
    }

    /// Blocks along each axis.
    fn grid(&self) -> impl DoubleEndedIterator<Item = usize> + ExactSizeIterator {
        self.shape.iter().zip(&self.block).map(|(n, b)| n.div_ceil(*b))
    }

    fn check(&self, chunk: &Chunk, item: usize) -> Result<()> {
        let block = self.block.iter().try_fold(item, |all, n| all.checked_mul(*n));
        let all = block.and_then(|block| self.grid().try_fold(block, |all, n| all.checked_mul(n)));
        if block == Some(chunk.block_bytes()) && all == Some(chunk.bytes()) {
            return Ok(());
        }
        Err(damaged("its chunk has another size than its shapes"))
    }

    /// Copies the part of a block that lies within the array, row by row.
    fn place(&self, number: usize, values: &[u8], item: usize, out: &mut [u8]) -> Result<()> {
        let axes = self.shape.len();
        let (mut start, mut left) = (vec![0; axes], number);
        for ((start, n), block) in start.iter_mut().zip(self.grid()).zip(&self.block).rev() {
            *start = left % n * block;
            left /= n;
        }
        let count: Vec<usize> =
            self.shape.iter().zip(&self.block).zip(&start).map(|((n, b), s)| (n - s).min(*b)).collect();
        let row = count.last().map_or(0, |n| n * item);
        let mut at = vec![0; axes.saturating_sub(1)];
        loop {
            let (mut from, mut to) = (0, 0);
            for (axis, start) in start.iter().enumerate() {
                let here = at.get(axis).copied().unwrap_or(0);
                from = from * self.block[axis] + here;
                to = to * self.shape[axis] + start + here;
            }
            let source = values.get(from * item..from * item + row).ok_or_else(truncated)?;
            put(out, to * item, source)?;
            // The next row, the last axis but one running fastest.
            let turned = at.iter_mut().zip(&count).rev().find_map(|(i, n)| {
                *i = if *i + 1 < *n { *i + 1 } else { 0 };
                (*i > 0).then_some(())
            });
            if turned.is_none() {
                return Ok(());
            }
        }
    }
}

//! A chunk of Blosc2: a header, where each block begins, and blocks that are packed one by one
//! (c-blosc2's `README_CHUNK_FORMAT.rst`).

use std::cell::Cell;

use tiled_plugin_api::author::{Error, Result};

use super::{
    super::{KEEP_BYTES, inflate, lz4, transpose, truncated, zstandard},
    blosclz, damaged,
};

/// Length of the header of Blosc 1, and of Blosc 2's.
const SHORT: usize = 16;
const LONG: usize = 32;

const SHUFFLE: u8 = 1;
const BITSHUFFLE: u8 = 2;
const DELTA: u8 = 3;
const TRUNCATED_PRECISION: u8 = 4;

thread_local! {
    /// A block, its predecessor in the pipeline, byte planes, and the first block of the chunk.
    static BLOCKS: Cell<[Vec<u8>; 4]> = const { Cell::new([Vec::new(), Vec::new(), Vec::new(), Vec::new()]) };
}

/// One chunk, its header checked against its bytes.
pub(super) struct Chunk<'a> {
    bytes: &'a [u8],
    version: u8,
    flags: u8,
    item: usize,
    content: usize,
    block: usize,
    /// Bytes of the header.
    body: usize,
    filters: [u8; 6],
    parameters: [u8; 6],
    special: u8,
}

fn le_u32(bytes: &[u8], at: usize) -> Result<u32> {
    let word = bytes.get(at..).and_then(|bytes| bytes.first_chunk::<4>()).ok_or_else(truncated)?;
    Ok(u32::from_le_bytes(*word))
}

impl<'a> Chunk<'a> {
    /// Reads the header of the chunk that `input` begins with.
    ///
    /// # Errors
    /// `InvalidData`, and `UnsupportedFormat` for chunks with a dictionary, blocks of unequal length, or that are kept
    /// elsewhere.
    pub(super) fn parse(input: &'a [u8]) -> Result<Chunk<'a>> {
        let size = le_u32(input, 12)? as usize;
        let bytes = input.get(..size).ok_or_else(truncated)?;
        let (version, flags, item) = (bytes.first(), bytes.get(2), bytes.get(3));
        let (Some(version), Some(flags), Some(item)) = (version, flags, item) else {
            return Err(truncated());
        };
        let mut chunk = Chunk {
            bytes,
            version: *version,
            flags: *flags,
            item: usize::from(*item),
            content: le_u32(bytes, 4)? as usize,
            block: le_u32(bytes, 8)? as usize,
            body: SHORT,
            filters: [0; 6],
            parameters: [0; 6],
            special: 0,
        };
        if chunk.item == 0 || chunk.block == 0 {
            return Err(damaged("an element or a block has no bytes"));
        }
        if flags & 5 == 5 {
            chunk.extend()?;
        } else {
            chunk.filters[5] = if flags & 1 != 0 {
                SHUFFLE
            } else if flags & 4 != 0 {
                BITSHUFFLE
            } else {
                0
            };
            chunk.filters[4] = if flags & 8 != 0 { DELTA } else { 0 };
        }
        // A block is unpacked as a whole, so it may not claim more than the chunk has.
        chunk.block = chunk.block.min(chunk.content.max(1));
        Ok(chunk)
    }

    fn extend(&mut self) -> Result<()> {
        let more = self.bytes.get(SHORT..).and_then(|rest| rest.first_chunk::<16>()).ok_or_else(truncated)?;
        let [filters @ .., _, _] = more.first_chunk::<8>().copied().unwrap_or_default();
        let [parameters @ .., second, first] = more.last_chunk::<8>().copied().unwrap_or_default();
        (self.filters, self.parameters, self.body) = (filters, parameters, LONG);
        self.special = first >> 4 & 7;
        // A dictionary (1), values that are left on disk (8), measurements (128); blocks of unequal length.
        if first & 0x89 != 0 || second & 1 != 0 {
            return Err(Error::unsupported_format(
                "a Blosc2 chunk with a dictionary or of a kind that HDF5's filter does not write",
            ));
        }
        Ok(())
    }

    /// Bytes of its content.
    pub(super) fn bytes(&self) -> usize {
        self.content
    }

    /// Bytes of each block but the last.
    pub(super) fn block_bytes(&self) -> usize {
        self.block
    }

    /// Hands out all blocks in order, with their numbers.
    ///
    /// # Errors
    /// `InvalidData` when a block is damaged, `UnsupportedFormat` for unknown codecs and filters, and those of `each`.
    pub(super) fn blocks(&self, mut each: impl FnMut(usize, &[u8]) -> Result<()>) -> Result<()> {
        let mut buffers = BLOCKS.take();
        let result = self.run(&mut each, &mut buffers);
        if buffers.iter().all(|buffer| buffer.len() <= KEEP_BYTES) {
            BLOCKS.set(buffers);
        }
        result
    }

    fn run(
        &self,
        each: &mut dyn FnMut(usize, &[u8]) -> Result<()>,
        [block, other, planes, first]: &mut [Vec<u8>; 4],
    ) -> Result<()> {
        let stored = self.bytes.get(self.body..).unwrap_or_default();
        let copied = self.flags & 2 != 0;
        if self.special == 0 && copied && stored.len() != self.content {
            return Err(damaged("a chunk that is not packed has another length than it says"));
        }
        for number in 0..self.content.div_ceil(self.block) {
            let at = number * self.block;
            let len = self.block.min(self.content - at);
            for buffer in [&mut *block, &mut *other, &mut *planes] {
                if buffer.len() < len {
                    buffer.resize(len, 0);
                }
            }
            let values = block.get_mut(..len).unwrap_or_default();
            if self.special != 0 {
                repeated(self.special, stored, self.item, values)?;
            } else if copied {
                each(number, stored.get(at..at + len).ok_or_else(truncated)?)?;
                continue;
            } else {
                let start = le_u32(self.bytes, self.body + 4 * number)? as usize;
                let whole = len == self.block;
                self.unpack(self.bytes.get(start..).ok_or_else(truncated)?, whole, values)?;
                let other = other.get_mut(..len).unwrap_or_default();
                self.unfilter(number, values, other, planes.get_mut(..len).unwrap_or_default(), first)?;
            }
            each(number, values)?;
        }
        Ok(())
    }

    /// Undoes the codec: one stream, or one for each byte of an element.
    fn unpack(&self, mut packed: &[u8], whole: bool, out: &mut [u8]) -> Result<()> {
        let streams = if self.flags & 0x10 == 0 && whole { self.item } else { 1 };
        let each = out.len() / streams;
        if each == 0 || each * streams != out.len() {
            return Err(damaged("a block does not fall into its streams"));
        }
        for part in out.chunks_exact_mut(each) {
            let size = le_u32(packed, 0)?.cast_signed();
            packed = packed.get(4..).unwrap_or_default();
            if size <= 0 {
                // A run of one byte, which the negative size is.
                let value = u8::try_from(size.unsigned_abs()).map_err(|_| damaged("a run of no byte"))?;
                if value != 0 {
                    let (token, rest) = packed.split_first().ok_or_else(truncated)?;
                    packed = rest;
                    if token & 1 == 0 {
                        return Err(damaged("a stream of an unknown kind"));
                    }
                }
                part.fill(value);
                continue;
            }
            let (stream, rest) = packed.split_at_checked(size as usize).ok_or_else(truncated)?;
            packed = rest;
            if stream.len() == part.len() {
                part.copy_from_slice(stream);
            } else if self.codec(stream, part)? != part.len() {
                return Err(damaged("a stream is too short"));
            }
        }
        Ok(())
    }

    fn codec(&self, stream: &[u8], out: &mut [u8]) -> Result<usize> {
        match self.flags >> 5 {
            0 => blosclz::decode(stream, out),
            1 => lz4::block(stream, out),
            3 => inflate(stream, out),
            4 => zstandard::decode(stream, out),
            6 => {
                let number = self.bytes.get(22).copied().unwrap_or(0);
                Err(Error::unsupported_format(format!("Blosc2's plug-in codec {number} is not known")))
            }
            other => Err(Error::unsupported_format(format!("Blosc2's codec {other} is not known"))),
        }
    }

    /// Undoes the filters, the last one first. `values` holds the block before and after.
    fn unfilter(
        &self,
        number: usize,
        values: &mut [u8],
        other: &mut [u8],
        planes: &mut [u8],
        first: &mut Vec<u8>,
    ) -> Result<()> {
        for (filter, parameter) in self.filters.iter().zip(self.parameters).rev() {
            match *filter {
                0 | TRUNCATED_PRECISION => {}
                SHUFFLE => {
                    let size = if parameter == 0 { self.item } else { usize::from(parameter) };
                    other.copy_from_slice(values);
                    transpose::unshuffle(other, values, size);
                }
                BITSHUFFLE => {
                    let elements = values.len() / self.item;
                    let grouped = elements / 8 * 8 * self.item;
                    // Blosc 1 shuffled whole groups of 8 elements or nothing.
                    if grouped > 0 && (self.version != 2 || elements.is_multiple_of(8)) {
                        other.copy_from_slice(values);
                        let planes = planes.get_mut(..grouped).unwrap_or_default();
                        let (from, to) = (other.get(..grouped), values.get_mut(..grouped));
                        transpose::unbitshuffle(
                            from.unwrap_or_default(),
                            planes,
                            to.unwrap_or_default(),
                            self.item,
                        );
                    }
                }
                DELTA => undelta(number, values, first, self.item),
                other => {
                    return Err(Error::unsupported_format(format!("Blosc2's filter {other} is not known")));
                }
            }
        }
        // Later blocks are differences to the first one.
        if number == 0 && self.filters.contains(&DELTA) {
            first.clear();
            first.extend_from_slice(values);
        }
        Ok(())
    }
}

/// Undoes the differences: of the first block to the element before, of the others to the first block.
fn undelta(number: usize, values: &mut [u8], first: &[u8], item: usize) {
    let item = match item {
        1 | 2 | 4 | 8 => item,
        n if n % 8 == 0 => 8,
        _ => 1,
    };
    let whole = values.len() / item * item;
    if number == 0 {
        for at in item..whole {
            values[at] ^= values[at - item];
        }
    } else {
        for (value, before) in values.iter_mut().take(whole).zip(first) {
            *value ^= before;
        }
    }
}

/// Fills `out` with a value that stands for all: 1 zeros, 2 NaN, 3 the bytes `value`.
///
/// # Errors
/// `InvalidData`: values that were never written are no values.
pub(super) fn repeated(kind: u8, value: &[u8], item: usize, out: &mut [u8]) -> Result<()> {
    match (kind, item) {
        (1, _) => out.fill(0),
        (2, 4) => out.chunks_exact_mut(4).for_each(|x| x.copy_from_slice(&f32::NAN.to_le_bytes())),
        (2, 8) => out.chunks_exact_mut(8).for_each(|x| x.copy_from_slice(&f64::NAN.to_le_bytes())),
        (3, _) if !value.is_empty() && out.len().is_multiple_of(value.len()) => {
            out.chunks_exact_mut(value.len()).for_each(|x| x.copy_from_slice(value));
        }
        (4, _) => return Err(damaged("its values were never written")),
        _ => return Err(damaged("a special value of an unknown kind")),
    }
    Ok(())
}

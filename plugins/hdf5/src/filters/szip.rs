//! SZIP (filter 4): the extended Rice code of CCSDS 121.0-B, as libaec writes it for HDF5.

use tiled_plugin_api::author::{Error, Result};

use super::{head, too_long, truncated};

/// Options of the filter's first parameter.
const MSB: u32 = 16;
const NEAREST_NEIGHBOUR: u32 = 32;
/// Runs of this number of zero blocks stand for "to the end of the segment".
const REST_OF_SEGMENT: u64 = 5;

/// How the samples of a chunk are coded.
struct Code {
    /// Bits of one sample: 8 for elements of 32 and 64 bits, whose bytes are coded lane by lane.
    bits: u32,
    /// Samples of one block.
    block: usize,
    /// Samples of one line, and with the padding to whole blocks.
    line: usize,
    padded: usize,
    /// Differences to the sample before are coded.
    predicts: bool,
    big_endian: bool,
    /// Lanes of bytes, 1 for none.
    lanes: usize,
}

impl Code {
    fn of(cd: &[u32]) -> Result<Code> {
        let &[mask, block, bits, line, ..] = cd else {
            return Err(Error::invalid_data("its parameters are missing"));
        };
        let (block, line) = (block as usize, line as usize);
        let lanes = if matches!(bits, 32 | 64) { bits as usize / 8 } else { 1 };
        let bits = if lanes > 1 { 8 } else { bits };
        if !(2..=64).contains(&block) || block % 2 != 0 || line == 0 || !(1..=32).contains(&bits) {
            return Err(Error::invalid_data("its parameters make no sense"));
        }
        let padded =
            line.checked_next_multiple_of(block).ok_or_else(|| Error::invalid_data("a line is too long"))?;
        let (predicts, big_endian) = (mask & NEAREST_NEIGHBOUR != 0, mask & MSB != 0);
        Ok(Code { bits, block, line, padded, predicts, big_endian, lanes })
    }

    /// Bytes of one sample.
    fn size(&self) -> usize {
        match self.bits {
            0..=8 => 1,
            9..=16 => 2,
            _ => 4,
        }
    }
}

/// Decodes one chunk, led by its length, and says how many bytes it gave. `cd`: options, samples of a block, bits of an
/// element, elements of a line.
///
/// # Errors
/// `InvalidData` when it is damaged or does not fit into `out`.
pub fn decode(input: &[u8], out: &mut [u8], cd: &[u32]) -> Result<usize> {
    let (length, input) = input.split_first_chunk::<4>().ok_or_else(truncated)?;
    let total = u32::from_le_bytes(*length) as usize;
    let room = out.len();
    let out = head(out, total)?;
    let code = Code::of(cd)?;
    if !total.is_multiple_of(code.size() * code.lanes) {
        return Err(Error::invalid_data(format!("{total} bytes are no whole number of samples")));
    }
    if code.lanes == 1 {
        samples(&code, input, out)?;
        return Ok(total);
    }
    let mut planes = vec![0; total.min(room)];
    samples(&code, input, &mut planes)?;
    super::transpose::unshuffle(&planes, out, code.lanes);
    Ok(total)
}

/// Decodes line by line; each is a segment of its own.
fn samples(code: &Code, input: &[u8], out: &mut [u8]) -> Result<()> {
    let mut bits = Bits { input, at: 0, word: 0, left: 0 };
    let mut segment = Vec::with_capacity(code.padded.min(out.len() + 2 * code.block));
    for line in out.chunks_mut(code.line.saturating_mul(code.size())) {
        let wanted = line.len() / code.size();
        segment.clear();
        decode_segment(code, &mut bits, &mut segment, wanted)?;
        if code.predicts {
            undo_prediction(code.bits, &mut segment);
        }
        for (sample, place) in segment.iter().zip(line.chunks_exact_mut(code.size())) {
            let bytes = if code.big_endian { sample.to_be_bytes() } else { sample.to_le_bytes() };
            let part = if code.big_endian { bytes.get(4 - place.len()..) } else { bytes.get(..place.len()) };
            place.copy_from_slice(part.ok_or_else(too_wide)?);
        }
    }
    Ok(())
}

fn too_wide() -> Error {
    too_long(4)
}

/// Appends the coded values of one segment: all its blocks, or those that hold the `wanted` samples of the last line.
fn decode_segment(code: &Code, bits: &mut Bits, segment: &mut Vec<u32>, wanted: usize) -> Result<()> {
    let id_bits = match code.bits {
        0..=8 => 3,
        9..=16 => 4,
        _ => 5,
    };
    let end = if wanted < code.line { wanted } else { code.padded };
    while segment.len() < end {
        let first = code.predicts && segment.is_empty();
        let id = bits.take(id_bits)?;
        let target = segment.len() + code.block;
        if id == (1 << id_bits) - 1 {
            while segment.len() < target {
                segment.push(bits.take(code.bits)?);
            }
            continue;
        }
        let second_extension = id == 0 && bits.take(1)? == 1;
        if first {
            segment.push(bits.take(code.bits)?);
        }
        if second_extension {
            pairs(bits, segment, target, first)?;
        } else if id == 0 {
            let blocks = zero_blocks(code, bits, target - code.block)?;
            segment.resize(target + (blocks - 1) * code.block, 0);
        } else {
            split(bits, segment, target, id - 1)?;
        }
    }
    Ok(())
}

/// How many blocks of zeros begin at sample `at` of the segment.
fn zero_blocks(code: &Code, bits: &mut Bits, at: usize) -> Result<usize> {
    let (all, block) = (code.padded / code.block, at / code.block);
    let coded = u64::from(bits.unary()?) + 1;
    let count = match coded {
        REST_OF_SEGMENT => (all - block).min(64 - block % 64),
        more if more > REST_OF_SEGMENT => usize::try_from(more - 1).map_err(Error::internal)?,
        few => usize::try_from(few).map_err(Error::internal)?,
    };
    if count > all - block {
        return Err(Error::invalid_data("a run of zeros goes beyond its segment"));
    }
    Ok(count)
}

/// Two samples in one number. Behind a reference sample the first of the first pair is left out.
fn pairs(bits: &mut Bits, segment: &mut Vec<u32>, target: usize, mut skip: bool) -> Result<()> {
    while segment.len() < target {
        let coded = bits.unary()?;
        let mut sum = 0;
        while (sum + 1) * (sum + 2) / 2 <= coded {
            sum += 1;
        }
        // A sum of two samples of more than 32 bits cannot be.
        let second = coded - sum * (sum + 1) / 2;
        if !skip {
            segment.push(sum - second);
        }
        segment.push(second);
        skip = false;
    }
    Ok(())
}

/// High parts in unary, then low parts of `low` bits.
fn split(bits: &mut Bits, segment: &mut Vec<u32>, target: usize, low: u32) -> Result<()> {
    let from = segment.len();
    while segment.len() < target {
        let high = bits.unary()?;
        segment.push(high.checked_shl(low).unwrap_or(0));
    }
    if low > 0 {
        for value in segment.iter_mut().skip(from) {
            *value |= bits.take(low)?;
        }
    }
    Ok(())
}

/// From differences, folded to positive numbers, to samples.
fn undo_prediction(bits: u32, segment: &mut [u32]) {
    let max = u32::MAX >> (32 - bits);
    let Some((first, rest)) = segment.split_first_mut() else { return };
    let mut last = *first & max;
    for value in rest {
        let d = *value;
        let mirrored = if last > max / 2 { max - last } else { last };
        last = if d.div_ceil(2) <= mirrored {
            if d & 1 == 0 { last.wrapping_add(d / 2) } else { last.wrapping_sub(d.div_ceil(2)) }
        } else if last > max / 2 {
            max.wrapping_sub(d)
        } else {
            d
        } & max;
        *value = last;
    }
}

/// Bits, the most significant first.
struct Bits<'a> {
    input: &'a [u8],
    at: usize,
    /// The next bits, at its top.
    word: u64,
    left: u32,
}

impl Bits<'_> {
    fn fill(&mut self) {
        while self.left <= 56 {
            let Some(byte) = self.input.get(self.at) else { return };
            self.word |= u64::from(*byte) << (56 - self.left);
            self.left += 8;
            self.at += 1;
        }
    }

    /// A number of at most 32 bits.
    fn take(&mut self, count: u32) -> Result<u32> {
        if count == 0 {
            return Ok(0);
        }
        self.fill();
        if self.left < count {
            return Err(truncated());
        }
        let value = self.word >> (64 - count);
        self.word <<= count;
        self.left -= count;
        u32::try_from(value).map_err(Error::internal)
    }

    /// The number of zeros before the next one.
    fn unary(&mut self) -> Result<u32> {
        let mut zeros = 0_u32;
        loop {
            self.fill();
            if self.left == 0 {
                return Err(truncated());
            }
            let here = self.word.leading_zeros().min(self.left);
            zeros = zeros
                .checked_add(here)
                .filter(|zeros| *zeros < 1 << 20)
                .ok_or_else(|| Error::invalid_data("a run of bits is too long"))?;
            if here < self.left {
                self.word = (self.word << here) << 1;
                self.left -= here + 1;
                return Ok(zeros);
            }
            (self.word, self.left) = (0, 0);
        }
    }
}

//! CCITT fax compressions: modified Huffman (2), Group 3 in one or two dimensions (3), Group 4 (4).
//!
//! Black is 1, as stored; whether that is shown black is for the client to know.

use fax::{
    BitReader, ByteReader,
    maps::{Mode, black, mode, white},
};
use tiled_plugin_api::prelude::Result;

use crate::{file::File, page::Page};

type Bits<'a> = ByteReader<Box<dyn Iterator<Item = std::result::Result<u8, std::convert::Infallible>> + 'a>>;

/// Pixels of a segment, one byte each.
///
/// # Errors
/// `InvalidData` for codes that do not exist and data that end early.
pub fn decode(file: &File, page: &Page, raw: &[u8], shape: [u64; 4]) -> Result<Vec<u8>> {
    let [depth, rows, width, _] = shape;
    let width = usize::try_from(width).unwrap_or(usize::MAX);
    let two_dimensions = match page.layout.compression {
        3 => page.directory.number(file, 292)?.unwrap_or(0) & 1 == 1,
        other => other == 4,
    };
    let mut fax = Fax { bits: bits(raw), width, two_dimensions, kind: page.layout.compression };
    let (mut reference, mut out) = (vec![], vec![]);
    for row in 0..rows * depth {
        match fax.row(&reference) {
            Some(Row::Changes(changes)) => reference = changes,
            // Encoders may leave out white rows at the end of the block.
            Some(Row::EndOfBlock) => reference = vec![],
            None => {
                return Err(file.damaged(format_args!("CCITT: damaged or truncated at row {row} of {rows}")));
            }
        }
        paint(&reference, width, &mut out);
    }
    Ok(out)
}

fn bits(raw: &[u8]) -> Bits<'_> {
    // Codes are looked up by more bits than they have: zeros behind the end let the last ones be found.
    let bytes = raw.iter().copied().chain([0; 4]).map(Ok);
    let boxed: Box<dyn Iterator<Item = std::result::Result<u8, std::convert::Infallible>> + '_> =
        Box::new(bytes);
    match ByteReader::new(boxed) {
        Ok(reader) => reader,
        Err(never) => match never {},
    }
}

fn paint(changes: &[usize], width: usize, out: &mut Vec<u8>) {
    let (mut at, mut color) = (0, 0u8);
    for change in changes.iter().chain([&width]) {
        let end = (*change).clamp(at, width);
        out.extend(std::iter::repeat_n(color, end - at));
        at = end;
        color ^= 1;
    }
    out.extend(std::iter::repeat_n(0, width - at));
}

enum Row {
    /// Where colours change, white first.
    Changes(Vec<usize>),
    EndOfBlock,
}

struct Fax<'a> {
    bits: Bits<'a>,
    width: usize,
    two_dimensions: bool,
    kind: u64,
}

impl Fax<'_> {
    fn row(&mut self, reference: &[usize]) -> Option<Row> {
        match self.kind {
            2 => {
                let skip = self.bits.bits_to_byte_boundary();
                self.bits.consume(skip).ok()?;
                self.row_1d().map(Row::Changes)
            }
            3 => {
                let has_end_of_line = self.skip_end_of_line();
                if self.two_dimensions && has_end_of_line {
                    let is_1d = self.bits.peek(1)? == 1;
                    self.bits.consume(1).ok()?;
                    if !is_1d {
                        return self.row_2d(reference);
                    }
                }
                self.row_1d().map(Row::Changes)
            }
            _ => self.row_2d(reference),
        }
    }

    /// Skips fill bits and the code for the end of a line, where they are next.
    fn skip_end_of_line(&mut self) -> bool {
        if self.bits.peek(11) != Some(0) {
            return false;
        }
        while self.bits.peek(1) == Some(0) {
            if self.bits.consume(1).is_err() {
                return false;
            }
        }
        self.bits.peek(1) == Some(1) && self.bits.consume(1).is_ok()
    }

    fn run(&mut self, is_black: bool) -> Option<usize> {
        let mut sum = 0usize;
        loop {
            let run = if is_black { black::decode(&mut self.bits) } else { white::decode(&mut self.bits) }?;
            sum += usize::from(run);
            if run < 64 {
                return Some(sum);
            }
            if sum > self.width {
                return None;
            }
        }
    }

    fn row_1d(&mut self) -> Option<Vec<usize>> {
        let (mut changes, mut at, mut is_black) = (vec![], 0, false);
        while at < self.width {
            at += self.run(is_black)?;
            changes.push(at.min(self.width));
            is_black = !is_black;
        }
        Some(changes)
    }

    fn row_2d(&mut self, reference: &[usize]) -> Option<Row> {
        let (mut changes, mut is_black) = (vec![], false);
        // Nothing is decided before the first pixel: it may be a change itself.
        let mut at: Option<usize> = None;
        let mut near = 0usize;
        while at.unwrap_or(0) < self.width {
            // The first change of the row above, right of here, to the other colour.
            near = near.saturating_sub(2);
            near += (near & 1) ^ usize::from(is_black);
            while reference.get(near).is_some_and(|change| at.is_some_and(|at| *change <= at)) {
                near += 2;
            }
            let above = |i: usize| reference.get(i).copied().unwrap_or(self.width);
            match mode::decode(&mut self.bits)? {
                Mode::Pass => at = Some(above(near + 1)),
                Mode::Horizontal => {
                    let first = at.unwrap_or(0) + self.run(is_black)?;
                    let second = first + self.run(!is_black)?;
                    changes.extend([first.min(self.width), second.min(self.width)]);
                    at = Some(second);
                }
                Mode::Vertical(by) => {
                    let change = above(near).saturating_add_signed(isize::from(by));
                    let change = change.clamp(at.unwrap_or(0), self.width);
                    changes.push(change);
                    at = Some(change);
                    is_black = !is_black;
                }
                Mode::EOF if at.is_none() => return Some(Row::EndOfBlock),
                Mode::EOF | Mode::Extension => return None,
            }
        }
        Some(Row::Changes(changes))
    }
}

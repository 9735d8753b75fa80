//! Records and fields, as the C tokenizer of pandas cuts them.

use std::io::Read;

use tiled_plugin_api::author::{Error, Result};

/// A record of more bytes (a quote that is never closed) is refused.
const MAX_RECORD_BYTES: usize = 256 << 20;
const PIECE_BYTES: usize = 64 << 10;

/// What separates and encloses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    /// Between fields.
    pub delimiter: u8,
    /// Around fields.
    pub quote: Option<u8>,
    /// From here to the end of the line nothing counts.
    pub comment: Option<u8>,
    /// Blanks behind a delimiter do not count.
    pub skip_initial_space: bool,
    /// Lines of nothing, or of blanks only, do not count.
    pub skip_blank_lines: bool,
}

/// One record's fields, reused from record to record.
#[derive(Debug, Default)]
pub struct Record {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Record {
    /// How many fields.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// A field; empty behind the last. As pandas, a field ends at a zero byte.
    pub fn field(&self, place: usize) -> &[u8] {
        let start =
            if place == 0 { 0 } else { self.ends.get(place - 1).copied().unwrap_or(self.bytes.len()) };
        let end = self.ends.get(place).copied().unwrap_or(self.bytes.len());
        let field = self.bytes.get(start..end).unwrap_or_default();
        match field.iter().position(|byte| *byte == 0) {
            Some(zero) => field.get(..zero).unwrap_or_default(),
            None => field,
        }
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    fn end_field(&mut self) {
        self.ends.push(self.bytes.len());
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    StartRecord,
    Blanks,
    StartField,
    InField,
    InQuotes,
    QuoteInQuotes,
    Comment,
    LineComment,
}

/// Cuts a stream into records.
pub struct Tokens<R> {
    from: R,
    dialect: Dialect,
    piece: Vec<u8>,
    at: usize,
    state: State,
    after_cr: bool,
    ended: bool,
    /// Lines of the file so far, for messages.
    pub line: u64,
    quote_line: u64,
}

impl<R: Read> Tokens<R> {
    /// Over this stream.
    pub fn new(from: R, dialect: Dialect) -> Self {
        let state = State::StartRecord;
        Tokens {
            from,
            dialect,
            piece: Vec::new(),
            at: 0,
            state,
            after_cr: false,
            ended: false,
            line: 1,
            quote_line: 0,
        }
    }

    /// Passes over whole lines, whatever they hold.
    ///
    /// # Errors
    /// Those of the stream.
    pub fn skip_lines(&mut self, count: u64) -> Result<()> {
        for _ in 0..count {
            loop {
                match self.byte()? {
                    None => return Ok(()),
                    Some(b'\n') => break,
                    Some(b'\r') => {
                        self.after_cr = true;
                        break;
                    }
                    Some(_) => {}
                }
            }
            self.line += 1;
        }
        Ok(())
    }

    fn byte(&mut self) -> Result<Option<u8>> {
        if self.at >= self.piece.len() {
            if self.ended {
                return Ok(None);
            }
            self.piece.resize(PIECE_BYTES, 0);
            let got = self.from.read(&mut self.piece).map_err(stream_error)?;
            self.piece.truncate(got);
            self.at = 0;
            if got == 0 {
                self.ended = true;
                return Ok(None);
            }
        }
        let byte = self.piece.get(self.at).copied();
        self.at += 1;
        // The second half of a \r\n is no line of its own.
        if std::mem::take(&mut self.after_cr) && byte == Some(b'\n') {
            return self.byte();
        }
        Ok(byte)
    }

    /// Reads the next record; `false` at the end.
    ///
    /// # Errors
    /// `InvalidData` where a quote is never closed; those of the stream.
    pub fn next(&mut self, record: &mut Record) -> Result<bool> {
        record.clear();
        loop {
            if record.bytes.len() > MAX_RECORD_BYTES {
                let line = self.quote_line.max(1);
                return Err(Error::invalid_data(format!(
                    "the record at line {line} has more than {MAX_RECORD_BYTES} bytes"
                )));
            }
            if self.state == State::InField || self.state == State::InQuotes {
                self.run(record);
            }
            let Some(byte) = self.byte()? else { return self.end(record) };
            if self.step(byte, record) {
                return Ok(true);
            }
        }
    }

    /// Copies what needs no look at each byte.
    fn run(&mut self, record: &mut Record) {
        let rest = self.piece.get(self.at..).unwrap_or_default();
        let (delimiter, quote, comment) = (self.dialect.delimiter, self.dialect.quote, self.dialect.comment);
        let count = if self.state == State::InQuotes {
            rest.iter().take_while(|b| Some(**b) != quote && **b != b'\n' && **b != b'\r').count()
        } else {
            rest.iter()
                .take_while(|b| **b != delimiter && **b != b'\n' && **b != b'\r' && Some(**b) != comment)
                .count()
        };
        if count > 0 && !self.after_cr {
            record.bytes.extend_from_slice(rest.get(..count).unwrap_or_default());
            self.at += count;
        }
    }

    fn end(&mut self, record: &mut Record) -> Result<bool> {
        match std::mem::replace(&mut self.state, State::StartRecord) {
            State::StartRecord | State::Blanks | State::LineComment => Ok(false),
            State::InQuotes => {
                Err(Error::invalid_data(format!("the quote at line {} is never closed", self.quote_line)))
            }
            State::Comment => Ok(true),
            State::StartField | State::InField | State::QuoteInQuotes => {
                record.end_field();
                Ok(true)
            }
        }
    }

    /// Takes one byte; says whether it ended the record.
    fn step(&mut self, byte: u8, record: &mut Record) -> bool {
        let line_end = byte == b'\n' || byte == b'\r';
        if line_end {
            self.line += 1;
            if self.state == State::InQuotes {
                record.bytes.push(byte);
                return false;
            }
            self.after_cr = byte == b'\r';
        }
        match self.state {
            State::StartRecord | State::Blanks if line_end => {
                let blank = self.dialect.skip_blank_lines;
                if !blank {
                    record.end_field();
                }
                record.bytes.clear();
                self.state = State::StartRecord;
                !blank
            }
            State::StartRecord | State::Blanks => {
                let blank = (byte == b' ' || byte == b'\t') && byte != self.dialect.delimiter;
                if blank && self.dialect.skip_blank_lines {
                    record.bytes.push(byte);
                    self.state = State::Blanks;
                    return false;
                }
                if Some(byte) == self.dialect.comment {
                    record.bytes.clear();
                    self.state = State::LineComment;
                    return false;
                }
                // Blanks in front belong to the first field, and a quote behind them is no longer special.
                self.state = if record.bytes.is_empty() { State::StartField } else { State::InField };
                if self.dialect.skip_initial_space {
                    record.bytes.clear();
                    self.state = State::StartField;
                }
                self.in_record(byte, record)
            }
            State::LineComment | State::Comment if line_end => {
                let was_record = self.state == State::Comment;
                self.state = State::StartRecord;
                was_record
            }
            State::LineComment | State::Comment => false,
            _ => self.in_record(byte, record),
        }
    }

    fn in_record(&mut self, byte: u8, record: &mut Record) -> bool {
        match self.state {
            State::InQuotes => {
                if Some(byte) == self.dialect.quote {
                    self.state = State::QuoteInQuotes;
                } else {
                    record.bytes.push(byte);
                }
                return false;
            }
            State::QuoteInQuotes if Some(byte) == self.dialect.quote => {
                record.bytes.push(byte);
                self.state = State::InQuotes;
                return false;
            }
            _ => {}
        }
        if byte == b'\n' || byte == b'\r' {
            record.end_field();
            self.state = State::StartRecord;
            return true;
        }
        if byte == self.dialect.delimiter {
            record.end_field();
            self.state = State::StartField;
        } else if Some(byte) == self.dialect.comment {
            record.end_field();
            self.state = State::Comment;
        } else if self.state == State::StartField && Some(byte) == self.dialect.quote {
            self.quote_line = self.line;
            self.state = State::InQuotes;
        } else if !(self.state == State::StartField && self.dialect.skip_initial_space && byte == b' ') {
            record.bytes.push(byte);
            self.state = State::InField;
        }
        false
    }
}

fn stream_error(error: std::io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(ours) => ours,
        Err(other) => Error::invalid_data(format!("the text cannot be read: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn dialect() -> Dialect {
        Dialect {
            delimiter: b',',
            quote: Some(b'"'),
            comment: None,
            skip_initial_space: false,
            skip_blank_lines: true,
        }
    }

    fn check(text: &str, dialect: Dialect) -> Result<Vec<Vec<String>>> {
        let mut tokens = Tokens::new(text.as_bytes(), dialect);
        let (mut record, mut all) = (Record::default(), Vec::new());
        while tokens.next(&mut record)? {
            all.push(
                (0..record.len()).map(|f| String::from_utf8(record.field(f).to_vec()).unwrap()).collect(),
            );
        }
        Ok(all)
    }

    fn records(expected: &[&[&str]]) -> Vec<Vec<String>> {
        expected.iter().map(|record| record.iter().map(|field| (*field).to_owned()).collect()).collect()
    }

    #[test]
    fn quotes_are_those_of_pandas() {
        let text = "a,b\n\"x \"\"y\"\"\",z\"z\n\"q\"w,\"l\nm\"\n";
        let expected = records(&[&["a", "b"], &["x \"y\"", "z\"z"], &["qw", "l\nm"]]);
        assert_eq!(check(text, dialect()).unwrap(), expected);
        assert!(check("a,\"b", dialect()).unwrap_err().message.contains("line 1"));
    }

    #[test]
    fn lines_end_in_three_ways_and_blank_ones_do_not_count() {
        assert_eq!(
            check("a,b\r\n\r\n \t\r\n1,2\r3,\n", dialect()).unwrap(),
            records(&[&["a", "b"], &["1", "2"], &["3", ""]])
        );
        assert_eq!(check(" 1,2", dialect()).unwrap(), records(&[&[" 1", "2"]]));
        assert_eq!(
            check("a\n\nb", Dialect { skip_blank_lines: false, ..dialect() }).unwrap(),
            records(&[&["a"], &[""], &["b"]])
        );
    }

    #[test]
    fn comments_and_initial_blanks_can_be_skipped() {
        let text = "#x\na, b\n1, \"2\"#c\n";
        let dialect = Dialect { comment: Some(b'#'), skip_initial_space: true, ..dialect() };
        assert_eq!(check(text, dialect).unwrap(), records(&[&["a", "b"], &["1", "2"]]));
    }

    #[test]
    fn a_field_ends_at_a_zero_byte() {
        assert_eq!(check("a\0b,c\n", dialect()).unwrap(), records(&[&["a", "c"]]));
    }
}

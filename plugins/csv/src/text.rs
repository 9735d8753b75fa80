//! A file's text as a stream of bytes: decompressed, without its byte order mark, UTF-16 turned into UTF-8.

use std::io::{BufReader, Read};

use encoding_rs::{CoderResult, Decoder, UTF_16BE, UTF_16LE};
use tiled_plugin_api::author::{Error, Result, Source};

/// How the bytes of the stream are to be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As UTF-8.
    Utf8,
    /// As Latin-1 (Windows 1252).
    Latin1,
}

const HEAD_BYTES: usize = 4096;
const BUFFER_BYTES: usize = 256 << 10;

/// The file's text, in an encoding named as Python does, or found out from its beginning.
///
/// # Errors
/// `InvalidArgument` for an encoding unknown here; those of the source.
pub fn open(source: &Source, encoding: Option<&str>) -> Result<(Box<dyn Read + Send>, Encoding)> {
    let plain = BufReader::with_capacity(BUFFER_BYTES, source.cursor());
    let mut head = [0; 4];
    let got = source.read_at(0, &mut head)?;
    let head = head.get(..got).unwrap_or_default();
    let bytes: Box<dyn Read + Send> = if head.starts_with(&[0x1f, 0x8b]) {
        Box::new(flate2::bufread::MultiGzDecoder::new(plain))
    } else if head.starts_with(b"BZh") {
        Box::new(bzip2::bufread::MultiBzDecoder::new(plain))
    } else {
        Box::new(plain)
    };
    decoded(bytes, encoding)
}

fn decoded(mut bytes: Box<dyn Read + Send>, name: Option<&str>) -> Result<(Box<dyn Read + Send>, Encoding)> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    bytes.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    if head.starts_with(&[0xff, 0xfe, 0, 0]) || head.starts_with(&[0, 0, 0xfe, 0xff]) {
        return Err(Error::invalid_data("the text is UTF-32, which is not read: save it as UTF-8"));
    }
    let found = match name.map(|name| name.to_ascii_lowercase().replace('_', "-")) {
        None => sniffed(&head),
        Some(name) => match name.as_str() {
            "utf-8" | "utf8" | "utf-8-sig" | "ascii" => Found::Utf8,
            "latin-1" | "latin1" | "iso-8859-1" | "cp1252" | "windows-1252" => Found::Latin1,
            "utf-16-le" => Found::Utf16(false),
            "utf-16-be" => Found::Utf16(true),
            "utf-16" => Found::Utf16(head.starts_with(&[0xfe, 0xff])),
            other => {
                return Err(Error::new(
                    tiled_plugin_api::author::ErrorKind::InvalidArgument,
                    format!("The encoding {other} is not supported. Use utf-8, latin-1 or utf-16"),
                ));
            }
        },
    };
    let skip = match found {
        Found::Utf16(_) if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) => 2,
        Found::Utf8 if head.starts_with(&[0xef, 0xbb, 0xbf]) => 3,
        _ => 0,
    };
    head.drain(..skip);
    let bytes = std::io::Cursor::new(head).chain(bytes);
    Ok(match found {
        Found::Utf16(big) => (Box::new(Utf16::new(bytes, big)), Encoding::Utf8),
        Found::Latin1 => (Box::new(bytes), Encoding::Latin1),
        Found::Utf8 => (Box::new(bytes), Encoding::Utf8),
    })
}

enum Found {
    Utf8,
    Latin1,
    Utf16(bool),
}

/// A byte order mark tells; so do zero bytes, which ASCII text has in every second place of UTF-16.
fn sniffed(head: &[u8]) -> Found {
    match head {
        [0xef, 0xbb, 0xbf, ..] => return Found::Utf8,
        [0xff, 0xfe, ..] => return Found::Utf16(false),
        [0xfe, 0xff, ..] => return Found::Utf16(true),
        _ => {}
    }
    let zeros = |first: usize| head.iter().skip(first).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    let pairs = head.len() / 2;
    if pairs >= 2 && odd * 2 > pairs && even == 0 {
        Found::Utf16(false)
    } else if pairs >= 2 && even * 2 > pairs && odd == 0 {
        Found::Utf16(true)
    } else {
        Found::Utf8
    }
}

/// UTF-16 as UTF-8.
struct Utf16<R> {
    from: R,
    decoder: Decoder,
    raw: Vec<u8>,
    text: Vec<u8>,
    at: usize,
    ended: bool,
}

impl<R: Read> Utf16<R> {
    fn new(from: R, big: bool) -> Self {
        let decoder = if big { UTF_16BE } else { UTF_16LE }.new_decoder_without_bom_handling();
        Utf16 { from, decoder, raw: Vec::new(), text: Vec::new(), at: 0, ended: false }
    }

    fn fill(&mut self) -> std::io::Result<()> {
        let mut piece = vec![0; 32 << 10];
        let got = self.from.read(&mut piece)?;
        self.ended = got == 0;
        self.raw.extend_from_slice(piece.get(..got).unwrap_or_default());
        let room = self.decoder.max_utf8_buffer_length(self.raw.len()).unwrap_or(64 << 10);
        self.text.resize(room.max(16), 0);
        let (result, read, written, _) = self.decoder.decode_to_utf8(&self.raw, &mut self.text, self.ended);
        self.raw.drain(..read);
        self.text.truncate(written);
        self.at = 0;
        match result {
            CoderResult::InputEmpty => Ok(()),
            CoderResult::OutputFull => Err(std::io::Error::other("no room to decode UTF-16")),
        }
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        while self.at == self.text.len() && !self.ended {
            self.fill()?;
        }
        let rest = self.text.get(self.at..).unwrap_or_default();
        let count = rest.len().min(out.len());
        for (slot, byte) in out.iter_mut().zip(rest) {
            *slot = *byte;
        }
        self.at += count;
        Ok(count)
    }
}

/// The text of a field.
pub fn field(bytes: &[u8], latin1: bool) -> std::borrow::Cow<'_, str> {
    if latin1 { encoding_rs::mem::decode_latin1(bytes) } else { String::from_utf8_lossy(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], name: Option<&str>) -> (Vec<u8>, Encoding) {
        let (mut text, encoding) = decoded(Box::new(std::io::Cursor::new(bytes.to_vec())), name).unwrap();
        let mut out = Vec::new();
        text.read_to_end(&mut out).unwrap();
        (out, encoding)
    }

    #[test]
    fn encodings_are_found_out() {
        let wide = |big: bool| -> Vec<u8> {
            let units = "a,ü\n1,😀\n".encode_utf16();
            units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
        };
        let text = "a,ü\n1,😀\n".as_bytes().to_vec();
        assert_eq!(read(&wide(true), Some("utf-16-be")), (text.clone(), Encoding::Utf8));
        assert_eq!(read(&[vec![0xff, 0xfe], wide(false)].concat(), None), (text.clone(), Encoding::Utf8));
        assert_eq!(
            read(&[vec![0xef, 0xbb, 0xbf], text.clone()].concat(), None),
            (text.clone(), Encoding::Utf8)
        );
        assert_eq!(read(&text, None), (text, Encoding::Utf8));
        let longs: Vec<u8> = "\u{feff}a,b".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        let error = decoded(Box::new(std::io::Cursor::new(longs)), None).err().unwrap();
        assert!(error.message.contains("UTF-32"), "{error}");
        assert_eq!(field(b"\xfc", true), "ü");
    }
}

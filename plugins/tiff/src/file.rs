//! The TIFF container: header, byte order, directories (IFDs) and their tags.
//!
//! Takes a source and offsets, gives tags with values that were checked against the size of the file. Never looks at
//! pixels.

use tiled_plugin_api::prelude::{Error, Result, Source};

/// An opened container. Cheap to clone.
#[derive(Clone)]
pub struct File {
    /// Where the bytes are.
    pub source: Source,
    /// Bytes of the file when it was opened.
    pub len: u64,
    /// Whether numbers are stored with the most significant byte first.
    pub big_endian: bool,
    /// BigTIFF: offsets of 8 bytes.
    pub big_tiff: bool,
    /// Where the first directory is.
    pub first: u64,
}

/// One entry of a directory. Its value is read when it is asked for.
#[derive(Debug, Clone)]
pub struct Tag {
    /// What it says.
    pub code: u16,
    /// TIFF's number of the type of its items.
    pub kind: u16,
    /// How many items.
    pub count: u64,
    /// Where the value is in the file.
    pub at: u64,
}

/// The value of a tag.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// BYTE and UNDEFINED.
    Bytes(Vec<u8>),
    /// ASCII, as stored.
    Ascii(Vec<u8>),
    /// Unsigned numbers; two each for rationals.
    Unsigned(Vec<u64>),
    /// Signed numbers; two each for rationals.
    Signed(Vec<i64>),
    /// Floats of either size.
    Floats(Vec<f64>),
}

/// A directory: its tags, where it is and where the next one is.
pub struct Directory {
    /// Its offset.
    pub at: u64,
    /// In file order.
    pub tags: Vec<Tag>,
}

/// More tags than this in one directory are a sign of damage.
const MAX_TAGS: u64 = 4096;
/// Read at once where a directory begins: most fit in.
const DIRECTORY_BYTES: usize = 1024;

/// Bytes of one item of this type; `None` for types that TIFF does not have.
fn item_bytes(kind: u16) -> Option<u64> {
    Some(match kind {
        1 | 2 | 6 | 7 => 1,
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16 | 17 | 18 => 8,
        _ => return None,
    })
}

impl File {
    /// Reads the header.
    ///
    /// # Errors
    /// `InvalidData` when it is not that of a TIFF file.
    pub fn open(source: &Source) -> Result<Self> {
        let len = source.len()?;
        let mut head = [0u8; 16];
        let wanted = usize::try_from(len.min(16)).unwrap_or(16);
        source.read_exact_at(0, &mut head[..wanted])?;
        let big_endian = match &head[..2] {
            b"II" => false,
            b"MM" => true,
            _ => return Err(not_tiff(source)),
        };
        let mut file = File { source: source.clone(), len, big_endian, big_tiff: false, first: 0 };
        file.first = match file.u16(&head[2..]) {
            42 if len >= 8 => file.u32(&head[4..]),
            43 if len >= 16 && file.u16(&head[4..]) == 8 => {
                file.big_tiff = true;
                file.u64(&head[8..])
            }
            _ => return Err(not_tiff(source)),
        };
        Ok(file)
    }

    /// `InvalidData` that names the file.
    pub fn damaged(&self, what: impl std::fmt::Display) -> Error {
        Error::invalid_data(format!("{}: {what}", self.source.name()))
    }

    /// `UnsupportedFormat` that names the file.
    pub fn unknown(&self, what: impl std::fmt::Display) -> Error {
        Error::unsupported_format(format!("{}: {what}", self.source.name()))
    }

    fn u16(&self, bytes: &[u8]) -> u64 {
        self.number(bytes, 2)
    }

    fn u32(&self, bytes: &[u8]) -> u64 {
        self.number(bytes, 4)
    }

    fn u64(&self, bytes: &[u8]) -> u64 {
        self.number(bytes, 8)
    }

    /// The first `size` bytes as an unsigned number; what is missing counts as 0.
    fn number(&self, bytes: &[u8], size: usize) -> u64 {
        let mut all = [0u8; 8];
        for (i, byte) in bytes.iter().take(size).enumerate() {
            all[if self.big_endian { size - 1 - i } else { i }] = *byte;
        }
        u64::from_le_bytes(all)
    }

    /// Bytes of the count of tags, of a tag, and of an offset.
    fn sizes(&self) -> (u64, u64, u64) {
        if self.big_tiff { (8, 20, 8) } else { (2, 12, 4) }
    }

    /// Reads `bytes` bytes at `at`, after a check against the size of the file.
    ///
    /// # Errors
    /// `InvalidData` when they reach beyond the end.
    pub fn bytes(&self, at: u64, bytes: u64) -> Result<Vec<u8>> {
        if at.checked_add(bytes).is_none_or(|end| end > self.len) {
            return Err(self.damaged(format_args!("truncated: {bytes} bytes at {at} of {} wanted", self.len)));
        }
        let mut out = vec![0; usize::try_from(bytes).map_err(Error::internal)?];
        self.source.read_exact_at(at, &mut out)?;
        Ok(out)
    }

    /// Bytes of the directory at `at`, its count of tags in front, the next offset behind.
    fn raw_directory(&self, at: u64) -> Result<(Vec<u8>, usize)> {
        let (count_bytes, tag_bytes, offset_bytes) = self.sizes();
        let there = self.len.saturating_sub(at).min(DIRECTORY_BYTES as u64);
        if at < 8 || there < count_bytes {
            return Err(self.damaged(format_args!("there is no directory at {at}")));
        }
        let mut raw = self.bytes(at, there)?;
        let count = self.number(&raw, usize::try_from(count_bytes).unwrap_or(2));
        if count > MAX_TAGS {
            return Err(self.damaged(format_args!("the directory at {at} claims {count} tags")));
        }
        let tags = count * tag_bytes;
        let whole = count_bytes + tags + offset_bytes;
        if whole > there {
            // The last directory of a cut file may lack its next offset: that is no harm.
            let enough = (count_bytes + tags).min(whole);
            if at + enough > self.len {
                return Err(self.damaged(format_args!("the directory at {at} is truncated")));
            }
            raw = self.bytes(at, whole.min(self.len - at))?;
        }
        Ok((raw, usize::try_from(count).unwrap_or(0)))
    }

    /// The directory at `at`. Tags of an unknown type or that point out of the file are left out.
    ///
    /// # Errors
    /// `InvalidData` when there is none.
    pub fn directory(&self, at: u64) -> Result<Directory> {
        let (raw, count) = self.raw_directory(at)?;
        let (count_bytes, tag_bytes, offset_bytes) = self.sizes();
        let mut tags = Vec::with_capacity(count);
        for i in 0..count as u64 {
            let start = usize::try_from(count_bytes + i * tag_bytes).unwrap_or(usize::MAX);
            let Some(entry) = raw.get(start..) else { break };
            let [code, kind] = [self.u16(entry), self.u16(entry.get(2..).unwrap_or_default())];
            let (code, kind) = (u16::try_from(code).unwrap_or(0), u16::try_from(kind).unwrap_or(0));
            let rest = entry.get(4..).unwrap_or_default();
            let width = usize::try_from(offset_bytes).unwrap_or(4);
            let count = self.number(rest, width);
            let Some(bytes) = item_bytes(kind).and_then(|one| one.checked_mul(count)) else { continue };
            let inline = at + count_bytes + i * tag_bytes + tag_bytes - offset_bytes;
            let offset = self.number(rest.get(width..).unwrap_or_default(), width);
            let value_at = if bytes <= offset_bytes { inline } else { offset };
            if value_at < 8 || value_at.checked_add(bytes).is_none_or(|end| end > self.len) {
                continue;
            }
            tags.push(Tag { code, kind, count, at: value_at });
        }
        Ok(Directory { at, tags })
    }

    /// The offset of the directory after the one at `at`; 0 at the end.
    ///
    /// # Errors
    /// As [`File::directory`].
    pub fn next(&self, at: u64) -> Result<u64> {
        let (raw, count) = self.raw_directory(at)?;
        let (count_bytes, tag_bytes, offset_bytes) = self.sizes();
        let start = usize::try_from(count_bytes + count as u64 * tag_bytes).unwrap_or(usize::MAX);
        let next = raw.get(start..).unwrap_or_default();
        let width = usize::try_from(offset_bytes).unwrap_or(4);
        Ok(if next.len() < width { 0 } else { self.number(next, width) })
    }

    /// The offsets of all directories of the chain. A chain that bites its tail or leads out of the file ends there.
    ///
    /// # Errors
    /// `InvalidData` when there is not even one.
    pub fn chain(&self) -> Result<Vec<u64>> {
        let mut offsets = vec![self.first];
        let mut seen = std::collections::HashSet::from([self.first]);
        let mut next = self.next(self.first)?;
        while next != 0 && next < self.len && seen.insert(next) {
            let Ok(after) = self.next(next) else { break };
            offsets.push(next);
            next = after;
        }
        Ok(offsets)
    }

    /// The value of a tag.
    ///
    /// # Errors
    /// `InvalidData` when the file has become shorter.
    pub fn value(&self, tag: &Tag) -> Result<Value> {
        let one = item_bytes(tag.kind).unwrap_or(1);
        let raw = self.bytes(tag.at, one.saturating_mul(tag.count))?;
        let unsigned =
            |size: usize| raw.chunks_exact(size).map(|item| self.number(item, size)).collect::<Vec<_>>();
        let signed = |size: usize| {
            let shift = 64 - 8 * size;
            unsigned(size).into_iter().map(|v| ((v << shift) as i64) >> shift).collect()
        };
        Ok(match tag.kind {
            2 => Value::Ascii(raw),
            3 => Value::Unsigned(unsigned(2)),
            4 | 5 | 13 => Value::Unsigned(unsigned(4)),
            16 | 18 => Value::Unsigned(unsigned(8)),
            6 => Value::Signed(signed(1)),
            8 => Value::Signed(signed(2)),
            9 | 10 => Value::Signed(signed(4)),
            17 => Value::Signed(signed(8)),
            11 => {
                Value::Floats(unsigned(4).into_iter().map(|v| f64::from(f32::from_bits(v as u32))).collect())
            }
            12 => Value::Floats(unsigned(8).into_iter().map(f64::from_bits).collect()),
            _ => Value::Bytes(raw),
        })
    }
}

fn not_tiff(source: &Source) -> Error {
    Error::invalid_data(format!("{}: not a TIFF file", source.name()))
}

impl Directory {
    /// The first tag of this code.
    pub fn tag(&self, code: u16) -> Option<&Tag> {
        self.tags.iter().find(|tag| tag.code == code)
    }

    /// Whether there is such a tag.
    pub fn has(&self, code: u16) -> bool {
        self.tag(code).is_some()
    }

    /// The value of a tag as unsigned numbers; `None` where it is absent or holds none.
    ///
    /// # Errors
    /// As [`File::value`].
    pub fn numbers(&self, file: &File, code: u16) -> Result<Option<Vec<u64>>> {
        let Some(tag) = self.tag(code) else { return Ok(None) };
        Ok(match file.value(tag)? {
            Value::Unsigned(values) => Some(values),
            Value::Signed(values) => {
                Some(values.into_iter().map(|v| u64::try_from(v).unwrap_or(0)).collect())
            }
            Value::Bytes(values) => Some(values.into_iter().map(u64::from).collect()),
            Value::Floats(_) | Value::Ascii(_) => None,
        })
    }

    /// The first number of a tag.
    ///
    /// # Errors
    /// As [`File::value`].
    pub fn number(&self, file: &File, code: u16) -> Result<Option<u64>> {
        Ok(self.numbers(file, code)?.and_then(|values| values.first().copied()))
    }

    /// The text of the `nth` tag of this code; empty where there is none.
    ///
    /// # Errors
    /// As [`File::value`].
    pub fn text(&self, file: &File, code: u16, nth: usize) -> Result<String> {
        let Some(tag) = self.tags.iter().filter(|tag| tag.code == code).nth(nth) else {
            return Ok(String::new());
        };
        Ok(match file.value(tag)? {
            Value::Ascii(bytes) => text_of(&bytes).unwrap_or_default(),
            _ => String::new(),
        })
    }
}

/// ASCII as tifffile reads it: without the NULs at the end, UTF-8 or else Windows-1252, stripped. `None` where the
/// bytes are neither.
pub fn text_of(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
    let bytes = bytes.get(..end).unwrap_or_default();
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|b| cp1252(*b)).collect::<Option<String>>()?,
    };
    // Python's strip also takes the separators 0x1c to 0x1f.
    Some(text.trim_matches(|c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)).to_owned())
}

fn cp1252(byte: u8) -> Option<char> {
    const HIGH: [u16; 32] = [
        0x20ac, 0, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021, 0x2c6, 0x2030, 0x160, 0x2039, 0x152, 0,
        0x17d, 0, 0, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x2dc, 0x2122, 0x161, 0x203a,
        0x153, 0, 0x17e, 0x178,
    ];
    match byte {
        0x80..=0x9f => match HIGH.get(usize::from(byte - 0x80)).copied().unwrap_or(0) {
            0 => None,
            code => char::from_u32(u32::from(code)),
        },
        _ => Some(char::from(byte)),
    }
}

//! The data format of the ESRF: blocks of a text header and binary values, as `fabio` reads them.
//!
//! Frames of one shape and type are one array with a first axis; a file of one frame is that frame; frames that differ
//! are a container. A header of a general block holds for all frames.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};
use tiled_plugin_api::prelude::{Context, DataType, Endianness, Error, ErrorKind, Kind, Result, Source};

use crate::{
    adapter::Contents,
    coding::Coding,
    image::{Frame, Image, Values, product},
    text,
};

const BLOCK_BYTES: u64 = 4096;
const MAX_HEADER_BYTES: usize = 1 << 20;
const MAX_FRAMES: usize = 1 << 20;
/// So many values of headers that differ from the first one are kept.
const MAX_DIFFERENT: usize = 100_000;
/// Headers of frames that differ are kept all.
const MAX_HEADERS_BYTES: u64 = 32 << 20;

/// Keys and values as they are written, in order.
type Header = Vec<(String, String)>;

struct Block {
    data_type: DataType,
    shape: Vec<u64>,
    frame: Frame,
    /// Where its header begins.
    at: u64,
}

/// Reads all headers.
///
/// # Errors
/// `InvalidData` where the first one is damaged, `UnsupportedFormat`.
pub fn parse(cx: &Context, source: &Source) -> Result<Contents> {
    let len = source.len()?;
    let (mut blocks, mut general, mut warning): (Vec<Block>, Header, _) = (Vec::new(), Vec::new(), None);
    let (mut at, mut headers) = (0, Headers::default());
    while at < len {
        cx.check()?;
        let (header, data_at) = match read_header(source, at, len) {
            Ok(Some(found)) => found,
            Ok(None) => break,
            Err(error) if blocks.is_empty() => return Err(error),
            Err(error) => {
                warning = Some(format!("what follows frame {} is left out: {error}", blocks.len() - 1));
                break;
            }
        };
        if get(&header, "EDF_DataFormatVersion").is_some() {
            at = data_at.saturating_add(number(&header, "EDF_BinarySize")?.unwrap_or(0));
            general = header;
            continue;
        }
        let header = with_defaults(header, &general);
        let block =
            block(&header, at, data_at).map_err(|e| e.within(format_args!("frame {}", blocks.len())))?;
        at = block.frame.at.saturating_add(block.frame.len);
        blocks.push(block);
        headers.add(header);
        if blocks.len() > MAX_FRAMES {
            return Err(Error::invalid_data(format!("it has more than {MAX_FRAMES} frames")));
        }
    }
    Ok(Contents { warning, ..contents(source, len, (blocks, headers), &general)? })
}

fn contents(
    source: &Source,
    len: u64,
    (blocks, headers): (Vec<Block>, Headers),
    general: &Header,
) -> Result<Contents> {
    let Some(first) = blocks.first() else { return Err(Error::invalid_data("it has no frame")) };
    let is_alike = |block: &Block| block.shape == first.shape && block.data_type == first.data_type;
    if blocks.len() > 1 && blocks.iter().all(is_alike) {
        let mut shape = first.shape.clone();
        shape.insert(0, blocks.len() as u64);
        let (data_type, metadata) = (first.data_type.clone(), headers.metadata());
        let values = Values::Frames(blocks.into_iter().map(|block| block.frame).collect());
        return Ok(Contents::array(Image { data_type, shape, metadata, values }));
    }
    let (is_one, mut images, mut bytes) = (blocks.len() == 1, Vec::with_capacity(blocks.len()), 0);
    for (number, block) in blocks.into_iter().enumerate() {
        let header = read_header(source, block.at, len)?.map(|(header, _)| header).unwrap_or_default();
        bytes += block.frame.at.saturating_sub(block.at);
        if bytes > MAX_HEADERS_BYTES {
            let message =
                format!("the headers of its frames, which differ, are larger than {MAX_HEADERS_BYTES}");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        let metadata = of_one(&with_defaults(header, general));
        let values = Values::Single(block.frame);
        let image = Image { data_type: block.data_type, shape: block.shape, metadata, values };
        images.push((if is_one { String::new() } else { number.to_string() }, image));
    }
    Ok(Contents { metadata: Value::Null, images, warning: None })
}

fn of_one(header: &Header) -> Value {
    let mut map = Map::new();
    for (key, value) in header {
        text::put(&mut map, key, text::value(value));
    }
    Value::Object(map)
}

/// The first header, and what differs from it in later ones: these are not kept.
#[derive(Default)]
struct Headers {
    first: Header,
    frames: usize,
    /// By key: number of the frame, and its value.
    different: Map<String, Value>,
    count: usize,
}

impl Headers {
    fn add(&mut self, header: Header) {
        self.frames += 1;
        if self.frames == 1 {
            self.first = header;
            return;
        }
        let own: HashMap<&str, &str> = header.iter().map(|(key, value)| (&**key, &**value)).collect();
        for (key, value) in &self.first {
            let place = matches!(key.as_str(), "Image" | "HeaderID" | "EDF_DataBlockID");
            let other = own.get(key.as_str());
            if place || other == Some(&value.as_str()) || self.count > MAX_DIFFERENT {
                continue;
            }
            let value = other.map_or(Value::Null, |text| text::value(text));
            if let Some(list) = self.different.entry(key.as_str()).or_insert_with(|| json!([])).as_array_mut()
            {
                list.push(json!([self.frames - 1, value]));
                self.count += 1;
            }
        }
    }

    /// The first frame's header, and under `frames` what differs from frame to frame, a list for each key.
    fn metadata(self) -> Value {
        let mut metadata = of_one(&self.first);
        let mut columns = Map::new();
        for (key, changes) in self.different {
            if self.count > MAX_DIFFERENT || (columns.len() + 1) * self.frames > MAX_DIFFERENT {
                columns.insert("left_out".into(), json!("the headers have more values than are kept"));
                break;
            }
            let mut column = vec![metadata.get(&key).cloned().unwrap_or(Value::Null); self.frames];
            for change in changes.as_array().into_iter().flatten() {
                let place = change.get(0).and_then(Value::as_u64).and_then(|at| usize::try_from(at).ok());
                if let (Some(place), Some(value)) = (place.and_then(|at| column.get_mut(at)), change.get(1)) {
                    *place = value.clone();
                }
            }
            columns.insert(key, Value::Array(column));
        }
        if let Some(map) = metadata.as_object_mut().filter(|_| !columns.is_empty()) {
            map.insert("frames".into(), Value::Object(columns));
        }
        metadata
    }
}

/// The header at this place, and where its values begin; `None` at the end of the file.
fn read_header(source: &Source, at: u64, len: u64) -> Result<Option<(Header, u64)>> {
    let mut bytes: Vec<u8> = Vec::new();
    loop {
        let known = bytes.len();
        let more = BLOCK_BYTES.min(len.saturating_sub(at + known as u64)) as usize;
        bytes.resize(known + more, 0);
        source.read_exact_at(at + known as u64, bytes.get_mut(known..).unwrap_or_default())?;
        let blank = bytes.iter().take_while(|b| b.is_ascii_whitespace() || **b == 0).count();
        match bytes.get(blank) {
            Some(b'{') => {}
            None if at + bytes.len() as u64 >= len => return Ok(None),
            _ => return Err(Error::invalid_data(format!("no header begins at {at}"))),
        }
        if let Some((end, data)) = end_of_header(&bytes, known.saturating_sub(2)) {
            let inside = bytes.get(blank + 1..end).unwrap_or_default();
            return Ok(Some((pairs(inside), at + data as u64)));
        }
        if more == 0 || bytes.len() > MAX_HEADER_BYTES {
            return Err(Error::invalid_data(format!("the header at {at} does not end")));
        }
    }
}

/// Where the header ends, and where its values begin: at `}` and the end of the line.
fn end_of_header(bytes: &[u8], from: usize) -> Option<(usize, usize)> {
    let rest = bytes.get(from..)?;
    rest.iter().enumerate().filter(|(_, byte)| **byte == b'}').find_map(|(i, _)| match rest.get(i + 1..)? {
        [b'\n', ..] => Some((from + i, from + i + 2)),
        [b'\r', b'\n', ..] => Some((from + i, from + i + 3)),
        _ => None,
    })
}

fn pairs(inside: &[u8]) -> Header {
    let blank = |c: char| c.is_ascii_whitespace() || c == '\0' || c == '\x0b';
    let pair = |line: &[u8]| {
        let line = str::from_utf8(line).map_or_else(|_| text::latin(line), str::to_owned);
        let (key, value) = line.split_once('=')?;
        Some((key.trim_matches(blank).to_owned(), value.trim_matches(blank).to_owned()))
    };
    inside.split(|byte| *byte == b';').filter_map(pair).collect()
}

/// What the general header says where this one says nothing.
fn with_defaults(mut header: Header, general: &Header) -> Header {
    let is_own = |key: &str| {
        key.starts_with("EDF_") || ["size", "image", "headerid"].contains(&&*key.to_ascii_lowercase())
    };
    let mut known: HashSet<String> = header.iter().map(|(key, _)| key.clone()).collect();
    for (key, value) in general.iter().filter(|(key, _)| !is_own(key)) {
        if known.insert(key.clone()) {
            header.push((key.clone(), value.clone()));
        }
    }
    header
}

/// The last value of a key, whose case does not matter.
fn get<'a>(header: &'a Header, key: &str) -> Option<&'a str> {
    header.iter().rev().find(|(known, _)| known.eq_ignore_ascii_case(key)).map(|(_, value)| value.as_str())
}

/// A size; some programs write them with a fraction of zero.
fn number(header: &Header, key: &str) -> Result<Option<u64>> {
    let Some(text) = get(header, key) else { return Ok(None) };
    let whole = text.split_once('.').filter(|(_, zeros)| zeros.bytes().all(|b| b == b'0'));
    let parsed = whole.map_or(text, |(whole, _)| whole).parse();
    parsed.map(Some).map_err(|_| Error::invalid_data(format!("{key} is {text:?}, which is no size")))
}

fn block(header: &Header, at: u64, data_at: u64) -> Result<Block> {
    if let Some(name) = get(header, "EDF_BinaryFileName") {
        let message = format!("its values are in another file, {name}; open that one");
        return Err(Error::unsupported_format(message));
    }
    let (data_type, shape) = (data_type(header)?, shape(header)?);
    let nbytes = product(&shape, data_type.itemsize())?;
    let coding = coding(header)?;
    let size = match number(header, "Size")? {
        Some(size) => Some(size),
        None => number(header, "EDF_BinarySize")?,
    };
    let len = match size {
        Some(len) => len,
        None if coding == Coding::Plain => nbytes,
        None => return Err(Error::invalid_data("the header says not how many compressed bytes there are")),
    };
    Ok(Block { data_type, shape, frame: Frame { at: data_at, len, coding }, at })
}

fn data_type(header: &Header) -> Result<DataType> {
    let Some(name) = get(header, "DataType") else {
        return Err(Error::invalid_data("the header has no DataType"));
    };
    let (kind, size) = match name {
        "SignedByte" | "Signed8" => (Kind::Int, 1),
        "UnsignedByte" | "Unsigned8" => (Kind::Uint, 1),
        "SignedShort" | "Signed16" => (Kind::Int, 2),
        "UnsignedShort" | "Unsigned16" | "UnsignedShortInteger" => (Kind::Uint, 2),
        "SignedInteger" | "Signed32" | "SignedLong" => (Kind::Int, 4),
        "UnsignedInteger" | "Unsigned32" | "UnsignedLong" => (Kind::Uint, 4),
        "Signed64" => (Kind::Int, 8),
        "Unsigned64" => (Kind::Uint, 8),
        "FloatValue" | "FLOATVALUE" | "FLOAT" | "Float" | "FloatIEEE32" | "Float32" => (Kind::Float, 4),
        "Double" | "DoubleValue" | "FloatIEEE64" | "DoubleIEEE64" => (Kind::Float, 8),
        other => return Err(Error::unsupported_format(format!("its DataType {other:?} is not known"))),
    };
    let order = match get(header, "ByteOrder") {
        Some(order) if order.contains("Low") => Endianness::Little,
        Some(order) if order.contains("High") => Endianness::Big,
        _ if size == 1 => Endianness::NATIVE,
        _ => return Err(Error::invalid_data("ByteOrder is neither LowByteFirst nor HighByteFirst")),
    };
    Ok(DataType::ordered(kind, size, order))
}

/// `Dim_1` is the axis that varies fastest, so the last one.
fn shape(header: &Header) -> Result<Vec<u64>> {
    let axis = |key: &str| key.to_ascii_lowercase().strip_prefix("dim_")?.parse::<u32>().ok();
    let rank = header.iter().filter_map(|(key, _)| axis(key)).max().unwrap_or(0);
    if rank == 0 || rank > 8 {
        return Err(Error::invalid_data(format!("{rank} axes are none or too many")));
    }
    let length = |axis: u32| match number(header, &format!("Dim_{axis}"))? {
        Some(length) => Ok(length),
        None if axis == 1 => Err(Error::invalid_data("the header has no Dim_1")),
        None => Ok(1),
    };
    (1..=rank).rev().map(length).collect()
}

fn coding(header: &Header) -> Result<Coding> {
    let name = get(header, "Compression").unwrap_or("None").to_ascii_uppercase();
    match name.as_str() {
        name if name.starts_with("NO") || name.is_empty() => Ok(Coding::Plain),
        name if name.contains("GZIP") => Ok(Coding::Gzip),
        name if name.contains("ZLIB") || name == "Z" => Ok(Coding::Zlib),
        name => Err(Error::unsupported_format(format!("its compression {name} is not known"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_ends_with_its_line() {
        assert_eq!(end_of_header(b"{ a } b }\n..", 0), Some((8, 10)));
        assert_eq!(end_of_header(b"{ }\r\n", 0), Some((2, 5)));
        assert_eq!(end_of_header(b"{ }\r", 0), None);
        assert_eq!(end_of_header(b"{ }", 0), None);
    }

    #[test]
    fn keys_are_found_in_any_case_and_sizes_may_have_zeros() {
        let header = pairs(b"\n Dim_1 = 4 ;\nDIM_2 = 3.0 ;\n title = a = b ;\n junk ;");
        assert_eq!(shape(&header).unwrap(), [3, 4]);
        assert_eq!(get(&header, "TITLE"), Some("a = b"));
        assert!(shape(&pairs(b"Dim_99 = 1;")).is_err());
        assert!(shape(&pairs(b"Dim_1 = -1;")).is_err());
    }
}

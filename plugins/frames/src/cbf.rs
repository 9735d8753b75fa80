//! Crystallographic binary files: a text of CIF with an image inside of it, as detectors of Dectris write them.
//!
//! The first image of a file is read; values are coded as byte offsets or as they are. Where the header has an MD5, the
//! coded bytes are tested with it. Of the metadata, the lines of Pilatus headers stand under their own names, tags of CIF
//! under `cif`, the description of the binary part under `binary`.

use serde_json::{Map, Value};
use tiled_plugin_api::prelude::{Context, DataType, Endianness, Error, Kind, Result, Source};

use crate::{
    adapter::Contents,
    cif,
    coding::Coding,
    image::{Frame, Image, Values, product},
    text,
};

const SECTION: &[u8] = b"--CIF-BINARY-FORMAT-SECTION--";
const START: &[u8] = b"\x0c\x1a\x04\xd5";
const BLOCK_BYTES: u64 = 8192;
const MAX_HEADER_BYTES: usize = 1 << 20;

/// Reads the header.
///
/// # Errors
/// `InvalidData` where it is damaged, `UnsupportedFormat` for compressions other than byte offsets.
pub fn parse(cx: &Context, source: &Source) -> Result<Contents> {
    let (head, start) = head(cx, source)?;
    let Some(section) = find(&head, SECTION) else {
        return Err(Error::invalid_data("no binary section begins before the values"));
    };
    let (cif, binary) = head.split_at(section);
    let binary = fields(binary.get(SECTION.len()..).unwrap_or_default());
    let (data_type, shape) = (data_type(&binary)?, shape(&binary)?);
    let nbytes = product(&shape, data_type.itemsize())?;
    let frame = frame(&binary, start as u64, nbytes)?;
    let metadata = metadata(cif, binary);
    Ok(Contents::array(Image { data_type, shape, metadata, values: Values::Single(frame) }))
}

/// The text before the values, and where these begin.
fn head(cx: &Context, source: &Source) -> Result<(Vec<u8>, usize)> {
    let (len, mut bytes) = (source.len()?, Vec::new());
    loop {
        cx.check()?;
        let known = bytes.len();
        let more = BLOCK_BYTES.min(len.saturating_sub(known as u64)) as usize;
        bytes.resize(known + more, 0);
        source.read_exact_at(known as u64, bytes.get_mut(known..).unwrap_or_default())?;
        if known == 0 && !bytes.starts_with(b"###CBF") {
            return Err(Error::invalid_data("this is no CBF file: it does not begin with ###CBF"));
        }
        let from = known.saturating_sub(START.len());
        if let Some(at) = find(bytes.get(from..).unwrap_or_default(), START) {
            bytes.truncate(from + at);
            return Ok((bytes, from + at + START.len()));
        }
        if more == 0 || bytes.len() > MAX_HEADER_BYTES {
            return Err(Error::invalid_data("the file has no binary values"));
        }
    }
}

fn find(bytes: &[u8], word: &[u8]) -> Option<usize> {
    let first = *word.first()?;
    let mut from = 0;
    while let Some(at) = bytes.get(from..)?.iter().position(|byte| *byte == first) {
        if bytes.get(from + at..)?.starts_with(word) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

/// The fields before the values, as of a mail: `name: value`, and `name="value"` on lines that go on.
fn fields(bytes: &[u8]) -> Map<String, Value> {
    let mut fields = Map::new();
    for line in text::latin(bytes).lines() {
        let trim = |text: &str| text.trim().trim_end_matches(';').trim_matches('"').to_owned();
        if let Some((name, value)) = line.split_once(':').or_else(|| line.split_once('=')) {
            text::put(&mut fields, name.trim(), Value::from(trim(value)));
        }
    }
    fields
}

fn field<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).and_then(|(_, value)| value.as_str())
}

fn number(fields: &Map<String, Value>, name: &str) -> Result<Option<u64>> {
    let Some(text) = field(fields, name) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| Error::invalid_data(format!("{name} is {text:?}, which is no size")))
}

fn data_type(binary: &Map<String, Value>) -> Result<DataType> {
    let name = field(binary, "X-Binary-Element-Type").unwrap_or("signed 32-bit integer").to_ascii_lowercase();
    let (kind, size) = match name.trim_end_matches(" ieee") {
        "signed 8-bit integer" => (Kind::Int, 1),
        "signed 16-bit integer" => (Kind::Int, 2),
        "signed 32-bit integer" => (Kind::Int, 4),
        "signed 64-bit integer" => (Kind::Int, 8),
        "unsigned 8-bit integer" => (Kind::Uint, 1),
        "unsigned 16-bit integer" => (Kind::Uint, 2),
        "unsigned 32-bit integer" => (Kind::Uint, 4),
        "unsigned 64-bit integer" => (Kind::Uint, 8),
        "signed 32-bit real" => (Kind::Float, 4),
        "signed 64-bit real" => (Kind::Float, 8),
        other => return Err(Error::unsupported_format(format!("elements of type {other:?} are not known"))),
    };
    let is_big = field(binary, "X-Binary-Element-Byte-Order").is_some_and(|order| order.starts_with("BIG"));
    // Byte offsets say themselves in which order they are.
    let is_big = is_big && !is_byte_offset(binary);
    Ok(DataType::ordered(kind, size, if is_big { Endianness::Big } else { Endianness::Little }))
}

fn is_byte_offset(binary: &Map<String, Value>) -> bool {
    field(binary, "conversions").is_some_and(|name| name.eq_ignore_ascii_case("x-CBF_BYTE_OFFSET"))
}

fn shape(binary: &Map<String, Value>) -> Result<Vec<u64>> {
    let axis = |name: &str| number(binary, &format!("X-Binary-Size-{name}-Dimension"));
    let (Some(fast), Some(second)) = (axis("Fastest")?, axis("Second")?) else {
        return Err(Error::invalid_data("the header does not say how many rows and columns there are"));
    };
    let third = axis("Third")?.filter(|n| *n > 1);
    let shape: Vec<u64> = third.into_iter().chain([second, fast]).collect();
    let elements = product(&shape, 1)?;
    match number(binary, "X-Binary-Number-of-Elements")? {
        Some(stated) if stated != elements => Err(Error::invalid_data(format!(
            "the header says that there are {stated} elements, and a shape of {shape:?}"
        ))),
        _ => Ok(shape),
    }
}

fn frame(binary: &Map<String, Value>, at: u64, nbytes: u64) -> Result<Frame> {
    let sum = field(binary, "Content-MD5").and_then(md5);
    let size = number(binary, "X-Binary-Size")?;
    if is_byte_offset(binary) {
        let len = size.ok_or_else(|| Error::invalid_data("the header has no X-Binary-Size"))?;
        return Ok(Frame { at, len, coding: Coding::ByteOffset(sum) });
    }
    match field(binary, "conversions") {
        None | Some("x-CBF_NONE") => {}
        Some(name) => {
            let message = format!("its compression {name} is not known, only x-CBF_BYTE_OFFSET is");
            return Err(Error::unsupported_format(message));
        }
    }
    let transfer = field(binary, "Content-Transfer-Encoding").unwrap_or("BINARY");
    if !transfer.eq_ignore_ascii_case("BINARY") {
        return Err(Error::unsupported_format(format!("its values are written as {transfer}, not binary")));
    }
    let coding = sum.map_or(Coding::Plain, Coding::Checked);
    Ok(Frame { at, len: size.unwrap_or(nbytes), coding })
}

/// The 16 bytes of an MD5 in base 64; `None` where it is none.
fn md5(text: &str) -> Option<[u8; 16]> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let digits: Vec<u8> = text.trim_end_matches('=').bytes().map(digit).collect::<Option<_>>()?;
    let (mut sum, mut bits, mut count, mut at) = ([0; 16], 0_u32, 0, 0);
    for digit in digits {
        (bits, count) = ((bits << 6 | u32::from(digit)) & 0xffff, count + 6);
        if count >= 8 {
            count -= 8;
            *sum.get_mut(at)? = (bits >> count) as u8;
            at += 1;
        }
    }
    (at == 16).then_some(sum)
}

fn metadata(cif: &[u8], binary: Map<String, Value>) -> Value {
    let text = text::latin(cif);
    let mut tags = cif::parse(&text);
    let mut metadata = Map::new();
    if let Some(Value::String(contents)) = tags.shift_remove("_array_data.header_contents") {
        contents.lines().for_each(|line| detector_line(line, &mut metadata));
    }
    tags.shift_remove("_array_data.data");
    metadata.insert("cif".into(), Value::Object(tags));
    let typed = |(name, value): (String, Value)| (name, value.as_str().map_or(Value::Null, text::value));
    metadata.insert("binary".into(), binary.into_iter().map(typed).collect());
    Value::Object(metadata)
}

/// `# Pixel_size 172e-6 m x 172e-6 m`, `# Detector: PILATUS 2M`, `# N_excluded_pixels = 3`, or when it was taken.
fn detector_line(line: &str, metadata: &mut Map<String, Value>) {
    let line = line.trim().trim_start_matches('#').trim();
    if line.starts_with(|c: char| c.is_ascii_digit()) {
        return text::put(metadata, "timestamp", Value::from(line));
    }
    let end = line.find([' ', ':', '=']).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    text::put(
        metadata,
        name,
        text::value(rest.trim_start_matches([' ', ':', '=']).trim_end_matches([' ', ';'])),
    );
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lines_of_detectors_are_named() {
        let mut map = Map::new();
        for line in [
            "# Detector: PILATUS 2M, 24-0107",
            "# 2011-07-14T14:15:34",
            "# Count_cutoff 1048500 counts",
            "# N_excluded_pixels = 321",
            "#",
        ] {
            detector_line(line, &mut map);
        }
        let want = json!({
            "Detector": "PILATUS 2M, 24-0107", "timestamp": "2011-07-14T14:15:34",
            "Count_cutoff": "1048500 counts", "N_excluded_pixels": 321
        });
        assert_eq!(Value::Object(map), want);
    }

    #[test]
    fn an_md5_is_sixteen_bytes() {
        assert_eq!(
            md5("AAECAwQFBgcICQoLDA0ODw=="),
            Some([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15])
        );
        assert_eq!(md5("AAEC"), None);
        assert_eq!(md5("!"), None);
    }
}

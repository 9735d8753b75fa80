//! The XML at the end of an SPE 3 file: of what a frame is made, and all else as metadata.

use roxmltree::{Document, Node, ParsingOptions};
use serde_json::{Map, Value};
use tiled_plugin_api::prelude::{DataType, Endianness, Error, ErrorKind, Kind, Result, Source};

/// LightField writes some ten kilobytes, with calibrations some hundred.
const MAX_XML_BYTES: u64 = 16 << 20;
const MAX_DEPTH: usize = 64;
const MAX_NODES: u32 = 1_000_000;
const MAX_REGIONS: usize = 1000;
/// Documents up to this size are metadata, of larger ones only the start.
const MAX_METADATA_BYTES: usize = 1 << 20;

/// Of what the file is made.
pub struct Layout {
    /// Of all values.
    pub data_type: DataType,
    /// Frames.
    pub count: u64,
    /// Bytes from one frame to the next: with what is noted for each frame.
    pub stride: u64,
    /// At least one.
    pub regions: Vec<Region>,
}

/// A region of the sensor.
pub struct Region {
    /// Bytes from the beginning of the frame.
    pub offset: u64,
    /// Columns.
    pub width: u64,
    /// Rows.
    pub height: u64,
}

/// Reads the document.
///
/// # Errors
/// `InvalidData` where it is damaged or describes no frames; `UnsupportedFormat` for pixels of an unknown format.
pub fn read(source: &Source, at: u64) -> Result<(Layout, Value)> {
    let len = source
        .len()?
        .checked_sub(at)
        .ok_or_else(|| Error::invalid_data(format!("the file is truncated: its XML should begin at {at}")))?;
    if len > MAX_XML_BYTES {
        let message = format!("{len} bytes of XML are more than {MAX_XML_BYTES}");
        return Err(Error::new(ErrorKind::TooLarge, message));
    }
    let mut bytes = vec![0; len as usize];
    source.read_exact_at(at, &mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_matches(['\0', '\u{feff}', ' ', '\r', '\n']);
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    let damaged = |e| Error::invalid_data(format!("the XML at the end of the file is damaged: {e}"));
    let document = Document::parse_with_options(text, options).map_err(damaged)?;
    let metadata = if text.len() <= MAX_METADATA_BYTES {
        json(document.root_element(), MAX_DEPTH)
    } else {
        Value::from("the document is too long to be metadata")
    };
    Ok((layout(&document)?, metadata))
}

fn layout(document: &Document<'_>) -> Result<Layout> {
    let block = |node: Node<'_, '_>, kind: &str| {
        node.tag_name().name() == "DataBlock" && node.attribute("type") == Some(kind)
    };
    let frame = document.descendants().find(|node| block(*node, "Frame"));
    let frame = frame.ok_or_else(|| Error::invalid_data("the XML describes no frames"))?;
    let (kind, size) = match frame.attribute("pixelFormat").unwrap_or_default() {
        "MonochromeUnsigned16" => (Kind::Uint, 2),
        "MonochromeUnsigned32" => (Kind::Uint, 4),
        "MonochromeFloating32" => (Kind::Float, 4),
        other => return Err(Error::unsupported_format(format!("pixels of format {other:?} are not known"))),
    };
    let data_type = DataType::ordered(kind, size, Endianness::Little);
    let (count, stride) = (number(frame, "count")?, number(frame, "stride")?);
    let (mut regions, mut offset) = (Vec::new(), 0_u64);
    for node in frame.children().filter(|node| block(*node, "Region")).take(MAX_REGIONS) {
        let (width, height) = (number(node, "width")?, number(node, "height")?);
        regions.push(Region { offset, width, height });
        let bytes = width.checked_mul(height).and_then(|n| n.checked_mul(size));
        // A region may be there several times in a frame; only the first is described by its own size.
        let bytes = node.attribute("stride").and_then(|n| n.parse().ok()).or(bytes);
        offset = bytes
            .and_then(|n: u64| offset.checked_add(n))
            .filter(|end| *end <= stride)
            .ok_or_else(|| Error::invalid_data("the regions in the XML are larger than a frame"))?;
    }
    if regions.is_empty() {
        return Err(Error::invalid_data("the XML describes no regions of the sensor"));
    }
    Ok(Layout { data_type, count, stride, regions })
}

fn number(node: Node<'_, '_>, name: &str) -> Result<u64> {
    let text = node.attribute(name).unwrap_or_default();
    text.parse().map_err(|_| Error::invalid_data(format!("in the XML, {name} is {text:?}, which is no size")))
}

/// An element: its text where it has nothing else, else an object of attributes and elements, those of one name as a list.
fn json(node: Node<'_, '_>, depth: usize) -> Value {
    let mut map = Map::new();
    for attribute in node.attributes() {
        map.insert(attribute.name().into(), crate::text::value(attribute.value()));
    }
    for child in node.children().filter(|child| child.is_element() && depth > 0) {
        let value = json(child, depth - 1);
        match map.get_mut(child.tag_name().name()) {
            Some(Value::Array(list)) => list.push(value),
            Some(one) => *one = Value::Array(vec![one.take(), value]),
            None => drop(map.insert(child.tag_name().name().into(), value)),
        }
    }
    let text = node.text().unwrap_or_default().trim();
    match (map.is_empty(), text.is_empty()) {
        (true, _) => crate::text::value(text),
        (false, true) => Value::Object(map),
        (false, false) => {
            map.insert("text".into(), crate::text::value(text));
            Value::Object(map)
        }
    }
}

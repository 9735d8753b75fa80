//! The tags of the first page as Tiled serves them: names and values of tifffile, as JSON.

use std::{collections::HashMap, sync::LazyLock};

use base64::Engine;
use serde_json::{Map, Number, Value as Json, json};
use tiled_plugin_api::prelude::Result;

use crate::file::{Directory, File, Tag, Value, text_of};

/// Which table of names a directory uses.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Names {
    Tiff,
    Exif,
    Gps,
    Interoperability,
}

static NAMES: LazyLock<HashMap<(Names, u16), &'static str>> = LazyLock::new(|| {
    let mut names = HashMap::new();
    for line in include_str!("tag_names.tsv").lines() {
        let mut fields = line.split('\t');
        let table = match fields.next() {
            Some("tiff") => Names::Tiff,
            Some("exif") => Names::Exif,
            Some("gps") => Names::Gps,
            _ => Names::Interoperability,
        };
        if let (Some(code), Some(name)) = (fields.next().and_then(|code| code.parse().ok()), fields.next()) {
            names.insert((table, code), name);
        }
    }
    names
});

/// Values longer than this are left out: they are no metadata any more.
const MAX_VALUE_BYTES: u64 = 64 << 20;

/// Tags whose value is a list even if it has one item.
const ALWAYS_LISTS: [u16; 14] = [273, 279, 282, 283, 324, 325, 330, 338, 513, 514, 530, 531, 34736, 50838];
/// Tags whose value tifffile keeps as bytes whatever their type.
const RAW: [u16; 7] = [33723, 37724, 33923, 40100, 50288, 50296, 65459];

/// All tags of a directory by name. A later tag of the same name replaces the value of an earlier one.
///
/// # Errors
/// `InvalidData` when the file has become shorter.
pub fn tags(file: &File, directory: &Directory) -> Result<Json> {
    let mut all = Map::new();
    let mut again = vec![];
    for (i, tag) in directory.tags.iter().enumerate().filter(|(_, tag)| tag_bytes(tag) <= MAX_VALUE_BYTES) {
        if directory.tags.iter().take(i).any(|before| before.code == tag.code) {
            again.push(tag);
        } else {
            all.insert(name(Names::Tiff, tag.code), tag_json(file, directory, tag)?);
        }
    }
    for tag in again {
        all.insert(name(Names::Tiff, tag.code), tag_json(file, directory, tag)?);
    }
    Ok(Json::Object(all))
}

fn tag_bytes(tag: &Tag) -> u64 {
    tag.count.saturating_mul(if matches!(tag.kind, 1 | 2 | 6 | 7) { 1 } else { 8 })
}

fn name(table: Names, code: u16) -> String {
    NAMES.get(&(table, code)).map_or_else(|| code.to_string(), |name| (*name).to_owned())
}

fn tag_json(file: &File, directory: &Directory, tag: &Tag) -> Result<Json> {
    let value = file.value(tag)?;
    let below = |names: Names| match &value {
        Value::Unsigned(offsets) => offsets
            .first()
            .and_then(|at| file.directory(*at).ok())
            .map(|directory| sub_tags(file, &directory, names)),
        _ => None,
    };
    let special = match tag.code {
        301 | 320 => Some(color_map(&value)),
        34665 => below(Names::Exif).transpose()?,
        34853 => below(Names::Gps).transpose()?,
        40965 => below(Names::Interoperability).transpose()?,
        50839 => imagej(file, directory, &value)?,
        51123 => raw_of(&value).and_then(|bytes| serde_json::from_slice(bytes.trim_ascii_end_nul()).ok()),
        code if RAW.contains(&code) => Some(bytes_json(&file.bytes(tag.at, tag_len(tag))?)),
        _ => None,
    };
    Ok(special.unwrap_or_else(|| plain(&value, ALWAYS_LISTS.contains(&tag.code))))
}

fn tag_len(tag: &Tag) -> u64 {
    let item = match tag.kind {
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16..=18 => 8,
        _ => 1,
    };
    tag.count.saturating_mul(item)
}

trait TrimNul {
    fn trim_ascii_end_nul(&self) -> &[u8];
}

impl TrimNul for [u8] {
    fn trim_ascii_end_nul(&self) -> &[u8] {
        let end = self.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
        self.get(..end).unwrap_or_default()
    }
}

fn raw_of(value: &Value) -> Option<&[u8]> {
    match value {
        Value::Bytes(bytes) | Value::Ascii(bytes) => Some(bytes),
        _ => None,
    }
}

/// Bytes as Tiled puts them into JSON.
fn bytes_json(bytes: &[u8]) -> Json {
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    Json::String(format!("data:application/octet-stream;base64,{text}"))
}

/// JSON has neither NaN nor infinity.
fn float(value: f64) -> Json {
    Number::from_f64(value).map_or(Json::Null, Json::Number)
}

fn plain(value: &Value, always_list: bool) -> Json {
    let mut items: Vec<Json> = match value {
        Value::Bytes(bytes) => return bytes_json(bytes),
        Value::Ascii(bytes) => {
            return text_of(bytes).map_or_else(|| bytes_json(bytes.trim_ascii_end_nul()), Json::String);
        }
        Value::Unsigned(values) => values.iter().map(|v| json!(v)).collect(),
        Value::Signed(values) => values.iter().map(|v| json!(v)).collect(),
        Value::Floats(values) => values.iter().map(|v| float(*v)).collect(),
    };
    if items.len() == 1 && !always_list { items.remove(0) } else { Json::Array(items) }
}

/// Three rows where the count allows.
fn color_map(value: &Value) -> Json {
    let Value::Unsigned(values) = value else { return plain(value, true) };
    if values.is_empty() || values.len() % 3 != 0 {
        return json!(values);
    }
    json!(values.chunks(values.len() / 3).collect::<Vec<_>>())
}

/// The directory of EXIF, GPS and interoperability tags.
fn sub_tags(file: &File, directory: &Directory, names: Names) -> Result<Json> {
    let mut all = Map::new();
    for tag in directory.tags.iter().filter(|tag| tag_bytes(tag) <= MAX_VALUE_BYTES) {
        let (name, value) = (name(names, tag.code), file.value(tag)?);
        let is_text = names == Names::Exif && matches!(name.as_str(), "ExifVersion" | "FlashpixVersion");
        let json = match raw_of(&value) {
            Some(bytes) if is_text => latin(bytes),
            Some(bytes) if names == Names::Exif && name == "UserComment" => comment(bytes),
            _ => plain(&value, ALWAYS_LISTS.contains(&tag.code)),
        };
        all.insert(name, json);
    }
    Ok(Json::Object(all))
}

fn latin(bytes: &[u8]) -> Json {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    text_of(bytes.get(..end).unwrap_or_default()).map_or(Json::Null, Json::String)
}

fn comment(bytes: &[u8]) -> Json {
    match bytes.split_at_checked(8) {
        Some((b"ASCII\0\0\0", text)) => latin(text),
        Some((b"UNICODE\0", text)) => Json::String(utf16(text, text.starts_with(b"\xfe\xff"))),
        _ => bytes_json(bytes),
    }
}

fn utf16(bytes: &[u8], big_endian: bool) -> String {
    let units = bytes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| if big_endian { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) });
    let text =
        char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect::<String>();
    text.trim_start_matches('\u{feff}').to_owned()
}

/// ImageJ's own metadata: labels, ranges, lookup tables, overlays. `None` where they are not understood.
fn imagej(file: &File, directory: &Directory, value: &Value) -> Result<Option<Json>> {
    let (Some(data), Some(counts)) = (raw_of(value), directory.numbers(file, 50838)?) else {
        return Ok(None);
    };
    Ok(imagej_parts(file, data, &counts))
}

fn imagej_parts(file: &File, data: &[u8], counts: &[u64]) -> Option<Json> {
    let header = usize::try_from(*counts.first()?).ok().filter(|n| (12..=804).contains(n))?;
    if !matches!(data.get(..4)?, b"IJIJ" | b"JIJI") {
        return None;
    }
    let (mut all, mut counts) = (Map::new(), counts.iter().skip(1));
    let mut at = 4 + (header - 4) / 8 * 8;
    for entry in data.get(4..at)?.as_chunks::<8>().0 {
        let [a, b, c, d, rest @ ..] = entry;
        let kind = if file.big_endian { [*a, *b, *c, *d] } else { [*d, *c, *b, *a] };
        let count = if file.big_endian { u32::from_be_bytes(*rest) } else { u32::from_le_bytes(*rest) };
        let mut values = vec![];
        for _ in 0..count {
            let end = at.checked_add(usize::try_from(*counts.next()?).ok()?)?;
            values.push(imagej_part(kind, data.get(at..end)?, file.big_endian));
            at = end;
        }
        let name = match &kind {
            b"info" => "Info",
            b"labl" => "Labels",
            b"rang" => "Ranges",
            b"luts" => "LUTs",
            b"plot" => "Plot",
            b"roi " => "ROI",
            b"over" => "Overlays",
            b"prop" => "Properties",
            other => std::str::from_utf8(other).ok()?.trim(),
        };
        let value = if values.len() == 1 { values.remove(0) } else { Json::Array(values) };
        all.insert(name.to_owned(), value);
    }
    if let Some(Json::Array(items)) = all.get("Properties").cloned() {
        let pairs = items.as_chunks::<2>().0.iter();
        let pairs = pairs.filter_map(|[key, value]| Some((key.as_str()?.to_owned(), value.clone())));
        all.insert("Properties".into(), Json::Object(pairs.collect()));
    }
    Some(Json::Object(all))
}

fn imagej_part(kind: [u8; 4], bytes: &[u8], big_endian: bool) -> Json {
    match &kind {
        b"info" | b"labl" | b"prop" => Json::String(utf16(bytes, big_endian)),
        b"rang" => {
            let number =
                |b: &[u8; 8]| if big_endian { f64::from_be_bytes(*b) } else { f64::from_le_bytes(*b) };
            bytes.as_chunks::<8>().0.iter().map(|b| float(number(b))).collect()
        }
        b"luts" => json!(bytes.chunks(256).collect::<Vec<_>>()),
        _ => bytes_json(bytes),
    }
}

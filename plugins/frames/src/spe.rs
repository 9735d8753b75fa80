//! Files of Princeton Instruments: SPE 2 (WinView, WinSpec) and SPE 3 (LightField).
//!
//! A file is a stack of frames: (frames, y, x), also where there is one. SPE 3 says in XML at its end what a frame is made
//! of; where that is several regions of the sensor, the file is a container of stacks, `roi0`, `roi1`, ….

use serde_json::{Map, Value, json};
use tiled_plugin_api::prelude::{Context, DataType, Endianness, Error, Kind, Result, Source};

use crate::{
    adapter::Contents,
    image::{Image, Values, product},
    spe_header::{self, Header},
    spe_xml::{self, Layout},
};

/// Where the values begin.
const DATA_AT: u64 = 4100;
/// Versions that there are. A file has no other sign of being one.
const VERSIONS: std::ops::Range<f32> = 1.0..4.0;

/// Whether these first bytes may be those of an SPE file: there is no magic, but fields that agree with each other.
pub fn is_header(head: &[u8], len: u64) -> bool {
    let Some(bytes) = head.first_chunk::<4096>() else { return false };
    let header = Header(bytes.to_vec());
    let version = f32::from_bits(header.uint(1992));
    let bytes = [4, 4, 2, 2, 0, 8, 1, 0, 4].get(usize::from(header.short(108))).copied().unwrap_or(0);
    let frame = u64::from(header.short(42)) * u64::from(header.short(656)) * bytes;
    let count = u64::from(header.uint(1446));
    let end = frame.checked_mul(count).and_then(|n| n.checked_add(DATA_AT));
    VERSIONS.contains(&version) && frame > 0 && count > 0 && end.is_some_and(|end| end <= len)
}

/// Reads the header, and the XML of SPE 3.
///
/// # Errors
/// `InvalidData` where sizes do not fit, `UnsupportedFormat` for unknown types.
pub fn parse(_cx: &Context, source: &Source) -> Result<Contents> {
    let mut bytes = vec![0; DATA_AT as usize];
    source.read_exact_at(0, &mut bytes)?;
    let header = Header(bytes);
    let footer_at = header.long(678);
    let version = f32::from_bits(header.uint(1992));
    if !VERSIONS.contains(&version) {
        return Err(Error::invalid_data(format!("this is no SPE file: its version would be {version}")));
    }
    if version >= 3.0 && footer_at > 0 {
        return parse_3(source, &header, footer_at);
    }
    let (width, height) = (u64::from(header.short(42)), u64::from(header.short(656)));
    let data_type = data_type(header.short(108))?;
    let stride = product(&[height, width], data_type.itemsize())?;
    if stride == 0 {
        return Err(Error::invalid_data("this is no SPE file: its frames have no size"));
    }
    let there = source.len()?.saturating_sub(DATA_AT) / stride;
    let count = match i64::from(header.uint(1446).cast_signed()) {
        // Programs that do not know it beforehand leave it out.
        ..=0 => there,
        stated => stated.unsigned_abs(),
    };
    let metadata = Value::Object(spe_header::metadata(&header));
    let values = Values::Strided { at: DATA_AT, stride };
    Ok(Contents::array(Image { data_type, shape: vec![count, height, width], metadata, values }))
}

fn data_type(code: u16) -> Result<DataType> {
    let (kind, size) = match code {
        0 => (Kind::Float, 4),
        1 => (Kind::Int, 4),
        2 => (Kind::Int, 2),
        3 => (Kind::Uint, 2),
        5 => (Kind::Float, 8),
        6 => (Kind::Uint, 1),
        8 => (Kind::Uint, 4),
        other => return Err(Error::unsupported_format(format!("values of type {other} are not known"))),
    };
    Ok(DataType::ordered(kind, size, Endianness::Little))
}

fn parse_3(source: &Source, header: &Header, footer_at: u64) -> Result<Contents> {
    let (layout, document) = spe_xml::read(source, footer_at)?;
    let Layout { data_type, count, stride, regions } = layout;
    // The values end where the XML begins: a forged count must not read into it.
    let bytes = count.checked_mul(stride).filter(|n| *n <= footer_at.saturating_sub(DATA_AT));
    if bytes.is_none() {
        let message = format!("{count} frames of {stride} bytes do not fit before the XML at {footer_at}");
        return Err(Error::invalid_data(message));
    }
    let mut metadata = Map::new();
    metadata.insert("file_header_ver".into(), crate::text::number(f32::from_bits(header.uint(1992))));
    metadata.insert("SpeFormat".into(), document);
    let is_one = regions.len() == 1;
    let mut images = Vec::with_capacity(regions.len());
    for (number, region) in regions.iter().enumerate() {
        let shape = vec![count, region.height, region.width];
        let values = Values::Strided { at: DATA_AT.saturating_add(region.offset), stride };
        let key = if is_one { String::new() } else { format!("roi{number}") };
        let metadata = if is_one { Value::Object(std::mem::take(&mut metadata)) } else { json!({}) };
        images.push((key, Image { data_type: data_type.clone(), shape, metadata, values }));
    }
    Ok(Contents { metadata: Value::Object(metadata), images, warning: None })
}

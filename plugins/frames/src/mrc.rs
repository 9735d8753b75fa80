//! MRC files and CCP4 maps (MRC2014): images, stacks of images, volumes, stacks of volumes.
//!
//! Axes are those of the file, sections first, whatever `mapc`, `mapr` and `maps` say: as the library `mrcfile` has them. A
//! single image has two axes, a stack of volumes four. Complex integers (mode 3) are records of `real` and `imag`;
//! values of four bits (mode 101) are bytes.

use serde_json::Value;
use tiled_plugin_api::prelude::{Context, DataType, Endianness, Error, Field, Kind, Result, Source};

use crate::{
    adapter::Contents,
    coding::Coding,
    image::{Frame, Image, Values, product},
    mrc_header::{HEADER_BYTES, Header},
};

/// The stamp of IMOD, whose bytes are unsigned unless a flag says that they are not.
const IMOD_STAMP: i32 = 1_146_047_817;

/// Reads the header.
///
/// # Errors
/// `InvalidData` where it is none, `UnsupportedFormat` for unknown modes.
pub fn parse(_cx: &Context, source: &Source) -> Result<Contents> {
    let header = Header::read(source)?;
    let shape = shape(&header)?;
    let data_at = HEADER_BYTES + size(&header, "nsymbt", 92)?;
    let (mode, metadata) = (header.int(12), Value::Object(header.metadata()));
    if mode == 101 {
        return packed(shape, data_at, metadata).map(Contents::array);
    }
    let (kind, size) = match mode {
        0 if header.int(152) == IMOD_STAMP && header.int(156) & 1 == 0 => (Kind::Uint, 1),
        0 => (Kind::Int, 1),
        1 | 3 => (Kind::Int, 2),
        2 => (Kind::Float, 4),
        4 => (Kind::Complex, 8),
        6 => (Kind::Uint, 2),
        12 => (Kind::Float, 2),
        other => return Err(Error::unsupported_format(format!("values of mode {other} are not known"))),
    };
    let order = if header.is_big { Endianness::Big } else { Endianness::Little };
    let mut data_type = DataType::ordered(kind, size, order);
    if mode == 3 {
        data_type =
            DataType::record(vec![Field::new("real", data_type.clone()), Field::new("imag", data_type)]);
    }
    let nbytes = product(&shape, data_type.itemsize())?;
    let stride = nbytes / shape.first().copied().unwrap_or(1).max(1);
    let values = Values::Strided { at: data_at, stride };
    Ok(Contents::array(Image { data_type, shape, metadata, values }))
}

fn size(header: &Header, name: &str, at: usize) -> Result<u64> {
    let value = header.int(at);
    u64::try_from(value).map_err(|_| Error::invalid_data(format!("{name} is {value}, which is no size")))
}

fn shape(header: &Header) -> Result<Vec<u64>> {
    let (nx, ny, nz) = (size(header, "nx", 0)?, size(header, "ny", 4)?, size(header, "nz", 8)?);
    let (mz, space_group) = (header.int(36), header.int(88));
    if (401..=630).contains(&space_group) {
        let deep = u64::try_from(mz).ok().filter(|mz| *mz > 0 && nz % mz == 0);
        let deep = deep.ok_or_else(|| {
            Error::invalid_data(format!("{nz} sections are no stack of volumes of {mz} sections"))
        })?;
        return Ok(vec![nz / deep, deep, ny, nx]);
    }
    Ok(if space_group == 0 && nz == 1 { vec![ny, nx] } else { vec![nz, ny, nx] })
}

/// Four bits a value, each row beginning with a byte.
fn packed(shape: Vec<u64>, at: u64, metadata: Value) -> Result<Image> {
    let data_type = DataType::native(Kind::Uint, 1);
    product(&shape, 1)?;
    let (Some(columns), Some(rows)) = (shape.last(), shape.get(shape.len().saturating_sub(2))) else {
        return Err(Error::invalid_data("it has no axes"));
    };
    let len = rows * columns.div_ceil(2);
    let frame = |number: u64| {
        let at = number.checked_mul(len).and_then(|by| at.checked_add(by)).unwrap_or(u64::MAX);
        Frame { at, len, coding: Coding::Nibbles }
    };
    let values = match shape.as_slice() {
        [_, _] => Values::Single(frame(0)),
        [sections, _, _] if *sections <= 1 << 20 => Values::Frames((0..*sections).map(frame).collect()),
        _ => return Err(Error::unsupported_format("stacks of volumes of four bits a value are not read")),
    };
    Ok(Image { data_type, shape, metadata, values })
}

//! NumPy's types as h5py writes them.

use tiled_plugin_api::prelude::*;

fn head(version: u8, class: u8, bits: [u8; 3], size: u64) -> Vec<u8> {
    let mut bytes = vec![version << 4 | class];
    bytes.extend(bits);
    bytes.extend(u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes());
    bytes
}

/// A type in HDF5's encoding.
///
/// # Errors
/// `NotAcceptable` for objects and sizes that HDF5 has no type for.
pub(crate) fn encode(data_type: &DataType) -> Result<Vec<u8>> {
    let (kind, size) = match data_type {
        DataType::Struct { itemsize, fields } => return record(*itemsize, fields),
        DataType::Builtin { kind, itemsize, .. } => (*kind, *itemsize),
    };
    let big = data_type.endianness() == Endianness::Big;
    match kind {
        Kind::Int | Kind::Uint => Ok(integer(size, kind == Kind::Int, big)),
        Kind::Bool => Ok(boolean()),
        Kind::Float => float(size, big),
        Kind::Complex => {
            let half = DataType::ordered(Kind::Float, size / 2, data_type.endianness());
            record(size, &[Field::new("r", half.clone()), Field::new("i", half)])
        }
        Kind::Bytes => Ok(head(1, 3, [1, 0, 0], size.max(1))),
        Kind::Unicode => Ok(head(1, 3, [0x11, 0, 0], size.max(1))),
        Kind::Void => Ok(opaque("", size)),
        Kind::Datetime | Kind::Timedelta => {
            Ok(opaque(&format!("NUMPY:{}", data_type.numpy_str().unwrap_or_default()), size))
        }
        Kind::Object => Err(refused("Python objects")),
    }
}

pub(crate) fn refused(what: &str) -> Error {
    Error::new(
        ErrorKind::NotAcceptable,
        format!("{what} have no form in HDF5: choose another format or other nodes"),
    )
}

/// A plain integer.
pub(crate) fn integer(size: u64, signed: bool, big: bool) -> Vec<u8> {
    let mut bytes = head(1, 0, [u8::from(big) | u8::from(signed) << 3, 0, 0], size);
    bytes.extend([0, 0]);
    bytes.extend(u16::try_from(size * 8).unwrap_or(0).to_le_bytes());
    bytes
}

/// A float of NumPy.
///
/// # Errors
/// `NotAcceptable` for a size that NumPy does not have.
pub(crate) fn float(size: u64, big: bool) -> Result<Vec<u8>> {
    // Precision, exponent at and size, mantissa size, bias; 16 bytes is the long double of x86.
    let (precision, at, exponent, mantissa, bias): (u16, u8, u8, u8, u32) = match size {
        2 => (16, 10, 5, 10, 15),
        4 => (32, 23, 8, 23, 127),
        8 => (64, 52, 11, 52, 1023),
        16 => (80, 64, 15, 64, 16383),
        _ => return Err(refused("floats of this size")),
    };
    let normal = if size == 16 { 0 } else { 0x20 };
    let sign = u8::try_from(precision - 1).unwrap_or(0);
    let mut bytes = head(1, 1, [normal | u8::from(big), sign, 0], size);
    bytes.extend([0, 0]);
    bytes.extend(precision.to_le_bytes());
    bytes.extend([at, exponent, 0, mantissa]);
    bytes.extend(bias.to_le_bytes());
    Ok(bytes)
}

/// h5py's boolean: an enumeration of FALSE and TRUE.
pub(crate) fn boolean() -> Vec<u8> {
    let mut bytes = head(3, 8, [2, 0, 0], 1);
    bytes.extend(integer(1, true, false));
    bytes.extend(b"FALSE\0TRUE\0\0\x01");
    bytes
}

/// Text of this many bytes, ended by a zero.
pub(crate) fn fixed_text(size: u64) -> Vec<u8> {
    head(1, 3, [0, 0, 0], size.max(1))
}

/// UTF-8 text of variable length.
pub(crate) fn text() -> Vec<u8> {
    let mut bytes = head(1, 9, [1, 1, 0], 16);
    bytes.extend(integer(1, false, false));
    bytes
}

fn opaque(tag: &str, size: u64) -> Vec<u8> {
    let padded = (tag.len() + 1).next_multiple_of(8);
    let mut bytes = head(1, 5, [u8::try_from(padded).unwrap_or(0), 0, 0], size.max(1));
    let start = bytes.len();
    bytes.extend(tag.as_bytes());
    bytes.resize(start + padded, 0);
    bytes
}

fn record(size: u64, fields: &[Field]) -> Result<Vec<u8>> {
    let count = u16::try_from(fields.len()).map_err(|_| refused("records of so many fields"))?;
    let [low, high] = count.to_le_bytes();
    let mut bytes = head(3, 6, [low, high, 0], size);
    // As many bytes as the size of the record takes.
    let wide = (1..4).find(|n| size >> (8 * n) == 0).unwrap_or(4);
    let mut offset = 0_u64;
    for field in fields {
        bytes.extend(field.name.as_bytes());
        bytes.push(0);
        bytes.extend(offset.to_le_bytes().iter().take(wide));
        bytes.extend(field_type(field)?);
        offset += field.nbytes();
    }
    Ok(bytes)
}

fn field_type(field: &Field) -> Result<Vec<u8>> {
    let base = encode(&field.dtype)?;
    let Some(shape) = field.shape.as_ref().filter(|s| !s.is_empty()) else { return Ok(base) };
    let mut bytes = head(3, 10, [0; 3], field.nbytes());
    bytes.push(u8::try_from(shape.len()).unwrap_or(u8::MAX));
    for n in shape {
        bytes.extend(u32::try_from(*n).map_err(|_| refused("sub-arrays of this size"))?.to_le_bytes());
    }
    bytes.extend(base);
    Ok(bytes)
}

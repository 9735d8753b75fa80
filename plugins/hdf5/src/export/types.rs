//! NumPy's types as h5py writes them.

use tiled_plugin_api::prelude::*;

/// How the bytes of an element are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Encoded {
    /// The type in HDF5's encoding.
    pub(crate) bytes: Vec<u8>,
    /// Whether elements are UCS-4 text that must become UTF-8 of the same number of bytes.
    pub(crate) is_unicode: bool,
}

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
pub(crate) fn encode(data_type: &DataType) -> Result<Encoded> {
    let is_unicode = data_type.kind() == Kind::Unicode;
    Ok(Encoded { bytes: type_bytes(data_type)?, is_unicode })
}

fn type_bytes(data_type: &DataType) -> Result<Vec<u8>> {
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

fn refused(what: &str) -> Error {
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
        if field.dtype.kind() == Kind::Unicode {
            return Err(refused("records with Unicode fields"));
        }
        bytes.extend(field.name.as_bytes());
        bytes.push(0);
        bytes.extend(offset.to_le_bytes().iter().take(wide));
        bytes.extend(field_type(field)?);
        offset += field.nbytes();
    }
    Ok(bytes)
}

fn field_type(field: &Field) -> Result<Vec<u8>> {
    let base = type_bytes(&field.dtype)?;
    let Some(shape) = field.shape.as_ref().filter(|s| !s.is_empty()) else { return Ok(base) };
    let mut bytes = head(3, 10, [0; 3], field.nbytes());
    bytes.push(u8::try_from(shape.len()).unwrap_or(u8::MAX));
    for n in shape {
        bytes.extend(u32::try_from(*n).map_err(|_| refused("sub-arrays of this size"))?.to_le_bytes());
    }
    bytes.extend(base);
    Ok(bytes)
}

/// UCS-4 texts to UTF-8, each in the bytes it had.
pub(crate) fn to_utf8(data_type: &DataType, values: &[u8]) -> Vec<u8> {
    let width = usize::try_from(data_type.itemsize()).unwrap_or(0).max(4);
    let big = data_type.endianness() == Endianness::Big;
    let mut out = Vec::with_capacity(values.len());
    for (i, text) in values.chunks_exact(width).enumerate() {
        let letters = text.chunks_exact(4).map(|unit| {
            let unit = <[u8; 4]>::try_from(unit).unwrap_or_default();
            let unit = if big { u32::from_be_bytes(unit) } else { u32::from_le_bytes(unit) };
            char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER)
        });
        let text: String = letters.collect();
        out.extend(text.trim_end_matches('\0').as_bytes());
        out.resize((i + 1) * width, 0);
    }
    out
}

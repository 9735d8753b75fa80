//! What must happen to values on their way into a file that has no form for theirs.

use tiled_plugin_api::prelude::*;

/// How the bytes of values change; their number only where it says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Convert {
    /// Not at all.
    No,
    /// UCS-4 texts become UTF-8 of the same number of bytes.
    Texts(DataType),
    /// The same for these fields of records: offset, bytes of one text, byte order.
    Fields { record: usize, texts: Vec<(usize, usize, Endianness)> },
    /// Half floats become single ones, of twice the bytes.
    Halves { big: bool },
}

impl Convert {
    /// What HDF5 needs.
    pub(crate) fn for_hdf5(data_type: &DataType) -> Self {
        let mut texts = vec![];
        match data_type {
            DataType::Builtin { kind: Kind::Unicode, .. } => Convert::Texts(data_type.clone()),
            DataType::Builtin { .. } => Convert::No,
            DataType::Struct { itemsize, fields } => {
                unicode_fields(fields, 0, &mut texts);
                match (texts.is_empty(), usize::try_from(*itemsize)) {
                    (false, Ok(record)) => Convert::Fields { record, texts },
                    _ => Convert::No,
                }
            }
        }
    }

    /// Converts whole elements; the bytes themselves where nothing is to do.
    pub(crate) fn apply(&self, bytes: OwnedBuffer) -> OwnedBuffer {
        match self {
            Convert::No => bytes,
            Convert::Texts(data_type) => {
                let width = usize::try_from(data_type.itemsize()).unwrap_or(0).max(4);
                let mut out = bytes.to_vec();
                out.chunks_exact_mut(width).for_each(|text| to_utf8(text, data_type.endianness()));
                OwnedBuffer::from_vec(out)
            }
            Convert::Fields { record, texts } => {
                let mut out = bytes.to_vec();
                for item in out.chunks_exact_mut((*record).max(1)) {
                    for (at, width, order) in texts {
                        if let Some(text) = item.get_mut(*at..at + width) {
                            to_utf8(text, *order);
                        }
                    }
                }
                OwnedBuffer::from_vec(out)
            }
            Convert::Halves { big } => {
                let mut out = Vec::with_capacity(2 * bytes.len());
                for pair in bytes.as_chunks::<2>().0 {
                    let bits = if *big { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) };
                    let value = f32_of_half(bits);
                    out.extend(if *big { value.to_be_bytes() } else { value.to_le_bytes() });
                }
                OwnedBuffer::from_vec(out)
            }
        }
    }
}

fn unicode_fields(fields: &[Field], start: usize, texts: &mut Vec<(usize, usize, Endianness)>) {
    let mut at = start;
    for field in fields {
        let size = usize::try_from(field.dtype.itemsize()).unwrap_or(0);
        let count = usize::try_from(field.nbytes()).unwrap_or(0).checked_div(size).unwrap_or(0);
        for place in 0..count {
            match &field.dtype {
                DataType::Struct { fields, .. } => unicode_fields(fields, at + place * size, texts),
                DataType::Builtin { kind: Kind::Unicode, endianness, .. } => {
                    texts.push((at + place * size, size, *endianness));
                }
                DataType::Builtin { .. } => {}
            }
        }
        at += count * size;
    }
}

/// UTF-8 never takes more bytes than UCS-4, so it is written where the letters were read.
fn to_utf8(text: &mut [u8], order: Endianness) {
    let mut end = 0;
    let mut used = 0;
    for at in (0..text.len() / 4 * 4).step_by(4) {
        let Some(unit) = text.get(at..at + 4).and_then(|unit| <[u8; 4]>::try_from(unit).ok()) else { break };
        let unit = if order == Endianness::Big { u32::from_be_bytes(unit) } else { u32::from_le_bytes(unit) };
        let letter = char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER);
        let mut buffer = [0; 4];
        for byte in letter.encode_utf8(&mut buffer).bytes() {
            if let Some(slot) = text.get_mut(end) {
                *slot = byte;
            }
            end += 1;
        }
        if unit != 0 {
            used = end;
        }
    }
    text.get_mut(used..).unwrap_or_default().fill(0);
}

/// The single float of these half float's bits.
fn f32_of_half(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f32::from(bits & 0x3ff));
    match exponent {
        0 => sign * fraction * 2_f32.powi(-24),
        31 if fraction == 0.0 => sign * f32::INFINITY,
        31 => f32::NAN,
        _ => sign * (1.0 + fraction / 1024.0) * 2_f32.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ucs4(text: &str, letters: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        bytes.resize(4 * letters, 0);
        bytes
    }

    #[test]
    fn texts_become_utf8_in_their_place() {
        let data_type = DataType::from_numpy_str("<U3").unwrap();
        let values = [ucs4("aé", 3), ucs4("\u{1f600}xy", 3)].concat();
        let out = Convert::for_hdf5(&data_type).apply(OwnedBuffer::from_vec(values));
        assert_eq!(&out[..12], "aé\0\0\0\0\0\0\0\0\0".as_bytes());
        assert_eq!(&out[12..], "\u{1f600}xy\0\0\0\0\0\0".as_bytes());
    }

    #[test]
    fn texts_within_records_too() {
        let fields = vec![
            Field::new("n", DataType::from_numpy_str("<i2").unwrap()),
            Field::new("t", DataType::from_numpy_str("<U2").unwrap()),
        ];
        let value = [vec![1, 2], ucs4("né", 2)].concat();
        let out = Convert::for_hdf5(&DataType::record(fields)).apply(OwnedBuffer::from_vec(value));
        assert_eq!(&out[..], [&[1, 2][..], "né\0\0\0\0\0".as_bytes()].concat());
    }
}

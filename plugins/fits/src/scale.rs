//! From the values of a file to those that are served: `BZERO`, `BSCALE` and `BLANK`, as astropy applies them.

use tiled_plugin_api::prelude::{DataType, Endianness, Error, Kind, Result};

use crate::header::Header;

/// How the values of an image are served.
#[derive(Debug, Clone, PartialEq)]
pub enum Scale {
    /// As they are.
    None,
    /// Whole numbers with another sign, by an offset of half their range: their highest bit is the opposite one.
    Sign,
    /// As floats: times `by`, plus `zero`; those that are `blank` are NaN.
    Float { by: f64, zero: f64, blank: Option<i64> },
}

/// The type of a file's values, big endian, and how they are served.
#[derive(Debug, Clone, PartialEq)]
pub struct Element {
    /// `BITPIX`: 8, 16, 32, 64, -32, -64.
    pub bits: i64,
    /// How they are served.
    pub scale: Scale,
}

impl Element {
    /// What the header says of values of `bits`.
    ///
    /// # Errors
    /// `InvalidData` where that is no `BITPIX`.
    pub fn of(header: &Header, bits: i64) -> Result<Self> {
        if ![8, 16, 32, 64, -32, -64].contains(&bits) {
            return Err(Error::invalid_data(format!("BITPIX is {bits}, which is none of the standard's")));
        }
        let (by, zero) = (header.float("BSCALE").unwrap_or(1.0), header.float("BZERO").unwrap_or(0.0));
        let blank = header.int("BLANK").filter(|_| bits > 0);
        let half = if bits == 8 { -128.0 } else { 2_f64.powi(i32::try_from(bits).unwrap_or(0) - 1) };
        let scale = if by == 1.0 && bits > 0 && zero == half {
            Scale::Sign
        } else if by == 1.0 && zero == 0.0 && blank.is_none() {
            Scale::None
        } else {
            Scale::Float { by, zero, blank }
        };
        Ok(Element { bits, scale })
    }

    /// Bytes of a value in the file.
    pub fn stored(&self) -> u64 {
        self.bits.unsigned_abs() / 8
    }

    /// The type as it is served.
    pub fn data_type(&self) -> DataType {
        let stored = match self.bits {
            8 => (Kind::Uint, 1),
            bits if bits > 0 => (Kind::Int, self.stored()),
            _ => (Kind::Float, self.stored()),
        };
        let ((kind, size), order) = match (&self.scale, self.bits) {
            (Scale::None, _) => (stored, Endianness::Big),
            (Scale::Sign, 8) => ((Kind::Int, 1), Endianness::Big),
            (Scale::Sign, _) => ((Kind::Uint, stored.1), Endianness::Big),
            (Scale::Float { .. }, 8 | 16 | -32) => ((Kind::Float, 4), Endianness::NATIVE),
            (Scale::Float { .. }, _) => ((Kind::Float, 8), Endianness::NATIVE),
        };
        DataType::ordered(kind, size, order)
    }

    /// Where in a buffer of `len` bytes the file's values have to be put, so that `apply` can work in place: at its end.
    pub fn place(&self, len: usize) -> usize {
        let count = len / self.data_type().itemsize().max(1) as usize;
        len - count * self.stored() as usize
    }

    /// Turns the file's values, which lie at the end of `out`, into those that are served, which fill it.
    pub fn apply(&self, out: &mut [u8]) {
        let Scale::Float { by, zero, blank } = self.scale else {
            match (&self.scale, self.bits) {
                (Scale::Sign, 8) => flip::<1>(out),
                (Scale::Sign, 16) => flip::<2>(out),
                (Scale::Sign, 32) => flip::<4>(out),
                (Scale::Sign, _) => flip::<8>(out),
                _ => {}
            }
            return;
        };
        // Single precision throughout, as astropy's arithmetic on arrays of it is.
        let single = move |value: f32| {
            let value = if by == 1.0 { value } else { value * by as f32 };
            (if zero == 0.0 { value } else { value + zero as f32 }).to_ne_bytes()
        };
        let double = move |value: f64| {
            let value = if by == 1.0 { value } else { value * by };
            (if zero == 0.0 { value } else { value + zero }).to_ne_bytes()
        };
        let is_blank = move |value: i64| blank == Some(value);
        match self.bits {
            8 => in_place::<1, 4>(out, |b| {
                if is_blank(b[0].into()) { f32::NAN.to_ne_bytes() } else { single(b[0].into()) }
            }),
            16 => in_place::<2, 4>(out, |b| {
                let value = i16::from_be_bytes(b);
                if is_blank(value.into()) { f32::NAN.to_ne_bytes() } else { single(value.into()) }
            }),
            32 => in_place::<4, 8>(out, |b| {
                let value = i32::from_be_bytes(b);
                if is_blank(value.into()) { f64::NAN.to_ne_bytes() } else { double(value.into()) }
            }),
            64 => in_place::<8, 8>(out, |b| {
                let value = i64::from_be_bytes(b);
                if is_blank(value) { f64::NAN.to_ne_bytes() } else { double(value as f64) }
            }),
            -32 => in_place::<4, 4>(out, |b| single(f32::from_be_bytes(b))),
            _ => in_place::<8, 8>(out, |b| double(f64::from_be_bytes(b))),
        }
    }
}

/// Turns the highest bit of big-endian values of `N` bytes over.
fn flip<const N: usize>(out: &mut [u8]) {
    for value in out.as_chunks_mut::<N>().0 {
        if let Some(first) = value.first_mut() {
            *first ^= 0x80;
        }
    }
}

/// Values of `FROM` bytes at the end of `out` become values of `TO` bytes that fill it. `TO` is not smaller, so that none
/// is overwritten before it is read.
fn in_place<const FROM: usize, const TO: usize>(out: &mut [u8], convert: impl Fn([u8; FROM]) -> [u8; TO]) {
    let count = out.len() / TO;
    let start = out.len() - count * FROM;
    for i in 0..count {
        let from = out.get(start + i * FROM..).and_then(|rest| rest.first_chunk::<FROM>()).copied();
        let to = out.get_mut(i * TO..).and_then(|rest| rest.first_chunk_mut::<TO>());
        if let (Some(from), Some(to)) = (from, to) {
            *to = convert(from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_grow_in_place() {
        let element = Element { bits: 16, scale: Scale::Float { by: 2.0, zero: 1.0, blank: Some(-1) } };
        let mut out = [0; 12];
        assert_eq!(element.place(12), 6);
        out[6..].copy_from_slice(&[0, 1, 0xff, 0xff, 0xff, 0xfe]);
        element.apply(&mut out);
        let values: Vec<f32> = out.as_chunks::<4>().0.iter().map(|b| f32::from_ne_bytes(*b)).collect();
        assert!(values[0] == 3.0 && values[1].is_nan() && values[2] == -3.0);
    }
}

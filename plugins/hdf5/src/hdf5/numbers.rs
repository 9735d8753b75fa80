//! Numbers of one type as numbers of another, as HDF5 converts them: what does not fit becomes the nearest that does.

use tiled_plugin_api::prelude::{DataType, Endianness, Kind};

/// From elements of one type to those of another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Conversion {
    from: Number,
    to: Number,
}

#[derive(Debug, Clone, Copy)]
struct Number {
    kind: Kind,
    size: usize,
    big: bool,
}

enum Value {
    Whole(i128),
    Real(f64),
}

impl Number {
    fn of(data_type: &DataType) -> Option<Number> {
        let kind = data_type.kind();
        let sizes: &[u64] = match kind {
            Kind::Int | Kind::Uint => &[1, 2, 4, 8],
            Kind::Float => &[4, 8],
            _ => return None,
        };
        let size = sizes.iter().find(|size| **size == data_type.itemsize())?;
        Some(Number { kind, size: *size as usize, big: data_type.endianness() == Endianness::Big })
    }

    fn get(self, bytes: &[u8]) -> Value {
        let mut word = [0; 8];
        let place = &mut word[..self.size];
        place.copy_from_slice(bytes);
        if self.big {
            place.reverse();
        }
        let word = u64::from_le_bytes(word);
        let unused = 64 - 8 * self.size as u32;
        match (self.kind, self.size) {
            (Kind::Float, 4) => Value::Real(f32::from_bits(word as u32).into()),
            (Kind::Float, _) => Value::Real(f64::from_bits(word)),
            (Kind::Int, _) => Value::Whole((word.cast_signed() << unused >> unused).into()),
            _ => Value::Whole(word.into()),
        }
    }

    fn put(self, value: Value, out: &mut [u8]) {
        let bits = 8 * self.size as u32;
        let word = match (self.kind, value) {
            (Kind::Float, value) => match (self.size, value) {
                (4, Value::Real(value)) => (value as f32).to_bits().into(),
                (4, Value::Whole(value)) => (value as f32).to_bits().into(),
                (_, Value::Real(value)) => value.to_bits(),
                (_, Value::Whole(value)) => (value as f64).to_bits(),
            },
            (kind, value) => {
                // From floats: towards zero, NaN to zero.
                let value = match value {
                    Value::Whole(value) => value,
                    Value::Real(value) => value as i128,
                };
                let (low, high) = match kind {
                    Kind::Int => (-1_i128 << (bits - 1), (1_i128 << (bits - 1)) - 1),
                    _ => (0, (1_i128 << bits) - 1),
                };
                value.clamp(low, high) as u64
            }
        };
        out.copy_from_slice(&word.to_le_bytes()[..self.size]);
        if self.big {
            out.reverse();
        }
    }
}

impl Conversion {
    /// Between these types; `None` where one is no integer or IEEE float of common width.
    pub(crate) fn between(from: &DataType, to: &DataType) -> Option<Conversion> {
        Some(Conversion { from: Number::of(from)?, to: Number::of(to)? })
    }

    /// As many elements of the other type.
    pub(crate) fn apply(self, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![0; bytes.len() / self.from.size * self.to.size];
        for (value, place) in bytes.chunks_exact(self.from.size).zip(out.chunks_exact_mut(self.to.size)) {
            self.to.put(self.from.get(value), place);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn convert(from: &str, to: &str, bytes: &[u8]) -> Vec<u8> {
        let of = |text| DataType::from_numpy_str(text).unwrap();
        Conversion::between(&of(from), &of(to)).unwrap().apply(bytes)
    }

    #[test]
    fn what_does_not_fit_becomes_the_nearest() {
        assert_eq!(convert("<i4", "|u1", &(-5_i32).to_le_bytes()), [0]);
        assert_eq!(convert(">i4", "|i1", &300_i32.to_be_bytes()), [127]);
        assert_eq!(convert("<u8", "<i8", &u64::MAX.to_le_bytes()), i64::MAX.to_le_bytes());
        assert_eq!(convert("<f8", "<i2", &(-1.9_f64).to_le_bytes()), (-1_i16).to_le_bytes());
        assert_eq!(convert("<f8", "<u4", &f64::INFINITY.to_le_bytes()), u32::MAX.to_le_bytes());
    }

    #[test]
    fn numbers_keep_their_value() {
        assert_eq!(convert("|i1", ">f4", &(-3_i8).to_le_bytes()), (-3_f32).to_be_bytes());
        assert_eq!(convert("<i8", "<f8", &7_i64.to_le_bytes()), 7_f64.to_le_bytes());
        assert_eq!(convert("<f4", "<f8", &0.5_f32.to_le_bytes()), 0.5_f64.to_le_bytes());
        assert!(
            Conversion::between(&DataType::native(Kind::Bytes, 4), &DataType::native(Kind::Int, 4)).is_none()
        );
    }
}

//! Codecs of numcodecs that change elements one by one: `delta`, `fixedscaleoffset`, `astype`, `quantize`, `packbits`,
//! `shuffle`.

use tiled_plugin_api::{
    layout::strided,
    model::{DataType, Endianness, Kind},
};

use super::Outcome;

/// A number type that these codecs can compute with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number {
    kind: NumberKind,
    size: usize,
    /// Most significant byte first.
    pub big: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NumberKind {
    Signed,
    Unsigned,
    Float,
}

/// A value in the widest type of its kind.
#[derive(Debug, Clone, Copy)]
enum Value {
    Integer(i128),
    Float(f64),
}

impl Number {
    /// The number type of a data type; `None` for other types.
    pub fn of(dtype: &DataType) -> Option<Self> {
        let size = usize::try_from(dtype.itemsize()).ok()?;
        let (kind, sizes): (_, &[usize]) = match dtype.kind() {
            Kind::Int | Kind::Datetime | Kind::Timedelta => (NumberKind::Signed, &[1, 2, 4, 8]),
            Kind::Uint | Kind::Bool => (NumberKind::Unsigned, &[1, 2, 4, 8]),
            Kind::Float => (NumberKind::Float, &[2, 4, 8]),
            _ => return None,
        };
        sizes.contains(&size).then_some(Number { kind, size, big: dtype.endianness() == Endianness::Big })
    }

    /// The same type in this byte order.
    pub fn ordered(self, big: bool) -> Self {
        Number { big, ..self }
    }

    /// Bytes of a number.
    pub fn size(&self) -> usize {
        self.size
    }

    fn get(&self, bytes: &[u8]) -> Value {
        let mut wide = [0; 8];
        for (to, from) in wide.iter_mut().zip(0..self.size) {
            let from = if self.big { self.size - 1 - from } else { from };
            *to = bytes.get(from).copied().unwrap_or_default();
        }
        let bits = u64::from_le_bytes(wide);
        match (self.kind, self.size) {
            (NumberKind::Float, 8) => Value::Float(f64::from_bits(bits)),
            (NumberKind::Float, 4) => Value::Float(f64::from(f32::from_bits(bits as u32))),
            (NumberKind::Float, _) => Value::Float(half::f16::from_bits(bits as u16).to_f64()),
            (NumberKind::Unsigned, _) => Value::Integer(i128::from(bits)),
            (NumberKind::Signed, size) => {
                let unused = 64 - 8 * size as u32;
                Value::Integer(i128::from((bits as i64) << unused >> unused))
            }
        }
    }

    fn put(&self, value: Value, bytes: &mut [u8]) {
        let bits = match (self.kind, value) {
            (NumberKind::Float, value) => {
                let value = match value {
                    Value::Integer(value) => value as f64,
                    Value::Float(value) => value,
                };
                match self.size {
                    8 => value.to_bits(),
                    4 => u64::from((value as f32).to_bits()),
                    _ => u64::from(half::f16::from_f64(value).to_bits()),
                }
            }
            (_, Value::Integer(value)) => value as u64,
            (_, Value::Float(value)) => value as i128 as u64,
        };
        for (at, byte) in bits.to_le_bytes().into_iter().take(self.size).enumerate() {
            let at = if self.big { self.size - 1 - at } else { at };
            if let Some(to) = bytes.get_mut(at) {
                *to = byte;
            }
        }
    }
}

/// Turns every number of `bytes` into one of `out`.
fn map(
    bytes: &[u8],
    from: Number,
    out: &mut [u8],
    to: Number,
    mut change: impl FnMut(Value) -> Value,
) -> Outcome<()> {
    if bytes.len() / from.size != out.len() / to.size || !bytes.len().is_multiple_of(from.size) {
        return Err(format!("{} bytes are not the elements of the chunk", bytes.len()));
    }
    for (from_bytes, to_bytes) in bytes.chunks_exact(from.size).zip(out.chunks_exact_mut(to.size)) {
        to.put(change(from.get(from_bytes)), to_bytes);
    }
    Ok(())
}

/// Sums up differences.
///
/// # Errors
/// When the lengths do not fit.
pub fn undo_delta(bytes: &[u8], stored: Number, out: &mut [u8], element: Number) -> Outcome<()> {
    let (mut sum, mut float) = (0i128, 0f64);
    let single = element.size < 8;
    map(bytes, stored, out, element, |value| match value {
        Value::Integer(by) if element.kind != NumberKind::Float => {
            sum = i128::from((sum as u64).wrapping_add(by as u64));
            Value::Integer(sum)
        }
        value => {
            float += match value {
                Value::Integer(by) => by as f64,
                Value::Float(by) => by,
            };
            // NumPy sums in the type of the element.
            if single {
                float = f64::from(float as f32);
            }
            Value::Float(float)
        }
    })
}

/// Differences, the first to zero.
///
/// # Errors
/// When the lengths do not fit.
pub fn delta(bytes: &[u8], element: Number, out: &mut [u8], stored: Number) -> Outcome<()> {
    let mut before = None;
    map(bytes, element, out, stored, |value| {
        let by = match (value, before) {
            (value, None) => value,
            (Value::Integer(value), Some(Value::Integer(before))) => Value::Integer(value - before),
            (Value::Float(value), Some(Value::Float(before))) if element.size < 8 => {
                Value::Float(f64::from(value as f32 - before as f32))
            }
            (Value::Float(value), Some(Value::Float(before))) => Value::Float(value - before),
            (value, Some(_)) => value,
        };
        before = Some(value);
        by
    })
}

/// Booleans to bits, and before them how many bits of the last byte are padding.
pub fn packbits(bytes: &[u8], out: &mut [u8]) {
    out.fill(0);
    let Some((padding, bits)) = out.split_first_mut() else { return };
    *padding = (bits.len() * 8 - bytes.len()) as u8;
    for (i, value) in bytes.iter().enumerate() {
        if let Some(byte) = bits.get_mut(i / 8) {
            *byte |= u8::from(*value != 0) << (7 - i % 8);
        }
    }
}

/// First bytes of all elements, then second ones, …; a rest stays where it is.
pub fn shuffle(bytes: &[u8], size: usize, out: &mut [u8]) -> Outcome<()> {
    let count = bytes.len() / size.max(1);
    let axes = [
        strided::Axis { count, from: size as isize, to: 1 },
        strided::Axis { count: size, from: 1, to: count as isize },
    ];
    if bytes.len() != out.len() || !strided::copy(bytes, 0, out, 0, &axes, 1) {
        return Err("shuffled bytes leave their buffer".into());
    }
    if let Some((to, from)) = out.get_mut(count * size..).zip(bytes.get(count * size..)) {
        to.copy_from_slice(from);
    }
    Ok(())
}

/// Divides by the scale and adds the offset.
///
/// # Errors
/// When the lengths do not fit.
pub fn undo_scale(
    bytes: &[u8],
    stored: Number,
    out: &mut [u8],
    element: Number,
    scale: f64,
    offset: f64,
) -> Outcome<()> {
    // NumPy computes in the stored type where that is a float, else in float64.
    let single = stored.kind == NumberKind::Float && stored.size == 4;
    map(bytes, stored, out, element, |value| {
        let value = match value {
            Value::Integer(value) => value as f64,
            Value::Float(value) => value,
        };
        Value::Float(if single {
            f64::from(value as f32 / scale as f32 + offset as f32)
        } else {
            value / scale + offset
        })
    })
}

/// Changes the type only.
///
/// # Errors
/// When the lengths do not fit.
pub fn undo_cast(bytes: &[u8], stored: Number, out: &mut [u8], element: Number) -> Outcome<()> {
    map(bytes, stored, out, element, |value| value)
}

/// Bits back to booleans; the first byte says how many bits of the last one are padding.
///
/// # Errors
/// When the lengths do not fit.
pub fn undo_packbits(bytes: &[u8], out: &mut [u8]) -> Outcome<()> {
    let Some((padding, bits)) = bytes.split_first() else { return Err("it is empty".into()) };
    if bits.len() * 8 != out.len() + usize::from(*padding) {
        return Err(format!(
            "{} bits instead of {}",
            (bits.len() * 8).saturating_sub((*padding).into()),
            out.len()
        ));
    }
    for (i, value) in out.iter_mut().enumerate() {
        *value = bits.get(i / 8).map_or(0, |byte| byte >> (7 - i % 8) & 1);
    }
    Ok(())
}

/// Puts the bytes of each element together again.
///
/// # Errors
/// When the lengths differ.
pub fn undo_shuffle(bytes: &[u8], size: usize, out: &mut [u8]) -> Outcome<()> {
    let count = bytes.len() / size.max(1);
    let (planes, rest) = bytes.split_at_checked(count * size).unwrap_or((&[], bytes));
    if bytes.len() != out.len() {
        return Err(format!("{} bytes instead of {}", bytes.len(), out.len()));
    }
    let axes = [
        strided::Axis { count, from: 1, to: size as isize },
        strided::Axis { count: size, from: count as isize, to: 1 },
    ];
    if !strided::copy(planes, 0, out, 0, &axes, 1) {
        return Err("shuffled bytes leave their buffer".into());
    }
    if let Some(end) = out.get_mut(count * size..) {
        end.copy_from_slice(rest);
    }
    Ok(())
}

//! From stored to served elements: the calculations of [`Numeric`], and text as UCS-4.

use tiled_plugin_api::prelude::{DataType, Error, Kind, Result};

use super::{
    cf::{Factor, Numeric},
    number::{Element, Number, with_type},
};

impl Numeric {
    /// The type that is served.
    pub(crate) fn data_type(&self) -> DataType {
        if self.boolean { DataType::native(Kind::Bool, 1) } else { self.to.data_type() }
    }

    /// Calculates all elements of `stored` into `out`, which has place for as many.
    pub(crate) fn apply(&self, stored: &[u8], out: &mut [u8]) {
        if self.boolean {
            let mut values = vec![0; stored.len() / self.from.size() * self.to.size()];
            self.calculate(stored, &mut values);
            with_type!(self.to, T => {
                for (value, out) in values.chunks_exact(T::SIZE).zip(out) {
                    // NaN counts as true, as in NumPy.
                    *out = u8::from(T::get(value).to_f64() != 0.0);
                }
            });
        } else {
            self.calculate(stored, out);
        }
    }

    fn calculate(&self, stored: &[u8], out: &mut [u8]) {
        with_type!(self.from, S => match self.to {
            Number::F32 => self.single::<S>(stored, out),
            Number::F64 => self.double::<S>(stored, out),
            _ => self.integers::<S>(stored, out),
        });
    }

    fn single<S: Element>(&self, stored: &[u8], out: &mut [u8]) {
        for (stored, out) in stored.chunks(BLOCK * S::SIZE).zip(out.chunks_mut(BLOCK * 4)) {
            for (stored, out) in stored.chunks_exact(S::SIZE).zip(out.chunks_exact_mut(4)) {
                S::get(stored).to_f32().put(out);
            }
            for fill in &self.missing {
                each(out, |value: f32| if f64::from(value) == *fill { f32::NAN } else { value });
            }
            match &self.scale {
                Some(Factor { value: by, wide: true, .. }) => each(out, |v: f32| (f64::from(v) * by) as f32),
                Some(Factor { value: by, .. }) => each(out, |v: f32| v * *by as f32),
                None => {}
            }
            match &self.offset {
                Some(Factor { value: by, wide: true, .. }) => each(out, |v: f32| (f64::from(v) + by) as f32),
                Some(Factor { value: by, .. }) => each(out, |v: f32| v + *by as f32),
                None => {}
            }
        }
    }

    fn double<S: Element>(&self, stored: &[u8], out: &mut [u8]) {
        for (stored, out) in stored.chunks(BLOCK * S::SIZE).zip(out.chunks_mut(BLOCK * 8)) {
            for (stored, out) in stored.chunks_exact(S::SIZE).zip(out.chunks_exact_mut(8)) {
                S::get(stored).to_f64().put(out);
            }
            for fill in &self.missing {
                each(out, |value: f64| if value == *fill { f64::NAN } else { value });
            }
            if let Some(scale) = &self.scale {
                each(out, |value: f64| value * scale.value);
            }
            if let Some(offset) = &self.offset {
                each(out, |value: f64| value + offset.value);
            }
        }
    }

    /// An integer factor: integers that wrap around, as in NumPy.
    fn integers<S: Element>(&self, stored: &[u8], out: &mut [u8]) {
        let whole = |factor: &Option<Factor>, none: i64| factor.map_or(none, |f| f.value as i64);
        let (scale, offset) = (whole(&self.scale, 1), whole(&self.offset, 0));
        let size = self.to.size();
        for (stored, out) in stored.chunks_exact(S::SIZE).zip(out.chunks_exact_mut(size)) {
            let value = S::get(stored).to_i64().wrapping_mul(scale).wrapping_add(offset);
            with_type!(self.to, T => (value as T).put(out));
        }
    }
}

/// Elements that are taken through all steps while they are in the nearest cache: one plain loop for each step is
/// what the compiler turns into vector instructions.
const BLOCK: usize = 2048;

/// One step over a block.
fn each<T: Element>(block: &mut [u8], step: impl Fn(T) -> T) {
    for place in block.chunks_exact_mut(T::SIZE) {
        step(T::get(place)).put(place);
    }
}

/// A text of stored bytes: up to the NULs at its end. `latin`: one byte a character, else UTF-8.
pub(crate) fn text_of(bytes: &[u8], latin: bool) -> String {
    let end = bytes.iter().rposition(|b| *b != 0).map_or(0, |i| i + 1);
    let bytes = bytes.get(..end).unwrap_or_default();
    if latin {
        bytes.iter().map(|b| char::from(*b)).collect()
    } else {
        String::from_utf8_lossy(bytes).into_owned()
    }
}

/// Writes a text as UCS-4 in this machine's order, padded with 0.
///
/// # Errors
/// `InvalidData` when it does not fit: the file has changed.
pub(crate) fn put_text(text: &str, out: &mut [u8]) -> Result<()> {
    let mut places = out.chunks_exact_mut(4);
    for character in text.chars() {
        let place = places
            .next()
            .ok_or_else(|| Error::invalid_data("a text is longer than when it was described"))?;
        place.copy_from_slice(&u32::from(character).to_ne_bytes());
    }
    places.for_each(|place| place.fill(0));
    Ok(())
}

//! Numbers of netCDF: their types, values in this machine's byte order, and their JSON.

use serde_json::{Number as JsonNumber, Value};
use tiled_plugin_api::prelude::{DataType, Kind};

/// The type of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Number {
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F32,
    F64,
}

impl Number {
    /// Bytes of one.
    pub(crate) const fn size(self) -> usize {
        match self {
            Number::I8 | Number::U8 => 1,
            Number::I16 | Number::U16 => 2,
            Number::I32 | Number::U32 | Number::F32 => 4,
            Number::I64 | Number::U64 | Number::F64 => 8,
        }
    }

    /// NumPy's kind.
    pub(crate) const fn kind(self) -> Kind {
        match self {
            Number::I8 | Number::I16 | Number::I32 | Number::I64 => Kind::Int,
            Number::U8 | Number::U16 | Number::U32 | Number::U64 => Kind::Uint,
            Number::F32 | Number::F64 => Kind::Float,
        }
    }

    /// The number of that kind and size, where there is one.
    pub(crate) const fn of(kind: Kind, size: u64) -> Option<Number> {
        Some(match (kind, size) {
            (Kind::Int | Kind::Bool, 1) => Number::I8,
            (Kind::Int, 2) => Number::I16,
            (Kind::Int, 4) => Number::I32,
            (Kind::Int, 8) => Number::I64,
            (Kind::Uint, 1) => Number::U8,
            (Kind::Uint, 2) => Number::U16,
            (Kind::Uint, 4) => Number::U32,
            (Kind::Uint, 8) => Number::U64,
            (Kind::Float, 4) => Number::F32,
            (Kind::Float, 8) => Number::F64,
            _ => return None,
        })
    }

    /// The same bytes as a number of another kind: int16 as uint16.
    pub(crate) const fn as_kind(self, kind: Kind) -> Number {
        match Number::of(kind, self.size() as u64) {
            Some(number) => number,
            None => self,
        }
    }

    /// Whether it is an integer.
    pub(crate) const fn is_integer(self) -> bool {
        !matches!(self, Number::F32 | Number::F64)
    }

    /// In this machine's byte order.
    pub(crate) fn data_type(self) -> DataType {
        DataType::native(self.kind(), self.size() as u64)
    }

    /// What netCDF reads where nothing was written and no fill value was set, as bytes.
    pub(crate) fn default_fill(self) -> Vec<u8> {
        const FLOAT: f64 = 9.969_209_968_386_869e36;
        match self {
            Number::I8 => (-127_i8).to_ne_bytes().to_vec(),
            Number::U8 => vec![255],
            Number::I16 => (-32767_i16).to_ne_bytes().to_vec(),
            Number::U16 => u16::MAX.to_ne_bytes().to_vec(),
            Number::I32 => (-2_147_483_647_i32).to_ne_bytes().to_vec(),
            Number::U32 => u32::MAX.to_ne_bytes().to_vec(),
            Number::I64 => (-9_223_372_036_854_775_806_i64).to_ne_bytes().to_vec(),
            Number::U64 => 18_446_744_073_709_551_614_u64.to_ne_bytes().to_vec(),
            Number::F32 => (FLOAT as f32).to_ne_bytes().to_vec(),
            Number::F64 => FLOAT.to_ne_bytes().to_vec(),
        }
    }
}

/// A number that can be read from bytes in this machine's order.
pub(crate) trait Element: Copy {
    /// Bytes of one.
    const SIZE: usize;
    /// From exactly `SIZE` bytes; fewer count as 0.
    fn get(bytes: &[u8]) -> Self;
    /// Writes exactly `SIZE` bytes.
    fn put(self, out: &mut [u8]);
    /// As NumPy's `astype`.
    fn to_f32(self) -> f32;
    /// As NumPy's `astype`.
    fn to_f64(self) -> f64;
    /// As NumPy's `astype` for integers.
    fn to_i64(self) -> i64;
}

macro_rules! elements {
    ($($type:ty),*) => {$(
        impl Element for $type {
            const SIZE: usize = size_of::<$type>();

            #[inline]
            fn get(bytes: &[u8]) -> Self {
                bytes.first_chunk().map_or(0 as $type, |bytes| <$type>::from_ne_bytes(*bytes))
            }

            #[inline]
            fn put(self, out: &mut [u8]) {
                if let Some(place) = out.first_chunk_mut() {
                    *place = self.to_ne_bytes();
                }
            }

            #[inline]
            fn to_f32(self) -> f32 {
                self as f32
            }

            #[inline]
            fn to_f64(self) -> f64 {
                self as f64
            }

            #[inline]
            fn to_i64(self) -> i64 {
                self as i64
            }
        }
    )*};
}
elements!(i8, i16, i32, i64, u8, u16, u32, u64, f32, f64);

/// Runs `$body` with the type `$type` of a [`Number`].
macro_rules! with_type {
    ($number:expr, $type:ident => $body:expr) => {{
        use $crate::netcdf::number::Number as N;
        match $number {
            N::I8 => {
                type $type = i8;
                $body
            }
            N::I16 => {
                type $type = i16;
                $body
            }
            N::I32 => {
                type $type = i32;
                $body
            }
            N::I64 => {
                type $type = i64;
                $body
            }
            N::U8 => {
                type $type = u8;
                $body
            }
            N::U16 => {
                type $type = u16;
                $body
            }
            N::U32 => {
                type $type = u32;
                $body
            }
            N::U64 => {
                type $type = u64;
                $body
            }
            N::F32 => {
                type $type = f32;
                $body
            }
            N::F64 => {
                type $type = f64;
                $body
            }
        }
    }};
}
pub(crate) use with_type;

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Attr {
    /// Characters, or one string.
    Text(String),
    /// Several strings.
    Texts(Vec<String>),
    /// Numbers in this machine's byte order.
    Numbers(Number, Vec<u8>),
    /// Anything else.
    Json(Value),
}

impl Attr {
    /// The text, where it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Attr::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The numbers as float64.
    pub(crate) fn floats(&self) -> Option<Vec<f64>> {
        let Attr::Numbers(number, bytes) = self else { return None };
        Some(
            with_type!(*number, T => bytes.chunks_exact(number.size()).map(|b| T::get(b).to_f64()).collect()),
        )
    }

    /// The integers.
    pub(crate) fn integers(&self) -> Option<Vec<i64>> {
        let Attr::Numbers(number, bytes) = self else { return None };
        Some(
            with_type!(*number, T => bytes.chunks_exact(number.size()).map(|b| T::get(b).to_i64()).collect()),
        )
    }

    /// As xarray shows it: one number bare, several as a list; what is not finite as null.
    pub(crate) fn json(&self) -> Value {
        match self {
            Attr::Text(text) => Value::String(text.clone()),
            Attr::Texts(texts) => texts.iter().cloned().map(Value::String).collect(),
            Attr::Json(value) => value.clone(),
            Attr::Numbers(number, bytes) => {
                let mut all: Vec<Value> =
                    bytes.chunks_exact(number.size()).map(|b| one(*number, b)).collect();
                if all.len() == 1 { all.pop().unwrap_or_default() } else { Value::Array(all) }
            }
        }
    }
}

fn one(number: Number, bytes: &[u8]) -> Value {
    let float = |value: f64| JsonNumber::from_f64(value).map_or(Value::Null, Value::Number);
    match number {
        // A float32 with its own shortest digits, not those of the double it becomes.
        Number::F32 => float(f32::get(bytes).to_string().parse().unwrap_or(f64::NAN)),
        Number::F64 => float(f64::get(bytes)),
        Number::U64 => u64::get(bytes).into(),
        _ => with_type!(number, T => T::get(bytes).to_i64()).into(),
    }
}

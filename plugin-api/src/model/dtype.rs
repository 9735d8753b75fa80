//! NumPy data types in Tiled's JSON shape.

use serde::{Deserialize, Serialize};

/// Byte order of one element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endianness {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
    /// One byte, or a type without byte order.
    NotApplicable,
}

impl Endianness {
    /// The order of this machine.
    pub const NATIVE: Endianness =
        if cfg!(target_endian = "little") { Endianness::Little } else { Endianness::Big };
}

/// NumPy's letter for what an element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// Boolean, one byte.
    #[serde(rename = "b")]
    Bool,
    /// Signed integer.
    #[serde(rename = "i")]
    Int,
    /// Unsigned integer.
    #[serde(rename = "u")]
    Uint,
    /// IEEE float of 2, 4 or 8 bytes (16 as stored by long double).
    #[serde(rename = "f")]
    Float,
    /// Complex, two floats.
    #[serde(rename = "c")]
    Complex,
    /// Time span, int64 in `dt_units`.
    #[serde(rename = "m")]
    Timedelta,
    /// Point in time, int64 in `dt_units` since 1970.
    #[serde(rename = "M")]
    Datetime,
    /// Bytes of fixed length, padded with NUL.
    #[serde(rename = "S")]
    Bytes,
    /// UCS-4 text of fixed length: four bytes a character.
    #[serde(rename = "U")]
    Unicode,
    /// Opaque bytes.
    #[serde(rename = "V")]
    Void,
    /// Python objects; never served.
    #[serde(rename = "O")]
    Object,
}

impl Kind {
    /// The letter itself.
    pub const fn letter(self) -> char {
        match self {
            Kind::Bool => 'b',
            Kind::Int => 'i',
            Kind::Uint => 'u',
            Kind::Float => 'f',
            Kind::Complex => 'c',
            Kind::Timedelta => 'm',
            Kind::Datetime => 'M',
            Kind::Bytes => 'S',
            Kind::Unicode => 'U',
            Kind::Void => 'V',
            Kind::Object => 'O',
        }
    }

    fn from_letter(letter: char) -> Option<Self> {
        const ALL: [Kind; 11] = [
            Kind::Bool,
            Kind::Int,
            Kind::Uint,
            Kind::Float,
            Kind::Complex,
            Kind::Timedelta,
            Kind::Datetime,
            Kind::Bytes,
            Kind::Unicode,
            Kind::Void,
            Kind::Object,
        ];
        ALL.into_iter().find(|kind| kind.letter() == letter)
    }
}

/// The type of one array element.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum DataType {
    /// Packed records.
    Struct {
        /// Bytes of one record.
        itemsize: u64,
        /// In order of their bytes; their sizes add up to `itemsize`.
        fields: Vec<Field>,
    },
    /// One of NumPy's own types.
    Builtin {
        /// Byte order on the wire.
        endianness: Endianness,
        /// What it is.
        kind: Kind,
        /// Bytes of one element.
        itemsize: u64,
        /// For `m` and `M`, with brackets: `[ns]`, `[25s]`.
        #[serde(default)]
        dt_units: Option<String>,
    },
}

/// One field of a record.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Field {
    /// Unique within the record.
    pub name: String,
    /// Its type.
    pub dtype: DataType,
    /// The shape of a sub-array, row by row.
    #[serde(default)]
    pub shape: Option<Vec<u64>>,
}

impl DataType {
    /// A type in this machine's byte order (none for one byte, bytes, bool and void).
    pub fn native(kind: Kind, itemsize: u64) -> Self {
        Self::ordered(kind, itemsize, Endianness::NATIVE)
    }

    /// A type in the given byte order, which is dropped where it has no meaning.
    pub fn ordered(kind: Kind, itemsize: u64, order: Endianness) -> Self {
        let orderless =
            matches!(kind, Kind::Bool | Kind::Bytes | Kind::Void) || (itemsize == 1 && kind != Kind::Unicode);
        let endianness = if orderless { Endianness::NotApplicable } else { order };
        DataType::Builtin { endianness, kind, itemsize, dt_units: None }
    }

    /// Packed records of these fields.
    pub fn record(fields: Vec<Field>) -> Self {
        let itemsize = fields.iter().map(Field::nbytes).sum();
        DataType::Struct { itemsize, fields }
    }

    /// Bytes of one element.
    pub fn itemsize(&self) -> u64 {
        match self {
            DataType::Struct { itemsize, .. } | DataType::Builtin { itemsize, .. } => *itemsize,
        }
    }

    /// The kind, `V` for records.
    pub fn kind(&self) -> Kind {
        match self {
            DataType::Struct { .. } => Kind::Void,
            DataType::Builtin { kind, .. } => *kind,
        }
    }

    /// Byte order; not applicable for records.
    pub fn endianness(&self) -> Endianness {
        match self {
            DataType::Struct { .. } => Endianness::NotApplicable,
            DataType::Builtin { endianness, .. } => *endianness,
        }
    }

    /// Whether bytes must be swapped to be read on this machine.
    pub fn is_swapped(&self) -> bool {
        !matches!(self.endianness(), Endianness::NotApplicable) && self.endianness() != Endianness::NATIVE
    }

    /// NumPy's text for a builtin type (`<f8`, `|S3`, `<M8[ns]`); `None` for records.
    pub fn numpy_str(&self) -> Option<String> {
        let DataType::Builtin { endianness, kind, itemsize, dt_units } = self else { return None };
        let order = match endianness {
            Endianness::Little => '<',
            Endianness::Big => '>',
            Endianness::NotApplicable => '|',
        };
        let size = if *kind == Kind::Unicode { itemsize / 4 } else { *itemsize };
        Some(format!("{order}{}{size}{}", kind.letter(), dt_units.as_deref().unwrap_or("")))
    }

    /// Reads NumPy's text for a builtin type; `None` where it is not one.
    pub fn from_numpy_str(text: &str) -> Option<Self> {
        let mut chars = text.chars();
        let mut first = chars.next()?;
        let order = match first {
            '<' => Endianness::Little,
            '>' => Endianness::Big,
            '|' | '=' => Endianness::NATIVE,
            _ => Endianness::NATIVE,
        };
        if matches!(first, '<' | '>' | '|' | '=') {
            first = chars.next()?;
        }
        let kind = if first == '?' { Kind::Bool } else { Kind::from_letter(first)? };
        let rest = chars.as_str();
        let (size, units) = rest.split_at(rest.find('[').unwrap_or(rest.len()));
        let size: u64 = if size.is_empty() && first == '?' { 1 } else { size.parse().ok()? };
        let itemsize = if kind == Kind::Unicode { size.checked_mul(4)? } else { size };
        let DataType::Builtin { endianness, .. } = Self::ordered(kind, itemsize, order) else { return None };
        let dt_units = (!units.is_empty()).then(|| units.to_owned());
        Some(DataType::Builtin { endianness, kind, itemsize, dt_units })
    }
}

impl Field {
    /// A scalar field.
    pub fn new(name: impl Into<String>, dtype: DataType) -> Self {
        Field { name: name.into(), dtype, shape: None }
    }

    /// Bytes of the whole field, sub-array included.
    pub fn nbytes(&self) -> u64 {
        self.dtype.itemsize() * self.shape.iter().flatten().product::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numpy_text_goes_there_and_back() {
        for text in ["<f8", ">i4", "|u1", "|b1", "<U6", "|S3", "<M8[ns]", "<m8[25s]", "<c16"] {
            assert_eq!(DataType::from_numpy_str(text).unwrap().numpy_str().unwrap(), text);
        }
        assert_eq!(DataType::from_numpy_str("nonsense"), None);
    }

    #[test]
    fn json_is_that_of_tiled() {
        let json = serde_json::to_string(&DataType::native(Kind::Uint, 1)).unwrap();
        assert_eq!(json, r#"{"endianness":"not_applicable","kind":"u","itemsize":1,"dt_units":null}"#);
        let record = DataType::record(vec![Field {
            name: "a".into(),
            dtype: DataType::native(Kind::Float, 8),
            shape: Some(vec![2]),
        }]);
        assert_eq!(record.itemsize(), 16);
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<DataType>(&text).unwrap(), record);
    }
}

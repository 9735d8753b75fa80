//! Data types in the words of Zarr v2 (NumPy's texts) and v3 (names and configurations), and what must be done to the
//! bytes of an element for them to be true.
//!
//! What neither format's readers know (sub-arrays, floats of 16 bytes) is shown as raw bytes of the same width.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tiled_plugin_api::model::{DataType, Endianness, Field, Kind};

/// How one element is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Element {
    /// `dtype` of `.zarray`.
    pub v2: Value,
    /// `data_type` of `zarr.json`.
    pub v3: Value,
    /// `fill_value` of `zarr.json`: what zeros mean.
    pub fill: Value,
    /// Whether the codec `bytes` of v3 is told big-endian.
    pub is_big: bool,
    /// Bytes of an element as nodes give it.
    pub itemsize: u64,
    /// Bytes of an element as chunks hold it: 1 or more.
    pub shown_itemsize: u64,
    /// Words of a record that v3 wants little-endian and that are big-endian: offset and length.
    pub swapped: Vec<(usize, usize)>,
}

impl Element {
    /// How elements of this type are shown.
    pub fn of(data_type: &DataType) -> Self {
        let itemsize = data_type.itemsize();
        match data_type {
            DataType::Struct { fields, .. } => {
                let mut swapped = Vec::new();
                words(fields, 0, &mut swapped);
                Element {
                    v2: Value::Array(
                        fields.iter().map(|field| json!([field.name, v2_field(field)])).collect(),
                    ),
                    v3: record(fields),
                    fill: zeros(itemsize),
                    is_big: false,
                    itemsize,
                    shown_itemsize: itemsize.max(1),
                    swapped,
                }
            }
            DataType::Builtin { .. } => {
                let shown = at_least_one(data_type);
                Element {
                    v2: v2_builtin(&shown),
                    v3: v3_builtin(&shown),
                    fill: fill(&shown),
                    is_big: shown.endianness() == Endianness::Big,
                    itemsize,
                    shown_itemsize: shown.itemsize(),
                    swapped: vec![],
                }
            }
        }
    }
}

/// Texts of no characters have a type of no bytes, which Zarr has not.
fn at_least_one(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Builtin { endianness, kind, itemsize: 0, dt_units } => DataType::Builtin {
            endianness: *endianness,
            kind: *kind,
            itemsize: if *kind == Kind::Unicode { 4 } else { 1 },
            dt_units: dt_units.clone(),
        },
        other => other.clone(),
    }
}

/// Whether readers of Zarr know numbers of this width.
fn is_known(kind: Kind, itemsize: u64) -> bool {
    match kind {
        Kind::Bool => itemsize == 1,
        Kind::Int | Kind::Uint => matches!(itemsize, 1 | 2 | 4 | 8),
        Kind::Float => matches!(itemsize, 2 | 4 | 8),
        Kind::Complex => matches!(itemsize, 8 | 16),
        Kind::Timedelta | Kind::Datetime => itemsize == 8,
        Kind::Unicode => itemsize.is_multiple_of(4),
        Kind::Bytes => true,
        Kind::Void | Kind::Object => false,
    }
}

fn v2_builtin(data_type: &DataType) -> Value {
    match data_type.numpy_str() {
        Some(text) if is_known(data_type.kind(), data_type.itemsize()) => Value::String(text),
        _ => Value::String(format!("|V{}", data_type.itemsize())),
    }
}

/// Records in records are raw bytes too: `.zarray` could name them, and zarr-python cannot read it.
fn v2_field(field: &Field) -> Value {
    match (&field.dtype, &field.shape) {
        (builtin @ DataType::Builtin { .. }, None) => v2_builtin(builtin),
        _ => Value::String(format!("|V{}", field.nbytes())),
    }
}

fn named(name: &str, configuration: Value) -> Value {
    json!({"name": name, "configuration": configuration})
}

fn raw(itemsize: u64) -> Value {
    named("raw_bytes", json!({"length_bytes": itemsize}))
}

fn v3_builtin(data_type: &DataType) -> Value {
    let (kind, itemsize) = (data_type.kind(), data_type.itemsize());
    if !is_known(kind, itemsize) {
        return raw(itemsize);
    }
    let sized = |name: &str| Value::String(format!("{name}{}", itemsize * 8));
    match kind {
        Kind::Bool => "bool".into(),
        Kind::Int => sized("int"),
        Kind::Uint => sized("uint"),
        Kind::Float => sized("float"),
        Kind::Complex => sized("complex"),
        Kind::Datetime => named("numpy.datetime64", ticks(data_type)),
        Kind::Timedelta => named("numpy.timedelta64", ticks(data_type)),
        Kind::Bytes => named("null_terminated_bytes", json!({"length_bytes": itemsize})),
        Kind::Unicode => named("fixed_length_utf32", json!({"length_bytes": itemsize})),
        Kind::Void | Kind::Object => raw(itemsize),
    }
}

/// `[25s]` as unit and factor.
fn ticks(data_type: &DataType) -> Value {
    let DataType::Builtin { dt_units: Some(units), .. } = data_type else {
        return json!({"unit": "generic", "scale_factor": 1});
    };
    let units = units.trim_matches(['[', ']']);
    let (factor, unit) = units.split_at(units.find(|c: char| !c.is_ascii_digit()).unwrap_or(0));
    json!({"unit": unit, "scale_factor": factor.parse::<u64>().unwrap_or(1)})
}

fn record(fields: &[Field]) -> Value {
    let fields: Vec<Value> = fields
        .iter()
        .map(|field| {
            let shown = match (&field.dtype, &field.shape) {
                (_, Some(_)) => raw(field.nbytes()),
                (DataType::Struct { fields, .. }, None) => record(fields),
                (builtin, None) => v3_builtin(builtin),
            };
            json!([field.name, shown])
        })
        .collect();
    named("structured", json!({"fields": fields}))
}

/// Numbers of a record that are big-endian; what is shown as raw bytes stays as it is.
fn words(fields: &[Field], mut offset: u64, found: &mut Vec<(usize, usize)>) {
    for field in fields {
        match &field.dtype {
            _ if field.shape.is_some() => {}
            DataType::Struct { fields, .. } => words(fields, offset, found),
            builtin
                if builtin.endianness() == Endianness::Big
                    && is_known(builtin.kind(), builtin.itemsize()) =>
            {
                let width = match builtin.kind() {
                    Kind::Complex => builtin.itemsize() / 2,
                    Kind::Unicode => 4,
                    _ => builtin.itemsize(),
                };
                let mut at = offset;
                while width > 0 && at < offset + builtin.itemsize() {
                    if let (Ok(at), Ok(width)) = (usize::try_from(at), usize::try_from(width)) {
                        found.push((at, width));
                    }
                    at += width;
                }
            }
            _ => {}
        }
        offset = offset.saturating_add(field.nbytes());
    }
}

/// Types wider than this are shown with a fill value of fewer bytes than they have: none is ever used.
const MAX_FILL_BYTES: u64 = 1 << 16;

fn zeros(itemsize: u64) -> Value {
    let zeros = vec![0_u8; usize::try_from(itemsize.min(MAX_FILL_BYTES)).unwrap_or(0)];
    Value::String(STANDARD.encode(zeros))
}

/// What padding of zeros means, as `zarr.json` writes it.
fn fill(data_type: &DataType) -> Value {
    let (kind, itemsize) = (data_type.kind(), data_type.itemsize());
    if !is_known(kind, itemsize) {
        return zeros(itemsize);
    }
    match kind {
        Kind::Bool => false.into(),
        Kind::Float => 0.0.into(),
        Kind::Complex => json!([0.0, 0.0]),
        Kind::Bytes | Kind::Unicode => "".into(),
        _ => 0.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(numpy: &str) -> (String, Value) {
        let element = Element::of(&DataType::from_numpy_str(numpy).unwrap());
        (element.v2.as_str().unwrap().to_owned(), element.v3)
    }

    #[test]
    fn types_have_the_names_of_both_formats() {
        assert_eq!(check(">f8"), (">f8".into(), json!("float64")));
        assert_eq!(check("|b1"), ("|b1".into(), json!("bool")));
        let (v2, v3) = check("<M8[25s]");
        assert_eq!(v2, "<M8[25s]");
        assert_eq!(v3, named("numpy.datetime64", json!({"unit": "s", "scale_factor": 25})));
        assert_eq!(check("<U5").1, named("fixed_length_utf32", json!({"length_bytes": 20})));
        assert_eq!(check("<f16").0, "|V16", "no reader of Zarr knows this float");
        assert_eq!(check("<U0").0, "<U1", "a type of no bytes");
    }

    #[test]
    fn a_record_is_little_endian_in_v3() {
        let number = DataType::from_numpy_str(">i4").unwrap();
        let pair = Field { name: "b".into(), dtype: number.clone(), shape: Some(vec![2]) };
        let complex = Field::new("c", DataType::from_numpy_str(">c8").unwrap());
        let record = DataType::record(vec![Field::new("a", number), pair, complex]);
        let element = Element::of(&record);
        assert_eq!(element.swapped, [(0, 4), (12, 4), (16, 4)]);
        assert_eq!(element.v2, json!([["a", ">i4"], ["b", "|V8"], ["c", ">c8"]]));
        assert_eq!(element.v3["configuration"]["fields"][0], json!(["a", "int32"]));
    }
}

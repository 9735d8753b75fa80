//! What clients send for a ragged array: an Awkward form that must be the array's, or nested lists in JSON.

use serde_json::Value;
use tiled_plugin_api::{
    author::{Error, ErrorKind, Result},
    model::{DataType, Kind, RaggedLayout, RaggedStructure},
};

/// Deeper forms are refused.
const MAX_DEPTH: usize = 64;

/// Buffers by name.
pub type Named = Vec<(String, Vec<u8>)>;

/// A form that fits a structure: which entry is which of the structure's buffers.
pub struct RaggedForm {
    /// Name in the body, name in the structure, bytes of an offset (0: elements), whether signed.
    entries: Vec<(String, String, usize, bool)>,
}

impl RaggedForm {
    /// Reads Awkward's JSON, which Tiled's client puts into a JSON string.
    ///
    /// # Errors
    /// `InvalidArgument` when it is not the form of the structure.
    pub fn parse(bytes: &[u8], structure: &RaggedStructure) -> Result<Self> {
        let mut form: Value = serde_json::from_slice(bytes).map_err(|_| unfit("it is no JSON"))?;
        if let Value::String(text) = &form {
            form = serde_json::from_str(text).map_err(|_| unfit("it is no JSON"))?;
        }
        let layout = RaggedLayout::of(structure)?;
        let mut offsets = layout.offsets();
        let mut axes = structure.shape.iter().skip(1).copied();
        let mut entries = Vec::new();
        let mut at = &form;
        for _ in 0..MAX_DEPTH {
            let text = |name: &str| at.get(name).and_then(Value::as_str);
            let key = text("form_key").unwrap_or_default();
            match text("class") {
                Some("ListOffsetArray") => {
                    let (Some(None), Some(name)) = (axes.next(), offsets.next()) else {
                        return Err(unfit("its axes differ"));
                    };
                    let (size, signed) = match text("offsets") {
                        Some("i32") => (4, true),
                        Some("u32") => (4, false),
                        _ => (8, true),
                    };
                    entries.push((format!("{key}-offsets"), name.to_owned(), size, signed));
                }
                Some("RegularArray") => {
                    let size = at.get("size").and_then(Value::as_u64);
                    if size.is_none() || axes.next() != Some(size) {
                        return Err(unfit("its axes differ"));
                    }
                }
                Some("NumpyArray") => {
                    let inner = at.get("inner_shape").and_then(Value::as_array);
                    let inner = inner.map(Vec::as_slice).unwrap_or_default().iter().map(Value::as_u64);
                    if !inner.eq(axes) {
                        return Err(unfit("its axes differ"));
                    }
                    if text("primitive").map(str::to_owned) != primitive(&structure.data_type) {
                        return Err(unfit("its elements are of another type"));
                    }
                    entries.push((format!("{key}-data"), layout.data().to_owned(), 0, false));
                    return Ok(RaggedForm { entries });
                }
                _ => return Err(unfit("send lists with offsets, regular lists and numbers")),
            }
            at = at.get("content").ok_or_else(|| unfit("it lacks its content"))?;
        }
        Err(unfit("it is too deep"))
    }

    /// Names in the body and in the structure.
    pub fn buffers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|(given, wanted, ..)| (given.as_str(), wanted.as_str()))
    }

    /// The bytes of an entry with offsets as int64.
    ///
    /// # Errors
    /// `InvalidArgument` when they are no whole number of offsets.
    pub fn as_longs(&self, name: &str, bytes: Vec<u8>) -> Result<Vec<u8>> {
        let short = self.entries.iter().find(|(given, _, size, _)| given == name && *size == 4);
        let Some((.., signed)) = short else { return Ok(bytes) };
        let (words, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(unfit("its offsets are cut short"));
        }
        let long = |word: &[u8; 4]| {
            if *signed { i64::from(i32::from_le_bytes(*word)) } else { i64::from(u32::from_le_bytes(*word)) }
        };
        Ok(words.iter().flat_map(|word| long(word).to_le_bytes()).collect())
    }
}

fn unfit(why: &str) -> Error {
    Error::new(
        ErrorKind::InvalidArgument,
        format!("The structure (AwkwardForm) of the data does not match the array: {why}"),
    )
}

/// NumPy's name of a type.
fn primitive(data_type: &DataType) -> Option<String> {
    let DataType::Builtin { kind, itemsize, .. } = data_type else { return None };
    let bits = itemsize * 8;
    match kind {
        Kind::Bool => Some("bool".into()),
        Kind::Int => Some(format!("int{bits}")),
        Kind::Uint => Some(format!("uint{bits}")),
        Kind::Float => Some(format!("float{bits}")),
        _ => None,
    }
}

/// Nested lists as a length and the structure's buffers.
///
/// # Errors
/// `InvalidArgument` when they are not of the structure.
pub fn from_json(structure: &RaggedStructure, body: &[u8]) -> Result<(u64, Named)> {
    let lists: Value = serde_json::from_slice(body).map_err(|_| unfit("it is no JSON"))?;
    let layout = RaggedLayout::of(structure)?;
    let mut names = layout.offsets();
    let mut level = list_of(&lists)?;
    let length = level.len() as u64;
    let mut buffers = Named::new();
    for axis in structure.shape.iter().skip(1) {
        let mut ends = vec![0_i64];
        let mut below = Vec::new();
        for item in level {
            let items = list_of(item)?;
            if axis.is_some_and(|size| size != items.len() as u64) {
                return Err(unfit("a list has another length than its axis"));
            }
            below.extend(items);
            ends.push(below.len() as i64);
        }
        if axis.is_none() {
            let name = names.next().ok_or_else(|| unfit("its axes differ"))?;
            buffers.push((name.to_owned(), ends.iter().flat_map(|end| end.to_le_bytes()).collect()));
        }
        level = below;
    }
    let mut data = Vec::new();
    for item in level {
        element(&structure.data_type, item, &mut data)?;
    }
    buffers.push((layout.data().to_owned(), data));
    Ok((length, buffers))
}

fn list_of(value: &Value) -> Result<Vec<&Value>> {
    value.as_array().map(|items| items.iter().collect()).ok_or_else(|| unfit("a list is missing"))
}

fn element(data_type: &DataType, value: &Value, out: &mut Vec<u8>) -> Result<()> {
    let wrong = || unfit("an element is no number of its type");
    let DataType::Builtin { kind, itemsize, .. } = data_type else { return Err(wrong()) };
    let size = usize::try_from(*itemsize).map_err(Error::internal)?;
    match kind {
        Kind::Bool => out.push(u8::from(value.as_bool().ok_or_else(wrong)?)),
        Kind::Int | Kind::Uint if size <= 8 => {
            let number = value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from));
            let number = number.ok_or_else(wrong)?;
            let (low, high) = match kind {
                Kind::Int => (-(1_i128 << (8 * size - 1)), (1_i128 << (8 * size - 1)) - 1),
                _ => (0, (1_i128 << (8 * size)) - 1),
            };
            if !(low..=high).contains(&number) {
                return Err(wrong());
            }
            out.extend_from_slice(&number.to_le_bytes()[..size]);
        }
        Kind::Float => {
            // JSON has no word for what is no number.
            let number = if value.is_null() { f64::NAN } else { value.as_f64().ok_or_else(wrong)? };
            match size {
                4 => out.extend_from_slice(&(number as f32).to_le_bytes()),
                8 => out.extend_from_slice(&number.to_le_bytes()),
                _ => return Err(wrong()),
            }
        }
        _ => return Err(wrong()),
    }
    Ok(())
}

//! CF decoding as xarray does it by default, but for times, which stay numbers.
//!
//! Takes a [`Group`] as stored; gives what clients see: dimensions, types and attributes of each variable, which of
//! them are coordinates, and a [`Recipe`] from stored to served elements. Attributes that were used are gone. The rules
//! are those of `xarray.conventions`; where their order matters for the last bit it is kept.

use std::collections::HashSet;

use serde_json::{Map, Value};
use tiled_plugin_api::prelude::{DataType, Kind};

use super::{
    model::{Group, Stored, Variable},
    number::{Attr, Number},
};

/// A group as clients see it.
#[derive(Debug, Default)]
pub(crate) struct View {
    /// Attributes of the group.
    pub(crate) attrs: Map<String, Value>,
    /// Data variables, then coordinates.
    pub(crate) variables: Vec<Decoded>,
}

/// A variable as clients see it.
#[derive(Debug, Clone)]
pub(crate) struct Decoded {
    /// Which of the group's variables it is made of.
    pub(crate) index: usize,
    /// Its name.
    pub(crate) name: String,
    /// Whether it is a coordinate.
    pub(crate) coordinate: bool,
    /// Names of its dimensions.
    pub(crate) dims: Vec<String>,
    /// Their lengths.
    pub(crate) shape: Vec<u64>,
    /// Attributes that decoding left.
    pub(crate) attrs: Map<String, Value>,
    /// From stored to served elements.
    pub(crate) recipe: Recipe,
}

/// From stored to served elements.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Recipe {
    /// The stored bytes are served under this type.
    Plain(DataType),
    /// Calculated.
    Numbers(Numeric),
    /// Text of Unicode characters, as many as the longest has. `size`: stored bytes of one, NUL at the end meaning
    /// nothing; `latin`: one byte a character; `missing`: this text is served as `nan`, as xarray does.
    Text { size: usize, latin: bool, missing: Vec<String> },
}

/// A calculation: stored number, fill values to NaN, times a factor, plus an offset.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Numeric {
    /// The stored number, after `_Unsigned`.
    pub(crate) from: Number,
    /// What it is calculated in, and served as.
    pub(crate) to: Number,
    /// Values that mean nothing.
    pub(crate) missing: Vec<f64>,
    /// Times this.
    pub(crate) scale: Option<Factor>,
    /// Plus this.
    pub(crate) offset: Option<Factor>,
    /// Served as whether it is not zero.
    pub(crate) boolean: bool,
}

/// A factor or an offset. `wide`: NumPy calculates in float64 whatever the array's type is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Factor {
    pub(crate) value: f64,
    pub(crate) wide: bool,
    /// The type of the attribute.
    number: Number,
}

/// Decodes a group.
pub(crate) fn decode(group: &Group) -> View {
    let mut coordinates = HashSet::new();
    let mut attrs = shown(&group.attrs);
    if let Some(Attr::Text(names)) =
        group.attrs.iter().find(|(name, _)| name == "coordinates").map(|(_, v)| v)
    {
        coordinates.extend(names.split_whitespace().map(str::to_owned));
        attrs.shift_remove("coordinates");
    }
    let mut all: Vec<Decoded> = group
        .variables
        .iter()
        .enumerate()
        .map(|(index, variable)| one(index, variable, stackable(group, variable), &mut coordinates))
        .collect();
    coordinates.extend(all.iter().flat_map(|decoded| decoded.dims.iter().cloned()));
    for decoded in &mut all {
        decoded.coordinate = coordinates.contains(&decoded.name);
    }
    all.sort_by_key(|decoded| decoded.coordinate);
    View { attrs, variables: all }
}

fn shown(attrs: &[(String, Attr)]) -> Map<String, Value> {
    attrs.iter().map(|(name, value)| (name.clone(), value.json())).collect()
}

/// Whether the last axis of a character variable is that of its strings: no variable is named like it, and all that
/// use it are characters and use it last.
fn stackable(group: &Group, variable: &Variable) -> bool {
    let (Stored::Char, Some(last)) = (&variable.stored, variable.dims.last()) else { return false };
    group.variables.iter().all(|other| {
        let used_otherwise =
            other.dims.contains(last) && (other.stored != Stored::Char || other.dims.last() != Some(last));
        other.name != *last && !used_otherwise
    })
}

fn one(index: usize, variable: &Variable, stack: bool, coordinates: &mut HashSet<String>) -> Decoded {
    let mut attrs = shown(&variable.attrs);
    let (mut dims, mut shape) = (variable.dims.clone(), variable.shape.clone());
    let mut size = variable.stored.size();
    if stack {
        dims.pop();
        size = shape.pop().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    }
    attrs.shift_remove("least_significant_digit");
    let recipe = match &variable.stored {
        Stored::Number(number) => numeric(*number, variable, &mut attrs),
        Stored::Char | Stored::Text(_) => text(size, variable, &mut attrs),
        Stored::Other(data_type) => {
            for name in ["_FillValue", "missing_value", "_Unsigned"] {
                attrs.shift_remove(name);
            }
            Recipe::Plain(data_type.clone())
        }
    };
    if let Some(names) = variable.attr("coordinates").and_then(Attr::text) {
        coordinates.extend(names.split_whitespace().map(str::to_owned));
        attrs.shift_remove("coordinates");
    }
    Decoded { index, name: variable.name.clone(), coordinate: false, dims, shape, attrs, recipe }
}

/// `_Unsigned`, fill values, scale and offset, `dtype = "bool"`.
fn numeric(stored: Number, variable: &Variable, attrs: &mut Map<String, Value>) -> Recipe {
    let Fills { mut missing, attribute, mut masked } = fills(stored, variable, attrs);
    let mut from = stored;
    if let Some(unsigned) = attrs.shift_remove("_Unsigned") {
        let kind = match (stored.kind(), unsigned.as_str()) {
            (Kind::Int, Some("true")) => Kind::Uint,
            (Kind::Uint, Some("false")) => Kind::Int,
            (kind, _) => kind,
        };
        from = stored.as_kind(kind);
        if let Some(value) = attribute.filter(|_| from != stored) {
            missing.retain(|fill| *fill != value);
            missing.push(reinterpreted(value, stored, from));
        }
    }
    let scale = factor(variable, "scale_factor");
    let offset = factor(variable, "add_offset");
    let mut to = from;
    if !missing.is_empty() || masked {
        to = if scale.is_some() || offset.is_some() { packed(from, scale, offset) } else { promoted(from) };
    }
    if scale.is_some() || offset.is_some() {
        attrs.shift_remove("scale_factor");
        attrs.shift_remove("add_offset");
        // With fill values that mask nothing (NaN), xarray leaves the type as it is.
        let fill_kept = variable_keeps_fill(stored, variable);
        if !fill_kept {
            to = packed(from, scale, offset);
        }
    }
    // An integer cannot hold NaN.
    if to.is_integer() && !missing.is_empty() {
        to = Number::F64;
    }
    masked = to != from || !missing.is_empty() || scale.is_some() || offset.is_some();
    let boolean = attrs.get("dtype").and_then(Value::as_str) == Some("bool");
    if boolean {
        attrs.shift_remove("dtype");
    }
    if masked || boolean {
        Recipe::Numbers(Numeric { from, to, missing, scale, offset, boolean })
    } else {
        Recipe::Plain(from.data_type())
    }
}

struct Fills {
    /// All values that mean nothing.
    missing: Vec<f64>,
    /// That of `_FillValue`.
    attribute: Option<f64>,
    /// There is a fill value that no number equals, such as a text: the type becomes a float all the same.
    masked: bool,
}

/// Takes `_FillValue` and `missing_value` out of the attributes.
fn fills(stored: Number, variable: &Variable, attrs: &mut Map<String, Value>) -> Fills {
    let mut found = Fills { missing: vec![], attribute: None, masked: false };
    for name in ["missing_value", "_FillValue"] {
        attrs.shift_remove(name);
        match variable.attr(name) {
            None => {}
            Some(Attr::Numbers(..)) => {
                let values = variable.attr(name).and_then(Attr::floats).unwrap_or_default();
                let values: Vec<f64> = values.into_iter().filter(|value| !value.is_nan()).collect();
                if name == "_FillValue" && stored.is_integer() {
                    found.attribute = values.first().copied();
                }
                found.missing.extend(values);
            }
            Some(_) => found.masked = true,
        }
    }
    found.missing.dedup();
    found
}

/// Whether xarray finds a fill value noted for the variable after masking: NaN for integers is not.
fn variable_keeps_fill(stored: Number, variable: &Variable) -> bool {
    ["missing_value", "_FillValue"].iter().any(|name| match variable.attr(name) {
        None => false,
        Some(attr) => {
            let values = attr.floats();
            !stored.is_integer() || values.is_none_or(|values| values.iter().any(|value| !value.is_nan()))
        }
    })
}

/// The value of the same bits as the other kind of integer.
fn reinterpreted(value: f64, stored: Number, from: Number) -> f64 {
    let modulus = 2_f64.powi(8 * i32::try_from(stored.size()).unwrap_or(8));
    match from.kind() {
        Kind::Uint if value < 0.0 => value + modulus,
        Kind::Int if value >= modulus / 2.0 => value - modulus,
        _ => value,
    }
}

fn factor(variable: &Variable, name: &str) -> Option<Factor> {
    let attr = variable.attr(name)?;
    let Attr::Numbers(number, _) = attr else { return None };
    let value = attr.floats()?.first().copied()?;
    let wide = match number {
        Number::F32 | Number::I8 | Number::U8 | Number::I16 | Number::U16 => false,
        Number::F64 | Number::I32 | Number::U32 | Number::I64 | Number::U64 => true,
    };
    Some(Factor { value, wide, number: *number })
}

/// xarray's `_choose_float_dtype` for a variable with a factor or an offset.
fn packed(from: Number, scale: Option<Factor>, offset: Option<Factor>) -> Number {
    match (scale, offset) {
        (Some(a), Some(b)) if a.number == b.number && !a.number.is_integer() => {
            if from.is_integer() && from.size() == 4 { Number::F64 } else { a.number }
        }
        (_, Some(_)) => Number::F64,
        (Some(scale), None) => scale.number,
        (None, None) => from,
    }
}

/// xarray's `maybe_promote`: the float that holds these numbers and NaN.
fn promoted(from: Number) -> Number {
    match from {
        Number::I8 | Number::U8 | Number::I16 | Number::U16 | Number::F32 => Number::F32,
        Number::I32 | Number::U32 | Number::I64 | Number::U64 | Number::F64 => Number::F64,
    }
}

/// Characters and strings.
fn text(size: usize, variable: &Variable, attrs: &mut Map<String, Value>) -> Recipe {
    let mut missing = Vec::new();
    for name in ["missing_value", "_FillValue"] {
        attrs.shift_remove(name);
        match variable.attr(name) {
            Some(Attr::Text(text)) => missing.push(text.trim_end_matches('\0').to_owned()),
            Some(Attr::Texts(texts)) => missing.extend(texts.iter().cloned()),
            _ => {}
        }
    }
    attrs.shift_remove("_Unsigned");
    let characters = variable.stored == Stored::Char;
    let encoding = if characters { attrs.shift_remove("_Encoding") } else { None };
    if characters && encoding.is_none() && missing.is_empty() {
        return Recipe::Plain(DataType::native(Kind::Bytes, size.max(1) as u64));
    }
    let name = encoding.as_ref().and_then(Value::as_str).unwrap_or("utf-8").to_lowercase();
    let latin = matches!(name.as_str(), "latin-1" | "latin1" | "latin_1" | "iso-8859-1" | "iso8859-1");
    Recipe::Text { size, latin, missing }
}

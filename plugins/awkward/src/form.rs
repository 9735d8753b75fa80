//! Forms: how buffers make an awkward array.

use serde_json::{Map, Value, json};
use tiled_plugin_api::{
    author::{Error, Result},
    model::{DataType, Kind, RaggedStructure},
};

/// Deeper forms are refused.
const MAX_DEPTH: usize = 64;

/// Integers in an index buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Index {
    /// Bytes of one.
    pub size: usize,
    /// Whether it may be negative.
    pub signed: bool,
}

impl Index {
    const I64: Index = Index { size: 8, signed: true };

    fn named(name: Option<&str>) -> Result<Self> {
        let (size, signed) = match name {
            Some("i8") => (1, true),
            Some("u8") => (1, false),
            Some("i32") => (4, true),
            Some("u32") => (4, false),
            Some("i64") | None => (8, true),
            Some(other) => {
                return Err(Error::unsupported_format(format!("An index of type {other} in a form")));
            }
        };
        Ok(Index { size, signed })
    }
}

/// What a list means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// A list of its items.
    List,
    /// UTF-8 text.
    Text,
    /// Bytes.
    Bytes,
}

/// One layer of an array.
#[derive(Debug, Clone, PartialEq)]
pub enum Layer {
    /// No items.
    Empty,
    /// Fixed-size items.
    Numpy { data_type: DataType, inner: Vec<u64> },
    /// Lists between offsets.
    ListOffset { offsets: Index, content: Box<Form>, meaning: Meaning },
    /// Lists between starts and stops.
    List { starts: Index, stops: Index, content: Box<Form>, meaning: Meaning },
    /// Lists of one length.
    Regular { size: u64, content: Box<Form>, meaning: Meaning },
    /// Records; those of a tuple have numbers for names.
    Record { fields: Vec<String>, contents: Vec<Form>, is_tuple: bool },
    /// Items in another order; negative places are missing where `option`.
    Indexed { index: Index, content: Box<Form>, option: bool },
    /// One mask byte per item.
    ByteMasked { valid_when: bool, content: Box<Form> },
    /// One mask bit per item.
    BitMasked { valid_when: bool, lsb_first: bool, content: Box<Form> },
    /// Nothing is missing, though it might be.
    Unmasked { content: Box<Form> },
    /// Items of several types.
    Union { tags: Index, index: Index, contents: Vec<Form> },
}

/// A layer and the name its buffers begin with.
#[derive(Debug, Clone, PartialEq)]
pub struct Form {
    /// `node0`
    pub key: String,
    /// What it is.
    pub layer: Layer,
    /// What Awkward attaches to it: names of records, what lists mean.
    pub parameters: Map<String, Value>,
}

impl Form {
    /// A layer without parameters.
    fn plain(key: String, layer: Layer) -> Self {
        Form { key, layer, parameters: Map::new() }
    }

    /// Reads Awkward's JSON.
    ///
    /// # Errors
    /// `InvalidData` for what is no form, `UnsupportedFormat` for types unknown here.
    pub fn parse(json: &Value) -> Result<Self> {
        parse(json, 0)
    }

    /// The form Tiled gives a ragged array, and whether it is one at all: a scalar has none.
    ///
    /// # Errors
    /// None.
    pub fn ragged(structure: &RaggedStructure) -> Result<Self> {
        let mut inner = Vec::new();
        let mut form: Option<Form> = None;
        for (axis, length) in structure.shape.iter().enumerate().skip(1).rev() {
            let layer = match (length, form.take()) {
                (None, content) => {
                    let numpy = Layer::Numpy {
                        data_type: structure.data_type.clone(),
                        inner: std::mem::take(&mut inner),
                    };
                    let content = content.unwrap_or_else(|| Form::plain(format!("node{axis}"), numpy));
                    Layer::ListOffset { offsets: Index::I64, content: content.into(), meaning: Meaning::List }
                }
                (Some(size), Some(content)) => {
                    Layer::Regular { size: *size, content: content.into(), meaning: Meaning::List }
                }
                (Some(size), None) => {
                    inner.insert(0, *size);
                    continue;
                }
            };
            form = Some(Form::plain(format!("node{}", axis - 1), layer));
        }
        let numpy = Layer::Numpy { data_type: structure.data_type.clone(), inner };
        Ok(form.unwrap_or_else(|| Form::plain("node0".into(), numpy)))
    }

    /// Names of the buffers it needs.
    pub fn buffers(&self) -> Vec<String> {
        let mut names = Vec::new();
        self.collect(&mut names);
        names
    }

    /// The name of one of its own buffers.
    pub fn buffer(&self, role: &str) -> String {
        format!("{}-{role}", self.key)
    }

    fn collect(&self, names: &mut Vec<String>) {
        let roles: &[&str] = match &self.layer {
            Layer::Numpy { .. } => &["data"],
            Layer::ListOffset { .. } => &["offsets"],
            Layer::List { .. } => &["starts", "stops"],
            Layer::Indexed { .. } => &["index"],
            Layer::ByteMasked { .. } | Layer::BitMasked { .. } => &["mask"],
            Layer::Union { .. } => &["tags", "index"],
            Layer::Empty | Layer::Regular { .. } | Layer::Record { .. } | Layer::Unmasked { .. } => &[],
        };
        names.extend(roles.iter().map(|role| self.buffer(role)));
        for content in self.contents() {
            content.collect(names);
        }
    }

    fn contents(&self) -> Vec<&Form> {
        match &self.layer {
            Layer::Empty | Layer::Numpy { .. } => vec![],
            Layer::Record { contents, .. } | Layer::Union { contents, .. } => contents.iter().collect(),
            Layer::ListOffset { content, .. }
            | Layer::List { content, .. }
            | Layer::Regular { content, .. }
            | Layer::Indexed { content, .. }
            | Layer::ByteMasked { content, .. }
            | Layer::BitMasked { content, .. }
            | Layer::Unmasked { content } => vec![content],
        }
    }

    /// Whether items may be missing.
    pub fn is_option(&self) -> bool {
        match &self.layer {
            Layer::Indexed { option, content, .. } => *option || content.is_option(),
            Layer::ByteMasked { .. } | Layer::BitMasked { .. } | Layer::Unmasked { .. } => true,
            Layer::Union { contents, .. } => contents.iter().any(Form::is_option),
            Layer::Empty => true,
            _ => false,
        }
    }

    /// Awkward's JSON, of the layers a ragged array has.
    pub fn ragged_json(&self) -> Value {
        match &self.layer {
            Layer::ListOffset { content, .. } => json!({"class": "ListOffsetArray", "offsets": "i64",
                "content": content.ragged_json(), "parameters": {}, "form_key": self.key}),
            Layer::Regular { size, content, .. } => json!({"class": "RegularArray", "size": size,
                "content": content.ragged_json(), "parameters": {}, "form_key": self.key}),
            Layer::Numpy { data_type, inner } => {
                json!({"class": "NumpyArray", "primitive": primitive_name(data_type),
                "inner_shape": inner, "parameters": {}, "form_key": self.key})
            }
            _ => Value::Null,
        }
    }
}

/// NumPy's name of a type: `float64`, `datetime64[ns]`.
fn primitive_name(data_type: &DataType) -> String {
    let DataType::Builtin { kind, itemsize, dt_units, .. } = data_type else { return "void".into() };
    let bits = itemsize * 8;
    let units = dt_units.as_deref().unwrap_or("");
    match kind {
        Kind::Bool => "bool".into(),
        Kind::Int => format!("int{bits}"),
        Kind::Uint => format!("uint{bits}"),
        Kind::Float => format!("float{bits}"),
        Kind::Complex => format!("complex{bits}"),
        Kind::Datetime => format!("datetime64{units}"),
        Kind::Timedelta => format!("timedelta64{units}"),
        _ => data_type.numpy_str().unwrap_or_default(),
    }
}

/// The type NumPy calls so.
fn primitive(name: &str) -> Result<DataType> {
    let unknown = || Error::unsupported_format(format!("Items of type {name} in a form"));
    let split = name.find(|c: char| c.is_ascii_digit()).unwrap_or(name.len());
    let (word, rest) = name.split_at(split);
    let (bits, units) = rest.split_at(rest.find('[').unwrap_or(rest.len()));
    let bytes = if word == "bool" { 1 } else { bits.parse::<u64>().map_err(|_| unknown())? / 8 };
    let letter = match (word, bytes) {
        ("bool", _) => 'b',
        ("int", 1 | 2 | 4 | 8) => 'i',
        ("uint", 1 | 2 | 4 | 8) => 'u',
        ("float", 2 | 4 | 8 | 16) => 'f',
        ("complex", 8 | 16 | 32) => 'c',
        ("datetime", 8) => 'M',
        ("timedelta", 8) => 'm',
        _ => return Err(unknown()),
    };
    DataType::from_numpy_str(&format!("<{letter}{bytes}{units}")).ok_or_else(unknown)
}

fn parse(json: &Value, depth: usize) -> Result<Form> {
    if depth > MAX_DEPTH {
        return Err(Error::invalid_data(format!("A form of more than {MAX_DEPTH} layers")));
    }
    if let Some(name) = json.as_str() {
        let numpy = Layer::Numpy { data_type: primitive(name)?, inner: vec![] };
        return Ok(Form::plain(String::new(), numpy));
    }
    let text = |name: &str| json.get(name).and_then(Value::as_str);
    let content = || {
        let content = json.get("content").ok_or_else(|| Error::invalid_data("A form lacks its content"))?;
        parse(content, depth + 1).map(Box::new)
    };
    let contents = || match json.get("contents") {
        Some(Value::Array(items)) => {
            items.iter().map(|item| parse(item, depth + 1)).collect::<Result<Vec<_>>>()
        }
        _ => Err(Error::invalid_data("A form lacks its contents")),
    };
    let index = |name: &str| Index::named(text(name));
    let valid_when = json.get("valid_when").and_then(Value::as_bool).unwrap_or(true);
    let class = text("class").ok_or_else(|| Error::invalid_data("A form without a class"))?;
    let layer = match class.trim_end_matches("Form").trim_end_matches("Array") {
        "Empty" => Layer::Empty,
        "Numpy" => numpy(json)?,
        "ListOffset" => {
            Layer::ListOffset { offsets: index("offsets")?, content: content()?, meaning: meaning(json) }
        }
        "List" => Layer::List {
            starts: index("starts")?,
            stops: index("stops")?,
            content: content()?,
            meaning: meaning(json),
        },
        "Regular" => {
            let size = json.get("size").and_then(Value::as_u64);
            let size = size.ok_or_else(|| Error::invalid_data("A regular form without a size"))?;
            Layer::Regular { size, content: content()?, meaning: meaning(json) }
        }
        "Record" => record(json, contents()?)?,
        "Indexed" => Layer::Indexed { index: index("index")?, content: content()?, option: false },
        "IndexedOption" => Layer::Indexed { index: index("index")?, content: content()?, option: true },
        "ByteMasked" => Layer::ByteMasked { valid_when, content: content()? },
        "BitMasked" => {
            let lsb_first = json.get("lsb_order").and_then(Value::as_bool).unwrap_or(true);
            Layer::BitMasked { valid_when, lsb_first, content: content()? }
        }
        "Unmasked" => Layer::Unmasked { content: content()? },
        "Union" => Layer::Union { tags: index("tags")?, index: index("index")?, contents: contents()? },
        other => return Err(Error::unsupported_format(format!("A form of class {other}"))),
    };
    let parameters = json.get("parameters").and_then(Value::as_object).cloned().unwrap_or_default();
    Ok(Form { key: text("form_key").unwrap_or_default().to_owned(), layer, parameters })
}

fn numpy(json: &Value) -> Result<Layer> {
    let name = json.get("primitive").and_then(Value::as_str);
    let data_type = primitive(name.ok_or_else(|| Error::invalid_data("A NumPy form without a primitive"))?)?;
    let inner = json.get("inner_shape").and_then(Value::as_array);
    let inner = inner.into_iter().flatten().map(Value::as_u64).collect::<Option<Vec<_>>>();
    Ok(Layer::Numpy {
        data_type,
        inner: inner.ok_or_else(|| Error::invalid_data("An inner shape of non-numbers"))?,
    })
}

fn record(json: &Value, contents: Vec<Form>) -> Result<Layer> {
    let names = json.get("fields").and_then(Value::as_array);
    let fields = match names {
        Some(names) => names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect(),
        None => (0..contents.len()).map(|place| place.to_string()).collect::<Vec<_>>(),
    };
    if fields.len() != contents.len() {
        return Err(Error::invalid_data("A record form with more or fewer names than contents"));
    }
    Ok(Layer::Record { fields, contents, is_tuple: names.is_none() })
}

fn meaning(json: &Value) -> Meaning {
    match json.get("parameters").and_then(|parameters| parameters.get("__array__")?.as_str()) {
        Some("string") => Meaning::Text,
        Some("bytestring") => Meaning::Bytes,
        _ => Meaning::List,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_name_their_buffers() {
        let form = Form::parse(
            &json!({"class": "ListOffsetArray", "offsets": "i64", "form_key": "node0", "content":
            {"class": "RecordArray", "fields": ["x", "y"], "form_key": "node1", "contents": [
                {"class": "NumpyArray", "primitive": "float64", "inner_shape": [], "form_key": "node2"},
                {"class": "IndexedOptionArray", "index": "i64", "form_key": "node3", "content":
                    {"class": "NumpyArray", "primitive": "datetime64[s]", "form_key": "node4"}}]}}),
        )
        .unwrap();
        assert_eq!(form.buffers(), ["node0-offsets", "node2-data", "node3-index", "node4-data"]);
    }

    #[test]
    fn ragged_forms_are_those_of_tiled() {
        let ragged = |shape: &[Option<u64>]| {
            let structure = RaggedStructure {
                data_type: DataType::from_numpy_str("<f8").unwrap(),
                shape: shape.to_vec(),
                size: 0,
                chunks: vec![None; shape.len()],
                dims: None,
                resizable: false,
            };
            Form::ragged(&structure).unwrap()
        };
        assert_eq!(ragged(&[Some(4), None]).buffers(), ["node0-offsets", "node1-data"]);
        assert_eq!(
            ragged(&[Some(4), None, Some(2), None, Some(3)]).buffers(),
            ["node0-offsets", "node2-offsets", "node3-data"]
        );
        assert_eq!(ragged(&[Some(4), Some(2)]).ragged_json()["inner_shape"], json!([2]));
    }

    #[test]
    fn endless_forms_are_refused() {
        let mut form = json!("float64");
        for _ in 0..100 {
            form = json!({"class": "UnmaskedArray", "content": form});
        }
        assert!(Form::parse(&form).is_err());
    }
}

//! How a file is to be read: the parameters of its data source, named as the arguments of `pandas.read_csv`.

use serde_json::{Map, Value};
use tiled_plugin_api::author::{Error, ErrorKind, Result};

use crate::tokens::Dialect;

/// Which columns are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// All.
    All,
    /// These names, in this order.
    Names(Vec<String>),
    /// These places, in the file's order.
    Places(Vec<usize>),
}

/// What values are forced to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forced {
    /// Text.
    Text,
    /// Truth values.
    Bool,
    /// Whole numbers.
    Int,
    /// Whole numbers from 0.
    Uint,
    /// Floats.
    Float,
}

/// All of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Delimiters and quotes.
    pub dialect: Dialect,
    /// The line of the header among the lines that count; `None` for files without one.
    pub header: Option<u64>,
    /// Names instead of those of the header.
    pub names: Option<Vec<String>>,
    /// Which columns.
    pub wanted: Wanted,
    /// Lines to pass over at the beginning.
    pub skip_lines: u64,
    /// Rows to read at most.
    pub max_rows: Option<u64>,
    /// Python's name of the encoding.
    pub encoding: Option<String>,
    /// Texts that count as missing as well.
    pub missing: Vec<String>,
    /// Whether pandas' own list of such texts counts.
    pub usual_missing: bool,
    /// Whole numbers become floats.
    pub assume_missing: bool,
    /// The type of all columns.
    pub forced: Option<Forced>,
    /// The types of some columns.
    pub forced_by_name: Vec<(String, Forced)>,
}

impl Options {
    /// From parameters; `delimiter` and `has_header` are those of the media type.
    ///
    /// # Errors
    /// `InvalidArgument` naming the parameter that cannot be understood.
    pub fn new(parameters: &Map<String, Value>, delimiter: u8, has_header: bool) -> Result<Self> {
        let names = match parameters.get("names") {
            None | Some(Value::Null) => None,
            Some(names) => Some(strings(names).ok_or_else(|| bad("names", names))?),
        };
        let header = match parameters.get("header") {
            Some(Value::Null) => None,
            Some(Value::Number(line)) => {
                Some(line.as_u64().ok_or_else(|| bad("header", &parameters["header"]))?)
            }
            Some(Value::String(word)) if word != "infer" => return Err(bad("header", &parameters["header"])),
            _ => (has_header && names.is_none()).then_some(0),
        };
        let count = |name: &str| match parameters.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_u64().map(Some).ok_or_else(|| bad(name, value)),
        };
        let flag = |name: &str, usual: bool| parameters.get(name).and_then(Value::as_bool).unwrap_or(usual);
        let separator = byte(parameters, "sep")?.or(byte(parameters, "delimiter")?);
        let (forced, forced_by_name) = forced(parameters.get("dtype"))?;
        Ok(Options {
            dialect: Dialect {
                delimiter: separator.unwrap_or(delimiter),
                quote: Some(byte(parameters, "quotechar")?.unwrap_or(b'"')),
                comment: byte(parameters, "comment")?,
                skip_initial_space: flag("skipinitialspace", false),
                skip_blank_lines: flag("skip_blank_lines", true),
            },
            header,
            names,
            wanted: wanted(parameters.get("usecols"))?,
            skip_lines: count("skiprows")?.unwrap_or(0),
            max_rows: count("nrows")?,
            encoding: parameters.get("encoding").and_then(Value::as_str).map(str::to_owned),
            missing: missing(parameters.get("na_values"))?,
            usual_missing: flag("keep_default_na", true),
            assume_missing: flag("assume_missing", false),
            forced,
            forced_by_name,
        })
    }

    /// What a column is forced to be.
    pub fn forced_type(&self, name: &str) -> Option<Forced> {
        self.forced_by_name.iter().find(|(known, _)| known == name).map(|(_, forced)| *forced).or(self.forced)
    }

    /// Whether a field counts as missing.
    pub fn is_missing(&self, field: &[u8]) -> bool {
        (self.usual_missing && tiled_tabular::values::is_missing(field))
            || self.missing.iter().any(|text| text.as_bytes() == field)
    }
}

fn bad(name: &str, value: &Value) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("The parameter {name} cannot be {value}"))
}

fn strings(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}

fn byte(parameters: &Map<String, Value>, name: &str) -> Result<Option<u8>> {
    match parameters.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_str().map(str::as_bytes) {
            Some([byte]) => Ok(Some(*byte)),
            _ => Err(bad(name, value)),
        },
    }
}

fn wanted(value: Option<&Value>) -> Result<Wanted> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(Wanted::All) };
    if let Some(names) = strings(value) {
        return Ok(Wanted::Names(names));
    }
    let places = value
        .as_array()
        .and_then(|items| items.iter().map(|item| usize::try_from(item.as_u64()?).ok()).collect());
    let mut places: Vec<usize> = places.ok_or_else(|| bad("usecols", value))?;
    places.sort_unstable();
    places.dedup();
    Ok(Wanted::Places(places))
}

fn missing(value: Option<&Value>) -> Result<Vec<String>> {
    match value {
        None | Some(Value::Null) => Ok(vec![]),
        Some(Value::String(text)) => Ok(vec![text.clone()]),
        Some(value) => strings(value).ok_or_else(|| bad("na_values", value)),
    }
}

type ForcedTypes = (Option<Forced>, Vec<(String, Forced)>);

fn forced(value: Option<&Value>) -> Result<ForcedTypes> {
    let parse = |value: &Value| {
        let name = value.as_str().ok_or_else(|| bad("dtype", value))?;
        let word =
            name.trim_start_matches(['<', '>', '=', '|']).trim_end_matches(|c: char| c.is_ascii_digit());
        match word.to_ascii_lowercase().as_str() {
            "str" | "string" | "object" | "o" | "u" => Ok(Forced::Text),
            "bool" | "boolean" | "b" => Ok(Forced::Bool),
            "int" | "i" => Ok(Forced::Int),
            "uint" => Ok(Forced::Uint),
            "float" | "f" => Ok(Forced::Float),
            _ => Err(bad("dtype", value)),
        }
    };
    match value {
        None | Some(Value::Null) => Ok((None, vec![])),
        Some(Value::Object(by_name)) => {
            let pairs = by_name.iter().map(|(name, value)| Ok((name.clone(), parse(value)?)));
            Ok((None, pairs.collect::<Result<_>>()?))
        }
        Some(value) => Ok((Some(parse(value)?), vec![])),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn options(parameters: Value) -> Result<Options> {
        Options::new(parameters.as_object().unwrap(), b',', true)
    }

    #[test]
    fn parameters_are_those_of_read_csv() {
        let options = options(json!({"sep": ";", "header": null, "usecols": ["b", "a"], "skiprows": 2, "dtype": {"a": "float64"}})).unwrap();
        assert_eq!(options.dialect.delimiter, b';');
        assert_eq!((options.header, options.skip_lines), (None, 2));
        assert_eq!(options.wanted, Wanted::Names(vec!["b".into(), "a".into()]));
        assert_eq!(options.forced_type("a"), Some(Forced::Float));
        assert_eq!(options.forced_type("b"), None);
    }

    #[test]
    fn what_cannot_be_understood_is_named() {
        assert!(options(json!({"sep": "\\s+"})).unwrap_err().message.contains("sep"));
        assert!(options(json!({"skiprows": [1]})).unwrap_err().message.contains("skiprows"));
    }
}

//! What a file holds: names and types of its columns, found by reading it once.

use std::io::Read;

use arrow::datatypes::DataType;
use tiled_plugin_api::author::{Context, Error, Result, Source};
use tiled_tabular::{
    names::unique,
    values::{Whole, float, truth, whole},
};

use crate::{
    options::{Forced, Options, Wanted},
    text::{self, Encoding},
    tokens::{Record, Tokens},
};

/// Records between two looks at whether anyone still waits.
const CHECK_RECORDS: u64 = 4096;

/// The type of a column's values. Later ones can hold what earlier ones cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// `True` and `False`, perhaps missing.
    Bool,
    /// int64, none missing.
    Int,
    /// uint64, none missing.
    Uint,
    /// float64, NaN where missing.
    Float,
    /// Text, perhaps missing.
    Text,
    /// Text, and nothing counts as missing.
    RawText,
}

impl Type {
    /// A type for the values of both.
    pub fn with(self, other: Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a,
            (Type::Int | Type::Uint | Type::Float, Type::Int | Type::Uint | Type::Float) => Type::Float,
            _ => Type::Text,
        }
    }
}

/// One column that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name; empty for the index.
    pub name: String,
    /// Its place in the record.
    pub place: usize,
    /// Its type.
    pub kind: Type,
    /// Most characters of a value.
    pub width: usize,
    /// Whether any is missing.
    pub missing: bool,
    /// What the values are converted to: the type that the catalog declares, where it is another one.
    pub target: Option<DataType>,
}

/// What reading the file once has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The columns wanted, in the order wanted.
    pub columns: Vec<Column>,
    /// Columns in front of those of the header: pandas' index.
    pub index: Vec<Column>,
    /// How many rows.
    pub rows: u64,
    /// Whether the bytes are Latin-1 instead of UTF-8.
    pub latin1: bool,
}

impl Layout {
    /// The same columns of a file without rows.
    pub fn without_rows(&self) -> Self {
        Layout { rows: 0, ..self.clone() }
    }
}

/// A file's records behind its header. Too many fields are an error, too few are filled up, as pandas does.
pub struct Rows<R> {
    tokens: Tokens<R>,
    header: Option<Vec<Vec<u8>>>,
    /// The first record behind the header waits here.
    first: Option<Record>,
    width: usize,
    limited: bool,
    left: u64,
}

/// The rows of a file, and how its text is encoded.
///
/// # Errors
/// `InvalidData` naming the file.
pub fn rows(source: &Source, options: &Options) -> Result<(Rows<Box<dyn Read + Send>>, Encoding)> {
    let (text, encoding) = text::open(source, options.encoding.as_deref())?;
    Ok((Rows::new(text, options)?, encoding))
}

impl<R: Read> Rows<R> {
    fn new(text: R, options: &Options) -> Result<Self> {
        let mut tokens = Tokens::new(text, options.dialect.clone());
        tokens.skip_lines(options.skip_lines)?;
        let mut record = Record::default();
        let mut header = None;
        for _ in 0..options.header.map_or(0, |line| line + 1) {
            if !tokens.next(&mut record)? {
                return Err(Error::invalid_data("there are no columns in the file"));
            }
            header = Some((0..record.len()).map(|place| record.field(place).to_vec()).collect::<Vec<_>>());
        }
        let mut first = Record::default();
        let first = tokens.next(&mut first)?.then_some(first);
        let named = options.names.as_ref().map_or(0, Vec::len);
        let titles = header.as_ref().map_or(0, Vec::len);
        let width = first.as_ref().map_or(0, Record::len).max(titles).max(named);
        if header.is_none() && first.is_none() && named == 0 {
            return Err(Error::invalid_data("there are no columns in the file"));
        }
        let limited = options.wanted == Wanted::All;
        Ok(Rows { tokens, header, first, width, limited, left: options.max_rows.unwrap_or(u64::MAX) })
    }

    /// Reads the next row; `false` at the end.
    ///
    /// # Errors
    /// `InvalidData` naming the line.
    pub fn next(&mut self, record: &mut Record) -> Result<bool> {
        if self.left == 0 {
            return Ok(false);
        }
        self.left -= 1;
        if let Some(first) = self.first.take() {
            *record = first;
            return Ok(true);
        }
        let line = self.tokens.line;
        let more = self.tokens.next(record)?;
        if more && self.limited && record.len() > self.width {
            let (width, got) = (self.width, record.len());
            return Err(Error::invalid_data(format!("line {line} has {got} fields, {width} were expected")));
        }
        Ok(more)
    }

    fn first_len(&self) -> Option<usize> {
        self.first.as_ref().map(Record::len)
    }
}

/// Reads the file once.
///
/// # Errors
/// `InvalidData` naming the file and the line; `InvalidArgument` for a column that is not there.
pub fn layout(cx: &Context, source: &Source, options: &Options) -> Result<Layout> {
    let name = source.name();
    let (mut rows, encoding) = rows(source, options).map_err(|error| error.within(&name))?;
    let (index, places) = places(&rows, options);
    let mut guesses: Vec<Guess> = vec![Guess::default(); index + places.len()];
    let (mut record, mut count) = (Record::default(), 0_u64);
    let mut utf8 = true;
    while rows.next(&mut record).map_err(|error| error.within(&name))? {
        for (slot, guess) in guesses.iter_mut().enumerate() {
            let place =
                slot.checked_sub(index).and_then(|slot| places.get(slot)).map_or(slot, |place| index + place);
            let field = record.field(place);
            utf8 &= field.is_ascii() || std::str::from_utf8(field).is_ok();
            guess.add(field, options.is_missing(field));
        }
        count += 1;
        if count.is_multiple_of(CHECK_RECORDS) {
            cx.check()?;
        }
    }
    let titles = rows.header.iter().flatten();
    utf8 &= titles.clone().all(|title| std::str::from_utf8(title).is_ok());
    let latin1 = encoding == Encoding::Latin1;
    if !latin1 && !utf8 {
        // Nothing in a file tells its encoding: a guess would serve wrong text.
        let message = format!(
            "{name}: the text is not valid UTF-8. Name its encoding in the parameter encoding (latin-1)"
        );
        return Err(Error::invalid_data(message));
    }
    let titles: Option<Vec<String>> = rows
        .header
        .as_ref()
        .map(|titles| titles.iter().map(|title| text::field(title, latin1).into_owned()).collect());
    let names = names(titles, options, rows.width);
    let mut guesses = guesses.into_iter();
    let column = |name: String, place: usize, guess: Guess| Column {
        kind: guess.decide(count, options.forced_type(&name), options.assume_missing),
        width: guess.chars(latin1),
        missing: guess.missing,
        target: None,
        name,
        place,
    };
    let index = (0..index).zip(guesses.by_ref()).map(|(place, guess)| column(String::new(), place, guess));
    let index: Vec<Column> = index.collect();
    let lead = index.len();
    let name_of = |place: usize| names.get(place).cloned().unwrap_or_else(|| place.to_string());
    let columns =
        places.into_iter().zip(guesses).map(|(place, guess)| column(name_of(place), lead + place, guess));
    let columns = chosen(columns.collect(), &options.wanted)?;
    Ok(Layout { columns, index, rows: count, latin1 })
}

/// How many columns are the index, and the places of the others behind it.
fn places<R: Read>(rows: &Rows<R>, options: &Options) -> (usize, Vec<usize>) {
    let titled = options.names.as_ref().map(Vec::len).or(rows.header.as_ref().map(Vec::len));
    match &options.wanted {
        Wanted::All => {
            let index = titled.map_or(0, |titled| rows.first_len().unwrap_or(0).saturating_sub(titled));
            (index, (0..rows.width - index).collect())
        }
        Wanted::Names(_) => (0, (0..titled.unwrap_or(rows.width)).collect()),
        Wanted::Places(places) => (0, places.clone()),
    }
}

/// Names of the columns: unique, none empty.
fn names(titles: Option<Vec<String>>, options: &Options, width: usize) -> Vec<String> {
    if let Some(names) = &options.names {
        return match &options.wanted {
            // Names may be those of the wanted columns only.
            Wanted::Places(places) if places.len() == names.len() => {
                let mut all: Vec<String> =
                    (0..width.max(names.len())).map(|place| place.to_string()).collect();
                for (place, name) in places.iter().zip(names) {
                    if let Some(slot) = all.get_mut(*place) {
                        slot.clone_from(name);
                    }
                }
                all
            }
            _ => names.clone(),
        };
    }
    match titles {
        Some(titles) => unique(titles),
        None => (0..width).map(|place| place.to_string()).collect(),
    }
}

fn chosen(columns: Vec<Column>, wanted: &Wanted) -> Result<Vec<Column>> {
    let Wanted::Names(names) = wanted else { return Ok(columns) };
    let find = |name: &String| {
        columns.iter().find(|column| column.name == *name).cloned().ok_or_else(|| {
            Error::new(
                tiled_plugin_api::author::ErrorKind::InvalidArgument,
                format!("usecols: there is no column {name}"),
            )
        })
    };
    names.iter().map(find).collect()
}

/// What a column can still be, after the values so far.
#[derive(Debug, Clone, Default)]
struct Guess {
    missing: bool,
    any: bool,
    negative: bool,
    whole: Wholes,
    no_float: bool,
    no_bool: bool,
    bytes: usize,
    chars: usize,
}

/// pandas tries int64 and, at the first value too large, uint64 from the beginning again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Wholes {
    #[default]
    Int,
    Uint,
    No,
    /// Whole numbers too large: text.
    Beyond,
}

impl Guess {
    fn add(&mut self, field: &[u8], missing: bool) {
        self.bytes = self.bytes.max(field.len());
        let continuation = field.iter().filter(|byte| **byte & 0xc0 == 0x80).count();
        self.chars = self.chars.max(field.len() - continuation);
        if missing {
            self.missing = true;
            return;
        }
        let parsed = whole(field);
        self.wholes(parsed, field);
        self.any = true;
        let is_number = matches!(parsed, Whole::Int(_) | Whole::Uint(_));
        if !self.no_float && !is_number {
            self.no_float = float(field).is_none();
        }
        if !self.no_bool {
            self.no_bool = truth(field).is_none();
        }
    }

    fn wholes(&mut self, parsed: Whole, field: &[u8]) {
        let negative = field.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'-');
        self.whole = match (self.whole, parsed) {
            (Wholes::Int | Wholes::Uint, Whole::No) => Wholes::No,
            (Wholes::Int, Whole::Beyond) => Wholes::Beyond,
            (Wholes::Int, Whole::Uint(_)) => Wholes::Uint,
            (Wholes::Uint, Whole::Beyond) if !negative => Wholes::Beyond,
            (before, _) => before,
        };
        self.negative |= negative;
    }

    /// The type all values have.
    fn decide(&self, rows: u64, forced: Option<Forced>, assume_missing: bool) -> Type {
        match forced {
            Some(Forced::Text) => return Type::Text,
            Some(Forced::Bool) => return Type::Bool,
            Some(Forced::Int) if !self.missing => return Type::Int,
            Some(Forced::Uint) if !self.missing => return Type::Uint,
            Some(_) => return Type::Float,
            None => {}
        }
        match self.whole {
            _ if rows == 0 => Type::Text,
            _ if !self.any => Type::Float,
            Wholes::Int if self.missing || assume_missing => Type::Float,
            Wholes::Int => Type::Int,
            Wholes::Uint if self.negative || self.missing => Type::RawText,
            Wholes::Uint => Type::Uint,
            Wholes::Beyond => Type::Text,
            Wholes::No if !self.no_float => Type::Float,
            Wholes::No if !self.no_bool => Type::Bool,
            Wholes::No => Type::Text,
        }
    }

    /// Most characters of a value.
    fn chars(&self, latin1: bool) -> usize {
        if latin1 { self.bytes } else { self.chars }
    }
}

#[cfg(test)]
mod tests {
    use tiled_plugin_api::testing::FileSource;

    use super::*;

    fn check(text: &str, parameters: serde_json::Value) -> Result<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let options = Options::new(parameters.as_object().unwrap(), b',', true).unwrap();
        let layout = layout(&Context::unbounded(), &FileSource::open(file.path()).unwrap(), &options)?;
        let all = layout.index.iter().chain(&layout.columns);
        let all: Vec<String> = all.map(|column| format!("{}:{:?}", column.name, column.kind)).collect();
        Ok(format!("{} {}", layout.rows, all.join(" ")))
    }

    fn types(text: &str) -> String {
        check(text, serde_json::json!({})).unwrap()
    }

    #[test]
    fn types_are_those_of_pandas() {
        assert_eq!(types("a,b,c,d\n1,1.5,x,True\n2,inf,,FALSE\n"), "2 a:Int b:Float c:Text d:Bool");
        assert_eq!(types("a,b\n1,\nNA,\n"), "2 a:Float b:Float");
        assert_eq!(types("a,b\n18446744073709551615,18446744073709551615\n1,-1\n"), "2 a:Uint b:RawText");
        assert_eq!(types("a,b\n99999999999999999999,1.5\n1.5,99999999999999999999\n"), "2 a:Text b:Float");
        assert_eq!(types("a,b\n99999999999999999999.5,0.5\n1,99999999999999999999.5\n"), "2 a:Text b:Float");
        assert_eq!(types("a,b\n1,2020-01-01\nTrue,x\n"), "2 a:Text b:Text");
        assert_eq!(types("a,b\n"), "0 a:Text b:Text");
    }

    #[test]
    fn names_are_made_unique() {
        assert_eq!(types("a,a,,a.1,\n1,2,3,4,5\n"), "1 a:Int a.2:Int Unnamed: 2:Int a.1:Int Unnamed: 4:Int");
    }

    #[test]
    fn fields_in_front_of_the_header_are_the_index() {
        assert_eq!(types("a,b\n1,2,3\n4,5,6\n"), "2 :Int a:Int b:Int");
        assert!(check("a,b\n1,2\n4,5,6\n", serde_json::json!({})).unwrap_err().message.contains("line 3"));
        assert_eq!(types("a,b,c\n1\n2,3\n"), "2 a:Int b:Float c:Float");
    }

    #[test]
    fn parameters_choose_columns() {
        let two = |parameters| check("a,b,c\n1,2,3\n", parameters).unwrap();
        assert_eq!(two(serde_json::json!({"usecols": ["c", "a"]})), "1 c:Int a:Int");
        assert_eq!(two(serde_json::json!({"usecols": [0, 2], "header": null})), "2 0:Text 2:Text");
        assert_eq!(
            two(serde_json::json!({"assume_missing": true, "dtype": {"b": "str"}})),
            "1 a:Float b:Text c:Float"
        );
        assert_eq!(two(serde_json::json!({"header": null, "skiprows": 1})), "1 0:Int 1:Int 2:Int");
    }
}

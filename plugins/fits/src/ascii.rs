//! Columns of ASCII tables: numbers and texts at fixed places of lines.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, Float64Array, Int64Array, StringArray},
    datatypes::DataType,
};
use tiled_plugin_api::prelude::{Error, Result};

use crate::{card, column, header::Header};

/// A column.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// `TTYPE`; empty where there is none.
    pub name: String,
    /// `A`, `I` for whole numbers, `F` for others.
    code: u8,
    /// Where it begins in a row, and its characters.
    place: (u64, u64),
    scale: Option<(f64, f64)>,
    null: Option<String>,
}

/// The columns of an ASCII table.
///
/// # Errors
/// `InvalidData` where they do not fit into a row, or a format is none of the standard's.
pub fn fields(header: &Header) -> Result<Vec<Field>> {
    let (count, row_bytes) = (header.size("TFIELDS")?, header.size("NAXIS1")?);
    if count > 999 {
        return Err(Error::invalid_data(format!("{count} columns are more than 999")));
    }
    (1..=count).map(|number| field(header, number, row_bytes)).collect()
}

fn field(header: &Header, number: u64, row_bytes: u64) -> Result<Field> {
    let text = header.text(&format!("TFORM{number}")).unwrap_or_default().trim();
    let wrong = || Error::invalid_data(format!("TFORM{number} is {text:?}, which is none of the standard's"));
    let (letter, size) = (text.bytes().next().ok_or_else(wrong)?, text.get(1..).unwrap_or_default());
    let code = match letter.to_ascii_uppercase() {
        b'A' => b'A',
        b'I' => b'I',
        b'F' | b'E' | b'D' => b'F',
        _ => return Err(wrong()),
    };
    let width = size.split('.').next().unwrap_or_default();
    let width: u64 = if width.is_empty() && code == b'A' { 1 } else { width.parse().map_err(|_| wrong())? };
    let start = header.size(&format!("TBCOL{number}"))?.saturating_sub(1);
    if start.checked_add(width).is_none_or(|end| end > row_bytes) {
        return Err(Error::invalid_data(format!("column {number} lies behind the end of a row")));
    }
    let (by, zero) = (header.float(&format!("TSCAL{number}")), header.float(&format!("TZERO{number}")));
    let scale = (by.unwrap_or(1.0), zero.unwrap_or(0.0));
    let null = header.get(&format!("TNULL{number}")).map(|null| match null.as_str() {
        Some(text) => text.trim().to_owned(),
        None => null.to_string(),
    });
    Ok(Field {
        name: header.text(&format!("TTYPE{number}")).unwrap_or_default().trim().to_owned(),
        code,
        place: (start, width),
        scale: (code != b'A' && scale != (1.0, 0.0)).then_some(scale),
        null,
    })
}

impl Field {
    /// The type of its values.
    pub fn data_type(&self) -> DataType {
        match (self.code, self.scale) {
            (b'A', _) => DataType::Utf8,
            (b'I', None) => DataType::Int64,
            _ => DataType::Float64,
        }
    }

    /// The values of rows of `row_bytes` each, `first` the number of the first one.
    ///
    /// # Errors
    /// `InvalidData` naming column and row where a text is no number.
    pub fn rows(&self, bytes: &[u8], row_bytes: usize, first: u64) -> Result<ArrayRef> {
        let (start, width) = (self.place.0 as usize, self.place.1 as usize);
        let cells = bytes.chunks_exact(row_bytes.max(1)).map(|row| {
            let cell = row.get(start..start + width).unwrap_or_default();
            column::text(cell)
        });
        // A number that is not there is left blank; a text may well be empty.
        let is_null = |text: &str| text.is_empty() || self.null.as_deref() == Some(text);
        if self.code == b'A' {
            let given = |text: String| (self.null.as_deref() != Some(text.trim())).then_some(text);
            return Ok(Arc::new(cells.map(given).collect::<StringArray>()));
        }
        let bad = |row: usize, text: &str| {
            let row = first + row as u64;
            Error::invalid_data(format!("column {}, row {row}: {text:?} is no number", self.name))
        };
        let scaled = |number: f64| self.scale.map_or(number, |(by, zero)| number * by + zero);
        let number = |(row, text): (usize, String)| {
            let text = text.trim();
            let number =
                (!is_null(text)).then(|| card::float(text).ok_or_else(|| bad(row, text)).map(scaled));
            number.transpose()
        };
        let whole = |(row, text): (usize, String)| {
            let text = text.trim();
            (!is_null(text)).then(|| text.parse::<i64>().map_err(|_| bad(row, text))).transpose()
        };
        Ok(if self.code == b'I' && self.scale.is_none() {
            Arc::new(cells.enumerate().map(whole).collect::<Result<Int64Array>>()?)
        } else {
            Arc::new(cells.enumerate().map(number).collect::<Result<Float64Array>>()?)
        })
    }
}

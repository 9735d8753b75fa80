//! The cells of a sheet, kept by column and only where there are any.

use tiled_plugin_api::author::{Error, ErrorKind, Result};
use tiled_tabular::{
    moment::{Base, Moment, Unit, push_pandas_span},
    number::{push_f64, push_int},
};

/// What is in a cell, as the reference readers see it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Empty,
    /// `#DIV/0!` and the like.
    Error,
    /// A whole number.
    Int(i64),
    /// Another number.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// Text; never empty.
    Text(Box<str>),
    /// Milliseconds since 1970.
    Moment(i64),
    /// Milliseconds since midnight.
    Time(i64),
    /// A time span in milliseconds.
    Span(i64),
}

/// Whole numbers beyond this are floats.
const MAX_WHOLE: f64 = 9.2e18;

impl Value {
    /// Excel has only floats: whole ones are integers.
    pub fn number(value: f64) -> Self {
        if value.fract() == 0.0 && value.abs() < MAX_WHOLE {
            Value::Int(value as i64)
        } else {
            Value::Float(value)
        }
    }

    /// Text; an empty one is an empty cell.
    pub fn text(text: &str) -> Self {
        if text.is_empty() { Value::Empty } else { Value::Text(text.into()) }
    }

    /// A date with or without a time, as OpenDocument writes it; other text stays text.
    pub fn iso(text: &str) -> Self {
        let format = if text.contains('T') { "%Y-%m-%dT%H:%M:%S%.f" } else { "%Y-%m-%d" };
        let moment = if text.contains('T') {
            chrono::NaiveDateTime::parse_from_str(text, format).ok()
        } else {
            chrono::NaiveDate::parse_from_str(text, format).ok().and_then(|date| date.and_hms_opt(0, 0, 0))
        };
        moment.map_or_else(|| Value::text(text), |moment| Value::Moment(moment.and_utc().timestamp_millis()))
    }

    /// `PT10H30M05S`, a time of day; a span where it has more than a day.
    pub fn iso_span(text: &str) -> Self {
        let mut total = 0.0;
        let mut number = String::new();
        for c in text.strip_prefix("PT").unwrap_or_default().chars() {
            let unit = match c {
                'H' => 3_600_000.0,
                'M' => 60_000.0,
                'S' => 1000.0,
                _ => {
                    number.push(if c == ',' { '.' } else { c });
                    continue;
                }
            };
            let Ok(count) = number.parse::<f64>() else { return Value::text(text) };
            total += count * unit;
            number.clear();
        }
        if !text.starts_with("PT") || !number.is_empty() {
            return Value::text(text);
        }
        let total = total.round() as i64;
        if (0..86_400_000).contains(&total) { Value::Time(total) } else { Value::Span(total) }
    }

    /// Python's `str` of it.
    pub fn push_text(&self, out: &mut Vec<u8>) {
        let milli = Unit::of(Base::Fraction(3));
        match self {
            Value::Empty | Value::Error => out.extend_from_slice(b"nan"),
            Value::Int(value) => push_int(out, *value),
            Value::Float(value) => push_f64(out, *value),
            Value::Bool(value) => out.extend_from_slice(if *value { b"True" } else { b"False" }),
            Value::Text(text) => out.extend_from_slice(text.as_bytes()),
            Value::Moment(count) => {
                if let Some(moment) = Moment::new(*count, milli) {
                    moment.push_iso(out, b' ');
                }
            }
            Value::Time(count) => {
                if let Some(moment) = Moment::new(*count, milli) {
                    moment.push_time(out, if moment.places() == 0 { 0 } else { 6 });
                }
            }
            Value::Span(count) => push_pandas_span(out, *count, 3),
        }
    }

    fn bytes(&self) -> u64 {
        CELL_BYTES + if let Value::Text(text) = self { text.len() as u64 } else { 0 }
    }
}

/// What a cell takes without its text.
const CELL_BYTES: u64 = 40;

/// The cells that hold something, by column, rows ascending.
#[derive(Debug, Default)]
pub struct Cells {
    /// Of each column: row and value.
    pub columns: Vec<Vec<(u32, Value)>>,
    /// Rows up to the last cell.
    pub rows: u32,
    left: u64,
    budget: u64,
}

impl Cells {
    /// No cells yet; they may take `budget` bytes.
    pub fn new(budget: u64) -> Self {
        Cells { left: budget, budget, ..Cells::default() }
    }

    /// Adds a cell.
    ///
    /// # Errors
    /// `TooLarge` where the budget is spent.
    pub fn push(&mut self, (row, column): (u32, u32), value: Value) -> Result<()> {
        if value == Value::Empty {
            return Ok(());
        }
        let Some(left) = self.left.checked_sub(value.bytes()) else {
            return Err(Error::new(ErrorKind::TooLarge, "the cells take more memory than such a file may"));
        };
        self.left = left;
        let column = column as usize;
        if column >= self.columns.len() {
            self.columns.resize_with(column + 1, Vec::new);
        }
        if let Some(cells) = self.columns.get_mut(column) {
            cells.push((row, value));
        }
        self.rows = self.rows.max(row.saturating_add(1));
        Ok(())
    }

    /// Whether a table of these rows and columns, filled up, is within the budget.
    ///
    /// # Errors
    /// `TooLarge` naming the extent.
    pub fn check_extent(&self) -> Result<()> {
        let (rows, columns) = (u64::from(self.rows), self.columns.len() as u64);
        if rows.saturating_mul(columns).saturating_mul(8) > self.budget {
            let message = format!(
                "{rows} rows and {columns} columns are too many for the few cells that hold something"
            );
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &Value) -> String {
        let mut out = Vec::new();
        value.push_text(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn values_are_shown_as_python_shows_them() {
        assert_eq!(text(&Value::number(2.0)), "2");
        assert_eq!(text(&Value::number(2.5)), "2.5");
        assert_eq!(text(&Value::Bool(true)), "True");
        assert_eq!(text(&Value::iso("2020-01-02")), "2020-01-02 00:00:00");
        assert_eq!(text(&Value::iso_span("PT01H02M03S")), "01:02:03");
        assert_eq!(Value::iso("not a date"), Value::Text("not a date".into()));
    }

    #[test]
    fn a_far_cell_is_refused() {
        let mut cells = Cells::new(64 << 20);
        cells.push((1_048_575, 16_383), Value::Int(1)).unwrap();
        assert_eq!(cells.check_extent().unwrap_err().kind, ErrorKind::TooLarge);
        let mut cells = Cells::new(100);
        assert!(cells.push((0, 0), Value::text(&"x".repeat(100))).is_err());
    }
}

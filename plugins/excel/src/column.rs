//! A column of cells as an Arrow array, typed as pandas types a column of Python objects.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, DurationNanosecondArray, Float64Array, Int64Array, StringBuilder,
    Time64MicrosecondArray, TimestampMicrosecondArray, TimestampNanosecondArray,
};
use tiled_tabular::values::{Whole, float, is_missing, whole};

use crate::sheet::Value;

/// Nanoseconds of a millisecond.
const MILLI_NS: i64 = 1_000_000;

/// The column whose cells below the header are these, filled up to `rows`.
pub fn column(cells: &[(u32, Value)], rows: usize) -> ArrayRef {
    let mut present: Vec<(usize, &Value)> = cells
        .iter()
        .filter(|(_, value)| !missing(value))
        .filter_map(|(row, value)| Some((usize::try_from(row.checked_sub(1)?).ok()?, value)))
        .filter(|(row, _)| *row < rows)
        .collect();
    present.sort_by_key(|(row, _)| *row);
    let column = Column { present, rows };
    if rows == 0 {
        return column.text();
    }
    column.numbers().or_else(|| column.truths()).or_else(|| column.times()).unwrap_or_else(|| column.text())
}

fn missing(value: &Value) -> bool {
    match value {
        Value::Empty | Value::Error => true,
        Value::Text(text) => is_missing(text.as_bytes()),
        _ => false,
    }
}

struct Column<'a> {
    present: Vec<(usize, &'a Value)>,
    rows: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Number {
    Int(i64),
    Float(f64),
    Bool(bool),
}

impl Column<'_> {
    /// What `convert` makes of each cell, nothing where it is missing; `None` where it fails for one.
    fn spread<T: Clone>(&self, convert: impl Fn(&Value) -> Option<T>) -> Option<Vec<Option<T>>> {
        let mut all = vec![None; self.rows];
        for (row, value) in &self.present {
            *all.get_mut(*row)? = Some(convert(value)?);
        }
        Some(all)
    }

    /// Numbers, truth values among them, and text that is a number.
    fn numbers(&self) -> Option<ArrayRef> {
        let number = |value: &Value| match value {
            Value::Int(value) => Some(Number::Int(*value)),
            Value::Float(value) => Some(Number::Float(*value)),
            Value::Bool(value) => Some(Number::Bool(*value)),
            Value::Text(text) => match whole(text.as_bytes()) {
                Whole::Int(value) => Some(Number::Int(value)),
                Whole::Uint(_) | Whole::Beyond
                    if text.trim().trim_start_matches(['+', '-']).bytes().all(|b| b.is_ascii_digit()) =>
                {
                    None
                }
                _ => float(text.as_bytes()).map(Number::Float),
            },
            _ => None,
        };
        let numbers = self.spread(number)?;
        let filled = self.present.len() == self.rows;
        let any = |test: fn(&Number) -> bool| numbers.iter().flatten().any(test);
        if filled && !any(|n| !matches!(n, Number::Bool(_))) {
            let truths = numbers.iter().map(|n| matches!(n, Some(Number::Bool(true))));
            return Some(Arc::new(BooleanArray::from(truths.collect::<Vec<_>>())));
        }
        if filled && !any(|n| matches!(n, Number::Float(_))) {
            let whole = |number: &Option<Number>| match number {
                Some(Number::Int(value)) => *value,
                Some(Number::Bool(value)) => i64::from(*value),
                _ => 0,
            };
            return Some(Arc::new(Int64Array::from_iter_values(numbers.iter().map(whole))));
        }
        let floats = numbers.into_iter().map(|number| {
            number.map(|number| match number {
                Number::Int(value) => value as f64,
                Number::Float(value) => value,
                Number::Bool(value) => f64::from(u8::from(value)),
            })
        });
        Some(Arc::new(floats.collect::<Float64Array>()))
    }

    /// Truth values, also as text.
    fn truths(&self) -> Option<ArrayRef> {
        let truth = |value: &Value| match value {
            Value::Bool(value) => Some(*value),
            Value::Text(text) => match &**text {
                "True" | "TRUE" | "true" => Some(true),
                "False" | "FALSE" | "false" => Some(false),
                _ => None,
            },
            _ => None,
        };
        Some(Arc::new(BooleanArray::from(self.spread(truth)?)))
    }

    /// Dates, times of day or spans, one kind only.
    fn times(&self) -> Option<ArrayRef> {
        let moment = |value: &Value| if let Value::Moment(count) = value { Some(*count) } else { None };
        if let Some(counts) = self.spread(moment) {
            let nano = |count: &Option<i64>| match count {
                None => Some(None),
                Some(count) => count.checked_mul(MILLI_NS).map(Some),
            };
            return Some(match counts.iter().map(nano).collect::<Option<Vec<_>>>() {
                Some(counts) => Arc::new(TimestampNanosecondArray::from(counts)),
                // Beyond the year 2262.
                None => Arc::new(
                    counts
                        .iter()
                        .map(|c| c.map(|c| c.saturating_mul(1000)))
                        .collect::<TimestampMicrosecondArray>(),
                ),
            });
        }
        let time = |value: &Value| if let Value::Time(count) = value { Some(count * 1000) } else { None };
        if let Some(counts) = self.spread(time) {
            return Some(Arc::new(Time64MicrosecondArray::from(counts)));
        }
        let span =
            |value: &Value| if let Value::Span(count) = value { count.checked_mul(MILLI_NS) } else { None };
        self.spread(span).map(|counts| -> ArrayRef { Arc::new(DurationNanosecondArray::from(counts)) })
    }

    /// Anything, as text.
    fn text(&self) -> ArrayRef {
        let mut builder = StringBuilder::new();
        let mut text = Vec::new();
        let mut next = 0;
        for (row, value) in &self.present {
            // A second cell at one place does not count.
            if *row < next {
                continue;
            }
            (next..*row).for_each(|_| builder.append_null());
            text.clear();
            value.push_text(&mut text);
            builder.append_value(String::from_utf8_lossy(&text));
            next = row + 1;
        }
        (next..self.rows).for_each(|_| builder.append_null());
        Arc::new(builder.finish())
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Array;
    use tiled_tabular::json::cells;

    use super::*;

    fn check(values: &[Value]) -> String {
        let placed: Vec<(u32, Value)> =
            values.iter().cloned().enumerate().map(|(row, v)| (row as u32 + 1, v)).collect();
        let array = column(&placed, values.len());
        let cell = cells(&array).unwrap();
        let mut out = format!("{} ", array.data_type()).into_bytes();
        for row in 0..array.len() {
            cell(row, &mut out);
            out.push(b' ');
        }
        String::from_utf8(out).unwrap()
    }

    fn text(text: &str) -> Value {
        Value::text(text)
    }

    #[test]
    fn numbers_are_typed_as_pandas_types_them() {
        assert_eq!(check(&[Value::Int(1), Value::Bool(true)]), "Int64 1 1 ");
        assert_eq!(check(&[Value::Bool(true), Value::Bool(false)]), "Boolean true false ");
        assert_eq!(check(&[Value::Bool(true), Value::Empty, Value::Bool(false)]), "Float64 1.0 null 0.0 ");
        assert_eq!(check(&[text("1.5"), Value::Int(2)]), "Float64 1.5 2.0 ");
        assert_eq!(check(&[text(" 1 "), text("2")]), "Int64 1 2 ");
        assert_eq!(check(&[Value::Error, Value::Int(1)]), "Float64 null 1.0 ");
        assert_eq!(check(&[Value::Empty]), "Float64 null ");
    }

    #[test]
    fn mixed_columns_are_text() {
        assert_eq!(check(&[text("x"), Value::Int(2), Value::Bool(true)]), r#"Utf8 "x" "2" "True" "#);
        assert_eq!(check(&[text("NA"), text("x")]), r#"Utf8 null "x" "#);
        assert_eq!(check(&[Value::Moment(0), Value::Int(1)]), r#"Utf8 "1970-01-01 00:00:00" "1" "#);
    }

    #[test]
    fn truth_values_and_times_have_types_of_their_own() {
        assert_eq!(check(&[text("TRUE"), Value::Empty]), "Boolean true null ");
        assert_eq!(check(&[Value::Moment(0), Value::Empty]), r#"Timestamp(ns) "1970-01-01T00:00:00" null "#);
        assert_eq!(check(&[Value::Time(1000)]), r#"Time64(µs) "00:00:01" "#);
        assert_eq!(check(&[Value::Span(1)]), "Duration(ns) 1000000 ");
    }
}

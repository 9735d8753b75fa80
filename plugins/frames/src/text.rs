//! Texts of headers as metadata.

use serde_json::{Map, Value, json};

/// A header's text as JSON: whole numbers and decimal numbers as numbers, all else as it is written.
pub fn value(text: &str) -> Value {
    let is_number = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'))
        && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E'));
    if !is_number {
        return Value::from(text);
    }
    let digits = text.trim_start_matches(['-', '+']);
    // Numbers that are written with leading zeros are names: of a run, of a sample.
    if digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit()) {
        return Value::from(text);
    }
    if let Ok(whole) = text.parse::<i64>() {
        return json!(whole);
    }
    text.parse::<f64>()
        .ok()
        .filter(|number| number.is_finite())
        .map_or_else(|| Value::from(text), Value::from)
}

/// Bytes of a header as text: UTF-8, else Latin-1; up to the first NUL, without blanks around it.
pub fn trimmed(bytes: &[u8]) -> String {
    let bytes = bytes.split(|b| *b == 0).next().unwrap_or_default();
    let text = str::from_utf8(bytes).map_or_else(|_| latin(bytes), str::to_owned);
    text.trim().to_owned()
}

/// Bytes as Latin-1, which has a character for each.
pub fn latin(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// A finite number; null else, which JSON has no word for.
pub fn number(number: f32) -> Value {
    // The shortest text that gives this number, not the digits of its double.
    number.to_string().parse::<f64>().ok().filter(|n| n.is_finite()).map_or(Value::Null, Value::from)
}

/// Puts a value under a key that is free yet.
pub fn put(map: &mut Map<String, Value>, key: &str, value: Value) {
    if !key.is_empty() && !map.contains_key(key) {
        map.insert(key.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_are_numbers() {
        assert_eq!(value("12"), json!(12));
        assert_eq!(value("-1.5e-3"), json!(-0.0015));
        for text in ["007", "1 2", "1e999", "2024-01-01", "nan", "inf", "", "-", "0x10"] {
            assert_eq!(value(text), json!(text), "{text}");
        }
    }
}

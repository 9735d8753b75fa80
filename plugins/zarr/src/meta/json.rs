//! JSON as Python writes it: with `NaN` and infinities.

use serde_json::Value;
use tiled_plugin_api::author::{Error, Result};

/// Stands before the name of a number that JSON does not have.
const SENTINEL: char = '\u{0}';

/// Parses JSON. Numbers that it does not have become texts with a sentinel: see [`without_sentinels`].
///
/// # Errors
/// `InvalidData`.
pub fn parse(bytes: &[u8]) -> Result<Value> {
    let text = str::from_utf8(bytes).map_err(|_| Error::invalid_data("the metadata are not UTF-8"))?;
    if let Ok(value) = serde_json::from_str(text) {
        return Ok(value);
    }
    serde_json::from_str(&with_sentinels(text))
        .map_err(|e| Error::invalid_data(format!("the metadata are no JSON: {e}")))
}

/// Replaces `NaN`, `Infinity` and `-Infinity` outside of texts.
fn with_sentinels(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let (mut rest, mut in_text) = (text, false);
    while let Some(first) = rest.chars().next() {
        let name =
            ["NaN", "Infinity", "-Infinity"].into_iter().find(|name| !in_text && rest.starts_with(name));
        if let Some(name) = name {
            result.push_str("\"\\u0000");
            result.push_str(name);
            result.push('"');
            rest = rest.get(name.len()..).unwrap_or_default();
            continue;
        }
        let length = if in_text && first == '\\' {
            1 + rest.chars().nth(1).map_or(0, char::len_utf8)
        } else {
            first.len_utf8()
        };
        if first == '"' {
            in_text = !in_text;
        }
        let (taken, left) = rest.split_at(length);
        result.push_str(taken);
        rest = left;
    }
    result
}

/// Attributes as standard JSON has them: null for numbers that it does not have.
pub fn without_sentinels(value: &mut Value) {
    match value {
        Value::String(text) if text.starts_with(SENTINEL) => *value = Value::Null,
        Value::Array(items) => items.iter_mut().for_each(without_sentinels),
        Value::Object(entries) => entries.values_mut().for_each(without_sentinels),
        _ => {}
    }
}

/// The same with the names of such numbers as texts: so fill values are written.
pub fn with_names(value: &mut Value) {
    match value {
        Value::String(text) if text.starts_with(SENTINEL) => *text = plain(text).to_owned(),
        Value::Array(items) => items.iter_mut().for_each(with_names),
        Value::Object(entries) => entries.values_mut().for_each(with_names),
        _ => {}
    }
}

/// A text without its sentinel.
pub fn plain(text: &str) -> &str {
    text.strip_prefix(SENTINEL).unwrap_or(text)
}

/// JSON as Python writes it, out of what [`parse`] gave.
///
/// # Errors
/// `Internal`.
pub fn to_text(value: &Value) -> Result<String> {
    let mut text = serde_json::to_string_pretty(value).map_err(Error::internal)?;
    if text.contains("\"\\u0000") {
        for name in ["NaN", "Infinity", "-Infinity"] {
            text = text.replace(&format!("\"\\u0000{name}\""), name);
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_json_does_not_have_are_read() {
        let mut value = parse(br#"{"a": [NaN, -Infinity, 1], "b \" NaN": "Infinity\\"}"#).unwrap();
        assert_eq!(plain(value["a"][1].as_str().unwrap()), "-Infinity");
        without_sentinels(&mut value);
        assert_eq!(value, serde_json::json!({"a": [null, null, 1], "b \" NaN": "Infinity\\"}));
        assert!(parse(&b"{".repeat(100_000)).is_err());
        assert!(parse(b"\xff").is_err());
    }
}

//! `slice`, `block` and `expected_shape`.

use serde_json::Value;
use tiled_plugin_api::model::{NDSlice, SliceError};

use super::Params;
use crate::http::HttpError;

/// The `slice` of a request; everything without one.
///
/// # Errors
/// 422 for what is not of the grammar, 400 for an empty part, in Tiled's words.
pub fn slice(params: &Params) -> Result<NDSlice, HttpError> {
    let text = params.one("slice").unwrap_or_default();
    NDSlice::parse(text).map_err(|error| match error {
        SliceError::EmptyPart => HttpError::bad_request(error.to_string()),
        _ => pattern("slice", text, "comma-separated integers and ranges start:stop:step"),
    })
}

/// The `block` of a request: one number per axis, none for a scalar.
///
/// # Errors
/// 422 when it is missing or no list of numbers.
pub fn block(params: &Params) -> Result<Vec<u64>, HttpError> {
    let text = params.one("block").ok_or_else(|| HttpError::missing("block"))?;
    numbers(text).ok_or_else(|| pattern("block", text, "^[0-9]*(,[0-9]+)*$"))
}

/// The shape that the caller reckons with; empty for a scalar.
///
/// # Errors
/// 422 when it is no list of numbers.
pub fn expected_shape(params: &Params) -> Result<Option<Vec<u64>>, HttpError> {
    match params.one("expected_shape") {
        None => Ok(None),
        Some("scalar") => Ok(Some(vec![])),
        Some(text) => match numbers(text) {
            Some(shape) if !shape.is_empty() => Ok(Some(shape)),
            _ => Err(pattern("expected_shape", text, "^[0-9]+(,[0-9]+)*$|^scalar$")),
        },
    }
}

/// A required list of numbers: `offset`, `shape`. `scalar` is the shape of one element.
///
/// # Errors
/// 422 when it is missing or no list of numbers.
pub fn numbers_of(params: &Params, name: &str, or_scalar: bool) -> Result<Vec<u64>, HttpError> {
    let text = params.one(name).ok_or_else(|| HttpError::missing(name))?;
    if or_scalar && text == "scalar" {
        return Ok(vec![]);
    }
    let wanted = if or_scalar { "^[0-9]+(,[0-9]+)*$|^scalar$" } else { "^[0-9]+(,[0-9]+)*$" };
    numbers(text).filter(|numbers| !numbers.is_empty()).ok_or_else(|| pattern(name, text, wanted))
}

fn numbers(text: &str) -> Option<Vec<u64>> {
    if text.is_empty() {
        return Some(vec![]);
    }
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok()).flatten();
    text.split(',').map(digits).collect()
}

fn pattern(name: &str, text: &str, wanted: &str) -> HttpError {
    let message = format!("String should match pattern '{wanted}'");
    HttpError::validation("query", name, "string_pattern_mismatch", &message, Value::String(text.to_owned()))
}

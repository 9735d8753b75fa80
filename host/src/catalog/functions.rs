//! What SQLite cannot do itself, as functions of our own for its SQL: regular expressions, deep equality and
//! membership of JSON values, whole words. They are the very functions that answer for children in memory.

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Result};
use serde_json::Value;

use crate::query::{Pattern, Words, contains, same_value};

/// Adds the functions to a connection.
pub(super) fn register(connection: &Connection) -> Result<()> {
    let flags =
        FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
    connection.create_scalar_function("tiled_regex", 3, flags, |call| {
        let Some(text) = text(call, 2) else { return Ok(false) };
        let case_sensitive = call.get::<bool>(1)?;
        let pattern = call.get_or_create_aux(0, |value| {
            let text = value.as_str().map_err(boxed)?;
            Pattern::new(text, case_sensitive).map_err(|reason| reason.into())
                as std::result::Result<Pattern, Box<dyn std::error::Error + Send + Sync>>
        })?;
        Ok(pattern.is_match(text))
    })?;
    connection.create_scalar_function("tiled_same", 2, flags, |call| json_pair(call, same_value))?;
    connection.create_scalar_function("tiled_contains", 2, flags, |call| json_pair(call, contains))?;
    connection.create_scalar_function("tiled_words", 2, flags, |call| {
        let words = call.get_or_create_aux(0, |value| {
            let text = value.as_str().map_err(boxed)?;
            Words::parse(text).map_err(|reason| reason.into())
                as std::result::Result<Words, Box<dyn std::error::Error + Send + Sync>>
        })?;
        let Some(metadata) = text(call, 1) else { return Ok(false) };
        Ok(serde_json::from_str::<Value>(metadata).is_ok_and(|metadata| words.matches(&metadata)))
    })
}

/// Applies `test(stored, asked)` to the JSON texts `call(asked, stored)`.
fn json_pair(call: &Context<'_>, test: fn(&Value, &Value) -> bool) -> Result<bool> {
    if text(call, 0).is_none() {
        return Ok(false);
    }
    let asked = call.get_or_create_aux(0, |value| {
        let text = value.as_str().map_err(boxed)?;
        serde_json::from_str::<Value>(text).map_err(boxed)
    })?;
    let Some(stored) = text(call, 1) else { return Ok(false) };
    Ok(serde_json::from_str::<Value>(stored).is_ok_and(|stored| test(&stored, &asked)))
}

fn text<'a>(call: &'a Context<'_>, at: usize) -> Option<&'a str> {
    match call.get_raw(at) {
        value @ ValueRef::Text(_) => value.as_str().ok(),
        _ => None,
    }
}

fn boxed(error: impl std::error::Error + Send + Sync + 'static) -> Box<dyn std::error::Error + Send + Sync> {
    Box::new(error)
}

//! One file per first word of the URL. A handler reads the request, asks for a node and a reading, and responds.

pub mod about;
pub mod array;
pub mod asset;
pub mod awkward;
pub mod container;
pub mod data_source;
pub mod distinct;
pub mod health;
pub mod metadata;
pub mod node;
pub mod ragged;
pub mod register;
pub mod revise;
pub mod revisions;
pub mod search;
mod store;
pub mod stream;
pub mod table;
pub mod ui;
pub mod zarr;

use axum::body::Bytes;
use serde_json::Value;

use super::HttpError;

/// A body that is a JSON list of names, `null`, or nothing.
fn names(body: &Bytes) -> Result<Option<Vec<String>>, HttpError> {
    if body.is_empty() {
        return Ok(None);
    }
    let refuse = |input: Value| {
        HttpError::validation(
            "body",
            "names",
            "list_type",
            "Input should be a valid list of strings or null",
            input,
        )
    };
    let value: Value =
        serde_json::from_slice(body).map_err(|error| refuse(Value::String(error.to_string())))?;
    match value {
        Value::Null => Ok(None),
        other => serde_json::from_value(other.clone()).map(Some).map_err(|_| refuse(other)),
    }
}

//! `PUT /api/v1/data_source/{path}`: who writes the files of a node tells of their growth.

use axum::{extract::State, response::Response};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    access::Scope::{Register, WriteMetadata},
    app::App,
    http::{
        HttpError,
        extract::{self, Ask, Upload},
        respond,
    },
    write::SourceDocument,
};

#[derive(Deserialize)]
struct Body {
    data_source: SourceDocument,
}

/// Replaces structure and parameters, adds assets.
pub async fn put(State(app): State<App>, ask: Ask, upload: Upload) -> Result<Response, HttpError> {
    ask.caller.require_all(&[WriteMetadata, Register])?;
    match (ask.params.one("patch_shape"), ask.params.one("patch_offset")) {
        (None, None) => {}
        (Some(_), Some(_)) => {
            extract::numbers_of(&ask.params, "patch_shape", true)?;
            extract::numbers_of(&ask.params, "patch_offset", false)?;
        }
        _ => {
            return Err(HttpError::bad_request(
                "The query parameters patch_shape and patch_offset go together; either all or none must be specified.",
            ));
        }
    }
    let node = app.readers.tree.find(&ask.cx, &ask.path, ask.caller, Register).await?;
    let body: Body = upload.json(&app).await?;
    app.writers.put_data_source(&node, body.data_source).await?;
    respond::document(&ask, &Value::Null).await
}

//! `DELETE /api/v1/stream/close/{path}`: who writes to a node says that it is complete, as Bluesky does at the end of a run.

use axum::{extract::State, response::Response};
use serde_json::Value;

use super::store;
use crate::{
    app::App,
    http::{HttpError, extract::Ask, respond},
};

/// Nobody listens to nodes here, so that nobody needs to be told.
pub async fn close(State(app): State<App>, ask: Ask) -> Result<Response, HttpError> {
    store::find(&app, &ask).await?;
    respond::document(&ask, &Value::Null).await
}

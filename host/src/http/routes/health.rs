//! `GET /healthz`: whether requests can be served, and by which plugins.

use axum::{Json, extract::State};
use serde_json::{Value, json};

use crate::app::App;

/// No credentials: names of plugins and whether they are well, nothing of the data.
pub async fn healthz(State(app): State<App>) -> Json<Value> {
    Json(json!({"status": "ready", "plugins": app.readers.tree.plugins().table()}))
}

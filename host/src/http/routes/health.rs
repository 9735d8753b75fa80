//! `GET /healthz`: whether requests can be served, and by which plugins.

use axum::{Json, extract::State};
use serde_json::{Value, json};

use crate::app::App;

/// No credentials: names of plugins and whether they are well. No paths and no reasons, which are for the operator's
/// log and `tiled-host plugin list`.
pub async fn healthz(State(app): State<App>) -> Json<Value> {
    let table = app.readers.tree.plugins().table();
    let named = table.iter().filter(|plugin| plugin.name.is_some());
    let plugins: Vec<Value> = named
        .map(|plugin| json!({"name": plugin.name, "version": plugin.version, "state": plugin.state}))
        .collect();
    Json(json!({"status": "ready", "plugins": plugins}))
}

//! `GET /api/v1/`: what the server is and can do.

use std::collections::BTreeMap;

use axum::{extract::State, response::Response};
use serde_json::{Value, json};

use crate::{
    app::App,
    http::{HttpError, extract::Ask, respond},
    query::Query,
};

/// The Tiled whose protocol this is, and our own version, as PEP 440 has it.
const LIBRARY_VERSION: &str = concat!("0.2.20+tiled.host.", env!("CARGO_PKG_VERSION"));

/// Never asks for credentials.
pub async fn about(State(app): State<App>, ask: Ask) -> Result<Response, HttpError> {
    let base = ask.base_url();
    let plugins = app.readers.tree.plugins();
    let mut formats: BTreeMap<String, Vec<String>> = plugins.formats().clone();
    formats.entry("array".into()).or_default().insert(0, "application/octet-stream".into());
    formats.entry("bytes".into()).or_default().push("application/octet-stream".into());
    for (_, media_types) in formats.iter_mut() {
        let mut seen = std::collections::BTreeSet::new();
        media_types.retain(|media_type| seen.insert(media_type.clone()));
    }
    let document = json!({
        "api_version": 0,
        "library_version": LIBRARY_VERSION,
        "formats": formats,
        "aliases": plugins.aliases(),
        "queries": Query::NAMES,
        "authentication": {"required": !app.auth.is_public(), "providers": [], "links": Value::Null},
        "links": {"self": base, "documentation": format!("{}/docs", ask.root_url)},
        "meta": {"root_path": format!("{}/api", app.root_path)},
    });
    respond::document(&ask, &document).await
}

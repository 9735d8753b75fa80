//! `GET /api/v1/metadata/{path}`: one node.

use axum::{extract::State, response::Response};
use serde_json::json;

use crate::{
    access::Scope,
    app::App,
    http::{
        HttpError,
        document::{Documents, Shape},
        extract::Ask,
        respond,
    },
    tree::Place,
};

/// Answers from what was rendered before, as long as no catalog has changed.
pub async fn metadata(State(app): State<App>, ask: Ask) -> Result<Response, HttpError> {
    ask.caller.require(Scope::ReadMetadata)?;
    let tree = &app.readers.tree;
    let (key, generation) = (ask.digest("metadata"), tree.generation());
    if let Some(rendered) = app.rendered.get(key, generation) {
        return Ok(respond::send(&ask, &rendered));
    }
    let shape = Shape::parse(&ask.params, ask.base_url(), false)?.with_sizes(ask.knows_sizes());
    let node = tree.find(&ask.cx, &ask.path, ask.caller, Scope::ReadMetadata).await?;
    let documents = Documents { tree, cx: &ask.cx, caller: ask.caller, shape: &shape };
    let resource = documents.of(&node, true).await?;
    let meta = if ask.params.flag("root_path", false)? {
        json!({"root_path": if app.root_path.is_empty() { "/" } else { &app.root_path }})
    } else {
        json!({})
    };
    let document = Envelope { data: resource, error: (), links: (), meta };
    let rendered = respond::render(&ask, &document).await?;
    // Only rows: what is inside a file changes without the catalog.
    if matches!(&node.place, Place::Row(_, row) if row.data_source.is_none() || node.count.is_none()) {
        return Ok(respond::send(&ask, &app.rendered.keep(key, generation, rendered)));
    }
    Ok(respond::send(&ask, &rendered))
}

#[derive(serde::Serialize)]
struct Envelope<T> {
    data: T,
    error: (),
    links: (),
    meta: serde_json::Value,
}

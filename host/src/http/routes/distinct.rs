//! `GET /api/v1/distinct/{path}`: which values there are, and how often.

use axum::{extract::State, http::StatusCode, response::Response};
use serde_json::{Map, Value, json};
use tiled_plugin_api::author::Error;

use crate::{
    access::Scope,
    app::App,
    catalog::{DistinctRequest, DistinctResult, DistinctValue},
    http::{HttpError, extract::Ask, respond},
    query,
    tree::Place,
};

/// Bare object, no envelope.
pub async fn distinct(State(app): State<App>, ask: Ask) -> Result<Response, HttpError> {
    ask.caller.require(Scope::ReadMetadata)?;
    let (key, generation) = (ask.digest("distinct"), app.readers.tree.generation());
    if let Some(rendered) = app.rendered.get(key, generation) {
        return Ok(respond::send(&ask, &rendered));
    }
    let request = DistinctRequest {
        queries: query::parse_filters(ask.params.pairs())?,
        metadata: ask.params.all("metadata"),
        structure_families: ask.params.flag("structure_families", false)?,
        specs: ask.params.flag("specs", false)?,
    };
    let counts = ask.params.flag("counts", false)?;
    let node = app.readers.tree.find(&ask.cx, &ask.path, ask.caller, Scope::ReadMetadata).await?;
    match &node.place {
        Place::Row(mount, row) if row.data_source.is_none() => {
            let (mount, id) = (mount.clone(), row.id);
            let found = tokio::task::spawn_blocking(move || mount.catalog.distinct(id, &request));
            let found = found.await.map_err(Error::internal)??;
            let rendered = respond::render(&ask, &shown(found, counts)).await?;
            Ok(respond::send(&ask, &app.rendered.keep(key, generation, rendered)))
        }
        _ => Err(HttpError::new(StatusCode::METHOD_NOT_ALLOWED, "This node does not support distinct.")),
    }
}

fn shown(found: DistinctResult, counts: bool) -> Value {
    let list = |values: Vec<DistinctValue>| -> Value {
        let each = |v: DistinctValue| json!({"value": v.value, "count": counts.then_some(v.count)});
        values.into_iter().map(each).collect()
    };
    let metadata: Map<String, Value> =
        found.metadata.into_iter().map(|(path, values)| (path, list(values))).collect();
    json!({
        "metadata": if metadata.is_empty() { Value::Null } else { Value::Object(metadata) },
        "structure_families": found.structure_families.map(list),
        "specs": found.specs.map(list),
    })
}

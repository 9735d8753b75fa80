//! `GET /api/v1/revisions/{path}`: former metadata of a node.

use axum::{extract::State, http::StatusCode, response::Response};
use serde_json::{Value, json};

use crate::{
    access::Scope,
    app::App,
    http::{HttpError, document::path_text, extract::Ask, respond},
    tree::Place,
};

const DEFAULT_PAGE_SIZE: u64 = 100;
const MAX_PAGE_SIZE: u64 = 300;

/// Oldest first, by offset.
pub async fn revisions(State(app): State<App>, ask: Ask) -> Result<Response, HttpError> {
    let offset = ask.params.number("page[offset]", 0, i64::MAX as u64)?.unwrap_or(0);
    let limit = ask.params.number("page[limit]", 0, MAX_PAGE_SIZE)?.unwrap_or(DEFAULT_PAGE_SIZE);
    let node = app.readers.tree.find(&ask.cx, &ask.path, ask.caller, Scope::ReadMetadata).await?;
    let Place::Row(mount, row) = &node.place else {
        return Err(HttpError::new(StatusCode::METHOD_NOT_ALLOWED, "This node does not support revisions."));
    };
    let all = mount.catalog.revisions(row.id, 0, i64::MAX as u64)?;
    let count = all.len() as u64;
    let shown = all.into_iter().skip(usize::try_from(offset).unwrap_or(usize::MAX));
    let mut data = Vec::new();
    for revision in shown.take(usize::try_from(limit).unwrap_or(0)) {
        let metadata: Value = serde_json::from_str(&revision.metadata).unwrap_or_default();
        let attributes =
            json!({"metadata": metadata, "specs": revision.specs, "time_updated": revision.time_updated});
        data.push(json!({"revision_number": revision.revision_number, "attributes": attributes}));
    }
    let url = format!("{}/revisions/{}", ask.base_url(), path_text(&node.path));
    let at = |offset: u64| format!("{url}?page[offset]={offset}&page[limit]={limit}");
    let next = (offset + limit < count && limit > 0).then(|| at(offset + limit));
    let links = json!({"self": at(offset), "first": at(0), "next": next});
    respond::document(&ask, &json!({"data": data, "error": null, "links": links, "meta": {"count": count}}))
        .await
}

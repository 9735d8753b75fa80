//! `GET|DELETE /api/v1/revisions/{path}`: former metadata of a node.

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Serialize;
use serde_json::{Value, json};
use tiled_plugin_api::{author::Error, model::Spec};

use crate::{
    access::Scope,
    app::App,
    catalog::{CatalogError, RevisionRow},
    http::{
        HttpError,
        document::path_text,
        encode::{JsonText, Timestamp},
        extract::Ask,
        respond,
    },
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
    let (catalog, id) = (mount.clone(), row.id);
    let page =
        move || Ok((catalog.catalog.revision_count(id)?, catalog.catalog.revisions(id, offset, limit)?));
    let page: Result<_, CatalogError> = tokio::task::spawn_blocking(page).await.map_err(Error::internal)?;
    let (count, shown) = page?;
    let data: Vec<Shown> = shown.into_iter().map(Shown::of).collect();
    let url = format!("{}/revisions/{}", ask.base_url(), path_text(&node.path));
    let at = |offset: u64| format!("{url}?page[offset]={offset}&page[limit]={limit}");
    let next = (limit > 0 && offset.saturating_add(limit) < count).then(|| at(offset + limit));
    let links = json!({"self": at(offset), "first": at(0), "next": next});
    let document = Envelope { data, error: (), links, meta: json!({"count": count}) };
    respond::document(&ask, &document).await
}

/// Forgets one.
pub async fn delete(State(app): State<App>, ask: Ask) -> Result<Response, HttpError> {
    let number =
        ask.params.number("number", 0, i64::MAX as u64)?.ok_or_else(|| HttpError::missing("number"))?;
    let node = app.readers.tree.find(&ask.cx, &ask.path, ask.caller, Scope::DeleteRevision).await?;
    if app.writers.delete_revision(&node, number).await? {
        return respond::document(&ask, &Value::Null).await;
    }
    let id = node.row().map_or(0, |(_, row)| row.id);
    Err(HttpError::new(StatusCode::NOT_FOUND, format!("No revision {number} for node {id}")))
}

#[derive(Serialize)]
struct Envelope {
    data: Vec<Shown>,
    error: (),
    links: Value,
    meta: Value,
}

#[derive(Serialize)]
struct Shown {
    revision_number: i64,
    attributes: Attributes,
}

#[derive(Serialize)]
struct Attributes {
    metadata: JsonText,
    specs: Vec<Spec>,
    time_updated: Timestamp,
}

impl Shown {
    fn of(revision: RevisionRow) -> Self {
        let attributes = Attributes {
            metadata: JsonText::new(revision.metadata),
            specs: revision.specs,
            time_updated: Timestamp::new(&revision.time_updated),
        };
        Shown { revision_number: revision.revision_number, attributes }
    }
}

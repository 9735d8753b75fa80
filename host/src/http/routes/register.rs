//! `POST /api/v1/metadata|register/{path}`: new nodes.

use axum::{extract::State, response::Response};
use serde_json::json;

use crate::{
    access::Scope::{self, CreateNode, Register, WriteMetadata},
    app::App,
    http::{
        HttpError,
        document::{data_source_documents, links},
        extract::{Ask, Upload},
        respond,
    },
    write::{NewNodeDocument, Origin},
};

/// `POST metadata`: data are written afterwards.
pub async fn create(State(app): State<App>, ask: Ask, upload: Upload) -> Result<Response, HttpError> {
    make(&app, &ask, upload, Origin::Metadata, &[WriteMetadata, CreateNode]).await
}

/// `POST register`: data are there.
pub async fn register(State(app): State<App>, ask: Ask, upload: Upload) -> Result<Response, HttpError> {
    make(&app, &ask, upload, Origin::Register, &[WriteMetadata, CreateNode, Register]).await
}

async fn make(
    app: &App,
    ask: &Ask,
    upload: Upload,
    origin: Origin,
    scopes: &[Scope],
) -> Result<Response, HttpError> {
    ask.caller.require_all(scopes)?;
    let tree = &app.readers.tree;
    let parent = tree.find(&ask.cx, &ask.path, ask.caller, CreateNode).await?;
    let document: NewNodeDocument = upload.json(app).await?;
    let (key, created) = app.writers.create(&ask.cx, &parent, document, origin).await?;
    let path = [parent.path.as_slice(), &[key]].concat();
    let node = tree.find(&ask.cx, &path, ask.caller, CreateNode).await?;
    let answer = json!({
        "id": node.key(),
        "links": links(&node, &ask.base_url()),
        "data_sources": data_source_documents(&created.data_sources, ask.knows_sizes()),
        "access_tags": node.access_tags.clone().unwrap_or_default(),
    });
    respond::document(ask, &answer).await
}

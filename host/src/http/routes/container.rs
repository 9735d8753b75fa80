//! `/api/v1/container/full/{path}`: a container with all below it, as one file.

use axum::{body::Bytes, extract::State, response::Response};
use tiled_plugin_api::model::StructureFamily;

use super::names;
use crate::{
    access::Scope,
    app::App,
    http::{HttpError, extract::Ask, respond},
};

/// `GET container/full`.
pub async fn full(State(app): State<App>, ask: Ask) -> Result<Response, HttpError> {
    let fields = ask.params.list("field");
    read(&app, &ask, fields).await
}

/// `POST container/full`: children in the body, for more of them than a URL holds.
pub async fn full_post(State(app): State<App>, ask: Ask, body: Bytes) -> Result<Response, HttpError> {
    read(&app, &ask, names(&body)?).await
}

/// The container with these children, or all.
pub async fn read(app: &App, ask: &Ask, fields: Option<Vec<String>>) -> Result<Response, HttpError> {
    let node = app.readers.tree.find(&ask.cx, &ask.path, ask.caller, Scope::ReadData).await?;
    let node = node.only(&[StructureFamily::Container])?;
    let wanted = ask.wanted();
    Ok(respond::respond(ask, app.readers.container(&ask.reading(&wanted), &node, fields).await?).await)
}

//! `/api/v1/awkward/buffers|full/{path}` and `ragged/full`: arrays of irregular shape.

use axum::{body::Bytes, extract::State, response::Response};
use tiled_plugin_api::model::StructureFamily;

use super::names;
use crate::{
    access::Scope,
    app::App,
    http::{HttpError, extract::Ask, respond},
};

/// `POST awkward/buffers`: form keys in the body.
pub async fn buffers_post(State(app): State<App>, ask: Ask, body: Bytes) -> Result<Response, HttpError> {
    let form_keys = names(&body)?.ok_or_else(|| HttpError::missing("form_keys"))?;
    read(&app, &ask, StructureFamily::Awkward, Some(form_keys)).await
}

/// `GET awkward/buffers`.
pub async fn buffers(State(app): State<App>, ask: Ask) -> Result<Response, HttpError> {
    let form_keys = ask.params.list("form_key");
    read(&app, &ask, StructureFamily::Awkward, form_keys).await
}

/// `GET awkward/full`.
pub async fn full(State(app): State<App>, ask: Ask) -> Result<Response, HttpError> {
    read(&app, &ask, StructureFamily::Awkward, None).await
}

/// `GET ragged/full`.
pub async fn ragged_full(State(app): State<App>, ask: Ask) -> Result<Response, HttpError> {
    read(&app, &ask, StructureFamily::Ragged, None).await
}

async fn read(
    app: &App,
    ask: &Ask,
    family: StructureFamily,
    form_keys: Option<Vec<String>>,
) -> Result<Response, HttpError> {
    let node = app.readers.tree.find(&ask.cx, &ask.path, ask.caller, Scope::ReadData).await?;
    let wanted_family: &'static [StructureFamily] = match family {
        StructureFamily::Ragged => &[StructureFamily::Ragged],
        _ => &[StructureFamily::Awkward],
    };
    let node = node.only(wanted_family)?;
    let wanted = ask.wanted();
    Ok(respond::respond(ask, app.readers.buffers(&ask.reading(&wanted), &node, form_keys).await?).await)
}

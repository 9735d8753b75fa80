//! `/api/v1/awkward/buffers|full/{path}` and `ragged/full`: arrays of irregular shape.

use axum::{body::Bytes, extract::State, response::Response};
use tiled_plugin_api::model::StructureFamily;

use super::{names, store};
use crate::{
    access::Scope,
    app::App,
    http::{
        HttpError,
        extract::{self, Ask, Upload},
        respond,
    },
    write::Wish,
};

/// `POST awkward/buffers`: form keys in the body.
pub async fn buffers_post(State(app): State<App>, ask: Ask, body: Bytes) -> Result<Response, HttpError> {
    let form_keys = names(&body)?.ok_or_else(|| HttpError::missing("form_keys"))?;
    read(&app, &ask, Some(form_keys)).await
}

/// `GET awkward/buffers`.
pub async fn buffers(State(app): State<App>, ask: Ask) -> Result<Response, HttpError> {
    let form_keys = ask.params.list("form_key");
    read(&app, &ask, form_keys).await
}

/// `GET awkward/full`.
pub async fn full(State(app): State<App>, ask: Ask) -> Result<Response, HttpError> {
    read(&app, &ask, None).await
}

/// `GET ragged/full`: a slice of the whole.
pub async fn ragged_full(State(app): State<App>, ask: Ask) -> Result<Response, HttpError> {
    ragged(&app, &ask, None).await
}

/// `GET ragged/block`: a slice of one block.
pub async fn ragged_block(State(app): State<App>, ask: Ask) -> Result<Response, HttpError> {
    let block = extract::block(&ask.params)?;
    let [block] = block.as_slice() else {
        return Err(HttpError::unprocessable("A block of a ragged array has one number"));
    };
    ragged(&app, &ask, Some(*block)).await
}

/// `PUT awkward/full`.
pub async fn put_full(State(app): State<App>, ask: Ask, upload: Upload) -> Result<Response, HttpError> {
    let node = store::find(&app, &ask).await?.only(&[StructureFamily::Awkward])?;
    store::put(&app, &ask, &node, Wish::Whole, upload).await
}

async fn ragged(app: &App, ask: &Ask, block: Option<u64>) -> Result<Response, HttpError> {
    let slice = extract::slice(&ask.params)?;
    let node = app.readers.tree.find(&ask.cx, &ask.path, ask.caller, Scope::ReadData).await?;
    let node = node.only(&[StructureFamily::Ragged])?;
    let wanted = ask.wanted();
    let reply = app.readers.ragged(&ask.reading(&wanted), &node, block, slice).await?;
    Ok(respond::respond(ask, reply).await)
}

async fn read(app: &App, ask: &Ask, form_keys: Option<Vec<String>>) -> Result<Response, HttpError> {
    let node = app.readers.tree.find(&ask.cx, &ask.path, ask.caller, Scope::ReadData).await?;
    let node = node.only(&[StructureFamily::Awkward])?;
    let wanted = ask.wanted();
    Ok(respond::respond(ask, app.readers.buffers(&ask.reading(&wanted), &node, form_keys).await?).await)
}

//! `/api/v1/ragged/full|block/{path}`: writing lists of arrays of differing length.

use axum::{extract::State, response::Response};
use tiled_plugin_api::model::StructureFamily;

use super::store;
use crate::{
    app::App,
    http::{
        HttpError,
        extract::{self, Ask, Upload},
    },
    write::Wish,
};

const RAGGED: &[StructureFamily] = &[StructureFamily::Ragged];

/// `PUT ragged/full`.
pub async fn put_full(State(app): State<App>, ask: Ask, upload: Upload) -> Result<Response, HttpError> {
    let node = store::find(&app, &ask).await?.only(RAGGED)?;
    store::put(&app, &ask, &node, Wish::Whole, upload).await
}

/// `PUT ragged/block`.
pub async fn put_block(State(app): State<App>, ask: Ask, upload: Upload) -> Result<Response, HttpError> {
    let block = extract::block(&ask.params)?;
    let node = store::find(&app, &ask).await?.only(RAGGED)?;
    store::put(&app, &ask, &node, Wish::Block(block), upload).await
}

/// `PATCH ragged/full`: adds rows at the end.
pub async fn patch_full(State(app): State<App>, ask: Ask, upload: Upload) -> Result<Response, HttpError> {
    let wish = store::region(&ask, "a ragged array")?;
    let node = store::find(&app, &ask).await?.only(RAGGED)?;
    store::patch(&app, &ask, &node, wish, upload).await
}

//! `/api/v1/array/full|block/{path}`: slices of arrays and of sparse arrays, read and written.

use axum::{extract::State, response::Response};
use tiled_plugin_api::model::{ArrayStructure, NDSlice, StructureFamily};

use super::store;
use crate::{
    access::Scope,
    app::App,
    http::{
        HttpError,
        extract::{self, Ask, Upload},
        respond,
    },
    read::{ArrayPlan, BlockPart},
    tree::Node,
    write::Wish,
};

const ARRAY_LIKE: &[StructureFamily] = &[StructureFamily::Array, StructureFamily::Sparse];

/// A slice of the whole.
pub async fn full(State(app): State<App>, ask: Ask) -> Result<Response, HttpError> {
    let slice = extract::slice(&ask.params)?;
    let expected = extract::expected_shape(&ask.params)?;
    let node = find(&app, &ask).await?;
    if node.family == StructureFamily::Sparse {
        return sparse(&app, &ask, &node, &slice, None).await;
    }
    let plan = ArrayPlan::full(&node.structure::<ArrayStructure>()?, &slice)?;
    plan.expect(expected.as_deref(), false).map_err(HttpError::unprocessable)?;
    let wanted = ask.wanted();
    Ok(respond::respond(&ask, app.readers.array(&ask.reading(&wanted), &node, &plan).await?).await)
}

/// A slice of one block.
pub async fn block(State(app): State<App>, ask: Ask) -> Result<Response, HttpError> {
    let part = BlockPart { block: extract::block(&ask.params)?, slice: extract::slice(&ask.params)? };
    let expected = extract::expected_shape(&ask.params)?;
    let node = find(&app, &ask).await?;
    if node.family == StructureFamily::Sparse {
        return sparse(&app, &ask, &node, &part.slice.clone(), Some(&part)).await;
    }
    let array = node.structure::<ArrayStructure>()?;
    let plan = ArrayPlan::block(&array, &part).map_err(HttpError::unprocessable)??;
    plan.expect(expected.as_deref(), true).map_err(HttpError::unprocessable)?;
    let wanted = ask.wanted();
    Ok(respond::respond(&ask, app.readers.array(&ask.reading(&wanted), &node, &plan).await?).await)
}

/// `PUT array/full`.
pub async fn put_full(State(app): State<App>, ask: Ask, upload: Upload) -> Result<Response, HttpError> {
    let node = store::find(&app, &ask).await?.only(ARRAY_LIKE)?;
    store::put(&app, &ask, &node, Wish::Whole, upload).await
}

/// `PUT array/block`.
pub async fn put_block(State(app): State<App>, ask: Ask, upload: Upload) -> Result<Response, HttpError> {
    let block = extract::block(&ask.params)?;
    let node = store::find(&app, &ask).await?.only(ARRAY_LIKE)?;
    store::put(&app, &ask, &node, Wish::Block(block), upload).await
}

/// `PATCH array/full`: a region, beyond the present shape if wished.
pub async fn patch_full(State(app): State<App>, ask: Ask, upload: Upload) -> Result<Response, HttpError> {
    let wish = store::region(&ask, "an array")?;
    let node = store::find(&app, &ask).await?.only(&[StructureFamily::Array])?;
    store::patch(&app, &ask, &node, wish, upload).await
}

async fn find(app: &App, ask: &Ask) -> Result<Node, HttpError> {
    let node = app.readers.tree.find(&ask.cx, &ask.path, ask.caller, Scope::ReadData).await?;
    Ok(node.only(ARRAY_LIKE)?)
}

async fn sparse(
    app: &App,
    ask: &Ask,
    node: &Node,
    slice: &NDSlice,
    block: Option<&BlockPart>,
) -> Result<Response, HttpError> {
    let wanted = ask.wanted();
    let reply = app.readers.sparse(&ask.reading(&wanted), node, slice, block).await;
    Ok(respond::respond(ask, reply.map_err(HttpError::unprocessable)??).await)
}

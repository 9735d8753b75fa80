//! `GET /api/v1/node/full/{path}`: what `table/full` and `container/full` were before they were two.

use axum::{extract::State, response::Response};
use tiled_plugin_api::model::StructureFamily;

use crate::{
    access::Scope,
    app::App,
    http::{HttpError, extract::Ask, respond},
    read::TablePart,
};

/// A table or a container.
pub async fn full(State(app): State<App>, ask: Ask) -> Result<Response, HttpError> {
    let node = app.readers.tree.find(&ask.cx, &ask.path, ask.caller, Scope::ReadData).await?;
    let node = node.only(&[StructureFamily::Table, StructureFamily::Container])?;
    let (wanted, fields) = (ask.wanted(), ask.params.list("field"));
    let reading = ask.reading(&wanted);
    let reply = match node.family {
        StructureFamily::Table => {
            app.readers.table(&reading, &node, TablePart { partition: None, columns: fields }).await?
        }
        _ => app.readers.container(&reading, &node, fields).await?,
    };
    Ok(respond::respond(&ask, reply).await)
}

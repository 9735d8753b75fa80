//! What the routes that write values share: a node, a wish and a body become an answer.

use axum::response::Response;
use serde_json::Value;

use crate::{
    access::Scope,
    app::App,
    http::{
        HttpError,
        extract::{Ask, Upload},
        respond,
    },
    tree::Node,
    write::Wish,
};

/// The node, for a caller who may write its values.
pub(super) async fn find(app: &App, ask: &Ask) -> Result<Node, HttpError> {
    Ok(app.readers.tree.find(&ask.cx, &ask.path, ask.caller, Scope::WriteData).await?)
}

/// Writes the body and answers null.
pub(super) async fn put(
    app: &App,
    ask: &Ask,
    node: &Node,
    wish: Wish,
    upload: Upload,
) -> Result<Response, HttpError> {
    store(app, ask, node, wish, upload).await?;
    respond::document(ask, &Value::Null).await
}

/// Writes the body and answers with the structure afterwards.
pub(super) async fn patch(
    app: &App,
    ask: &Ask,
    node: &Node,
    wish: Wish,
    upload: Upload,
) -> Result<Response, HttpError> {
    let structure = store(app, ask, node, wish, upload).await?;
    respond::document(ask, &structure).await
}

/// Refuses before it takes the body. `persist=false` is for who only listens: nothing is kept.
async fn store(app: &App, ask: &Ask, node: &Node, wish: Wish, upload: Upload) -> Result<Value, HttpError> {
    let persist = ask.params.flag("persist", true)?;
    app.writers.admit(node, &wish, upload.media_type(), upload.length())?;
    if !persist {
        return Ok(node.structure.clone());
    }
    let sent = upload.receive(app).await?;
    Ok(app.writers.write(&ask.cx, node, wish, sent).await?)
}

/// The region of a PATCH.
///
/// # Errors
/// 422 for what is not of its form; 400 when what is not to be kept shall change the shape.
pub(super) fn region(ask: &Ask, noun: &str) -> Result<Wish, HttpError> {
    let offset = crate::http::extract::numbers_of(&ask.params, "offset", false)?;
    let shape = crate::http::extract::numbers_of(&ask.params, "shape", true)?;
    let extend = ask.params.flag("extend", false)?;
    if extend && !ask.params.flag("persist", true)? {
        return Err(HttpError::bad_request(format!(
            "Cannot PATCH {noun} with both parameters extend=True and persist=False. To extend the array, you must \
             persist the changes. To skip persisting the changes, you must not extend the array."
        )));
    }
    Ok(Wish::Region { offset, shape, extend })
}

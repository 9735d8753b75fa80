//! `GET /api/v1/search/{path}` and `search-deep`: pages of nodes.

use axum::{extract::State, http::HeaderValue, http::header, response::Response};
use serde_json::json;

use crate::{
    access::Scope,
    app::App,
    http::{
        HttpError,
        document::{Documents, Resource, Shape, path_text},
        extract::Ask,
        page::Page,
        respond,
    },
    query,
    render::Rendered,
    tree::{Entry, ListRequest, Node, Place},
};

/// Levels a deep search may descend.
const MAX_LEVELS: u64 = 64;

/// The children of a container.
pub async fn search(State(app): State<App>, ask: Ask) -> Result<Response, HttpError> {
    let sorting = query::parse_sort(&ask.params.all("sort"))?;
    listing(&app, &ask, "search", ListRequest { sorting, ..ListRequest::default() }).await
}

/// All nodes below a container, down to `max_depth` levels.
pub async fn search_deep(State(app): State<App>, ask: Ask) -> Result<Response, HttpError> {
    if !ask.params.all("sort").is_empty() {
        return Err(HttpError::bad_request("Sorting is not supported for deep search."));
    }
    let levels = ask.params.number("max_depth", 1, MAX_LEVELS)?.unwrap_or(MAX_LEVELS);
    let request = ListRequest { deep: Some(u32::try_from(levels).unwrap_or(1)), ..ListRequest::default() };
    listing(&app, &ask, "search-deep", request).await
}

async fn listing(app: &App, ask: &Ask, route: &str, mut request: ListRequest) -> Result<Response, HttpError> {
    ask.caller.require(Scope::ReadMetadata)?;
    let tree = &app.readers.tree;
    let (key, generation) = (ask.digest(route), tree.generation());
    if let Some(rendered) = app.rendered.get(key, generation) {
        return Ok(send(ask, &rendered));
    }
    let shape =
        Shape::parse(&ask.params, ask.base_url(), request.deep.is_some())?.with_sizes(ask.knows_sizes());
    let page = Page::parse(&ask.params)?;
    page.fill(&mut request);
    request.filters = query::parse_filters(ask.params.pairs())?;
    request.exact_count = shape.count_only();
    request.exact_count_limit = app.exact_count_limit;
    request.keys_only = shape.keys_only();
    if shape.count_only() {
        request.limit = 0;
    }
    let node = tree.find(&ask.cx, &ask.path, ask.caller, Scope::ReadMetadata).await?;
    let keys_only = request.keys_only;
    let found = tree.list(&ask.cx, &node, ask.caller, request).await?;
    let documents = Documents { tree, cx: &ask.cx, caller: ask.caller, shape: &shape };
    let mut data: Vec<Resource> = Vec::with_capacity(found.entries.len());
    for entry in &found.entries {
        data.push(match entry {
            Entry::Broken(key, _) if keys_only => documents.of_key(&node.path, key),
            // It has no document that a client could make a node of; asked for by itself it says what is wrong.
            Entry::Broken(..) => continue,
            Entry::Node(child) if keys_only => {
                documents.of_key(&child.path[..child.path.len().saturating_sub(1)], child.key())
            }
            Entry::Node(child) => documents.of(child, false).await?,
        });
    }
    let links = page.links(&format!("{}/{route}/{}", shape.base_url, path_text(&node.path)), &found);
    let document = Envelope { data, error: (), links, meta: json!({"count": found.count}) };
    let rendered = respond::render(ask, &document).await?;
    if is_of_rows(&node, &found.entries) {
        return Ok(send(ask, &app.rendered.keep(key, generation, rendered)));
    }
    Ok(send(ask, &rendered))
}

#[derive(serde::Serialize)]
struct Envelope<T> {
    data: Vec<T>,
    error: (),
    links: serde_json::Value,
    meta: serde_json::Value,
}

fn send(ask: &Ask, rendered: &Rendered) -> Response {
    let mut response = respond::send(ask, rendered);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("must-revalidate"));
    response
}

/// Whether the page is of rows alone: what is inside a file changes without the catalog.
fn is_of_rows(node: &Node, entries: &[Entry]) -> bool {
    let is_row = |entry: &Entry| matches!(entry, Entry::Node(child) if matches!(child.place, Place::Row(..)));
    matches!(&node.place, Place::Row(_, row) if row.data_source.is_none()) && entries.iter().all(is_row)
}

//! The whole URL table.

use axum::{
    Router, middleware,
    routing::{get, post},
};

use super::{layers, openapi, routes};
use crate::app::App;

/// All routes of the server, below `root_path` as well when a proxy does not strip it.
pub fn router(app: App) -> Router {
    let api = Router::new()
        // Routes used by the Python client
        .route("/", get(routes::about::about))
        .route("/metadata/", get(routes::metadata::metadata))
        .route("/metadata/{*path}", get(routes::metadata::metadata))
        .route("/search/", get(routes::search::search))
        .route("/search/{*path}", get(routes::search::search))
        .route("/search-deep/", get(routes::search::search_deep))
        .route("/search-deep/{*path}", get(routes::search::search_deep))
        .route("/distinct/", get(routes::distinct::distinct))
        .route("/distinct/{*path}", get(routes::distinct::distinct))
        .route("/array/full/{*path}", get(routes::array::full))
        .route("/array/block/{*path}", get(routes::array::block))
        .route("/table/partition/{*path}", get(routes::table::partition).post(routes::table::partition_post))
        .route("/table/full/{*path}", get(routes::table::full).post(routes::table::full_post))
        .route("/container/full/", get(routes::container::full).post(routes::container::full_post))
        .route("/container/full/{*path}", get(routes::container::full).post(routes::container::full_post))
        .route("/node/full/", get(routes::node::full))
        .route("/node/full/{*path}", get(routes::node::full))
        .route("/awkward/buffers/{*path}", post(routes::awkward::buffers_post).get(routes::awkward::buffers))
        .route("/awkward/full/{*path}", get(routes::awkward::full))
        .route("/ragged/full/{*path}", get(routes::awkward::ragged_full))
        .route("/asset/bytes/{*path}", get(routes::asset::bytes))
        .route("/asset/manifest/{*path}", get(routes::asset::manifest))
        .route("/revisions/{*path}", get(routes::revisions::revisions));
    let all = Router::new()
        .nest("/api/v1", api)
        .route("/api/v1/", get(routes::about::about))
        // Routes used by people and their programs
        .route("/", get(routes::ui::landing))
        .route("/ui/{*path}", get(routes::ui::landing))
        .route("/docs", get(routes::ui::docs))
        .route("/openapi.json", get(openapi::document))
        .route("/static/{name}", get(routes::ui::asset))
        .route("/favicon.ico", get(routes::ui::favicon))
        .route("/healthz", get(routes::health::healthz))
        .fallback(layers::not_found)
        .method_not_allowed_fallback(layers::method_not_allowed);
    let prefix = app.root_path.clone();
    let all = if prefix.is_empty() { all } else { Router::new().nest(&prefix, all.clone()).merge(all) };
    all.layer(middleware::from_fn_with_state(app.clone(), layers::every_response))
        .layer(layers::cors(&app.allow_origins))
        .with_state(app)
}

//! The whole URL table. The router and the OpenAPI document are both made from it.

use axum::{
    Router, middleware,
    routing::{delete, get, patch, post, put},
};

use super::{
    endpoint::{
        Answer,
        Content::{Document, Values},
        Endpoint, Method,
    },
    layers, openapi,
    params::{
        ASSET, BLOCK, COLUMNS, DISTINCT, DROP_REVISION, EXTERNAL_ONLY, FIELD, FILTERS, FORM_KEYS, FORMAT,
        NUMBER, PAGE, PARTITION, PATCHED, PERSIST, RECURSIVE, REGION, RELATIVE_PATH, ROOT_PATH, SHAPE, SLICE,
        SORT,
    },
    routes,
};
use crate::{
    access::Scope::{
        CreateNode, DeleteNode, DeleteRevision, ReadData, ReadMetadata, Register, WriteData, WriteMetadata,
    },
    app::App,
};

const ARRAYS: Answer = Answer::Values(&["array", "sparse"]);
const TABLES: Answer = Answer::Values(&["table"]);
const CONTAINERS: Answer = Answer::Values(&["container"]);
const COLUMN_LIST: &str = "Columns to include; null for all";

/// Routes used by the Python client.
const API: &[Endpoint] = &[
    Endpoint::get("/api/v1/", "What this server is and can do", Answer::Document, || {
        get(routes::about::about)
    }),
    Endpoint::get("/api/v1", "The same, without the slash", Answer::Document, || get(routes::about::about)),
    Endpoint::get("/api/v1/metadata/{path}", "One node", Answer::Document, || {
        get(routes::metadata::metadata)
    })
    .at_root()
    .needs(ReadMetadata)
    .with(&[SHAPE, ROOT_PATH]),
    Endpoint::get("/api/v1/search/{path}", "The children of a container", Answer::Document, || {
        get(routes::search::search)
    })
    .at_root()
    .needs(ReadMetadata)
    .with(&[PAGE, SORT, SHAPE, FILTERS]),
    Endpoint::get("/api/v1/search-deep/{path}", "All nodes below a container", Answer::Document, || {
        get(routes::search::search_deep)
    })
    .at_root()
    .needs(ReadMetadata)
    .with(&[PAGE, SHAPE, FILTERS]),
    Endpoint::get(
        "/api/v1/distinct/{path}",
        "Which values there are below a container",
        Answer::Document,
        || get(routes::distinct::distinct),
    )
    .at_root()
    .needs(ReadMetadata)
    .with(&[DISTINCT, FILTERS]),
    Endpoint::get("/api/v1/array/full/{path}", "A slice of an array", ARRAYS, || get(routes::array::full))
        .needs(ReadData)
        .with(&[SLICE, FORMAT]),
    Endpoint::get("/api/v1/array/block/{path}", "A block of an array", ARRAYS, || get(routes::array::block))
        .needs(ReadData)
        .with(&[BLOCK, SLICE, FORMAT]),
    Endpoint::get("/api/v1/table/partition/{path}", "One partition of a table", TABLES, || {
        get(routes::table::partition)
    })
    .needs(ReadData)
    .with(&[PARTITION, COLUMNS, FORMAT]),
    Endpoint::post("/api/v1/table/partition/{path}", "One partition of a table", COLUMN_LIST, TABLES, || {
        post(routes::table::partition_post)
    })
    .needs(ReadData)
    .with(&[PARTITION, FORMAT]),
    Endpoint::get("/api/v1/table/full/{path}", "A whole table", TABLES, || get(routes::table::full))
        .needs(ReadData)
        .with(&[COLUMNS, FORMAT]),
    Endpoint::post("/api/v1/table/full/{path}", "A whole table", COLUMN_LIST, TABLES, || {
        post(routes::table::full_post)
    })
    .needs(ReadData)
    .with(&[FORMAT]),
    Endpoint::get("/api/v1/container/full/{path}", "A container with all below it", CONTAINERS, || {
        get(routes::container::full)
    })
    .at_root()
    .needs(ReadData)
    .with(&[FIELD, FORMAT]),
    Endpoint::post(
        "/api/v1/container/full/{path}",
        "A container with all below it",
        "Children to include; null for all",
        CONTAINERS,
        || post(routes::container::full_post),
    )
    .at_root()
    .needs(ReadData)
    .with(&[FORMAT]),
    Endpoint::get(
        "/api/v1/node/full/{path}",
        "A whole table or container",
        Answer::Values(&["table", "container"]),
        || get(routes::node::full),
    )
    .at_root()
    .needs(ReadData)
    .with(&[FIELD, FORMAT]),
    Endpoint::get(
        "/api/v1/awkward/buffers/{path}",
        "Buffers of an awkward array",
        Answer::Values(&["awkward"]),
        || get(routes::awkward::buffers),
    )
    .needs(ReadData)
    .with(&[FORM_KEYS, FORMAT]),
    Endpoint::post(
        "/api/v1/awkward/buffers/{path}",
        "Buffers of an awkward array",
        "Names of buffers, or how they start",
        Answer::Values(&["awkward"]),
        || post(routes::awkward::buffers_post),
    )
    .needs(ReadData)
    .with(&[FORMAT]),
    Endpoint::get(
        "/api/v1/awkward/full/{path}",
        "A whole awkward array",
        Answer::Values(&["awkward"]),
        || get(routes::awkward::full),
    )
    .needs(ReadData)
    .with(&[FORMAT]),
    Endpoint::get("/api/v1/ragged/full/{path}", "A whole ragged array", Answer::Values(&["ragged"]), || {
        get(routes::awkward::ragged_full)
    })
    .needs(ReadData)
    .with(&[SLICE, FORMAT]),
    Endpoint::get(
        "/api/v1/ragged/block/{path}",
        "One block of a ragged array",
        Answer::Values(&["ragged"]),
        || get(routes::awkward::ragged_block),
    )
    .needs(ReadData)
    .with(&[BLOCK, SLICE, FORMAT]),
    Endpoint::get("/api/v1/asset/bytes/{path}", "A file of a node as it is", Answer::File, || {
        get(routes::asset::bytes)
    })
    .needs(ReadData)
    .with(&[ASSET, RELATIVE_PATH]),
    Endpoint::get("/api/v1/asset/manifest/{path}", "The files of a directory", Answer::Document, || {
        get(routes::asset::manifest)
    })
    .needs(ReadData)
    .with(&[ASSET]),
    Endpoint::get("/api/v1/revisions/{path}", "Former metadata of a node", Answer::Document, || {
        get(routes::revisions::revisions)
    })
    .needs(ReadMetadata)
    .with(&[PAGE]),
];

/// Nodes as clients of Zarr see them. Chunks need the scope `read:data`.
const ZARR: &[Endpoint] = &[
    Endpoint::get(
        "/zarr/v2/{path}",
        "A node as Zarr v2: a document, a chunk, or a list",
        Answer::File,
        || get(routes::zarr::v2),
    )
    .at_root()
    .needs(ReadMetadata),
    Endpoint::get(
        "/zarr/v3/{path}",
        "A node as Zarr v3: a document, a chunk, or a list",
        Answer::File,
        || get(routes::zarr::v3),
    )
    .at_root()
    .needs(ReadMetadata),
];

/// Routes by which data come in.
const WRITING: &[Endpoint] = &[
    Endpoint::change(Method::Post, "/api/v1/metadata/{path}", "A new node, to be written", || {
        post(routes::register::create)
    })
    .at_root()
    .needs(WriteMetadata)
    .needs(CreateNode)
    .takes(Document("Key, family, structure, metadata and specs of the node")),
    Endpoint::change(Method::Post, "/api/v1/register/{path}", "A new node, of files that are there", || {
        post(routes::register::register)
    })
    .at_root()
    .needs(WriteMetadata)
    .needs(CreateNode)
    .needs(Register)
    .takes(Document("As for metadata, with assets")),
    Endpoint::change(Method::Put, "/api/v1/metadata/{path}", "Other metadata for a node", || {
        put(routes::revise::replace)
    })
    .at_root()
    .needs(WriteMetadata)
    .with(&[DROP_REVISION])
    .takes(Document("Metadata and specs; null leaves a part as it is")),
    Endpoint::change(Method::Patch, "/api/v1/metadata/{path}", "Changed metadata for a node", || {
        patch(routes::revise::patch)
    })
    .at_root()
    .needs(WriteMetadata)
    .with(&[DROP_REVISION])
    .takes(Document("A merge patch or a JSON patch of metadata and specs, as its `content-type` says")),
    Endpoint::change(Method::Delete, "/api/v1/metadata/{path}", "A node goes", || {
        delete(routes::revise::delete)
    })
    .at_root()
    .needs(DeleteNode)
    .needs(DeleteRevision)
    .with(&[RECURSIVE, EXTERNAL_ONLY]),
    Endpoint::change(Method::Delete, "/api/v1/revisions/{path}", "A revision goes", || {
        delete(routes::revisions::delete)
    })
    .needs(DeleteRevision)
    .with(&[NUMBER]),
    Endpoint::change(Method::Put, "/api/v1/data_source/{path}", "A data source has grown", || {
        put(routes::data_source::put)
    })
    .needs(WriteMetadata)
    .needs(Register)
    .with(&[PATCHED])
    .takes(Document("The data source as it is now")),
    Endpoint::change(Method::Delete, "/api/v1/asset/{path}", "An asset goes", || {
        delete(routes::asset::delete)
    })
    .needs(DeleteNode)
    .with(&[ASSET, EXTERNAL_ONLY]),
    Endpoint::change(Method::Delete, "/api/v1/stream/close/{path}", "A node is complete", || {
        delete(routes::stream::close)
    })
    .needs(WriteData),
    Endpoint::change(Method::Put, "/api/v1/array/full/{path}", "All values of an array", || {
        put(routes::array::put_full)
    })
    .needs(WriteData)
    .with(&[PERSIST])
    .takes(Values("The elements in C order; of sparse arrays coordinates and values", &[RAW, ARROW])),
    Endpoint::change(Method::Put, "/api/v1/array/block/{path}", "One block of an array", || {
        put(routes::array::put_block)
    })
    .needs(WriteData)
    .with(&[BLOCK, PERSIST])
    .takes(Values("The elements in C order; of sparse arrays coordinates and values", &[RAW, ARROW])),
    Endpoint::change(Method::Patch, "/api/v1/array/full/{path}", "A region of an array", || {
        patch(routes::array::patch_full)
    })
    .needs(WriteData)
    .with(&[REGION, PERSIST])
    .takes(Values("The elements in C order", &[RAW])),
    Endpoint::change(Method::Put, "/api/v1/table/full/{path}", "All rows of a table", || {
        put(routes::table::put_full)
    })
    .needs(WriteData)
    .takes(Values("The rows", &[ARROW])),
    Endpoint::change(Method::Put, "/api/v1/node/full/{path}", "All rows of a table", || {
        put(routes::table::put_full)
    })
    .needs(WriteData)
    .takes(Values("The rows", &[ARROW])),
    Endpoint::change(Method::Put, "/api/v1/table/partition/{path}", "One partition of a table", || {
        put(routes::table::put_partition)
    })
    .needs(WriteData)
    .with(&[PARTITION])
    .takes(Values("The rows", &[ARROW])),
    Endpoint::change(Method::Patch, "/api/v1/table/partition/{path}", "More rows for a table", || {
        patch(routes::table::append_partition)
    })
    .needs(WriteData)
    .with(&[PARTITION])
    .takes(Values("The rows", &[ARROW])),
    Endpoint::change(Method::Put, "/api/v1/awkward/full/{path}", "A whole awkward array", || {
        put(routes::awkward::put_full)
    })
    .needs(WriteData)
    .takes(Values("The buffers", &[ZIP])),
    Endpoint::change(Method::Put, "/api/v1/ragged/full/{path}", "A whole ragged array", || {
        put(routes::ragged::put_full)
    })
    .needs(WriteData)
    .with(&[PERSIST])
    .takes(Values("The buffers", &[ZIP, "application/json"])),
    Endpoint::change(Method::Put, "/api/v1/ragged/block/{path}", "One block of a ragged array", || {
        put(routes::ragged::put_block)
    })
    .needs(WriteData)
    .with(&[BLOCK, PERSIST])
    .takes(Values("The buffers", &[ZIP, "application/json"])),
    Endpoint::change(Method::Patch, "/api/v1/ragged/full/{path}", "More rows for a ragged array", || {
        patch(routes::ragged::patch_full)
    })
    .needs(WriteData)
    .with(&[REGION, PERSIST])
    .takes(Values("The buffers", &[ZIP, "application/json"])),
];

const RAW: &str = "application/octet-stream";
const ARROW: &str = "application/vnd.apache.arrow.file";
const ZIP: &str = "application/zip";

/// Routes used by people and their programs.
const PAGES: &[Endpoint] = &[
    Endpoint::get("/", "What is served, and how to connect", Answer::Page, || get(routes::ui::landing)),
    Endpoint::get("/ui/{path}", "A node to look at", Answer::Page, || get(routes::ui::node)).at_root(),
    Endpoint::get("/docs", "This document to read and to try", Answer::Page, || get(routes::ui::docs)),
    Endpoint::get("/openapi.json", "This document", Answer::Json, || get(openapi::document)),
    Endpoint::get("/static/{name}", "Parts of pages", Answer::Page, || get(routes::ui::asset)),
    Endpoint::get("/favicon.ico", "The icon", Answer::Page, || get(routes::ui::favicon)),
    Endpoint::get("/healthz", "Whether requests can be served", Answer::Json, || {
        get(routes::health::healthz)
    }),
];

/// Every route there is.
pub fn endpoints() -> impl Iterator<Item = &'static Endpoint> {
    API.iter().chain(WRITING).chain(ZARR).chain(PAGES)
}

/// All routes of the server, below `root_path` as well when a proxy does not strip it.
pub fn router(app: App) -> Router {
    let mut all = Router::new();
    for endpoint in endpoints() {
        for route in endpoint.routes() {
            all = all.route(&route, (endpoint.handler)());
        }
    }
    let all = all.fallback(layers::not_found).method_not_allowed_fallback(layers::method_not_allowed);
    let prefix = app.root_path.clone();
    let all = if prefix.is_empty() { all } else { Router::new().nest(&prefix, all.clone()).merge(all) };
    all.layer(middleware::from_fn(layers::double_submit))
        .layer(middleware::from_fn_with_state(app.clone(), layers::every_response))
        .layer(layers::cors(&app.allow_origins))
        .layer(middleware::from_fn_with_state(app.clone(), layers::foreign_origins))
        .with_state(app)
}

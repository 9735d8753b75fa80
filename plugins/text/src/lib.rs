//! JSON, JSON text sequences and HTML of every structure family.
//!
//! Documents are written as the values come, never kept whole. Numbers have the shortest digits that read back the
//! same; NaN and infinities are `null`; times are ISO 8601; bytes are `data:` URIs in arrays and text in tables;
//! records and complex numbers are lists.

use tiled_plugin_api::export_plugin;

mod array;
mod container;
mod html;
mod table;

pub use array::ArrayJson;
pub use container::ContainerJson;
pub use html::{ArrayHtml, TableHtml};
pub use table::{TableJson, TableJsonSequence};

export_plugin! {
    name: "text",
    serializers: [
        ArrayJson => {
            families: ["array"], media_types: ["application/json"], aliases: { "json": "application/json" }
        },
        TableJson => {
            families: ["table", "sparse", "xarray_dataset"],
            media_types: ["application/json"],
            aliases: { "json": "application/json" }
        },
        TableJsonSequence => {
            families: ["table", "sparse", "xarray_dataset"],
            media_types: ["application/json-seq"],
            aliases: { "json-seq": "application/json-seq" }
        },
        ContainerJson => {
            families: ["container"], media_types: ["application/json"], aliases: { "json": "application/json" }
        },
        ArrayHtml => { families: ["array"], media_types: ["text/html"], aliases: { "html": "text/html" } },
        TableHtml => {
            families: ["table", "sparse", "xarray_dataset"],
            media_types: ["text/html"],
            aliases: { "html": "text/html" }
        },
    ],
}

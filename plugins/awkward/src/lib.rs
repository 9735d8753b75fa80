//! Awkward and ragged arrays: a form, a length and named buffers.
//!
//! Reads and keeps `application/x-awkward-buffers`, a directory with one file per buffer; form and length come from the catalog.
//! Writes awkward and ragged arrays as a ZIP file of their buffers, as JSON, as Arrow and as Parquet.

use tiled_plugin_api::export_plugin;

mod arrow_array;
mod arrow_type;
mod form;
mod reader;
mod serializer;
mod writer;

pub use reader::BuffersReader;
pub use serializer::{ArrowSerializer, JsonSerializer, ParquetSerializer, ZipSerializer};
pub use writer::BuffersWriter;

export_plugin! {
    name: "awkward",
    readers: [
        BuffersReader => { mimetypes: ["application/x-awkward-buffers"], extensions: [], directory: true },
    ],
    serializers: [
        ZipSerializer => {
            families: ["awkward", "ragged"], media_types: ["application/zip"], aliases: { "zip": "application/zip" }
        },
        JsonSerializer => {
            families: ["awkward", "ragged"], media_types: ["application/json"], aliases: { "json": "application/json" }
        },
        ArrowSerializer => {
            families: ["awkward", "ragged"],
            media_types: ["application/vnd.apache.arrow.file"],
            aliases: {
                "arrow": "application/vnd.apache.arrow.file",
                "feather": "application/vnd.apache.arrow.file"
            }
        },
        ParquetSerializer => {
            families: ["awkward", "ragged"],
            media_types: ["application/x-parquet"],
            aliases: { "parquet": "application/x-parquet" }
        },
    ],
    writers: [
        BuffersWriter => { mimetypes: ["application/x-awkward-buffers"], schemes: ["file"] },
    ],
}

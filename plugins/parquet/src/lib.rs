//! Parquet, Arrow and Feather tables; sparse arrays kept as one Parquet file per block.
//!
//! Reads `application/x-parquet` (`.parquet`, `.pq`), `application/vnd.apache.arrow.file` (`.arrow`, `.feather`; files
//! and streams) as tables, one partition per file, and `application/x-parquet;structure=sparse` as sparse arrays. Reads
//! only the columns asked for, and only as fast as the caller takes the rows.
//! Writes tables, sparse arrays and xarray datasets as Arrow files and as Parquet. Keeps tables in files of both kinds
//! (a file for each partition), and sparse arrays in Parquet (a file for each block).

use tiled_plugin_api::export_plugin;

mod arrow_file;
mod old_lists;
mod parquet_file;
mod parts;
mod serializer;
mod sparse;
mod sparse_writer;
mod table;
mod writer;

pub use serializer::{ArrowSerializer, ParquetSerializer};
pub use sparse::SparseReader;
pub use sparse_writer::SparseWriter;
pub use table::{ArrowReader, ParquetReader};
pub use tiled_tabular::store::TableWriter;
pub use writer::{ArrowFormat, ParquetFormat};

export_plugin! {
    name: "parquet",
    readers: [
        ParquetReader => {
            mimetypes: ["application/x-parquet", "application/vnd.apache.parquet"],
            extensions: [".parquet", ".pq"],
            sequence: "multipart/related;type=application/x-parquet"
        },
        ArrowReader => {
            mimetypes: ["application/vnd.apache.arrow.file", "application/vnd.apache.arrow.stream"],
            extensions: [".arrow", ".feather", ".arrows"],
            sequence: "multipart/related;type=application/vnd.apache.arrow.file"
        },
        SparseReader => { mimetypes: ["application/x-parquet;structure=sparse"], extensions: [] },
    ],
    serializers: [
        ArrowSerializer => {
            families: ["table", "sparse", "xarray_dataset"],
            media_types: ["application/vnd.apache.arrow.file"],
            aliases: {
                "arrow": "application/vnd.apache.arrow.file",
                "feather": "application/vnd.apache.arrow.file"
            }
        },
        ParquetSerializer => {
            families: ["table", "sparse", "xarray_dataset"],
            media_types: ["application/x-parquet"],
            aliases: { "parquet": "application/x-parquet" }
        },
    ],
    writers: [
        TableWriter(ParquetFormat) => { mimetypes: ["application/x-parquet"], schemes: ["file"] },
        TableWriter(ArrowFormat) => { mimetypes: ["application/vnd.apache.arrow.file"], schemes: ["file"] },
        SparseWriter => { mimetypes: ["application/x-parquet;structure=sparse"], schemes: ["file"] },
    ],
}

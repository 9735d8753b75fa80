//! Zarr v2 and v3: a directory with an array, or with a tree of groups and arrays. Arrays can be written to.
//!
//! The tree is walked by its metadata files, node by node: an array that cannot be read is marked broken and harms no
//! other. All files are opened through the host's source, so links that lead out of the directory are refused.
//!
//! Codecs are our own over the usual libraries: chunks are decoded straight into the answer where they lie there in
//! one piece, and every NumPy type is served as it is stored, records and fixed-length bytes included. Arrays whose
//! codecs or chunk grid this does not know are left to the crate `zarrs` (`fallback.rs`). A missing chunk is the fill
//! value, as the format says; a damaged one is an error.

mod adapter;
mod chunk;
mod codec;
mod fallback;
mod meta;
mod order;
mod parts;
mod pcodec;
mod read;
mod reader;
mod revision;
mod scratch;
mod shard;
mod store;
mod stored;
mod text;
mod tree;

pub use reader::ZarrReader;
pub use store::ZarrWriter;

tiled_plugin_api::export_plugin! {
    name: "zarr",
    readers: [
        ZarrReader => { mimetypes: ["application/x-zarr"], extensions: [".zarr"], directory: true },
    ],
    writers: [
        ZarrWriter => { mimetypes: ["application/x-zarr"], schemes: ["file"] },
    ],
}

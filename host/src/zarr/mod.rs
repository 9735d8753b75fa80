//! Zarr as a face of nodes: which documents and chunks a client of Zarr v2 or v3 sees of a structure.
//!
//! Takes structures, metadata and bytes that others have; gives documents, a regular grid, the bytes of a chunk. Never
//! does I/O, never asks for a node, and uses no other room.

mod chunk;
mod document;
mod dtype;
mod grid;

pub use chunk::{finish, needs_finish};
pub use document::{Version, array, attributes, consolidated, dimension_names, group, stored};
pub use dtype::Element;
pub use grid::{Cell, Grid};

/// Of data sources that may be stored as they are shown.
pub const MIMETYPE: &str = "application/x-zarr";
/// `.zgroup` and the like: what names a document of Zarr v2.
pub const V2_DOCUMENTS: [&str; 4] = [".zgroup", ".zarray", ".zattrs", ".zmetadata"];
/// The one document of Zarr v3.
pub const V3_DOCUMENT: &str = "zarr.json";

//! Reading: from a node and a wish to a reply. The line is `plan → limit → media type → ETag → values → encode`; what
//! can be refused is refused before a byte is read.
//!
//! Takes nodes that [`crate::tree`] gave and plugins' adapters and serializers; gives a [`Reply`]. Never knows HTTP,
//! never writes.

mod array;
mod awkward;
mod budget;
mod buffer;
mod chunk;
mod container;
mod dense;
mod encode;
mod etag;
mod export;
mod negotiate;
mod plan;
mod ragged;
mod reply;
mod slabs;
mod sparse;
mod table;

pub use budget::Budget;
pub use chunk::ZarrChunk;
pub use etag::{Digest, etag_of};
pub use negotiate::{Format, Wanted, default_media_type};
pub use plan::{ArrayPlan, BlockPart, block_bounds, tuple};
pub use reply::{Body, Reply};
pub use table::TablePart;

use std::sync::Arc;

use tiled_plugin_api::author::{Context, Error, ErrorKind};

use crate::{
    access::Caller,
    tree::{Tree, TreeError},
};

/// What a reading needs: the tree, limits, memory.
#[derive(Clone)]
pub struct Readers {
    /// The tree; its plugins encode.
    pub tree: Arc<Tree>,
    /// Memory that all requests share.
    pub budget: Budget,
    /// Bytes of values that one answer may carry.
    pub response_bytesize_limit: u64,
    /// Answers of up to so many bytes are complete before they are sent.
    pub whole_bytes: u64,
    /// Until the first byte of an encoded answer.
    pub first_byte: std::time::Duration,
}

/// One request to read.
pub struct Reading<'a> {
    /// The call: who waits, and how long.
    pub cx: &'a Context,
    /// Who reads.
    pub caller: Caller,
    /// As what.
    pub wanted: &'a Wanted,
    /// The tag the caller has.
    pub if_none_match: Option<&'a str>,
}

/// In Tiled's words.
fn too_large(limit: u64, remedy: &str) -> TreeError {
    Error::new(ErrorKind::TooLarge, format!("Response would exceed {limit}. {remedy}")).into()
}

const SLICE_REMEDY: &str = "Use slicing ('?slice=...') to request smaller chunks.";
const COLUMNS_REMEDY: &str = "Select a subset of the columns ('?field=...') to request a smaller chunks.";

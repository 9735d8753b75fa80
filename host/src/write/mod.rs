//! Writing: new nodes, values, metadata, deletion. The line is `node → checks → plugin's writer → catalog → answer`; what
//! can be refused is refused before the body of a request is taken.
//!
//! Takes nodes that [`crate::tree`] gave, and bodies. Data are safe on the medium before a row tells of them, rows are
//! gone before data are removed: a crash in between leaves data that nothing shows, never a row without data. Never knows
//! HTTP, never reads values.

mod create;
mod delete;
mod document;
mod locks;
mod part;
mod patch;
mod payload;
mod place;
mod revise;
mod source;
mod storage;

use std::{collections::BTreeSet, sync::Arc};

use tiled_plugin_api::{
    author::{Error, ErrorKind},
    model::Spec,
};

pub use create::Origin;
pub use delete::Deletion;
pub use document::{NewNodeDocument, SourceDocument};
pub use part::Wish;
pub use patch::{PATCH_MEDIA_TYPES, Patch};
pub use payload::{Sent, takes};
pub use revise::{Change, Revised};

use self::locks::Locks;
use crate::tree::{Tree, TreeError, TreeResult};

/// Specs that may be given to nodes.
#[derive(Debug, Clone, Default)]
pub struct SpecRules {
    /// Those of the configuration.
    pub declared: BTreeSet<String>,
    /// Whether others are refused.
    pub reject_undeclared: bool,
}

/// Specs of a node at most.
const MAX_SPECS: usize = 20;

impl SpecRules {
    /// # Errors
    /// `InvalidArgument` naming a spec that is not declared.
    fn check(&self, specs: &[Spec]) -> TreeResult<()> {
        let unknown = specs.iter().rev().find(|spec| !self.declared.contains(&spec.name));
        match unknown {
            Some(spec) if self.reject_undeclared => {
                Err(TreeError::invalid(format!("Unrecognized spec: {}", spec.name)))
            }
            _ => Ok(()),
        }
    }
}

/// What writing needs.
pub struct Writers {
    tree: Arc<Tree>,
    locks: Locks,
    specs: SpecRules,
}

impl Writers {
    /// Writers for a tree.
    pub fn new(tree: Arc<Tree>, specs: SpecRules) -> Arc<Self> {
        Arc::new(Writers { tree, locks: Locks::default(), specs })
    }
}

/// What the client sent is not what it should be: a 422.
fn unprocessable(message: impl Into<String>) -> TreeError {
    Error::invalid_data(message).into()
}

/// This node takes no such write: a 405.
fn not_here(message: impl Into<String>) -> TreeError {
    Error::new(ErrorKind::Unsupported, message).into()
}

/// What is there stands against it: a 409.
fn conflict(message: impl Into<String>) -> TreeError {
    Error::new(ErrorKind::Conflict, message).into()
}

/// Runs work on the catalog, which waits for the disk, where it may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> TreeResult<T> + Send + 'static) -> TreeResult<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
}

/// Runs what must not stop half-way to its end, also when the client goes.
async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = TreeResult<T>> + Send + 'static,
) -> TreeResult<T> {
    tokio::spawn(work).await.map_err(Error::internal)?
}

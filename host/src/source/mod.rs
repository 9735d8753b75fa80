//! Where bytes come from: files and directories of this machine, kept within the readable roots, and databases among the
//! configured storages.
//!
//! Takes URIs and paths, gives [`Source`](tiled_plugin_api::author::Source)s. Never opens anything before it has
//! followed every symbolic link and found the end of it below a readable root.

mod allowed;
mod file;
mod storage;
mod uri;

pub use allowed::Roots;
pub use file::{revision_of, source_of};
pub use storage::{SCHEMES, Storage, Storages, is_database, without_password};
pub use uri::{path_of, uri_of};

//! The shared handles that a request may use.

use std::sync::Arc;

use crate::{auth::Authenticator, read::Readers, render::RenderCache, write::Writers};

/// Everything a request needs. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<AppState>);

/// What is behind an [`App`].
pub struct AppState {
    /// Knows callers.
    pub auth: Authenticator,
    /// Reads values; its tree finds nodes.
    pub readers: Readers,
    /// Makes, writes and deletes nodes.
    pub writers: Arc<Writers>,
    /// Bytes of a body that may be sent.
    pub max_body_bytes: u64,
    /// Rendered documents.
    pub rendered: RenderCache,
    /// A prefix that a proxy strips: empty, or `/prefix`.
    pub root_path: String,
    /// Whether files may be downloaded as they are.
    pub expose_raw_assets: bool,
    /// Listings of more entries may be counted roughly.
    pub exact_count_limit: u64,
    /// Origins whose pages may use this server.
    pub allow_origins: Vec<String>,
}

impl App {
    /// An app over this state.
    pub fn new(state: AppState) -> Self {
        App(Arc::new(state))
    }
}

impl std::ops::Deref for App {
    type Target = AppState;

    fn deref(&self) -> &AppState {
        &self.0
    }
}

//! The shared handles that a request may use.

use std::sync::Arc;

use crate::{auth::Authenticator, read::Readers, render::RenderCache};

/// Everything a request needs. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<AppState>);

/// What is behind an [`App`].
pub struct AppState {
    /// Knows callers.
    pub auth: Authenticator,
    /// Reads values; its tree finds nodes.
    pub readers: Readers,
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

//! What registration asks of those who know file types.

use std::path::{Path, PathBuf};

use tiled_plugin_api::model::Description;

/// Knows file types and opens files to describe them.
pub trait Identify: Send + Sync {
    /// The type of a file, or of a directory that is one thing (a zarr store); `None` for what nobody can open.
    fn identify(&self, path: &Path, is_directory: bool) -> Option<Identified>;

    /// Opens one file, or several in order under a type for sequences, and says what it is. A container that is a
    /// file has the structure `{"keys": […]}` or null.
    ///
    /// # Errors
    /// Why it cannot be opened.
    fn describe(&self, mimetype: &str, paths: &[PathBuf]) -> Result<Description, String>;
}

/// A file type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identified {
    /// With parameters.
    pub mimetype: String,
    /// The type under which numbered files of this type are opened together.
    pub sequence: Option<String>,
    /// Whether numbered files of this type are one array unless a rule says otherwise.
    pub is_frame: bool,
}

/// Whether Tiled registers even a single file of this type as a list of one, so that its adapter finds it there.
pub(super) fn takes_list(mimetype: &str) -> bool {
    let essence = mimetype.split(';').next().unwrap_or_default().trim();
    matches!(essence, "text/csv" | "application/x-parquet" | "application/vnd.apache.arrow.file")
}

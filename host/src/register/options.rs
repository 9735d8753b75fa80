//! How to register, and what becomes of it.

use std::path::{Path, PathBuf};

use super::Rule;

/// How to register.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Keys are whole file names.
    pub keep_ext: bool,
    /// First takes the children that are there already out of the catalog.
    pub overwrite: bool,
    /// Takes nodes out whose files are not in their folder any more.
    pub prune: bool,
    /// Only files with one of these suffixes (`.csv`); all where there is none.
    pub include: Vec<String>,
    /// The first that fits a file or folder decides.
    pub rules: Vec<Rule>,
    /// Folders worked on at a time, at least 1.
    pub workers: usize,
}

impl Options {
    pub(super) fn includes(&self, path: &Path) -> bool {
        let suffix = path.extension().map(|suffix| format!(".{}", suffix.to_string_lossy()));
        self.include.is_empty() || suffix.is_some_and(|suffix| self.include.contains(&suffix))
    }
}

/// A file that is not in the catalog, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub path: PathBuf,
    /// In words.
    pub reason: String,
    /// Whether it is only of a kind that nobody opens.
    pub is_unknown: bool,
}

/// What became of a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Nodes made, folders included.
    pub nodes: u64,
    /// Nodes whose files had changed.
    pub renewed: u64,
    /// Nodes whose files had not.
    pub unchanged: u64,
    /// Nodes taken out because their files are gone.
    pub removed: u64,
    /// Files that the nodes made, renewed or unchanged have.
    pub files: u64,
    /// Files that no plugin opens.
    pub unknown: u64,
    /// Files and folders that could not be registered.
    pub problems: u64,
    /// Why the catalog could not be written, the last time.
    pub catalog_failure: Option<String>,
}

/// What is left out of the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Left {
    /// No plugin opens it.
    Unknown(PathBuf),
    /// For this reason.
    Failed(PathBuf, String),
    /// For this reason, which lies with the catalog.
    Unwritten(PathBuf, String),
}

impl Left {
    pub fn failed(path: &Path, reason: impl std::fmt::Display) -> Self {
        Left::Failed(path.to_owned(), reason.to_string())
    }

    pub fn unwritten(path: &Path, reason: impl std::fmt::Display) -> Self {
        Left::Unwritten(path.to_owned(), reason.to_string())
    }
}

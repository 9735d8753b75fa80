//! What is in a folder, as far as registration may look.

use std::path::{Path, PathBuf};

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// As named: links are not replaced by where they lead.
    pub path: PathBuf,
    /// The last part of it.
    pub name: String,
    pub is_directory: bool,
}

/// What may be registered, and what may not with the reason.
pub(super) type Listing = (Vec<Entry>, Vec<(PathBuf, String)>);

/// The entries of a folder in the order of their names, and those left out with the reason. Hidden ones are skipped
/// without a word, as are sockets, pipes and devices. `root` is where links may lead, itself without links.
///
/// # Errors
/// When the folder cannot be read.
pub(super) fn entries(folder: &Path, root: &Path) -> std::io::Result<Listing> {
    let mut found = Vec::new();
    let mut left_out = Vec::new();
    let here = folder.canonicalize()?;
    for entry in std::fs::read_dir(folder)? {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                left_out.push((folder.to_owned(), error.to_string()));
                continue;
            }
        };
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        match kind(&path, &here, root) {
            Ok(Some(is_directory)) => found.push(Entry { path, name, is_directory }),
            Ok(None) => {}
            Err(reason) => left_out.push((path, reason)),
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((found, left_out))
}

/// Whether it is a directory; `None` for what is neither that nor a file.
fn kind(path: &Path, here: &Path, root: &Path) -> Result<Option<bool>, String> {
    let mut meta = path.symlink_metadata().map_err(|error| error.to_string())?;
    if meta.is_symlink() {
        let end = path.canonicalize().map_err(|error| format!("a link that leads nowhere: {error}"))?;
        if !end.starts_with(root) {
            return Err("a link that leads out of the folder".to_owned());
        }
        if here.starts_with(&end) {
            return Err("a link to a folder that it is in".to_owned());
        }
        meta = end.metadata().map_err(|error| error.to_string())?;
    }
    Ok(if meta.is_dir() { Some(true) } else { meta.is_file().then_some(false) })
}

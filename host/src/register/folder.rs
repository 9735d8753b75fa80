//! What is in a folder, as far as registration may look.

use std::{
    collections::HashSet,
    ffi::OsString,
    path::{Path, PathBuf},
};

use super::rules::{self, Walk};
use super::{Left, Options};

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// As named: links are not replaced by where they lead.
    pub path: PathBuf,
    /// The last part of it.
    pub name: String,
    pub is_directory: bool,
    /// What a rule says of it.
    pub walk: Option<Walk>,
}

/// What may be registered, and what may not with the reason.
pub(super) type Listing = (Vec<Entry>, Vec<Left>);

/// Of which folder, and how.
pub(super) struct Look<'a> {
    pub folder: &'a Path,
    /// The registered folder, as named.
    pub root: &'a Path,
    /// The same without links: where links may lead.
    pub real_root: &'a Path,
    pub options: &'a Options,
}

/// The entries of a folder in the order of their names, and those left out with the reason. Hidden ones are skipped
/// without a word, as are sockets, pipes and devices, and what the options exclude.
///
/// # Errors
/// When the folder cannot be read.
pub(super) fn entries(look: &Look<'_>) -> std::io::Result<Listing> {
    let mut found = Vec::new();
    let mut left_out = Vec::new();
    let here = look.folder.canonicalize()?;
    for entry in std::fs::read_dir(look.folder)? {
        match entry {
            Ok(entry) => see(look, &here, entry.file_name(), &mut found, &mut left_out),
            Err(error) => left_out.push(Left::failed(look.folder, error)),
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((found, left_out))
}

/// As [`entries`], of these names only; those that are not there are missing from it.
pub(super) fn entries_named(look: &Look<'_>, names: &HashSet<OsString>) -> std::io::Result<Listing> {
    let mut found = Vec::new();
    let mut left_out = Vec::new();
    let here = look.folder.canonicalize()?;
    for name in names {
        if look.folder.join(name).symlink_metadata().is_ok() {
            see(look, &here, name.clone(), &mut found, &mut left_out);
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((found, left_out))
}

fn see(look: &Look<'_>, here: &Path, name: OsString, found: &mut Vec<Entry>, left_out: &mut Vec<Left>) {
    let path = look.folder.join(&name);
    let name = name.to_string_lossy().into_owned();
    if name.starts_with('.') {
        return;
    }
    let walk = rules::walk(&look.options.rules, &path, look.root);
    if walk == Some(Walk::Skip) {
        return;
    }
    match kind(&path, here, look.real_root) {
        Ok(Some(is_directory)) if is_directory || look.options.includes(&path) => {
            found.push(Entry { path, name, is_directory, walk });
        }
        Ok(_) => {}
        Err(reason) => left_out.push(Left::failed(&path, reason)),
    }
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

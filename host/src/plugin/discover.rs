//! Which files might be plugins.

use std::path::{Path, PathBuf};

use super::error::{Refusal, Step};
use crate::config::PluginsConfig;

/// A folder to look through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    /// Whether the folders right below may each hold a plugin. Not of the executable's own folder, which is not ours.
    has_folders: bool,
}

/// Where plugins are looked for: as configured, else `plugins/` beside the executable, else the executable's own folder.
pub(super) fn places(config: &PluginsConfig) -> Vec<Place> {
    let configured = &config.plugins.directory.0;
    if !configured.is_empty() {
        return configured
            .iter()
            .map(|path| Place { path: config.resolve(path), has_folders: true })
            .collect();
    }
    let Some(home) = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_path_buf)) else {
        return Vec::new();
    };
    let plugins = home.join("plugins");
    let has_folders = plugins.is_dir();
    vec![Place { path: if has_folders { plugins } else { home }, has_folders }]
}

/// The libraries of a folder, then those of the folders right below it, in order of their names.
///
/// # Errors
/// The folder cannot be read.
pub(super) fn libraries(place: &Place) -> Result<Vec<PathBuf>, Refusal> {
    let refuse = |e: std::io::Error| {
        let remedy = "create the folder or correct [plugins] directory";
        Refusal::new(
            place.path.display(),
            Step::Find,
            format!("the plugin folder cannot be read: {e}"),
            remedy,
        )
    };
    let (folders, files): (Vec<_>, Vec<_>) =
        entries(&place.path).map_err(refuse)?.into_iter().partition(|path| path.is_dir());
    let mut found: Vec<PathBuf> = files.into_iter().filter(|path| is_library(path)).collect();
    if place.has_folders {
        // One folder a plugin: its libraries, with data beside them. An unreadable one is not ours.
        let below = folders.iter().flat_map(|folder| entries(folder).unwrap_or_default());
        found.extend(below.filter(|path| is_library(path)));
    }
    Ok(found)
}

fn entries(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths =
        directory.read_dir()?.map(|entry| entry.map(|e| e.path())).collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    Ok(paths)
}

fn is_library(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "so") && path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_found_beside_each_other_and_one_folder_down_but_no_deeper() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("b/deep")).unwrap();
        for name in ["z.so", "a.so", "a.rlib", "b/b.so", "b/data.bin", "b/deep/c.so"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let names = |has_folders| {
            let place = Place { path: dir.path().to_owned(), has_folders };
            let found = libraries(&place).unwrap();
            let relative =
                |path: PathBuf| path.strip_prefix(dir.path()).unwrap().to_string_lossy().into_owned();
            found.into_iter().map(relative).collect::<Vec<_>>()
        };
        assert_eq!(names(true), ["a.so", "z.so", "b/b.so"]);
        assert_eq!(names(false), ["a.so", "z.so"]);
    }
}

//! Which files might be plugins.

use std::path::{Path, PathBuf};

use super::error::{Refusal, Step};
use crate::config::PluginsConfig;

/// Where plugins are looked for: as configured, else `plugins/` beside the executable, else the executable's own folder.
pub(super) fn directories(config: &PluginsConfig) -> Vec<PathBuf> {
    let configured = &config.plugins.directory.0;
    if !configured.is_empty() {
        return configured.iter().map(|path| config.resolve(path)).collect();
    }
    let Some(home) = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_path_buf)) else {
        return Vec::new();
    };
    let plugins = home.join("plugins");
    vec![if plugins.is_dir() { plugins } else { home }]
}

/// The libraries of a folder, and of the folders right below it, in order of their names.
///
/// # Errors
/// The folder cannot be read.
pub(super) fn libraries(directory: &Path) -> Result<Vec<PathBuf>, Refusal> {
    let refuse = |e: std::io::Error| {
        let remedy = "create the folder or correct [plugins] directory";
        Refusal::new(directory.display(), Step::Find, format!("the plugin folder cannot be read: {e}"), remedy)
    };
    let mut found = Vec::new();
    for path in entries(directory).map_err(refuse)? {
        if path.is_dir() {
            // One folder a plugin: its libraries, with data beside them. An unreadable one is not ours.
            let below = entries(&path).unwrap_or_default();
            found.extend(below.into_iter().filter(|path| is_library(path)));
        } else if is_library(&path) {
            found.push(path);
        }
    }
    Ok(found)
}

fn entries(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = directory.read_dir()?.map(|entry| entry.map(|e| e.path())).collect::<Result<Vec<_>, _>>()?;
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
        let names: Vec<_> = libraries(dir.path())
            .unwrap()
            .into_iter()
            .map(|path| path.strip_prefix(dir.path()).unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(names, ["a.so", "b/b.so", "z.so"]);
    }
}

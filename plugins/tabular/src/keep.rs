//! Files that a storage keeps: one for each part of a data source, in a directory of their own, as Tiled lays them out.

use std::{
    fs,
    io::ErrorKind as Io,
    path::{Path, PathBuf},
    time::Duration,
};

use tiled_plugin_api::{
    author::{AssetSource, CreateRequest, CreatedAsset, Error, ErrorKind, OpenRequest, Result},
    disk,
};

/// More files than any table needs: each is a row of the catalog.
const MAX_FILES: u64 = 1 << 16;
/// What a crash left beside a file goes at the next write of that file, when it is as old as this.
const LEFT_OVER: Duration = Duration::from_secs(3600);

/// Makes the directory of a data source, and names its files; they come to be when they are written.
///
/// # Errors
/// `TooLarge` for more than 65536 files, `Conflict` when something is there already, `InvalidArgument` for a URI that is
/// no file's.
pub fn make_room(
    request: &CreateRequest,
    count: u64,
    name: impl Fn(u64) -> String,
) -> Result<Vec<CreatedAsset>> {
    if count > MAX_FILES {
        let message = format!("{count} parts are more than the {MAX_FILES} that a data source may have");
        return Err(Error::new(ErrorKind::TooLarge, message));
    }
    let uri = request.storage_uri.trim_end_matches('/');
    disk::make_empty_directory(&disk::path_of(uri)?)?;
    let asset = |number| CreatedAsset {
        data_uri: format!("{uri}/{}", name(number)),
        is_directory: false,
        parameter: "data_uris".into(),
        num: Some(number),
    };
    Ok((0..count).map(asset).collect())
}

/// Where each file of a data source is, written or not.
///
/// # Errors
/// `Unsupported` where an asset is not in the local file system.
pub fn paths(request: &OpenRequest) -> Result<Vec<PathBuf>> {
    let path = |asset: &AssetSource| {
        asset.source.local_path().ok_or_else(|| Error::unsupported("writing to storage that is not local"))
    };
    request.assets.iter().map(path).collect()
}

/// Removes the files of a data source, and their directory when nothing else is in it.
///
/// # Errors
/// `Internal` when a file cannot be removed.
pub fn remove(request: &OpenRequest) -> Result<()> {
    let paths = paths(request)?;
    for path in &paths {
        match fs::remove_file(path) {
            Err(error) if error.kind() != Io::NotFound => {
                return Err(Error::internal(format!("{}: {error}", path.display())));
            }
            _ => {}
        }
    }
    let mut directories: Vec<&Path> = paths.iter().filter_map(|path| path.parent()).collect();
    directories.dedup();
    for directory in directories {
        remove_left_overs(directory, None);
        // Else something else is in it, or it has gone.
        if let (Ok(()), Some(parent)) = (fs::remove_dir(directory), directory.parent()) {
            disk::sync_directory(parent)?;
        }
    }
    Ok(())
}

/// Removes what a crash has left beside a file that is written again.
pub fn tidy(target: &Path) {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    remove_left_overs(target.parent().unwrap_or(target), Some(&name));
}

/// Beside one file what is old, else all: whoever removes a data source has it alone.
fn remove_left_overs(directory: &Path, name: Option<&str>) {
    let lead = name.map_or_else(|| ".".to_owned(), |name| format!(".{name}."));
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let found = entry.file_name();
        if !found.to_str().is_some_and(|found| found.starts_with(&lead) && found.ends_with(".part")) {
            continue;
        }
        let time = entry.metadata().and_then(|meta| meta.modified()).ok();
        let age = time.and_then(|time| time.elapsed().ok()).unwrap_or_default();
        if name.is_none() || age >= LEFT_OVER {
            // What cannot be removed is in nobody's way.
            let _ = fs::remove_file(entry.path());
        }
    }
}

//! Files that survive a crash, for writers: written beside, synced, renamed into place, their directories synced.
//!
//! Does not know what the files mean, and never follows a link below the folder it was given.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io::{self, IoSlice, Write},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use crate::author::{Error, ErrorKind, Result};

/// The path of a storage URI: `file://localhost/data/a`, `file:///data/a`. Tiled does not escape, so nothing is unescaped.
///
/// # Errors
/// `InvalidArgument` for other schemes and hosts, and for relative paths.
pub fn path_of(uri: &str) -> Result<PathBuf> {
    let path = uri.strip_prefix("file://").map(|rest| rest.strip_prefix("localhost").unwrap_or(rest));
    match path {
        Some(path) if path.starts_with('/') && !path.contains('\0') => Ok(PathBuf::from(path)),
        _ => Err(Error::new(ErrorKind::InvalidArgument, format!("{uri} is no URI of a local file"))),
    }
}

/// Files at a time whose syncing is worth a second thread: a journal commits what waits together.
const SYNCED_TOGETHER: usize = 4;

/// A write of ten thousand files must not need ten thousand handles.
const MAX_OPEN: usize = 8;

/// Made under this lock until their parent is synced: a directory that is seen without it is there for good.
static MAKING: Mutex<()> = Mutex::new(());

/// Files that were written beside the place they are for. Dropped without [`Replacements::commit`] they are removed.
#[derive(Debug, Default)]
pub struct Replacements {
    waiting: Vec<Waiting>,
    /// Renamed; their directories are not synced yet.
    moved: BTreeSet<PathBuf>,
}

#[derive(Debug)]
struct Waiting {
    /// Kept open where few are.
    file: Option<File>,
    is_synced: bool,
    beside: PathBuf,
    target: PathBuf,
}

impl Waiting {
    /// An empty file beside `target`.
    fn new(target: &Path) -> Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let beside = target.with_file_name(format!(".{name}.{}-{number}.part", std::process::id()));
        let file = OpenOptions::new().write(true).create_new(true).open(&beside);
        let file = file.map_err(|e| refused("create", &beside, &e))?;
        Ok(Waiting { file: Some(file), is_synced: false, beside, target: target.to_owned() })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.beside.as_os_str().is_empty() {
            // What cannot be removed is in nobody's way.
            let _ = fs::remove_file(&self.beside);
        }
    }
}

impl Replacements {
    /// Writes `parts`, one after the other, beside `target`, whose directory must be there.
    ///
    /// # Errors
    /// `Internal` when the medium refuses.
    pub fn write(&mut self, target: &Path, parts: &[&[u8]]) -> Result<()> {
        let waiting = Waiting::new(target)?;
        if let Some(file) = &waiting.file {
            let mut parts: Vec<IoSlice> = parts.iter().map(|part| IoSlice::new(part)).collect();
            write_all(file, &mut parts).map_err(|e| refused("write", &waiting.beside, &e))?;
        }
        self.wait(waiting);
        Ok(())
    }

    /// Lets `fill` write a file beside `target`, whose directory must be there.
    ///
    /// # Errors
    /// Those of `fill`; `Internal` when the medium refuses.
    pub fn write_with(&mut self, target: &Path, fill: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
        let mut waiting = Waiting::new(target)?;
        waiting.file.as_mut().map_or(Ok(()), fill)?;
        self.wait(waiting);
        Ok(())
    }

    fn wait(&mut self, mut waiting: Waiting) {
        if self.waiting.len() >= MAX_OPEN {
            waiting.file = None;
        }
        self.waiting.push(waiting);
    }

    /// Takes over what another has written.
    pub fn append(&mut self, mut other: Replacements) {
        self.waiting.append(&mut other.waiting);
        self.moved.append(&mut other.moved);
    }

    /// The places that the files are for.
    pub fn targets(&self) -> Vec<PathBuf> {
        self.waiting.iter().map(|waiting| waiting.target.clone()).collect()
    }

    /// Forgets what was written for this place.
    pub fn discard(&mut self, target: &Path) {
        self.waiting.retain(|waiting| waiting.target != target);
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.moved.is_empty()
    }

    /// Syncs the files, and closes them.
    ///
    /// # Errors
    /// `Internal` when the medium refuses.
    pub fn sync(&mut self) -> Result<()> {
        let sync = |files: &mut [Waiting]| -> Result<()> {
            for waiting in files {
                if !waiting.is_synced {
                    let file = waiting.file.take().map_or_else(|| File::open(&waiting.beside), Ok);
                    let synced = file.and_then(|file| file.sync_data());
                    synced.map_err(|e| refused("sync", &waiting.beside, &e))?;
                    waiting.is_synced = true;
                }
            }
            Ok(())
        };
        let half = self.waiting.len() / 2;
        let (here, there) = self.waiting.split_at_mut(half);
        if half < SYNCED_TOGETHER {
            return sync(here).and_then(|()| sync(there));
        }
        thread::scope(|scope| {
            let other = scope.spawn(|| sync(there));
            let own = sync(here);
            let other = other.join().unwrap_or_else(|_| Err(Error::internal("a syncing thread panicked")));
            own.and(other)
        })
    }

    /// Renames the files into place. They are visible then, and safe after [`Replacements::sync_directories`].
    ///
    /// # Errors
    /// `Internal` when the medium refuses; those before stay.
    pub fn rename(&mut self) -> Result<()> {
        self.sync()?;
        for waiting in &mut self.waiting {
            fs::rename(&waiting.beside, &waiting.target)
                .map_err(|e| refused("replace", &waiting.target, &e))?;
            waiting.beside = PathBuf::new();
            if let Some(directory) = waiting.target.parent() {
                self.moved.insert(directory.to_owned());
            }
        }
        self.waiting.clear();
        Ok(())
    }

    /// Syncs the directories of renamed files.
    ///
    /// # Errors
    /// `Internal` when the medium refuses.
    pub fn sync_directories(&mut self) -> Result<()> {
        for directory in &self.moved {
            sync_directory(directory)?;
        }
        self.moved.clear();
        Ok(())
    }

    /// All that is left to do.
    ///
    /// # Errors
    /// `Internal` when the medium refuses.
    pub fn commit(&mut self) -> Result<()> {
        self.rename()?;
        self.sync_directories()
    }
}

fn write_all(mut file: &File, mut parts: &mut [IoSlice]) -> io::Result<()> {
    // Empty parts go first, else `Ok(0)` could not be told from a full disk.
    IoSlice::advance_slices(&mut parts, 0);
    while !parts.is_empty() {
        match file.write_vectored(parts) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => IoSlice::advance_slices(&mut parts, n),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Makes directories below `root`, which must be there, and syncs those they were made in.
///
/// # Errors
/// `Forbidden` where a link or a file is in the way, `Internal` when the medium refuses.
pub fn make_directories<'a>(root: &Path, below: impl IntoIterator<Item = &'a Path>) -> Result<()> {
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut changed = BTreeSet::new();
    for relative in below {
        let mut path = root.to_owned();
        for part in relative.components() {
            let parent = path.clone();
            path.push(part);
            if is_made(&path)? {
                changed.insert(parent);
            }
        }
    }
    changed.iter().try_for_each(|directory| sync_directory(directory))
}

/// Makes a directory and those above it, where they are missing. Links above are the owner's choice and are followed.
///
/// # Errors
/// `Conflict` when something is in its place that is no empty directory, `Internal` when the medium refuses.
pub fn make_empty_directory(path: &Path) -> Result<()> {
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut missing = Vec::new();
    let mut above = path.parent();
    while let Some(directory) = above.filter(|directory| !directory.exists()) {
        missing.push(directory);
        above = directory.parent();
    }
    let mut changed: Vec<&Path> = missing.iter().filter_map(|directory| directory.parent()).collect();
    for directory in missing.iter().rev() {
        fs::create_dir(directory).map_err(|e| refused("create", directory, &e))?;
    }
    match fs::create_dir(path) {
        Ok(()) => changed.extend(path.parent()),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            let is_empty = path.symlink_metadata().is_ok_and(|meta| meta.is_dir())
                && path.read_dir().is_ok_and(|mut entries| entries.next().is_none());
            if !is_empty {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let message = format!("{name}: there is something in its place in the storage already");
                return Err(Error::new(ErrorKind::Conflict, message));
            }
        }
        Err(e) => return Err(refused("create", path, &e)),
    }
    changed.into_iter().try_for_each(sync_directory)
}

/// Makes one directory where it is missing, and says whether it was.
fn is_made(path: &Path) -> Result<bool> {
    match fs::create_dir(path) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => match path.symlink_metadata() {
            Ok(meta) if meta.is_dir() => Ok(false),
            Ok(_) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let message = format!("{name}: a link or a file is in the place of a directory");
                Err(Error::new(ErrorKind::Forbidden, message))
            }
            Err(e) => Err(refused("look at", path, &e)),
        },
        Err(e) => Err(refused("create", path, &e)),
    }
}

/// Makes changes of the entries of a directory safe.
///
/// # Errors
/// `Internal` when the medium refuses.
pub fn sync_directory(path: &Path) -> Result<()> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(|e| refused("sync", path, &e))
}

/// Removes a directory with all that is in it, `last` of it last, so that a removal that was cut off can be done again.
/// Links are removed, not followed. What is not there is removed already.
///
/// # Errors
/// `Internal` when the medium refuses.
pub fn remove_directory(path: &Path, last: &[&str]) -> Result<()> {
    let entries = match path.read_dir() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(|e| refused("list", path, &e))?,
    };
    for entry in entries {
        let entry = entry.map_err(|e| refused("list", path, &e))?;
        if last.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let removed =
            if is_directory { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) };
        match removed {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(refused("remove", &entry.path(), &e));
            }
            _ => {}
        }
    }
    fs::remove_dir_all(path).map_err(|e| refused("remove", path, &e))?;
    path.parent().map_or(Ok(()), sync_directory)
}

fn refused(what: &str, path: &Path, error: &io::Error) -> Error {
    Error::internal(format!("cannot {what} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("tiled-disk-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        path
    }

    fn names(path: &Path) -> Vec<String> {
        let entries = fs::read_dir(path).unwrap().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_at_the_commit_and_not_before() {
        let root = folder("replace");
        make_directories(&root, [Path::new("a/b")]).unwrap();
        let target = root.join("a/b/0");
        fs::write(&target, "old").unwrap();
        let mut files = Replacements::default();
        files.write(&target, &[b"n", b"", b"ew"]).unwrap();
        files.write(&root.join("empty"), &[]).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"old");
        files.commit().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"new");
        assert_eq!(fs::read(root.join("empty")).unwrap(), b"");
        files.write(&target, &[b"never"]).unwrap();
        drop(files);
        assert_eq!(
            (fs::read(&target).unwrap(), names(&root.join("a/b"))),
            (b"new".to_vec(), vec!["0".into()])
        );
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn many_files_are_synced_on_two_threads() {
        let root = folder("many");
        let mut files = Replacements::default();
        for i in 0..20 {
            files.write(&root.join(i.to_string()), &[&[i]]).unwrap();
        }
        files.commit().unwrap();
        assert_eq!(names(&root).len(), 20);
        assert_eq!(fs::read(root.join("13")).unwrap(), [13]);
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn links_are_not_followed_and_not_emptied() {
        let root = folder("links");
        let outside = folder("outside");
        fs::write(outside.join("kept"), "").unwrap();
        std::os::unix::fs::symlink(&outside, root.join("c")).unwrap();
        let refused = make_directories(&root, [Path::new("c/0")]).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Forbidden);
        fs::write(root.join("meta"), "").unwrap();
        remove_directory(&root, &["meta"]).unwrap();
        remove_directory(&root, &["meta"]).unwrap();
        assert_eq!((root.exists(), names(&outside)), (false, vec!["kept".into()]));
        fs::remove_dir_all(&outside).unwrap();
    }

    #[test]
    fn a_place_that_is_taken_is_a_conflict() {
        let root = folder("taken");
        make_empty_directory(&root.join("x/y/z")).unwrap();
        make_empty_directory(&root.join("x/y/z")).unwrap();
        for taken in ["x", "x/y"] {
            assert_eq!(make_empty_directory(&root.join(taken)).unwrap_err().kind, ErrorKind::Conflict);
        }
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn storage_uris_are_taken_as_they_are() {
        for uri in ["file://localhost/a%20b", "file:///a%20b"] {
            assert_eq!(path_of(uri).unwrap(), Path::new("/a%20b"));
        }
        for uri in ["sqlite:///a", "file://other/a", "/a", "file:a"] {
            assert_eq!(path_of(uri).unwrap_err().kind, ErrorKind::InvalidArgument, "{uri}");
        }
    }
}

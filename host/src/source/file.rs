//! Files and directories of this machine as sources.

use std::{
    collections::VecDeque,
    fs::{File, Metadata, OpenOptions},
    hash::Hasher,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Component, Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tiled_plugin_api::author::{ByteSource, Entry, Error, ErrorKind, Result, Source};

use super::{
    allowed::{Roots, name_of},
    uri::uri_of,
};

/// A source over a path that [`Roots::admit`] gave.
///
/// # Errors
/// `NotFound`; `InvalidArgument` for a pipe, a socket or a device.
pub fn source_of(path: PathBuf, roots: Roots) -> Result<Source> {
    let meta = path.symlink_metadata().map_err(|e| named(&path, &e))?;
    if meta.is_dir() {
        return Ok(Source::new(Directory { path, roots }));
    }
    if !meta.is_file() {
        let message = format!("{}: neither a file nor a directory", name_of(&path));
        return Err(Error::new(ErrorKind::InvalidArgument, message));
    }
    Ok(Source::new(LocalFile { identity: identity(&meta), path, slot: Arc::default() }))
}

/// Changes when the content may have changed: from size, time and place of the file. Never 0.
pub fn revision_of(meta: &Metadata) -> u64 {
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    for word in [meta.len(), meta.ino(), meta.dev()] {
        hash.write_u64(word);
    }
    for word in [meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()] {
        hash.write_i64(word);
    }
    hash.finish().max(1)
}

type Slot = Mutex<Option<Arc<File>>>;

/// A file. Its handle is opened at the first read, and given back when many others are open: a data source of ten
/// thousand files must not need ten thousand handles.
struct LocalFile {
    path: PathBuf,
    identity: (u64, u64),
    slot: Arc<Slot>,
}

impl LocalFile {
    fn handle(&self) -> Result<Arc<File>> {
        let mut slot = lock(&self.slot);
        if let Some(file) = &*slot {
            return Ok(file.clone());
        }
        let file = Arc::new(self.reopen()?);
        *slot = Some(file.clone());
        drop(slot);
        remember(&self.slot);
        Ok(file)
    }

    /// Links were followed when the path was admitted, so the last part must not be one now.
    fn reopen(&self) -> Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC);
        let file = options.open(&self.path).map_err(|e| named(&self.path, &e))?;
        let meta = file.metadata().map_err(|e| named(&self.path, &e))?;
        if !meta.is_file() || identity(&meta) != self.identity {
            let message =
                format!("{}: the file was replaced while it was in use; ask again", name_of(&self.path));
            return Err(Error::new(ErrorKind::Busy, message));
        }
        Ok(file)
    }
}

impl ByteSource for LocalFile {
    fn uri(&self) -> String {
        uri_of(&self.path)
    }

    fn is_directory(&self) -> bool {
        false
    }

    fn len(&self) -> Result<u64> {
        self.handle()?.metadata().map(|meta| meta.len()).map_err(|e| named(&self.path, &e))
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<usize> {
        let file = self.handle()?;
        if i64::try_from(offset).is_err() {
            return Ok(0);
        }
        let mut got = 0;
        while let Some(rest) = out.get_mut(got..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, offset.saturating_add(got as u64)) {
                Ok(0) => break,
                Ok(n) => got += n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(named(&self.path, &e)),
            }
        }
        Ok(got)
    }

    fn list(&self, _below: &str) -> Result<Vec<Entry>> {
        Err(not_a_directory(&self.path))
    }

    fn child(&self, _relative: &str) -> Result<Source> {
        Err(not_a_directory(&self.path))
    }

    fn local_path(&self) -> Option<PathBuf> {
        Some(self.path.clone())
    }

    fn version(&self) -> Result<u64> {
        // Of the path, not of the handle: a file that was replaced has another version.
        self.path.metadata().map(|meta| revision_of(&meta)).map_err(|e| named(&self.path, &e))
    }
}

/// A file that was not there when it was named: each call looks whether it is by now.
struct Awaited {
    path: PathBuf,
    roots: Roots,
}

/// A source over a path below the roots where nothing is yet.
pub fn awaited(path: PathBuf, roots: Roots) -> Source {
    Source::new(Awaited { path, roots })
}

impl ByteSource for Awaited {
    fn uri(&self) -> String {
        uri_of(&self.path)
    }

    fn is_directory(&self) -> bool {
        false
    }

    fn len(&self) -> Result<u64> {
        self.roots.open(&self.path)?.len()
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<usize> {
        self.roots.open(&self.path)?.read_at(offset, out)
    }

    fn list(&self, below: &str) -> Result<Vec<Entry>> {
        self.roots.open(&self.path)?.list(below)
    }

    fn child(&self, relative: &str) -> Result<Source> {
        self.roots.open(&self.path)?.child(relative)
    }

    fn local_path(&self) -> Option<PathBuf> {
        Some(self.path.clone())
    }

    fn version(&self) -> Result<u64> {
        self.roots.open(&self.path)?.version()
    }
}

/// A directory.
struct Directory {
    path: PathBuf,
    roots: Roots,
}

impl Directory {
    fn below(&self, relative: &str) -> Result<PathBuf> {
        let plain = Path::new(relative).components().all(|part| matches!(part, Component::Normal(_)));
        if !plain || relative.contains('\0') {
            let message = format!("{relative:?} is not a path below {}", name_of(&self.path));
            return Err(Error::new(ErrorKind::Forbidden, message));
        }
        if relative.is_empty() {
            return Ok(self.path.clone());
        }
        self.roots.admit(&self.path.join(relative))
    }
}

impl ByteSource for Directory {
    fn uri(&self) -> String {
        uri_of(&self.path)
    }

    fn is_directory(&self) -> bool {
        true
    }

    fn len(&self) -> Result<u64> {
        Err(not_a_file(&self.path))
    }

    fn read_at(&self, _offset: u64, _out: &mut [u8]) -> Result<usize> {
        Err(not_a_file(&self.path))
    }

    fn list(&self, below: &str) -> Result<Vec<Entry>> {
        let path = self.below(below)?;
        let mut entries = Vec::new();
        for entry in path.read_dir().map_err(|e| named(&path, &e))? {
            let entry = entry.map_err(|e| named(&path, &e))?;
            // A dangling link, or a file that has gone since, is no entry; nor is a name that no URI could carry.
            let (Ok(meta), Ok(name)) = (entry.path().metadata(), entry.file_name().into_string()) else {
                continue;
            };
            let len = if meta.is_dir() { 0 } else { meta.len() };
            entries.push(Entry { name, is_directory: meta.is_dir(), len });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn child(&self, relative: &str) -> Result<Source> {
        source_of(self.below(relative)?, self.roots.clone())
    }

    fn local_path(&self) -> Option<PathBuf> {
        Some(self.path.clone())
    }

    fn version(&self) -> Result<u64> {
        self.path.metadata().map(|meta| revision_of(&meta)).map_err(|e| named(&self.path, &e))
    }
}

/// Handles kept open at a time, well below the usual limit of 1024 a process has.
const OPEN_FILES: usize = 384;

static OPEN: Mutex<VecDeque<Weak<Slot>>> = Mutex::new(VecDeque::new());

/// Notes an open handle and closes the oldest one when there are too many.
fn remember(slot: &Arc<Slot>) {
    let mut open = lock(&OPEN);
    open.push_back(Arc::downgrade(slot));
    if open.len() <= OPEN_FILES {
        return;
    }
    let oldest = open.pop_front();
    drop(open);
    if let Some(slot) = oldest.and_then(|slot| slot.upgrade()) {
        lock(&slot).take();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn identity(meta: &Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
}

fn named(path: &Path, error: &std::io::Error) -> Error {
    let message = format!("{}: {error}", name_of(path));
    match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => Error::not_found(message),
        std::io::ErrorKind::PermissionDenied => Error::new(ErrorKind::Forbidden, message),
        _ => Error::internal(format!("{}: {error}", path.display())),
    }
}

fn not_a_directory(path: &Path) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("{}: not a directory", name_of(path)))
}

fn not_a_file(path: &Path) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("{}: a directory, not a file", name_of(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(dir: &tempfile::TempDir, name: &str) -> Result<Source> {
        Roots::new([dir.path()])?.open(&dir.path().join(name))
    }

    #[test]
    fn reads_give_what_is_there_and_say_how_much() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), "hello").unwrap();
        let source = open(&dir, "a").unwrap();
        let mut out = [0; 8];
        assert_eq!((source.len().unwrap(), source.read_at(1, &mut out).unwrap()), (5, 4));
        assert_eq!(&out[..4], b"ello");
        for beyond in [99, u64::MAX] {
            assert_eq!(source.read_at(beyond, &mut out).unwrap(), 0);
        }
    }

    #[test]
    fn ten_thousand_files_do_not_need_ten_thousand_handles() {
        let dir = tempfile::tempdir().unwrap();
        let sources: Vec<Source> = (0..2000u32)
            .map(|i| {
                std::fs::write(dir.path().join(i.to_string()), i.to_le_bytes()).unwrap();
                open(&dir, &i.to_string()).unwrap()
            })
            .collect();
        for round in 0..2 {
            for (i, source) in sources.iter().enumerate() {
                let mut out = [0; 4];
                source.read_exact_at(0, &mut out).unwrap();
                assert_eq!(u32::from_le_bytes(out) as usize, i, "round {round}");
            }
        }
        let prefix = dir.path().canonicalize().unwrap();
        let handles = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        let ours = handles
            .filter(|fd| std::fs::read_link(fd.path()).is_ok_and(|to| to.starts_with(&prefix)))
            .count();
        assert!(ours <= OPEN_FILES, "{ours} handles are open");
    }

    #[test]
    fn a_file_that_was_replaced_is_not_mixed_with_the_new_one() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), "old").unwrap();
        let source = open(&dir, "a").unwrap();
        let before = source.version().unwrap();
        std::fs::write(dir.path().join("b"), "new").unwrap();
        std::fs::rename(dir.path().join("b"), dir.path().join("a")).unwrap();
        assert_eq!(source.read_at(0, &mut [0; 3]).unwrap_err().kind, ErrorKind::Busy);
        assert_ne!(source.version().unwrap(), before);
    }

    #[test]
    fn a_directory_lists_in_order_and_gives_its_children() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("z/c")).unwrap();
        std::fs::write(dir.path().join("z/c/0"), "x").unwrap();
        std::fs::write(dir.path().join("z/.zarray"), "{}").unwrap();
        std::os::unix::fs::symlink("/etc", dir.path().join("z/out")).unwrap();
        let source = open(&dir, "z").unwrap();
        let names: Vec<String> = source.list("").unwrap().into_iter().map(|e| e.name).collect();
        assert_eq!(names, [".zarray", "c", "out"]);
        assert_eq!(source.child("c/0").unwrap().len().unwrap(), 1);
        for (path, kind) in [
            ("c/9", ErrorKind::NotFound),
            ("../z", ErrorKind::Forbidden),
            ("/etc", ErrorKind::Forbidden),
            ("out/passwd", ErrorKind::Forbidden),
        ] {
            assert_eq!(source.child(path).err().map(|e| e.kind), Some(kind), "{path}");
        }
        assert_eq!(source.list("out").unwrap_err().kind, ErrorKind::Forbidden);
    }

    #[test]
    fn a_pipe_is_refused_instead_of_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = std::ffi::CString::new(dir.path().join("p").to_str().unwrap()).unwrap();
        // SAFETY: a path that ends in NUL and lives over the call.
        #[allow(unsafe_code)]
        let made = unsafe { libc::mkfifo(path.as_ptr(), 0o600) };
        assert_eq!(made, 0);
        assert_eq!(open(&dir, "p").err().map(|e| e.kind), Some(ErrorKind::InvalidArgument));
    }
}

//! The readable roots: nothing outside of them is opened, whatever links say.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use tiled_plugin_api::author::{Error, ErrorKind, Result, Source};

use super::{
    file::{awaited, source_of},
    uri::path_of,
};

/// Folders (or single files) that may be read, and all below them. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Roots(Arc<[PathBuf]>);

impl Roots {
    /// These folders, links followed.
    ///
    /// # Errors
    /// `NotFound` naming the folder that is not there.
    pub fn new(paths: impl IntoIterator<Item = impl AsRef<Path>>) -> Result<Self> {
        let resolve = |path: &Path| {
            path.canonicalize().map_err(|e| {
                Error::not_found(format!(
                    "readable folder {}: {e}; create it or correct the path",
                    path.display()
                ))
            })
        };
        let mut roots = paths.into_iter().map(|path| resolve(path.as_ref())).collect::<Result<Vec<_>>>()?;
        roots.sort();
        roots.dedup();
        Ok(Roots(roots.into()))
    }

    /// The folders themselves.
    pub fn paths(&self) -> &[PathBuf] {
        &self.0
    }

    /// The path with every link followed, if it ends below a root.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` when it leads out of the roots. Outside of them the two cannot be told apart.
    pub fn admit(&self, path: &Path) -> Result<PathBuf> {
        match path.canonicalize() {
            Ok(end) if self.0.iter().any(|root| end.starts_with(root)) => Ok(end),
            Ok(_) => Err(forbidden(path)),
            Err(error) if self.is_named_below(path) => Err(missing(path, &error)),
            Err(_) => Err(forbidden(path)),
        }
    }

    /// Whether the nearest folder of the path that is there lies below a root.
    fn is_named_below(&self, path: &Path) -> bool {
        let there = path.ancestors().skip(1).find_map(|folder| folder.canonicalize().ok());
        there.is_some_and(|folder| self.0.iter().any(|root| folder.starts_with(root)))
    }

    /// Opens a file or directory.
    ///
    /// # Errors
    /// As [`Roots::admit`]; `InvalidArgument` for what is neither file nor directory.
    pub fn open(&self, path: &Path) -> Result<Source> {
        source_of(self.admit(path)?, self.clone())
    }

    /// Opens what a URI names.
    ///
    /// # Errors
    /// As [`Roots::open`] and [`path_of`].
    pub fn open_uri(&self, uri: &str) -> Result<Source> {
        self.open(&path_of(uri)?)
    }

    /// Opens what a URI names, where the server itself writes there: a file that is not written yet is a source whose
    /// calls answer `NotFound` until it is.
    ///
    /// # Errors
    /// As [`Roots::open_uri`], `NotFound` apart.
    pub fn open_written(&self, uri: &str) -> Result<Source> {
        let path = path_of(uri)?;
        match self.open(&path) {
            Err(error) if error.kind == ErrorKind::NotFound => Ok(awaited(path, self.clone())),
            opened => opened,
        }
    }

    /// Opens what a link inside the file at the URI `base` names; relative links count from its folder.
    ///
    /// # Errors
    /// As [`Roots::open_uri`].
    pub fn resolve(&self, base: &str, link: &str) -> Result<Source> {
        if link.starts_with("file:") {
            return self.open_uri(link);
        }
        if link.contains('\0') {
            return Err(Error::new(ErrorKind::InvalidArgument, "a path must not contain NUL"));
        }
        let base = self.admit(&path_of(base)?)?;
        self.open(&base.parent().unwrap_or(&base).join(link))
    }
}

fn forbidden(path: &Path) -> Error {
    Error::new(ErrorKind::Forbidden, format!("{}: outside of the readable folders", name_of(path)))
        .with_detail(path.display())
}

fn missing(path: &Path, error: &std::io::Error) -> Error {
    let what = match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        _ => error.to_string(),
    };
    Error::not_found(format!("{}: {what}", name_of(path))).with_detail(path.display())
}

/// The last part of a path: clients need not know where the server keeps its files.
pub(super) fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::source::uri_of;

    struct Tree {
        _dir: tempfile::TempDir,
        data: PathBuf,
        secret: PathBuf,
        roots: Roots,
    }

    fn tree() -> Tree {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        let data = base.join("data");
        let secret = base.join("secret.txt");
        std::fs::create_dir(&data).unwrap();
        std::fs::write(&secret, "secret").unwrap();
        std::fs::write(data.join("a.txt"), "abc").unwrap();
        let roots = Roots::new([&data]).unwrap();
        Tree { _dir: dir, data, secret, roots }
    }

    fn kind(result: Result<Source>) -> Option<ErrorKind> {
        result.err().map(|e| e.kind)
    }

    #[test]
    fn links_that_lead_out_of_the_roots_are_refused() {
        let t = tree();
        symlink(&t.secret, t.data.join("out.txt")).unwrap();
        symlink(t.data.join("a.txt"), t.data.join("in.txt")).unwrap();
        assert_eq!(kind(t.roots.open(&t.data.join("in.txt"))), None);
        assert_eq!(kind(t.roots.open(&t.data.join("out.txt"))), Some(ErrorKind::Forbidden));
        assert_eq!(kind(t.roots.open(&t.data.join("../secret.txt"))), Some(ErrorKind::Forbidden));
        assert_eq!(kind(t.roots.open(&t.secret)), Some(ErrorKind::Forbidden));
        let base = uri_of(&t.data.join("a.txt"));
        assert_eq!(kind(t.roots.resolve(&base, "in.txt")), None);
        assert_eq!(kind(t.roots.resolve(&base, "../secret.txt")), Some(ErrorKind::Forbidden));
        assert_eq!(kind(t.roots.resolve(&base, t.secret.to_str().unwrap())), Some(ErrorKind::Forbidden));
    }

    #[test]
    fn a_folder_whose_name_begins_like_a_root_is_outside() {
        let t = tree();
        let beside = t.data.with_file_name("data2");
        std::fs::create_dir(&beside).unwrap();
        std::fs::write(beside.join("b.txt"), "b").unwrap();
        assert_eq!(kind(t.roots.open(&beside.join("b.txt"))), Some(ErrorKind::Forbidden));
    }

    #[test]
    fn outside_of_the_roots_missing_and_forbidden_look_the_same() {
        let t = tree();
        let there = t.roots.open(&t.secret).err().unwrap();
        let missing = t.roots.open(&t.secret.with_file_name("secret.tx2")).err().unwrap();
        assert_eq!((there.kind, missing.kind), (ErrorKind::Forbidden, ErrorKind::Forbidden));
        assert_eq!(kind(t.roots.open(&t.data.join("none.txt"))), Some(ErrorKind::NotFound));
    }

    #[test]
    fn a_file_that_is_written_later_is_read_then() {
        let t = tree();
        let later = t.data.join("later.txt");
        let source = t.roots.open_written(&uri_of(&later)).unwrap();
        assert_eq!(source.len().unwrap_err().kind, ErrorKind::NotFound);
        assert_eq!(source.local_path().unwrap(), later);
        std::fs::write(&later, "abc").unwrap();
        assert_eq!(source.read_all(9).unwrap(), b"abc");
        let outside = uri_of(&t.secret.with_file_name("later.txt"));
        assert_eq!(kind(t.roots.open_written(&outside)), Some(ErrorKind::Forbidden));
        std::fs::remove_file(&later).unwrap();
        symlink(&t.secret, &later).unwrap();
        assert_eq!(source.len().unwrap_err().kind, ErrorKind::Forbidden);
    }

    #[test]
    fn without_roots_nothing_can_be_read() {
        let t = tree();
        assert_eq!(kind(Roots::default().open(&t.data.join("a.txt"))), Some(ErrorKind::Forbidden));
    }
}

//! Where bytes come from: one file or one directory, wherever it is kept.

use std::{path::PathBuf, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Error, Result};

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name, without the directory's.
    pub name: String,
    /// Whether it is a directory itself.
    pub is_directory: bool,
    /// Bytes of a file; 0 for directories.
    pub len: u64,
}

#[allow(clippy::len_without_is_empty, reason = "an empty file is asked for by nobody")]
/// A file or a directory; the host implements it and keeps it within the readable roots.
pub trait ByteSource: Send + Sync {
    /// Where it is, for messages and as a base for links: `file://localhost/data/a.h5`.
    fn uri(&self) -> String;
    /// Whether it is a directory.
    fn is_directory(&self) -> bool;
    /// Bytes of the file.
    ///
    /// # Errors
    /// `NotFound` when it has gone, `InvalidArgument` for a directory.
    fn len(&self) -> Result<u64>;
    /// Fills `out` from `offset` on and says how many bytes there were: fewer only at the end.
    ///
    /// # Errors
    /// As `len`.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<usize>;
    /// The entries of the directory below this one (`""` for itself), sorted by name.
    ///
    /// # Errors
    /// `NotFound`, or `InvalidArgument` where it is no directory.
    fn list(&self, below: &str) -> Result<Vec<Entry>>;
    /// The file or directory at a relative path below this directory; links that lead out are refused.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    fn child(&self, relative: &str) -> Result<Source>;
    /// A path for C libraries; `None` where the bytes are not in a local file.
    fn local_path(&self) -> Option<PathBuf>;
    /// Changes when the content may have changed (size and time of a file).
    ///
    /// # Errors
    /// As `len`.
    fn version(&self) -> Result<u64>;
}

/// A shared [`ByteSource`] with conveniences.
#[derive(Clone)]
pub struct Source(Arc<dyn ByteSource>);

impl std::ops::Deref for Source {
    type Target = dyn ByteSource;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl Source {
    /// A source over this implementation.
    pub fn new(source: impl ByteSource + 'static) -> Self {
        Source(Arc::new(source))
    }

    /// The last part of the URI, percent-decoding left as it is.
    pub fn name(&self) -> String {
        let uri = self.uri();
        uri.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned()
    }

    /// Fills all of `out`.
    ///
    /// # Errors
    /// `InvalidData` naming the file when it ends before.
    pub fn read_exact_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let got = self.read_at(offset, out)?;
        if got == out.len() {
            return Ok(());
        }
        let wanted = out.len();
        Err(Error::invalid_data(format!(
            "{}: the file is truncated: {wanted} bytes wanted at {offset}, {got} there",
            self.name()
        )))
    }

    /// The whole file.
    ///
    /// # Errors
    /// `TooLarge` when it has more than `max_bytes`.
    pub fn read_all(&self, max_bytes: u64) -> Result<Vec<u8>> {
        let len = self.len()?;
        if len > max_bytes {
            let message = format!("{}: {len} bytes are more than {max_bytes}", self.name());
            return Err(Error::new(super::ErrorKind::TooLarge, message));
        }
        let mut bytes = vec![0; usize::try_from(len).map_err(Error::internal)?];
        self.read_exact_at(0, &mut bytes)?;
        Ok(bytes)
    }

    /// A cursor for crates that want `Read + Seek`.
    pub fn cursor(&self) -> SourceCursor {
        SourceCursor { source: self.clone(), position: 0 }
    }
}

/// [`Source`] as `Read + Seek`. Wrap it in a `BufReader`.
#[derive(Clone)]
pub struct SourceCursor {
    source: Source,
    position: u64,
}

impl std::io::Read for SourceCursor {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let got = self.source.read_at(self.position, out).map_err(std::io::Error::other)?;
        self.position += got as u64;
        Ok(got)
    }
}

impl std::io::Seek for SourceCursor {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        let base = |from: u64, by: i64| {
            from.checked_add_signed(by).ok_or_else(|| std::io::Error::from(std::io::ErrorKind::InvalidInput))
        };
        self.position = match to {
            std::io::SeekFrom::Start(position) => position,
            std::io::SeekFrom::Current(by) => base(self.position, by)?,
            std::io::SeekFrom::End(by) => base(self.source.len().map_err(std::io::Error::other)?, by)?,
        };
        Ok(self.position)
    }
}

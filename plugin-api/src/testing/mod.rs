//! For a plugin's own tests, without a server: files as sources, a host that allows everything below a folder.

#[cfg(feature = "arrow")]
pub mod tables;

use std::{
    fs::File,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    author::{
        Adapter, AssetSource, ByteSink, ByteSource, Context, EncodeRequest, Entry, Error, ErrorKind, Host,
        HostServices, Level, OpenRequest, OwnedBuffer, Payload, Reader, Result, Serializer, Sink, Slabs,
        Source,
    },
    model::{ArrayStructure, SliceDim},
};

/// A file or directory of the local disk.
pub struct FileSource(PathBuf);

impl FileSource {
    /// The file or directory at `path`.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn open(path: &Path) -> Result<Source> {
        Ok(Source::new(FileSource(path.canonicalize()?)))
    }

    /// A file that may be written later.
    pub fn awaited(path: PathBuf) -> Source {
        Source::new(FileSource(path))
    }
}

impl ByteSource for FileSource {
    fn uri(&self) -> String {
        format!("file://localhost{}", self.0.display())
    }

    fn is_directory(&self) -> bool {
        self.0.is_dir()
    }

    fn len(&self) -> Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<usize> {
        let file = File::open(&self.0)?;
        let mut filled = 0;
        while filled < out.len() {
            match file.read_at(&mut out[filled..], offset + filled as u64)? {
                0 => break,
                n => filled += n,
            }
        }
        Ok(filled)
    }

    fn list(&self, below: &str) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(self.0.join(below))? {
            let entry = entry?;
            let meta = entry.metadata()?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let len = if meta.is_dir() { 0 } else { meta.len() };
            entries.push(Entry { name, is_directory: meta.is_dir(), len });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn child(&self, relative: &str) -> Result<Source> {
        let path = self.0.join(relative).canonicalize()?;
        if !path.starts_with(&self.0) {
            return Err(Error::new(ErrorKind::Forbidden, format!("{relative} leads out of the directory")));
        }
        FileSource::open(&path)
    }

    fn local_path(&self) -> Option<PathBuf> {
        Some(self.0.clone())
    }

    fn version(&self) -> Result<u64> {
        let meta = self.0.metadata()?;
        Ok(meta.len() ^ (meta.mtime_nsec() as u64).rotate_left(32) ^ (meta.mtime() as u64))
    }
}

/// A host that keeps no cache and confines links to one folder.
pub struct TestHost(PathBuf);

impl TestHost {
    /// A host for the files below `root`.
    pub fn below(root: &Path) -> Host {
        Host::new(Arc::new(TestHost(root.canonicalize().unwrap_or_else(|_| root.to_owned()))))
    }
}

impl HostServices for TestHost {
    fn log(&self, level: Level, message: &str) {
        eprintln!("{level:?}: {message}");
    }

    fn open_source(&self, uri: &str) -> Result<Source> {
        let path = PathBuf::from(uri.trim_start_matches("file://localhost").trim_start_matches("file://"));
        let path = path.canonicalize()?;
        if path.starts_with(&self.0) {
            FileSource::open(&path)
        } else {
            Err(Error::new(ErrorKind::Forbidden, format!("{uri} is outside the readable roots")))
        }
    }

    fn resolve(&self, base: &str, link: &str) -> Result<Source> {
        let folder = base.rsplit_once('/').map_or("", |(folder, _)| folder);
        let target = if link.starts_with('/') { link.to_owned() } else { format!("{folder}/{link}") };
        self.open_source(&target)
    }

    fn cache_get(&self, _key: &str) -> Option<OwnedBuffer> {
        None
    }

    fn cache_put(&self, _key: &str, _bytes: OwnedBuffer) {}
}

/// A request to open these files as `mimetype`.
///
/// # Errors
/// `NotFound`.
pub fn open_request(mimetype: &str, paths: &[&Path]) -> Result<OpenRequest> {
    let root = paths.first().and_then(|path| path.parent()).unwrap_or(Path::new("."));
    let several = paths.len() > 1;
    let mut assets = Vec::new();
    for (num, path) in paths.iter().enumerate() {
        let parameter = if several { "data_uris" } else { "data_uri" }.to_owned();
        assets.push(AssetSource {
            source: FileSource::open(path)?,
            parameter,
            num: several.then_some(num as u64),
        });
    }
    let host = TestHost::below(root);
    Ok(OpenRequest {
        mimetype: mimetype.into(),
        structure: None,
        parameters: serde_json::Map::new(),
        assets,
        host,
    })
}

/// Opens one file.
///
/// # Errors
/// Those of the reader.
pub fn open_path(reader: &dyn Reader, mimetype: &str, path: &Path) -> Result<Box<dyn Adapter>> {
    reader.open(&Context::unbounded(), open_request(mimetype, &[path])?)
}

/// The values of a slice, as the host reads them: handed over where the adapter can, else into a buffer.
///
/// # Errors
/// Those of the adapter; `Internal` when the length is wrong.
pub fn read_slice(adapter: &dyn Adapter, path: &str, slice: &[SliceDim]) -> Result<Vec<u8>> {
    let structure: ArrayStructure = adapter.describe(path)?.structure()?;
    let elements: u64 = slice.iter().map(|dim| dim.count).product();
    let len = usize::try_from(elements * structure.data_type.itemsize()).map_err(Error::internal)?;
    let cx = Context::unbounded();
    if let Some(bytes) = adapter.read_owned(&cx, path, slice)? {
        if bytes.len() != len {
            return Err(Error::internal(format!("read_owned gave {} bytes instead of {len}", bytes.len())));
        }
        return Ok(bytes.to_vec());
    }
    // Not zeros, so that a byte the adapter forgets is seen.
    let mut out = vec![0xA5; len];
    adapter.read_into(&cx, path, slice, &mut out)?;
    Ok(out)
}

/// All the values of an array.
///
/// # Errors
/// As [`read_slice`].
pub fn read_array(adapter: &dyn Adapter, path: &str) -> Result<Vec<u8>> {
    let structure: ArrayStructure = adapter.describe(path)?.structure()?;
    let everything: Vec<SliceDim> = structure.shape.iter().map(|n| SliceDim::all(*n)).collect();
    read_slice(adapter, path, &everything)
}

/// An array payload of one slab.
pub fn one_slab(rows: u64, bytes: Vec<u8>) -> Payload {
    Payload::Array(Slabs::one(rows, OwnedBuffer::from_vec(bytes)))
}

struct Collect(Arc<std::sync::Mutex<Vec<u8>>>);

impl ByteSink for Collect {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.lock().map_err(Error::internal)?.extend_from_slice(bytes);
        Ok(())
    }
}

/// What a serializer makes of a payload.
///
/// # Errors
/// Those of the serializer.
pub fn encode(serializer: &dyn Serializer, request: &EncodeRequest, payload: Payload) -> Result<Vec<u8>> {
    let bytes = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut sink = Sink::new(Collect(bytes.clone()));
    serializer.encode(&Context::unbounded(), request, payload, &mut sink)?;
    sink.push()?;
    let collected = bytes.lock().map_err(Error::internal)?.clone();
    Ok(collected)
}

//! The tree of groups and arrays, walked by its metadata files.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tiled_plugin_api::author::{Error, ErrorKind, Result, Source};

use crate::{
    fallback::Foreign,
    meta::{Node, v2_array, v2_group, v3_node},
};

/// The files that make a directory a node, newest version first.
pub const MARKERS: [&str; 3] = ["zarr.json", ".zarray", ".zgroup"];
const MAX_METADATA_BYTES: u64 = 64 << 20;
/// Parsed nodes that are kept.
const MAX_KEPT: usize = 4096;

/// A store.
pub struct Tree {
    /// Its directory.
    pub source: Source,
    kept: Mutex<HashMap<String, (u64, Arc<Node>)>>,
}

/// `a/b`, where either may be empty.
pub fn join(above: &str, name: &str) -> String {
    if above.is_empty() || name.is_empty() { format!("{above}{name}") } else { format!("{above}/{name}") }
}

impl Tree {
    /// The store in this directory.
    pub fn new(source: Source) -> Self {
        Tree { source, kept: Mutex::new(HashMap::new()) }
    }

    /// The metadata file of a node and its name; `None` where the directory is none.
    fn marker(&self, path: &str) -> Result<Option<(Source, &'static str)>> {
        for marker in MARKERS {
            match self.file(&join(path, marker))? {
                Some(file) => return Ok(Some((file, marker))),
                None => continue,
            }
        }
        Ok(None)
    }

    /// The name and the bytes of a node's metadata file.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn metadata(&self, path: &str) -> Result<(&'static str, Vec<u8>)> {
        let found = self.marker(path)?;
        let (file, marker) = found.ok_or_else(|| Error::not_found(format!("No such entry: {path}")))?;
        Ok((marker, file.read_all(MAX_METADATA_BYTES)?))
    }

    fn file(&self, path: &str) -> Result<Option<Source>> {
        match self.source.child(path) {
            Ok(file) if !file.is_directory() => Ok(Some(file)),
            Ok(_) => Ok(None),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A node.
    ///
    /// # Errors
    /// `NotFound`; `InvalidData` or `UnsupportedFormat` when its metadata cannot be read.
    pub fn node(&self, path: &str) -> Result<Arc<Node>> {
        if path.split('/').any(|part| matches!(part, "." | ".."))
            || path.contains("//")
            || path.starts_with('/')
        {
            return Err(Error::not_found(format!("No such entry: {path}")));
        }
        let found = self.marker(path)?;
        let (file, marker) = found.ok_or_else(|| Error::not_found(format!("No such entry: {path}")))?;
        let attributes = if marker == "zarr.json" { None } else { self.file(&join(path, ".zattrs"))? };
        let attributes_version = attributes.as_ref().map_or(Ok(0), |file| file.version())?;
        let version = file.version()?.rotate_left(1) ^ attributes_version;
        if let Some((kept, node)) = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(path)
            && *kept == version
        {
            return Ok(node.clone());
        }
        let parse = || -> Result<Node> {
            let meta = file.read_all(MAX_METADATA_BYTES)?;
            let attributes = attributes.map(|file| file.read_all(MAX_METADATA_BYTES)).transpose()?;
            let attributes = attributes.as_deref();
            let node = match marker {
                "zarr.json" => v3_node(&meta),
                ".zarray" => v2_array(&meta, attributes),
                _ => v2_group(&meta, attributes),
            };
            match node {
                Err(error) if error.kind == ErrorKind::UnsupportedFormat => {
                    Foreign::open(&meta, attributes, path, error).map(|array| Node::Foreign(Arc::new(array)))
                }
                node => node,
            }
        };
        let node =
            parse().map_err(|e| e.within(format_args!("{}: /{}", self.source.name(), join(path, marker))))?;
        let node = Arc::new(node);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(path.to_owned(), (version, node.clone()));
        Ok(node)
    }

    /// Names of the nodes in a group, sorted. A directory that leads out of the store is among them, as a broken node.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn members(&self, path: &str) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in self.source.list(path)? {
            if entry.is_directory && !matches!(self.marker(&join(path, &entry.name)), Ok(None)) {
                names.push(entry.name);
            }
        }
        Ok(names)
    }
}

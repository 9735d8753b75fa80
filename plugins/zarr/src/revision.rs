//! A number that changes when a node may have changed, cheap enough for every request.
//!
//! All files of an array are asked for their version. Where there are many, the answer is kept for a second: in that
//! time a conditional request may be told that nothing has changed, unless it was written here. Values themselves are never
//! kept so.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tiled_plugin_api::author::{Result, Source};

use crate::{
    fallback::Foreign,
    meta::{ArrayMeta, Node},
    tree::{MARKERS, Tree, join},
};

/// Up to here the files are asked each time.
const FEW: usize = 64;
/// Beyond this many chunks only the directories tell of a change.
const MAX_CHUNKS: usize = 8192;
const KEPT_FOR: Duration = Duration::from_secs(1);

struct Kept {
    since: Instant,
    /// Of the node's directory: our own writers change it with every commit.
    directory: u64,
    revision: u64,
}

/// Revisions of the nodes of a store.
#[derive(Default)]
pub struct Revisions {
    kept: Mutex<HashMap<String, Kept>>,
}

impl Revisions {
    /// The revision of a node; never 0.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn of(&self, tree: &Tree, path: &str) -> Result<u64> {
        let lock = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = match path {
            "" => tree.source.version(),
            _ => tree.source.child(path).and_then(|directory| directory.version()),
        };
        let directory = directory.unwrap_or_default();
        if let Some(kept) = lock().get(path)
            && kept.since.elapsed() < KEPT_FOR
            && kept.directory == directory
        {
            return Ok(kept.revision);
        }
        let mut sum = Sum { source: &tree.source, revision: 0, files: 0 };
        match &*tree.node(path)? {
            Node::Array(meta) => sum.array(path, meta),
            Node::Foreign(array) => sum.foreign(path, array),
            Node::Group { .. } => sum.group(tree, path)?,
        }
        // 0 would mean that the host must ask.
        let revision = sum.revision.max(1);
        if sum.files > FEW {
            let mut kept = lock();
            kept.retain(|_, kept| kept.since.elapsed() < KEPT_FOR);
            kept.insert(path.to_owned(), Kept { since: Instant::now(), directory, revision });
        }
        Ok(revision)
    }
}

struct Sum<'a> {
    source: &'a Source,
    revision: u64,
    files: usize,
}

impl Sum<'_> {
    /// Adds a file or directory. One that is not there, or leads out of the store, counts as none.
    fn add(&mut self, path: &str) {
        let version = match path {
            "" => self.source.version(),
            _ => self.source.child(path).and_then(|file| file.version()),
        };
        self.files += 1;
        self.revision =
            (self.revision.rotate_left(5) ^ version.unwrap_or_default()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn metadata(&mut self, path: &str) {
        self.add(path);
        for name in MARKERS.into_iter().chain([".zattrs"]) {
            self.add(&join(path, name));
        }
    }

    fn array(&mut self, path: &str, meta: &ArrayMeta) {
        self.metadata(path);
        if meta.keys.prefix {
            self.add(&join(path, "c"));
        }
        let grid: Vec<u64> = meta.shape.iter().zip(&meta.chunk_shape).map(|(n, c)| n.div_ceil(*c)).collect();
        self.chunks(&grid, |chunk| join(path, &meta.keys.name(chunk)));
    }

    fn foreign(&mut self, path: &str, array: &Foreign) {
        self.metadata(path);
        self.add(&join(path, "c"));
        let grid: Vec<u64> = array.outline.grid.iter().map(|axis| axis.len() as u64).collect();
        self.chunks(&grid, |chunk| array.key(chunk));
    }

    /// Adds the chunks of a grid.
    fn chunks(&mut self, grid: &[u64], name: impl Fn(&[u64]) -> String) {
        if grid.contains(&0) {
            return;
        }
        let mut chunk = vec![0u64; grid.len()];
        for _ in 0..MAX_CHUNKS {
            self.add(&name(&chunk));
            // The next chunk in C order; the first again behind the last.
            let mut axes = chunk.iter_mut().zip(grid).rev();
            let moved = axes.any(|(number, n)| {
                *number = (*number + 1) % n;
                *number > 0
            });
            if !moved {
                return;
            }
        }
    }

    fn group(&mut self, tree: &Tree, path: &str) -> Result<()> {
        self.metadata(path);
        for name in tree.members(path)?.into_iter().take(MAX_CHUNKS) {
            self.metadata(&join(path, &name));
        }
        Ok(())
    }
}

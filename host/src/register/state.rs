//! How far a registration is.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    path::{Path, PathBuf},
    time::Instant,
};

use super::{Left, Problem, Summary, gather::Found};

/// Reasons kept for a look; all are logged.
const PROBLEMS_MAX: usize = 10_000;

#[derive(Default)]
pub(super) struct State {
    /// By the keys that lead to the folder.
    pub folders: BTreeMap<Vec<String>, Folder>,
    /// The same by path, where changes are followed.
    pub paths: Option<HashMap<PathBuf, Vec<String>>>,
    /// Those not begun, in the order in which they were found.
    pub queue: VecDeque<Vec<String>>,
    /// What was found and is not in the catalog yet, and about how many rows it is.
    pub pending: Vec<Batch>,
    pub pending_rows: usize,
    pub is_committing: bool,
    pub last_commit: Option<Instant>,
    /// Folders being looked at.
    pub busy: usize,
    /// Folders not done.
    pub open: usize,
    pub summary: Summary,
    pub problems: Vec<Problem>,
}

pub(super) struct Folder {
    pub node: i64,
    pub path: PathBuf,
    /// Whether its node was made for it, so that nothing is there already.
    pub fresh: bool,
    pub stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Waiting,
    Busy,
    Done,
}

/// Something found in a folder, to be put into the catalog.
pub(super) struct Batch {
    pub keys: Vec<String>,
    pub folder: PathBuf,
    pub found: Found,
    /// Whether the folder is done with it.
    pub last: bool,
}

impl Batch {
    pub fn rows(&self) -> usize {
        let changes = &self.found.changes;
        1 + changes.new.len() + changes.changed.len() + changes.gone.len()
    }
}

impl State {
    pub fn note(&mut self, left_out: Vec<Left>) {
        for left in left_out {
            let is_unknown = matches!(left, Left::Unknown(_));
            let (path, reason) = match left {
                Left::Unknown(path) => {
                    self.summary.unknown += 1;
                    tracing::debug!("skipped {}: no plugin opens it", path.display());
                    (path, "no plugin opens files of this kind".to_owned())
                }
                Left::Failed(path, reason) => {
                    self.summary.problems += 1;
                    tracing::warn!("left out {}: {reason}", path.display());
                    (path, reason)
                }
                Left::Unwritten(path, reason) => {
                    self.summary.problems += 1;
                    tracing::warn!("left out {}: {reason}", path.display());
                    self.summary.catalog_failure = Some(reason.clone());
                    (path, reason)
                }
            };
            if self.problems.len() < PROBLEMS_MAX {
                self.problems.push(Problem { path, reason, is_unknown });
            }
        }
    }

    /// Adds a folder whose turn will come.
    pub fn enter(&mut self, keys: Vec<String>, node: i64, path: PathBuf, fresh: bool) {
        if let Some(paths) = &mut self.paths {
            paths.insert(path.clone(), keys.clone());
        }
        let before = self.folders.get(&keys).map(|folder| folder.stage);
        match before {
            // Known already: only to be looked at again.
            Some(Stage::Waiting | Stage::Busy) => return,
            Some(Stage::Done) | None => self.open += 1,
        }
        self.folders.insert(keys.clone(), Folder { node, path, fresh, stage: Stage::Waiting });
        self.queue.push_back(keys);
    }

    /// Forgets a folder and all below it, unless something is being looked at there.
    pub fn leave(&mut self, keys: &[String]) {
        let below: Vec<Vec<String>> = self
            .folders
            .range(keys.to_vec()..)
            .take_while(|(key, _)| key.starts_with(keys))
            .map(|(key, _)| key.clone())
            .collect();
        for key in below {
            let Some(folder) = self.folders.get(&key) else { continue };
            if folder.stage == Stage::Busy {
                continue;
            }
            self.open -= usize::from(folder.stage == Stage::Waiting);
            if let Some(paths) = &mut self.paths {
                paths.remove(&folder.path);
            }
            self.folders.remove(&key);
        }
    }

    /// The keys of a folder that is followed.
    pub fn keys_of(&self, path: &Path) -> Option<Vec<String>> {
        self.paths.as_ref()?.get(path).cloned()
    }

    /// Takes note of what is in the catalog now. `made` are the ids of the new nodes, or why there are none.
    pub fn settle(&mut self, batch: Batch, made: Result<Vec<i64>, String>) {
        let Batch { keys, folder, found, last } = batch;
        self.note(found.left_out);
        match made {
            Ok(ids) => {
                self.summary.nodes += ids.len() as u64;
                self.summary.renewed += found.changes.changed.len() as u64;
                self.summary.removed += found.changes.gone.len() as u64;
                self.summary.unchanged += found.unchanged;
                self.summary.files += found.files;
                for below in found.folders {
                    let (node, fresh) = match below.node {
                        Ok(node) => (Some(node), false),
                        Err(at) => (ids.get(at).copied(), true),
                    };
                    let path: Vec<String> = keys.iter().cloned().chain([below.key]).collect();
                    if let Some(node) = node {
                        self.enter(path, node, below.path, fresh);
                    }
                }
            }
            Err(reason) => self.note(vec![Left::unwritten(&folder, reason)]),
        }
        if last && let Some(folder) = self.folders.get_mut(&keys) {
            folder.stage = Stage::Done;
            // What comes later finds what is there now.
            folder.fresh = false;
            self.open = self.open.saturating_sub(1);
        }
    }
}

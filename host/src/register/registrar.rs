//! Filling a catalog from a folder, each folder once: when somebody asks for it, or when its turn comes.

use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{Identify, folder, keys::Keys, nodes};
use crate::catalog::{Catalog, Content, NewNode, PageRequest, Start};

/// Reasons kept for a look; all are logged.
const PROBLEMS_MAX: usize = 10_000;
const PAGE: u64 = 10_000;

/// How to register.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Keys are whole file names.
    pub keep_ext: bool,
    /// First takes the children that are there already out of the catalog.
    pub overwrite: bool,
}

/// A file that is not in the catalog, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub path: PathBuf,
    /// In words.
    pub reason: String,
}

/// What became of a folder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Made, folders included.
    pub nodes: u64,
    /// Files and folders left out.
    pub problems: u64,
}

/// Registers one folder and all below it.
pub struct Registrar {
    catalog: Arc<Catalog>,
    identify: Arc<dyn Identify>,
    options: Options,
    /// Without links: where links may lead.
    root: PathBuf,
    state: Mutex<State>,
    done: Condvar,
    all_done: AtomicBool,
    stopped: AtomicBool,
}

#[derive(Default)]
struct State {
    /// By the keys that lead to the folder.
    folders: BTreeMap<Vec<String>, Stage>,
    /// Those not begun, in the order in which they were found.
    queue: VecDeque<Vec<String>>,
    /// Those being registered.
    busy: usize,
    /// Those not done.
    open: usize,
    summary: Summary,
    problems: Vec<Problem>,
}

enum Stage {
    /// The folder's node and path.
    Waiting(i64, PathBuf),
    Busy,
    Done,
}

impl Registrar {
    /// Prepares to register what is in `folder` as children of the node `parent`. A file, or a directory that is one
    /// thing, becomes one child. Nothing is registered yet but that.
    ///
    /// # Errors
    /// When the folder cannot be read, or the catalog fails.
    pub fn new(
        catalog: Arc<Catalog>,
        parent: i64,
        folder: &Path,
        options: Options,
        identify: Arc<dyn Identify>,
    ) -> Result<Self, String> {
        let named = |error: &dyn std::fmt::Display| format!("{}: {error}", folder.display());
        let path = std::path::absolute(folder).map_err(|e| named(&e))?;
        let root = path.canonicalize().map_err(|e| named(&e))?;
        if options.overwrite {
            clear(&catalog, parent).map_err(|e| named(&e))?;
        }
        let is_directory = root.is_dir();
        let mut state = State::default();
        if !is_directory || identify.identify(&path, true).is_some() {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let taken = taken(&catalog, parent).map_err(|e| named(&e))?;
            let entry = folder::Entry { path, name, is_directory };
            let found = nodes::of(vec![entry], &*identify, Keys::new(options.keep_ext, taken));
            catalog.insert_many(parent, &found.nodes).map_err(|e| named(&e))?;
            state.summary.nodes = found.nodes.len() as u64;
            state.note(found.left_out);
        } else {
            std::fs::read_dir(&path).map_err(|e| named(&e))?;
            state.folders.insert(Vec::new(), Stage::Waiting(parent, path));
            state.queue.push_back(Vec::new());
            state.open = 1;
        }
        let all_done = AtomicBool::new(state.queue.is_empty());
        Ok(Registrar {
            catalog,
            identify,
            options,
            root,
            state: Mutex::new(state),
            done: Condvar::new(),
            all_done,
            stopped: AtomicBool::new(false),
        })
    }

    /// Whether a folder on the way to these keys, the last included, is not registered yet. Costs nothing once all is.
    pub fn is_behind<S: AsRef<str>>(&self, keys: &[S]) -> bool {
        if self.all_done.load(Ordering::Acquire) {
            return false;
        }
        let state = self.lock();
        let mut path = Vec::with_capacity(keys.len());
        let mut keys = keys.iter();
        loop {
            match state.folders.get(&path) {
                Some(Stage::Done) => {}
                Some(Stage::Waiting(..) | Stage::Busy) => return true,
                None => return false,
            }
            let Some(key) = keys.next() else { return false };
            path.push(key.as_ref().to_owned());
        }
    }

    /// Registers the folders on the way to these keys, the last included, or waits until others have. Waits for no
    /// other folder.
    pub fn ensure<S: AsRef<str>>(&self, keys: &[S]) {
        for depth in 0..=keys.len() {
            let path: Vec<String> = keys.iter().take(depth).map(|key| key.as_ref().to_owned()).collect();
            if !self.ensure_one(&path) {
                return;
            }
        }
    }

    /// Registers everything that nobody asked for, until all is done or [`Registrar::stop`] is called.
    pub fn run(&self) -> Summary {
        while !self.stopped.load(Ordering::Acquire) {
            let next = self.lock().queue.pop_front();
            match next {
                Some(path) => {
                    self.ensure_one(&path);
                }
                // Those that others are at may still find folders.
                None => {
                    let mut state = self.lock();
                    if state.busy == 0 && state.queue.is_empty() {
                        break;
                    }
                    while state.busy > 0 && state.queue.is_empty() {
                        state = self.done.wait(state).unwrap_or_else(PoisonError::into_inner);
                    }
                }
            }
        }
        self.lock().summary
    }

    /// Makes [`Registrar::run`] end after the folder it is at.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }

    /// What was left out so far, up to some thousands.
    pub fn problems(&self) -> Vec<Problem> {
        self.lock().problems.clone()
    }

    /// What was done so far.
    pub fn summary(&self) -> Summary {
        self.lock().summary
    }

    /// False when there is no such folder.
    fn ensure_one(&self, path: &[String]) -> bool {
        let (node, folder) = {
            let mut state = self.lock();
            loop {
                match state.folders.get_mut(path) {
                    None => return false,
                    Some(Stage::Done) => return true,
                    Some(Stage::Busy) => {
                        state = self.done.wait(state).unwrap_or_else(PoisonError::into_inner)
                    }
                    Some(stage @ Stage::Waiting(..)) => {
                        let Stage::Waiting(node, folder) = std::mem::replace(stage, Stage::Busy) else {
                            return true;
                        };
                        state.busy += 1;
                        break (node, folder);
                    }
                }
            }
        };
        // Whatever happens, the others must not wait for ever.
        let _finish = Finish { registrar: self, path };
        self.fill(path, node, &folder);
        true
    }

    fn fill(&self, path: &[String], node: i64, folder: &Path) {
        let (entries, mut left_out) = match folder::entries(folder, &self.root) {
            Ok(entries) => entries,
            Err(error) => return self.lock().note(vec![(folder.to_owned(), error.to_string())]),
        };
        // Only where the catalog was not empty, or another process writes to it, is anything there already.
        let taken = match taken(&self.catalog, node) {
            Ok(taken) => taken,
            Err(error) => return self.lock().note(vec![(folder.to_owned(), error.to_string())]),
        };
        let mut found = nodes::of(entries, &*self.identify, Keys::new(self.options.keep_ext, taken));
        left_out.append(&mut found.left_out);
        let mut rows = found.nodes;
        let data = rows.len();
        rows.extend(found.folders.iter().map(|(key, _)| NewNode::container(key)));
        let ids = match self.catalog.insert_many(node, &rows) {
            Ok(ids) => ids,
            Err(error) => {
                left_out.push((folder.to_owned(), error.to_string()));
                return self.lock().note(left_out);
            }
        };
        let mut state = self.lock();
        state.summary.nodes += ids.len() as u64;
        state.note(left_out);
        for ((key, below), id) in found.folders.into_iter().zip(ids.into_iter().skip(data)) {
            let keys: Vec<String> = path.iter().cloned().chain([key]).collect();
            state.folders.insert(keys.clone(), Stage::Waiting(id, below));
            state.queue.push_back(keys);
            state.open += 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn note(&mut self, left_out: Vec<(PathBuf, String)>) {
        for (path, reason) in left_out {
            tracing::warn!("left out {}: {reason}", path.display());
            self.summary.problems += 1;
            if self.problems.len() < PROBLEMS_MAX {
                self.problems.push(Problem { path, reason });
            }
        }
    }
}

/// Marks a folder done, also when registering it panicked.
struct Finish<'a> {
    registrar: &'a Registrar,
    path: &'a [String],
}

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        let mut state = self.registrar.lock();
        state.folders.insert(self.path.to_vec(), Stage::Done);
        state.busy -= 1;
        state.open -= 1;
        if state.open == 0 {
            self.registrar.all_done.store(true, Ordering::Release);
        }
        self.registrar.done.notify_all();
    }
}

/// The keys of the children that a node has.
fn taken(catalog: &Catalog, node: i64) -> crate::catalog::Result<Vec<String>> {
    Ok(children(catalog, node)?.into_iter().map(|(_, key)| key).collect())
}

fn clear(catalog: &Catalog, node: i64) -> crate::catalog::Result<()> {
    let ids: Vec<i64> = children(catalog, node)?.into_iter().map(|(id, _)| id).collect();
    if ids.is_empty() { Ok(()) } else { catalog.remove(&ids) }
}

fn children(catalog: &Catalog, node: i64) -> crate::catalog::Result<Vec<(i64, String)>> {
    let mut found = Vec::new();
    let mut request = PageRequest { limit: PAGE, content: Content::Keys, ..PageRequest::default() };
    loop {
        let page = catalog.page(node, &request)?;
        found.extend(page.rows.into_iter().map(|row| (row.id, row.key)));
        match page.next_cursor {
            Some(cursor) => request.start = Start::Cursor(cursor),
            None => return Ok(found),
        }
    }
}

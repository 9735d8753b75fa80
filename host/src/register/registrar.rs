//! Filling a catalog from a folder, each folder once: when somebody asks for it, or when its turn comes.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    Identify, Left, Options, Problem, Summary, commit,
    folder::{self, Entry, Look},
    gather::{Found, Gather},
    prune,
    state::{Batch, Stage, State},
    watch::Watches,
};
use crate::catalog::Catalog;

/// Rows put into the catalog in one transaction, more or less, and the most that wait for it.
const ROWS: usize = 2000;
const ROWS_WAITING_MAX: usize = 10 * ROWS;
/// What was found is in the catalog after so long, however little it is.
const COMMIT_AFTER: Duration = Duration::from_millis(500);

/// Registers one folder and all below it.
pub struct Registrar {
    pub(super) catalog: Arc<Catalog>,
    pub(super) identify: Arc<dyn Identify>,
    pub(super) options: Options,
    /// As named, and without links: where links may lead.
    pub(super) root: PathBuf,
    pub(super) real_root: PathBuf,
    /// Where there is something to hear from, where changes are followed.
    pub(super) watches: Option<Watches>,
    state: Mutex<State>,
    changed: Condvar,
    all_done: AtomicBool,
    stopped: AtomicBool,
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
        Self::prepare(catalog, parent, folder, options, identify, None)
    }

    pub(super) fn prepare(
        catalog: Arc<Catalog>,
        parent: i64,
        folder: &Path,
        options: Options,
        identify: Arc<dyn Identify>,
        watches: Option<Watches>,
    ) -> Result<Self, String> {
        let named = |error: &dyn std::fmt::Display| format!("{}: {error}", folder.display());
        let root = std::path::absolute(folder).map_err(|e| named(&e))?;
        let real_root = root.canonicalize().map_err(|e| named(&e))?;
        if options.overwrite {
            prune::clear(&catalog, parent).map_err(|e| named(&e))?;
        }
        let is_directory = real_root.is_dir();
        let state = State { paths: watches.is_some().then(Default::default), ..State::default() };
        let registrar = Registrar {
            catalog,
            identify,
            options,
            root,
            real_root,
            watches,
            state: Mutex::new(state),
            changed: Condvar::new(),
            all_done: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
        };
        if is_directory && registrar.identify.identify(&registrar.root, true).is_none() {
            std::fs::read_dir(&registrar.root).map_err(|e| named(&e))?;
            let fresh = prune::is_empty(&registrar.catalog, parent).map_err(|e| named(&e))?;
            registrar.lock().enter(Vec::new(), parent, registrar.root.clone(), fresh);
        } else {
            let name = registrar.root.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let entry = Entry { path: registrar.root.clone(), name, is_directory, walk: None };
            registrar.look_at(&[], parent, false, vec![entry]).map_err(|e| named(&e))?;
            registrar.flush_all();
            registrar.all_done.store(true, Ordering::Release);
        }
        Ok(registrar)
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
            match state.folders.get(&path).map(|folder| folder.stage) {
                Some(Stage::Done) => {}
                Some(Stage::Waiting | Stage::Busy) => return true,
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
        std::thread::scope(|scope| {
            for _ in 1..self.options.workers.max(1) {
                scope.spawn(|| self.work());
            }
            self.work();
        });
        self.flush_all();
        self.summary()
    }

    /// Makes [`Registrar::run`] end after the folder it is at.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.changed.notify_all();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// What was left out so far, up to some thousands.
    pub fn problems(&self) -> Vec<Problem> {
        self.lock().problems.clone()
    }

    /// What was done so far.
    pub fn summary(&self) -> Summary {
        self.lock().summary.clone()
    }

    fn work(&self) {
        let mut state = self.lock();
        while !self.is_stopped() {
            let is_due = state.pending_rows >= ROWS
                || state.queue.is_empty()
                || state.last_commit.is_none_or(|last| last.elapsed() > COMMIT_AFTER);
            if is_due && !state.pending.is_empty() && !state.is_committing {
                state = self.flush(state);
            } else if state.pending_rows < ROWS_WAITING_MAX && !state.queue.is_empty() {
                if let Some(keys) = state.queue.pop_front() {
                    drop(state);
                    self.fill(&keys);
                    state = self.lock();
                }
            } else if state.busy == 0 && !state.is_committing && state.pending.is_empty() {
                return;
            } else {
                // Those that others are at may still find folders.
                state = self.wait(state);
            }
        }
    }

    /// False when there is no such folder.
    fn ensure_one(&self, path: &[String]) -> bool {
        let mut state = self.lock();
        loop {
            match state.folders.get(path).map(|folder| folder.stage) {
                None => return false,
                Some(Stage::Done) => return true,
                Some(Stage::Waiting) => {
                    drop(state);
                    self.fill(path);
                    state = self.lock();
                }
                Some(Stage::Busy) if !state.pending.is_empty() && !state.is_committing => {
                    state = self.flush(state);
                }
                Some(Stage::Busy) => state = self.wait(state),
            }
        }
    }

    /// Looks at a folder if nobody else does.
    fn fill(&self, keys: &[String]) {
        let (node, path, fresh) = {
            let mut state = self.lock();
            let Some(folder) = state.folders.get_mut(keys) else { return };
            if folder.stage != Stage::Waiting {
                return;
            }
            folder.stage = Stage::Busy;
            let known = (folder.node, folder.path.clone(), folder.fresh);
            state.busy += 1;
            known
        };
        // Whatever happens, the others must not wait for ever.
        let _end = End { registrar: self, keys, path: &path };
        if let Some(watches) = &self.watches {
            watches.add(&path);
        }
        let (entries, left_out) = match folder::entries(&self.look(&path)) {
            Ok(entries) => entries,
            Err(error) => return self.lock().note(vec![Left::failed(&path, error)]),
        };
        self.lock().note(left_out);
        if self.options.prune && !fresh {
            match prune::gone(&self.catalog, node, &path, &entries) {
                Ok(gone) => self.take_out(keys, node, &path, gone),
                Err(error) => self.lock().note(vec![Left::unwritten(&path, error)]),
            }
        }
        if let Err(error) = self.look_at(keys, node, fresh, entries) {
            self.lock().note(vec![Left::unwritten(&path, error)]);
        }
    }

    /// Finds out what to do for some entries of a folder, and lets it wait for the catalog.
    pub(super) fn look_at(
        &self,
        keys: &[String],
        parent: i64,
        fresh: bool,
        entries: Vec<Entry>,
    ) -> crate::catalog::Result<()> {
        let folder = entries.first().and_then(|entry| entry.path.parent()).unwrap_or(&self.root).to_owned();
        if let Some(watches) = &self.watches {
            let stores = entries.iter().filter(|entry| entry.is_directory);
            let stores = stores.filter(|entry| self.identify.identify(&entry.path, true).is_some());
            stores.for_each(|entry| watches.add_store(&entry.path));
        }
        let emit = |found: Found| {
            self.push(Batch { keys: keys.to_vec(), folder: folder.clone(), found, last: false });
        };
        let (catalog, identify, options) = (&*self.catalog, &*self.identify, &self.options);
        Gather { catalog, identify, options, parent, fresh, emit: &emit }.gather(entries)
    }

    pub(super) fn take_out(&self, keys: &[String], parent: i64, folder: &Path, gone: Vec<i64>) {
        if !gone.is_empty() {
            let mut found = Found::default();
            found.changes.parent = parent;
            found.changes.gone = gone;
            self.push(Batch { keys: keys.to_vec(), folder: folder.to_owned(), found, last: false });
        }
    }

    pub(super) fn look<'a>(&'a self, folder: &'a Path) -> Look<'a> {
        Look { folder, root: &self.root, real_root: &self.real_root, options: &self.options }
    }

    fn push(&self, batch: Batch) {
        let mut state = self.lock();
        state.pending_rows += batch.rows();
        state.pending.push(batch);
        self.changed.notify_all();
        while state.pending_rows >= ROWS_WAITING_MAX {
            state = if state.is_committing { self.wait(state) } else { self.flush(state) };
        }
    }

    /// Puts into the catalog what waits for it now.
    pub(super) fn flush_all(&self) {
        drop(self.flush(self.lock()));
    }

    /// Puts into the catalog what waits for it.
    fn flush<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        while state.is_committing {
            state = self.wait(state);
        }
        let mut batches = std::mem::take(&mut state.pending);
        if batches.is_empty() {
            return state;
        }
        state.pending_rows = 0;
        state.is_committing = true;
        drop(state);
        let committing = Committing(self);
        let made = commit::commit(&self.catalog, &mut batches, self.options.keep_ext);
        let mut state = self.lock();
        for (batch, made) in batches.into_iter().zip(made) {
            state.settle(batch, made);
        }
        if state.open == 0 {
            self.all_done.store(true, Ordering::Release);
        }
        drop(state);
        drop(committing);
        self.lock()
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, COMMIT_AFTER).unwrap_or_else(PoisonError::into_inner).0
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a commit, also when it panicked.
struct Committing<'a>(&'a Registrar);

impl Drop for Committing<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_committing = false;
        state.last_commit = Some(Instant::now());
        self.0.changed.notify_all();
    }
}

/// Marks a folder as looked at, also when that panicked.
struct End<'a> {
    registrar: &'a Registrar,
    keys: &'a [String],
    path: &'a Path,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        let mut state = self.registrar.lock();
        state.busy -= 1;
        let (keys, folder) = (self.keys.to_vec(), self.path.to_owned());
        let batch = Batch { keys, folder, found: Found::default(), last: true };
        state.pending_rows += batch.rows();
        state.pending.push(batch);
        self.registrar.changed.notify_all();
    }
}

//! Keeping a catalog like the folder it was filled from, as long as somebody wants.

use std::{
    collections::HashSet,
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    Left, Registrar,
    folder::{self, Entry},
    nodes,
    rules::Walk,
    sequence,
    watch::{Dirty, Due, Watches},
};
use crate::{
    catalog::Result,
    source::{path_of, uri_of},
};

/// How often the system is asked what has happened.
const LISTEN_EVERY: Duration = Duration::from_millis(50);

impl Registrar {
    /// Registers everything, then what is created, written, renamed, moved and deleted, until [`Registrar::stop`] is
    /// called. `ready` is called once when all is registered that was there before.
    pub fn run_and_watch(&self, ready: impl FnOnce(&Self)) {
        self.run();
        ready(self);
        let mut dirty = Dirty::default();
        while let Some(watches) = self.watches.as_ref().filter(|_| !self.is_stopped()) {
            std::thread::sleep(LISTEN_EVERY);
            if let Err(error) = watches.read(&mut dirty) {
                tracing::warn!("changes of {} are not heard of any more: {error}", self.root.display());
                return;
            }
            match dirty.due() {
                Due::Everything { lost } => {
                    if lost {
                        let root = self.root.display();
                        tracing::warn!("too many changes at once: {root} is looked at as a whole");
                    }
                    self.look_at_everything(watches);
                }
                Due::Names(due) if due.is_empty() => continue,
                Due::Names(due) => {
                    for (folder, names, new_directories) in due {
                        if let Err(error) = self.look_again(&folder, names, &new_directories) {
                            self.lock().note(vec![Left::unwritten(&folder, error)]);
                        }
                    }
                }
            }
            self.run();
        }
    }

    /// After changes that the system did not tell.
    fn look_at_everything(&self, watches: &Watches) {
        watches.forget(&self.root);
        let mut state = self.lock();
        let known: Vec<_> =
            state.folders.iter().map(|(keys, f)| (keys.clone(), f.node, f.path.clone())).collect();
        for (keys, node, path) in known {
            if path.is_dir() {
                state.enter(keys, node, path, false);
            }
        }
    }

    /// Some names of a folder, which may be there or not.
    fn look_again(&self, path: &Path, names: HashSet<OsString>, new: &HashSet<OsString>) -> Result<()> {
        let Some((keys, node)) = self.known(path) else { return Ok(()) };
        let is_there = |name: &OsString| path.join(name).symlink_metadata().is_ok();
        let (mut there, gone): (HashSet<OsString>, HashSet<OsString>) = names.into_iter().partition(is_there);
        self.forget(&keys, node, path, gone, &mut there)?;
        // Folders that are known need no look: what is in them tells itself. One that came just now may be another.
        let mut folders = Vec::new();
        there.retain(|name| match self.known(&path.join(name)) {
            Some((keys, node)) => {
                folders.push((keys, node, path.join(name), new.contains(name)));
                false
            }
            None => true,
        });
        for (keys, node, path, is_new) in folders {
            if is_new {
                self.lock().enter(keys, node, path, false);
            }
        }
        if there.is_empty() {
            return Ok(());
        }
        let (entries, left_out) = match self.entries_again(path, &there) {
            Ok(listing) => listing,
            Err(error) => {
                self.lock().note(vec![Left::failed(path, error)]);
                return Ok(());
            }
        };
        self.lock().note(left_out);
        self.look_at(&keys, node, false, entries)?;
        self.flush_all();
        Ok(())
    }

    /// The entries of these names, and with numbered files all others of their sequence.
    fn entries_again(&self, path: &Path, names: &HashSet<OsString>) -> std::io::Result<folder::Listing> {
        let look = self.look(path);
        let (mut entries, left_out) = folder::entries_named(&look, names)?;
        let in_sequence = |entry: &Entry| {
            let known = self.identify.identify(&entry.path, false).filter(|known| known.sequence.is_some());
            known.is_some_and(|known| match entry.walk {
                Some(walk) => walk == Walk::Sequence,
                None => known.is_frame,
            })
        };
        let numbered = entries.iter().filter(|entry| !entry.is_directory && in_sequence(entry));
        let prefixes: HashSet<String> =
            numbered.filter_map(|entry| sequence::prefix(&entry.name)).map(str::to_owned).collect();
        if !prefixes.is_empty() {
            let known: HashSet<PathBuf> = entries.iter().map(|entry| entry.path.clone()).collect();
            let others = folder::entries(&look)?.0.into_iter().filter(|entry| {
                !entry.is_directory
                    && !known.contains(&entry.path)
                    && sequence::prefix(&entry.name).is_some_and(|prefix| prefixes.contains(prefix))
                    && in_sequence(entry)
            });
            entries.extend(others);
            entries.sort_by(|a, b| a.path.cmp(&b.path));
        }
        Ok((entries, left_out))
    }

    /// Takes out what is gone. Of a sequence that still has files one is added to those that are `there`.
    fn forget(
        &self,
        keys: &[String],
        node: i64,
        path: &Path,
        gone: HashSet<OsString>,
        there: &mut HashSet<OsString>,
    ) -> Result<()> {
        if gone.is_empty() {
            return Ok(());
        }
        let mut ids = Vec::new();
        let uris: Vec<String> = gone.iter().map(|name| uri_of(&path.join(name))).collect();
        for file in self.catalog.file_nodes(node, &uris)?.into_iter().filter(nodes::is_ours) {
            let rest = file.source.assets.iter().filter_map(|asset| path_of(&asset.data_uri).ok());
            match rest.into_iter().find(|path| path.symlink_metadata().is_ok()) {
                Some(rest) => there.extend(rest.file_name().map(OsString::from)),
                None => ids.push(file.id),
            }
        }
        for name in &gone {
            let below = path.join(name);
            if let Some((keys, node)) = self.known(&below) {
                if let Some(watches) = &self.watches {
                    watches.forget(&below);
                }
                if self.catalog.keeps_own_data(node)? {
                    let reason = "the folder is gone, but its node has data that clients wrote: it stays";
                    self.lock().note(vec![Left::failed(&below, reason)]);
                } else {
                    ids.push(node);
                }
                self.lock().leave(&keys);
            }
        }
        self.take_out(keys, node, path, ids);
        // Before anything comes in its place, under its key.
        self.flush_all();
        Ok(())
    }

    fn known(&self, path: &Path) -> Option<(Vec<String>, i64)> {
        let state = self.lock();
        let keys = state.keys_of(path)?;
        let node = state.folders.get(&keys)?.node;
        Some((keys, node))
    }
}

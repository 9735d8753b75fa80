//! Which chunks were replaced while somebody changed a part of them.
//!
//! Two writers may change different parts of one chunk at a time. Each reads it and adds its part; who commits second
//! would take back what the first has added. So each has a [`Ticket`] from before it read, and looks at the commit, which
//! nobody else does at that time, whether the chunk was replaced since: then it adds its part to the new one.

use std::{
    collections::HashMap,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    path::{Path, PathBuf},
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

#[derive(Default)]
struct Watched {
    tickets: usize,
    changes: u64,
}

static WATCHED: LazyLock<Mutex<HashMap<PathBuf, Watched>>> = LazyLock::new(Mutex::default);

/// Arrays share locks: their number must not grow with that of arrays.
const LOCKS: usize = 64;
static COMMITTING: [Mutex<()>; LOCKS] = [const { Mutex::new(()) }; LOCKS];

/// Waits until nobody else commits to the array in this directory.
pub fn commit_lock(directory: &Path) -> MutexGuard<'static, ()> {
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(directory);
    let [first, ..] = &COMMITTING;
    let lock = COMMITTING.get((hash % LOCKS as u64) as usize).unwrap_or(first);
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

fn watched() -> MutexGuard<'static, HashMap<PathBuf, Watched>> {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says that these files were replaced. Call it after that, with the array's lock.
pub fn note<'a>(files: impl IntoIterator<Item = &'a Path>) {
    let mut watched = watched();
    if watched.is_empty() {
        return;
    }
    for file in files {
        if let Some(watched) = watched.get_mut(file) {
            watched.changes += 1;
        }
    }
}

/// Knows whether a file was replaced since.
#[derive(Debug)]
pub struct Ticket {
    /// The file.
    pub path: PathBuf,
    seen: u64,
}

impl Ticket {
    /// A ticket from now on.
    pub fn of(path: PathBuf) -> Self {
        let mut all = watched();
        let entry = all.entry(path.clone()).or_default();
        entry.tickets += 1;
        Ticket { path, seen: entry.changes }
    }

    /// Whether the file was replaced since.
    pub fn is_stale(&self) -> bool {
        watched().get(&self.path).is_none_or(|entry| entry.changes != self.seen)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut all = watched();
        if let Some(entry) = all.get_mut(&self.path) {
            entry.tickets -= 1;
            if entry.tickets == 0 {
                all.remove(&self.path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_stale_when_its_file_was_replaced_and_forgotten_with_the_last() {
        let path = PathBuf::from("/nowhere/c/0");
        let (one, other) = (Ticket::of(path.clone()), Ticket::of("/nowhere/c/1".into()));
        note([path.as_path()]);
        let later = Ticket::of(path.clone());
        assert_eq!((one.is_stale(), other.is_stale(), later.is_stale()), (true, false, false));
        drop((one, later));
        assert!(!watched().contains_key(&path));
    }
}

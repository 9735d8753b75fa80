//! What changes in folders, as the system tells it (inotify): which names of which folder to look at again, and when.
//! A file is looked at when its writer has closed it, or when nothing has happened to it for a while.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use inotify::{EventMask, Inotify, WatchDescriptor, WatchMask};

/// After a file was closed, renamed or deleted: several such events are handled together.
const SETTLED: Duration = Duration::from_millis(200);
/// After a file that is still open was written to.
const QUIET: Duration = Duration::from_secs(2);
/// A file that is written to without end is looked at that often.
const PATIENCE: Duration = Duration::from_secs(10);
/// Where the system does not tell of all changes, everything is looked at that often.
const RESCAN: Duration = Duration::from_secs(60);
const EVENT_BYTES: usize = 64 * 1024;

/// What is heard from.
pub(super) struct Watches {
    inotify: Mutex<Inotify>,
    adder: inotify::Watches,
    watched: Mutex<HashMap<WatchDescriptor, Watched>>,
    /// Whether the system refused to watch a folder.
    incomplete: AtomicBool,
}

#[derive(Clone)]
struct Watched {
    path: PathBuf,
    /// A directory that is one node: what happens in it happens to it.
    is_store: bool,
}

impl Watches {
    pub fn new() -> std::io::Result<Self> {
        let inotify = Inotify::init()?;
        let adder = inotify.watches();
        Ok(Watches {
            inotify: Mutex::new(inotify),
            adder,
            watched: Mutex::default(),
            incomplete: AtomicBool::new(false),
        })
    }

    /// Hears from a folder from now on: to be called before it is read.
    pub fn add(&self, folder: &Path) {
        self.watch(folder, false);
    }

    /// The same for a directory that is one node.
    pub fn add_store(&self, directory: &Path) {
        self.watch(directory, true);
    }

    fn watch(&self, path: &Path, is_store: bool) {
        let mask = WatchMask::CREATE
            | WatchMask::CLOSE_WRITE
            | WatchMask::MODIFY
            | WatchMask::ATTRIB
            | WatchMask::MOVED_FROM
            | WatchMask::MOVED_TO
            | WatchMask::DELETE
            | WatchMask::ONLYDIR;
        // Locked meanwhile, so that no event comes before its folder is known.
        let mut watched = lock(&self.watched);
        match self.adder.clone().add(path, mask) {
            Ok(descriptor) => {
                watched.insert(descriptor, Watched { path: path.to_owned(), is_store });
            }
            Err(error) => {
                let advice = if error.raw_os_error() == Some(libc::ENOSPC) {
                    "; raise the limit (sysctl fs.inotify.max_user_watches)"
                } else {
                    ""
                };
                if !self.incomplete.swap(true, Ordering::AcqRel) {
                    let every = RESCAN.as_secs();
                    tracing::warn!(
                        "cannot watch {}: {error}{advice}. Everything is looked at every {every} s instead",
                        path.display()
                    );
                }
            }
        }
    }

    /// Hears no more from a folder that is gone from there, and from all below it.
    pub fn forget(&self, folder: &Path) {
        let mut watched = lock(&self.watched);
        let below: Vec<WatchDescriptor> = watched
            .iter()
            .filter(|(_, watched)| watched.path.starts_with(folder))
            .map(|(descriptor, _)| descriptor.clone())
            .collect();
        for descriptor in below {
            watched.remove(&descriptor);
            // Deleted directories are forgotten by the system itself.
            let _ = self.adder.clone().remove(descriptor);
        }
    }

    /// Puts what has happened into `dirty`. Does not wait.
    pub fn read(&self, dirty: &mut Dirty) -> std::io::Result<()> {
        let mut buffer = vec![0; EVENT_BYTES];
        loop {
            let mut inotify = lock(&self.inotify);
            let events = match inotify.read_events(&mut buffer) {
                Ok(events) => events,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            let mut watched = lock(&self.watched);
            for event in events {
                if event.mask.contains(EventMask::Q_OVERFLOW) {
                    dirty.everything = true;
                } else if event.mask.contains(EventMask::IGNORED) {
                    watched.remove(&event.wd);
                } else if let Some(watched) = watched.get(&event.wd) {
                    dirty.happened(watched, event.mask, event.name);
                }
            }
        }
        let since = dirty.last_rescan.get_or_insert_with(Instant::now);
        dirty.is_time = self.incomplete.load(Ordering::Acquire) && since.elapsed() > RESCAN;
        Ok(())
    }
}

/// What has to be looked at, now or soon.
#[derive(Default)]
pub(super) struct Dirty {
    folders: BTreeMap<PathBuf, HashMap<OsString, Change>>,
    /// Whether changes were lost.
    everything: bool,
    /// Whether some folders cannot be watched and should be looked at.
    is_time: bool,
    last_rescan: Option<Instant>,
}

struct Change {
    first: Instant,
    last: Instant,
    /// Whether its writer is done with it.
    is_closed: bool,
    /// Whether it is a directory that came from elsewhere.
    is_new_directory: bool,
}

/// What has to be looked at now.
pub(super) enum Due {
    /// All that is registered; whether changes were lost, or only may have been.
    Everything { lost: bool },
    /// Names by folder, and which of them are directories that came just now.
    Names(Vec<(PathBuf, HashSet<OsString>, HashSet<OsString>)>),
}

impl Dirty {
    fn happened(&mut self, watched: &Watched, mask: EventMask, name: Option<&OsStr>) {
        let (folder, name) = if watched.is_store {
            (watched.path.parent(), watched.path.file_name())
        } else {
            (Some(watched.path.as_path()), name)
        };
        let (Some(folder), Some(name)) = (folder, name) else { return };
        if name.as_encoded_bytes().starts_with(b".") {
            return;
        }
        let is_directory = mask.contains(EventMask::ISDIR);
        // Attributes of directories change with every entry; what is in them tells itself.
        if is_directory && !watched.is_store && mask.contains(EventMask::ATTRIB) {
            return;
        }
        let is_new = !watched.is_store && mask.intersects(EventMask::CREATE | EventMask::MOVED_TO);
        let is_open = !is_directory && mask.intersects(EventMask::CREATE | EventMask::MODIFY);
        let now = Instant::now();
        let change = self
            .folders
            .entry(folder.to_owned())
            .or_default()
            .entry(name.to_owned())
            .or_insert(Change { first: now, last: now, is_closed: false, is_new_directory: false });
        change.last = now;
        change.is_closed = !is_open;
        change.is_new_directory |= is_directory && is_new;
    }

    /// Takes out what is to be looked at now.
    pub fn due(&mut self) -> Due {
        let lost = std::mem::take(&mut self.everything);
        if lost || std::mem::take(&mut self.is_time) {
            self.folders.clear();
            self.last_rescan = Some(Instant::now());
            return Due::Everything { lost };
        }
        let mut due = Vec::new();
        for (folder, names) in &mut self.folders {
            let is_due = |change: &Change| {
                let wait = if change.is_closed { SETTLED } else { QUIET };
                change.last.elapsed() >= wait || change.first.elapsed() >= PATIENCE
            };
            let ready: Vec<OsString> =
                names.iter().filter(|(_, change)| is_due(change)).map(|(name, _)| name.clone()).collect();
            let mut directories = HashSet::new();
            for name in &ready {
                if names.remove(name).is_some_and(|change| change.is_new_directory) {
                    directories.insert(name.clone());
                }
            }
            if !ready.is_empty() {
                due.push((folder.clone(), ready.into_iter().collect(), directories));
            }
        }
        self.folders.retain(|_, names| !names.is_empty());
        Due::Names(due)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

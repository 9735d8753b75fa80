//! From a path to an object, link by link.
//!
//! libhdf5 never follows a soft or external link here: soft links are spliced into the path, external ones go through
//! the host, which keeps them within the readable roots. A path takes at most [`MAX_HOPS`] links.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use tiled_plugin_api::prelude::*;

use super::{
    dataset::Dataset,
    file::{H5File, Snapshot},
    raw::{self, Id, LinkKind, ObjectKind},
    read::Reading,
    text, virtuals,
};

/// The files that links of one root file lead to.
pub(crate) struct Linked {
    /// The file that was opened.
    pub(crate) root: Arc<H5File>,
    host: Host,
    swmr: bool,
    others: Mutex<HashMap<String, Arc<H5File>>>,
    known: Mutex<HashMap<(String, String), Known>>,
}

/// A dataset as it was described when its file, and the file it was looked up in, were in these states.
struct Known {
    root: Arc<Snapshot>,
    dataset: Arc<Dataset>,
}

/// An object that a path leads to.
pub(crate) struct Located {
    /// The file that holds it.
    pub(crate) file: Arc<H5File>,
    /// Its state.
    pub(crate) snapshot: Arc<Snapshot>,
    /// Opened by libhdf5.
    pub(crate) object: Id,
    /// What it is.
    pub(crate) kind: ObjectKind,
    /// Its path within that file, by hard links alone, without a leading slash.
    pub(crate) inner: String,
}

/// Links on the way of one path.
const MAX_HOPS: u32 = 32;
/// Files that one root file may lead to.
const MAX_FILES: usize = 256;
/// Datasets whose descriptions are kept.
const MAX_DATASETS: usize = 4096;

/// What still lies ahead, and whether the path that was asked for says so itself or a link.
type Ahead = VecDeque<(String, bool)>;

impl Linked {
    /// The files around `root`.
    pub(crate) fn new(root: Arc<H5File>, host: Host, swmr: bool) -> Self {
        Linked { root, host, swmr, others: Mutex::default(), known: Mutex::default() }
    }

    /// The services of the host.
    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// The object at `path` of the root file.
    ///
    /// # Errors
    /// `NotFound`; `BrokenLink` for a link that leads nowhere; `Forbidden` for one that leads out.
    pub(crate) fn locate(&self, path: &str) -> Result<Located> {
        self.locate_in(&self.root, path)
    }

    /// The child `key` of a group that was located at `path`'s parent: one step where it is a hard link.
    ///
    /// # Errors
    /// As `locate`.
    pub(crate) fn locate_child(&self, group: &Located, key: &str, path: &str) -> Result<Located> {
        if !matches!(raw::link_kind(&group.object, key), Ok(Some(LinkKind::Hard))) {
            return self.locate(path);
        }
        let place = |e: Error| e.within(format!("{}: /{path}", group.snapshot.name));
        let object = raw::open_child(&group.object, key).map_err(place)?;
        let kind = raw::object_kind(&object).map_err(place)?;
        let inner = if group.inner.is_empty() { key.to_owned() } else { format!("{}/{key}", group.inner) };
        Ok(Located { file: group.file.clone(), snapshot: group.snapshot.clone(), object, kind, inner })
    }

    /// As `locate`, in another file.
    pub(crate) fn locate_in(&self, file: &Arc<H5File>, path: &str) -> Result<Located> {
        let mut hops = 0;
        let mut ahead: Ahead = keys(path).map(|key| (key.to_owned(), false)).collect();
        let mut at = Walk::start(file.clone())?;
        while let Some((key, by_link)) = ahead.pop_front() {
            match at.link(&key) {
                Ok(Some(LinkKind::Hard)) => at.descend(&key).map_err(|e| dangling(&at, path, by_link, e))?,
                Ok(Some(link)) => {
                    hops += 1;
                    if hops > MAX_HOPS {
                        return Err(broken(&at, path).with_detail("too many links on the way"));
                    }
                    self.follow(&mut at, link, path, &mut ahead)?;
                }
                Ok(None) if by_link => return Err(broken(&at, path)),
                Ok(None) => {
                    return Err(Error::not_found(format!("{}: no object at /{path}", at.snapshot.name)));
                }
                Err(error) => return Err(dangling(&at, path, by_link, error)),
            }
        }
        let kind = raw::object_kind(&at.object)?;
        Ok(Located {
            file: at.file,
            snapshot: at.snapshot,
            object: at.object,
            kind,
            inner: at.inner.join("/"),
        })
    }

    fn follow(&self, at: &mut Walk, link: LinkKind, path: &str, ahead: &mut Ahead) -> Result<()> {
        let target = match link {
            LinkKind::Soft(target) => {
                if target.starts_with('/') {
                    at.restart()?;
                }
                target
            }
            LinkKind::External { file, path: target } => {
                let other = self.other(&at.snapshot, &file).map_err(|error| match error.kind {
                    ErrorKind::Forbidden | ErrorKind::Busy => error,
                    _ => broken(at, path).with_detail(error),
                })?;
                *at = Walk::start(other).map_err(|e| broken(at, path).with_detail(e))?;
                target
            }
            LinkKind::Hard | LinkKind::Unknown => {
                return Err(broken(at, path).with_detail("a link of unknown kind"));
            }
        };
        for key in keys(&target).rev() {
            ahead.push_front((key.to_owned(), true));
        }
        Ok(())
    }

    /// The dataset at `path` of `file`, described anew only where the file has changed.
    ///
    /// # Errors
    /// As `locate`; `InvalidArgument` where the object is no dataset.
    pub(crate) fn dataset(
        &self,
        cx: &Context,
        file: &Arc<H5File>,
        path: &str,
        depth: u32,
    ) -> Result<Arc<Dataset>> {
        if let Some(dataset) = self.known(file, path)? {
            return Ok(dataset);
        }
        let root = file.snapshot()?;
        self.described(cx, self.locate_in(file, path)?, (file.uri(), path.to_owned()), root, depth)
    }

    /// The dataset at `path` of `file`, where it was described before and no file on the way has changed.
    ///
    /// # Errors
    /// `NotFound` when a file has gone.
    pub(crate) fn known(&self, file: &Arc<H5File>, path: &str) -> Result<Option<Arc<Dataset>>> {
        let root = file.snapshot()?;
        let key = (file.uri(), path.to_owned());
        let known = {
            let all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            all.get(&key).filter(|k| Arc::ptr_eq(&k.root, &root)).map(|k| k.dataset.clone())
        };
        let Some(dataset) = known else { return Ok(None) };
        Ok(Arc::ptr_eq(&dataset.file.snapshot()?, &dataset.snapshot).then_some(dataset))
    }

    /// The dataset that was located at `path` of the root file.
    pub(crate) fn located(&self, cx: &Context, path: &str, located: Located) -> Result<Arc<Dataset>> {
        let root = self.root.snapshot()?;
        self.described(cx, located, (self.root.uri(), path.to_owned()), root, 0)
    }

    fn described(
        &self,
        cx: &Context,
        located: Located,
        key: (String, String),
        root: Arc<Snapshot>,
        depth: u32,
    ) -> Result<Arc<Dataset>> {
        if located.kind != ObjectKind::Dataset {
            let message = format!("{}: /{} is no dataset", located.snapshot.name, key.1);
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        let dataset = Dataset::open(located)?;
        let with = Reading { cx, linked: self, depth };
        let dataset = virtuals::sized(&with, text::widened(&with, dataset)?)?;
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_DATASETS {
            all.clear();
        }
        all.insert(key, Known { root, dataset: dataset.clone() });
        Ok(dataset)
    }

    /// The file that a link inside `base` names.
    ///
    /// # Errors
    /// Those of the host, and of opening it.
    pub(crate) fn other(&self, base: &Snapshot, name: &str) -> Result<Arc<H5File>> {
        let source = self.host.resolve(&base.uri, name)?;
        let uri = source.uri();
        if uri == self.root.uri() {
            return Ok(self.root.clone());
        }
        if let Some(file) = self.others.lock().unwrap_or_else(PoisonError::into_inner).get(&uri) {
            return Ok(file.clone());
        }
        let file = H5File::open(source, self.swmr)?;
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if others.len() >= MAX_FILES {
            others.clear();
        }
        others.insert(uri, file.clone());
        Ok(file)
    }
}

/// The keys of a path of HDF5: empty ones and `.` mean nothing.
fn keys(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/').filter(|key| !key.is_empty() && *key != ".")
}

fn broken(at: &Walk, path: &str) -> Error {
    Error::new(ErrorKind::BrokenLink, format!("Unable to open object at {}//{path}", at.snapshot.uri))
}

/// An object that cannot be opened: behind a link that is the link's fault, else the file's.
fn dangling(at: &Walk, path: &str, by_link: bool, error: Error) -> Error {
    if by_link {
        broken(at, path).with_detail(error)
    } else {
        error.within(format!("{}: /{path}", at.snapshot.name))
    }
}

/// A place on the way.
struct Walk {
    file: Arc<H5File>,
    snapshot: Arc<Snapshot>,
    object: Id,
    inner: Vec<String>,
}

impl Walk {
    fn start(file: Arc<H5File>) -> Result<Walk> {
        let snapshot = file.snapshot()?;
        let object = raw::open_root(snapshot.session()?).map_err(|e| e.within(&snapshot.name))?;
        Ok(Walk { file, snapshot, object, inner: vec![] })
    }

    fn restart(&mut self) -> Result<()> {
        self.object = raw::open_root(self.snapshot.session()?).map_err(|e| e.within(&self.snapshot.name))?;
        self.inner.clear();
        Ok(())
    }

    /// The link `key` of this place; `None` where it has none, or is no group.
    fn link(&self, key: &str) -> Result<Option<LinkKind>> {
        if raw::object_kind(&self.object)? != ObjectKind::Group {
            return Ok(None);
        }
        raw::link_kind(&self.object, key)
    }

    fn descend(&mut self, key: &str) -> Result<()> {
        self.object = raw::open_child(&self.object, key)?;
        self.inner.push(key.to_owned());
        Ok(())
    }
}

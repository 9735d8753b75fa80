//! An HDF5 file (or several alike) as a tree of nodes: groups are containers, datasets are arrays.

use std::sync::Arc;

use serde_json::Value;
use tiled_plugin_api::prelude::*;

use super::{
    file::H5File,
    links::{Linked, Located},
    raw::{self, ObjectKind},
    read::Reading,
    view::{Cut, View},
};

/// An opened file, or several whose datasets are joined.
pub(crate) struct Hdf5Adapter {
    linked: Linked,
    /// Further files, whose datasets continue those of the first.
    more: Vec<Arc<H5File>>,
    /// The object that is the root of the tree, a path within the file.
    dataset: String,
    cut: Cut,
    /// What the catalog says of that object, where it is an array.
    declared: Option<ArrayStructure>,
}

impl Hdf5Adapter {
    /// Over the files of a request; `dataset` is the object that is served.
    pub(crate) fn new(linked: Linked, more: Vec<Arc<H5File>>, dataset: String, cut: Cut) -> Self {
        Hdf5Adapter { linked, more, dataset, cut, declared: None }
    }

    /// With what the catalog says of the array that is served.
    pub(crate) fn declared(mut self, declared: Option<ArrayStructure>) -> Self {
        self.declared = declared;
        self
    }

    fn inner(&self, path: &str) -> String {
        [self.dataset.as_str(), path].iter().filter(|p| !p.is_empty()).copied().collect::<Vec<_>>().join("/")
    }

    fn view(&self, cx: &Context, path: &str) -> Result<View> {
        let inner = self.inner(path);
        let mut parts = vec![self.linked.dataset(cx, &self.linked.root, &inner, 0)?];
        self.continued(cx, &inner, &mut parts)?;
        self.over(parts, path)
    }

    fn over(&self, parts: Vec<Arc<super::dataset::Dataset>>, path: &str) -> Result<View> {
        let view = View::new(parts, &self.cut_of(path))?;
        match &self.declared {
            Some(declared) if path.is_empty() => view.declared(declared.clone()),
            _ => Ok(view),
        }
    }

    fn continued(
        &self,
        cx: &Context,
        inner: &str,
        parts: &mut Vec<Arc<super::dataset::Dataset>>,
    ) -> Result<()> {
        for file in &self.more {
            parts.push(self.linked.dataset(cx, file, inner, 0)?);
        }
        Ok(())
    }

    /// The data source's slice is meant for a dataset that is the root itself.
    fn cut_of(&self, path: &str) -> Cut {
        if path.is_empty() { self.cut.clone() } else { Cut::default() }
    }

    fn describe_located(&self, cx: &Context, path: &str, located: Located) -> Result<Description> {
        match located.kind {
            ObjectKind::Group => {
                let count = raw::list_links(&located.object, 0, 0)?.count;
                let attributes = raw::attributes(&located.object, &|at| located.snapshot.name_of(at))?;
                Ok(Description::container(count).with_metadata(Value::Object(attributes)))
            }
            ObjectKind::Dataset => {
                let inner = self.inner(path);
                let mut parts = vec![self.linked.located(cx, &inner, located)?];
                self.continued(cx, &inner, &mut parts)?;
                self.over(parts, path)?.describe()
            }
            ObjectKind::Other => {
                let message =
                    format!("{}: /{} is a named data type", located.snapshot.name, self.inner(path));
                Err(Error::unsupported_format(message))
            }
        }
    }

    fn child(&self, cx: &Context, group: &Located, path: &str, key: String, keys_only: bool) -> Child {
        if keys_only {
            return Child { key, description: None, broken: None };
        }
        let path = if path.is_empty() { key.clone() } else { format!("{path}/{key}") };
        let described = self
            .linked
            .locate_child(group, &key, &self.inner(&path))
            .and_then(|located| self.describe_located(cx, &path, located));
        match described {
            Ok(description) => Child { key, description: Some(description), broken: None },
            Err(error) => Child { key, description: None, broken: Some(error.message) },
        }
    }
}

impl Adapter for Hdf5Adapter {
    fn describe(&self, path: &str) -> Result<Description> {
        let inner = self.inner(path);
        if self.linked.known(&self.linked.root, &inner)?.is_some() {
            return self.view(&Context::unbounded(), path)?.describe();
        }
        self.describe_located(&Context::unbounded(), path, self.linked.locate(&inner)?)
    }

    fn children(&self, path: &str, request: &ChildrenRequest) -> Result<Children> {
        let located = self.linked.locate(&self.inner(path))?;
        if located.kind != ObjectKind::Group {
            let message = format!("{}: /{} is no group", located.snapshot.name, self.inner(path));
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        let place = |e: Error| e.within(format!("{}: group /{}", located.snapshot.name, located.inner));
        let links = raw::list_links(&located.object, request.offset, request.limit).map_err(place)?;
        let cx = Context::unbounded();
        let items = links
            .names
            .into_iter()
            .map(|name| self.child(&cx, &located, path, name.0, request.keys_only))
            .collect();
        Ok(Children { count: links.count, items })
    }

    fn plan(&self, path: &str, slice: &[SliceDim]) -> Result<Option<Plan>> {
        self.view(&Context::unbounded(), path)?.plan(slice)
    }

    fn read_into(&self, cx: &Context, path: &str, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
        let view = self.view(cx, path)?;
        view.read(&Reading { cx, linked: &self.linked, depth: 0 }, slice, out)
    }

    fn revision(&self, _path: &str) -> Result<u64> {
        let mut revision = self.linked.root.snapshot()?.version;
        for file in &self.more {
            revision = revision.rotate_left(1) ^ file.snapshot()?.version;
        }
        Ok(revision.max(1))
    }
}

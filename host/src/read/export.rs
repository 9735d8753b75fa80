//! Nodes of the tree as adapters, for serializers that walk them. Every step is a [`Tree::find`] with the caller's own
//! scopes, so an export holds nothing that the caller could not read one by one.

use std::sync::Arc;

use tiled_plugin_api::{
    author::{Adapter, Buffers, Context, Error, ErrorKind, OwnedBuffer, Result, TableRequest, TableStream},
    model::{Child, Children, ChildrenRequest, Description, Plan, SliceDim, StructureFamily},
};
use tokio::runtime::Handle;

use crate::{
    access::{Caller, Scope},
    tree::{Entry, ListRequest, Node, Place, Tree, TreeError},
};

/// A container and all below it. Runs on a plugin's thread, which may wait.
pub(super) struct Walk {
    tree: Arc<Tree>,
    cx: Context,
    caller: Caller,
    root: Node,
    /// The children that were asked for.
    fields: Option<Vec<String>>,
    runtime: Handle,
}

impl Walk {
    pub(super) fn new(
        tree: Arc<Tree>,
        cx: Context,
        caller: Caller,
        root: Node,
        fields: Option<Vec<String>>,
    ) -> Self {
        Walk { tree, cx, caller, root, fields, runtime: Handle::current() }
    }

    fn find(&self, path: &str) -> Result<Node> {
        if path.is_empty() {
            return Ok(self.root.clone());
        }
        let below = path.split('/').map(str::to_owned);
        let path: Vec<String> = self.root.path.iter().cloned().chain(below).collect();
        self.runtime.block_on(self.tree.find(&self.cx, &path, self.caller, Scope::ReadData)).map_err(plain)
    }

    fn adapter(&self, node: &Node) -> Result<(Arc<dyn Adapter>, String)> {
        let (opened, inner) = self.runtime.block_on(self.tree.adapter_of(&self.cx, node)).map_err(plain)?;
        Ok((opened.adapter().clone(), inner))
    }
}

/// The error of the tree as a plugin sees it.
fn plain(error: TreeError) -> Error {
    match error {
        TreeError::Data(error) => error,
        TreeError::NoEntry(_) => Error::not_found(error.to_string()),
        TreeError::Scope(_) => Error::new(ErrorKind::Forbidden, error.to_string()),
        TreeError::Family { .. } => Error::new(ErrorKind::InvalidArgument, error.to_string()),
        TreeError::Catalog(_) => Error::internal(error),
    }
}

fn describe(node: &Node) -> Description {
    Description {
        structure_family: node.family,
        structure: node.structure.clone(),
        metadata: node.metadata_value(),
        specs: node.specs.clone(),
        count: node.count,
    }
}

impl Adapter for Walk {
    fn describe(&self, path: &str) -> Result<Description> {
        Ok(describe(&self.find(path)?))
    }

    fn children(&self, path: &str, request: &ChildrenRequest) -> Result<Children> {
        let node = self.find(path)?;
        if let Some(fields) = self.fields.as_ref().filter(|_| path.is_empty()) {
            let wanted = fields.iter().skip(request.offset as usize).take(request.limit as usize);
            let one = |key: &String| {
                Ok(Child { key: key.clone(), description: Some(describe(&self.find(key)?)), broken: None })
            };
            return Ok(Children {
                count: fields.len() as u64,
                items: wanted.map(one).collect::<Result<_>>()?,
            });
        }
        let list = ListRequest {
            offset: request.offset,
            limit: request.limit,
            exact_count: true,
            keys_only: request.keys_only,
            ..ListRequest::default()
        };
        let page = self.tree.list(&self.cx, &node, self.caller, list);
        let page = self.runtime.block_on(page).map_err(plain)?;
        let items = page.entries.into_iter().map(|entry| match entry {
            Entry::Node(node) => {
                let description = (!request.keys_only).then(|| describe(&node));
                Child { key: node.key().to_owned(), description, broken: None }
            }
            Entry::Broken(key, why) => Child { key, description: None, broken: Some(why) },
        });
        Ok(Children { count: page.count, items: items.collect() })
    }

    fn plan(&self, path: &str, slice: &[SliceDim]) -> Result<Option<Plan>> {
        let (adapter, inner) = self.adapter(&self.find(path)?)?;
        adapter.plan(&inner, slice)
    }

    fn read_into(&self, cx: &Context, path: &str, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
        let (adapter, inner) = self.adapter(&self.find(path)?)?;
        adapter.read_into(cx, &inner, slice, out)
    }

    fn read_owned(&self, cx: &Context, path: &str, slice: &[SliceDim]) -> Result<Option<OwnedBuffer>> {
        let node = self.find(path)?;
        if let Place::Column(_, column) = &node.place {
            return Ok(Some(OwnedBuffer::from_vec(super::array::of_column(column, slice))));
        }
        let (adapter, inner) = self.adapter(&node)?;
        adapter.read_owned(cx, &inner, slice)
    }

    fn read_table(&self, cx: &Context, path: &str, request: &TableRequest) -> Result<TableStream> {
        let node = self.find(path)?;
        if !matches!(node.family, StructureFamily::Table | StructureFamily::Sparse) {
            return Err(Error::new(ErrorKind::InvalidArgument, format!("{path} is no table")));
        }
        let (adapter, inner) = self.adapter(&node)?;
        adapter.read_table(cx, &inner, request)
    }

    fn read_buffers(&self, cx: &Context, path: &str, form_keys: &[String]) -> Result<Buffers> {
        let (adapter, inner) = self.adapter(&self.find(path)?)?;
        adapter.read_buffers(cx, &inner, form_keys)
    }
}

/// An adapter from some node inside it on.
pub(super) struct Below {
    adapter: Arc<dyn Adapter>,
    prefix: String,
}

impl Below {
    pub(super) fn new(adapter: Arc<dyn Adapter>, prefix: String) -> Self {
        Below { adapter, prefix }
    }

    fn at(&self, path: &str) -> String {
        match (self.prefix.is_empty(), path.is_empty()) {
            (true, _) => path.to_owned(),
            (false, true) => self.prefix.clone(),
            (false, false) => format!("{}/{path}", self.prefix),
        }
    }
}

#[deny(clippy::missing_trait_methods)]
impl Adapter for Below {
    fn describe(&self, path: &str) -> Result<Description> {
        self.adapter.describe(&self.at(path))
    }

    fn children(&self, path: &str, request: &ChildrenRequest) -> Result<Children> {
        self.adapter.children(&self.at(path), request)
    }

    fn plan(&self, path: &str, slice: &[SliceDim]) -> Result<Option<Plan>> {
        self.adapter.plan(&self.at(path), slice)
    }

    fn read_into(&self, cx: &Context, path: &str, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
        self.adapter.read_into(cx, &self.at(path), slice, out)
    }

    fn read_owned(&self, cx: &Context, path: &str, slice: &[SliceDim]) -> Result<Option<OwnedBuffer>> {
        self.adapter.read_owned(cx, &self.at(path), slice)
    }

    fn read_table(&self, cx: &Context, path: &str, request: &TableRequest) -> Result<TableStream> {
        self.adapter.read_table(cx, &self.at(path), request)
    }

    fn read_buffers(&self, cx: &Context, path: &str, form_keys: &[String]) -> Result<Buffers> {
        self.adapter.read_buffers(cx, &self.at(path), form_keys)
    }

    fn stored_as(&self, path: &str, format: &str) -> Result<Option<String>> {
        self.adapter.stored_as(&self.at(path), format)
    }

    fn stored_chunk(&self, cx: &Context, path: &str, chunk: &[u64]) -> Result<Option<OwnedBuffer>> {
        self.adapter.stored_chunk(cx, &self.at(path), chunk)
    }

    fn revision(&self, path: &str) -> Result<u64> {
        self.adapter.revision(&self.at(path))
    }
}

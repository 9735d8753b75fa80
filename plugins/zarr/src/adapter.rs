//! An opened store: describes and lists its nodes, reads its arrays.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use serde_json::{Map, Value, json};
use tiled_plugin_api::{
    author::{Adapter, Context, Error, ErrorKind, Host, OpenRequest, OwnedBuffer, Result},
    model::{
        ArrayStructure, Child, Children, ChildrenRequest, DataType, Description, Kind, SliceDim,
        StructureFamily,
    },
};

use crate::{
    chunk::Job,
    codec::Body,
    meta::{ArrayMeta, Element, Node, with_names},
    order::{order, swap, swap_fields, swapped_fields},
    read::Stored,
    revision::Revisions,
    text,
    tree::{Tree, join},
};

/// An opened store, or a node of one.
pub struct ZarrAdapter {
    tree: Tree,
    host: Host,
    /// The node that is served as the root.
    root: String,
    /// What the catalog says of the root, where that is an array.
    registered: Option<ArrayStructure>,
    /// Bytes of a served element of arrays of texts, with the revision for which that holds.
    text_bytes: Mutex<HashMap<String, (u64, u64)>>,
    revisions: Revisions,
}

impl ZarrAdapter {
    /// Opens a store. The parameter `dataset`, or `path`, names a node in it.
    ///
    /// # Errors
    /// `NotFound`; `InvalidData` or `UnsupportedFormat` when the node's metadata cannot be read.
    pub fn open(request: &OpenRequest) -> Result<Self> {
        let source = request.source().clone();
        if !source.is_directory() {
            let message = format!("{}: a Zarr store is a directory; unpack it", source.name());
            return Err(Error::unsupported_format(message));
        }
        let root = request.text("dataset").or_else(|| request.text("path")).unwrap_or_default();
        let adapter = ZarrAdapter {
            tree: Tree::new(source),
            host: request.host.clone(),
            root: root.trim_matches('/').to_owned(),
            registered: None,
            text_bytes: Mutex::new(HashMap::new()),
            revisions: Revisions::default(),
        };
        let node = adapter.tree.node(&adapter.root)?;
        let structure = request.structure.clone().and_then(|s| serde_json::from_value(s).ok());
        let registered = match &*node {
            Node::Array(meta) => structure.filter(|structure: &ArrayStructure| is_served_as(meta, structure)),
            Node::Group { .. } | Node::Foreign(_) => None,
        };
        Ok(ZarrAdapter { registered, ..adapter })
    }

    fn structure(&self, cx: &Context, path: &str, meta: &ArrayMeta) -> Result<ArrayStructure> {
        match &self.registered {
            Some(structure) if path.is_empty() => Ok(structure.clone()),
            _ => Ok(meta.structure(self.text_bytes(cx, path, meta)?)),
        }
    }

    /// Bytes of an element as served, of arrays of texts; 0 for others.
    fn text_bytes(&self, cx: &Context, path: &str, meta: &ArrayMeta) -> Result<u64> {
        if matches!(meta.element, Element::Fixed(_)) {
            return Ok(0);
        }
        let revision = self.revision(path)?;
        let kept = || self.text_bytes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bytes)) = kept().get(path).filter(|(of, _)| *of == revision) {
            return Ok(*bytes);
        }
        let full = join(&self.root, path);
        let bytes = text::element_bytes(cx, Stored { source: &self.tree.source, path: &full, meta })?;
        kept().insert(path.to_owned(), (revision, bytes));
        Ok(bytes)
    }

    fn describe_node(&self, path: &str, node: &Node) -> Result<Description> {
        match node {
            Node::Group { format, attributes } => {
                let count = self.tree.members(&join(&self.root, path))?.len() as u64;
                let metadata = json!({"attributes": attributes, "zarr_format": format, "node_type": "group"});
                Ok(Description::container(count).with_metadata(metadata))
            }
            Node::Array(meta) => {
                describe_array(&self.structure(&Context::unbounded(), path, meta)?, &meta.attributes)
            }
            Node::Foreign(array) => describe_array(&array.structure(), &array.outline.attributes),
        }
    }
}

fn describe_array(structure: &ArrayStructure, attributes: &Map<String, Value>) -> Result<Description> {
    let mut metadata = Map::new();
    if !attributes.is_empty() {
        metadata.insert("attributes".into(), Value::Object(attributes.clone()));
    }
    Ok(Description::new(StructureFamily::Array, structure)?.with_metadata(Value::Object(metadata)))
}

/// Whether a stored array can be served as the catalog says: other lengths and chunks, another byte order, raw bytes as
/// anything.
pub fn is_served_as(meta: &ArrayMeta, structure: &ArrayStructure) -> bool {
    let Element::Fixed(stored) = &meta.element else {
        return structure.shape == meta.shape && structure.data_type.itemsize() > 0;
    };
    let same_kind = structure.data_type.kind() == stored.kind() || is_raw(stored);
    structure.shape.len() == meta.shape.len()
        && structure.data_type.itemsize() == stored.itemsize()
        && same_kind
}

fn is_raw(dtype: &DataType) -> bool {
    matches!(dtype, DataType::Builtin { kind: Kind::Void, .. })
}

impl Adapter for ZarrAdapter {
    fn describe(&self, path: &str) -> Result<Description> {
        let node = self.tree.node(&join(&self.root, path))?;
        self.describe_node(path, &node)
    }

    fn children(&self, path: &str, request: &ChildrenRequest) -> Result<Children> {
        let full = join(&self.root, path);
        if let Node::Array(_) | Node::Foreign(_) = &*self.tree.node(&full)? {
            return Err(Error::new(ErrorKind::InvalidArgument, "An array has no children"));
        }
        let names = self.tree.members(&full)?;
        let count = names.len() as u64;
        let (offset, limit) = (request.offset, usize::try_from(request.limit).unwrap_or(usize::MAX));
        let items =
            names.into_iter().skip(usize::try_from(offset).unwrap_or(usize::MAX)).take(limit).map(|key| {
                if request.keys_only {
                    return Child { key, description: None, broken: None };
                }
                match self.describe(&join(path, &key)) {
                    Ok(description) => Child { key, description: Some(description), broken: None },
                    Err(error) => Child { key, description: None, broken: Some(error.message) },
                }
            });
        Ok(Children { count, items: items.collect() })
    }

    fn read_into(&self, cx: &Context, path: &str, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
        let full = join(&self.root, path);
        let node = self.tree.node(&full)?;
        if let Node::Foreign(array) = &*node {
            return array.read(cx, &self.host, &self.tree.source, slice, out);
        }
        let Node::Array(meta) = &*node else {
            return Err(Error::new(ErrorKind::InvalidArgument, "A group has no values of its own"));
        };
        let stored = Stored { source: &self.tree.source, path: &full, meta };
        let served =
            self.registered.as_ref().filter(|_| path.is_empty()).map(|structure| &structure.data_type);
        let Element::Fixed(dtype) = &meta.element else {
            let elements = slice.iter().map(|dim| dim.count as usize).product::<usize>();
            return text::read(cx, stored, slice, out.len() / elements.max(1), out);
        };
        let served = served.unwrap_or(dtype);
        let ((unit, stored_big), (_, big)) = (order(dtype), order(served));
        let (item, mut fill, fields) =
            (dtype.itemsize() as usize, meta.fill.clone(), swapped_fields(dtype, served));
        if stored_big != big {
            swap(&mut fill, unit);
        }
        swap_fields(&mut fill, item, &fields);
        let job = Job { cx, host: &self.host, item, fill: &fill, unit, big, fields: &fields };
        stored.read(&job, slice, out)
    }

    fn stored_as(&self, path: &str, format: &str) -> Result<Option<String>> {
        let Node::Array(meta) = &*self.tree.node(&join(&self.root, path))? else { return Ok(None) };
        let own = if meta.format == 2 { "zarr_v2" } else { "zarr_v3" };
        // Inner chunks of shards are read here: a client would have the whole shard sent for each.
        let plain = matches!(meta.element, Element::Fixed(_)) && matches!(meta.chain.body, Body::Raw { .. });
        let served = self.registered.as_ref().filter(|_| path.is_empty());
        let as_stored = served.is_none_or(|served| {
            matches!(&meta.element, Element::Fixed(dtype) if *dtype == served.data_type)
                && served.shape == meta.shape
        });
        if format != own || !plain || !as_stored {
            return Ok(None);
        }
        let mut document = meta.document.clone();
        with_names(&mut document);
        Ok(Some(document.to_string()))
    }

    fn stored_chunk(&self, cx: &Context, path: &str, chunk: &[u64]) -> Result<Option<OwnedBuffer>> {
        cx.check()?;
        let full = join(&self.root, path);
        let Node::Array(meta) = &*self.tree.node(&full)? else {
            return Err(Error::new(ErrorKind::InvalidArgument, "This node has no chunks"));
        };
        Stored { source: &self.tree.source, path: &full, meta }.encoded(chunk)
    }

    fn revision(&self, path: &str) -> Result<u64> {
        self.revisions.of(&self.tree, &join(&self.root, path))
    }
}

//! `application/x-hdf5`: any node as an HDF5 file, laid out as Tiled's Python server does.
//!
//! Containers and tables become groups, arrays and columns datasets, metadata attributes. A sparse array becomes the
//! datasets `data` and `coords`, a lone array one dataset. Takes a payload, gives a stream of bytes; never holds more
//! than one slab of an array. Of a container nothing is left out silently but broken links: what has no form in HDF5
//! is an error that names it.

mod format;
mod metadata;
mod plan;
mod table;
mod types;

use serde_json::{Map, Value};
use tiled_plugin_api::prelude::*;

use format::Heaps;
use plan::{Data, Item, Plan};

/// Writes HDF5 files.
pub struct Hdf5Serializer;

impl Serializer for Hdf5Serializer {
    fn encode(&self, cx: &Context, request: &EncodeRequest, payload: Payload, sink: &mut Sink) -> Result<()> {
        let mut heaps = Heaps::at(format::SUPERBLOCK_BYTES);
        let is_dataset = request.specs.iter().any(|spec| spec.name == "xarray_dataset");
        let metadata = attributes_of(&request.metadata, is_dataset);
        let attributes = metadata::attributes(&metadata, &mut heaps)?;
        let (children, source) = match payload {
            Payload::Node(node) => {
                let mut walk = Walk { cx, node: &*node, heaps: &mut heaps, left: MAX_NODES };
                let mut children = walk.children("", 0)?;
                if let Some(fields) = &request.fields {
                    children.retain(|(key, _)| fields.contains(key));
                }
                (children, Source::Node(node))
            }
            Payload::Table(stream) if request.structure_family == StructureFamily::Sparse => {
                (table::sparse(stream, &mut heaps)?, Source::Nothing)
            }
            Payload::Table(stream) => (table::columns(stream, &mut heaps)?, Source::Nothing),
            Payload::Array(slabs) => {
                let structure: ArrayStructure = request.structure()?;
                let name = if request.key.is_empty() { "data" } else { &request.key };
                (
                    vec![(name.to_owned(), Item::array(structure, vec![], String::new())?)],
                    Source::Slabs(slabs),
                )
            }
            _ => {
                let message = format!("{} cannot be made of this kind of values", request.essence());
                return Err(Error::new(ErrorKind::NotAcceptable, message));
            }
        };
        write(cx, Plan::new(Item::Group { attributes, children }, heaps)?, source, sink)
    }
}

/// Where values come from that are not in memory yet.
enum Source {
    Nothing,
    Node(std::sync::Arc<dyn Adapter>),
    Slabs(Slabs),
}

/// Nodes of one export: links in a circle must end.
const MAX_NODES: usize = 50_000;
const MAX_DEPTH: u32 = 64;
/// Children asked for at once.
const PAGE: u64 = 500;
/// Bytes of an array that are read at once.
const SLAB_BYTES: u64 = 16 << 20;

/// What of a node's metadata becomes attributes: of xarray's nodes those below `attrs`.
fn attributes_of(metadata: &Value, is_xarray: bool) -> Map<String, Value> {
    let metadata = if is_xarray { metadata.get("attrs").unwrap_or(metadata) } else { metadata };
    metadata.as_object().cloned().unwrap_or_default()
}

struct Walk<'a> {
    cx: &'a Context,
    node: &'a dyn Adapter,
    heaps: &'a mut Heaps,
    left: usize,
}

impl Walk<'_> {
    fn children(&mut self, path: &str, depth: u32) -> Result<Vec<(String, Item)>> {
        if depth > MAX_DEPTH {
            return Err(too_large());
        }
        let mut all = vec![];
        loop {
            self.cx.check()?;
            let request = ChildrenRequest { offset: all.len() as u64, limit: PAGE, keys_only: false };
            let page = self.node.children(path, &request)?;
            let count = page.items.len() as u64;
            for child in page.items {
                let inner = if path.is_empty() { child.key.clone() } else { format!("{path}/{}", child.key) };
                all.push((child.key, self.item(&inner, child.description, depth)?));
            }
            if count < PAGE || all.len() as u64 >= page.count {
                break;
            }
        }
        Ok(all.into_iter().filter_map(|(key, item)| Some((key, item?))).collect())
    }

    /// A child; `None` where it is broken.
    fn item(&mut self, path: &str, description: Option<Description>, depth: u32) -> Result<Option<Item>> {
        let Some(description) = description else { return Ok(None) };
        self.left = self.left.checked_sub(1).ok_or_else(too_large)?;
        let is_xarray = description.specs.iter().any(|spec| spec.name.starts_with("xarray_"));
        let metadata = attributes_of(&description.metadata, is_xarray);
        let attributes = metadata::attributes(&metadata, self.heaps)?;
        match description.structure_family {
            StructureFamily::Container => {
                Ok(Some(Item::Group { attributes, children: self.children(path, depth + 1)? }))
            }
            StructureFamily::Array => {
                let structure: ArrayStructure = description.structure()?;
                Item::array(structure, attributes, path.to_owned()).map_err(|e| e.within(path)).map(Some)
            }
            StructureFamily::Table | StructureFamily::Sparse => {
                let stream = self.node.read_table(self.cx, path, &TableRequest::default())?;
                let children = match description.structure_family {
                    StructureFamily::Table => table::columns(stream, self.heaps)?,
                    _ => table::sparse(stream, self.heaps)?,
                };
                Ok(Some(Item::Group { attributes, children }))
            }
            family => {
                let message = format!("{path}: {family} nodes have no form in HDF5: choose other nodes");
                Err(Error::new(ErrorKind::NotAcceptable, message))
            }
        }
    }
}

fn too_large() -> Error {
    let message =
        "The container holds too many nodes for one file (or links in a circle): export a part of it";
    Error::new(ErrorKind::TooLarge, message)
}

fn write(cx: &Context, plan: Plan, source: Source, sink: &mut Sink) -> Result<()> {
    sink.put(&plan.head)?;
    let mut source = source;
    for dataset in plan.datasets {
        cx.check()?;
        let written = match (dataset.data, &mut source) {
            (Data::Ready(bytes), _) => {
                sink.put(&bytes)?;
                bytes.len() as u64
            }
            (Data::Later { structure, path }, Source::Node(node)) => {
                node_slabs(cx, &**node, &path, &structure, sink)?
            }
            (Data::Later { structure, .. }, Source::Slabs(slabs)) => {
                let mut written = 0;
                while let Some(slab) = slabs.next()? {
                    written += put(&structure.data_type, &slab.bytes, sink)?;
                }
                written
            }
            (Data::Later { .. }, Source::Nothing) => {
                return Err(Error::internal("an array without a source"));
            }
        };
        if written != dataset.size {
            return Err(Error::internal(format!("{written} bytes were written, {} announced", dataset.size)));
        }
        sink.put(&vec![0; plan::padding(dataset.size)])?;
    }
    Ok(())
}

fn put(data_type: &DataType, bytes: &[u8], sink: &mut Sink) -> Result<u64> {
    if data_type.kind() == Kind::Unicode {
        sink.put(&types::to_utf8(data_type, bytes))?;
    } else {
        sink.put(bytes)?;
    }
    Ok(bytes.len() as u64)
}

/// Reads an array in slabs along its first axis, or along later ones where a row is too large.
fn node_slabs(
    cx: &Context,
    node: &dyn Adapter,
    path: &str,
    of: &ArrayStructure,
    sink: &mut Sink,
) -> Result<u64> {
    let mut buffer = vec![];
    let mut written = 0;
    let mut fixed = vec![];
    slabs(of, &mut fixed, &mut |slice: &[SliceDim]| {
        cx.check()?;
        let size = slice.iter().map(|s| s.count).fold(of.data_type.itemsize(), u64::saturating_mul);
        buffer.resize(usize::try_from(size).map_err(Error::internal)?, 0);
        node.read_into(cx, path, slice, &mut buffer)?;
        written += put(&of.data_type, &buffer, sink)?;
        Ok(())
    })?;
    Ok(written)
}

fn slabs(
    of: &ArrayStructure,
    fixed: &mut Vec<SliceDim>,
    each: &mut dyn FnMut(&[SliceDim]) -> Result<()>,
) -> Result<()> {
    let axis = fixed.len();
    let rest = of.shape.get(axis + 1..).unwrap_or_default();
    let row = rest.iter().copied().fold(of.data_type.itemsize(), u64::saturating_mul);
    let Some(length) = of.shape.get(axis).copied() else { return each(fixed) };
    if row == 0 || length == 0 {
        return Ok(());
    }
    // Whole chunks where they fit, so that none is decoded twice.
    let chunk = of.chunks.get(axis).and_then(|c| c.first()).copied().unwrap_or(1).max(1);
    let rows = (SLAB_BYTES / row).max(1);
    let rows = if rows > chunk { rows - rows % chunk } else { rows };
    let mut at = 0;
    while at < length {
        let count = rows.min(length - at);
        fixed.push(SliceDim::range(at, count));
        if count == 1 && row > SLAB_BYTES && !rest.is_empty() {
            slabs(of, fixed, each)?;
        } else {
            let whole = fixed.len();
            fixed.extend(rest.iter().map(|n| SliceDim::all(*n)));
            each(fixed)?;
            fixed.truncate(whole);
        }
        fixed.pop();
        at += count;
    }
    Ok(())
}

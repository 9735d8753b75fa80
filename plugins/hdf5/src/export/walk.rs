//! From the nodes of a container to what will stand in the file.

use serde_json::{Map, Value};
use tiled_plugin_api::prelude::*;

use super::{
    Flavour, Kept,
    convert::Convert,
    format::Message,
    metadata, netcdf,
    plan::{Data, Dataset, Item},
    table, types,
};

/// Nodes of one export: links in a circle must end.
const MAX_NODES: usize = 50_000;
const MAX_DEPTH: u32 = 64;
/// Children asked for at once.
const PAGE: u64 = 500;

/// What of a node's metadata becomes attributes: of xarray's nodes those below `attrs`.
pub(super) fn attributes_of(metadata: &Value, is_xarray: bool) -> Map<String, Value> {
    let metadata = if is_xarray { metadata.get("attrs").unwrap_or(metadata) } else { metadata };
    metadata.as_object().cloned().unwrap_or_default()
}

/// An array whose values come later.
///
/// # Errors
/// `NotAcceptable` where the file has no such type, `TooLarge` when the size overflows.
pub(super) fn array(
    structure: ArrayStructure,
    attributes: Map<String, Value>,
    path: String,
    kept: &mut Kept,
) -> Result<Dataset> {
    if kept.flavour == Flavour::Netcdf {
        return netcdf::variable(structure, attributes, path.clone(), kept).map_err(|e| e.within(path));
    }
    let data_type = types::encode(&structure.data_type).map_err(|e| e.within(&path))?;
    let too_large = || Error::new(ErrorKind::TooLarge, format!("{path}: the array is too large"));
    let size = structure.nbytes().ok_or_else(too_large)?;
    let attributes = metadata::attributes(&attributes, kept)?;
    let shape = structure.shape.clone();
    let convert = Convert::for_hdf5(&structure.data_type);
    let data = Data::Later { structure, path, convert };
    Ok(Dataset { attributes, size, data, ..Dataset::new(data_type, shape) })
}

pub(super) struct Walk<'a> {
    cx: &'a Context,
    node: &'a dyn Adapter,
    kept: &'a mut Kept,
    left: usize,
    /// Coordinates of the dataset that is walked, which are no dimensions.
    coordinates: Vec<String>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(cx: &'a Context, node: &'a dyn Adapter, kept: &'a mut Kept) -> Self {
        Walk { cx, node, kept, left: MAX_NODES, coordinates: vec![] }
    }

    /// The children of the root; of these keys only, where given.
    pub(super) fn root(&mut self, only: Option<&[String]>) -> Result<Vec<(String, Item)>> {
        self.children("", 0, only)
    }

    /// The attribute that tells xarray which variables are coordinates, where there are such.
    pub(super) fn coordinates(&mut self, is_dataset: bool) -> Result<Option<Message>> {
        let names = std::mem::take(&mut self.coordinates);
        if names.is_empty() || !is_dataset || self.kept.flavour == Flavour::Hdf5 {
            return Ok(None);
        }
        metadata::text("coordinates", &names.join(" "), self.kept).map(Some)
    }

    fn children(&mut self, path: &str, depth: u32, only: Option<&[String]>) -> Result<Vec<(String, Item)>> {
        if depth > MAX_DEPTH {
            return Err(too_large());
        }
        let mut all = vec![];
        let mut offset = 0;
        loop {
            self.cx.check()?;
            let page =
                self.node.children(path, &ChildrenRequest { offset, limit: PAGE, keys_only: false })?;
            let count = page.items.len() as u64;
            for child in page.items {
                // What is broken is left out.
                let Some(description) = child.description else { continue };
                if only.is_some_and(|only| !only.contains(&child.key)) {
                    continue;
                }
                let inner = if path.is_empty() { child.key.clone() } else { format!("{path}/{}", child.key) };
                let item = self.item(&inner, &child.key, description, depth)?;
                all.push((child.key, item));
            }
            offset += count;
            if count < PAGE || offset >= page.count {
                return Ok(all);
            }
        }
    }

    fn item(&mut self, path: &str, key: &str, node: Description, depth: u32) -> Result<Item> {
        self.left = self.left.checked_sub(1).ok_or_else(too_large)?;
        let is = |name: &str| node.specs.iter().any(|spec| spec.name == name);
        let is_xarray = node.specs.iter().any(|spec| spec.name.starts_with("xarray_"));
        let metadata = attributes_of(&node.metadata, is_xarray);
        if node.structure_family == StructureFamily::Array {
            let structure: ArrayStructure = node.structure()?;
            if is("xarray_coord") && structure.dims.as_deref() != Some(&[key.to_owned()]) {
                self.coordinates.push(key.to_owned());
            }
            return Ok(Item::Dataset(array(structure, metadata, path.to_owned(), self.kept)?));
        }
        let mut attributes = metadata::attributes(&metadata, self.kept)?;
        let children = match node.structure_family {
            StructureFamily::Container => {
                let outer = std::mem::take(&mut self.coordinates);
                let children = self.children(path, depth + 1, None)?;
                attributes.extend(self.coordinates(is("xarray_dataset"))?);
                self.coordinates = outer;
                children
            }
            StructureFamily::Table => {
                let stream = self.node.read_table(self.cx, path, &TableRequest::default())?;
                table::columns(self.cx, stream, self.kept).map_err(|e| e.within(path))?
            }
            StructureFamily::Sparse => {
                let stream = self.node.read_table(self.cx, path, &TableRequest::default())?;
                table::sparse(self.cx, stream, self.kept).map_err(|e| e.within(path))?
            }
            StructureFamily::Awkward | StructureFamily::Ragged => {
                attributes.push(metadata::text("structure", &node.structure.to_string(), self.kept)?);
                self.buffers(path)?
            }
            // Files that are served as they are have no values.
            StructureFamily::Bytes | StructureFamily::Array => vec![],
        };
        Ok(Item::Group { attributes, children })
    }

    /// The buffers of an awkward array as bytes, by name.
    fn buffers(&mut self, path: &str) -> Result<Vec<(String, Item)>> {
        let mut children = vec![];
        for (name, bytes) in self.node.read_buffers(self.cx, path, &[])? {
            let extent = self.kept.store.keep(&bytes)?;
            let item = Item::kept(types::integer(1, false, false), vec![extent.len], vec![extent]);
            children.push((name, item));
        }
        Ok(children)
    }
}

fn too_large() -> Error {
    let message =
        "The container holds too many nodes for one file (or links in a circle): export a part of it";
    Error::new(ErrorKind::TooLarge, message)
}

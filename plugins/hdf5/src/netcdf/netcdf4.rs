//! The structure of netCDF-4 files: groups, dimensions and variables by the conventions that netCDF lays over HDF5
//! (dimension scales, `DIMENSION_LIST`, `_Netcdf4Coordinates`).
//!
//! Read with libhdf5, not with libnetcdf: that aborts or hangs on link cycles, and refuses whole files for one broken
//! link. Here a cycle ends the walk, and what cannot be shown is marked alone.

use std::{collections::HashMap, sync::Arc};

use serde_json::Value;
use tiled_plugin_api::prelude::*;

use super::{
    attributes::{Found, address, read_attributes},
    classic::swap,
    model::{Group, Place, Stored, Variable},
    number::{Attr, Number},
};
use crate::hdf5::{
    dataset::Dataset,
    links::{Linked, Located},
    raw::{self, ObjectKind, RawLayout},
};

/// Groups below groups.
const MAX_DEPTH: usize = 32;
/// Objects of one file.
const MAX_OBJECTS: usize = 1 << 17;

/// What begins the `NAME` of a dimension without a variable.
const NO_VARIABLE: &str = "This is a netCDF dimension but not a netCDF variable";
/// What a variable is called that is named like a dimension it does not use.
const NON_COORDINATE: &str = "_nc4_non_coord_";
/// Attributes that the format uses itself; netCDF shows none of them.
const RESERVED: [&str; 13] = [
    "CLASS",
    "DIMENSION_LIST",
    "NAME",
    "REFERENCE_LIST",
    "DIMENSION_LABELS",
    "_Format",
    "_IsNetcdf4",
    "_NCProperties",
    "_Netcdf4Coordinates",
    "_Netcdf4Dimid",
    "_SuperblockVersion",
    "_nc3_strict",
    "_NCCOPY",
];

/// Reads the structure of a file.
///
/// # Errors
/// `InvalidData` when the root group cannot be listed.
pub(crate) fn read_structure(cx: &Context, linked: &Linked) -> Result<Group> {
    let mut walk =
        Walk { cx, linked, objects: 0, above: vec![], dims: HashMap::new(), ids: HashMap::new(), phony: 0 };
    let found = walk.group("", linked.locate("")?)?;
    walk.measure(&found);
    Ok(walk.finish(found))
}

/// A dimension.
#[derive(Debug, Clone)]
struct Dimension {
    name: String,
    length: u64,
}

/// A group as found.
struct FoundGroup {
    attrs: Vec<(String, Attr)>,
    datasets: Vec<FoundDataset>,
    groups: Vec<(String, FoundGroup)>,
    broken: Vec<(String, String)>,
    /// Dimensions that are defined here, by address.
    scales: Vec<u64>,
}

/// A dataset as found.
struct FoundDataset {
    path: String,
    name: String,
    address: u64,
    /// It stands for a dimension: `Some(true)` only for that.
    scale: Option<bool>,
    axes: Axes,
    attrs: Vec<(String, Attr)>,
    dataset: Arc<Dataset>,
}

/// How a dataset names its dimensions.
enum Axes {
    /// By references, one per axis.
    References(Vec<Option<u64>>),
    /// By numbers of dimensions.
    Numbers(Vec<i64>),
    /// It is the dimension itself.
    Own,
    /// Not at all.
    None,
}

struct Walk<'a> {
    cx: &'a Context,
    linked: &'a Linked,
    objects: usize,
    /// Addresses of the groups on the way here.
    above: Vec<u64>,
    /// By address of the dataset.
    dims: HashMap<u64, Dimension>,
    /// Addresses of dimensions by their number.
    ids: HashMap<i64, u64>,
    /// Names given to dimensions that have none.
    phony: usize,
}

impl Walk<'_> {
    fn group(&mut self, path: &str, located: Located) -> Result<FoundGroup> {
        self.cx.check()?;
        let (attrs, _) = attributes(&located.object)?;
        let mut group =
            FoundGroup { attrs, datasets: vec![], groups: vec![], broken: vec![], scales: vec![] };
        self.above.push(address(&located.object)?);
        let links = raw::list_links(&located.object, 0, MAX_OBJECTS as u64)?;
        for link in links.names {
            let name = link.0;
            self.objects += 1;
            if self.objects > MAX_OBJECTS {
                group.broken.push((name, "the file has too many objects".to_owned()));
                break;
            }
            let below = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            if let Err(error) = self.member(&mut group, &below, &name) {
                if error.kind == ErrorKind::Cancelled {
                    return Err(error);
                }
                group.broken.push((name, error.message));
            }
        }
        self.above.pop();
        Ok(group)
    }

    fn member(&mut self, group: &mut FoundGroup, path: &str, name: &str) -> Result<()> {
        let located = self.linked.locate(path)?;
        match located.kind {
            ObjectKind::Other => Ok(()),
            ObjectKind::Group => {
                if self.above.contains(&address(&located.object)?) {
                    return Err(Error::new(ErrorKind::BrokenLink, "a link leads back to a group above"));
                }
                if self.above.len() >= MAX_DEPTH {
                    return Err(Error::invalid_data("groups are nested too deeply"));
                }
                let below = self.group(path, located)?;
                group.groups.push((name.to_owned(), below));
                Ok(())
            }
            ObjectKind::Dataset => {
                let dataset = self.dataset(path, name, located)?;
                if dataset.scale.is_some() {
                    group.scales.push(dataset.address);
                }
                group.datasets.push(dataset);
                Ok(())
            }
        }
    }

    fn dataset(&mut self, path: &str, name: &str, located: Located) -> Result<FoundDataset> {
        let address = address(&located.object)?;
        let (attrs, special) = attributes(&located.object)?;
        let dataset = self.linked.located(self.cx, path, located)?;
        let scale = special.scale.then_some(special.no_variable);
        let name = name.strip_prefix(NON_COORDINATE).unwrap_or(name).to_owned();
        if scale.is_some() {
            let length = dataset.shape.first().copied().unwrap_or(1);
            self.dims.insert(address, Dimension { name: name.clone(), length });
            if let Some(id) = special.number {
                self.ids.insert(id, address);
            }
        }
        let axes = match special {
            Special { references: Some(list), .. } => Axes::References(list),
            Special { coordinates: Some(numbers), .. } => Axes::Numbers(numbers),
            Special { scale: true, .. } => Axes::Own,
            _ => Axes::None,
        };
        Ok(FoundDataset { path: path.to_owned(), name, address, scale, axes, attrs, dataset })
    }

    /// A record dimension is as long as the longest variable that uses it.
    fn measure(&mut self, group: &FoundGroup) {
        for dataset in &group.datasets {
            for (address, length) in self.addresses(dataset).into_iter().zip(&dataset.dataset.shape) {
                if let Some(dim) = address.and_then(|address| self.dims.get_mut(&address)) {
                    dim.length = dim.length.max(*length);
                }
            }
        }
        for (_, below) in &group.groups {
            self.measure(below);
        }
    }

    /// The dimension of each axis, where it is known.
    fn addresses(&self, dataset: &FoundDataset) -> Vec<Option<u64>> {
        let rank = dataset.dataset.shape.len();
        let mut all = match &dataset.axes {
            Axes::References(list) => list.clone(),
            Axes::Numbers(numbers) => numbers.iter().map(|n| self.ids.get(n).copied()).collect(),
            Axes::Own => vec![Some(dataset.address)],
            Axes::None => vec![],
        };
        all.resize(rank, None);
        all
    }

    fn finish(&mut self, found: FoundGroup) -> Group {
        // As netCDF does it: the groups below come first.
        let groups = found.groups.into_iter().map(|(name, group)| (name, self.finish(group))).collect();
        let mut local: Vec<Dimension> =
            found.scales.iter().filter_map(|a| self.dims.get(a).cloned()).collect();
        let mut variables = Vec::new();
        for dataset in found.datasets {
            if dataset.scale != Some(true) {
                variables.push(self.variable(dataset, &mut local));
            }
        }
        Group { attrs: found.attrs, variables, groups, broken: found.broken }
    }

    fn variable(&mut self, found: FoundDataset, local: &mut Vec<Dimension>) -> Variable {
        let mut extent = found.dataset.shape.clone();
        let mut addresses = self.addresses(&found);
        // Axes of an array type, which netCDF does not know, become axes of the variable.
        extent.extend(&found.dataset.element.axes);
        addresses.resize(extent.len(), None);
        let mut dims: Vec<String> = Vec::with_capacity(extent.len());
        let mut shape = Vec::with_capacity(extent.len());
        for (address, length) in addresses.iter().zip(&extent) {
            let dim = match address.and_then(|address| self.dims.get(&address)) {
                Some(dim) => dim.clone(),
                None => self.unnamed(local, &dims, *length),
            };
            shape.push(dim.length.max(*length));
            dims.push(dim.name);
        }
        let data_type = &found.dataset.element.data_type;
        let stored = stored(&found.dataset);
        let swapped = data_type.is_swapped() && matches!(stored, Stored::Number(_));
        let chunk = match &found.dataset.layout {
            RawLayout::Chunked { shape, .. } if shape.len() == extent.len() => Some(shape.clone()),
            _ => None,
        };
        let fill = fill(&found.dataset, &stored, swapped);
        let place = Place::Hdf5 { path: found.path, extent, fill, swapped };
        Variable { name: found.name, dims, shape, stored, attrs: found.attrs, chunk, place }
    }

    /// A dimension for an axis without one: the first of that length in the group, else a new one.
    fn unnamed(&mut self, local: &mut Vec<Dimension>, used: &[String], length: u64) -> Dimension {
        if let Some(dim) =
            local.iter().find(|dim| dim.length == length).filter(|dim| !used.contains(&dim.name))
        {
            return dim.clone();
        }
        let dim = Dimension { name: format!("phony_dim_{}", self.dims.len() + self.phony), length };
        self.phony += 1;
        local.push(dim.clone());
        dim
    }
}

/// The attributes that are shown, and what the others say.
fn attributes(object: &raw::Id) -> Result<(Vec<(String, Attr)>, Special)> {
    let mut special = Special::default();
    let mut shown = Vec::new();
    let mut odd = false;
    for (name, found) in read_attributes(object)? {
        match (&*name, found) {
            ("CLASS", Found::Value(Attr::Text(text))) => special.scale = text == "DIMENSION_SCALE",
            ("NAME", Found::Value(Attr::Text(text))) => special.no_variable = text.starts_with(NO_VARIABLE),
            ("DIMENSION_LIST", Found::References(list)) => special.references = Some(list),
            ("_Netcdf4Coordinates", Found::Value(value)) => special.coordinates = value.integers(),
            ("_Netcdf4Dimid", Found::Value(value)) => {
                special.number = value.integers().and_then(|all| all.first().copied());
            }
            (reserved, _) if RESERVED.contains(&reserved) => {}
            (_, Found::Value(value)) => shown.push((name, value)),
            (_, Found::References(_) | Found::Odd) => {
                odd = true;
                shown.push((name, Attr::Json(Value::Null)));
            }
        }
    }
    if odd {
        let mut all = raw::attributes(object, &|_| None)?;
        for (name, value) in &mut shown {
            if let Attr::Json(json) = value {
                *json = all.remove(&**name).unwrap_or_default();
            }
        }
    }
    Ok((shown, special))
}

/// What reserved attributes say.
#[derive(Default)]
struct Special {
    scale: bool,
    no_variable: bool,
    references: Option<Vec<Option<u64>>>,
    coordinates: Option<Vec<i64>>,
    number: Option<i64>,
}

fn stored(dataset: &Dataset) -> Stored {
    let data_type = &dataset.element.data_type;
    let size = usize::try_from(data_type.itemsize()).unwrap_or(usize::MAX);
    match data_type.kind() {
        // Text of variable length has no bytes of its own in the dataset; one fixed byte is netCDF's character.
        Kind::Bytes if size == 1 && dataset.element.stored == 1 => Stored::Char,
        Kind::Bytes => Stored::Text(size),
        kind => match Number::of(kind, data_type.itemsize()) {
            Some(number) => Stored::Number(number),
            None => Stored::Other(data_type.clone()),
        },
    }
}

/// One element of what was never written.
fn fill(dataset: &Dataset, stored: &Stored, swapped: bool) -> Vec<u8> {
    let mut fill = dataset.fill.clone();
    match stored {
        Stored::Number(number) if fill.len() != number.size() => number.default_fill(),
        Stored::Number(number) => {
            if swapped {
                swap(&mut fill, number.size());
            }
            fill
        }
        _ if fill.len() == stored.size() => fill,
        _ => vec![0; stored.size()],
    }
}

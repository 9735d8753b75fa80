//! A netCDF file as a tree of nodes.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::json;
use tiled_plugin_api::prelude::*;

use super::{
    cf::{self, Decoded, Recipe, View},
    classic,
    convert::{put_text, text_of},
    gather::ClassicValues,
    model::{Group, Values, Variable},
    netcdf4,
    values4::Hdf5Values,
};
use crate::hdf5::{self, file::H5File, links::Linked};

/// An opened netCDF file, which may change.
pub(crate) struct NetcdfAdapter {
    source: Source,
    host: Host,
    now: Mutex<Option<Arc<State>>>,
}

/// One state of the file.
struct State {
    version: u64,
    root: Node,
    values: Box<dyn Values>,
    /// Bytes of an element of text, by path: known once all of it was read.
    widths: Mutex<HashMap<String, u64>>,
}

/// A group.
struct Node {
    variables: Vec<Variable>,
    view: View,
    below: Vec<(String, Node)>,
    broken: Vec<(String, String)>,
}

/// What a path leads to.
enum Found<'a> {
    Group(&'a Node),
    Variable(&'a Variable, &'a Decoded),
}

/// Elements of text that are read to learn how long the longest is; more are refused.
const MAX_TEXTS: u64 = 1 << 26;
/// Elements of text that are read at once.
const TEXTS_AT_ONCE: u64 = 1 << 16;
/// Bytes of a chunk that are aimed at: a request for each of many small ones would be slow.
const CHUNK_BYTES: u64 = 16 << 20;

/// Whether these are the first bytes of an HDF5 file without a user block.
pub(crate) fn is_hdf5(head: &[u8]) -> bool {
    head.starts_with(&hdf5::file::SIGNATURE)
}

impl NetcdfAdapter {
    /// Over one file.
    pub(crate) fn new(source: Source, host: Host) -> Self {
        NetcdfAdapter { source, host, now: Mutex::default() }
    }

    /// Reads the structure, to see whether that can be done.
    pub(crate) fn look(&self, cx: &Context) -> Result<()> {
        self.state(cx).map(|_| ())
    }

    /// The file as it is now.
    fn state(&self, cx: &Context) -> Result<Arc<State>> {
        let version = self.source.version()?;
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = now.as_ref().filter(|state| state.version == version) {
            return Ok(state.clone());
        }
        let (root, values) = self.structure(cx).map_err(|error| self.within(error))?;
        let state = Arc::new(State { version, root: Node::of(root), values, widths: Mutex::default() });
        *now = Some(state.clone());
        Ok(state)
    }

    /// Names the file, once.
    fn within(&self, error: Error) -> Error {
        let name = self.source.name();
        if error.message.contains(&name) { error } else { error.within(name) }
    }

    fn structure(&self, cx: &Context) -> Result<(Group, Box<dyn Values>)> {
        let mut head = [0; 8];
        let got = self.source.read_at(0, &mut head)?;
        let head = head.get(..got).unwrap_or_default();
        if classic::is_classic(head) {
            let group = classic::read_header(&self.source)?;
            return Ok((group, Box::new(ClassicValues(self.source.clone()))));
        }
        hdf5::prepare();
        let linked = Linked::new(H5File::open(self.source.clone(), false)?, self.host.clone(), false);
        let group = netcdf4::read_structure(cx, &linked)?;
        Ok((group, Box::new(Hdf5Values(linked))))
    }
}

impl Node {
    fn of(mut group: Group) -> Node {
        let below = std::mem::take(&mut group.groups)
            .into_iter()
            .map(|(name, group)| (name, Node::of(group)))
            .collect();
        let view = cf::decode(&group);
        Node { variables: group.variables, view, below, broken: group.broken }
    }

    /// Names of all children: data variables, coordinates, groups, and what cannot be shown.
    fn keys(&self) -> Vec<&str> {
        let variables = self.view.variables.iter().map(|decoded| decoded.name.as_str());
        let below = self.below.iter().map(|(name, _)| name.as_str());
        let broken = self.broken.iter().map(|(name, _)| name.as_str());
        let mut seen = HashSet::new();
        variables.chain(below).chain(broken).filter(|name| seen.insert(*name)).collect()
    }

    fn find<'a>(&'a self, path: &str) -> Result<Found<'a>> {
        if path.is_empty() {
            return Ok(Found::Group(self));
        }
        let (key, rest) = path.split_once('/').unwrap_or((path, ""));
        if rest.is_empty()
            && let Some(decoded) = self.view.variables.iter().find(|decoded| decoded.name == key)
            && let Some(variable) = self.variables.get(decoded.index)
        {
            return Ok(Found::Variable(variable, decoded));
        }
        if let Some((_, node)) = self.below.iter().find(|(name, _)| name == key) {
            return node.find(rest);
        }
        if let Some((_, why)) = self.broken.iter().find(|(name, _)| name == key) {
            return Err(Error::new(ErrorKind::BrokenLink, format!("{key} cannot be shown: {why}")));
        }
        Err(Error::not_found(format!("no variable or group {key:?}")))
    }

    fn describe(&self) -> Description {
        Description::container(self.keys().len() as u64)
            .with_metadata(json!({ "attrs": self.view.attrs }))
            .with_specs(vec![Spec::named("xarray_dataset")])
    }
}

impl State {
    fn describe(&self, cx: &Context, path: &str) -> Result<Description> {
        match self.root.find(path)? {
            Found::Group(node) => Ok(node.describe()),
            Found::Variable(variable, decoded) => {
                let data_type = self.data_type(cx, path, variable, decoded)?;
                let chunk = chunk(variable.chunk.as_deref(), &decoded.shape, data_type.itemsize());
                let mut structure = ArrayStructure::chunked(data_type, decoded.shape.clone(), &chunk);
                structure.dims = Some(decoded.dims.clone());
                let spec = if decoded.coordinate { "xarray_coord" } else { "xarray_data_var" };
                Ok(Description::new(StructureFamily::Array, &structure)?
                    .with_metadata(json!({ "attrs": decoded.attrs }))
                    .with_specs(vec![Spec::named(spec)]))
            }
        }
    }

    fn data_type(
        &self,
        cx: &Context,
        path: &str,
        variable: &Variable,
        decoded: &Decoded,
    ) -> Result<DataType> {
        Ok(match &decoded.recipe {
            Recipe::Plain(data_type) => data_type.clone(),
            Recipe::Numbers(numeric) => numeric.data_type(),
            Recipe::Text { .. } => DataType::native(Kind::Unicode, self.width(cx, path, variable, decoded)?),
        })
    }

    /// Bytes of one element of text: those of the longest, at least one character.
    fn width(&self, cx: &Context, path: &str, variable: &Variable, decoded: &Decoded) -> Result<u64> {
        if let Some(width) = self.widths.lock().unwrap_or_else(PoisonError::into_inner).get(path) {
            return Ok(*width);
        }
        let count = decoded.shape.iter().try_fold(1_u64, |all, n| all.checked_mul(*n));
        if count.is_none_or(|count| count > MAX_TEXTS) {
            let message = format!("variable {path}: more than {MAX_TEXTS} texts are not served");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        let mut longest = 1;
        let row: u64 = decoded.shape.iter().skip(1).product();
        let rows = decoded.shape.first().copied().unwrap_or(1);
        let step = (TEXTS_AT_ONCE / row.max(1)).max(1);
        let mut from = 0;
        while from < rows && row > 0 {
            cx.check()?;
            let mut slice: Vec<SliceDim> = decoded.shape.iter().map(|n| SliceDim::all(*n)).collect();
            if let Some(first) = slice.first_mut() {
                *first = SliceDim::range(from, step.min(rows - from));
            }
            for text in self.texts(cx, variable, decoded, &slice)? {
                longest = longest.max(text.chars().count() as u64);
            }
            from += step;
        }
        self.widths.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), 4 * longest);
        Ok(4 * longest)
    }

    fn texts(
        &self,
        cx: &Context,
        variable: &Variable,
        decoded: &Decoded,
        slice: &[SliceDim],
    ) -> Result<Vec<String>> {
        let Recipe::Text { size, latin, missing } = &decoded.recipe else { return Ok(vec![]) };
        let count = elements(slice)?;
        if *size == 0 {
            return Ok(vec![String::new(); count]);
        }
        let stored = self.stored(cx, variable, slice, count.checked_mul(*size))?;
        let text = |bytes: &[u8]| {
            let text = text_of(bytes, *latin);
            if missing.contains(&text) { "nan".to_owned() } else { text }
        };
        Ok(stored.chunks_exact(*size).map(text).collect())
    }

    /// Stored elements; of character strings all characters.
    fn stored(
        &self,
        cx: &Context,
        variable: &Variable,
        slice: &[SliceDim],
        bytes: Option<usize>,
    ) -> Result<Vec<u8>> {
        let mut stored = vec![0; bytes.ok_or_else(|| Error::invalid_data("the part is too large"))?];
        self.values.read(cx, variable, &whole(variable, slice), &mut stored)?;
        Ok(stored)
    }

    fn read(&self, cx: &Context, path: &str, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
        let Found::Variable(variable, decoded) = self.root.find(path)? else {
            return Err(Error::new(ErrorKind::InvalidArgument, format!("/{path} is no variable")));
        };
        match &decoded.recipe {
            // Strings of no characters at all.
            Recipe::Plain(_) if variable.shape.contains(&0) => out.fill(0),
            Recipe::Plain(_) => self.values.read(cx, variable, &whole(variable, slice), out)?,
            Recipe::Numbers(numeric) => {
                let stored =
                    self.stored(cx, variable, slice, elements(slice)?.checked_mul(numeric.from.size()))?;
                numeric.apply(&stored, out);
            }
            Recipe::Text { .. } => {
                let width =
                    usize::try_from(self.width(cx, path, variable, decoded)?).map_err(Error::internal)?;
                let texts = self.texts(cx, variable, decoded, slice)?;
                for (text, place) in texts.iter().zip(out.chunks_exact_mut(width)) {
                    put_text(text, place).map_err(|error| error.within(format!("variable {path}")))?;
                }
            }
        }
        Ok(())
    }
}

/// The slice of the stored variable: character strings have one more axis.
fn whole(variable: &Variable, slice: &[SliceDim]) -> Vec<SliceDim> {
    let rest = variable.shape.iter().skip(slice.len()).map(|n| SliceDim::all(*n));
    slice.iter().copied().chain(rest).collect()
}

fn elements(slice: &[SliceDim]) -> Result<usize> {
    let count = slice.iter().try_fold(1_usize, |all, dim| all.checked_mul(usize::try_from(dim.count).ok()?));
    count.ok_or_else(|| Error::invalid_data("the part is too large"))
}

/// The chunks that are served: whole chunks of the file (or single elements), joined from the last axis on until they
/// have some 16 MiB.
fn chunk(stored: Option<&[u64]>, shape: &[u64], item: u64) -> Vec<u64> {
    let mut chunk: Vec<u64> = shape.iter().map(|_| 1).collect();
    for ((place, n), c) in chunk.iter_mut().zip(shape).zip(stored.unwrap_or_default()) {
        *place = (*c).clamp(1, (*n).max(1));
    }
    for axis in (0..shape.len()).rev() {
        let bytes = chunk.iter().fold(item.max(1), |all, n| all.saturating_mul(*n));
        if let (Some(place), Some(n)) = (chunk.get_mut(axis), shape.get(axis)) {
            *place = place.saturating_mul((CHUNK_BYTES / bytes).max(1)).min((*n).max(1));
        }
    }
    chunk
}

impl Adapter for NetcdfAdapter {
    fn describe(&self, path: &str) -> Result<Description> {
        let cx = Context::unbounded();
        self.state(&cx)?.describe(&cx, path).map_err(|error| self.within(error))
    }

    fn children(&self, path: &str, request: &ChildrenRequest) -> Result<Children> {
        let cx = Context::unbounded();
        let state = self.state(&cx)?;
        let Found::Group(node) = state.root.find(path).map_err(|error| self.within(error))? else {
            let message = format!("{}: /{path} is no group", self.source.name());
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        };
        let keys = node.keys();
        let skip = usize::try_from(request.offset).unwrap_or(usize::MAX);
        let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
        let child = |key: &str| {
            let key = key.to_owned();
            if request.keys_only {
                return Child { key, description: None, broken: None };
            }
            let below = if path.is_empty() { key.clone() } else { format!("{path}/{key}") };
            match state.describe(&cx, &below) {
                Ok(description) => Child { key, description: Some(description), broken: None },
                Err(error) => Child { key, description: None, broken: Some(error.message) },
            }
        };
        let items = keys.iter().skip(skip).take(limit).map(|key| child(key)).collect();
        Ok(Children { count: keys.len() as u64, items })
    }

    fn read_into(&self, cx: &Context, path: &str, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
        self.state(cx)?.read(cx, path, slice, out).map_err(|error| self.within(error))
    }

    fn revision(&self, _path: &str) -> Result<u64> {
        Ok(self.source.version()?.max(1))
    }
}

//! `GET /zarr/v2/{path}` and `/zarr/v3/{path}`: nodes for clients of Zarr. Containers and tables are groups, columns are
//! arrays, sparse arrays are dense; what is neither is not shown.
//!
//! The last segments of a URL say what is asked for: a document (`.zarray`, `zarr.json`), a chunk (`0.1`, `c/0/1`), or,
//! without either, the list of what is below. A caller sees what the same caller sees under `/api/v1`.

mod chunk;
mod document;
mod listing;
mod walk;

use axum::{
    extract::State,
    http::{HeaderValue, Method, StatusCode, header},
    response::Response,
};
use serde_json::{Map, Value};
use tiled_plugin_api::model::{ArrayStructure, DataType, Kind, SparseStructure, StructureFamily};

use crate::{
    access::Scope,
    app::App,
    http::{HttpError, extract::Ask},
    tree::{Node, Place, TreeError, TreeResult},
    zarr::{self, Element, Grid, V2_DOCUMENTS, V3_DOCUMENT, Version, dimension_names},
};

const ARRAYS: &[StructureFamily] = &[StructureFamily::Array, StructureFamily::Sparse];
const GROUPS: &[StructureFamily] = &[StructureFamily::Container, StructureFamily::Table];
const SHOWN: &[StructureFamily] =
    &[StructureFamily::Array, StructureFamily::Sparse, StructureFamily::Container, StructureFamily::Table];
/// Larger chunks are cut: clients hold many at a time.
const MAX_CHUNK_BYTES: u64 = 16 << 20;

/// Zarr v2.
pub async fn v2(State(app): State<App>, method: Method, ask: Ask) -> Result<Response, HttpError> {
    Face { app: &app, ask: &ask, version: Version::V2, is_head: method == Method::HEAD }.answer().await
}

/// Zarr v3.
pub async fn v3(State(app): State<App>, method: Method, ask: Ask) -> Result<Response, HttpError> {
    Face { app: &app, ask: &ask, version: Version::V3, is_head: method == Method::HEAD }.answer().await
}

/// One request.
struct Face<'a> {
    app: &'a App,
    ask: &'a Ask,
    version: Version,
    is_head: bool,
}

/// An array as Zarr has it.
struct Shown {
    structure: ArrayStructure,
    grid: Grid,
    element: Element,
    dimensions: Vec<String>,
    /// Its document, where chunks are sent as they are stored.
    stored: Option<Value>,
}

impl Face<'_> {
    async fn answer(&self) -> Result<Response, HttpError> {
        let mut response = self.dispatch().await?;
        // To be kept, and asked for again with its tag.
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        Ok(response)
    }

    async fn dispatch(&self) -> Result<Response, HttpError> {
        let path = &self.ask.path;
        if let Some((last, above)) = path.split_last() {
            let v2 = V2_DOCUMENTS.contains(&last.as_str());
            match self.version {
                Version::V2 if v2 => return self.document(above, last).await,
                Version::V3 if last == V3_DOCUMENT => return self.document(above, last).await,
                // Clients look for the documents of the other version first.
                _ if v2 || last == V3_DOCUMENT => return Err(self.nothing()),
                _ => {}
            }
        }
        if let Some((above, key)) = chunk_key(self.version, path)
            && let Some(node) = self.array_at(above).await?
        {
            return self.chunk(&node, &key).await;
        }
        self.listing().await
    }

    /// Nothing is here, and nothing needs to be looked up to know.
    fn nothing(&self) -> HttpError {
        match self.ask.caller.require(Scope::ReadMetadata) {
            Err(missing) => missing.into(),
            Ok(()) => HttpError::new(StatusCode::NOT_FOUND, "Not Found"),
        }
    }

    async fn find(&self, path: &[String], scope: Scope) -> TreeResult<Node> {
        self.app.readers.tree.find(&self.ask.cx, path, self.ask.caller, scope).await
    }

    /// The array here; `None` where there is something else or nothing: a node may be called as a chunk is.
    async fn array_at(&self, path: &[String]) -> TreeResult<Option<Node>> {
        let may_read = self.ask.caller.require(Scope::ReadData).is_ok();
        let scope = if may_read { Scope::ReadData } else { Scope::ReadMetadata };
        match self.find(path, scope).await {
            Ok(node) if ARRAYS.contains(&node.family) => {
                self.ask.caller.require(Scope::ReadData)?;
                Ok(Some(node))
            }
            Ok(_) | Err(TreeError::NoEntry(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The metadata of a node as attributes.
    fn own_attributes(&self, node: &Node, dimensions: Option<&[String]>) -> Map<String, Value> {
        zarr::attributes(self.version, node.metadata_value(), &node.specs, dimensions)
    }

    /// How an array, or a sparse array, is shown.
    async fn shown(&self, node: &Node) -> TreeResult<Shown> {
        let structure: ArrayStructure = match node.family {
            StructureFamily::Sparse => {
                let sparse: SparseStructure = node.structure()?;
                ArrayStructure {
                    data_type: sparse.data_type.unwrap_or_else(|| DataType::native(Kind::Float, 8)),
                    chunks: sparse.chunks,
                    shape: sparse.shape,
                    dims: sparse.dims,
                    resizable: false,
                }
            }
            _ => node.structure()?,
        };
        let element = Element::of(&structure.data_type);
        let readers = &self.app.readers;
        let limit = MAX_CHUNK_BYTES.min(readers.whole_bytes).min(readers.response_bytesize_limit);
        let grid = Grid::of(&structure, element.shown_itemsize, limit);
        // All columns of a table are equally long.
        let rows = [String::from("index")];
        let own = match &node.place {
            Place::Column(..) => Some(&rows[..]),
            _ => structure.dims.as_deref(),
        };
        let key = if node.key().is_empty() { "array" } else { node.key() };
        let dimensions = dimension_names(own, structure.shape.len(), key);
        let mut shown = Shown { structure, grid, element, dimensions, stored: None };
        if let Some(document) = readers.stored_as(&self.ask.cx, node, self.version).await? {
            let attributes = self.own_attributes(node, Some(&shown.dimensions));
            let parts = (&shown.grid, &shown.element);
            let stored = zarr::stored(self.version, &document, parts, &shown.dimensions, attributes);
            let itemsize = shown.element.shown_itemsize;
            let fits = |grid: &Grid| {
                let bytes = grid.elements().and_then(|n| n.checked_mul(itemsize));
                bytes.is_some_and(|bytes| bytes <= readers.whole_bytes)
            };
            if let Some((grid, document)) = stored.filter(|(grid, _)| fits(grid)) {
                shown.grid = grid;
                shown.stored = Some(document);
            }
        }
        Ok(shown)
    }
}

/// The path of an array and the numbers of a chunk (in v3 perhaps only the first ones), where a URL may mean one.
fn chunk_key(version: Version, path: &[String]) -> Option<(&[String], Vec<u64>)> {
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    match version {
        Version::V2 => {
            let (last, above) = path.split_last()?;
            Some((above, last.split('.').map(number).collect::<Option<_>>()?))
        }
        Version::V3 => {
            let digits = path.iter().rev().take_while(|segment| number(segment).is_some()).count();
            let (before, key) = path.split_at(path.len() - digits);
            let (marker, above) = before.split_last()?;
            (marker == "c").then(|| (above, key.iter().filter_map(|segment| number(segment)).collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(version: Version, path: &str) -> Option<(String, Vec<u64>)> {
        let path: Vec<String> = path.split('/').map(str::to_owned).collect();
        chunk_key(version, &path).map(|(above, key)| (above.join("/"), key))
    }

    #[test]
    fn chunks_are_told_from_nodes() {
        assert_eq!(check(Version::V2, "a/0.12"), Some(("a".into(), vec![0, 12])));
        assert_eq!(check(Version::V2, "a/b"), None);
        assert_eq!(check(Version::V2, "a/0..1"), None);
        assert_eq!(check(Version::V3, "a/c/0/12"), Some(("a".into(), vec![0, 12])));
        assert_eq!(check(Version::V3, "a/c"), Some(("a".into(), vec![])));
        assert_eq!(check(Version::V3, "a/0/1"), None);
    }
}

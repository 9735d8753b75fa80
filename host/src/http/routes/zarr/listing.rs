//! What is below a URL, as a JSON list of URLs: fsspec finds them with a pattern, and takes those with a slash at the end
//! for directories. No content type, as Tiled sends none: fsspec looks for links only where there is none, or HTML.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tiled_plugin_api::model::StructureFamily;

use super::{ARRAYS, Face, SHOWN};
use crate::{
    access::Scope,
    http::HttpError,
    tree::{Entry, ListRequest, Node, Place, TreeError},
    zarr::{Grid, V3_DOCUMENT, Version},
};

/// Entries that one list may have.
const MAX_ENTRIES: u64 = 100_000;
/// Children asked for at a time.
const PAGE: u64 = 1000;

/// What fsspec's pattern takes for a part of a URL, less what means something in one.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'@')
    .remove(b':')
    .remove(b'+');

impl Face<'_> {
    /// Documents and children of the node at the path.
    pub(super) async fn listing(&self) -> Result<Response, HttpError> {
        let node = self.find(&self.ask.path, Scope::ReadMetadata).await?.only(SHOWN)?;
        let documents: &[&str] = match self.version {
            Version::V3 => &[V3_DOCUMENT],
            Version::V2 if ARRAYS.contains(&node.family) => &[".zarray", ".zattrs"],
            Version::V2 => &[".zgroup", ".zattrs"],
        };
        let mut names: Vec<String> = documents.iter().map(|name| (*name).to_owned()).collect();
        match node.family {
            StructureFamily::Table => names.extend(columns(&node).into_iter().map(|key| segment(&key) + "/")),
            StructureFamily::Container => names.extend(self.keys(&node).await?),
            _ => {
                let grid = self.shown(&node).await?.grid;
                match self.version {
                    Version::V2 => names.extend(chunks(&grid)?),
                    Version::V3 if grid.shape.is_empty() => names.push("c".into()),
                    Version::V3 => names.push("c/".into()),
                }
            }
        }
        Ok(self.list(&node.path, names))
    }

    /// The next number of chunks whose keys begin so, in v3.
    pub(super) fn chunks_below(&self, node: &Node, grid: &Grid, key: &[u64]) -> Result<Response, HttpError> {
        let axis = key.len();
        let inside = key.iter().enumerate().all(|(axis, number)| *number < grid.chunks_along(axis));
        let count = if inside { grid.chunks_along(axis) } else { 0 };
        bounded(count)?;
        let end = if axis + 1 < grid.shape.len() { "/" } else { "" };
        let names = (0..count).map(|number| format!("{number}{end}")).collect();
        let mut path = node.path.clone();
        path.push("c".into());
        path.extend(key.iter().map(u64::to_string));
        Ok(self.list(&path, names))
    }

    /// Children that can be shown. Broken ones are left out: a client that met one would not go on.
    async fn keys(&self, node: &Node) -> Result<Vec<String>, HttpError> {
        let rows = matches!(&node.place, Place::Row(_, row) if row.data_source.is_none());
        let mut request = ListRequest { limit: PAGE, keys_only: rows, ..ListRequest::default() };
        let mut keys = Vec::new();
        loop {
            let page =
                self.app.readers.tree.list(&self.ask.cx, node, self.ask.caller, request.clone()).await?;
            bounded(page.count)?;
            for entry in &page.entries {
                match entry {
                    Entry::Node(child) if SHOWN.contains(&child.family) => {
                        keys.push(segment(child.key()) + "/")
                    }
                    _ => {}
                }
            }
            bounded(keys.len() as u64)?;
            if !page.has_more || page.entries.is_empty() {
                return Ok(keys);
            }
            request.offset = request.offset.saturating_add(page.entries.len() as u64);
            request.cursor = page.next_cursor;
        }
    }

    fn list(&self, path: &[String], names: Vec<String>) -> Response {
        let version = if self.version == Version::V2 { "v2" } else { "v3" };
        let path: String = path.iter().map(|key| format!("/{}", segment(key))).collect();
        let above = format!("{}/zarr/{version}{path}", self.ask.root_url);
        let urls: Vec<String> = names.into_iter().map(|name| format!("{above}/{name}")).collect();
        // Texts always have a JSON form.
        Body::from(serde_json::to_vec(&urls).unwrap_or_default()).into_response()
    }
}

/// Names of a table's columns.
pub(super) fn columns(table: &Node) -> Vec<String> {
    let columns = table.structure.get("columns").and_then(serde_json::Value::as_array);
    columns.into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

fn segment(key: &str) -> String {
    utf8_percent_encode(key, SEGMENT).to_string()
}

fn bounded(count: u64) -> Result<(), TreeError> {
    if count <= MAX_ENTRIES {
        return Ok(());
    }
    Err(TreeError::invalid(format!(
        "More than {MAX_ENTRIES} entries are not listed for Zarr: open what you need by its path"
    )))
}

/// Keys of all chunks in v2.
fn chunks(grid: &Grid) -> Result<Vec<String>, TreeError> {
    let along: Vec<u64> = (0..grid.shape.len()).map(|axis| grid.chunks_along(axis)).collect();
    if along.is_empty() {
        return Ok(vec!["0".into()]);
    }
    bounded(along.iter().fold(1, |all, count| all.saturating_mul(*count)))?;
    let mut keys = vec![String::new()];
    for count in along {
        let below = |above: &String, number: u64| {
            if above.is_empty() { number.to_string() } else { format!("{above}.{number}") }
        };
        keys = keys.iter().flat_map(|above| (0..count).map(move |number| below(above, number))).collect();
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_chunks_are_named() {
        let grid = Grid { shape: vec![4, 3], chunk: vec![2, 2] };
        assert_eq!(chunks(&grid).unwrap(), ["0.0", "0.1", "1.0", "1.1"]);
        assert_eq!(chunks(&Grid { shape: vec![], chunk: vec![] }).unwrap(), ["0"]);
        assert_eq!(chunks(&Grid { shape: vec![0, 3], chunk: vec![1, 2] }).unwrap(), [""; 0]);
        assert!(chunks(&Grid { shape: vec![1 << 40], chunk: vec![1] }).is_err());
    }
}

//! Documents: what an array or a group is, its attributes, and all below a group in one.

use axum::{http::StatusCode, response::Response};
use serde_json::{Map, Value};

use super::{ARRAYS, Face, GROUPS, SHOWN};
use crate::{
    access::Scope,
    http::{HttpError, respond},
    tree::{Node, Place},
    zarr::{self, Version, array, group},
};

impl Face<'_> {
    /// A document of the node at a path. What depends on rows alone is kept until a catalog changes.
    pub(super) async fn document(&self, path: &[String], name: &str) -> Result<Response, HttpError> {
        self.ask.caller.require(Scope::ReadMetadata)?;
        let (key, generation) = (self.ask.digest(self.version.format()), self.app.readers.tree.generation());
        if let Some(rendered) = self.app.rendered.get(key, generation) {
            return Ok(respond::send(self.ask, &rendered));
        }
        let node = self.find(path, Scope::ReadMetadata).await?;
        let mut of_rows = is_of_rows(&node);
        let document = match name {
            ".zgroup" => self.group_document(&node.only(GROUPS)?).await?,
            ".zattrs" => Value::Object(self.attributes(&node.only(SHOWN)?).await?),
            ".zarray" => self.array_document(&node.only(ARRAYS)?).await?,
            ".zmetadata" => {
                let (members, rows) = self.members(&node.only(GROUPS)?).await?.ok_or_else(|| {
                    HttpError::new(StatusCode::NOT_FOUND, "This group has no consolidated metadata")
                })?;
                of_rows &= rows;
                zarr::consolidated(Version::V2, members)
            }
            _ if GROUPS.contains(&node.family) => {
                let mut document = self.group_document(&node).await?;
                if let Some((members, rows)) = self.members(&node).await? {
                    of_rows &= rows;
                    document["consolidated_metadata"] = zarr::consolidated(Version::V3, members);
                }
                document
            }
            _ => self.array_document(&node.only(SHOWN)?).await?,
        };
        let rendered = respond::render_json(self.ask, &document).await?;
        if of_rows {
            return Ok(respond::send(self.ask, &self.app.rendered.keep(key, generation, rendered)));
        }
        Ok(respond::send(self.ask, &rendered))
    }

    /// `.zarray`, or `zarr.json` of an array.
    pub(super) async fn array_document(&self, node: &Node) -> Result<Value, HttpError> {
        let shown = self.shown(node).await?;
        if let Some(stored) = shown.stored {
            return Ok(stored);
        }
        let attributes = self.own_attributes(node, Some(&shown.dimensions));
        Ok(array(self.version, &shown.grid, &shown.element, &shown.dimensions, attributes))
    }

    /// `.zgroup`, or `zarr.json` of a group without what is below.
    pub(super) async fn group_document(&self, node: &Node) -> Result<Value, HttpError> {
        let attributes = match self.version {
            Version::V2 => Map::new(),
            Version::V3 => self.attributes(node).await?,
        };
        Ok(group(self.version, attributes))
    }

    /// `.zattrs`, or the attributes in `zarr.json`.
    pub(super) async fn attributes(&self, node: &Node) -> Result<Map<String, Value>, HttpError> {
        if ARRAYS.contains(&node.family) {
            return Ok(self.own_attributes(node, Some(&self.shown(node).await?.dimensions)));
        }
        let mut attributes = self.own_attributes(node, None);
        if node.specs.iter().any(|spec| spec.name == "xarray_dataset") {
            let coordinates = self.coordinates(node).await?;
            if !coordinates.is_empty() {
                attributes.insert("coordinates".into(), coordinates.join(" ").into());
            }
        }
        Ok(attributes)
    }
}

/// Whether the node is a row and nothing of it comes from a file: that changes without the catalog.
pub(super) fn is_of_rows(node: &Node) -> bool {
    let Place::Row(_, row) = &node.place else { return false };
    let is_stored_so = |mimetype: &str| mimetype.starts_with(zarr::MIMETYPE);
    let source = row.data_source.as_ref();
    source.is_none_or(|source| ARRAYS.contains(&node.family) && !is_stored_so(&source.mimetype))
}

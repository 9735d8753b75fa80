//! One node of the tree, found and allowed.

use std::sync::Arc;

use serde_json::{Map, Value};
use tiled_plugin_api::{
    author::Error,
    model::{Description, Spec, StructureFamily},
};

use super::{Column, Mount, Opened, TreeError, TreeResult};
use crate::catalog::NodeRow;

/// Where a node is kept.
#[derive(Clone)]
pub enum Place {
    /// Above the mounts: there because something is mounted below it. The children's keys.
    Above(Vec<String>),
    /// A row of a catalog.
    Row(Arc<Mount>, Arc<NodeRow>),
    /// Inside the file of a row: the path below it.
    Inside(Arc<Mount>, Arc<NodeRow>, Arc<Opened>, String),
    /// A column of a table: that table, and what was read.
    Column(Box<Node>, Arc<Column>),
}

/// A node that the caller may use. Only [`super::Tree::find`] and its listings make one.
#[derive(Clone)]
pub struct Node {
    /// Segments from the root.
    pub path: Vec<String>,
    /// Where it is kept.
    pub place: Place,
    /// What it is.
    pub family: StructureFamily,
    /// In the family's JSON shape; null for containers.
    pub structure: Value,
    /// A JSON object as text.
    pub metadata: String,
    /// Most specific first.
    pub specs: Vec<Spec>,
    /// Sorted; `None` for what is not a row.
    pub access_tags: Option<Vec<String>>,
    /// Containers: children, where known without asking.
    pub count: Option<u64>,
}

impl Node {
    pub(super) fn of_row(path: Vec<String>, mount: Arc<Mount>, row: NodeRow) -> TreeResult<Self> {
        let structure = match &row.structure {
            Some(text) if row.structure_family != StructureFamily::Container => serde_json::from_str(text)
                .map_err(|e| Error::internal(format!("structure of node {}: {e}", row.id)))?,
            _ => Value::Null,
        };
        let is_root = row.parent.is_none();
        let mut node = Node {
            path,
            family: row.structure_family,
            structure,
            metadata: row.metadata.clone(),
            specs: row.specs.clone(),
            access_tags: Some(row.access_tags.clone()),
            count: row.children.filter(|_| row.data_source.is_none()),
            place: Place::Row(mount.clone(), Arc::new(row)),
        };
        if is_root {
            mount.options.dress(&mut node);
        }
        Ok(node)
    }

    pub(super) fn of_description(path: Vec<String>, place: Place, description: Description) -> Self {
        let metadata = match description.metadata {
            Value::Null => "{}".to_owned(),
            other => other.to_string(),
        };
        Node {
            path,
            place,
            family: description.structure_family,
            structure: description.structure,
            metadata,
            specs: description.specs,
            access_tags: None,
            count: description.count,
        }
    }

    /// The last segment; empty for the root.
    pub fn key(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }

    /// The node, if it is of one of these families.
    ///
    /// # Errors
    /// `Family`, in Tiled's words.
    pub fn only(self, wanted: &'static [StructureFamily]) -> TreeResult<Self> {
        if wanted.contains(&self.family) {
            return Ok(self);
        }
        Err(TreeError::Family { path: self.path.join("/"), family: self.family, wanted })
    }

    /// The structure as a Rust type.
    ///
    /// # Errors
    /// `Internal` when the catalog says something else.
    pub fn structure<T: serde::de::DeserializeOwned>(&self) -> TreeResult<T> {
        T::deserialize(&self.structure)
            .map_err(|e| Error::internal(format!("structure of {}: {e}", self.path.join("/"))).into())
    }

    /// The metadata, parsed.
    pub fn metadata_value(&self) -> Value {
        serde_json::from_str(&self.metadata).unwrap_or_else(|_| Value::Object(Map::new()))
    }

    /// Whether children come from inside a file, so that their parent lists them inline.
    pub fn is_inside_a_file(&self) -> bool {
        matches!(self.place, Place::Inside(..))
    }

    /// The row of the catalog that it is, or that holds the file it is in.
    pub fn row(&self) -> Option<(&Arc<Mount>, &Arc<NodeRow>)> {
        match &self.place {
            Place::Above(_) => None,
            Place::Row(mount, row) | Place::Inside(mount, row, ..) => Some((mount, row)),
            Place::Column(table, _) => table.row(),
        }
    }
}

//! What an adapter says of one node, in the attributes of Tiled's node document.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::StructureFamily;
use crate::author::{Error, Result};

/// A name with an optional version that tells clients how to treat a node (`xarray_dataset`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Spec {
    /// At most 255 characters.
    pub name: String,
    /// Free text.
    #[serde(default)]
    pub version: Option<String>,
}

impl Spec {
    /// A spec without a version.
    pub fn named(name: impl Into<String>) -> Self {
        Spec { name: name.into(), version: None }
    }
}

/// One node: family, structure, metadata, specs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// Which of Tiled's structure families the node is.
    pub structure_family: StructureFamily,
    /// The structure in Tiled's JSON shape; null for containers and bytes.
    #[serde(default)]
    pub structure: Value,
    /// A JSON object.
    #[serde(default)]
    pub metadata: Value,
    /// Most specific first.
    #[serde(default)]
    pub specs: Vec<Spec>,
    /// Containers only: how many children there are, where that is cheap to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

impl Description {
    /// A node of `family` with `structure`, no metadata and no specs.
    ///
    /// # Errors
    /// `Internal` when the structure has no JSON form.
    pub fn new(family: StructureFamily, structure: &impl Serialize) -> Result<Self> {
        let structure = serde_json::to_value(structure).map_err(Error::internal)?;
        let metadata = Value::Object(Map::new());
        Ok(Description { structure_family: family, structure, metadata, specs: vec![], count: None })
    }

    /// A container of `count` children.
    pub fn container(count: u64) -> Self {
        Description {
            structure_family: StructureFamily::Container,
            structure: Value::Null,
            metadata: Value::Object(Map::new()),
            specs: vec![],
            count: Some(count),
        }
    }

    /// The same node with this metadata, a JSON object.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Value) -> Self {
        self.metadata = metadata;
        self
    }

    /// The same node with these specs.
    #[must_use]
    pub fn with_specs(mut self, specs: Vec<Spec>) -> Self {
        self.specs = specs;
        self
    }

    /// The structure as a Rust type.
    ///
    /// # Errors
    /// `Internal` when the JSON is not of that shape.
    pub fn structure<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        T::deserialize(&self.structure).map_err(Error::internal)
    }
}

/// One entry of a listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Child {
    /// The name below the parent.
    pub key: String,
    /// Absent when only keys were asked for, and for a broken child.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Description>,
    /// Why this child cannot be opened (a dangling link, a type without a form): shown on it alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
}

/// Which children of a container to list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildrenRequest {
    /// How many to skip, in the container's own order.
    pub offset: u64,
    /// How many to give at most.
    pub limit: u64,
    /// Without descriptions, where only names are needed.
    #[serde(default)]
    pub keys_only: bool,
}

/// A page of a listing.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Children {
    /// Children in the whole container.
    pub count: u64,
    /// Those that were asked for, in order.
    pub items: Vec<Child>,
}

/// What a read will cost and where it is best cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Memory the adapter needs beside the output, in bytes.
    pub peak_bytes: u64,
    /// Positions along the first axis of the result (counted in its elements) where cutting the read decodes no
    /// chunk twice; ascending, without 0 and the end.
    pub cuts: Vec<u64>,
}

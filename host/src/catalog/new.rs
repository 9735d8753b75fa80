//! What is put into a catalog, and what is asked of it beside pages.

use serde_json::{Map, Value};
use tiled_plugin_api::model::{Spec, StructureFamily};

use super::Management;
use crate::query::Query;

/// A node to be added.
#[derive(Debug, Clone, PartialEq)]
pub struct NewNode {
    /// Not yet among the children of its parent.
    pub key: String,
    /// Its family.
    pub structure_family: StructureFamily,
    /// A JSON object.
    pub metadata: Value,
    /// Most specific first.
    pub specs: Vec<Spec>,
    /// Names of tags that are defined.
    pub access_tags: Vec<String>,
    /// None for a container of the catalog; else one.
    pub data_sources: Vec<NewDataSource>,
}

impl NewNode {
    /// A container without data.
    pub fn container(key: &str) -> Self {
        NewNode {
            key: key.to_owned(),
            structure_family: StructureFamily::Container,
            metadata: Value::Object(Map::new()),
            specs: Vec::new(),
            access_tags: Vec::new(),
            data_sources: Vec::new(),
        }
    }
}

/// Where the data of a new node are.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDataSource {
    /// Which family opening it gives.
    pub structure_family: StructureFamily,
    /// In the family's shape; null for none.
    pub structure: Value,
    /// With parameters.
    pub mimetype: String,
    /// Arguments for the adapter.
    pub parameters: Map<String, Value>,
    /// What is to be noted.
    pub properties: Map<String, Value>,
    /// Who may change the data.
    pub management: Management,
    /// Each used once.
    pub assets: Vec<NewAsset>,
}

/// A file or directory of a new data source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAsset {
    /// `file://localhost/abs/path`, not percent-encoded.
    pub data_uri: String,
    /// Whether it is a directory.
    pub is_directory: bool,
    /// Bytes; `None` for directories.
    pub size: Option<u64>,
    /// The adapter's argument.
    pub parameter: Option<String>,
    /// Its place in a list.
    pub num: Option<i64>,
}

/// Which values to collect.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DistinctRequest {
    /// Of the nodes that meet all of these.
    pub queries: Vec<Query>,
    /// Dotted paths into the metadata.
    pub metadata: Vec<String>,
    /// Also the families.
    pub structure_families: bool,
    /// Also the lists of specs.
    pub specs: bool,
}

/// The values found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DistinctResult {
    /// By path, in the order asked; a null value stands for nodes without the key.
    pub metadata: Vec<(String, Vec<DistinctValue>)>,
    /// If asked for.
    pub structure_families: Option<Vec<DistinctValue>>,
    /// If asked for; each value is a whole list of specs.
    pub specs: Option<Vec<DistinctValue>>,
}

/// A value and how many nodes have it.
#[derive(Debug, Clone, PartialEq)]
pub struct DistinctValue {
    /// JSON.
    pub value: Value,
    /// Nodes.
    pub count: u64,
}

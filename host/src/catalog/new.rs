//! What is put into a catalog, and what is asked of it beside pages.

use serde_json::{Map, Value};
use tiled_plugin_api::model::{Spec, StructureFamily};

use super::{DataSourceRow, Management, NodeRow};
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

/// A node that was added.
#[derive(Debug, Clone, PartialEq)]
pub struct Created {
    /// Its id.
    pub id: i64,
    /// As they are in the catalog now, with their assets.
    pub data_sources: Vec<DataSourceRow>,
}

/// What a node's metadata become; `None` leaves a part as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MetadataUpdate {
    /// A JSON object.
    pub metadata: Option<Value>,
    /// Most specific first.
    pub specs: Option<Vec<Spec>>,
    /// Names of tags that are defined; those of a user or a service are made.
    pub access_tags: Option<Vec<String>>,
}

/// A node that was changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Updated {
    /// As it is now.
    pub node: NodeRow,
    /// The number under which its former state was kept, if it was.
    pub revision: Option<i64>,
}

/// What a data source becomes.
#[derive(Debug, Clone, PartialEq)]
pub struct DataSourceUpdate {
    /// Which one.
    pub id: i64,
    /// In the family's shape; null for none.
    pub structure: Value,
    /// With parameters; `None` leaves it as it is.
    pub mimetype: Option<String>,
    /// Arguments for the adapter.
    pub parameters: Map<String, Value>,
    /// What is to be noted.
    pub properties: Map<String, Value>,
    /// Those that it does not have yet are added.
    pub assets: Vec<NewAsset>,
}

/// What became of an asset.
#[derive(Debug, Clone, PartialEq)]
pub struct AssetDeletion {
    /// Whether nothing used it any more, so that it is not in the catalog now.
    pub deleted: bool,
    /// The data source, with this asset only, whose data the caller must remove.
    pub data: Option<DataSourceRow>,
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

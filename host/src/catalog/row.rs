//! What the catalog's rows say, as plain values.

use serde_json::{Map, Value};
use tiled_plugin_api::model::{Spec, StructureFamily};

/// One node.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeRow {
    /// Internal; also the cursor after this node.
    pub id: i64,
    /// `None` for the root.
    pub parent: Option<i64>,
    /// The last segment of its path.
    pub key: String,
    /// Its family.
    pub structure_family: StructureFamily,
    /// A JSON object, as stored: parsed by nobody on the way.
    pub metadata: String,
    /// Most specific first.
    pub specs: Vec<Spec>,
    /// Sorted by name.
    pub access_tags: Vec<String>,
    /// `2026-11-24 16:18:35`, UTC.
    pub time_created: String,
    /// `2026-11-24 16:18:35`, UTC.
    pub time_updated: String,
    /// Its data source, where it has one (Tiled gives a node at most one).
    pub data_source: Option<SourceBrief>,
    /// The structure of the data source as stored JSON; `None` without a data source, or when not asked for.
    pub structure: Option<String>,
    /// How many children it has in the catalog, counted no further than asked for; `None` when not asked for.
    pub children: Option<u64>,
    /// The keys from the root's child down to its parent; only in deep searches.
    pub ancestors: Option<Vec<String>>,
}

/// What a listing needs of a node's data source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceBrief {
    /// Its id.
    pub id: i64,
    /// With parameters: `text/csv;header=absent`.
    pub mimetype: String,
    /// Of the data source; the node's own is the same but for special cases.
    pub structure_family: StructureFamily,
    /// Who may change the data.
    pub management: Management,
}

/// Who owns and may change the data of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Management {
    /// Not the server: files found elsewhere.
    External,
    /// The server; written once.
    Immutable,
    /// The server; no longer to be changed.
    Locked,
    /// The server; may be written.
    Writable,
}

impl Management {
    /// As stored and on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Management::External => "external",
            Management::Immutable => "immutable",
            Management::Locked => "locked",
            Management::Writable => "writable",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Management::External, Management::Immutable, Management::Locked, Management::Writable]
            .into_iter()
            .find(|management| management.name() == name)
    }
}

/// Where the data of a node are, and how to open them.
#[derive(Debug, Clone, PartialEq)]
pub struct DataSourceRow {
    /// Its id.
    pub id: i64,
    /// The node it belongs to.
    pub node_id: i64,
    /// Which family opening it gives.
    pub structure_family: StructureFamily,
    /// Stored JSON, in the family's shape.
    pub structure: Option<String>,
    /// With parameters.
    pub mimetype: String,
    /// Arguments for the adapter.
    pub parameters: Map<String, Value>,
    /// What was noted about it.
    pub properties: Map<String, Value>,
    /// Who may change it.
    pub management: Management,
    /// By parameter and place.
    pub assets: Vec<AssetRow>,
}

/// One file, directory or other thing that holds data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetRow {
    /// Its id.
    pub id: i64,
    /// `file://localhost/abs/path`: not percent-encoded by Tiled.
    pub data_uri: String,
    /// Whether it is a directory.
    pub is_directory: bool,
    /// Bytes, where known.
    pub size: Option<u64>,
    /// The adapter's argument it is for; `None` for what is only needed indirectly.
    pub parameter: Option<String>,
    /// Its place in the list; `None` where the argument takes one.
    pub num: Option<i64>,
}

/// A former state of a node's metadata.
#[derive(Debug, Clone, PartialEq)]
pub struct RevisionRow {
    /// From 1.
    pub revision_number: i64,
    /// Stored JSON object.
    pub metadata: String,
    /// Most specific first.
    pub specs: Vec<Spec>,
    /// `2026-11-24 16:18:35`, UTC: when it was replaced.
    pub time_updated: String,
}

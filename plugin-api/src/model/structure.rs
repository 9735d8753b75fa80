//! The structures of Tiled's families, field by field as they stand on the wire.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::DataType;

/// What kind of thing a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StructureFamily {
    /// A dense array.
    Array,
    /// An awkward array: a form and buffers.
    Awkward,
    /// Opaque bytes, only downloaded.
    Bytes,
    /// A node with children.
    Container,
    /// A list of arrays of differing length.
    Ragged,
    /// A sparse array in coordinates.
    Sparse,
    /// A table of columns.
    Table,
}

impl StructureFamily {
    /// All of them, in the order of their names.
    pub const ALL: [StructureFamily; 7] = [
        StructureFamily::Array,
        StructureFamily::Awkward,
        StructureFamily::Bytes,
        StructureFamily::Container,
        StructureFamily::Ragged,
        StructureFamily::Sparse,
        StructureFamily::Table,
    ];

    /// Its name in URLs and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            StructureFamily::Array => "array",
            StructureFamily::Awkward => "awkward",
            StructureFamily::Bytes => "bytes",
            StructureFamily::Container => "container",
            StructureFamily::Ragged => "ragged",
            StructureFamily::Sparse => "sparse",
            StructureFamily::Table => "table",
        }
    }

    /// The family of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.name() == name)
    }
}

impl std::fmt::Display for StructureFamily {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A dense array.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArrayStructure {
    /// The type of an element.
    pub data_type: DataType,
    /// Lengths of the chunks along each axis; they add up to the shape.
    pub chunks: Vec<Vec<u64>>,
    /// Lengths of the axes; empty for a scalar.
    pub shape: Vec<u64>,
    /// Names of the axes.
    #[serde(default)]
    pub dims: Option<Vec<String>>,
    /// Always false: Tiled's client refuses others.
    #[serde(default)]
    pub resizable: bool,
}

impl ArrayStructure {
    /// An array in one chunk.
    pub fn single_chunk(data_type: DataType, shape: Vec<u64>) -> Self {
        let chunks = whole_chunks(&shape);
        ArrayStructure { data_type, chunks, shape, dims: None, resizable: false }
    }

    /// An array in regular chunks of `chunk_shape`, the last of each axis cut short.
    pub fn chunked(data_type: DataType, shape: Vec<u64>, chunk_shape: &[u64]) -> Self {
        let chunks = chunks_of(&shape, chunk_shape);
        ArrayStructure { data_type, chunks, shape, dims: None, resizable: false }
    }

    /// Bytes of the whole array; `None` when that overflows.
    pub fn nbytes(&self) -> Option<u64> {
        self.shape.iter().try_fold(self.data_type.itemsize(), |all, n| all.checked_mul(*n))
    }
}

/// One chunk over the whole of each axis.
pub fn whole_chunks(shape: &[u64]) -> Vec<Vec<u64>> {
    shape.iter().map(|n| vec![*n]).collect()
}

/// A forged shape must not make a list of 2^40 chunks: beyond this many, neighbours are joined.
const MAX_CHUNKS_PER_AXIS: u64 = 1 << 17;

/// Chunk lengths of a regular grid over `shape`, the last of each axis cut short. An empty axis has one chunk of 0.
/// Where an axis would have more than 2^17 chunks, whole numbers of neighbours are joined.
pub fn chunks_of(shape: &[u64], chunk_shape: &[u64]) -> Vec<Vec<u64>> {
    let along = |n: u64, c: u64| -> Vec<u64> {
        let c = c.clamp(1, n.max(1));
        let c = c.saturating_mul((n / c).div_ceil(MAX_CHUNKS_PER_AXIS).max(1)).clamp(1, n.max(1));
        let mut lengths = vec![c; usize::try_from(n / c).unwrap_or(0)];
        if !n.is_multiple_of(c) || n == 0 {
            lengths.push(n % c);
        }
        lengths
    };
    shape.iter().zip(chunk_shape).map(|(n, c)| along(*n, *c)).collect()
}

/// A sparse array in COO layout; its data travel as a table of `dim0…dimN-1, data`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SparseStructure {
    /// As for arrays.
    pub chunks: Vec<Vec<u64>>,
    /// As for arrays.
    pub shape: Vec<u64>,
    /// The type of a value.
    #[serde(default)]
    pub data_type: Option<DataType>,
    /// The type of a coordinate.
    #[serde(default)]
    pub coord_data_type: Option<DataType>,
    /// Names of the axes.
    #[serde(default)]
    pub dims: Option<Vec<String>>,
    /// Always false.
    #[serde(default)]
    pub resizable: bool,
    /// `COO`.
    #[serde(default = "coo")]
    pub layout: String,
}

fn coo() -> String {
    "COO".into()
}

/// A table in partitions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableStructure {
    /// `data:application/vnd.apache.arrow.file;base64,` and an encapsulated IPC schema message.
    pub arrow_schema: String,
    /// At least 1.
    pub npartitions: u64,
    /// Column names without index columns.
    pub columns: Vec<String>,
    /// Always false.
    #[serde(default)]
    pub resizable: bool,
}

/// An awkward array.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AwkwardStructure {
    /// Length of the outermost axis.
    pub length: u64,
    /// The form as JSON.
    pub form: Value,
}

/// A list of arrays of differing length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RaggedStructure {
    /// The type of an element.
    pub data_type: DataType,
    /// `None` where an axis differs from row to row.
    pub shape: Vec<Option<u64>>,
    /// Elements in all.
    pub size: u64,
    /// Only the first axis may have several.
    pub chunks: Vec<Option<Vec<u64>>>,
    /// Names of the axes.
    #[serde(default)]
    pub dims: Option<Vec<String>>,
    /// Always false.
    #[serde(default)]
    pub resizable: bool,
}

/// A container that is a file: the keys of its children.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerStructure {
    /// In order.
    pub keys: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_cover_the_axis_and_no_more() {
        assert_eq!(chunks_of(&[10, 4, 0], &[4, 9, 3]), vec![vec![4, 4, 2], vec![4], vec![0]]);
        assert_eq!(chunks_of(&[], &[]), Vec::<Vec<u64>>::new());
    }
}

//! What a client says of a node to be made, and whether it may be said.

use serde::Deserialize;
use serde_json::{Map, Value};
use tiled_plugin_api::model::{
    ArrayStructure, AwkwardStructure, RaggedStructure, SparseStructure, Spec, StructureFamily, TableStructure,
};

use super::{MAX_SPECS, unprocessable};
use crate::{catalog::Management, tree::TreeResult};

/// Letters of a spec's name and version at most.
const MAX_SPEC_CHARS: usize = 255;
/// Bytes of a key at most: it stands in URLs.
const MAX_KEY_BYTES: usize = 4096;

/// The body of `POST metadata` and `POST register`.
#[derive(Debug, Clone, Deserialize)]
pub struct NewNodeDocument {
    /// The key; made up without one.
    pub id: Option<String>,
    /// The family.
    pub structure_family: StructureFamily,
    /// A JSON object.
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// None for containers, else one.
    #[serde(default)]
    pub data_sources: Vec<SourceDocument>,
    /// Most specific first.
    #[serde(default)]
    pub specs: Vec<Spec>,
    /// Without an access policy they are not kept.
    #[serde(default)]
    pub access_tags: Option<Vec<String>>,
}

/// A data source as clients describe it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceDocument {
    /// Of one that is there.
    #[serde(default)]
    pub id: Option<i64>,
    /// The family.
    pub structure_family: StructureFamily,
    /// In the family's shape.
    pub structure: Option<Value>,
    /// The storage format; that of the family without one.
    #[serde(default)]
    pub mimetype: Option<String>,
    /// For reader or writer.
    #[serde(default)]
    pub parameters: Map<String, Value>,
    /// To be kept.
    #[serde(default)]
    pub properties: Map<String, Value>,
    /// Files that are there.
    #[serde(default)]
    pub assets: Vec<AssetDocument>,
    /// Who may change the data.
    #[serde(default = "writable")]
    pub management: Management,
}

const fn writable() -> Management {
    Management::Writable
}

/// An asset as clients describe it.
#[derive(Debug, Clone, Deserialize)]
pub struct AssetDocument {
    /// Where it is.
    pub data_uri: String,
    /// Whether it is a directory.
    pub is_directory: bool,
    /// Bytes.
    #[serde(default)]
    pub size: Option<u64>,
    /// The reader's argument.
    #[serde(default)]
    pub parameter: Option<String>,
    /// Its place in a sequence.
    #[serde(default)]
    pub num: Option<i64>,
}

impl NewNodeDocument {
    /// Everything that does not depend on the tree.
    ///
    /// # Errors
    /// `InvalidData` naming what is wrong.
    pub(super) fn check(&self) -> TreeResult<()> {
        if let Some(key) = &self.id {
            check_key(key)?;
        }
        check_specs(&self.specs)?;
        let container = self.structure_family == StructureFamily::Container;
        match self.data_sources.as_slice() {
            [] if container => Ok(()),
            [source] => source.check(self.structure_family),
            _ if container => Err(unprocessable("A container has at most one data source")),
            many => Err(unprocessable(format!(
                "A node of family {} has exactly one data source, not {}",
                self.structure_family,
                many.len()
            ))),
        }
    }
}

impl SourceDocument {
    pub(super) fn check(&self, family: StructureFamily) -> TreeResult<()> {
        if let Some(structure) = self.structure.as_ref().filter(|structure| !structure.is_null()) {
            return check_structure(family, structure).map_err(|what| {
                unprocessable(format!("The structure is not one of family {family}: {what}"))
            });
        }
        Ok(())
    }
}

/// A key is one segment of a path, and text that every database holds.
fn check_key(key: &str) -> TreeResult<()> {
    let wrong = match key {
        "" => "must not be empty",
        key if key.contains('/') => "must not contain '/', which separates the keys of a path",
        key if key.contains('\0') => "must not contain NUL",
        key if key.len() > MAX_KEY_BYTES => "is too long",
        _ => return Ok(()),
    };
    Err(unprocessable(format!("The key {:?} {wrong}", key.chars().take(64).collect::<String>())))
}

/// How many, how long, each once.
///
/// # Errors
/// `InvalidData`.
pub(super) fn check_specs(specs: &[Spec]) -> TreeResult<()> {
    if specs.len() > MAX_SPECS {
        let message =
            format!("List should have at most {MAX_SPECS} items after validation, not {}", specs.len());
        return Err(unprocessable(format!("specs: {message}")));
    }
    let too_long = |text: &str| text.chars().count() > MAX_SPEC_CHARS;
    let long = specs.iter().any(|spec| too_long(&spec.name) || spec.version.as_deref().is_some_and(too_long));
    if long {
        return Err(unprocessable(format!("specs: String should have at most {MAX_SPEC_CHARS} characters")));
    }
    let repeated = specs.iter().enumerate().find(|(i, spec)| specs[..*i].contains(spec));
    match repeated {
        Some((_, spec)) => Err(unprocessable(format!("specs: Items must be unique, {} is not", spec.name))),
        None => Ok(()),
    }
}

/// Whether a structure is one of this family and makes sense.
///
/// # Errors
/// What is wrong.
pub(super) fn check_structure(family: StructureFamily, structure: &Value) -> Result<(), String> {
    fn read<T: serde::de::DeserializeOwned>(value: &Value) -> Result<T, String> {
        T::deserialize(value).map_err(|error| error.to_string())
    }
    match family {
        StructureFamily::Array => {
            let array: ArrayStructure = read(structure)?;
            check_chunks(&array.shape, &array.chunks, array.dims.as_deref())?;
            array.nbytes().map(|_| ()).ok_or_else(|| "it is too large to address".into())
        }
        StructureFamily::Sparse => {
            let sparse: SparseStructure = read(structure)?;
            check_chunks(&sparse.shape, &sparse.chunks, sparse.dims.as_deref())
        }
        StructureFamily::Table => {
            let table: TableStructure = read(structure)?;
            if table.npartitions == 0 { Err("a table has at least one partition".into()) } else { Ok(()) }
        }
        StructureFamily::Awkward => read::<AwkwardStructure>(structure).map(|_| ()),
        StructureFamily::Ragged => {
            let ragged: RaggedStructure = read(structure)?;
            if ragged.shape.len() == ragged.chunks.len() {
                Ok(())
            } else {
                Err("chunks do not fit the shape".into())
            }
        }
        // Of a container that is a file, its reader knows the structure.
        StructureFamily::Container | StructureFamily::Bytes => Ok(()),
    }
}

fn check_chunks(shape: &[u64], chunks: &[Vec<u64>], dims: Option<&[String]>) -> Result<(), String> {
    if shape.len() != chunks.len() {
        return Err(format!("shape has {} axes, chunks have {}", shape.len(), chunks.len()));
    }
    for (axis, (length, chunks)) in shape.iter().zip(chunks).enumerate() {
        let sum = chunks.iter().try_fold(0_u64, |sum, chunk| sum.checked_add(*chunk));
        if sum != Some(*length) || chunks.is_empty() {
            return Err(format!("the chunks of axis {axis} do not add up to its length {length}"));
        }
        if *length > 0 && chunks.contains(&0) {
            return Err(format!("a chunk of axis {axis} is empty"));
        }
    }
    match dims {
        Some(dims) if dims.len() != shape.len() => {
            Err(format!("dims has {} names for {} axes", dims.len(), shape.len()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn array(shape: Value, chunks: Value) -> String {
        let data_type = json!({"endianness": "little", "kind": "f", "itemsize": 8, "dt_units": null});
        let structure = json!({"data_type": data_type, "shape": shape, "chunks": chunks});
        check_structure(StructureFamily::Array, &structure).err().unwrap_or_default()
    }

    #[test]
    fn structures_that_contradict_themselves_are_refused() {
        assert_eq!(array(json!([3, 4]), json!([[3], [2, 2]])), "");
        assert_eq!(array(json!([0]), json!([[0]])), "");
        assert_eq!(array(json!([]), json!([])), "");
        assert!(array(json!([3]), json!([[2]])).contains("do not add up"));
        assert!(array(json!([3]), json!([])).contains("axes"));
        assert!(array(json!([3]), json!([[3, 0]])).contains("empty"));
        assert!(
            array(json!([1_u64 << 40, 1_u64 << 40]), json!([[1_u64 << 40], [1_u64 << 40]]))
                .contains("too large")
        );
        assert!(array(json!([-1]), json!([[-1]])).contains("invalid"));
    }

    #[test]
    fn keys_are_one_segment() {
        for key in ["a", "a b", "..", "ä"] {
            assert!(check_key(key).is_ok(), "{key}");
        }
        for key in ["", "a/b", "a\0", &"x".repeat(5000)] {
            assert!(check_key(key).is_err(), "{key}");
        }
    }
}

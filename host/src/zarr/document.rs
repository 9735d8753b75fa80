//! The documents of arrays and groups.

use serde_json::{Map, Value, json};
use tiled_plugin_api::model::Spec;

use super::{Element, Grid};

/// Which Zarr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// `.zgroup`, `.zarray`, `.zattrs`, `.zmetadata`; chunks are `0.1`.
    V2,
    /// `zarr.json`; chunks are `c/0/1`.
    V3,
}

impl Version {
    /// What plugins call its documents.
    pub const fn format(self) -> &'static str {
        match self {
            Version::V2 => "zarr_v2",
            Version::V3 => "zarr_v3",
        }
    }
}

/// Where xarray looks for the names of axes in v2.
const DIMENSIONS: &str = "_ARRAY_DIMENSIONS";

/// `.zarray`, or `zarr.json` of an array. Chunks are not compressed; the transfer may be.
pub fn array(
    version: Version,
    grid: &Grid,
    element: &Element,
    dimensions: &[String],
    attributes: Map<String, Value>,
) -> Value {
    match version {
        Version::V2 => json!({
            "zarr_format": 2,
            "shape": grid.shape,
            "chunks": grid.chunk,
            "dtype": element.v2,
            "order": "C",
            "compressor": null,
            "filters": null,
            // Every chunk is there. A number would make xarray take equal values for missing ones.
            "fill_value": null,
        }),
        Version::V3 => json!({
            "zarr_format": 3,
            "node_type": "array",
            "shape": grid.shape,
            "data_type": element.v3,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": grid.chunk}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": element.fill,
            "codecs": [
                {"name": "bytes", "configuration": {"endian": if element.is_big { "big" } else { "little" }}},
            ],
            "dimension_names": dimensions,
            "attributes": attributes,
        }),
    }
}

/// The document of an array that is stored in this version already, so that its chunks can be sent as they are stored:
/// grid, codecs and fill value are those of the file, names and attributes ours. `None` where it is not the array that is
/// shown: another shape, another type, chunks that are named otherwise.
pub fn stored(
    version: Version,
    document: &str,
    shown: (&Grid, &Element),
    dimensions: &[String],
    attributes: Map<String, Value>,
) -> Option<(Grid, Value)> {
    let (grid, element) = shown;
    let Value::Object(mut document) = serde_json::from_str(document).ok()? else { return None };
    let lengths = |value: &Value| value.as_array()?.iter().map(Value::as_u64).collect::<Option<Vec<u64>>>();
    let shape = lengths(document.get("shape")?)?;
    let (chunk, is_same) = match version {
        Version::V2 => {
            document.remove("dimension_separator");
            (lengths(document.get("chunks")?)?, document.get("dtype") == Some(&element.v2))
        }
        Version::V3 => {
            document.insert(
                "chunk_key_encoding".into(),
                json!({"name": "default", "configuration": {"separator": "/"}}),
            );
            document.insert("dimension_names".into(), json!(dimensions));
            document.insert("attributes".into(), Value::Object(attributes));
            let chunk = document.get("chunk_grid")?.get("configuration")?.get("chunk_shape")?;
            (lengths(chunk)?, document.get("data_type") == Some(&element.v3))
        }
    };
    let fits = chunk.len() == shape.len() && chunk.iter().all(|n| *n > 0);
    (is_same && fits && shape == grid.shape).then_some((Grid { shape, chunk }, Value::Object(document)))
}

/// `.zgroup`, or `zarr.json` of a group.
pub fn group(version: Version, attributes: Map<String, Value>) -> Value {
    match version {
        Version::V2 => json!({"zarr_format": 2}),
        Version::V3 => json!({"zarr_format": 3, "node_type": "group", "attributes": attributes}),
    }
}

/// All documents below a group in one: `.zmetadata` in v2, a member of the group's own document in v3. `members` are
/// documents by their path below the group.
pub fn consolidated(version: Version, members: Map<String, Value>) -> Value {
    match version {
        Version::V2 => json!({"zarr_consolidated_format": 1, "metadata": members}),
        Version::V3 => json!({"kind": "inline", "must_understand": false, "metadata": members}),
    }
}

/// Names of the axes of an array: its own, or made-up ones that no other array of the group has, since xarray opens no
/// array without.
pub fn dimension_names(own: Option<&[String]>, axes: usize, key: &str) -> Vec<String> {
    match own {
        Some(names) if names.len() == axes && names.iter().all(|name| !name.is_empty()) => names.to_vec(),
        _ => (0..axes).map(|axis| format!("{key}_dim_{axis}")).collect(),
    }
}

/// The metadata of a node as attributes: what stood in a file as attributes (`attributes` of Zarr, `attrs` of xarray) is
/// so again. `dimensions` are those of an array.
pub fn attributes(
    version: Version,
    metadata: Value,
    specs: &[Spec],
    dimensions: Option<&[String]>,
) -> Map<String, Value> {
    let Value::Object(mut all) = metadata else { return Map::new() };
    if let Some(Value::Object(own)) = all.get("attributes").cloned() {
        for name in ["attributes", "zarr_format", "node_type"] {
            all.remove(name);
        }
        all.extend(own);
    }
    if specs.iter().any(|spec| spec.name.starts_with("xarray_"))
        && let Some(Value::Object(own)) = all.get("attrs").cloned()
    {
        all.remove("attrs");
        all.extend(own);
    }
    if let Some(dimensions) = dimensions {
        all.remove(DIMENSIONS);
        if version == Version::V2 {
            all.insert(DIMENSIONS.into(), json!(dimensions));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_of_a_file_are_attributes_again() {
        let metadata =
            json!({"attributes": {"units": "mm", DIMENSIONS: ["y"]}, "zarr_format": 2, "sample": "a"});
        let names = ["x".to_owned()];
        let v2 = attributes(Version::V2, metadata.clone(), &[], Some(&names));
        assert_eq!(Value::Object(v2), json!({"sample": "a", "units": "mm", DIMENSIONS: ["x"]}));
        let v3 = attributes(Version::V3, metadata, &[], Some(&names));
        assert_eq!(Value::Object(v3), json!({"sample": "a", "units": "mm"}));
    }

    #[test]
    fn attrs_are_unpacked_of_what_xarray_made_alone() {
        let metadata = json!({"attrs": {"units": "K"}});
        let of = |specs: &[Spec]| Value::Object(attributes(Version::V3, metadata.clone(), specs, None));
        assert_eq!(of(&[Spec::named("xarray_dataset")]), json!({"units": "K"}));
        assert_eq!(of(&[]), metadata);
    }

    #[test]
    fn what_is_stored_otherwise_than_it_is_shown_is_not_sent_as_it_is() {
        let element = Element::of(&tiled_plugin_api::model::DataType::from_numpy_str("<f4").unwrap());
        let grid = Grid { shape: vec![5], chunk: vec![5] };
        let of = |document: Value| {
            stored(Version::V2, &document.to_string(), (&grid, &element), &["x".into()], Map::new())
        };
        let good = json!({"zarr_format": 2, "shape": [5], "chunks": [2], "dtype": "<f4", "order": "F",
                          "compressor": {"id": "zlib"}, "fill_value": 1.0, "dimension_separator": "/"});
        let (grid, document) = of(good.clone()).unwrap();
        assert_eq!((grid.chunk, &document["compressor"]["id"]), (vec![2], &json!("zlib")));
        assert_eq!(document.get("dimension_separator"), None);
        for (key, value) in [("dtype", json!(">f4")), ("shape", json!([6])), ("chunks", json!([0]))] {
            let mut other = good.clone();
            other[key] = value;
            assert_eq!(of(other), None, "{key}");
        }
    }

    #[test]
    fn axes_without_names_get_some() {
        assert_eq!(dimension_names(None, 2, "a"), ["a_dim_0", "a_dim_1"]);
        assert_eq!(dimension_names(Some(&["t".into()]), 1, "a"), ["t"]);
        assert_eq!(dimension_names(Some(&["t".into()]), 2, "a"), ["a_dim_0", "a_dim_1"]);
    }
}

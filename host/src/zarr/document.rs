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
    fn axes_without_names_get_some() {
        assert_eq!(dimension_names(None, 2, "a"), ["a_dim_0", "a_dim_1"]);
        assert_eq!(dimension_names(Some(&["t".into()]), 1, "a"), ["t"]);
        assert_eq!(dimension_names(Some(&["t".into()]), 2, "a"), ["a_dim_0", "a_dim_1"]);
    }
}

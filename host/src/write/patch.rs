//! Changes of documents: RFC 7396 (merge patch) and RFC 6902 (JSON patch).

use serde_json::{Map, Value};

use super::unprocessable;
use crate::tree::TreeResult;

/// As a request names them, in the order in which Tiled lists them.
pub const PATCH_MEDIA_TYPES: [&str; 2] = ["application/json-patch+json", "application/merge-patch+json"];

/// How a document is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patch {
    /// A list of operations.
    Json,
    /// A document that is laid over.
    Merge,
}

impl Patch {
    /// The kind of that media type.
    pub fn named(media_type: &str) -> Option<Self> {
        match media_type {
            "application/json-patch+json" => Some(Patch::Json),
            "application/merge-patch+json" => Some(Patch::Merge),
            _ => None,
        }
    }

    /// The document after the change. A JSON patch is applied whole or not at all.
    ///
    /// # Errors
    /// `InvalidData` naming the operation that cannot be applied.
    pub(super) fn apply(self, mut document: Value, patch: &Value) -> TreeResult<Value> {
        match self {
            Patch::Merge => {
                merge(&mut document, patch);
                Ok(document)
            }
            Patch::Json => {
                let operations: json_patch::Patch = serde_json::from_value(patch.clone())
                    .map_err(|error| unprocessable(format!("The JSON patch is not one: {error}")))?;
                let mut copied = 0;
                for operation in operations.0 {
                    if let json_patch::PatchOperation::Copy(copy) = &operation {
                        copied += document.pointer(copy.from.as_str()).map_or(0, size);
                        if copied > MAX_COPIED {
                            return Err(unprocessable("The JSON patch copies too much"));
                        }
                    }
                    json_patch::patch(&mut document, &[operation])
                        .map_err(|error| unprocessable(format!("The JSON patch does not apply: {error}")))?;
                }
                match depth(&document) {
                    0..=MAX_DEPTH => Ok(document),
                    _ => Err(unprocessable("The JSON patch nests too deep")),
                }
            }
        }
    }
}

/// Values that the copies of a patch may make in all: each could double the document.
const MAX_COPIED: usize = 1 << 20;
/// Levels of a document; more could not be read again.
const MAX_DEPTH: usize = 100;

fn size(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(members) => members.values().map(size).sum(),
        _ => 0,
    }
}

fn depth(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// RFC 7396: null removes, objects are merged, everything else replaces. The nesting of what was parsed is bounded.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(members) = target else { return };
    for (key, change) in changes {
        if change.is_null() {
            members.shift_remove(key);
        } else {
            merge(members.entry(key.clone()).or_insert(Value::Null), change);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_merge_patch_does_what_the_rfc_shows() {
        let cases = [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ];
        for (document, patch, wanted) in cases {
            assert_eq!(Patch::Merge.apply(document, &patch).unwrap(), wanted);
        }
    }

    #[test]
    fn a_json_patch_cannot_make_a_document_that_is_endless() {
        let twice = |i: u32| json!({"op": "copy", "from": "", "path": format!("/{i}")});
        let patch: Vec<Value> = (0..60).map(twice).collect();
        let error = Patch::Json.apply(json!({"x": [1, 2, 3]}), &Value::Array(patch)).unwrap_err();
        assert!(error.to_string().contains("copies too much"), "{error}");
        let deeper = json!({"op": "move", "from": "/a", "path": "/b/c"});
        let back = json!({"op": "move", "from": "/b", "path": "/a"});
        let fresh = json!({"op": "add", "path": "/b", "value": {}});
        let patch: Vec<Value> =
            (0..200).flat_map(|_| [fresh.clone(), deeper.clone(), back.clone()]).collect();
        let error = Patch::Json.apply(json!({"a": 1}), &Value::Array(patch)).unwrap_err();
        assert!(error.to_string().contains("too deep"), "{error}");
    }

    #[test]
    fn a_json_patch_that_does_not_apply_is_refused_whole() {
        let document = json!({"a": 1});
        let patch = json!([{"op": "add", "path": "/b", "value": 2}, {"op": "remove", "path": "/none"}]);
        let error = Patch::Json.apply(document.clone(), &patch).unwrap_err().to_string();
        assert!(error.contains("does not apply"), "{error}");
        let error = Patch::Json.apply(document.clone(), &json!([{"op": "jump", "path": ""}])).unwrap_err();
        assert!(error.to_string().contains("is not one"), "{error}");
        let patch =
            json!([{"op": "test", "path": "/a", "value": 1}, {"op": "move", "from": "/a", "path": "/c"}]);
        assert_eq!(Patch::Json.apply(document, &patch).unwrap(), json!({"c": 1}));
    }
}

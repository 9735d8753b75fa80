//! Containers as JSON: keys and metadata of everything below that leads to data, no values.

use serde_json::{Map, Value};
use tiled_plugin_api::{
    author::{Adapter, Context, EncodeRequest, Error, ErrorKind, Payload, Result, Serializer, Sink},
    model::{ChildrenRequest, Description, StructureFamily, TableStructure},
};
use tiled_tabular::json::push_string;

/// `application/json` of a container: `{"contents": {key: {"contents": …, "metadata": …}}, "metadata": …}`.
pub struct ContainerJson;

/// Children asked for at a time.
const PAGE: u64 = 1000;
/// Deeper trees (a cycle of links, say) are refused.
const MAX_DEPTH: usize = 64;
/// Larger trees are refused.
const MAX_NODES: u64 = 1_000_000;

impl Serializer for ContainerJson {
    fn encode(&self, cx: &Context, request: &EncodeRequest, payload: Payload, sink: &mut Sink) -> Result<()> {
        let Payload::Node(node) = payload else {
            return Err(Error::internal("a container serializer was given no node"));
        };
        let mut walk = Walk { cx, node: &*node, out: Vec::new(), nodes: 0, sink };
        walk.out.extend_from_slice(b"{\"contents\":{");
        walk.children("", 0, request.fields.as_deref())?;
        walk.out.extend_from_slice(b"},\"metadata\":");
        push_object(&mut walk.out, &request.metadata)?;
        walk.out.push(b'}');
        let end = std::mem::take(&mut walk.out);
        walk.sink.put(&end)
    }
}

struct Walk<'a> {
    cx: &'a Context,
    node: &'a dyn Adapter,
    out: Vec<u8>,
    nodes: u64,
    sink: &'a mut Sink,
}

impl Walk<'_> {
    /// Writes the children of `path` that lead to data; says whether there were any.
    fn children(&mut self, path: &str, depth: usize, only: Option<&[String]>) -> Result<bool> {
        if depth > MAX_DEPTH {
            return Err(Error::new(ErrorKind::TooLarge, format!("{path}: more than {MAX_DEPTH} levels")));
        }
        let (mut offset, mut any) = (0, false);
        loop {
            self.cx.check()?;
            let page =
                self.node.children(path, &ChildrenRequest { offset, limit: PAGE, keys_only: false })?;
            let got = page.items.len() as u64;
            for child in page.items {
                let wanted = only.is_none_or(|only| only.contains(&child.key)) && child.broken.is_none();
                let below = if path.is_empty() { child.key.clone() } else { format!("{path}/{}", child.key) };
                if wanted && let Some(description) = self.description(child.description, &below)? {
                    any |= self.child(&child.key, &below, &description, depth, any)?;
                }
            }
            offset += got;
            if got == 0 || offset >= page.count {
                return Ok(any);
            }
        }
    }

    /// A broken link is left out, as Tiled does.
    fn description(&self, known: Option<Description>, path: &str) -> Result<Option<Description>> {
        match known.map_or_else(|| self.node.describe(path), Ok) {
            Ok(description) => Ok(Some(description)),
            Err(error) if error.kind == ErrorKind::BrokenLink => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes one child, or nothing where no data lie below it.
    fn child(
        &mut self,
        key: &str,
        path: &str,
        node: &Description,
        depth: usize,
        comma: bool,
    ) -> Result<bool> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!("More than {MAX_NODES} nodes. Export a part of them"),
            ));
        }
        let mut before = self.out.len();
        if self.out.len() > crate::array::PIECE_BYTES && node.structure_family != StructureFamily::Container {
            self.sink.put(&std::mem::take(&mut self.out))?;
            before = 0;
        }
        if comma {
            self.out.push(b',');
        }
        push_string(&mut self.out, key);
        self.out.extend_from_slice(b":{\"contents\":{");
        if node.structure_family == StructureFamily::Container {
            if !self.children(path, depth + 1, None)? {
                self.out.truncate(before);
                return Ok(false);
            }
        } else if node.structure_family == StructureFamily::Table {
            let structure: TableStructure = node.structure()?;
            for (place, column) in structure.columns.iter().enumerate() {
                if place > 0 {
                    self.out.push(b',');
                }
                push_string(&mut self.out, column);
                self.out.extend_from_slice(b":{\"contents\":{},\"metadata\":{}}");
            }
        }
        self.out.extend_from_slice(b"},\"metadata\":");
        push_object(&mut self.out, &node.metadata)?;
        self.out.push(b'}');
        Ok(true)
    }
}

fn push_object(out: &mut Vec<u8>, metadata: &Value) -> Result<()> {
    let none = Value::Object(Map::new());
    let metadata = if metadata.is_object() { metadata } else { &none };
    serde_json::to_writer(out, metadata).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;
    use tiled_plugin_api::{
        model::{ArrayStructure, Child, Children, DataType},
        testing::encode,
    };

    use super::*;

    /// `a` an array, `b` a container of `c` and of the empty container `d`; `loop` leads back where asked for.
    struct Tree {
        cyclic: bool,
    }

    impl Adapter for Tree {
        fn describe(&self, path: &str) -> Result<Description> {
            let array = ArrayStructure::single_chunk(DataType::from_numpy_str("|u1").unwrap(), vec![1]);
            match path.rsplit('/').next() {
                Some("a" | "c") => {
                    Ok(Description::new(StructureFamily::Array, &array)?.with_metadata(json!({"at": path})))
                }
                _ => Ok(Description::container(2).with_metadata(json!({}))),
            }
        }

        fn children(&self, path: &str, request: &ChildrenRequest) -> Result<Children> {
            let keys: &[&str] = match path.rsplit('/').next() {
                Some("b") => &["d", "c"],
                Some("" | "loop") if self.cyclic => &["loop"],
                Some("") => &["a", "b"],
                _ => &[],
            };
            let child = |key: &&str| Child { key: (*key).into(), description: None, broken: None };
            let items = keys.iter().skip(request.offset as usize).map(child).collect();
            Ok(Children { count: keys.len() as u64, items })
        }
    }

    fn request(fields: Option<Vec<String>>) -> EncodeRequest {
        EncodeRequest {
            media_type: "application/json".into(),
            structure_family: StructureFamily::Container,
            structure: Value::Null,
            metadata: json!({"root": true}),
            specs: vec![],
            key: String::new(),
            fields,
        }
    }

    #[test]
    fn metadata_are_nested_as_the_nodes_are() {
        let bytes =
            encode(&ContainerJson, &request(None), Payload::Node(Arc::new(Tree { cyclic: false }))).unwrap();
        let expected = json!({
            "contents": {
                "a": {"contents": {}, "metadata": {"at": "a"}},
                "b": {"contents": {"c": {"contents": {}, "metadata": {"at": "b/c"}}}, "metadata": {}},
            },
            "metadata": {"root": true},
        });
        assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), expected);
    }

    #[test]
    fn fields_choose_among_the_children() {
        let request = request(Some(vec!["a".into()]));
        let bytes =
            encode(&ContainerJson, &request, Payload::Node(Arc::new(Tree { cyclic: false }))).unwrap();
        let document: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(document["contents"].as_object().unwrap().len(), 1);
    }

    #[test]
    fn cycles_are_refused() {
        let node = Payload::Node(Arc::new(Tree { cyclic: true }));
        assert_eq!(encode(&ContainerJson, &request(None), node).unwrap_err().kind, ErrorKind::TooLarge);
    }
}

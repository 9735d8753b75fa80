//! All documents below a group, for consolidated metadata: a client then needs one request instead of one for each node.
//!
//! Only where that is cheap: not beyond a number of nodes, not into files (unless the group is in one), and not over
//! tables, whose columns would have to be read to know their types. Clients list what has none.

use serde_json::{Map, Value};
use tiled_plugin_api::model::StructureFamily;

use super::{ARRAYS, Face, document::is_of_rows};
use crate::{
    http::HttpError,
    tree::{Entry, ListRequest, Node, Place},
    zarr::Version,
};

/// Nodes below a group that has consolidated metadata.
const MAX_NODES: u64 = 1000;
/// Levels below it.
const MAX_LEVELS: usize = 32;

impl Face<'_> {
    /// Documents by path below the group, and whether all come from rows of catalogs. `None` where they are not
    /// consolidated.
    pub(super) async fn members(&self, top: &Node) -> Result<Option<(Map<String, Value>, bool)>, HttpError> {
        let mut members = Map::new();
        if self.version == Version::V2 {
            self.add(top, "", &mut members).await?;
        }
        let (mut seen, mut of_rows) = (0, true);
        let mut groups = vec![(top.clone(), String::new(), 0)];
        while let Some((node, prefix, level)) = groups.pop() {
            let Some(children) = self.children(&node, MAX_NODES - seen).await? else { return Ok(None) };
            seen += children.len() as u64;
            for child in children {
                let path = format!("{prefix}{}", child.key());
                match child.family {
                    StructureFamily::Container if is_a_file(&child) || level == MAX_LEVELS => {
                        return Ok(None);
                    }
                    StructureFamily::Table => return Ok(None),
                    StructureFamily::Container => {
                        groups.push((child.clone(), format!("{path}/"), level + 1));
                    }
                    _ if ARRAYS.contains(&child.family) => {}
                    _ => continue,
                }
                of_rows &= is_of_rows(&child);
                self.add(&child, &path, &mut members).await?;
            }
        }
        Ok(Some((members, of_rows)))
    }

    async fn add(&self, node: &Node, path: &str, members: &mut Map<String, Value>) -> Result<(), HttpError> {
        let is_array = ARRAYS.contains(&node.family);
        let document =
            if is_array { self.array_document(node).await? } else { self.group_document(node).await? };
        if self.version == Version::V3 {
            members.insert(path.to_owned(), document);
            return Ok(());
        }
        let at = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
        members.insert(at(if is_array { ".zarray" } else { ".zgroup" }), document);
        members.insert(at(".zattrs"), Value::Object(self.attributes(node).await?));
        Ok(())
    }

    /// Variables of a dataset that are coordinates and no dimension is called as: xarray is told of them so.
    pub(super) async fn coordinates(&self, dataset: &Node) -> Result<Vec<String>, HttpError> {
        let children = self.children(dataset, MAX_NODES).await?.unwrap_or_default();
        let is_coordinate = |child: &&Node| child.specs.iter().any(|spec| spec.name == "xarray_coord");
        let names = children.iter().filter(is_coordinate).map(|child| child.key().to_owned());
        Ok(names.filter(|name| !name.contains(' ')).collect())
    }

    /// The children of a container, broken ones left out; `None` for a table, or for more than `most`.
    async fn children(&self, node: &Node, most: u64) -> Result<Option<Vec<Node>>, HttpError> {
        if node.family != StructureFamily::Container || node.count.is_some_and(|count| count > most) {
            return Ok(None);
        }
        let request = ListRequest { limit: most.saturating_add(1), ..ListRequest::default() };
        let page = self.app.readers.tree.list(&self.ask.cx, node, self.ask.caller, request).await?;
        if page.has_more || page.entries.len() as u64 > most {
            return Ok(None);
        }
        let nodes = page.entries.into_iter().filter_map(|entry| match entry {
            Entry::Node(child) => Some(*child),
            Entry::Broken(..) => None,
        });
        Ok(Some(nodes.collect()))
    }
}

/// A row whose children are in a file.
fn is_a_file(node: &Node) -> bool {
    matches!(&node.place, Place::Row(_, row) if row.data_source.is_some())
}

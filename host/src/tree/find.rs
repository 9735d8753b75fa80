//! From a path to a node, through catalogs, files and tables.

use std::sync::Arc;

use tiled_plugin_api::{
    author::{Context, Error, ErrorKind, TableRequest},
    model::{Description, StructureFamily},
};

use super::{Column, Mount, Node, Opened, Place, Tree, TreeError, TreeResult};
use crate::{
    access::{Caller, Scope},
    catalog::{NodeRow, ROOT},
};

impl Tree {
    /// The node at a path, for a caller who may use it so.
    ///
    /// # Errors
    /// `Scope` before anything is looked up; `NoEntry`; `Data` when it is inside a file that cannot be opened.
    pub async fn find(
        &self,
        cx: &Context,
        path: &[String],
        caller: Caller,
        scope: Scope,
    ) -> TreeResult<Node> {
        caller.require(scope)?;
        let Some(mount) = self.mounts.iter().find(|mount| path.starts_with(&mount.path)) else {
            return self.above(path);
        };
        let below = &path[mount.path.len()..];
        let full: Vec<&str> = mount.options.mount_node.iter().chain(below).map(String::as_str).collect();
        catch_up(mount, &full).await?;
        let missing = || TreeError::NoEntry(path.to_vec());
        let (row, consumed) = mount
            .catalog
            .lookup_from(ROOT, &full, Some(self.exact_count_limit.saturating_add(1)))?
            .ok_or_else(missing)?;
        if consumed < mount.options.mount_node.len() {
            return Err(missing());
        }
        let row_path = path[..path.len() - (full.len() - consumed)].to_vec();
        let rest = &full[consumed..];
        if rest.is_empty() {
            return Node::of_row(row_path, mount.clone(), row);
        }
        if row.data_source.is_none() {
            return Err(missing());
        }
        self.inside(cx, mount, row, path, rest).await
    }

    /// A node above the mounts.
    fn above(&self, path: &[String]) -> TreeResult<Node> {
        let mut keys: Vec<String> = self
            .mounts
            .iter()
            .filter(|mount| mount.path.starts_with(path))
            .filter_map(|mount| mount.path.get(path.len()).cloned())
            .collect();
        keys.sort();
        keys.dedup();
        if keys.is_empty() && !path.is_empty() {
            return Err(TreeError::NoEntry(path.to_vec()));
        }
        let description = Description::container(keys.len() as u64);
        Ok(Node::of_description(path.to_vec(), Place::Above(keys), description))
    }

    /// A node below a row: in its file, or a column of its table.
    async fn inside(
        &self,
        cx: &Context,
        mount: &Arc<Mount>,
        row: NodeRow,
        path: &[String],
        rest: &[&str],
    ) -> TreeResult<Node> {
        let missing = || TreeError::NoEntry(path.to_vec());
        match row.structure_family {
            StructureFamily::Table => {
                let [column] = rest else { return Err(missing()) };
                let table = Node::of_row(path[..path.len() - 1].to_vec(), mount.clone(), row)?;
                self.column(cx, table, column).await?.ok_or_else(missing)
            }
            StructureFamily::Container => {
                let opened = self.adapters.of(cx, mount, &row).await?;
                self.in_file(cx, mount, Arc::new(row), &opened, path, rest).await
            }
            _ => Err(missing()),
        }
    }

    /// The adapter behind a node, and the path of the node in it.
    ///
    /// # Errors
    /// Those of opening.
    pub async fn adapter_of(&self, cx: &Context, node: &Node) -> TreeResult<(Arc<Opened>, String)> {
        match &node.place {
            Place::Inside(_, _, opened, inner) => Ok((opened.clone(), inner.clone())),
            Place::Row(mount, row) => Ok((self.adapters.of(cx, mount, row).await?, String::new())),
            Place::Column(table, _) => Box::pin(self.adapter_of(cx, table)).await,
            Place::Above(_) => Err(Error::new(ErrorKind::Unsupported, "This node holds no data").into()),
        }
    }

    /// Describes what is at `rest` in an opened file; where that is nothing, a table one level up may have such a column.
    async fn in_file(
        &self,
        cx: &Context,
        mount: &Arc<Mount>,
        row: Arc<NodeRow>,
        opened: &Arc<Opened>,
        path: &[String],
        rest: &[&str],
    ) -> TreeResult<Node> {
        let missing = || TreeError::NoEntry(path.to_vec());
        let inner = rest.join("/");
        let parent = rest.split_last().map_or(String::new(), |(_, parent)| parent.join("/"));
        let (asked, above) = (inner.clone(), parent.clone());
        let found = opened
            .call(cx, move |adapter, _| match adapter.describe(&asked) {
                Err(error) if error.kind == ErrorKind::NotFound && !above.is_empty() => {
                    Ok((adapter.describe(&above).ok(), None))
                }
                other => other.map(|description| (None, Some(description))),
            })
            .await;
        match found {
            Ok((_, Some(description))) => {
                let place = Place::Inside(mount.clone(), row, opened.clone(), inner);
                Ok(Node::of_description(path.to_vec(), place, description))
            }
            Ok((Some(description), None)) if description.structure_family == StructureFamily::Table => {
                let place = Place::Inside(mount.clone(), row, opened.clone(), parent);
                let table = Node::of_description(path[..path.len() - 1].to_vec(), place, description);
                self.column(cx, table, rest[rest.len() - 1]).await?.ok_or_else(missing)
            }
            Ok(_) => Err(missing()),
            Err(error) if error.kind == ErrorKind::NotFound => Err(missing()),
            Err(error) => Err(error.into()),
        }
    }

    /// A column of a table as an array, if the table has it.
    async fn column(&self, cx: &Context, table: Node, column: &str) -> TreeResult<Option<Node>> {
        let columns = table.structure.get("columns").and_then(serde_json::Value::as_array);
        if !columns.is_some_and(|columns| columns.iter().any(|name| name == column)) {
            return Ok(None);
        }
        let (opened, inner) = self.adapter_of(cx, &table).await?;
        let request = TableRequest { partition: None, columns: Some(vec![column.to_owned()]) };
        let max_bytes = self.max_column_bytes;
        let read = opened
            .call(cx, move |adapter, cx| Column::read(adapter.read_table(cx, &inner, &request)?, max_bytes))
            .await?;
        let description = Description::new(StructureFamily::Array, &read.structure)?;
        let mut path = table.path.clone();
        path.push(column.to_owned());
        let place = Place::Column(Box::new(table), Arc::new(read));
        Ok(Some(Node::of_description(path, place, description)))
    }
}

/// Lets the filler of a mount register what is on the way.
async fn catch_up(mount: &Arc<Mount>, keys: &[&str]) -> TreeResult<()> {
    let Some(filler) = mount.filler.clone().filter(|filler| filler.is_behind(keys)) else { return Ok(()) };
    let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    tokio::task::spawn_blocking(move || filler.catch_up(&keys)).await.map_err(Error::internal)?;
    Ok(())
}

//! Pages of children.

use std::sync::Arc;

use tiled_plugin_api::{
    author::{Context, Error, ErrorKind},
    model::{Child, ChildrenRequest, StructureFamily},
};

use super::{Mount, Node, Opened, Place, Tree, TreeError, TreeResult};
use crate::{
    access::{Caller, Scope},
    catalog::{Content, Counting, NodeRow, PageRequest, Start},
    query::{self, Query, Sorting},
};

/// Which children to give.
#[derive(Clone, Default)]
pub struct ListRequest {
    /// All are to be met.
    pub filters: Vec<Query>,
    /// None for the order of insertion.
    pub sorting: Sorting,
    /// How many to skip; ignored with a cursor.
    pub offset: u64,
    /// Where the last page ended.
    pub cursor: Option<i64>,
    /// How many to give at most; 0 only counts.
    pub limit: u64,
    /// Count all, however many.
    pub exact_count: bool,
    /// Counts up to this are exact anyway.
    pub exact_count_limit: u64,
    /// Levels to descend; `None` for the children alone.
    pub deep: Option<u32>,
    /// Only keys are wanted.
    pub keys_only: bool,
}

/// One entry: a node, or the name of one that is broken and why.
pub enum Entry {
    /// A child.
    Node(Box<Node>),
    /// A child that cannot be opened.
    Broken(String, String),
}

/// A page.
pub struct Listing {
    /// In order.
    pub entries: Vec<Entry>,
    /// Of all pages; may be a lower bound unless exactness was asked for.
    pub count: u64,
    /// For the next page, where the order allows one.
    pub next_cursor: Option<i64>,
    /// Whether there are entries after these.
    pub has_more: bool,
}

/// Children inside a file that are described for a search; more are refused rather than searched in part.
const MAX_SEARCHED_IN_FILE: u64 = 20_000;

impl Tree {
    /// A page of the children of a container.
    ///
    /// # Errors
    /// `Family` for what is no container; those of the catalog and of the file.
    pub async fn list(
        &self,
        cx: &Context,
        node: &Node,
        caller: Caller,
        request: ListRequest,
    ) -> TreeResult<Listing> {
        if node.family != StructureFamily::Container {
            return Err(TreeError::Family {
                path: node.path.join("/"),
                family: node.family,
                wanted: &[StructureFamily::Container],
            });
        }
        match &node.place {
            Place::Above(keys) => self.list_above(cx, node, keys, caller, &request).await,
            Place::Row(mount, row) if row.data_source.is_none() => {
                self.list_rows(node, mount, row, request).await
            }
            _ => self.list_in_file(cx, node, request).await,
        }
    }

    async fn list_above(
        &self,
        cx: &Context,
        node: &Node,
        keys: &[String],
        caller: Caller,
        request: &ListRequest,
    ) -> TreeResult<Listing> {
        let mut found = Vec::with_capacity(keys.len());
        for key in keys {
            let mut path = node.path.clone();
            path.push(key.clone());
            found.push(Box::pin(self.find(cx, &path, caller, Scope::ReadMetadata)).await?);
        }
        Ok(in_memory(found, vec![], request))
    }

    async fn list_rows(
        &self,
        node: &Node,
        mount: &Arc<Mount>,
        row: &Arc<NodeRow>,
        request: ListRequest,
    ) -> TreeResult<Listing> {
        let (mount, row, path) = (mount.clone(), row.clone(), node.path.clone());
        let job = move || -> TreeResult<Listing> {
            let page = page_request(&request);
            let page = match request.deep {
                Some(levels) => mount.catalog.search_deep(row.id, levels, &page)?,
                None => mount.catalog.page(row.id, &page)?,
            };
            let hidden = mount.options.mount_node.len();
            let mut entries = Vec::with_capacity(page.rows.len());
            for child in page.rows {
                let above = match &child.ancestors {
                    // Of deep searches: from the catalog's root, which is not the tree's.
                    Some(ancestors) => {
                        mount.path.iter().chain(ancestors.iter().skip(hidden)).cloned().collect()
                    }
                    None => path.clone(),
                };
                let path = [above, vec![child.key.clone()]].concat();
                entries.push(Entry::Node(Box::new(Node::of_row(path, mount.clone(), child)?)));
            }
            let count = page.count.map_or(entries.len() as u64, |count| count.value);
            Ok(Listing { entries, count, next_cursor: page.next_cursor, has_more: page.has_more })
        };
        tokio::task::spawn_blocking(job).await.map_err(Error::internal)?
    }

    async fn list_in_file(&self, cx: &Context, node: &Node, request: ListRequest) -> TreeResult<Listing> {
        if request.deep.is_some() {
            return Err(TreeError::invalid("This Tree does not support deep search."));
        }
        let (opened, inner) = self.adapter_of(cx, node).await?;
        let everything = !request.filters.is_empty() || !request.sorting.is_insertion();
        let asked = ChildrenRequest {
            offset: if everything { 0 } else { request.offset },
            limit: if everything { MAX_SEARCHED_IN_FILE } else { request.limit },
            keys_only: request.keys_only && !everything,
        };
        let below = inner.clone();
        let children = opened.call(cx, move |adapter, _| adapter.children(&below, &asked)).await?;
        if everything && children.count > MAX_SEARCHED_IN_FILE {
            let message =
                format!("{} children inside a file are too many to search: list them", children.count);
            return Err(Error::new(ErrorKind::TooLarge, message).into());
        }
        let count = children.count;
        let (mut nodes, mut broken) = (Vec::new(), Vec::new());
        let mut entries = Vec::new();
        for child in children.items {
            match self.child_node(node, &opened, &inner, child, request.keys_only)? {
                Entry::Node(node) if everything => nodes.push(*node),
                Entry::Broken(key, why) if everything => broken.push((key, why)),
                entry => entries.push(entry),
            }
        }
        if everything {
            return Ok(in_memory(nodes, broken, &request));
        }
        let has_more = request.offset.saturating_add(entries.len() as u64) < count;
        Ok(Listing { entries, count, next_cursor: None, has_more })
    }

    /// A child that an adapter listed, as a node of the tree.
    fn child_node(
        &self,
        parent: &Node,
        opened: &Arc<Opened>,
        inner: &str,
        child: Child,
        keys_only: bool,
    ) -> TreeResult<Entry> {
        let description = match child.description {
            Some(description) => description,
            None if keys_only && child.broken.is_none() => tiled_plugin_api::model::Description::container(0),
            None => return Ok(Entry::Broken(child.key, child.broken.unwrap_or_default())),
        };
        let Some((mount, row)) = parent.row() else {
            return Err(Error::internal("a file that is in no catalog").into());
        };
        let below = if inner.is_empty() { child.key.clone() } else { format!("{inner}/{}", child.key) };
        let place = Place::Inside(mount.clone(), row.clone(), opened.clone(), below);
        let mut path = parent.path.clone();
        path.push(child.key);
        Ok(Entry::Node(Box::new(Node::of_description(path, place, description))))
    }
}

/// Filters, sorts and cuts nodes that are in memory. Broken ones stay only where nothing is filtered.
fn in_memory(mut nodes: Vec<Node>, broken: Vec<(String, String)>, request: &ListRequest) -> Listing {
    nodes.retain(|node| {
        let metadata = node.metadata_value();
        request
            .filters
            .iter()
            .all(|filter| query::matches(filter, node.key(), node.family, &node.specs, &metadata))
    });
    let keyed = nodes.into_iter().map(|node| (node.metadata_value(), node));
    let mut keyed: Vec<(serde_json::Value, Node)> = keyed.collect();
    query::sort_in_memory(&mut keyed, &request.sorting, |(metadata, node)| (node.key(), metadata));
    let mut entries: Vec<Entry> = keyed.into_iter().map(|(_, node)| Entry::Node(Box::new(node))).collect();
    if request.filters.is_empty() {
        entries.extend(broken.into_iter().map(|(key, why)| Entry::Broken(key, why)));
    }
    let count = entries.len() as u64;
    let skip = usize::try_from(request.offset).unwrap_or(usize::MAX);
    let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
    let entries: Vec<Entry> = entries.into_iter().skip(skip).take(limit).collect();
    let has_more = request.offset.saturating_add(entries.len() as u64) < count;
    Listing { entries, count, next_cursor: None, has_more }
}

fn page_request(request: &ListRequest) -> PageRequest {
    PageRequest {
        queries: request.filters.clone(),
        sorting: request.sorting.clone(),
        start: request.cursor.map_or(Start::Offset(request.offset), Start::Cursor),
        limit: request.limit,
        content: if request.keys_only { Content::Keys } else { Content::Structures },
        counting: if request.exact_count {
            Counting::Exact
        } else {
            Counting::UpTo(request.exact_count_limit)
        },
        children: (!request.keys_only).then(|| request.exact_count_limit.saturating_add(1)),
    }
}

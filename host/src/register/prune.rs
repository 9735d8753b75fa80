//! Nodes whose files are gone.

use std::{collections::HashSet, path::Path};

use super::folder::Entry;
use crate::{
    catalog::{Catalog, Content, Management, NodeRow, PageRequest, Result, Start},
    source::uri_of,
};

const PAGE: u64 = 1000;

/// The children of a folder's node that were made for files and folders which are in the folder no more: all their
/// assets lie in it, and none of them is there.
pub(super) fn gone(catalog: &Catalog, node: i64, folder: &Path, entries: &[Entry]) -> Result<Vec<i64>> {
    let here = format!("{}/", uri_of(folder));
    let present: HashSet<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    // Names that registration passes over are not gone.
    let is_gone = |uri: &str| {
        let name = uri.strip_prefix(&here).and_then(|rest| rest.split('/').next());
        name.is_some_and(|name| !present.contains(name) && folder.join(name).symlink_metadata().is_err())
    };
    let mut gone = Vec::new();
    for_each_page(catalog, node, Content::Nodes, |rows| {
        let with_data: Vec<i64> =
            rows.iter().filter(|row| row.data_source.is_some()).map(|row| row.id).collect();
        let sources = catalog.data_sources_of(&with_data)?;
        for row in rows {
            let is_gone = match sources.get(&row.id) {
                Some(sources) => sources.iter().all(|source| {
                    source.management == Management::External
                        && !source.assets.is_empty()
                        && source.assets.iter().all(|asset| is_gone(&asset.data_uri))
                }),
                None => {
                    catalog.any_asset(row.id)?.is_some_and(|uri| is_gone(&uri))
                        && !catalog.keeps_own_data(row.id)?
                }
            };
            if is_gone {
                gone.push(row.id);
            }
        }
        Ok(())
    })?;
    Ok(gone)
}

/// Takes out all children of a node, unless the server itself holds data of theirs: as in Tiled, only what is
/// registered from files is replaced by files.
pub(super) fn clear(catalog: &Catalog, node: i64) -> std::result::Result<(), String> {
    let failed = |error: crate::catalog::CatalogError| error.to_string();
    if catalog.keeps_own_data(node).map_err(failed)? {
        return Err(
            "cannot overwrite what is there: it has data that clients wrote; choose another prefix".into()
        );
    }
    let mut ids = Vec::new();
    for_each_page(catalog, node, Content::Keys, |rows| {
        ids.extend(rows.iter().map(|row| row.id));
        Ok(())
    })
    .map_err(failed)?;
    ids.chunks(1000).try_for_each(|ids| catalog.remove(ids)).map_err(failed)
}

/// Whether a node has no children; without counting those of a large one.
pub(super) fn is_empty(catalog: &Catalog, node: i64) -> Result<bool> {
    let request = PageRequest { limit: 1, content: Content::Keys, ..PageRequest::default() };
    Ok(catalog.page(node, &request)?.rows.is_empty())
}

fn for_each_page(
    catalog: &Catalog,
    node: i64,
    content: Content,
    mut f: impl FnMut(&[NodeRow]) -> Result<()>,
) -> Result<()> {
    let mut request = PageRequest { limit: PAGE, content, ..PageRequest::default() };
    loop {
        let page = catalog.page(node, &request)?;
        f(&page.rows)?;
        match page.next_cursor {
            Some(cursor) => request.start = Start::Cursor(cursor),
            None => return Ok(()),
        }
    }
}

//! Taking nodes and assets away: first the rows, then the data that nobody else keeps.

use std::{path::Path, sync::Arc};

use tiled_plugin_api::author::Context;

use super::{Writers, blocking, not_here, to_the_end};
use crate::{
    catalog::{DataSourceRow, NodeRow},
    plugin::{LoadedWriter, context},
    source::path_of,
    tree::{Mount, Node, Place, TreeResult},
};

/// How much is to be taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deletion {
    /// Also what is below.
    pub recursive: bool,
    /// Refused where data would go that only this server keeps.
    pub external_only: bool,
}

impl Writers {
    /// Deletes a node.
    ///
    /// # Errors
    /// `Unsupported` for what is not a row; `Conflict`, in Tiled's words, when the safeguards say so.
    pub async fn delete(self: &Arc<Self>, cx: &Context, node: &Node, deletion: Deletion) -> TreeResult<()> {
        let (mount, row) = row_of(node, "This node does not support deletion.")?;
        let (this, request_id) = (self.clone(), cx.request_id());
        to_the_end(async move {
            let (cx, _alive) = context(request_id, None);
            let catalog = mount.clone();
            let Deletion { recursive, external_only } = deletion;
            let sources =
                blocking(move || Ok(catalog.catalog.delete(row.id, recursive, external_only)?)).await?;
            for source in sources {
                this.remove(&cx, &mount, source).await;
            }
            Ok(())
        })
        .await
    }

    /// Takes an asset from a node. `None` when it has no such asset; else whether the asset went, and whether its data did.
    ///
    /// # Errors
    /// As [`Writers::delete`].
    pub async fn delete_asset(
        self: &Arc<Self>,
        cx: &Context,
        node: &Node,
        asset: i64,
        external_only: bool,
    ) -> TreeResult<Option<(bool, bool)>> {
        let (mount, row) = row_of(node, "This node does not support deleting assets.")?;
        let (this, request_id) = (self.clone(), cx.request_id());
        to_the_end(async move {
            let (cx, _alive) = context(request_id, None);
            let (catalog, id) = (mount.clone(), row.id);
            let deleted =
                blocking(move || Ok(catalog.catalog.delete_asset(id, asset, external_only)?)).await?;
            let Some(deleted) = deleted else { return Ok(None) };
            this.tree.forget(&mount, row.data_source.as_ref().map_or(0, |source| source.id));
            let has_data = deleted.data.is_some();
            if let Some(source) = deleted.data {
                this.remove(&cx, &mount, source).await;
            }
            Ok(Some((deleted.deleted, has_data)))
        })
        .await
    }

    /// Removes data that no row tells of any more, when the last write to them has ended.
    async fn remove(&self, cx: &Context, mount: &Arc<Mount>, source: DataSourceRow) {
        // Who writes now finds that the node has gone, so that data which cannot be waited for are removed all the same.
        let _alone = self.locks.turn(&mount.catalog, source.id, None).await;
        self.tree.forget(mount, source.id);
        match self.writer_of(&source) {
            Some(writer) => self.remove_data(cx, mount, &writer, source).await,
            None => {
                let mount = mount.clone();
                let removed = blocking(move || {
                    remove_files(&mount, &source);
                    Ok(())
                });
                if let Err(error) = removed.await {
                    tracing::warn!("data of a deleted node stay: {error}");
                }
            }
        }
    }

    /// Has the writer remove what it keeps. A failure leaves data that nothing shows; the log names them.
    pub(super) async fn remove_data(
        &self,
        cx: &Context,
        mount: &Arc<Mount>,
        writer: &Arc<LoadedWriter>,
        source: DataSourceRow,
    ) {
        let (remover, context, mount) = (writer.clone(), cx.clone(), mount.clone());
        let place = source.assets.first().map(|asset| asset.data_uri.clone()).unwrap_or_default();
        let host = self.tree.plugins().host();
        let removing = move || remover.delete(&context, mount.open_request(&source, host)?);
        if let Err(error) = writer.plugin.call(cx, removing).await {
            tracing::warn!(
                detail = error.detail,
                "data at {place} stay, which no node has any more: {error}"
            );
        }
    }
}

/// A row that may be changed.
pub(super) fn row_of(node: &Node, refusal: &str) -> TreeResult<(Arc<Mount>, Arc<NodeRow>)> {
    match &node.place {
        Place::Row(mount, row) if mount.filler.is_none() => Ok((mount.clone(), row.clone())),
        _ => Err(not_here(refusal)),
    }
}

/// Files that no plugin of this server writes, as long as they are where this server writes.
fn remove_files(mount: &Mount, source: &DataSourceRow) {
    let folders: Vec<_> = mount
        .options
        .storages
        .writable()
        .iter()
        .filter_map(|storage| storage.folder().ok().flatten())
        .collect();
    for asset in &source.assets {
        let Ok(path) = path_of(&asset.data_uri) else { continue };
        let Ok(path) = path.canonicalize() else { continue };
        let within = |folder: &Path| {
            folder.canonicalize().is_ok_and(|folder| path != folder && path.starts_with(folder))
        };
        if !folders.iter().any(|folder| within(folder)) {
            tracing::warn!("{} stays: it is not below a writable storage", asset.data_uri);
            continue;
        }
        let removed =
            if asset.is_directory { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        if let Err(error) = removed {
            tracing::warn!("{} stays, which no node has any more: {error}", asset.data_uri);
        }
    }
}

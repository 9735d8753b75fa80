//! Changes of a data source by who writes its files: a longer structure, more assets.

use std::sync::Arc;

use serde_json::Value;

use super::{SourceDocument, Writers, blocking, create::asset_of, delete::row_of, to_the_end, unprocessable};
use crate::{
    catalog::{CatalogError, DataSourceUpdate, Management},
    tree::{Node, TreeError, TreeResult},
};

impl Writers {
    /// Replaces structure, parameters and properties of a data source, and adds assets.
    ///
    /// # Errors
    /// `NotFound` when the node has none of this id; `UnsupportedFormat`, `InvalidData`; `InvalidArgument` for files among
    /// data that this server writes.
    pub async fn put_data_source(self: &Arc<Self>, node: &Node, document: SourceDocument) -> TreeResult<()> {
        let (mount, row) = row_of(node, "This node does not support changes of its data source.")?;
        let id = document.id.unwrap_or(0);
        let sources = mount.catalog.data_sources(row.id)?;
        let source = sources.iter().find(|source| source.id == id);
        let source = source.ok_or(TreeError::Catalog(CatalogError::NoDataSource { id }))?;
        if document.structure_family != source.structure_family {
            return Err(unprocessable(format!("The data source is of family {}", source.structure_family)));
        }
        document.check(source.structure_family)?;
        let assets: Vec<_> = document.assets.iter().cloned().map(asset_of).collect();
        let known = |uri: &str| source.assets.iter().any(|asset| asset.data_uri == uri);
        // Data of this server are removed with their node: a file of others must not come among them.
        if source.management != Management::External && assets.iter().any(|asset| !known(&asset.data_uri)) {
            return Err(TreeError::invalid(
                "Assets can be added only to a data source that is managed externally",
            ));
        }
        let mimetype = document.mimetype.as_deref().unwrap_or(&source.mimetype);
        self.admit_files(&mount, source.structure_family, mimetype, &document.assets)?;
        let update = DataSourceUpdate {
            id,
            structure: document.structure.unwrap_or(Value::Null),
            mimetype: document.mimetype,
            parameters: document.parameters,
            properties: document.properties,
            assets,
        };
        let this = self.clone();
        to_the_end(async move {
            let catalog = mount.clone();
            blocking(move || Ok(catalog.catalog.put_data_source(row.id, &update)?)).await?;
            this.tree.forget(&mount, id);
            Ok(())
        })
        .await
    }
}

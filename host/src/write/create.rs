//! New nodes: of data that are to be written, and of files that are there.

use std::sync::Arc;

use serde_json::Value;
use tiled_plugin_api::{
    author::{Context, CreateRequest, Error, ErrorKind},
    model::StructureFamily,
};

use super::{
    NewNodeDocument, SourceDocument, Writers, blocking, conflict, document::AssetDocument, not_here,
    place::storage_uri, to_the_end, unprocessable,
};
use crate::{
    catalog::{
        AssetRow, CatalogError, Created, DataSourceRow, Management, NewAsset, NewDataSource, NewNode, NodeRow,
    },
    plugin::{LoadedWriter, context},
    source::{SCHEMES, Storage, is_database},
    tree::{Mount, Node, Place, TreeError, TreeResult},
};

/// Which route a node is made by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// `POST metadata`: data will be written.
    Metadata,
    /// `POST register`: data are there.
    Register,
}

/// Names tried when something is at the place of new data already.
const ATTEMPTS: u32 = 5;

impl Writers {
    /// Makes a child of `parent`, and gives its key.
    ///
    /// # Errors
    /// `Conflict` when the key is taken; `Unsupported` where nothing can be written; `UnsupportedFormat` for a mimetype that no
    /// plugin knows; `InvalidData`.
    pub async fn create(
        self: &Arc<Self>,
        cx: &Context,
        parent: &Node,
        document: NewNodeDocument,
        origin: Origin,
    ) -> TreeResult<(String, Created)> {
        document.check()?;
        self.specs.check(&document.specs)?;
        let (mount, row) = self.admit_child(parent, &document, origin)?;
        let key = document.id.clone().unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        let taken = mount.catalog.lookup_from(row.id, &[&key], None)?;
        if taken.is_some_and(|(_, consumed)| consumed == 1) {
            return Err(is_taken(&parent.path, &key));
        }
        let (this, place) = (self.clone(), mount.clone());
        // Files are looked at: a sequence may have thousands.
        let (document, plan) =
            blocking(move || this.plan(&place, &document).map(|plan| (document, plan))).await?;
        let (this, request_id, path) = (self.clone(), cx.request_id(), parent.path.clone());
        to_the_end(async move {
            let (cx, _alive) = context(request_id, None);
            let created = this.make(&cx, &mount, &row, &path, &key, document, plan).await?;
            Ok((key, created))
        })
        .await
    }

    /// Whether such a child may be made there.
    fn admit_child(
        &self,
        parent: &Node,
        document: &NewNodeDocument,
        origin: Origin,
    ) -> TreeResult<(Arc<Mount>, Arc<NodeRow>)> {
        let refuse = || not_here(format!("Data cannot be written at the path {}", parent.path.join("/")));
        let Place::Row(mount, row) = &parent.place else { return Err(refuse()) };
        let is_container = parent.family == StructureFamily::Container && row.data_source.is_none();
        if !is_container || mount.filler.is_some() {
            return Err(refuse());
        }
        if origin == Origin::Metadata && document.data_sources.iter().any(|source| !source.assets.is_empty())
        {
            return Err(TreeError::invalid(
                "Externally-managed assets cannot be registered using POST /metadata/{path}. Use POST \
                 /register/{path} instead.",
            ));
        }
        let writable = !mount.options.storages.writable().is_empty();
        let needs_storage = document.data_sources.iter().any(|s| s.management != Management::External);
        if !document.data_sources.is_empty() && !writable && (origin == Origin::Metadata || needs_storage) {
            return Err(refuse());
        }
        Ok((mount.clone(), row.clone()))
    }

    /// Who keeps the data where, decided before anything is made.
    fn plan(&self, mount: &Mount, document: &NewNodeDocument) -> TreeResult<Plan> {
        let Some(source) = document.data_sources.first() else { return Ok(Plan::Nothing) };
        if source.management == Management::External {
            let mimetype = source.mimetype.as_deref().unwrap_or_default();
            self.admit_files(mount, document.structure_family, mimetype, &source.assets)?;
            return Ok(Plan::There);
        }
        if !source.assets.is_empty() {
            return Err(TreeError::invalid(
                "Only a data source with management \"external\" may bring its assets",
            ));
        }
        let family = source.structure_family;
        let mimetype = match source.mimetype.as_deref().or_else(|| default_mimetype(family)) {
            Some(mimetype) if family == document.structure_family => mimetype.to_owned(),
            Some(_) => return Err(unprocessable("The families of node and data source differ")),
            None => return Err(unprocessable(format!("Nodes of family {family} cannot be written"))),
        };
        let plugins = self.tree.plugins();
        let storages = mount.options.storages.writable();
        let fit = storages
            .iter()
            .find_map(|storage| Some((plugins.writer_for(&mimetype, &storage.scheme)?, storage.clone())));
        if let Some((writer, storage)) = fit {
            return Ok(Plan::Write { mimetype, writer, storage });
        }
        let schemes: Vec<&str> =
            SCHEMES.into_iter().filter(|s| plugins.writer_for(&mimetype, s).is_some()).collect();
        if schemes.is_empty() {
            return Err(Error::unsupported_format(format!(
                "The given data source mimetype, {mimetype}, is not one that the Tiled server knows how to write."
            ))
            .into());
        }
        Err(not_here(format!(
            "{mimetype} is kept in storages of type {}, and this tree has none: add one to its writable_storage",
            schemes.join(", ")
        )))
    }

    /// Files that are to be registered: a plugin reads them, and they may be read.
    pub(super) fn admit_files(
        &self,
        mount: &Mount,
        family: StructureFamily,
        mimetype: &str,
        assets: &[AssetDocument],
    ) -> TreeResult<()> {
        // Bytes are only downloaded.
        let read = family == StructureFamily::Bytes || self.tree.plugins().reader_for(mimetype).is_some();
        if !read {
            return Err(Error::unsupported_format(format!(
                "The given data source mimetype, {mimetype}, is not one that the Tiled server knows how to read."
            ))
            .into());
        }
        for asset in assets {
            match mount.options.open_asset(&asset.data_uri) {
                // A file may come after its row. One that may not be read is refused to whoever reads it.
                Err(error) if !matches!(error.kind, ErrorKind::NotFound | ErrorKind::Forbidden) => {
                    return Err(error.into());
                }
                _ => {}
            }
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments, reason = "all of one creation")]
    async fn make(
        &self,
        cx: &Context,
        mount: &Arc<Mount>,
        parent: &NodeRow,
        parent_path: &[String],
        key: &str,
        document: NewNodeDocument,
        plan: Plan,
    ) -> TreeResult<Created> {
        let mut node = NewNode {
            key: key.to_owned(),
            structure_family: document.structure_family,
            metadata: Value::Object(document.metadata),
            specs: document.specs,
            access_tags: vec![],
            data_sources: document.data_sources.into_iter().map(row_of).collect(),
        };
        let mut stored = None;
        if let (Plan::Write { mimetype, writer, storage }, Some(source)) =
            (plan, node.data_sources.first_mut())
        {
            source.mimetype = mimetype;
            let below = parent_path.get(mount.path.len()..).unwrap_or_default();
            let path = [mount.options.mount_node.as_slice(), below, &[key.to_owned()]].concat();
            make_room(cx, &writer, &storage, &path, source).await?;
            stored = Some((writer, source.clone()));
        }
        let (catalog, id) = (mount.clone(), parent.id);
        let created = blocking(move || Ok(catalog.catalog.create(id, &node)?)).await;
        if created.is_err()
            && let Some((writer, source)) = stored
        {
            self.remove_data(cx, mount, &writer, as_stored(source)).await;
        }
        created.map_err(|error| match error {
            TreeError::Catalog(CatalogError::Collision { .. }) => is_taken(parent_path, key),
            other => other,
        })
    }
}

enum Plan {
    Nothing,
    There,
    Write { mimetype: String, writer: Arc<LoadedWriter>, storage: Storage },
}

/// What Tiled keeps values of a family as.
fn default_mimetype(family: StructureFamily) -> Option<&'static str> {
    match family {
        StructureFamily::Array => Some("application/x-zarr"),
        StructureFamily::Awkward => Some("application/x-awkward-buffers"),
        StructureFamily::Ragged => Some("application/x-ragged+sql"),
        StructureFamily::Sparse => Some("application/x-parquet;structure=sparse"),
        StructureFamily::Table => Some("application/x-parquet"),
        StructureFamily::Container | StructureFamily::Bytes => None,
    }
}

/// Has the writer make room, under another name where something is there that no row tells of.
async fn make_room(
    cx: &Context,
    writer: &Arc<LoadedWriter>,
    storage: &Storage,
    path: &[String],
    source: &mut NewDataSource,
) -> TreeResult<()> {
    let mut attempt = 0;
    let created = loop {
        let request = CreateRequest {
            mimetype: source.mimetype.clone(),
            structure_family: source.structure_family,
            structure: source.structure.clone(),
            parameters: source.parameters.clone(),
            storage_uri: storage_uri(storage, path, attempt),
        };
        let (maker, context) = (writer.clone(), cx.clone());
        match writer.plugin.call(cx, move || maker.create(&context, &request)).await {
            Err(error)
                if error.kind == ErrorKind::Conflict && storage.scheme == "file" && attempt < ATTEMPTS =>
            {
                attempt += 1;
            }
            Err(error) => return Err(refusal(error).into()),
            Ok(created) => break created,
        }
    };
    if let Some(structure) = created.structure {
        source.structure = structure;
    }
    source.parameters.extend(created.parameters);
    source.properties.extend(created.properties);
    source.assets = created
        .assets
        .into_iter()
        .map(|asset| NewAsset {
            data_uri: crate::source::without_password(&asset.data_uri),
            is_directory: asset.is_directory,
            size: None,
            parameter: Some(asset.parameter),
            num: asset.num.and_then(|num| i64::try_from(num).ok()),
        })
        .collect();
    if source.assets.is_empty() {
        return Err(Error::internal("a writer made no asset").into());
    }
    Ok(())
}

/// A structure that cannot be kept is the body's fault.
fn refusal(error: Error) -> Error {
    match error.kind {
        ErrorKind::InvalidArgument | ErrorKind::OutOfBounds | ErrorKind::Unsupported => {
            Error { kind: ErrorKind::InvalidData, ..error }
        }
        _ => error,
    }
}

fn row_of(source: SourceDocument) -> NewDataSource {
    NewDataSource {
        structure_family: source.structure_family,
        structure: source.structure.unwrap_or(Value::Null),
        mimetype: source.mimetype.unwrap_or_default(),
        parameters: source.parameters,
        properties: source.properties,
        management: source.management,
        assets: source.assets.into_iter().map(asset_of).collect(),
    }
}

/// Tiled writes `file://localhost/…`; so that one file is one asset, so do we.
pub(super) fn asset_of(asset: AssetDocument) -> NewAsset {
    let data_uri = match asset.data_uri.strip_prefix("file:///") {
        Some(path) => format!("file://localhost/{path}"),
        None if is_database(&asset.data_uri) => crate::source::without_password(&asset.data_uri),
        None => asset.data_uri,
    };
    NewAsset {
        data_uri,
        is_directory: asset.is_directory,
        size: asset.size,
        parameter: asset.parameter,
        num: asset.num,
    }
}

/// What was made, as if the catalog had it: to remove its data.
fn as_stored(source: NewDataSource) -> DataSourceRow {
    let assets = source.assets.into_iter().map(|asset| AssetRow {
        id: 0,
        data_uri: asset.data_uri,
        is_directory: asset.is_directory,
        size: asset.size,
        parameter: asset.parameter,
        num: asset.num,
    });
    DataSourceRow {
        id: 0,
        node_id: 0,
        structure_family: source.structure_family,
        structure: Some(source.structure.to_string()),
        mimetype: source.mimetype,
        parameters: source.parameters,
        properties: source.properties,
        management: source.management,
        assets: assets.collect(),
    }
}

/// The client takes a node for its own when a lost answer to its creation left it there: it knows it by this text.
fn is_taken(parent: &[String], key: &str) -> TreeError {
    let path: Vec<&str> = parent.iter().map(String::as_str).chain([key]).collect();
    conflict(format!("/{}", path.join("/")))
}

//! Opened files: one adapter for a data source as long as its assets do not change, a bounded number of them.

use std::sync::Arc;

use quick_cache::sync::Cache;
use tiled_plugin_api::author::{Adapter, AssetSource, Context, Error, ErrorKind, Host, OpenRequest, Result};

use super::{Mount, TreeResult};
use crate::{
    catalog::{AssetRow, DataSourceRow, Management, NodeRow},
    plugin::{LoadedReader, Plugins},
    source::{is_database, path_of, revision_of},
};

/// An opened data source.
pub struct Opened {
    adapter: Arc<dyn Adapter>,
    reader: Arc<LoadedReader>,
    /// Changes when an asset may have changed.
    pub version: u64,
    /// Whether no value can change without `version`: not so below a directory and in a database.
    pub version_tells_all: bool,
    /// Of the data source.
    pub mimetype: String,
    /// Names the file in messages.
    pub name: String,
}

impl Opened {
    /// Runs a call of the adapter where it may block.
    ///
    /// # Errors
    /// Those of the call; damage names the file.
    pub async fn call<T: Send + 'static>(
        self: &Arc<Self>,
        cx: &Context,
        f: impl FnOnce(&dyn Adapter, &Context) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (this, inner) = (self.clone(), cx.clone());
        let answer = self.reader.plugin.call(cx, move || f(&*this.adapter, &inner)).await;
        answer.map_err(|error| self.name_file(error))
    }

    /// The adapter itself, for threads that may block already.
    pub fn adapter(&self) -> &Arc<dyn Adapter> {
        &self.adapter
    }

    fn name_file(&self, error: Error) -> Error {
        let about_file = matches!(error.kind, ErrorKind::InvalidData | ErrorKind::UnsupportedFormat);
        if about_file && !error.message.contains(&self.name) { error.within(&self.name) } else { error }
    }
}

/// The cache of opened data sources.
pub struct Adapters {
    plugins: Arc<Plugins>,
    open: Cache<(usize, i64), Arc<Opened>>,
    /// Stands in requests on this side of the edge; on the other each plugin has its own.
    host: Host,
}

impl Adapters {
    pub(super) fn new(plugins: Arc<Plugins>, capacity: usize) -> Self {
        let host = plugins.host();
        Adapters { plugins, open: Cache::new(capacity.max(1)), host }
    }

    pub(super) fn plugins(&self) -> &Arc<Plugins> {
        &self.plugins
    }

    /// Closes a data source.
    pub(super) fn forget(&self, mount: &Arc<Mount>, data_source: i64) {
        self.open.remove(&(Arc::as_ptr(mount) as usize, data_source));
    }

    /// The opened data source of a row.
    ///
    /// # Errors
    /// `UnsupportedFormat` when no plugin claims its mimetype; those of opening.
    pub async fn of(&self, cx: &Context, mount: &Arc<Mount>, row: &NodeRow) -> TreeResult<Arc<Opened>> {
        let source = mount.catalog.data_sources(row.id)?.into_iter().next();
        let source = source.ok_or_else(|| Error::not_found(format!("The node {} has no data", row.key)))?;
        let key = (Arc::as_ptr(mount) as usize, source.id);
        let version = version_of(&source);
        if let Some(opened) = self.open.get(&key).filter(|opened| opened.version == version && version != 0) {
            return Ok(opened);
        }
        let opened = Arc::new(self.open(cx, mount, row, source, version).await?);
        self.open.insert(key, opened.clone());
        Ok(opened)
    }

    async fn open(
        &self,
        cx: &Context,
        mount: &Arc<Mount>,
        row: &NodeRow,
        source: DataSourceRow,
        version: u64,
    ) -> TreeResult<Opened> {
        let is_directory = source.assets.first().is_some_and(|asset| asset.is_directory);
        let reader = self
            .plugins
            .reader_for_kind(&source.mimetype, is_directory)
            .ok_or_else(|| unclaimed(row, &source.mimetype))?;
        let name = file_name(&source);
        let is_file = |asset: &AssetRow| !asset.is_directory && !is_database(&asset.data_uri);
        let version_tells_all = version != 0 && source.assets.iter().all(is_file);
        let (mount, context) = (mount.clone(), cx.clone());
        let (opener, mimetype) = (reader.clone(), source.mimetype.clone());
        let host = self.host.clone();
        let opening = move || {
            let request = mount.open_request(&source, host)?;
            opener.open(&context, request)
        };
        let adapter = reader.plugin.call(cx, opening).await;
        let adapter = adapter
            .map_err(|error| if error.message.contains(&name) { error } else { error.within(&name) })?;
        Ok(Opened { adapter, reader, version, version_tells_all, mimetype, name })
    }
}

fn unclaimed(row: &NodeRow, mimetype: &str) -> Error {
    Error::unsupported_format(format!(
        "No plugin opens {mimetype}, the type of {}: add one that claims it to the plugins folder",
        row.key
    ))
}

fn file_name(source: &DataSourceRow) -> String {
    let uri = source.assets.first().map_or("", |asset| asset.data_uri.as_str());
    uri.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned()
}

impl Mount {
    /// What a plugin needs to open a data source, to write it or to remove it. Files that the server itself keeps need not be
    /// there.
    ///
    /// # Errors
    /// `NotFound` without assets; `Forbidden` for those outside of the readable folders.
    pub fn open_request(&self, source: &DataSourceRow, host: Host) -> Result<OpenRequest> {
        let mut assets = Vec::with_capacity(source.assets.len());
        for asset in &source.assets {
            let Some(parameter) = asset.parameter.clone() else { continue };
            let opened = match source.management {
                Management::External => self.options.open_asset(&asset.data_uri)?,
                _ => self.options.open_written_asset(&asset.data_uri)?,
            };
            assets.push(AssetSource {
                source: opened,
                parameter,
                num: asset.num.and_then(|n| u64::try_from(n).ok()),
            });
        }
        if assets.is_empty() {
            return Err(Error::not_found("The data source has no assets"));
        }
        let structure = source.structure.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let (mimetype, parameters) = (source.mimetype.clone(), source.parameters.clone());
        Ok(OpenRequest { mimetype, structure, parameters, assets, host })
    }
}

/// How many assets are looked at for every request; of a longer sequence the first ones and the last.
const ASSETS_LOOKED_AT: usize = 4;
/// As many of those that the server itself writes: any of them may be replaced.
const WRITTEN_ASSETS_LOOKED_AT: usize = 4096;

/// From size and time of the assets; 0 when one is not there, so that opening says so. One that the server has not
/// written yet is no reason to open the others again.
fn version_of(source: &DataSourceRow) -> u64 {
    let count = source.assets.len();
    let external = source.management == Management::External;
    let most = if external { ASSETS_LOOKED_AT } else { WRITTEN_ASSETS_LOOKED_AT };
    let looked_at = source.assets.iter().enumerate().filter(|(i, _)| *i < most || i + 1 == count);
    let mut version = count as u64;
    for (_, asset) in looked_at {
        let one = match asset_version(&asset.data_uri, asset.is_directory) {
            Some(one) => one,
            None if external => return 0,
            None => 0,
        };
        version = version.rotate_left(9) ^ one;
    }
    let structure = source.structure.as_deref().unwrap_or_default();
    version ^ xxhash_rust::xxh3::xxh3_64(structure.as_bytes()) | 1
}

fn asset_version(uri: &str, is_directory: bool) -> Option<u64> {
    // Rows come and go while it is open; its readers ask it.
    if is_database(uri) {
        return Some(1);
    }
    let path = path_of(uri).ok()?;
    let meta = std::fs::metadata(&path).ok()?;
    let mut version = revision_of(&meta);
    if is_directory {
        // Chunks are replaced below a directory without touching it; its metadata file tells of a new shape.
        for name in ["zarr.json", ".zarray", ".zgroup"] {
            if let Ok(inner) = std::fs::metadata(path.join(name)) {
                version = version.rotate_left(5) ^ revision_of(&inner);
            }
        }
    }
    Some(version)
}

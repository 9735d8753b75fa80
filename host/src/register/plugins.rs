//! File types as the plugins know them.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::json;
use tiled_plugin_api::{
    author::{AssetSource, Context, Error, OpenRequest, Result},
    model::{ChildrenRequest, Description, StructureFamily},
};
use tokio::runtime::{Builder, Runtime};

use super::{Identified, Identify};
use crate::{plugin::Plugins, source::Roots};

/// How much of a file is looked at to tell its type.
const HEAD_BYTES: usize = 4096;
/// A container of more children is registered without the list of their keys, which only informs.
const KEYS_MAX: u64 = 10_000;

/// Asks the plugins, within the roots.
pub struct PluginIdentify {
    plugins: Arc<Plugins>,
    roots: Roots,
}

impl PluginIdentify {
    /// Opens files with these plugins, below these roots only.
    pub fn new(plugins: Arc<Plugins>, roots: Roots) -> Self {
        PluginIdentify { plugins, roots }
    }

    fn open(&self, mimetype: &str, paths: &[PathBuf]) -> Result<Description> {
        let is_directory = matches!(paths, [only] if only.is_dir());
        let reader = self
            .plugins
            .reader_for_kind(mimetype, is_directory)
            .ok_or_else(|| Error::unsupported_format(format!("no plugin opens {mimetype}")))?;
        let several = reader.sequence.as_deref() == Some(mimetype) || super::identify::takes_list(mimetype);
        let mut assets = Vec::with_capacity(paths.len());
        for (num, path) in (0..).zip(paths) {
            let parameter = if several { "data_uris" } else { "data_uri" }.to_owned();
            assets.push(AssetSource {
                source: self.roots.open(path)?,
                parameter,
                num: several.then_some(num),
            });
        }
        let request = OpenRequest {
            mimetype: mimetype.to_owned(),
            structure: None,
            parameters: serde_json::Map::new(),
            assets,
            host: self.plugins.host(),
        };
        let context = Context::unbounded();
        let (opener, inner) = (reader.clone(), context.clone());
        let call = reader.plugin.call(&context, move || described(&*opener.open(&inner, request)?));
        with_runtime(|runtime| runtime.block_on(call))?
    }
}

impl Identify for PluginIdentify {
    fn identify(&self, path: &Path, is_directory: bool) -> Option<Identified> {
        let head = || {
            let source = self.roots.open(path).ok()?;
            let mut head = vec![0; if is_directory { 0 } else { HEAD_BYTES }];
            let read = if is_directory { 0 } else { source.read_at(0, &mut head).ok()? };
            head.truncate(read);
            Some((source, head))
        };
        let (mimetype, reader) = self.plugins.reader_for_file(path, head)?;
        // Tiled opens several tables under the type of one.
        let is_table = super::identify::takes_list(&mimetype);
        let sequence = if is_table { Some(mimetype.clone()) } else { reader.sequence.clone() };
        // Numbered files of a reader that opens them together are frames of one array. Tables of numbered files are
        // partitions only where somebody says so: `sales1999.csv` and `sales2000.csv` are two tables more often than one.
        let is_frame = sequence.is_some() && !is_table;
        Some(Identified { mimetype, sequence, is_frame })
    }

    fn describe(&self, mimetype: &str, paths: &[PathBuf]) -> std::result::Result<Description, String> {
        self.open(mimetype, paths).map_err(|error| error.to_string())
    }
}

/// What an adapter says of its root, with the keys of a container as Tiled notes them.
fn described(adapter: &dyn tiled_plugin_api::author::Adapter) -> Result<Description> {
    let mut description = adapter.describe("")?;
    if description.structure_family == StructureFamily::Container && description.structure.is_null() {
        let request = ChildrenRequest { offset: 0, limit: KEYS_MAX, keys_only: true };
        let children = adapter.children("", &request)?;
        if children.count <= KEYS_MAX {
            let keys: Vec<String> = children.items.into_iter().map(|child| child.key).collect();
            description.structure = json!({ "keys": keys });
        }
    }
    Ok(description)
}

/// Runs `f` with this thread's own small runtime: calls of plugins are waited for, with their timeouts.
fn with_runtime<T>(f: impl FnOnce(&Runtime) -> T) -> Result<T> {
    thread_local! {
        static RUNTIME: std::io::Result<Runtime> = Builder::new_current_thread().enable_time().build();
    }
    RUNTIME.with(|runtime| match runtime {
        Ok(runtime) => Ok(f(runtime)),
        Err(error) => Err(Error::internal(format!("starting a runtime: {error}"))),
    })
}

//! A plugin folder, a data folder, and the plugins loaded from the one to read the other.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use tempfile::TempDir;
use tiled_host::{
    config::PluginsConfig,
    plugin::{Plugins, context},
    source::Roots,
};
use tiled_plugin_api::prelude::*;

/// Loaded plugins.
pub struct Server {
    pub plugins: Plugins,
    pub data: PathBuf,
    pub roots: Roots,
    pub installed: PathBuf,
    _folder: TempDir,
}

/// Puts these libraries into a plugin folder and loads them. `toml` is the rest of the manifest.
pub fn load(libraries: &[&Path], toml: &str) -> Result<Server, String> {
    let folder = tempfile::tempdir().unwrap();
    let (installed, data) = (folder.path().join("plugins"), folder.path().join("data"));
    fs::create_dir(&installed).unwrap();
    fs::create_dir(&data).unwrap();
    for library in libraries {
        fs::copy(library, installed.join(library.file_name().unwrap())).unwrap();
    }
    load_from(folder, installed, data, toml)
}

fn load_from(folder: TempDir, installed: PathBuf, data: PathBuf, toml: &str) -> Result<Server, String> {
    let manifest = folder.path().join("manifest.toml");
    let toml = if toml.contains("[plugins]") { toml.to_owned() } else { format!("[plugins]\n{toml}") };
    let toml = toml.replace("[plugins]\n", "[plugins]\ndirectory = 'plugins'\n");
    let config = PluginsConfig::from_toml(&toml, &manifest).map_err(|e| e.to_string())?;
    let roots = Roots::new([&data]).unwrap();
    let plugins = Plugins::load(&config, &roots).map_err(|e| e.to_string())?;
    Ok(Server { plugins, data, roots, installed, _folder: folder })
}

impl Server {
    /// A request for a file of these bytes.
    pub fn request(&self, mimetype: &str, bytes: &[u8]) -> OpenRequest {
        let path = self.data.join(format!("{}.dat", mimetype.replace('/', "-")));
        fs::write(&path, bytes).unwrap();
        self.request_for(mimetype, &path)
    }

    pub fn request_for(&self, mimetype: &str, path: &Path) -> OpenRequest {
        OpenRequest {
            mimetype: mimetype.to_owned(),
            structure: None,
            parameters: Default::default(),
            assets: vec![AssetSource {
                source: self.roots.open(path).unwrap(),
                parameter: "data_uri".into(),
                num: None,
            }],
            host: self.plugins.host(),
        }
    }

    /// Opens a file of these bytes, as the server does.
    pub async fn open(&self, mimetype: &str, bytes: &[u8]) -> Result<Arc<dyn Adapter>> {
        self.open_request(self.request(mimetype, bytes)).await
    }

    pub async fn open_request(&self, request: OpenRequest) -> Result<Arc<dyn Adapter>> {
        let reader = self.plugins.reader_for(&request.mimetype).expect("a reader");
        let (cx, _handle) = context("test", None);
        let (plugin, inner) = (reader.plugin.clone(), cx.clone());
        plugin.call(&cx, move || reader.open(&inner, request)).await
    }

    /// The plugin's line of the table.
    pub fn status(&self, name: &str) -> tiled_host::plugin::PluginStatus {
        self.plugins
            .table()
            .into_iter()
            .find(|s| s.name.as_deref() == Some(name))
            .expect("a plugin of this name")
    }

    /// The reason why a file of this name is left out.
    pub fn reason(&self, file: &str) -> String {
        let line = self.plugins.table().into_iter().find(|s| s.path.ends_with(file));
        line.and_then(|s| s.reason).unwrap_or_else(|| panic!("{file} is not left out"))
    }
}

/// The kind of the error, or a failure of the test.
pub fn kind<T>(result: Result<T>) -> ErrorKind {
    match result {
        Ok(_) => panic!("an error was expected"),
        Err(error) => error.kind,
    }
}

/// All of an array of bytes.
pub fn read_all(adapter: &dyn Adapter) -> Result<Vec<u8>> {
    let structure: ArrayStructure = adapter.describe("")?.structure()?;
    let mut out = vec![0; structure.nbytes().unwrap() as usize];
    let slice: Vec<SliceDim> = structure.shape.iter().map(|n| SliceDim::all(*n)).collect();
    adapter.read_into(&Context::unbounded(), "", &slice, &mut out)?;
    Ok(out)
}

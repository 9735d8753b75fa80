//! `[plugins]`, `[[plugin]]`, `[formats]`, `[extensions]`, `[adapters_by_mimetype]`: which libraries to load and which
//! of them opens what.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::error::ConfigError;

/// All that decides which plugins there are. Also a file of its own, the plugin manifest.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PluginsConfig {
    /// Of the manifest file; 1 where given.
    pub manifest_version: Option<ManifestVersion>,
    /// Where to look and what holds for all.
    pub plugins: PluginsSection,
    /// Plugins with wishes of their own.
    pub plugin: Vec<PluginEntry>,
    /// Which plugin serves a mimetype (`"application/x-hdf5" = "hdf5"`) or encodes a media type of a family
    /// (`"array image/png" = "image"`), where several claim it.
    pub formats: BTreeMap<String, String>,
    /// Mimetype by suffix (`.h5`) or by glob over the file name (`scan_*.[0-9]*`). Goes before what plugins claim.
    pub extensions: BTreeMap<String, String>,
    /// Tiled's key: mimetype to the name of a plugin, or to one of Tiled's own adapters
    /// (`tiled.adapters.hdf5:HDF5Adapter`).
    pub adapters_by_mimetype: BTreeMap<String, String>,
    /// The folder that relative paths count from; not a key.
    #[serde(skip)]
    pub base: PathBuf,
}

/// The only version of the manifest so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub struct ManifestVersion;

impl TryFrom<u32> for ManifestVersion {
    type Error = String;

    fn try_from(version: u32) -> Result<Self, String> {
        if version == 1 {
            Ok(ManifestVersion)
        } else {
            Err(format!("manifest_version {version} is not known; this server reads 1"))
        }
    }
}

/// `[plugins]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PluginsSection {
    /// Folders to search, in order. None: `plugins/` beside the executable, else the executable's own folder.
    pub directory: Directories,
    /// Whether to load what is found there; `false` loads only the listed ones.
    pub discover: bool,
    /// What a listed plugin does that cannot be loaded: stop the start, or be left out with a warning.
    pub on_error: OnError,
    /// Keeps private copies of the libraries; none: a temporary folder that is gone after loading.
    pub state_dir: Option<PathBuf>,
    /// For all that do not say otherwise.
    pub defaults: PluginDefaults,
    /// Bytes of decoded chunks kept for plugins that ask for it, all together.
    pub cache_bytes: u64,
    /// Loads libraries where they are, without a private copy, but for those that are pinned; not a key. For programs
    /// that soon end: overwriting a library that is in use may kill them.
    #[serde(skip)]
    pub in_place: bool,
    /// A plugin that panics this often within a minute is not called any more until the server starts again; 0: never.
    pub quarantine_after_panics: u32,
}

const CACHE_BYTES: u64 = 256 << 20;
const QUARANTINE_AFTER_PANICS: u32 = 10;
const TIMEOUT_S: f64 = 60.0;

impl Default for PluginsSection {
    fn default() -> Self {
        PluginsSection {
            directory: Directories::default(),
            discover: true,
            on_error: OnError::Fail,
            state_dir: None,
            in_place: false,
            defaults: PluginDefaults::default(),
            cache_bytes: CACHE_BYTES,
            quarantine_after_panics: QUARANTINE_AFTER_PANICS,
        }
    }
}

/// One folder or several.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "OneOrMany")]
pub struct Directories(pub Vec<PathBuf>);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(PathBuf),
    Many(Vec<PathBuf>),
}

impl From<OneOrMany> for Directories {
    fn from(paths: OneOrMany) -> Self {
        match paths {
            OneOrMany::One(path) => Directories(vec![path]),
            OneOrMany::Many(paths) => Directories(paths),
        }
    }
}

/// What to do with a plugin that cannot be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// The server does not start.
    Fail,
    /// It starts without the plugin and says so.
    Skip,
}

/// `[plugins.defaults]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PluginDefaults {
    /// Where plugins run.
    pub isolation: Isolation,
    /// Calls of one plugin at a time; none: the number of cores, at least 4.
    pub max_concurrency: Option<usize>,
    /// Seconds until a call is given up.
    pub timeout_s: f64,
}

impl Default for PluginDefaults {
    fn default() -> Self {
        PluginDefaults { isolation: Isolation::None, max_concurrency: None, timeout_s: TIMEOUT_S }
    }
}

/// Where a plugin runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Isolation {
    /// In the server's process.
    None,
}

/// What a plugin is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PluginKind {
    /// A shared library made with `export_plugin!`.
    #[default]
    Rust,
}

/// One `[[plugin]]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginEntry {
    /// As in its descriptor.
    pub name: String,
    /// What it is made of.
    #[serde(default)]
    pub kind: PluginKind,
    /// The library, or one for each platform; none: the discovered one of that name.
    #[serde(default)]
    pub path: Option<LibraryPath>,
    /// The file must have this digest (hexadecimal).
    #[serde(default)]
    pub sha256: Option<String>,
    /// Whether the server may start without it; none: as `on_error` says.
    #[serde(default)]
    pub required: Option<bool>,
    /// `false` leaves it out.
    #[serde(default)]
    pub enabled: Option<bool>,
    /// Higher goes first where several plugins claim the same.
    #[serde(default)]
    pub priority: i32,
    /// Plugins with the same word here are never called at the same time.
    #[serde(default)]
    pub exclusive_group: Option<String>,
    /// Where it runs.
    #[serde(default)]
    pub isolation: Option<Isolation>,
    /// Calls at a time.
    #[serde(default)]
    pub max_concurrency: Option<usize>,
    /// Seconds until a call is given up.
    #[serde(default)]
    pub timeout_s: Option<f64>,
    /// For the plugin itself.
    #[serde(default)]
    pub config: serde_json::Map<String, serde_json::Value>,
}

/// A path, or one for each platform (`linux_x86_64`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum LibraryPath {
    /// For every platform.
    One(PathBuf),
    /// By system and processor.
    ByPlatform(BTreeMap<String, PathBuf>),
}

impl LibraryPath {
    /// The path for this machine.
    pub fn here(&self) -> Option<&Path> {
        match self {
            LibraryPath::One(path) => Some(path),
            LibraryPath::ByPlatform(paths) => paths.get(&platform()).map(PathBuf::as_path),
        }
    }
}

/// This machine, as in `linux_x86_64`.
pub fn platform() -> String {
    format!("{}_{}", std::env::consts::OS, std::env::consts::ARCH)
}

impl PluginsConfig {
    /// Reads a manifest; relative paths count from `base`.
    ///
    /// # Errors
    /// `Invalid` with line and nearest key.
    pub fn from_toml(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let mut config: PluginsConfig = toml::from_str(text).map_err(|e| ConfigError::from_toml(path, &e))?;
        config.base = path.parent().map(Path::to_path_buf).unwrap_or_default();
        config.check().map_err(|message| ConfigError::Invalid { path: path.to_owned(), message })?;
        Ok(config)
    }

    /// A configuration that discovers in this folder, all else by default.
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        let plugins =
            PluginsSection { directory: Directories(vec![directory.into()]), ..PluginsSection::default() };
        PluginsConfig { plugins, ..PluginsConfig::default() }
    }

    /// What serde cannot see.
    ///
    /// # Errors
    /// What is wrong, naming the key.
    pub fn check(&self) -> Result<(), String> {
        let timeouts =
            self.plugin.iter().filter_map(|p| p.timeout_s).chain([self.plugins.defaults.timeout_s]);
        for timeout in timeouts {
            if !(timeout > 0.0 && timeout.is_finite()) {
                return Err(format!("timeout_s = {timeout} must be more than 0"));
            }
        }
        let limits =
            self.plugin.iter().map(|p| p.max_concurrency).chain([self.plugins.defaults.max_concurrency]);
        if limits.flatten().any(|limit| limit == 0) {
            return Err("max_concurrency must be at least 1".into());
        }
        for (i, plugin) in self.plugin.iter().enumerate() {
            if self.plugin[..i].iter().any(|other| other.name == plugin.name) {
                return Err(format!("[[plugin]] \"{}\" is there twice", plugin.name));
            }
            let digest = plugin.sha256.as_deref().unwrap_or_default();
            if plugin.sha256.is_some()
                && (digest.len() != 64 || !digest.bytes().all(|b| b.is_ascii_hexdigit()))
            {
                return Err(format!("[[plugin]] \"{}\": sha256 must be 64 hexadecimal digits", plugin.name));
            }
        }
        for key in self.extensions.keys().filter(|key| !key.starts_with('.')) {
            glob::Pattern::new(key).map_err(|e| format!("[extensions] \"{key}\": {e}"))?;
        }
        Ok(())
    }

    /// The entry of that name.
    pub fn entry(&self, name: &str) -> Option<&PluginEntry> {
        self.plugin.iter().find(|entry| entry.name == name)
    }

    /// A path as the configuration means it.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.base.join(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<PluginsConfig, String> {
        PluginsConfig::from_toml(text, Path::new("/etc/tiled/plugins.toml")).map_err(|e| e.to_string())
    }

    #[test]
    fn the_manifest_of_the_design_is_understood() {
        let config = check(
            r#"
            manifest_version = 1
            [plugins]
            directory = "plugins"
            [plugins.defaults]
            timeout_s = 60
            [[plugin]]
            name = "hdf5"
            path = { linux_x86_64 = "libtiled_hdf5.so", linux_aarch64 = "arm.so" }
            priority = 10
            exclusive_group = "libhdf5"
            [plugin.config]
            swmr = true
            [formats]
            "application/x-hdf5" = "hdf5"
            [extensions]
            ".h5" = "application/x-hdf5"
            "polymer_*.[0-9]*" = "application/x-polymer"
            "#,
        )
        .unwrap();
        assert_eq!(config.resolve(&config.plugins.directory.0[0]), Path::new("/etc/tiled/plugins"));
        assert_eq!(config.entry("hdf5").unwrap().config["swmr"], true);
        assert!(config.plugins.discover && config.plugins.on_error == OnError::Fail);
    }

    #[test]
    fn mistakes_are_named_with_file_line_and_remedy() {
        let message = check("[plugins]\ndirektory = 'x'\n").unwrap_err();
        assert!(message.starts_with("/etc/tiled/plugins.toml: TOML parse error at line 2"), "{message}");
        assert!(message.ends_with("did you mean \"directory\"?"), "{message}");
        assert!(check("manifest_version = 2").unwrap_err().contains("this server reads 1"));
        assert!(check("[[plugin]]\nname='a'\nsha256='12'\n").unwrap_err().contains("64 hexadecimal digits"));
        assert!(
            check("[[plugin]]\nname='a'\n[[plugin]]\nname='a'\n").unwrap_err().contains("is there twice")
        );
        assert!(check("[plugins.defaults]\ntimeout_s = 0\n").unwrap_err().contains("more than 0"));
        assert!(check("[plugins.defaults]\nisolation = 'process'\n").unwrap_err().contains("process"));
        assert!(check("[extensions]\n'a[' = 'x/y'\n").unwrap_err().contains("[extensions] \"a[\""));
    }
}

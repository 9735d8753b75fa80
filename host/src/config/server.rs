//! Tiled's service configuration in TOML, key by key, and the plugin sections beside it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{ConfigError, PluginsConfig};

/// None: answers of any size go out piece by piece, so that their size is no matter of memory.
const RESPONSE_BYTESIZE_LIMIT: u64 = u64::MAX;
const EXACT_COUNT_LIMIT: i64 = 100;
const MEMORY_MB: u64 = 1024;

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Bytes of values that one answer may carry, before encoding; without it any number.
    pub response_bytesize_limit: u64,
    /// Listings of more entries may be counted roughly; below 0: none.
    pub exact_count_limit: i64,
    /// Specs that are not declared are refused when nodes are created.
    pub reject_undeclared_specs: bool,
    /// Whether files may be downloaded as they are.
    pub expose_raw_assets: bool,
    /// Origins whose pages may use this server from a browser.
    pub allow_origins: Vec<String>,
    /// Makes the nodes on the way to a `mount_node`.
    pub create_mount_nodes_if_not_exist: bool,
    /// Who may come in.
    pub authentication: AuthenticationConfig,
    /// What is served where.
    pub trees: Vec<TreeConfig>,
    /// Declared specs.
    pub specs: Vec<SpecConfig>,
    /// Where to listen.
    pub uvicorn: ListenConfig,
    /// What strangers may make large.
    pub limits: LimitsConfig,
    /// See [`PluginsConfig`]; `manifest` may name a file of its own.
    pub plugins: toml::Table,
    /// See [`PluginsConfig`].
    pub plugin: Vec<toml::Table>,
    /// See [`PluginsConfig`].
    pub formats: BTreeMap<String, String>,
    /// See [`PluginsConfig`].
    pub extensions: BTreeMap<String, String>,
    /// 1 where given, so that a manifest can also be the server's own file.
    pub manifest_version: Option<i64>,
    /// Of a later version; refused.
    pub access_control: Option<toml::Value>,
    /// Of a later version; refused.
    pub database: Option<toml::Value>,
    /// Of a later version; refused.
    pub webhooks: Option<toml::Value>,
    /// Of a later version; refused.
    pub streaming_cache: Option<toml::Value>,
    /// Of a later version; refused.
    pub metrics: Option<toml::Value>,
    /// Python only; refused.
    pub media_types: Option<toml::Value>,
    /// Of a later version; refused.
    pub file_extensions: Option<toml::Value>,
    /// Python only; refused.
    pub routers: Option<toml::Value>,
    /// Deprecated in Tiled; accepted and without effect there and here.
    pub object_cache: Option<toml::Value>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            response_bytesize_limit: RESPONSE_BYTESIZE_LIMIT,
            exact_count_limit: EXACT_COUNT_LIMIT,
            reject_undeclared_specs: false,
            expose_raw_assets: true,
            allow_origins: vec![],
            create_mount_nodes_if_not_exist: false,
            authentication: AuthenticationConfig::default(),
            trees: vec![],
            specs: vec![],
            uvicorn: ListenConfig::default(),
            limits: LimitsConfig::default(),
            plugins: toml::Table::new(),
            plugin: vec![],
            formats: BTreeMap::new(),
            extensions: BTreeMap::new(),
            manifest_version: None,
            access_control: None,
            database: None,
            webhooks: None,
            streaming_cache: None,
            metrics: None,
            media_types: None,
            file_extensions: None,
            routers: None,
            object_cache: None,
        }
    }
}

/// `[authentication]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthenticationConfig {
    /// Strangers may read.
    pub allow_anonymous_access: bool,
    /// The one key; made up and printed when absent.
    pub single_user_api_key: Option<String>,
    /// Signs tokens of users; without users it has no effect.
    pub secret_keys: Vec<String>,
    /// Seconds; without users it has no effect.
    pub access_token_max_age: Option<i64>,
    /// Seconds; without users it has no effect.
    pub refresh_token_max_age: Option<i64>,
    /// Seconds; without users it has no effect.
    pub session_max_age: Option<i64>,
    /// Of a later version; refused.
    pub providers: Vec<toml::Value>,
    /// Of a later version; refused.
    pub tiled_admins: Vec<toml::Value>,
}

/// One `[[trees]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreeConfig {
    /// Where it appears: `/`, `/a/b`.
    pub path: String,
    /// `catalog` or `directory`.
    pub tree: String,
    /// What it needs to know.
    #[serde(default)]
    pub args: TreeArgs,
}

/// `[trees.args]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TreeArgs {
    /// Catalog: the database.
    pub uri: Option<String>,
    /// Catalog: make it when it is not there.
    pub init_if_not_exists: bool,
    /// Catalog: leave its database without the search index, which else is built when the server starts.
    pub without_search_index: bool,
    /// Catalog: where new data go; also readable.
    pub writable_storage: OneOrMany,
    /// Catalog: where files may be read.
    pub readable_storage: OneOrMany,
    /// Of the root node.
    pub metadata: Map<String, Value>,
    /// Of the root node.
    pub specs: Vec<Value>,
    /// Serve only what is below this node: text or a list of keys.
    pub mount_node: Option<Value>,
    /// Of the root node.
    pub top_level_access_tags: Vec<String>,
    /// Mimetype to plugin, or to one of Tiled's own adapters.
    pub adapters_by_mimetype: BTreeMap<String, String>,
    /// Directory: the folder.
    pub directory: Option<PathBuf>,
    /// Directory: keys with their suffix.
    pub keep_ext: bool,
    /// Directory: files that are created, written, renamed or deleted later are registered, too.
    pub watch: bool,
    /// Directory: only files with one of these suffixes (`.csv`).
    pub include_ext: Vec<String>,
    /// Directory: `PATTERN=skip`, `PATTERN=single` or `PATTERN=sequence`; the first that fits decides.
    pub walkers: Vec<String>,
}

/// A text or a list of texts; Tiled takes both.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(from = "TextOrList")]
pub struct OneOrMany(pub Vec<String>);

#[derive(Deserialize)]
#[serde(untagged)]
enum TextOrList {
    Text(String),
    List(Vec<String>),
}

impl From<TextOrList> for OneOrMany {
    fn from(value: TextOrList) -> Self {
        match value {
            TextOrList::Text(text) => OneOrMany(vec![text]),
            TextOrList::List(list) => OneOrMany(list),
        }
    }
}

/// One `[[specs]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpecConfig {
    /// Its name.
    pub spec: String,
    /// A Python function; refused.
    pub validator: Option<String>,
}

/// `[uvicorn]`: the name is Tiled's.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListenConfig {
    /// An address; loopback by default.
    pub host: String,
    /// 0 for any that is free.
    pub port: u16,
    /// A prefix that a proxy strips.
    pub root_path: String,
}

impl Default for ListenConfig {
    fn default() -> Self {
        ListenConfig { host: "127.0.0.1".into(), port: 8000, root_path: String::new() }
    }
}

/// `[limits]`: ours, with no counterpart in Tiled.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Megabytes of values that all requests together may hold; further ones wait.
    pub memory_mb: u64,
    /// Answers of up to so many megabytes are complete before their status is sent; larger ones are streamed.
    pub whole_mb: u64,
    /// Opened files and groups of files kept ready.
    pub open_adapters: usize,
    /// Rendered metadata kept ready, in megabytes.
    pub metadata_cache_mb: u64,
    /// Megabytes of a request's body; a write is one block of an array or one partition of a table.
    pub body_mb: u64,
    /// Seconds a request may take until its first byte.
    pub request_s: u64,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        LimitsConfig {
            memory_mb: MEMORY_MB,
            whole_mb: 64,
            open_adapters: 256,
            metadata_cache_mb: 32,
            body_mb: 512,
            request_s: 120,
        }
    }
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// File, line and the nearest key; a setting of a later version is refused by name.
    pub fn read(path: &Path) -> Result<(Config, PluginsConfig), ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.into(), source })?;
        let config: Config = toml::from_str(&text).map_err(|error| ConfigError::from_toml(path, &error))?;
        config
            .refuse_later_settings()
            .map_err(|message| ConfigError::Invalid { path: path.into(), message })?;
        let plugins = config.plugins_config(path)?;
        Ok((config, plugins))
    }

    /// What other servers honour is refused here rather than ignored.
    fn refuse_later_settings(&self) -> Result<(), String> {
        let later = [
            ("access_control", self.access_control.is_some()),
            ("database", self.database.is_some()),
            ("webhooks", self.webhooks.is_some()),
            ("streaming_cache", self.streaming_cache.is_some()),
            ("metrics", self.metrics.is_some()),
            ("file_extensions", self.file_extensions.is_some()),
            ("authentication.providers", !self.authentication.providers.is_empty()),
            ("authentication.tiled_admins", !self.authentication.tiled_admins.is_empty()),
        ];
        if let Some((name, _)) = later.iter().find(|(_, given)| *given) {
            return Err(format!(
                "`{name}` is not supported by this version of tiled-host: remove it from the file"
            ));
        }
        let python = [
            ("media_types", self.media_types.is_some()),
            ("routers", self.routers.is_some()),
            ("specs.validator", self.specs.iter().any(|spec| spec.validator.is_some())),
        ];
        match python.iter().find(|(_, given)| *given) {
            Some((name, _)) => {
                Err(format!("`{name}` names Python code, which this server does not run: use a plugin"))
            }
            None => Ok(()),
        }
    }

    /// The plugin sections, or the manifest they name, as one.
    fn plugins_config(&self, path: &Path) -> Result<PluginsConfig, ConfigError> {
        let mut section = self.plugins.clone();
        if let Some(manifest) = section.remove("manifest") {
            let invalid = |message: &str| ConfigError::Invalid { path: path.into(), message: message.into() };
            let name =
                manifest.as_str().ok_or_else(|| invalid("plugins.manifest must be the path of a file"))?;
            if !section.is_empty() || !self.plugin.is_empty() {
                return Err(invalid(
                    "plugins.manifest stands alone: move the other plugin settings into that file",
                ));
            }
            let manifest = path.parent().unwrap_or(Path::new(".")).join(name);
            let text = std::fs::read_to_string(&manifest)
                .map_err(|source| ConfigError::Read { path: manifest.clone(), source })?;
            return PluginsConfig::from_toml(&text, &manifest);
        }
        let mut document = toml::Table::new();
        document.insert("plugins".into(), section.into());
        document.insert(
            "plugin".into(),
            toml::Value::Array(self.plugin.iter().cloned().map(Into::into).collect()),
        );
        for (name, map) in [("formats", &self.formats), ("extensions", &self.extensions)] {
            let table: toml::Table = map.iter().map(|(k, v)| (k.clone(), v.clone().into())).collect();
            document.insert(name.into(), table.into());
        }
        let adapters = self.trees.iter().flat_map(|tree| &tree.args.adapters_by_mimetype);
        let adapters: toml::Table = adapters.map(|(k, v)| (k.clone(), v.clone().into())).collect();
        document.insert("adapters_by_mimetype".into(), adapters.into());
        let mut plugins: PluginsConfig =
            document.try_into().map_err(|error| ConfigError::from_toml(path, &error))?;
        plugins.base = path.parent().unwrap_or(Path::new(".")).to_owned();
        plugins.check().map_err(|message| ConfigError::Invalid { path: path.into(), message })?;
        Ok(plugins)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        std::fs::write(&path, text).unwrap();
        match Config::read(&path) {
            Ok((config, _)) => format!("{} trees", config.trees.len()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_file_without_trees_is_enough() {
        assert_eq!(check(""), "0 trees");
        assert_eq!(
            check("[[trees]]\npath = \"/\"\ntree = \"catalog\"\nargs = { uri = \"sqlite:///x\" }"),
            "1 trees"
        );
    }

    #[test]
    fn mistakes_are_answered_with_place_and_nearest_key() {
        let text = check("[uvicorn]\nprot = 1");
        assert!(text.contains("line 2") && text.contains("did you mean \"port\"?"), "{text}");
    }

    #[test]
    fn settings_of_later_versions_are_refused_by_name() {
        assert!(check("[streaming_cache]\nuri = \"memory\"").contains("`streaming_cache` is not supported"));
        assert!(check("[[specs]]\nspec = \"a\"\nvalidator = \"m:f\"").contains("names Python code"));
    }
}

//! Flags that several sub-commands have, in Tiled's words.

use std::path::PathBuf;

use clap::Args;

use crate::config::{Config, PluginsConfig, TreeArgs};

/// Of all that serve without a configuration file.
#[derive(Args)]
pub struct ServeOptions {
    /// Turn off the requirement for API key authentication for reading. The key is still required for writing.
    #[arg(long)]
    pub public: bool,
    /// Set the single-user API key. By default, a random key is made at startup and printed.
    #[arg(long, env = "TILED_SINGLE_USER_API_KEY", hide_env_values = true)]
    pub api_key: Option<String>,
    /// Bind socket to this host; 0.0.0.0 makes the server available on the local network.
    #[arg(long, default_value = "127.0.0.1")]
    pub host: String,
    /// Bind to a socket with this port; 0 for any that is free.
    #[arg(long, default_value_t = 8000)]
    pub port: u16,
    /// Where the plugins are.
    #[arg(long, value_name = "DIR")]
    pub plugins: Option<PathBuf>,
}

/// How folders are walked.
#[derive(Args)]
pub struct WalkOptions {
    /// Log details of directory traversal and file registration.
    #[arg(long, short)]
    pub verbose: bool,
    /// Update the catalog when files are added, removed, or changed.
    #[arg(long, short)]
    pub watch: bool,
    /// Use a file's full name as its key, 'measurements.csv' instead of 'measurements'. This is discouraged because it
    /// tells clients about the storage format, so that changing it later may break their code.
    #[arg(long)]
    pub keep_ext: bool,
    /// Include only the given file extension, with its leading '.'; may be repeated.
    #[arg(long, value_name = ".EXT", value_parser = extension)]
    pub include_ext: Vec<String>,
    /// Map a custom file extension (with its leading '.'), or a glob over file names, to a known mimetype; may be
    /// repeated.
    #[arg(long, value_name = ".EXT=MIMETYPE", value_parser = pair)]
    pub ext: Vec<(String, String)>,
    /// Read a mimetype with this plugin; may be repeated. Tiled's own adapters may be named, too.
    #[arg(long = "adapter", value_name = "MIMETYPE=PLUGIN", value_parser = pair)]
    pub adapters: Vec<(String, String)>,
    /// Say how files are grouped: PATTERN=skip, PATTERN=single (one node each) or PATTERN=sequence (numbered files
    /// are one node). A pattern is a glob over names, or over paths below the folder if it has a '/'; the first that
    /// fits decides. May be repeated.
    #[arg(long = "walker", value_name = "PATTERN=WALK", value_parser = walker)]
    pub walkers: Vec<String>,
    /// Not supported: in Tiled a Python function. Use --ext, or a plugin that looks into files.
    #[arg(long, value_name = "HOOK", hide = true, value_parser = no_hook)]
    pub mimetype_hook: Option<String>,
}

impl WalkOptions {
    /// Puts what is to be opened by whom into the configuration of the plugins.
    pub fn teach(&self, plugins: &mut PluginsConfig) {
        plugins.extensions.extend(self.ext.iter().cloned());
        plugins.adapters_by_mimetype.extend(self.adapters.iter().cloned());
    }

    /// Puts how to walk into the arguments of a tree.
    pub fn walk(&self, args: TreeArgs) -> TreeArgs {
        TreeArgs {
            keep_ext: self.keep_ext,
            watch: self.watch,
            include_ext: self.include_ext.clone(),
            walkers: self.walkers.clone(),
            ..args
        }
    }
}

impl ServeOptions {
    /// A configuration without trees.
    pub fn config(&self) -> Config {
        let mut config = Config::default();
        config.authentication.allow_anonymous_access = self.public;
        config.authentication.single_user_api_key.clone_from(&self.api_key);
        config.uvicorn.host.clone_from(&self.host);
        config.uvicorn.port = self.port;
        config
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (left, right) = text.split_once('=').unwrap_or_default();
    let (left, right) = (left.trim(), right.trim());
    if left.is_empty() || right.is_empty() {
        return Err("expected two words with '=' between them".to_owned());
    }
    Ok((left.to_owned(), right.to_owned()))
}

fn extension(text: &str) -> Result<String, String> {
    if text.starts_with('.') { Ok(text.to_owned()) } else { Err(format!("begin with a '.', as in .{text}")) }
}

fn walker(text: &str) -> Result<String, String> {
    if text.contains(':') && !text.contains('=') {
        return Err("names a Python function, which this program does not run; write PATTERN=skip, \
                    PATTERN=single or PATTERN=sequence"
            .to_owned());
    }
    text.parse::<crate::register::Rule>().map(|_| text.to_owned())
}

fn no_hook(_: &str) -> Result<String, String> {
    Err("a hook is a Python function, which this program does not run; map names to types with --ext 'GLOB=MIMETYPE', \
         or use a plugin that looks into files"
        .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_pair_or_no_rule_is_refused_with_what_to_write() {
        assert_eq!(pair(".tif = image/tiff").unwrap(), (".tif".to_owned(), "image/tiff".to_owned()));
        assert!(pair(".tif").is_err() && pair("=x").is_err());
        assert!(extension("csv").unwrap_err().contains(".csv"));
        assert!(walker("my.module:walk").unwrap_err().contains("Python"));
        assert_eq!(walker("*.tif=single").unwrap(), "*.tif=single");
    }
}

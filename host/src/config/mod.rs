//! The configuration: what the files say, as types.

mod error;
mod plugins;
mod server;

pub use error::{ConfigError, unknown_key, with_nearest_key};
pub use plugins::{
    Directories, Isolation, LibraryPath, OnError, PluginDefaults, PluginEntry, PluginKind, PluginsConfig,
    PluginsSection, platform,
};
pub use server::{
    AuthenticationConfig, Config, LimitsConfig, ListenConfig, OneOrMany, SpecConfig, TreeArgs, TreeConfig,
};

//! What holds for one plugin, after the configuration and its descriptor have met.

use std::time::Duration;

use super::inspect::Descriptor;
use crate::config::PluginsConfig;

/// The settings of one plugin.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Settings {
    /// Higher goes first where several claim the same.
    pub(super) priority: i32,
    /// Calls at a time.
    pub(super) max_concurrency: usize,
    /// Until a call is given up.
    pub(super) timeout: Duration,
    /// Plugins with the same word are never called at the same time.
    pub(super) exclusive_group: Option<String>,
    /// For the plugin itself.
    pub(super) config: String,
}

/// With fewer, one slow file would stand in the way of all others on a small machine.
const LEAST_CONCURRENCY: usize = 4;

impl Settings {
    pub(super) fn of(descriptor: &Descriptor, config: &PluginsConfig) -> Self {
        let defaults = &config.plugins.defaults;
        let entry = config.entry(&descriptor.name);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let wished = entry.and_then(|e| e.max_concurrency).or(defaults.max_concurrency);
        let serialized = descriptor.threading == "serialized";
        let timeout_s = entry.and_then(|e| e.timeout_s).unwrap_or(defaults.timeout_s);
        Settings {
            priority: entry.map_or(0, |e| e.priority),
            max_concurrency: if serialized { 1 } else { wished.unwrap_or(cores.max(LEAST_CONCURRENCY)) },
            timeout: Duration::try_from_secs_f64(timeout_s).unwrap_or(Duration::MAX),
            exclusive_group: entry.and_then(|e| e.exclusive_group.clone()),
            config: serde_json::to_string(&entry.map(|e| &e.config).cloned().unwrap_or_default())
                .unwrap_or_default(),
        }
    }
}

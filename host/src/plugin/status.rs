//! The table of plugins, for `/healthz`, the landing page and `tiled-host plugin list`.

use serde::Serialize;

use super::{
    LoadedPlugin,
    inspect::Descriptor,
    survey::{LeftOut, Survey, Why},
};
use crate::config::PluginsConfig;

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PluginStatus {
    /// The plugin's name, where the file has one.
    pub name: Option<String>,
    /// The plugin's own version.
    pub version: Option<String>,
    /// The version of the plugin API it was built with.
    pub api_version: Option<String>,
    /// The file.
    pub path: String,
    /// Whether it is there.
    pub state: PluginState,
    /// Why not.
    pub reason: Option<String>,
    /// Mimetypes it claims to open.
    pub reads: Vec<String>,
    /// File suffixes it claims.
    pub extensions: Vec<String>,
    /// What it claims to encode, as `array image/png`.
    pub encodes: Vec<String>,
    /// Mimetypes it claims to store.
    pub writes: Vec<String>,
    /// Panics since the start.
    pub panics: u64,
    /// Calls that were given up and still run.
    pub late_calls: usize,
}

/// Whether a plugin is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PluginState {
    /// It may be loaded (from its descriptor alone).
    Found,
    /// It runs.
    Loaded,
    /// It panicked too often and is not called any more.
    OutOfService,
    /// It cannot be used.
    Refused,
    /// The configuration leaves it out.
    NotWanted,
    /// The file is no plugin.
    NotAPlugin,
}

impl PluginStatus {
    pub(super) fn of(descriptor: &Descriptor, path: String, state: PluginState) -> Self {
        let pairs = descriptor.serializers.iter().flat_map(|claim| {
            claim.families.iter().flat_map(|f| claim.media_types.iter().map(move |m| format!("{f} {m}")))
        });
        PluginStatus {
            name: Some(descriptor.name.clone()),
            version: Some(descriptor.version.clone()),
            api_version: Some(descriptor.api_version.clone()),
            path,
            state,
            reason: None,
            reads: descriptor
                .readers
                .iter()
                .flat_map(|r| r.mimetypes.iter().chain(&r.sequence))
                .cloned()
                .collect(),
            extensions: descriptor.readers.iter().flat_map(|r| &r.extensions).cloned().collect(),
            encodes: pairs.collect(),
            writes: descriptor.writers.iter().flat_map(|w| &w.mimetypes).cloned().collect(),
            panics: 0,
            late_calls: 0,
        }
    }

    pub(super) fn loaded(plugin: &LoadedPlugin) -> Self {
        let out = plugin.health.is_out_of_service();
        let state = if out { PluginState::OutOfService } else { PluginState::Loaded };
        PluginStatus {
            panics: plugin.health.panics(),
            late_calls: plugin.work.late_calls() + plugin.streams.late_calls(),
            reason: out.then(|| "too many panics; see the log, restart the server".to_owned()),
            ..Self::of(&plugin.descriptor, plugin.path.display().to_string(), state)
        }
    }

    pub(super) fn left_out(left_out: &LeftOut) -> Self {
        let (state, reason) = match &left_out.why {
            Why::NotAPlugin(what) => (PluginState::NotAPlugin, what.clone()),
            Why::NotWanted(why) => (PluginState::NotWanted, (*why).to_owned()),
            Why::Refused(refusal) => (PluginState::Refused, refusal.to_string()),
        };
        PluginStatus {
            name: left_out.name.clone(),
            version: None,
            api_version: None,
            path: left_out.path.display().to_string(),
            state,
            reason: Some(reason),
            reads: vec![],
            extensions: vec![],
            encodes: vec![],
            writes: vec![],
            panics: 0,
            late_calls: 0,
        }
    }
}

/// What can be said without running anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Overview {
    /// Every plugin and every file that is left out.
    pub plugins: Vec<PluginStatus>,
    /// What keeps the server from starting, one line each.
    pub problems: Vec<String>,
}

/// Looks at descriptors only; no code of a plugin runs.
pub fn overview(config: &PluginsConfig) -> Overview {
    let survey = Survey::of(config);
    let conflicts = survey.choose(config).conflicts;
    let found = survey
        .candidates
        .iter()
        .map(|c| PluginStatus::of(&c.descriptor, c.path.display().to_string(), PluginState::Found));
    Overview {
        plugins: found.chain(survey.left_out.iter().map(PluginStatus::left_out)).collect(),
        problems: survey.fatal.iter().chain(&conflicts).map(ToString::to_string).collect(),
    }
}

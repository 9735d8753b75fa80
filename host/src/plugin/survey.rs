//! Which plugins there are and why others are not, without running any of them: the first half of loading, and all
//! of `tiled-host plugin list`.

use std::{
    collections::HashSet,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{
    choice::{Choice, Offer, choose},
    discover::{Place, libraries, places},
    error::{Refusal, Step},
    load::{Candidate, candidate},
    manifest::Settings,
};
use crate::config::{OnError, PluginEntry, PluginsConfig};

/// The outcome of looking around.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Plugins that may be loaded, no two of one name, in order of their names.
    pub(super) candidates: Vec<Candidate>,
    /// Files that are left out, and why.
    pub(super) left_out: Vec<LeftOut>,
    /// What keeps the server from starting.
    pub(super) fatal: Vec<Refusal>,
}

/// A file that is left out.
#[derive(Debug)]
pub(super) struct LeftOut {
    pub(super) path: PathBuf,
    pub(super) name: Option<String>,
    pub(super) why: Why,
}

/// Why it is left out.
#[derive(Debug)]
pub(super) enum Why {
    /// It is no plugin at all.
    NotAPlugin(String),
    /// The configuration says so.
    NotWanted(&'static str),
    /// It cannot be used.
    Refused(Refusal),
}

impl Survey {
    /// Looks through the listed files and the folders.
    pub(super) fn of(config: &PluginsConfig) -> Self {
        let mut survey = Survey::default();
        let mut seen = HashSet::new();
        for entry in &config.plugin {
            survey.add_listed(config, entry, &mut seen);
        }
        let searched = places(config);
        for place in &searched {
            match libraries(place) {
                Ok(paths) => paths.into_iter().for_each(|path| survey.add_found(config, path, &mut seen)),
                Err(refusal) if config.plugins.directory.0.is_empty() => {
                    tracing::warn!(target: "plugin", "{refusal}")
                }
                Err(refusal) => survey.fatal.push(refusal),
            }
        }
        for entry in config.plugin.iter().filter(|entry| entry.enabled != Some(false) && entry.path.is_none())
        {
            survey.miss(config, entry, &searched);
        }
        survey.candidates.sort_by(|a, b| a.descriptor.name.cmp(&b.descriptor.name));
        survey
    }

    /// A plugin with a path of its own.
    fn add_listed(&mut self, config: &PluginsConfig, entry: &PluginEntry, seen: &mut Seen) {
        let Some(library) = &entry.path else { return };
        let Some(path) = library.here().map(|path| config.resolve(path)) else {
            let reason = format!("[[plugin]] {} has no path for {}", entry.name, crate::config::platform());
            self.refuse(
                config,
                &entry.name,
                Path::new(&entry.name),
                Refusal::new(&entry.name, Step::Find, reason, ""),
            );
            return;
        };
        seen.extend(identity(&path));
        if entry.enabled == Some(false) {
            self.leave_out(path, Some(entry.name.clone()), Why::NotWanted("enabled = false"));
            return;
        }
        let found = if path.exists() {
            candidate(&path)
        } else {
            Err(Refusal::new(path.display(), Step::Find, "no such file", "correct [[plugin]] path"))
        };
        match found {
            Ok(Ok(candidate)) if candidate.descriptor.name == entry.name => self.candidates.push(candidate),
            Ok(Ok(candidate)) => {
                let reason = format!("it is the plugin {}, not {}", candidate.descriptor.name, entry.name);
                let refusal = Refusal::new(path.display(), Step::Policy, reason, "correct [[plugin]] name");
                self.refuse(config, &entry.name, &path, refusal);
            }
            Ok(Err(what)) => {
                let refusal =
                    Refusal::new(path.display(), Step::Inspect, what, "build it with export_plugin!");
                self.refuse(config, &entry.name, &path, refusal);
            }
            Err(refusal) => self.refuse(config, &entry.name, &path, refusal),
        }
    }

    /// A file of a folder.
    fn add_found(&mut self, config: &PluginsConfig, path: PathBuf, seen: &mut Seen) {
        if identity(&path).is_some_and(|identity| !seen.insert(identity)) {
            return;
        }
        let candidate = match candidate(&path) {
            Ok(Ok(candidate)) => candidate,
            Ok(Err(what)) => return self.leave_out(path, None, Why::NotAPlugin(what)),
            Err(refusal) => {
                tracing::warn!(target: "plugin", "left out: {refusal}");
                return self.leave_out(path, None, Why::Refused(refusal));
            }
        };
        let name = candidate.descriptor.name.clone();
        let entry = config.entry(&name);
        if entry.is_some_and(|entry| entry.enabled == Some(false)) {
            return self.leave_out(path, Some(name), Why::NotWanted("enabled = false"));
        }
        if entry.is_none() && !config.plugins.discover {
            return self.leave_out(
                path,
                Some(name),
                Why::NotWanted("not listed, and [plugins] discover = false"),
            );
        }
        if let Some(first) = self.candidates.iter().find(|other| other.descriptor.name == name) {
            let reason = format!("there is a plugin {name} already: {}", first.path.display());
            let refusal =
                Refusal::new(path.display(), Step::Policy, reason, "remove one of the two, or rename it");
            return self.refuse(config, "", &path, refusal);
        }
        self.candidates.push(candidate);
    }

    /// A listed plugin that must come from the folders, and did not.
    fn miss(&mut self, config: &PluginsConfig, entry: &PluginEntry, searched: &[Place]) {
        if self.candidates.iter().any(|candidate| candidate.descriptor.name == entry.name) {
            return;
        }
        let places: Vec<String> = searched.iter().map(|place| place.path.display().to_string()).collect();
        let mut reason = format!("no plugin of this name in {}", places.join(", "));
        for LeftOut { why, .. } in &self.left_out {
            if let Why::Refused(refusal) = why {
                reason = format!("{reason}; refused there: {refusal}");
            }
        }
        let refusal = Refusal::new(&entry.name, Step::Find, reason, "install it, or give [[plugin]] path");
        self.refuse(config, &entry.name, Path::new(&entry.name), refusal);
    }

    /// A refusal ends the start, or leaves the file out with a warning. `listed` is the name of its entry, or empty.
    pub(super) fn refuse(&mut self, config: &PluginsConfig, listed: &str, path: &Path, refusal: Refusal) {
        if is_required(config, listed) {
            self.fatal.push(refusal.clone());
        } else {
            tracing::warn!(target: "plugin", "left out: {refusal}");
        }
        let name = (!listed.is_empty()).then(|| listed.to_owned());
        self.leave_out(path.to_owned(), name, Why::Refused(refusal));
    }

    fn leave_out(&mut self, path: PathBuf, name: Option<String>, why: Why) {
        self.left_out.push(LeftOut { path, name, why });
    }

    /// Names that are known but will not be there.
    pub(super) fn absent(&self) -> Vec<String> {
        self.left_out.iter().filter_map(|left_out| left_out.name.clone()).collect()
    }

    /// The choice between the candidates.
    pub(super) fn choose(&self, config: &PluginsConfig) -> Choice {
        let offers: Vec<Offer<'_>> = self
            .candidates
            .iter()
            .map(|Candidate { descriptor, .. }| Offer {
                descriptor,
                priority: Settings::of(descriptor, config).priority,
            })
            .collect();
        choose(&offers, config, &self.absent())
    }
}

/// Files that were looked at: one file may have several names.
type Seen = HashSet<(u64, u64)>;

fn identity(path: &Path) -> Option<(u64, u64)> {
    path.metadata().ok().map(|meta| (meta.dev(), meta.ino()))
}

fn is_required(config: &PluginsConfig, listed: &str) -> bool {
    let required = |entry: &PluginEntry| entry.required.unwrap_or(config.plugins.on_error == OnError::Fail);
    config.entry(listed).is_some_and(required)
}

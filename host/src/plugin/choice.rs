//! Who serves what, from descriptors alone: nothing is loaded here, and the order of files never matters.
//!
//! A claim that several plugins make goes to the one that `[adapters_by_mimetype]` or `[formats]` names, else to the one
//! of the highest priority; else the server does not start, and the message has the line to add.

use std::collections::BTreeMap;

use super::{
    error::{Refusal, Step},
    inspect::Descriptor,
};
use crate::config::PluginsConfig;

/// A plugin as it stands for choice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offer<'a> {
    pub(super) descriptor: &'a Descriptor,
    pub(super) priority: i32,
}

/// Number of the plugin and number within its readers, serializers or writers.
pub(super) type At = (usize, usize);

/// The outcome.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// By mimetype; several where one plugin has a reader for files and one for directories.
    pub(super) readers: BTreeMap<String, Vec<At>>,
    /// Mimetypes that are opened as another one.
    pub(super) opened_as: BTreeMap<String, String>,
    /// By family or spec, and media type.
    pub(super) serializers: BTreeMap<(String, String), At>,
    /// By mimetype and scheme.
    pub(super) writers: BTreeMap<(String, String), At>,
    /// What could not be decided.
    pub(super) conflicts: Vec<Refusal>,
}

/// A mimetype as it is compared: the type in lower case, parameters without spaces.
pub(super) fn normal(mimetype: &str) -> String {
    let mut parts = mimetype.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
    parts.filter(|part| !part.is_empty()).fold(essence, |all, part| format!("{all};{part}"))
}

/// A mimetype without its parameters.
pub(super) fn essence(mimetype: &str) -> &str {
    mimetype.split(';').next().unwrap_or_default().trim()
}

/// Decides. `absent` are the names of plugins that are known but not there: a choice of one of them is passed over.
pub(super) fn choose(offers: &[Offer<'_>], config: &PluginsConfig, absent: &[String]) -> Choice {
    let mut chooser = Chooser { offers, config, choice: Choice::default() };
    chooser.readers();
    chooser.serializers();
    chooser.writers();
    for (mimetype, wish) in &config.formats {
        if !mimetype.contains(' ') {
            chooser.assign("[formats]", mimetype, wish, absent);
        }
    }
    for (mimetype, wish) in &config.adapters_by_mimetype {
        match STOCK_ADAPTERS.iter().find(|(path, _)| path == wish) {
            Some((_, opened_as)) => chooser.assign_stock(mimetype, opened_as),
            None => chooser.assign("[adapters_by_mimetype]", mimetype, wish, absent),
        }
    }
    chooser.choice
}

/// Tiled's own adapters, and what they open.
const STOCK_ADAPTERS: &[(&str, &str)] = &[
    ("tiled.adapters.arrow:ArrowAdapter", "application/vnd.apache.arrow.file"),
    ("tiled.adapters.awkward:AwkwardBuffersAdapter", "application/x-awkward-buffers"),
    ("tiled.adapters.awkward_buffers:AwkwardBuffersAdapter", "application/x-awkward-buffers"),
    ("tiled.adapters.bytes:BytesAdapter", "application/octet-stream"),
    ("tiled.adapters.csv:CSVAdapter", "text/csv"),
    ("tiled.adapters.csv:CSVArrayAdapter", "text/csv;header=absent"),
    (
        "tiled.adapters.excel:ExcelAdapter",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
    ("tiled.adapters.hdf5:HDF5Adapter", "application/x-hdf5"),
    ("tiled.adapters.jpeg:JPEGAdapter", "image/jpeg"),
    ("tiled.adapters.jpeg:JPEGSequenceAdapter", "multipart/related;type=image/jpeg"),
    ("tiled.adapters.netcdf:NetCDFAdapter", "application/x-netcdf"),
    ("tiled.adapters.npy:NPYAdapter", "application/x-npy"),
    ("tiled.adapters.npy:NPYSequenceAdapter", "multipart/related;type=application/x-npy"),
    ("tiled.adapters.parquet:ParquetDatasetAdapter", "application/x-parquet"),
    (
        "tiled.adapters.sparse_blocks_parquet:SparseBlocksParquetAdapter",
        "application/x-parquet;structure=sparse",
    ),
    ("tiled.adapters.tiff:TiffAdapter", "image/tiff"),
    ("tiled.adapters.tiff:TiffSequenceAdapter", "multipart/related;type=image/tiff"),
    ("tiled.adapters.zarr:ZarrAdapter", "application/x-zarr"),
    ("tiled.adapters.zarr:ZarrArrayAdapter", "application/x-zarr"),
    ("tiled.adapters.zarr:ZarrGroupAdapter", "application/x-zarr"),
];

struct Chooser<'a> {
    offers: &'a [Offer<'a>],
    config: &'a PluginsConfig,
    choice: Choice,
}

impl Chooser<'_> {
    fn readers(&mut self) {
        let mut claims: BTreeMap<String, Vec<At>> = BTreeMap::new();
        for (p, offer) in self.offers.iter().enumerate() {
            for (r, reader) in offer.descriptor.readers.iter().enumerate() {
                let mut mimetypes: Vec<String> =
                    reader.mimetypes.iter().chain(&reader.sequence).map(|m| normal(m)).collect();
                mimetypes.dedup();
                for mimetype in mimetypes {
                    claims.entry(mimetype).or_default().push((p, r));
                }
            }
        }
        for (mimetype, claimants) in claims {
            if self.is_assigned(&mimetype) {
                continue;
            }
            if let Some(plugin) = self.decide(&mimetype, &claimants) {
                self.choice
                    .readers
                    .insert(mimetype, claimants.into_iter().filter(|at| at.0 == plugin).collect());
            }
        }
    }

    /// Whether the configuration says who opens it.
    fn is_assigned(&self, mimetype: &str) -> bool {
        let mut said = self.config.formats.keys().chain(self.config.adapters_by_mimetype.keys());
        said.any(|said| normal(said) == mimetype)
    }

    fn serializers(&mut self) {
        let mut claims: BTreeMap<(String, String), Vec<At>> = BTreeMap::new();
        for (p, offer) in self.offers.iter().enumerate() {
            for (s, claim) in offer.descriptor.serializers.iter().enumerate() {
                let pairs = claim.families.iter().flat_map(|f| claim.media_types.iter().map(move |m| (f, m)));
                for (family, media_type) in pairs {
                    claims.entry((family.clone(), normal(media_type))).or_default().push((p, s));
                }
            }
        }
        for (key, claimants) in claims {
            if let Some(plugin) = self.decide(&format!("{} {}", key.0, key.1), &claimants)
                && let Some(at) = claimants.into_iter().find(|at| at.0 == plugin)
            {
                self.choice.serializers.insert(key, at);
            }
        }
    }

    fn writers(&mut self) {
        let mut claims: BTreeMap<(String, String), Vec<At>> = BTreeMap::new();
        for (p, offer) in self.offers.iter().enumerate() {
            for (w, claim) in offer.descriptor.writers.iter().enumerate() {
                let file = ["file".to_owned()];
                let schemes = if claim.schemes.is_empty() { &file } else { claim.schemes.as_slice() };
                let pairs = claim.mimetypes.iter().flat_map(|m| schemes.iter().map(move |s| (m, s)));
                for (mimetype, scheme) in pairs {
                    claims.entry((normal(mimetype), scheme.clone())).or_default().push((p, w));
                }
            }
        }
        for (key, claimants) in claims {
            if let Some(plugin) = self.decide(&format!("writing {}", key.0), &claimants)
                && let Some(at) = claimants.into_iter().find(|at| at.0 == plugin)
            {
                self.choice.writers.insert(key, at);
            }
        }
    }

    /// The plugin that gets a claim; a conflict is noted.
    fn decide(&mut self, claim: &str, claimants: &[At]) -> Option<usize> {
        let mut plugins: Vec<usize> = claimants.iter().map(|at| at.0).collect();
        plugins.dedup();
        let name = |p: usize| self.offers.get(p).map_or("", |offer| offer.descriptor.name.as_str());
        let priority = |p: usize| self.offers.get(p).map_or(0, |offer| offer.priority);
        let wish =
            self.config.formats.iter().find(|(key, _)| normal_key(key) == claim).map(|(_, plugin)| plugin);
        if let Some(chosen) = wish.and_then(|wish| plugins.iter().find(|p| name(**p) == wish)) {
            return Some(*chosen);
        }
        let highest = plugins.iter().map(|p| priority(*p)).max()?;
        plugins.retain(|p| priority(*p) == highest);
        if let [one] = plugins[..] {
            return Some(one);
        }
        let mut names: Vec<&str> = plugins.iter().map(|p| name(*p)).collect();
        names.sort_unstable();
        let remedy =
            format!("add to [formats]: \"{claim}\" = \"{}\"", names.first().copied().unwrap_or_default());
        let refusal = Refusal::new(
            claim,
            Step::Choose,
            format!("claimed by the plugins {}", names.join(" and ")),
            remedy,
        );
        self.choice.conflicts.push(refusal);
        None
    }

    /// Gives a mimetype to the plugin that the configuration names.
    fn assign(&mut self, section: &str, mimetype: &str, wish: &str, absent: &[String]) {
        let key = normal(mimetype);
        let Some(p) = self.offers.iter().position(|offer| offer.descriptor.name == wish) else {
            if !absent.iter().any(|name| name == wish) {
                self.refuse_wish(section, mimetype, wish);
            }
            return;
        };
        let Some(descriptor) = self.offers.get(p).map(|offer| offer.descriptor) else { return };
        let claims = |r: &super::inspect::ReaderClaim, m: &str| {
            r.mimetypes.iter().chain(&r.sequence).any(|claimed| normal(claimed) == m)
        };
        let readers = || descriptor.readers.iter().enumerate();
        let exact: Vec<At> = readers().filter(|(_, r)| claims(r, &key)).map(|(r, _)| (p, r)).collect();
        if !exact.is_empty() {
            self.choice.readers.insert(key, exact);
            return;
        }
        // Its reader for the type without parameters does for the type with them; an only reader does for anything.
        let near: Vec<At> =
            readers().filter(|(_, r)| claims(r, essence(&key))).map(|(r, _)| (p, r)).collect();
        if !near.is_empty() {
            self.choice.readers.insert(key, near);
            return;
        }
        match descriptor.readers.as_slice() {
            [only] => {
                let opened_as = only.mimetypes.first().map(|m| normal(m)).unwrap_or_default();
                self.choice.opened_as.insert(key.clone(), opened_as);
                self.choice.readers.insert(key, vec![(p, 0)]);
            }
            several => {
                let known: Vec<&str> =
                    several.iter().flat_map(|r| &r.mimetypes).map(String::as_str).collect();
                let reason = format!("plugin {wish} has several readers, and none for this type");
                let remedy = format!("register the files as one of {}", known.join(", "));
                let subject = format!("{section} \"{mimetype}\"");
                self.choice.conflicts.push(Refusal::new(subject, Step::Choose, reason, remedy));
            }
        }
    }

    fn refuse_wish(&mut self, section: &str, mimetype: &str, wish: &str) {
        let subject = format!("{section} \"{mimetype}\" = \"{wish}\"");
        let names: Vec<&str> = self.offers.iter().map(|offer| offer.descriptor.name.as_str()).collect();
        let (reason, remedy) = if wish.contains(':') {
            ("an adapter in Python cannot be loaded", "write a plugin for it, or name one of".to_owned())
        } else {
            ("there is no plugin of this name", "known are".to_owned())
        };
        self.choice.conflicts.push(Refusal::new(
            subject,
            Step::Choose,
            reason,
            format!("{remedy} {}", names.join(", ")),
        ));
    }

    /// Gives a mimetype to whoever opens what Tiled's own adapter opens.
    fn assign_stock(&mut self, mimetype: &str, opened_as: &str) {
        let key = normal(mimetype);
        if key == opened_as {
            // Nothing to change; the plugins' own claims were set aside for this entry.
            let claimants = self.claimants(&key);
            if let Some(plugin) = self.decide(&key, &claimants) {
                let of_it = claimants.into_iter().filter(|at| at.0 == plugin).collect();
                self.choice.readers.insert(key, of_it);
            }
            return;
        }
        let target =
            self.choice.readers.get(opened_as).or_else(|| self.choice.readers.get(essence(opened_as)));
        match target.cloned() {
            Some(target) => {
                self.choice.opened_as.insert(key.clone(), opened_as.to_owned());
                self.choice.readers.insert(key, target);
            }
            None => {
                let subject = format!("[adapters_by_mimetype] \"{mimetype}\"");
                let reason = format!("no plugin opens {opened_as}");
                let remedy = "install the plugin that does";
                self.choice.conflicts.push(Refusal::new(subject, Step::Choose, reason, remedy));
            }
        }
    }

    fn claimants(&self, mimetype: &str) -> Vec<At> {
        let readers = |(p, offer): (usize, &Offer<'_>)| {
            let of_it = offer.descriptor.readers.iter().enumerate();
            let of_it =
                of_it.filter(|(_, r)| r.mimetypes.iter().chain(&r.sequence).any(|m| normal(m) == mimetype));
            of_it.map(|(r, _)| (p, r)).collect::<Vec<At>>()
        };
        self.offers.iter().enumerate().flat_map(readers).collect()
    }
}

/// A key of `[formats]`, for comparison: `array image/png`, or a mimetype.
fn normal_key(key: &str) -> String {
    match key.split_once(' ') {
        Some((family, media_type)) => format!("{} {}", family.trim(), normal(media_type)),
        None => normal(key),
    }
}

#[cfg(test)]
#[path = "choice_tests.rs"]
mod tests;

//! The choice between plugins, with the plugins loaded: from a mimetype or a file name to a reader, from a family and a
//! media type to a serializer.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::Arc,
};

use tiled_plugin_api::author::Source;

use super::{
    LoadedPlugin, LoadedReader, LoadedSerializer, LoadedWriter,
    choice::{At, Choice, essence, normal},
    error::{Refusal, Step},
};
use crate::config::PluginsConfig;

/// Everything by its key.
#[derive(Default)]
pub(super) struct Registry {
    readers: HashMap<String, Vec<Arc<LoadedReader>>>,
    suffixes: HashMap<String, Vec<(String, Arc<LoadedReader>)>>,
    said_suffixes: HashMap<String, String>,
    said_globs: Vec<(glob::Pattern, String)>,
    serializers: HashMap<String, HashMap<String, Arc<LoadedSerializer>>>,
    writers: HashMap<(String, String), Arc<LoadedWriter>>,
    pub(super) formats: BTreeMap<String, Vec<String>>,
    pub(super) aliases: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    alias: BTreeMap<String, String>,
}

impl Registry {
    /// # Errors
    /// A plugin does not give what its descriptor offers.
    pub(super) fn build(
        choice: &Choice,
        plugins: &[Arc<LoadedPlugin>],
        config: &PluginsConfig,
    ) -> Result<Self, Refusal> {
        let mut registry = Registry::default();
        registry.add_readers(choice, plugins)?;
        registry.add_serializers(choice, plugins)?;
        for (key, at) in &choice.writers {
            let plugin = get(plugins, at.0)?;
            let writer = plugin.foreign.writer(number(at.1)).map_err(|e| plugin.refusal(&e))?;
            let claim = plugin.descriptor.writers.get(at.1).cloned().unwrap_or_default();
            registry.writers.insert(key.clone(), Arc::new(LoadedWriter::new(plugin.clone(), &claim, writer)));
        }
        for (pattern, mimetype) in &config.extensions {
            if pattern.starts_with('.') {
                registry.said_suffixes.insert(pattern.to_lowercase(), normal(mimetype));
            } else if let Ok(glob) = glob::Pattern::new(pattern) {
                registry.said_globs.push((glob, normal(mimetype)));
            }
        }
        Ok(registry)
    }

    fn add_readers(&mut self, choice: &Choice, plugins: &[Arc<LoadedPlugin>]) -> Result<(), Refusal> {
        let mut made: HashMap<At, Arc<LoadedReader>> = HashMap::new();
        for (mimetype, places) in &choice.readers {
            for at in places {
                let plain = match made.get(at) {
                    Some(reader) => reader.clone(),
                    None => {
                        let plugin = get(plugins, at.0)?;
                        let reader = plugin.foreign.reader(number(at.1)).map_err(|e| plugin.refusal(&e))?;
                        let claim = plugin.descriptor.readers.get(at.1).cloned().unwrap_or_default();
                        Arc::new(LoadedReader::new(plugin.clone(), &claim, reader))
                    }
                };
                made.insert(*at, plain.clone());
                let reader = match choice.opened_as.get(mimetype) {
                    Some(opened_as) => Arc::new(plain.opening(mimetype, opened_as)),
                    None => plain,
                };
                self.readers.entry(mimetype.clone()).or_default().push(reader);
            }
        }
        self.add_suffixes(&made, plugins);
        Ok(())
    }

    /// Suffixes lead to the first mimetype of the reader that claims them, where that reader is the chosen one for it.
    fn add_suffixes(&mut self, made: &HashMap<At, Arc<LoadedReader>>, plugins: &[Arc<LoadedPlugin>]) {
        for (p, plugin) in plugins.iter().enumerate() {
            for (r, claim) in plugin.descriptor.readers.iter().enumerate() {
                let Some(mimetype) = claim.mimetypes.first().map(|m| normal(m)) else { continue };
                let Some(reader) = made.get(&(p, r)) else { continue };
                let chosen = self.readers.get(&mimetype).into_iter().flatten();
                if !chosen.into_iter().any(|one| Arc::ptr_eq(&one.plugin, plugin)) {
                    continue;
                }
                for extension in &claim.extensions {
                    let claims = self.suffixes.entry(extension.to_lowercase()).or_default();
                    claims.push((mimetype.clone(), reader.clone()));
                }
            }
        }
        for claims in self.suffixes.values_mut() {
            // Highest priority first, then by name: never by the order of loading.
            let rank = |reader: &LoadedReader| {
                (-i64::from(reader.plugin.settings.priority), reader.plugin.name().to_owned())
            };
            claims.sort_by_key(|(mimetype, reader)| (rank(reader), mimetype.clone()));
        }
    }

    fn add_serializers(&mut self, choice: &Choice, plugins: &[Arc<LoadedPlugin>]) -> Result<(), Refusal> {
        let mut made: HashMap<At, Arc<LoadedSerializer>> = HashMap::new();
        for ((family, media_type), at) in &choice.serializers {
            let plugin = get(plugins, at.0)?;
            let serializer = match made.get(at) {
                Some(serializer) => serializer.clone(),
                None => {
                    let serializer =
                        plugin.foreign.serializer(number(at.1)).map_err(|e| plugin.refusal(&e))?;
                    Arc::new(LoadedSerializer::new(plugin.clone(), serializer))
                }
            };
            made.insert(*at, serializer.clone());
            self.serializers.entry(family.clone()).or_default().insert(media_type.clone(), serializer);
            self.formats.entry(family.clone()).or_default().push(media_type.clone());
            let Some(claim) = plugin.descriptor.serializers.get(at.1) else { continue };
            for (alias, of) in claim.aliases.iter().filter(|(_, of)| normal(of) == *media_type) {
                let by_type = self.aliases.entry(family.clone()).or_default();
                by_type.entry(media_type.clone()).or_default().push(alias.clone());
                self.alias.entry(alias.clone()).or_insert_with(|| of.clone());
            }
        }
        Ok(())
    }

    /// All readers of a mimetype: exact with its parameters, then without.
    pub(super) fn readers_for(&self, mimetype: &str) -> &[Arc<LoadedReader>] {
        let key = normal(mimetype);
        self.readers.get(&key).or_else(|| self.readers.get(essence(&key))).map_or(&[], Vec::as_slice)
    }

    pub(super) fn reader_for_file(
        &self,
        path: &Path,
        is_directory: bool,
        head: impl FnOnce() -> Option<(Source, Vec<u8>)>,
    ) -> Option<(String, Arc<LoadedReader>)> {
        let name = path.file_name()?.to_string_lossy();
        let fits = |reader: &&Arc<LoadedReader>| reader.directory == is_directory;
        if let Some(mimetype) = self.said(&name) {
            let reader = self.readers_for(mimetype).iter().find(fits)?;
            return Some((mimetype.to_owned(), reader.clone()));
        }
        for suffix in suffixes(&name) {
            let claims = self.suffixes.get(&suffix).into_iter().flatten();
            let claims: Vec<_> = claims.filter(|(_, reader)| reader.directory == is_directory).collect();
            match claims.as_slice() {
                [] => {}
                [one] => return Some((*one).clone()),
                several => return best_of(several, head),
            }
        }
        let mut all: Vec<(String, Arc<LoadedReader>)> = Vec::new();
        for reader in self.readers.values().flatten().filter(fits) {
            let Some(mimetype) = reader.mimetypes.first().map(|m| normal(m)) else { continue };
            if !all.iter().any(|(known, _)| *known == mimetype) {
                all.push((mimetype, reader.clone()));
            }
        }
        all.sort_by(|a, b| a.0.cmp(&b.0));
        let (source, head) = head()?;
        let sure = |(mimetype, reader): (String, Arc<LoadedReader>)| {
            let confidence = reader.sniff(&source, &head);
            (confidence > 0).then_some((confidence, reader.plugin.settings.priority, mimetype, reader))
        };
        let best = all
            .into_iter()
            .filter_map(sure)
            .max_by_key(|(confidence, priority, ..)| (*confidence, *priority))?;
        Some((best.2, best.3))
    }

    /// What the configuration says of a file name: longest suffix first, then globs.
    fn said(&self, name: &str) -> Option<&str> {
        let by_suffix = suffixes(name).find_map(|suffix| self.said_suffixes.get(&suffix));
        let by_glob =
            || self.said_globs.iter().find(|(glob, _)| glob.matches(name)).map(|(_, mimetype)| mimetype);
        by_suffix.or_else(by_glob).map(String::as_str)
    }

    pub(super) fn serializer_for(&self, key: &str, media_type: &str) -> Option<Arc<LoadedSerializer>> {
        self.serializers.get(key)?.get(&normal(essence(media_type))).cloned()
    }

    pub(super) fn writer_for(&self, mimetype: &str, scheme: &str) -> Option<Arc<LoadedWriter>> {
        let key = normal(mimetype);
        let exact = self.writers.get(&(key.clone(), scheme.to_owned()));
        exact.or_else(|| self.writers.get(&(essence(&key).to_owned(), scheme.to_owned()))).cloned()
    }

    pub(super) fn media_type_of_alias(&self, alias: &str) -> Option<&str> {
        self.alias.get(alias).map(String::as_str)
    }
}

/// The suffixes of a file name, longest first, in lower case: `.ome.tiff`, `.tiff`. A dot at the front is no suffix.
fn suffixes(name: &str) -> impl Iterator<Item = String> {
    let dots = name.char_indices().filter(|(at, c)| *at > 0 && *c == '.');
    dots.filter_map(|(at, _)| name.get(at..)).map(str::to_lowercase).collect::<Vec<_>>().into_iter()
}

/// Of several readers with one suffix, those of the highest priority are asked; the first by name where none is sure.
fn best_of(
    claims: &[&(String, Arc<LoadedReader>)],
    head: impl FnOnce() -> Option<(Source, Vec<u8>)>,
) -> Option<(String, Arc<LoadedReader>)> {
    let highest = claims.first()?.1.plugin.settings.priority;
    let claims: Vec<_> =
        claims.iter().take_while(|(_, r)| r.plugin.settings.priority == highest).copied().collect();
    if let [one] = claims.as_slice() {
        return Some((*one).clone());
    }
    let first = claims.first().map(|claim| (*claim).clone());
    let Some((source, head)) = head() else { return first };
    let mut best = (0, first);
    for claim in claims {
        let confidence = claim.1.sniff(&source, &head);
        if confidence > best.0 {
            best = (confidence, Some(claim.clone()));
        }
    }
    best.1
}

fn get(plugins: &[Arc<LoadedPlugin>], number: usize) -> Result<&Arc<LoadedPlugin>, Refusal> {
    plugins.get(number).ok_or_else(|| Refusal::new(number, Step::Choose, "no such plugin", ""))
}

fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longer_suffixes_go_first_and_case_does_not_matter() {
        assert_eq!(suffixes("a.OME.Tiff").collect::<Vec<_>>(), [".ome.tiff", ".tiff"]);
        assert_eq!(suffixes(".hidden").count(), 0);
        assert_eq!(suffixes("plain").count(), 0);
    }
}

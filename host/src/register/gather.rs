//! From the entries of one folder to what has to be done in the catalog.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Identified, Identify, Left, Options, folder::Entry, keys::Keys, nodes, parallel, rules::Walk, sequence,
    stamp,
};
use crate::{
    catalog::{Catalog, FileChanges, FileNode, NewNode, Result},
    source::uri_of,
};

/// Files opened before what they are is written down.
const CHUNK: usize = 1000;

/// A part of what a folder gives.
#[derive(Default)]
pub(super) struct Found {
    pub changes: FileChanges,
    /// Name and extension of each new node, should its key be taken meanwhile.
    pub names: Vec<(String, String)>,
    pub folders: Vec<FoundFolder>,
    pub left_out: Vec<Left>,
    pub unchanged: u64,
    pub files: u64,
}

/// A folder to be entered.
pub(super) struct FoundFolder {
    pub key: String,
    pub path: PathBuf,
    /// The node that is there, or the number of the one among the new.
    pub node: std::result::Result<i64, usize>,
}

/// Looks at one folder.
pub(super) struct Gather<'a> {
    pub catalog: &'a Catalog,
    pub identify: &'a dyn Identify,
    pub options: &'a Options,
    pub parent: i64,
    /// Whether the parent was made just now, so that nothing is there already.
    pub fresh: bool,
    pub emit: &'a dyn Fn(Found),
}

/// An entry and its type.
pub(super) type Known = (Entry, Option<Identified>);

impl Gather<'_> {
    /// Sequences first, then files, then directories that are one thing, then folders: the order in which Tiled's
    /// walker makes nodes, and in which they choose their keys.
    ///
    /// # Errors
    /// The catalog's; some parts may have been emitted.
    pub fn gather(&self, entries: Vec<Entry>) -> Result<()> {
        let types = parallel::map(&entries, |entry| self.identify.identify(&entry.path, entry.is_directory));
        let known: Vec<Known> = entries.into_iter().zip(types).collect();
        let catalog = (!self.fresh).then_some((self.catalog, self.parent));
        let mut keys = Keys::new(self.options.keep_ext, catalog);
        let is_folder = |known: &Known| known.0.is_directory && known.1.is_none();
        known.iter().filter(|known| is_folder(known)).for_each(|known| keys.reserve(&known.0.name));
        let mut in_sequence = vec![false; known.len()];
        for group in groups(&known) {
            for at in self.sequence(&group, &known, &mut keys)? {
                in_sequence[at] = true;
            }
        }
        let mut alone: Vec<(&Entry, &Identified)> = known
            .iter()
            .zip(&in_sequence)
            .filter(|(_, taken)| !**taken)
            .filter_map(|((entry, known), _)| Some((entry, known.as_ref()?)))
            .collect();
        alone.sort_by_key(|(entry, _)| entry.is_directory);
        for chunk in alone.chunks(CHUNK) {
            self.singles(chunk, &mut keys)?;
        }
        let folders: Vec<&Entry> =
            known.iter().filter(|known| is_folder(known)).map(|known| &known.0).collect();
        for chunk in folders.chunks(CHUNK) {
            self.folders(chunk, &mut keys)?;
        }
        let unknown = known.iter().filter(|known| !known.0.is_directory && known.1.is_none());
        let left_out: Vec<Left> = unknown.map(|known| Left::Unknown(known.0.path.clone())).collect();
        if !left_out.is_empty() {
            (self.emit)(Found { left_out, ..self.found() });
        }
        Ok(())
    }

    /// Nodes of one file or directory each.
    fn singles(&self, items: &[(&Entry, &Identified)], keys: &mut Keys<'_>) -> Result<()> {
        let mut there = self.there(items.iter().map(|(entry, _)| entry.path.as_path()))?;
        let mut found = Found { files: items.len() as u64, ..self.found() };
        let mut work = Vec::with_capacity(items.len());
        for (entry, known) in items {
            let stamp = stamp::of(std::iter::once(entry.path.as_path()));
            let node = there.remove(&uri_of(&entry.path)).filter(|node| node.source.assets.len() == 1);
            match node {
                Some(node) if nodes::is_unchanged(&node, stamp.as_deref()) => found.unchanged += 1,
                node => work.push((*entry, *known, stamp, node)),
            }
        }
        let described = parallel::map(&work, |(entry, known, ..)| {
            self.identify.describe(&known.mimetype, std::slice::from_ref(&entry.path))
        });
        let fresh = work.iter().filter(|item| item.3.is_none());
        keys.prepare(fresh.map(|(entry, ..)| (entry.name.as_str(), "")))?;
        for ((entry, known, stamp, node), described) in work.into_iter().zip(described) {
            match (described, node) {
                (Ok(description), node) => {
                    tracing::debug!("{}: {}", entry.path.display(), known.mimetype);
                    let new =
                        nodes::single(description, &known.mimetype, &entry.path, entry.is_directory, stamp);
                    found.put(new, node.map(|node| node.id), &entry.name, "", keys)?;
                }
                (Err(reason), node) => {
                    let kept = if node.is_some() { "; its node stays as it was" } else { "" };
                    found.left_out.push(Left::failed(&entry.path, format!("{reason}{kept}")));
                }
            }
        }
        found.files -= found.left_out.len() as u64;
        (self.emit)(found);
        Ok(())
    }

    /// Containers for folders; one that is there for the same folder is used again.
    fn folders(&self, folders: &[&Entry], keys: &mut Keys<'_>) -> Result<()> {
        let mut found = self.found();
        keys.prepare(folders.iter().map(|entry| (entry.name.as_str(), "")))?;
        for entry in folders {
            let below = format!("{}/", uri_of(&entry.path));
            let (key, there) = keys.give_folder(&entry.name, |node| {
                Ok(self.catalog.any_asset(node)?.is_none_or(|uri| uri.starts_with(&below)))
            })?;
            let node = there.ok_or(found.changes.new.len());
            if there.is_none() {
                found.changes.new.push(NewNode::container(&key));
                found.names.push((entry.name.clone(), String::new()));
            }
            found.folders.push(FoundFolder { key, path: entry.path.clone(), node });
        }
        (self.emit)(found);
        Ok(())
    }

    /// A group as one node, if its files are alike; gives the numbers of the files that it takes or that are damaged.
    /// Files that differ in shape or type are left to stand alone.
    fn sequence(&self, group: &Group, known: &[Known], keys: &mut Keys<'_>) -> Result<Vec<usize>> {
        let members: Vec<sequence::Member<'_>> = group
            .members
            .iter()
            .filter_map(|at| {
                let (entry, known) = known.get(*at)?;
                Some(sequence::Member { at: *at, path: &entry.path, mimetype: &known.as_ref()?.mimetype })
            })
            .collect();
        let there = self.there(members.iter().map(|member| member.path))?;
        let existing = there.values().find(|node| node.source.mimetype == group.mimetype).map(Arc::as_ref);
        // Files that have nodes of their own keep them.
        if existing.is_none() && !there.is_empty() {
            return Ok(Vec::new());
        }
        let is_free = |member: &sequence::Member<'_>| {
            there.get(&uri_of(member.path)).is_none_or(|node| existing.is_some_and(|one| one.id == node.id))
        };
        let members: Vec<_> = members.into_iter().filter(is_free).collect();
        let together = sequence::together(group, &members, existing, self.identify);
        let mut found = Found { left_out: together.left_out, unchanged: together.unchanged, ..self.found() };
        found.files = together.files;
        if let Some((node, extension)) = together.node {
            tracing::debug!("{}*: {}", group.name, group.mimetype);
            keys.prepare(std::iter::once((group.name.as_str(), extension.as_str())))?;
            found.put(node, existing.map(|node| node.id), &group.name, &extension, keys)?;
        }
        (self.emit)(found);
        Ok(together.taken)
    }

    /// The nodes of these files, by URI.
    fn there<'p>(&self, paths: impl Iterator<Item = &'p Path>) -> Result<HashMap<String, Arc<FileNode>>> {
        if self.fresh {
            return Ok(HashMap::new());
        }
        let uris: Vec<String> = paths.map(uri_of).collect();
        let mut there = HashMap::new();
        for node in
            self.catalog.file_nodes(self.parent, &uris)?.into_iter().filter(nodes::is_ours).map(Arc::new)
        {
            for asset in &node.source.assets {
                // The first made, where there are several.
                there.entry(asset.data_uri.clone()).or_insert_with(|| node.clone());
            }
        }
        Ok(there)
    }

    fn found(&self) -> Found {
        Found { changes: FileChanges { parent: self.parent, ..FileChanges::default() }, ..Found::default() }
    }
}

impl Found {
    fn put(
        &mut self,
        mut node: NewNode,
        there: Option<i64>,
        name: &str,
        extension: &str,
        keys: &mut Keys<'_>,
    ) -> Result<()> {
        match there {
            Some(there) => self.changes.changed.push((there, node)),
            None => {
                node.key = keys.give(name, extension)?;
                for source in &mut node.data_sources {
                    source.properties.retain(|_, value| !value.is_null());
                }
                self.changes.new.push(node);
                self.names.push((name.to_owned(), extension.to_owned()));
            }
        }
        Ok(())
    }
}

pub(super) use sequence::Group;

/// The sequences that there may be.
fn groups(known: &[Known]) -> Vec<Group> {
    let numbered =
        known.iter().enumerate().filter(|(_, (entry, _))| !entry.is_directory).map(|(at, (entry, known))| {
            let wanted = |known: &&Identified| match entry.walk {
                Some(Walk::Sequence) => true,
                Some(_) => false,
                None => known.is_frame,
            };
            let known = known.as_ref().filter(wanted);
            let forced = entry.walk == Some(Walk::Sequence);
            (at, entry.name.as_str(), known.and_then(|known| known.sequence.as_deref()), forced)
        });
    sequence::group(numbered)
}

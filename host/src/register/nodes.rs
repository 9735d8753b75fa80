//! From the entries of one folder to the nodes they become.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use tiled_plugin_api::model::{Description, StructureFamily};

use super::{Identified, Identify, folder::Entry, identify::takes_list, keys::Keys, parallel, sequence};
use crate::{
    catalog::{Management, NewAsset, NewDataSource, NewNode},
    source::uri_of,
};

/// What a folder gives: nodes with data, folders to be entered, and what was left out.
#[derive(Default)]
pub(super) struct Found {
    pub nodes: Vec<NewNode>,
    pub folders: Vec<(String, PathBuf)>,
    pub left_out: Vec<(PathBuf, String)>,
}

/// Sequences first, then files, then directories that are one thing, then folders: the order in which Tiled's walker
/// makes nodes, and in which they choose their keys.
pub(super) fn of(entries: Vec<Entry>, identify: &dyn Identify, mut keys: Keys) -> Found {
    let mut found = Found::default();
    let types = parallel::map(&entries, |entry| identify.identify(&entry.path, entry.is_directory));
    let known: Vec<(&Entry, Option<Identified>)> = entries.iter().zip(types).collect();
    let numbered = known.iter().enumerate().map(|(at, (entry, known))| {
        let sequence =
            known.as_ref().filter(|_| !entry.is_directory).and_then(|known| known.sequence.as_deref());
        (at, entry.name.as_str(), sequence)
    });
    let groups = sequence::group(numbered);
    let mut in_sequence = vec![false; known.len()];
    for (name, mimetype, members) in groups {
        let (taken, node) = together(&name, &mimetype, &members, &known, identify, &mut found);
        for at in taken {
            in_sequence[at] = true;
        }
        if let Some((mut node, extension)) = node {
            node.key = keys.give(&name, &extension);
            found.nodes.push(node);
        }
    }
    let alone: Vec<(&Entry, &Identified)> = known
        .iter()
        .enumerate()
        .filter(|(at, _)| !in_sequence[*at])
        .filter_map(|(_, (entry, known))| Some((*entry, known.as_ref()?)))
        .collect();
    let described = parallel::map(&alone, |(entry, known)| {
        identify.describe(&known.mimetype, std::slice::from_ref(&entry.path))
    });
    let mut directories = Vec::new();
    for ((entry, known), described) in alone.into_iter().zip(described) {
        match described {
            Ok(description) => {
                let node = node(description, &known.mimetype, vec![asset(&entry.path, entry.is_directory)]);
                if entry.is_directory {
                    directories.push((entry, node));
                } else {
                    let key = keys.give(&entry.name, "");
                    found.nodes.push(NewNode { key, ..node });
                }
            }
            Err(reason) => found.left_out.push((entry.path.clone(), reason)),
        }
    }
    for (entry, node) in directories {
        let key = keys.give(&entry.name, "");
        found.nodes.push(NewNode { key, ..node });
    }
    for (entry, known) in &known {
        if entry.is_directory && known.is_none() {
            found.folders.push((keys.give(&entry.name, ""), entry.path.clone()));
        }
    }
    found
}

/// A sequence as one node, if its files are alike; the numbers of the files that it takes or that are damaged, and
/// the node with the extension of its files. Files that differ in shape or type are left to stand alone.
fn together(
    name: &str,
    mimetype: &str,
    members: &[usize],
    known: &[(&Entry, Option<Identified>)],
    identify: &dyn Identify,
    found: &mut Found,
) -> (Vec<usize>, Option<(NewNode, String)>) {
    let files: Vec<(usize, &Path, &str)> = members
        .iter()
        .filter_map(|at| {
            let (entry, known) = known.get(*at)?;
            Some((*at, entry.path.as_path(), known.as_ref()?.mimetype.as_str()))
        })
        .collect();
    let form_of = |path: &Path, mimetype: &str| {
        identify.describe(mimetype, &[path.to_path_buf()]).map(|description| form(&description))
    };
    // Numbered tables stay single: that much the first of them tells.
    let first = files.first().map(|(_, path, mimetype)| form_of(path, mimetype));
    if matches!(first, Some(Ok(None))) {
        return (Vec::new(), None);
    }
    let rest = files.get(1..).unwrap_or_default();
    let forms = parallel::map(rest, |(_, path, mimetype)| form_of(path, mimetype));
    let forms = first.into_iter().chain(forms);
    let mut good: Vec<(usize, &Path)> = Vec::new();
    let mut bad = Vec::new();
    let mut common: Option<Value> = None;
    for ((at, path, _), form) in files.iter().zip(forms) {
        match form {
            Ok(Some(form)) if *common.get_or_insert_with(|| form.clone()) == form => good.push((*at, path)),
            Ok(_) => return (Vec::new(), None),
            Err(reason) => bad.push((*at, path.to_path_buf(), reason)),
        }
    }
    let taken = |bad: &[(usize, PathBuf, String)]| {
        good.iter().map(|(at, _)| *at).chain(bad.iter().map(|b| b.0)).collect()
    };
    if good.is_empty() {
        let all = taken(&bad);
        found.left_out.extend(bad.into_iter().map(|(_, path, reason)| (path, reason)));
        return (all, None);
    }
    let paths: Vec<PathBuf> = good.iter().map(|(_, path)| path.to_path_buf()).collect();
    match identify.describe(mimetype, &paths) {
        Ok(description) => {
            let assets = (0..).zip(&paths).map(|(num, path)| listed(asset(path, false), num)).collect();
            let extension =
                paths.first().and_then(|path| path.extension()).map(|e| format!(".{}", e.to_string_lossy()));
            let node = node(description, mimetype, assets);
            let all = taken(&bad);
            found.left_out.extend(bad.into_iter().map(|(_, path, reason)| (path, reason)));
            (all, Some((node, extension.unwrap_or_default())))
        }
        // Its files may do one by one what they do not together.
        Err(reason) => {
            tracing::warn!("the sequence {name} is registered file by file: {reason}");
            (Vec::new(), None)
        }
    }
}

/// What must be equal in the files of a sequence; `None` for what is no array and so never part of one.
fn form(description: &Description) -> Option<Value> {
    let part = |name: &str| description.structure.get(name).cloned().unwrap_or(Value::Null);
    let is_array = description.structure_family == StructureFamily::Array;
    is_array.then(|| Value::Array(vec![part("shape"), part("data_type")]))
}

fn node(description: Description, mimetype: &str, mut assets: Vec<NewAsset>) -> NewNode {
    if let [only] = assets.as_mut_slice()
        && only.num.is_none()
        && takes_list(mimetype)
    {
        *only = listed(only.clone(), 0);
    }
    let metadata = match description.metadata {
        Value::Object(metadata) => metadata,
        _ => Map::new(),
    };
    let source = NewDataSource {
        structure_family: description.structure_family,
        structure: description.structure,
        mimetype: mimetype.to_owned(),
        parameters: Map::new(),
        properties: Map::new(),
        management: Management::External,
        assets,
    };
    NewNode {
        key: String::new(),
        structure_family: description.structure_family,
        metadata: Value::Object(metadata),
        specs: description.specs,
        access_tags: Vec::new(),
        data_sources: vec![source],
    }
}

fn asset(path: &Path, is_directory: bool) -> NewAsset {
    let size = if is_directory { None } else { path.metadata().ok().map(|meta| meta.len()) };
    NewAsset { data_uri: uri_of(path), is_directory, size, parameter: Some("data_uri".to_owned()), num: None }
}

fn listed(asset: NewAsset, num: i64) -> NewAsset {
    NewAsset { parameter: Some("data_uris".to_owned()), num: Some(num), ..asset }
}

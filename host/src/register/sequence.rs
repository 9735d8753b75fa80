//! Numbered files that are one thing: `A0001.tif`, `A0002.tif`, ….

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
};

use super::{Identify, Left, nodes, parallel, stamp};
use crate::{
    catalog::{FileNode, NewNode},
    source::uri_of,
};

/// The name of a sequence whose files have only numbers for names.
const UNNAMED: &str = "_unnamed";

/// The part of a file name before its number, where the name ends with one: `^(.*?)(\d+)\.[^.]+$`.
pub(super) fn prefix(name: &str) -> Option<&str> {
    let (stem, extension) = name.rsplit_once('.')?;
    let prefix = stem.trim_end_matches(|c: char| c.is_ascii_digit());
    let has_number = prefix.len() < stem.len() && !extension.is_empty();
    has_number.then_some(if prefix.is_empty() { UNNAMED } else { prefix })
}

/// Files that may be one sequence.
#[derive(Debug, PartialEq)]
pub(super) struct Group {
    /// What their names have before the number.
    pub name: String,
    /// The type under which they are opened together.
    pub mimetype: String,
    /// Whether a rule says so: then also tables.
    pub forced: bool,
    /// Their numbers.
    pub members: Vec<usize>,
}

/// One file of a group.
pub(super) struct Member<'a> {
    pub at: usize,
    pub path: &'a Path,
    /// Of the file alone.
    pub mimetype: &'a str,
}

/// What a group gives.
#[derive(Default)]
pub(super) struct Together {
    /// The files that are in the node or damaged.
    pub taken: Vec<usize>,
    /// The node without key, and the extension of its files; `None` where nothing has to be done.
    pub node: Option<(NewNode, String)>,
    pub left_out: Vec<Left>,
    /// 1 if the node that is there is as it should be.
    pub unchanged: u64,
    pub files: u64,
}

/// The groups, they and their files in the order in which they first came. `files` gives name, sequence type and
/// whether a rule wants it; those without type belong to none.
pub(super) fn group<'a>(files: impl Iterator<Item = (usize, &'a str, Option<&'a str>, bool)>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut places: HashMap<(&str, &str), usize> = HashMap::new();
    for (at, name, mimetype, forced) in files {
        let (Some(prefix), Some(mimetype)) = (prefix(name), mimetype) else { continue };
        let place = *places.entry((prefix, mimetype)).or_insert_with(|| {
            let (name, mimetype) = (prefix.to_owned(), mimetype.to_owned());
            groups.push(Group { name, mimetype, forced, members: Vec::new() });
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(place) {
            group.members.push(at);
        }
    }
    groups
}

/// Makes one node of the files that are alike, or brings the node that is `there` up to date: files that are new and
/// alike join it, those that are gone leave it.
pub(super) fn together(
    group: &Group,
    members: &[Member<'_>],
    there: Option<&FileNode>,
    identify: &dyn Identify,
) -> Together {
    let old: HashSet<&str> =
        there.iter().flat_map(|node| &node.source.assets).map(|asset| asset.data_uri.as_str()).collect();
    let is_old = |member: &Member<'_>| !old.is_empty() && old.contains(uri_of(member.path).as_str());
    if let Some(node) = there
        && members.len() == old.len()
        && members.iter().all(&is_old)
        && nodes::is_unchanged(node, stamp::of(members.iter().map(|member| member.path)).as_deref())
    {
        let taken = members.iter().map(|member| member.at).collect();
        return Together { taken, unchanged: 1, files: members.len() as u64, ..Together::default() };
    }
    let Some(mut chosen) = alike(group, members, there, &is_old, identify) else {
        return Together::default();
    };
    if chosen.good.is_empty() {
        let taken = chosen.bad.drain(..).collect();
        return Together { taken, left_out: chosen.left_out, ..Together::default() };
    }
    let paths: Vec<PathBuf> = chosen.good.iter().map(|member| member.path.to_owned()).collect();
    let stamp = stamp::of(paths.iter().map(PathBuf::as_path));
    // Those that came stand alone, all others are as they were.
    if let Some(node) = there
        && paths.len() == old.len()
        && chosen.good.iter().all(|member| is_old(member))
        && nodes::is_unchanged(node, stamp.as_deref())
    {
        let taken = chosen.good.iter().map(|member| member.at).chain(chosen.bad).collect();
        let (left_out, files) = (chosen.left_out, paths.len() as u64);
        return Together { taken, left_out, unchanged: 1, files, ..Together::default() };
    }
    match identify.describe(&group.mimetype, &paths) {
        Ok(description) => {
            let extension = paths.first().and_then(|path| path.extension());
            let extension = extension.map(|e| format!(".{}", e.to_string_lossy())).unwrap_or_default();
            let taken = chosen.good.iter().map(|member| member.at).chain(chosen.bad).collect();
            let node = nodes::several(description, &group.mimetype, &paths, stamp);
            let files = paths.len() as u64;
            Together { taken, node: Some((node, extension)), left_out: chosen.left_out, unchanged: 0, files }
        }
        // What is there already stays as it is; else its files may do one by one what they do not together.
        Err(reason) => {
            let taken = if there.is_some() { members.iter().map(|m| m.at).collect() } else { Vec::new() };
            tracing::warn!("the files {}* cannot be one sequence: {reason}", group.name);
            Together { taken, ..Together::default() }
        }
    }
}

/// The files that are alike, and those that cannot be opened.
struct Alike<'a, 'm> {
    good: Vec<&'a Member<'m>>,
    bad: Vec<usize>,
    left_out: Vec<Left>,
}

/// `None` where they are not one sequence. The first of those that are there says what the others must be like.
fn alike<'a, 'm>(
    group: &Group,
    members: &'a [Member<'m>],
    there: Option<&FileNode>,
    is_old: &(impl Fn(&Member<'_>) -> bool + Sync),
    identify: &dyn Identify,
) -> Option<Alike<'a, 'm>> {
    let form_of = |member: &Member<'_>| {
        let description = identify.describe(member.mimetype, &[member.path.to_path_buf()])?;
        Ok::<_, String>(nodes::form(&description, group.forced))
    };
    // Old files of the same size are not opened again, but for the first.
    let sizes: HashMap<&str, Option<u64>> =
        there.iter().flat_map(|node| &node.source.assets).map(|a| (a.data_uri.as_str(), a.size)).collect();
    let is_same = |member: &Member<'_>| {
        let size = member.path.metadata().ok().map(|meta| meta.len());
        is_old(member) && sizes.get(uri_of(member.path).as_str()) == Some(&size)
    };
    let first = members.iter().find(|member| is_old(member)).or(members.first())?;
    // Numbered tables stay single: that much the first of them tells.
    let mut common = match form_of(first) {
        Ok(Some(form)) => Some(form),
        Ok(None) => return None,
        Err(_) => None,
    };
    let forms = parallel::map(members, |member| {
        if common.is_some() && (std::ptr::eq(member, first) || is_same(member)) {
            return Ok(common.clone());
        }
        form_of(member)
    });
    let mut chosen = Alike { good: Vec::new(), bad: Vec::new(), left_out: Vec::new() };
    for (member, form) in members.iter().zip(forms) {
        match form {
            Ok(Some(form)) if *common.get_or_insert_with(|| form.clone()) == form => chosen.good.push(member),
            // One that comes later and differs stands alone, and the sequence stays.
            Ok(_) if there.is_some() => {}
            Ok(_) => return None,
            Err(reason) => {
                chosen.bad.push(member.at);
                chosen.left_out.push(Left::failed(member.path, reason));
            }
        }
    }
    Some(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_ends_with_a_number_has_a_prefix() {
        for (name, wanted) in [
            ("A0001.tif", Some("A")),
            ("0001.tif", Some("_unnamed")),
            ("scan_2_007.npy", Some("scan_2_")),
            ("a.b01.tif", Some("a.b")),
            ("A.tif", None),
            ("A1", None),
            ("A1.", None),
        ] {
            assert_eq!(prefix(name), wanted, "{name}");
        }
    }

    #[test]
    fn types_are_not_mixed_in_a_sequence() {
        let files = [
            (0, "A1.tif", Some("t"), false),
            (1, "A1.jpg", Some("j"), false),
            (2, "A2.tif", Some("t"), false),
            (3, "A3.csv", None, false),
        ];
        let groups: Vec<_> = group(files.into_iter()).into_iter().map(|g| (g.mimetype, g.members)).collect();
        assert_eq!(groups, [("t".into(), vec![0, 2]), ("j".into(), vec![1])]);
    }
}

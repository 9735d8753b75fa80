//! From file names to keys that differ.

use std::collections::{HashMap, HashSet};

use crate::catalog::{Catalog, KeyTaken, Result};

/// Gives keys to the children of one container. No node is lost because another came first: the later one keeps its
/// extension, and one whose whole name is taken as well gets a number. A key that was given stays, so that files that
/// come later do not change the addresses of those that are there.
pub(super) struct Keys<'a> {
    keep_ext: bool,
    /// Given by this, or reserved.
    used: HashSet<String>,
    /// Of the catalog, as far as they were asked for.
    taken: HashMap<String, Option<KeyTaken>>,
    /// Where to ask; `None` for a node that was made just now and has no children.
    catalog: Option<(&'a Catalog, i64)>,
}

impl<'a> Keys<'a> {
    pub fn new(keep_ext: bool, catalog: Option<(&'a Catalog, i64)>) -> Self {
        Keys { keep_ext, used: HashSet::new(), taken: HashMap::new(), catalog }
    }

    /// Keeps a key for a folder of this very name, which files with an extension do not need.
    pub fn reserve(&mut self, name: &str) {
        if self.short(name) == name {
            self.used.insert(name.to_owned());
        }
    }

    /// Asks for the keys of many names at once.
    pub fn prepare<'n>(&mut self, names: impl Iterator<Item = (&'n str, &'n str)>) -> Result<()> {
        let Some((catalog, parent)) = self.catalog else { return Ok(()) };
        let mut asked = Vec::new();
        for (name, extension) in names {
            for key in [self.short(name).to_owned(), format!("{name}{extension}")] {
                if !self.taken.contains_key(&key) {
                    self.taken.insert(key.clone(), None);
                    asked.push(key);
                }
            }
        }
        for (key, taken) in catalog.keys_taken(parent, &asked)? {
            self.taken.insert(key, Some(taken));
        }
        Ok(())
    }

    /// The name without its extensions; if that is taken the whole name; if that is taken, with a number after it.
    /// `extension` belongs to the name for the second try (a sequence's name has none).
    pub fn give(&mut self, name: &str, extension: &str) -> Result<String> {
        self.choose(name, extension, |_, taken| Ok(taken.is_none())).map(|(key, _)| key)
    }

    /// The key of a folder, and the container that is there already, if `is_it` finds that it is the folder's.
    pub fn give_folder(
        &mut self,
        name: &str,
        is_it: impl Fn(i64) -> Result<bool>,
    ) -> Result<(String, Option<i64>)> {
        if self.short(name) == name {
            self.used.remove(name);
        }
        let (key, taken) = self.choose(name, "", |_, taken| match taken {
            None => Ok(true),
            Some(taken) => Ok(taken.is_plain_container && is_it(taken.id)?),
        })?;
        Ok((key, taken.map(|taken| taken.id)))
    }

    fn choose(
        &mut self,
        name: &str,
        extension: &str,
        fits: impl Fn(&str, Option<KeyTaken>) -> Result<bool>,
    ) -> Result<(String, Option<KeyTaken>)> {
        let whole = format!("{name}{extension}");
        let short = self.short(name).to_owned();
        let numbered = (2_u64..).map(|number| format!("{whole}-{number}"));
        for key in [short, whole.clone()].into_iter().chain(numbered) {
            if key.is_empty() || self.used.contains(&key) {
                continue;
            }
            let taken = self.look_up(&key)?;
            if fits(&key, taken)? {
                self.used.insert(key.clone());
                return Ok((key, taken));
            }
        }
        // The numbers do not end.
        Ok((whole, None))
    }

    fn look_up(&mut self, key: &str) -> Result<Option<KeyTaken>> {
        let Some((catalog, parent)) = self.catalog else { return Ok(None) };
        if let Some(known) = self.taken.get(key) {
            return Ok(*known);
        }
        let found = catalog.keys_taken(parent, &[key.to_owned()])?.remove(key);
        self.taken.insert(key.to_owned(), found);
        Ok(found)
    }

    fn short<'n>(&self, name: &'n str) -> &'n str {
        if self.keep_ext { name } else { without_suffixes(name) }
    }
}

/// `thing.tar.gz` → `thing`, as Python's `Path.suffixes` has it: a name that ends with a dot has none.
fn without_suffixes(name: &str) -> &str {
    if name.ends_with('.') {
        return name;
    }
    let dots = name.len() - name.trim_start_matches('.').len();
    let end = name.get(dots..).and_then(|rest| rest.find('.')).map_or(name.len(), |at| dots + at);
    name.get(..end).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{NewNode, ROOT};

    #[test]
    fn names_lose_their_extensions_unless_another_has_the_key() {
        let catalog = Catalog::temporary().unwrap();
        catalog.insert(ROOT, &NewNode::container("old")).unwrap();
        let mut keys = Keys::new(false, Some((&catalog, ROOT)));
        keys.reserve("folder");
        let given: Vec<String> =
            ["a.tif", "a.csv", "a", "thing.tar.gz", "odd.", "old.h5", "a.csv", "folder.csv"]
                .map(|name| keys.give(name, "").unwrap())
                .into();
        assert_eq!(given, ["a", "a.csv", "a-2", "thing", "odd.", "old.h5", "a.csv-2", "folder.csv"]);
        assert_eq!(keys.give_folder("folder", |_| Ok(false)).unwrap(), ("folder".to_owned(), None));
        assert_eq!(keys.give_folder("old", |_| Ok(false)).unwrap(), ("old-2".to_owned(), None));
        assert_eq!(Keys::new(true, None).give("a.tif", "").unwrap(), "a.tif");
        assert_eq!(keys.give("thing", ".tif").unwrap(), "thing.tif");
    }

    #[test]
    fn a_container_that_is_the_folders_own_is_used_again() {
        let catalog = Catalog::temporary().unwrap();
        let id = catalog.insert(ROOT, &NewNode::container("run")).unwrap();
        let mut keys = Keys::new(false, Some((&catalog, ROOT)));
        assert_eq!(keys.give_folder("run.1", |node| Ok(node == id)).unwrap(), ("run".to_owned(), Some(id)));
        // Not for two folders.
        assert_eq!(keys.give_folder("run.2", |node| Ok(node == id)).unwrap(), ("run.2".to_owned(), None));
    }
}

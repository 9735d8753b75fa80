//! From file names to keys that differ.

use std::collections::HashSet;

/// Gives keys to the children of one container. No node is lost because another came first.
pub(super) struct Keys {
    keep_ext: bool,
    taken: HashSet<String>,
}

impl Keys {
    /// `taken` are the keys that are there already.
    pub fn new(keep_ext: bool, taken: impl IntoIterator<Item = String>) -> Self {
        Keys { keep_ext, taken: taken.into_iter().collect() }
    }

    /// The name without its extensions; if that is taken the whole name; if that is taken, with a number after it.
    /// `extension` belongs to the name for the second try (a sequence's name has none).
    pub fn give(&mut self, name: &str, extension: &str) -> String {
        let whole = format!("{name}{extension}");
        let short = if self.keep_ext { name } else { without_suffixes(name) };
        for key in [short, &whole] {
            if !key.is_empty() && self.taken.insert(key.to_owned()) {
                return key.to_owned();
            }
        }
        let mut number = 2_u64;
        loop {
            let key = format!("{whole}-{number}");
            if self.taken.insert(key.clone()) {
                return key;
            }
            number += 1;
        }
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

    #[test]
    fn names_lose_their_extensions_unless_another_has_the_key() {
        let mut keys = Keys::new(false, ["old".to_owned()]);
        let given: Vec<String> = ["a.tif", "a.csv", "a", "thing.tar.gz", "odd.", "old.h5", "a.csv"]
            .map(|name| keys.give(name, ""))
            .into();
        assert_eq!(given, ["a", "a.csv", "a-2", "thing", "odd.", "old.h5", "a.csv-2"]);
        assert_eq!(Keys::new(true, []).give("a.tif", ""), "a.tif");
        assert_eq!(keys.give("thing", ".tif"), "thing.tif");
    }
}

//! Numbered files that are one thing: `A0001.tif`, `A0002.tif`, ….

use std::collections::HashMap;

/// The name of a sequence whose files have only numbers for names.
const UNNAMED: &str = "_unnamed";

/// The part of a file name before its number, where the name ends with one: `^(.*?)(\d+)\.[^.]+$`.
pub(super) fn prefix(name: &str) -> Option<&str> {
    let (stem, extension) = name.rsplit_once('.')?;
    let prefix = stem.trim_end_matches(|c: char| c.is_ascii_digit());
    let has_number = prefix.len() < stem.len() && !extension.is_empty();
    has_number.then_some(if prefix.is_empty() { UNNAMED } else { prefix })
}

/// The numbers of the files of each sequence, sequences and files in the order in which they first came. `files`
/// gives name and sequence type; those without either belong to none.
pub(super) fn group<'a>(
    files: impl Iterator<Item = (usize, &'a str, Option<&'a str>)>,
) -> Vec<(String, String, Vec<usize>)> {
    let mut groups: Vec<(String, String, Vec<usize>)> = Vec::new();
    let mut places: HashMap<(&str, &str), usize> = HashMap::new();
    for (at, name, mimetype) in files {
        let (Some(prefix), Some(mimetype)) = (prefix(name), mimetype) else { continue };
        let place = *places.entry((prefix, mimetype)).or_insert_with(|| {
            groups.push((prefix.to_owned(), mimetype.to_owned(), Vec::new()));
            groups.len() - 1
        });
        if let Some((_, _, members)) = groups.get_mut(place) {
            members.push(at);
        }
    }
    groups
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
            (0, "A1.tif", Some("t")),
            (1, "A1.jpg", Some("j")),
            (2, "A2.tif", Some("t")),
            (3, "A3.csv", None),
        ];
        let wanted = [("A".into(), "t".into(), vec![0, 2]), ("A".into(), "j".into(), vec![1])];
        assert_eq!(group(files.into_iter()), wanted);
    }
}

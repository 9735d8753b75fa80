//! Where new data go: the storage, and below it a folder named as Tiled names it.

use std::fmt::Write as _;

use xxhash_rust::xxh3::xxh3_64;

use crate::source::Storage;

/// Bytes that file systems take as a name, less what a storage appends to it.
const MAX_SEGMENT_BYTES: usize = 200;
/// Bytes that the system takes as a path, less the storage's own and what is kept below.
const MAX_PATH_BYTES: usize = 3000;

/// The URI at which the data of the node at `path` are to be kept. Of a database that is its own; of a folder, one below it.
/// `attempt`: from the second on, another name each time.
pub(super) fn storage_uri(storage: &Storage, path: &[String], attempt: u32) -> String {
    if storage.scheme != "file" {
        return storage.uri().to_owned();
    }
    let mut below: String =
        path.iter().fold(String::new(), |below, segment| below + "/" + &segment_name(segment));
    if below.len() > MAX_PATH_BYTES {
        below = format!("/{:016x}", xxh3_64(below.as_bytes()));
    }
    let suffix = if attempt == 0 { String::new() } else { format!("-{:08x}", rand::random::<u32>()) };
    format!("{}{below}{suffix}", storage.uri())
}

/// As Python's `quote_plus`; names that mean a folder themselves, or are too long, are told apart.
fn segment_name(segment: &str) -> String {
    let mut name = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        match byte {
            b' ' => name.push('+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'~' => name.push(char::from(byte)),
            b'.' if !segment.bytes().all(|b| b == b'.') => name.push('.'),
            other => {
                // Writing to a string does not fail.
                let _ = write!(name, "%{other:02X}");
            }
        }
    }
    if name.len() > MAX_SEGMENT_BYTES {
        name.truncate(MAX_SEGMENT_BYTES);
        let _ = write!(name, "-{:016x}", xxh3_64(segment.as_bytes()));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(path: &[&str]) -> String {
        let path: Vec<String> = path.iter().map(|key| (*key).to_owned()).collect();
        storage_uri(&Storage::parse("/data").unwrap(), &path, 0)
    }

    #[test]
    fn folders_are_named_as_tiled_names_them() {
        assert_eq!(uri(&["exp", "a b/ä.x"]), "file://localhost/data/exp/a+b%2F%C3%A4.x");
        assert_eq!(uri(&["..", ".", "..x"]), "file://localhost/data/%2E%2E/%2E/..x");
        let database = Storage::parse("postgresql://me:word@h/lab").unwrap();
        assert_eq!(storage_uri(&database, &["a".into()], 3), "postgresql://me:word@h/lab");
    }

    #[test]
    fn long_keys_stay_apart_and_short_enough_for_a_file_system() {
        let (one, two) = ("x".repeat(4000), "x".repeat(4000) + "y");
        let name = segment_name(&one);
        assert!(name.len() < 230 && name != segment_name(&two));
        let deep: Vec<&str> = vec![one.as_str(); 100];
        assert!(uri(&deep).len() < 100);
        assert_ne!(storage_uri(&Storage::parse("/d").unwrap(), &["a".into()], 1), "file://localhost/d/a");
    }
}

//! What a file looked like when it was registered, so that it is opened again only when it has changed.

use std::{
    fs::Metadata,
    os::unix::fs::MetadataExt,
    path::Path,
    time::{Duration, SystemTime},
};

use xxhash_rust::xxh3::Xxh3;

/// The property of a data source that keeps the stamp of its files.
pub(super) const PROPERTY: &str = "stat";
/// Stores of more entries are described each time.
const ENTRIES_MAX: usize = 10_000;
/// Where times of files are whole seconds, and where they are finer: a file changed so recently may change again
/// without another time.
const COARSE: Duration = Duration::from_secs(2);
const FINE: Duration = Duration::from_millis(20);

/// A digest of names, sizes and times of files, or of what is directly in a directory; `None` where it would not be
/// good for anything.
pub(super) fn of<'a>(paths: impl Iterator<Item = &'a Path>) -> Option<String> {
    let mut digest = Xxh3::new();
    let now = SystemTime::now();
    for path in paths {
        let meta = path.metadata().ok()?;
        add(&mut digest, path, &meta, now)?;
        if meta.is_dir() {
            let mut entries: Vec<_> = std::fs::read_dir(path).ok()?.take(ENTRIES_MAX + 1).flatten().collect();
            if entries.len() > ENTRIES_MAX {
                return None;
            }
            entries.sort_by_key(std::fs::DirEntry::file_name);
            for entry in entries {
                add(&mut digest, &entry.path(), &entry.metadata().ok()?, now)?;
            }
        }
    }
    Some(format!("{:016x}", digest.digest()))
}

fn add(digest: &mut Xxh3, path: &Path, meta: &Metadata, now: SystemTime) -> Option<()> {
    let margin = if meta.mtime_nsec() == 0 { COARSE } else { FINE };
    if now.duration_since(meta.modified().ok()?).is_ok_and(|age| age < margin) {
        return None;
    }
    digest.update(path.file_name().unwrap_or_default().as_encoded_bytes());
    for number in [meta.len(), meta.mtime().cast_unsigned(), meta.mtime_nsec().cast_unsigned()] {
        digest.update(&number.to_le_bytes());
    }
    Some(())
}

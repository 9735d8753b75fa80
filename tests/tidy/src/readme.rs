//! What the documents name is there.

use std::path::{Path, PathBuf};

use crate::files::{assert_none, below, root, shown, text};

/// Folders at the top; a name in backticks that begins so is a path.
const TOP: &[&str] = &["host/", "plugin-api/", "plugins/", "tests/", "examples/", ".ci/"];
const MAX_ARCHITECTURE_LINES: usize = 200;

#[test]
fn paths_named_in_documents_exist() {
    let mut complaints = Vec::new();
    for document in below("", "md") {
        let text = text(&document);
        for path in named(&text, document.parent().unwrap_or(Path::new(""))) {
            if !path.exists() {
                complaints.push(format!("{}: {} is not there", shown(&document), shown(&path)));
            }
        }
    }
    assert_none(&complaints);
}

#[test]
fn the_architecture_is_read_in_one_go() {
    let lines = text(&root().join("ARCHITECTURE.md")).lines().count();
    assert!(
        lines <= MAX_ARCHITECTURE_LINES,
        "ARCHITECTURE.md has {lines} lines, at most {MAX_ARCHITECTURE_LINES}"
    );
}

/// Paths in backticks, from the top; targets of links, from the document.
fn named(text: &str, folder: &Path) -> Vec<PathBuf> {
    let in_backticks = text.split('`').skip(1).step_by(2);
    let in_backticks =
        in_backticks.filter(|name| TOP.iter().any(|top| name.starts_with(top)) && !has_holes(name));
    // What follows a command is its argument; what follows a colon a line.
    let from_top =
        in_backticks.filter_map(|name| name.split([' ', ':']).next()).map(|name| place(name, folder));
    let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let links = links.filter(|link| !link.contains("://") && !link.starts_with('#') && !has_holes(link));
    from_top.chain(links.map(|link| folder.join(link.split('#').next().unwrap_or_default()))).collect()
}

/// From the top, or from the document where it has such a folder itself (a plugin's `tests/`).
fn place(name: &str, folder: &Path) -> PathBuf {
    let near = folder.join(name);
    if near.exists() { near } else { root().join(name) }
}

/// `plugins/*`, `tests/<name>`, built things: not one path, or not yet there.
fn has_holes(name: &str) -> bool {
    name.contains(['*', '<', '{', '…', '\n']) || name.contains("target/")
}

#[test]
fn planted_names_are_found() {
    let found = named("`host/no` and [a](b.md#c) `cargo` `plugins/*` [web](x://y)", Path::new("/d"));
    assert_eq!(found, [root().join("host/no"), PathBuf::from("/d/b.md")]);
}

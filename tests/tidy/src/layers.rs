//! Which room of `host/src` may name which other room, and which room may name which outside crate.

use std::{collections::BTreeSet, path::Path};

use crate::files::{assert_none, below, code, root, shown, text};

/// Reading order, top to bottom: a room may use only the rooms in its list, all of which come after it.
const ROOMS: &[(&str, &[&str])] = &[
    ("cli", &["boot", "example", "http", "register", "catalog", "plugin", "config"]),
    (
        "boot",
        &[
            "http", "app", "render", "register", "write", "read", "tree", "catalog", "auth", "access",
            "plugin", "source", "config",
        ],
    ),
    ("example", &["plugin", "source", "config"]),
    (
        "http",
        &["app", "render", "write", "read", "tree", "catalog", "auth", "access", "plugin", "query", "zarr"],
    ),
    ("app", &["render", "write", "read", "auth"]),
    ("render", &[]),
    ("register", &["tree", "catalog", "plugin", "source"]),
    ("write", &["read", "tree", "catalog", "plugin", "source"]),
    ("read", &["tree", "access", "plugin", "zarr"]),
    ("tree", &["catalog", "access", "plugin", "query", "source"]),
    ("catalog", &["query"]),
    ("auth", &["access"]),
    ("access", &[]),
    ("plugin", &["source", "config"]),
    ("query", &[]),
    ("zarr", &[]),
    ("source", &[]),
    ("config", &[]),
];

/// Outside crates that mark a seam: only these rooms may name them.
const SEAMS: &[(&str, &[&str])] = &[
    ("axum", &["http", "boot", "cli"]),
    ("http_body", &["http"]),
    ("tower_http", &["http"]),
    ("rusqlite", &["catalog"]),
    ("tokio_postgres", &["catalog"]),
    ("libloading", &["plugin"]),
    ("object", &["plugin"]),
    ("clap", &["cli"]),
    ("toml", &["config"]),
];

#[test]
fn rooms_are_listed_before_what_they_use() {
    let place = |name: &str| ROOMS.iter().position(|(room, _)| *room == name);
    for (i, (room, uses)) in ROOMS.iter().enumerate() {
        for used in *uses {
            assert!(place(used).is_some_and(|j| j > i), "{room} uses {used}, which is not listed after it");
        }
    }
}

#[test]
fn rooms_name_only_the_rooms_and_crates_they_may() {
    let source = root().join("host/src");
    let mut complaints = Vec::new();
    for file in below("host/src", "rs") {
        let room = room_of(&source, &file);
        if matches!(room.as_str(), "lib" | "main") {
            continue;
        }
        complaints
            .extend(check(&room, &text(&file)).into_iter().map(|what| format!("{}: {what}", shown(&file))));
    }
    assert_none(&complaints);
}

fn check(room: &str, text: &str) -> Vec<String> {
    let Some((_, allowed)) = ROOMS.iter().find(|(known, _)| *known == room) else {
        return vec![format!("the room `{room}` is not in ROOMS")];
    };
    let code = code(text);
    let mut complaints = Vec::new();
    for used in crate_paths(&code) {
        let is_room = ROOMS.iter().any(|(known, _)| *known == used);
        if used != room && is_room && !allowed.contains(&used.as_str()) {
            complaints.push(format!("`{room}` may not use `crate::{used}`, only {}", allowed.join(", ")));
        }
    }
    for (outside, rooms) in SEAMS {
        if names_crate(&code, outside) && !rooms.contains(&room) {
            complaints.push(format!("`{outside}` belongs to {}", rooms.join(", ")));
        }
    }
    // An arrow through an allowed room to one that is not.
    if code.contains("pub use crate::") {
        complaints.push("give out only what is the room's own, not `pub use crate::…`".into());
    }
    complaints
}

fn room_of(source: &Path, file: &Path) -> String {
    let first =
        file.strip_prefix(source).ok().and_then(|path| path.components().next()).expect("a file of the room");
    Path::new(first.as_os_str()).file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Names that follow `crate::`, also inside `use crate::{a::X, b}`.
fn crate_paths(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, word) in code.match_indices("crate::") {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + word.len()..];
        match rest.strip_prefix('{') {
            None => drop(found.insert(identifier(rest))),
            Some(group) => found.extend(first_names(group)),
        }
    }
    found
}

/// The first names in a group, up to its closing brace.
fn first_names(group: &str) -> Vec<String> {
    let (mut depth, mut start, mut found) = (0_usize, true, Vec::new());
    for (i, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            c if c.is_whitespace() => {}
            _ if start && depth == 0 => {
                found.push(identifier(&group[i..]));
                start = false;
            }
            _ => {}
        }
    }
    found
}

fn names_crate(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let part_of_more = before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ':' | '"' | '.'));
        let after = &code[at + name.len()..];
        !part_of_more && (after.starts_with("::") || after.starts_with(';'))
    })
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[test]
fn planted_faults_are_found() {
    assert_eq!(check("catalog", "use crate::{query::Query, http::Ask};").len(), 1);
    assert_eq!(check("read", "use crate::catalog::Catalog;").len(), 1);
    assert_eq!(check("tree", "use axum::Router;\nfn f() { crate::cli::run() }").len(), 2);
    assert_eq!(check("attic", "").len(), 1);
    assert!(
        check("tree", "//! as [`crate::http`] does\nuse crate::{catalog::{Row, Page}, access::Scope};")
            .is_empty()
    );
}

//! Which crate of ours may depend on which other.

use std::path::Path;

use crate::files::{assert_none, below, root, shown, text};

/// Crates of this project that a manifest names as dependencies. Those for tests alone do not count.
fn our_dependencies(manifest: &str) -> Vec<String> {
    let mut section = String::new();
    let mut found = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']).to_owned();
        }
        let name = line.split(['=', '.', ' ']).next().unwrap_or_default();
        if section == "dependencies" && name.starts_with("tiled-") {
            found.push(name.to_owned());
        }
        if let Some(name) = section.strip_prefix("dependencies.").filter(|name| name.starts_with("tiled-")) {
            found.push(name.to_owned());
        }
    }
    found.sort();
    found.dedup();
    found
}

/// What a crate may use, by where it is. The room `tabular` is a crate that plugins for tables share.
fn allowed(manifest: &str) -> Option<&'static [&'static str]> {
    match manifest {
        "plugin-api/Cargo.toml" => Some(&[]),
        "host/Cargo.toml" | "plugins/tabular/Cargo.toml" => Some(&["tiled-plugin-api"]),
        "tests/tidy/Cargo.toml" => Some(&[]),
        other if other.starts_with("plugins/") => Some(&["tiled-plugin-api", "tiled-tabular"]),
        other if other.starts_with("examples/") => Some(&["tiled-plugin-api"]),
        _ => None,
    }
}

#[test]
fn crates_depend_only_on_those_they_may() {
    let manifests = below("", "toml").into_iter().filter(|path| path.ends_with(Path::new("Cargo.toml")));
    let mut complaints = Vec::new();
    for manifest in manifests {
        let name = shown(&manifest);
        let Some(allowed) = allowed(&name) else { continue };
        for used in our_dependencies(&text(&manifest)).iter().filter(|used| !allowed.contains(&used.as_str()))
        {
            complaints.push(format!("{name}: may not depend on {used}, only on {}", allowed.join(", ")));
        }
    }
    assert_none(&complaints);
}

#[test]
fn plugins_are_libraries_to_load_and_to_link() {
    let mut complaints = Vec::new();
    for manifest in below("plugins", "toml").into_iter().filter(|path| path.ends_with("Cargo.toml")) {
        let is_shared_code = manifest.starts_with(root().join("plugins/tabular"));
        let loadable = text(&manifest).contains("crate-type = [\"cdylib\", \"rlib\"]");
        if loadable == is_shared_code {
            complaints
                .push(format!("{}: crate-type must be cdylib and rlib for a plugin alone", shown(&manifest)));
        }
    }
    assert_none(&complaints);
}

#[test]
fn planted_dependencies_are_found() {
    let manifest = "[dependencies]\ntiled-host.workspace = true\n[dev-dependencies]\ntiled-tests = \"1\"\n";
    assert_eq!(our_dependencies(manifest), ["tiled-host"]);
    assert_eq!(our_dependencies("[dependencies.tiled-x]\npath = \"x\""), ["tiled-x"]);
}

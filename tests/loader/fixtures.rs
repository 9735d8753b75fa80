//! Builds fixture plugins with cargo, offline, in a target folder of their own.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
};

/// The top of the repository.
pub fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Where fixtures are built.
fn outside() -> PathBuf {
    top().join("target/outside")
}

/// Builds the crate of a folder and gives its library, `lib<library>.so`. Each is built once a run.
pub fn build(folder: &Path, library: &str) -> PathBuf {
    static BUILT: Mutex<Option<HashMap<PathBuf, PathBuf>>> = Mutex::new(None);
    let mut built = BUILT.lock().unwrap_or_else(|e| e.into_inner());
    let built = built.get_or_insert_default();
    if let Some(path) = built.get(folder) {
        return path.clone();
    }
    // The versions of the workspace, so that nothing has to be fetched.
    fs::copy(top().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--offline", "--quiet", "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(outside())
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}: {}", folder.display(), String::from_utf8_lossy(&output.stderr));
    let path = outside().join("debug").join(format!("lib{library}.so"));
    built.insert(folder.to_owned(), path.clone());
    path
}

/// A plugin of `tests/fixtures/plugins`.
pub fn fixture(name: &str) -> PathBuf {
    build(&top().join("tests/fixtures/plugins").join(name), &format!("tiled_{name}"))
}

/// An example plugin.
pub fn example(name: &str, library: &str) -> PathBuf {
    build(&top().join("examples").join(name), library)
}

/// A text that stands in a file, and what is put in its place.
pub type Patch<'a> = (&'a str, &'a str, &'a str);

/// The fixture `plain` under another name, with changes to itself.
pub fn twin(name: &str, patches: &[Patch<'_>]) -> PathBuf {
    let folder = outside().join("src").join(name);
    let api = top().join("plugin-api");
    write_plugin(&folder, name, &api.display().to_string(), true, patches);
    build(&folder, &format!("tiled_{name}"))
}

/// The fixture `plain` under another name, built against a changed copy of the plugin API.
pub fn against(name: &str, api_patches: &[Patch<'_>]) -> PathBuf {
    let folder = outside().join("src").join(name);
    let manifest = fs::read_to_string(top().join("Cargo.toml")).unwrap();
    // Cargo tells packages apart by their place below the workspace: in one target folder each copy needs its own.
    let api = format!("plugin-api-{name}");
    let members = |line: &str| match line {
        line if line.starts_with("members") => format!("members = [\"{api}\", \"plugin\"]"),
        line if line.starts_with("exclude") => String::new(),
        line => line.to_owned(),
    };
    write(&folder.join("Cargo.toml"), &manifest.lines().map(members).collect::<Vec<_>>().join("\n"));
    copy_patched(&top().join("plugin-api"), &folder.join(&api), api_patches);
    write_plugin(&folder.join("plugin"), name, &format!("../{api}"), false, &[]);
    build(&folder, &format!("tiled_{name}"))
}

/// A library in C, from its source.
pub fn in_c(folder: &Path, name: &str, source: &str) -> PathBuf {
    let (code, library) = (folder.join(format!("{name}.c")), folder.join(format!("{name}.so")));
    fs::write(&code, source).unwrap();
    let output =
        Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&code).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    library
}

fn write_plugin(folder: &Path, name: &str, api: &str, is_alone: bool, patches: &[Patch<'_>]) {
    let from = top().join("tests/fixtures/plugins/plain");
    let manifest = fs::read_to_string(from.join("Cargo.toml")).unwrap();
    let manifest = manifest
        .replace("\"plain\"", &format!("\"{name}\""))
        .replace("tiled_plain", &format!("tiled_{name}"));
    let manifest = manifest.replace("../../../../plugin-api", api);
    let manifest = if is_alone {
        manifest
    } else {
        let (package, _profile) = manifest.split_once("[profile.dev]").unwrap();
        package.replace("[workspace]\n", "")
    };
    write(&folder.join("Cargo.toml"), &patched("Cargo.toml", manifest, patches));
    let code = fs::read_to_string(from.join("src/lib.rs")).unwrap();
    let code = code.replace("name: \"plain\"", &format!("name: \"{name}\""));
    write(&folder.join("src/lib.rs"), &patched("src/lib.rs", code, patches));
}

fn copy_patched(from: &Path, to: &Path, patches: &[Patch<'_>]) {
    let mut open: Vec<&Patch<'_>> = patches.iter().collect();
    let mut folders = vec![from.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let relative = path.strip_prefix(from).unwrap();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let name = relative.to_str().unwrap();
            open.retain(|(file, ..)| *file != name);
            write(&to.join(relative), &patched(name, text, patches));
        }
    }
    assert!(open.is_empty(), "no such files: {open:?}");
}

fn patched(name: &str, mut text: String, patches: &[Patch<'_>]) -> String {
    for (_, from, to) in patches.iter().filter(|(file, ..)| *file == name) {
        assert!(text.contains(from), "{name} does not hold the text to change: {from}");
        text = text.replace(from, to);
    }
    text
}

/// Writes what has changed, so that cargo builds only that again.
fn write(path: &Path, text: &str) {
    if fs::read_to_string(path).is_ok_and(|there| there == text) {
        return;
    }
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

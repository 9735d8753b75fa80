//! A Python that has Tiled's client.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// `TILED_PYTHON`, or the one that `.ci/test` makes. `None` where there is none; a failure where `CI` is set.
pub fn python() -> Option<PathBuf> {
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(1).unwrap().join(".venv/bin/python");
    let has_client = made.with_file_name("tiled").exists();
    let python = std::env::var_os("TILED_PYTHON").map(PathBuf::from).or_else(|| has_client.then_some(made));
    assert!(
        python.is_some() || std::env::var_os("CI").is_none(),
        "TILED_PYTHON names no Python with Tiled's client: bash .ci/test makes one"
    );
    python
}

/// Runs a script of this folder's `clients` with arguments, and fails with all it said.
pub fn run_python(python: &Path, script: &str, arguments: &[&str]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(script);
    let mut command = Command::new(python);
    // No cache of another server, no profile of whoever runs this.
    let home = tempfile::tempdir().unwrap();
    command.env("HOME", home.path()).env_remove("TILED_API_KEY").env("TILED_CACHE_DIR", home.path());
    let output = command.arg(path).args(arguments).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{script}:\n{}", String::from_utf8_lossy(&said));
}

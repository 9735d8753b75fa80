//! Files into catalogs: `register`, `serve directory --watch`, `serve catalog`, `catalog init`, with the built program.

mod command;
mod serve;
mod watch;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tiled_tests::{Access, Client, Server, configuration, program};

/// A folder of data, a catalog, and a server of it.
struct Lab {
    server: Server,
    home: TempDir,
}

/// How a run of the program ended.
struct Run {
    code: i32,
    out: String,
    err: String,
}

impl Lab {
    fn open() -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("data")).unwrap();
        let root = home.path().display();
        let trees = format!(
            r#"
            [[trees]]
            path = "/lab"
            tree = "catalog"
            args = {{ uri = "sqlite:///{root}/catalog.db", init_if_not_exists = true, readable_storage = ["{root}/data"] }}
            "#
        );
        let config = configuration(Access::Private, &trees);
        let server = Server::config(&config);
        let plugins = server.plugins().display().to_string();
        fs::write(home.path().join("config.toml"), config.replace("{plugins}", &plugins)).unwrap();
        Lab { server, home }
    }

    fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    fn write(&self, name: &str, text: &[u8]) {
        let path = self.data().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn words(&self, more: &[&str]) -> Vec<String> {
        let config = self.home.path().join("config.toml").display().to_string();
        let fixed = ["register".to_owned(), "--config".to_owned(), config];
        fixed.into_iter().chain(more.iter().map(|word| (*word).to_owned())).collect()
    }

    /// Registers the folder below `/lab`.
    fn register(&self, more: &[&str]) -> Run {
        let data = self.data().display().to_string();
        run(&self.words(&[&["--prefix", "/lab", &data], more].concat()))
    }

    fn listing(&self) -> Vec<String> {
        listing(&self.server.owner(), "lab")
    }
}

fn run(words: &[String]) -> Run {
    let output = program().args(words).env("NO_COLOR", "1").output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

/// The paths of all nodes of the catalog below a path, sorted.
fn listing(client: &Client, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let url = format!("/api/v1/search/{path}{folder}?page[limit]=300&fields=structure_family");
        let answer = client.get(&url);
        // Removed between two requests.
        if answer.status == 404 {
            continue;
        }
        for node in answer.json()["data"].as_array().unwrap() {
            let below = format!("{folder}/{}", node["id"].as_str().unwrap());
            if node["attributes"]["structure_family"] == "container" {
                folders.push(below.clone());
            }
            found.push(below.trim_start_matches('/').to_owned());
        }
    }
    found.sort();
    found
}

/// Waits until something is so, and fails with what it is instead.
fn eventually<T: PartialEq + std::fmt::Debug>(wanted: &T, mut look: impl FnMut() -> T) {
    let began = Instant::now();
    loop {
        let found = look();
        if found == *wanted {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{found:?} instead of {wanted:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// An NPY file of `count` bytes, each `value`.
fn npy(count: usize, value: u8) -> Vec<u8> {
    let mut header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({count},), }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
    file.extend(header.into_bytes());
    file.extend(std::iter::repeat_n(value, count));
    file
}

fn entries(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

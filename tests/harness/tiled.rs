//! Tiled's own server.

use std::{
    fs::{self, File},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::KEY;

/// A running server of Tiled; it ends with this value.
pub struct Tiled {
    process: Child,
    url: String,
    home: TempDir,
}

/// How long it may take to start.
const START: Duration = Duration::from_secs(120);

impl Tiled {
    /// Serves the catalog at this address, with these writable storages, at `/`.
    pub fn serve(python: &Path, catalog: &str, storages: &[String]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let config = home.path().join("config.yml");
        // JSON is YAML.
        let text = serde_json::json!({
            "authentication": {"allow_anonymous_access": false, "single_user_api_key": KEY},
            "trees": [{"path": "/", "tree": "catalog", "args": {
                "uri": catalog, "init_if_not_exists": true, "writable_storage": storages,
            }}],
        });
        fs::write(&config, text.to_string()).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = File::create(home.path().join("log")).unwrap();
        let mut command = Command::new(python);
        command.args(["-m", "tiled", "serve", "config"]).arg(&config).args(["--port", &port.to_string()]);
        command.env("HOME", home.path()).env_remove("TILED_API_KEY").stdin(Stdio::null());
        let process = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let mut server = Tiled { process, url: format!("http://127.0.0.1:{port}"), home };
        let until = Instant::now() + START;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = server.process.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < until, "Tiled does not start:\n{}", server.log());
            std::thread::sleep(Duration::from_millis(100));
        }
        server
    }

    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap()
    }

    /// Ends it as an operator does, and waits.
    pub fn end(mut self) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.process.wait().unwrap();
    }
}

impl Drop for Tiled {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

//! A server, its log, and example data for it.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use tempfile::TempDir;

use crate::Client;

/// The key of every server here.
pub const KEY: &str = "secret";

/// Who may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone.
    Public,
    /// Who has the key.
    Private,
}

/// A running server; it ends with this value.
pub struct Server {
    process: Child,
    url: String,
    log: Arc<Mutex<String>>,
    listener: Option<JoinHandle<()>>,
    plugins: TempDir,
}

impl Server {
    /// Serves a folder.
    pub fn directory(folder: &Path, access: Access) -> Self {
        let plugins = installed_plugins();
        let mut command = program();
        command.args(["serve", "directory"]).arg(folder).args(["--port", "0", "--api-key", KEY]);
        if access == Access::Public {
            command.arg("--public");
        }
        command.arg("--plugins").arg(plugins.path());
        Self::start(command, plugins)
    }

    /// Serves what a configuration says; `{plugins}` in it becomes the folder of plugins.
    pub fn config(toml: &str) -> Self {
        let plugins = installed_plugins();
        let file = plugins.path().join("config.toml");
        fs::write(&file, toml.replace("{plugins}", &plugins.path().display().to_string())).unwrap();
        let mut command = program();
        command.arg("--config").arg(file);
        Self::start(command, plugins)
    }

    /// Runs the program with these words, `--port 0`, the key and the plugins; `TMPDIR` is where temporary folders go.
    pub fn with_words(words: &[&str], temporary: &Path) -> Self {
        let plugins = installed_plugins();
        let mut command = program();
        command.args(words).args(["--port", "0", "--api-key", KEY, "--plugins"]).arg(plugins.path());
        command.env("TMPDIR", temporary);
        Self::start(command, plugins)
    }

    fn start(mut command: Command, plugins: TempDir) -> Self {
        command.env("NO_COLOR", "1").env_remove("RUST_LOG").stdin(Stdio::null());
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let errors = BufReader::new(process.stderr.take().unwrap());
        let kept = log.clone();
        let listener = std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                let mut log = kept.lock().unwrap_or_else(PoisonError::into_inner);
                log.push_str(&line);
                log.push('\n');
            }
        });
        let mut said = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let url = said.find_map(|line| line.strip_prefix("Serving at ").map(str::to_owned));
        let Some(url) = url else {
            let status = process.wait().unwrap();
            listener.join().unwrap();
            panic!("the server ended before it served ({status}):\n{}", log.lock().unwrap());
        };
        Server { process, url, log, listener: Some(listener), plugins }
    }

    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The folder of its plugins.
    pub fn plugins(&self) -> &Path {
        self.plugins.path()
    }

    /// A client without a key.
    pub fn client(&self) -> Client {
        Client::new(&self.url, None)
    }

    /// A client with the key.
    pub fn owner(&self) -> Client {
        Client::new(&self.url, Some(KEY))
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends the server and fails if it has logged a warning or an error.
    pub fn end(mut self) {
        self.stop();
        let log = self.log();
        let bad: Vec<&str> =
            log.lines().filter(|line| line.contains(" WARN ") || line.contains(" ERROR ")).collect();
        assert!(bad.is_empty(), "the log is not clean:\n{}", bad.join("\n"));
    }

    /// Kills the server as it stands, and gives its log.
    pub fn kill(&mut self) -> String {
        self.stop();
        self.log()
    }

    /// Tells the server to end, as an operator does, and gives its exit status once it has.
    pub fn terminate(&mut self) -> ExitStatus {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.process.wait().unwrap()
    }

    fn stop(&mut self) {
        // Gone already: nothing to end.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A configuration for [`Server::config`]: a free port, the key, the plugins, and these `[[trees]]`.
pub fn configuration(access: Access, trees: &str) -> String {
    let anyone = access == Access::Public;
    format!(
        r#"
        [authentication]
        allow_anonymous_access = {anyone}
        single_user_api_key = "{KEY}"
        [uvicorn]
        port = 0
        [plugins]
        directory = "{{plugins}}"
        {trees}
        "#
    )
}

/// A writable catalog at `/` that is kept in a folder, with these further arguments.
pub fn writable_tree(folder: &Path, args: &str) -> String {
    let path = folder.display();
    format!(
        r#"
        [[trees]]
        path = "/"
        tree = "catalog"
        [trees.args]
        uri = "sqlite:///{path}/catalog.db"
        init_if_not_exists = true
        writable_storage = "file://localhost{path}/data"
        {args}
        "#
    )
}

/// Example files in a new folder.
pub fn example_data() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let plugins = installed_plugins();
    let mut command = program();
    command.arg("generate-example-data").arg(folder.path()).arg("--plugins").arg(plugins.path());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder
}

/// `target/release`, where this test is in `deps`.
fn built() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().to_owned()
}

/// The built program.
pub fn program() -> Command {
    let program = built().join("tiled-host");
    assert!(program.is_file(), "{} is missing: cargo build --release --workspace", program.display());
    Command::new(program)
}

/// The shipped plugins in a folder of their own: beside the program cargo keeps libraries that are none.
fn installed_plugins() -> TempDir {
    let folder = tempfile::tempdir_in(built()).unwrap();
    let mut count = 0;
    for entry in fs::read_dir(built()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("libtiled_") && name.ends_with(".so") {
            fs::hard_link(&path, folder.path().join(name)).unwrap();
            count += 1;
        }
    }
    assert!(count > 0, "no plugins in {}: cargo build --release --workspace", built().display());
    folder
}

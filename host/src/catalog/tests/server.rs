//! A real PostgreSQL server for tests, in a temporary directory, reached by a local socket. It ends with the test
//! process.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use super::super::address::Address;
use super::super::link::Link;

/// A server that can be ended and started again.
pub(super) struct Server {
    directory: tempfile::TempDir,
    binaries: PathBuf,
    /// Ends the server when its input ends.
    keeper: Mutex<Option<Child>>,
}

/// One server for all tests, made when first asked for; `None` where PostgreSQL is not installed.
pub(super) fn shared() -> Option<&'static Server> {
    static SHARED: OnceLock<Option<Server>> = OnceLock::new();
    SHARED.get_or_init(Server::start).as_ref()
}

impl Server {
    /// # Panics
    /// Without PostgreSQL where `CI` is set: there nothing is skipped.
    pub fn start() -> Option<Self> {
        let Some(binaries) = binaries() else {
            assert!(std::env::var_os("CI").is_none(), "PostgreSQL is not installed: install postgresql");
            // Past the capturing of output.
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED: no PostgreSQL on PATH or in /usr/lib/postgresql; tests ran on SQLite only"
            );
            return None;
        };
        let directory = tempfile::Builder::new().prefix("pg").tempdir().unwrap();
        let server = Server { directory, binaries, keeper: Mutex::new(None) };
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(server.directory.path()));
        }
        let data = server.directory.path().join("data");
        let initdb =
            format!("initdb -D {} -U postgres -A trust -E UTF8 --locale=C --no-sync", data.display());
        run(&mut server.command(&initdb));
        server.up();
        Some(server)
    }

    pub fn up(&self) {
        let directory = self.directory.path().display();
        let serve = format!(
            "postgres -D {directory}/data -k {directory} -c listen_addresses= -c fsync=off -c max_connections=200 \
             >>{directory}/log 2>&1 & server=$!; cat >/dev/null; kill -INT $server; wait $server"
        );
        let child = self.command(&serve).stdin(Stdio::piped()).spawn().unwrap();
        *self.keeper.lock().unwrap() = Some(child);
        let until = Instant::now() + Duration::from_secs(60);
        while Link::open(&self.config("postgres")).is_err() {
            assert!(Instant::now() < until, "PostgreSQL does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn down(&self) {
        if let Some(mut child) = self.keeper.lock().unwrap().take() {
            drop(child.stdin.take());
            child.wait().unwrap();
        }
    }

    /// The address of a new database.
    pub fn database(&self) -> String {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.script("postgres", &format!("CREATE DATABASE {name}"));
        self.uri(&name)
    }

    pub fn script(&self, database: &str, sql: &str) {
        let link = Link::open(&self.config(database)).unwrap_or_else(|failure| panic!("{failure}"));
        link.simple(sql).unwrap_or_else(|failure| panic!("{sql}: {failure}"));
    }

    pub fn uri(&self, database: &str) -> String {
        format!("postgresql+asyncpg://postgres@/{database}?host={}", self.directory.path().display())
    }

    pub fn config(&self, database: &str) -> tokio_postgres::Config {
        config(&self.uri(database))
    }

    /// A command of the server's own programs, as a user who may run them.
    pub fn command(&self, script: &str) -> Command {
        let script = format!("PATH={}:$PATH; {script}", self.binaries.display());
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--", "sh", "-c", &script]);
            command
        } else {
            let mut command = Command::new("sh");
            command.args(["-c", &script]);
            command
        };
        command.current_dir("/");
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.down();
    }
}

pub(super) fn config(uri: &str) -> tokio_postgres::Config {
    match Address::parse(uri).unwrap() {
        Address::Postgres(config) => *config,
        other => panic!("{other:?}"),
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// PostgreSQL refuses to run as root.
fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout.starts_with(b"0\n")
}

fn binaries() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        places.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    let has = |place: &Path| ["initdb", "postgres"].iter().all(|name| place.join(name).is_file());
    places.into_iter().find(|place| has(place))
}

//! A real PostgreSQL server for tests, in a temporary folder, reached by a local socket and on loopback. It ends with the
//! test process, however that ends. As root it runs as the user `postgres`, because PostgreSQL refuses to run as root.

use std::{
    io::Write,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// A server that can be ended and started again.
pub struct Postgres {
    folder: tempfile::TempDir,
    binaries: PathBuf,
    port: u16,
    databases: AtomicUsize,
    /// Ends the server when its input ends, or as a line says.
    keeper: Mutex<Option<Child>>,
}

impl Postgres {
    /// One server for all tests of a program, made when first asked for; `None` where PostgreSQL is not installed.
    ///
    /// # Panics
    /// As [`Postgres::start`].
    pub fn shared() -> Option<&'static Postgres> {
        static SHARED: OnceLock<Option<Postgres>> = OnceLock::new();
        SHARED.get_or_init(Postgres::start).as_ref()
    }

    /// A server of one's own.
    ///
    /// # Panics
    /// Without PostgreSQL where `CI` is set: there nothing is skipped.
    pub fn start() -> Option<Self> {
        let Some(binaries) = binaries() else {
            assert!(std::env::var_os("CI").is_none(), "PostgreSQL is not installed: install postgresql");
            // Past the capturing of output.
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED: no PostgreSQL on PATH or in /usr/lib/postgresql; not tested with it"
            );
            return None;
        };
        let folder = tempfile::Builder::new().prefix("pg").tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (databases, keeper) = (AtomicUsize::new(0), Mutex::new(None));
        let server = Postgres { folder, binaries, port, databases, keeper };
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(server.folder.path()));
        }
        let data = server.folder.path().join("data");
        let initdb =
            format!("initdb -D {} -U postgres -A trust -E UTF8 --locale=C --no-sync", data.display());
        run(&mut server.command(&initdb));
        server.up();
        Some(server)
    }

    /// Starts it again, and waits until it takes connections.
    ///
    /// # Panics
    /// When it does not start.
    pub fn up(&self) {
        let (folder, port) = (self.folder.path().display(), self.port);
        // What a crash of the machine could lose is not tested: without fsync the tests are much faster. Without a word of
        // how to end, the test process has gone: nobody else removes the folder then.
        let serve = format!(
            "postgres -D {folder}/data -k {folder} -h 127.0.0.1 -p {port} -c fsync=off -c max_connections=200 \
             >>{folder}/log 2>&1 & server=$!; read how; kill -${{how:-QUIT}} $server; wait $server; \
             [ -n \"$how\" ] || rm -rf {folder}"
        );
        let child = self.command(&serve).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        *self.keeper.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
        let until = Instant::now() + Duration::from_secs(60);
        let mut ask = self.command(&format!("psql -q -h {folder} -p {port} -U postgres -c 'SELECT 1'"));
        ask.stdout(Stdio::null()).stderr(Stdio::null());
        while !ask.status().is_ok_and(|status| status.success()) {
            assert!(Instant::now() < until, "PostgreSQL does not start: see {folder}/log");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends it: transactions are ended, all is written.
    pub fn down(&self) {
        self.end("INT");
    }

    /// Ends it at once, as a crash does: the next start recovers from the log.
    pub fn crash(&self) {
        self.end("QUIT");
    }

    fn end(&self, signal: &str) {
        let child = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut child) = child {
            if let Some(mut input) = child.stdin.take() {
                let _ = writeln!(input, "{signal}");
            }
            let _ = child.wait();
        }
    }

    /// The address of a new database, by the local socket.
    pub fn database(&self) -> String {
        self.uri(&self.new_database())
    }

    /// The name of a new database.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn new_database(&self) -> String {
        let name = format!("t{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.script("postgres", &format!("CREATE DATABASE {name}"));
        name
    }

    /// Runs statements.
    ///
    /// # Panics
    /// When one fails.
    pub fn script(&self, database: &str, sql: &str) {
        let (folder, port) = (self.folder.path().display(), self.port);
        let psql = format!("psql -q -v ON_ERROR_STOP=1 -h {folder} -p {port} -U postgres -d {database} -f -");
        let mut child = self.command(&psql).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "{sql}");
    }

    /// A database by the local socket, as catalogs are addressed.
    pub fn uri(&self, database: &str) -> String {
        let folder = self.folder.path().display();
        format!("postgresql+asyncpg://postgres@/{database}?host={folder}&port={}", self.port)
    }

    /// A database on loopback, as storages are addressed.
    pub fn storage(&self, database: &str) -> String {
        format!("postgresql://postgres:secret@127.0.0.1:{}/{database}", self.port)
    }

    /// The folder with its socket.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The port of its socket.
    pub fn port(&self) -> u16 {
        self.port
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

impl Drop for Postgres {
    fn drop(&mut self) {
        self.down();
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == 0)
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

//! `tiled-host --config FILE`, `serve directory`, `serve catalog`, `serve demo`: a server until SIGTERM or Ctrl-C.

use std::{
    net::{SocketAddr, ToSocketAddrs},
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use axum::{extract::connect_info::Connected, serve::IncomingStream};
use clap::Args;
use tokio::net::TcpListener;

use super::options::{ServeOptions, WalkOptions};
use crate::{
    boot::{Booted, boot},
    config::{Config, OneOrMany, PluginsConfig, TreeArgs, TreeConfig},
    http::Peer,
};

/// `tiled-host serve catalog …`.
#[derive(Args)]
pub struct CatalogOptions {
    /// A filepath or database URI, e.g. 'catalog.db'
    #[arg(required_unless_present = "temp", conflicts_with = "temp")]
    database: Option<String>,
    /// Locations that the server may read from; may be repeated.
    #[arg(long, short, value_name = "LOCATION")]
    read: Vec<String>,
    /// Locations that the server may write to; may be repeated.
    #[arg(long, short, value_name = "LOCATION")]
    write: Vec<String>,
    /// Make a new catalog in a temporary directory, which is removed at the end.
    #[arg(long)]
    temp: bool,
    /// Initialize a new catalog database.
    #[arg(long)]
    init: bool,
    #[command(flatten)]
    options: ServeOptions,
    /// Log details.
    #[arg(long, short)]
    verbose: bool,
}

/// Serves what a file configures.
pub fn config(file: &Path) -> Result<()> {
    let (config, plugins) = Config::read(file)?;
    serve(&config, &plugins)
}

/// Serves the files of a folder.
pub fn directory(folder: &Path, options: &ServeOptions, walk: &WalkOptions) -> Result<()> {
    let folder =
        folder.canonicalize().with_context(|| format!("the folder {} cannot be served", folder.display()))?;
    init_log(if walk.verbose { "info,tiled_host::register=debug" } else { "info" });
    let args = walk.walk(TreeArgs { directory: Some(folder), ..TreeArgs::default() });
    let mut plugins = plugins_in(options.plugins.as_deref());
    walk.teach(&mut plugins);
    serve(&with_tree(options.config(), "directory", args), &plugins)
}

/// Serves a catalog.
pub fn catalog(given: &CatalogOptions) -> Result<()> {
    init_log(if given.verbose { "debug" } else { "info" });
    let mut args = TreeArgs {
        uri: given.database.clone(),
        init_if_not_exists: given.init || given.temp,
        readable_storage: OneOrMany(given.read.clone()),
        writable_storage: OneOrMany(given.write.clone()),
        ..TreeArgs::default()
    };
    // Gone with all that is in it when the server has ended.
    let mut temporary = None;
    if given.temp {
        let folder = tempfile::Builder::new().prefix("tiled-catalog-").tempdir()?;
        let path = folder.path().display();
        eprintln!("Initializing temporary storage in {path}");
        args.uri = Some(format!("sqlite:///{path}/catalog.db"));
        if given.write.is_empty() {
            args.writable_storage.0 = vec![format!("{path}/data"), format!("duckdb:///{path}/data.duckdb")];
        }
        temporary = Some(folder);
    }
    if args.writable_storage.0.is_empty() {
        eprintln!(
            "This catalog will be served as read-only. To make it writable, specify a writable directory with --write."
        );
    }
    let config = with_tree(given.options.config(), "catalog", args);
    let served = serve(&config, &plugins_in(given.options.plugins.as_deref()));
    if let Some(folder) = temporary {
        let path = folder.path().to_owned();
        if let Err(error) = folder.close() {
            bail!("{} could not be removed: {error}", path.display());
        }
    }
    served
}

fn with_tree(config: Config, tree: &str, args: TreeArgs) -> Config {
    Config { trees: vec![TreeConfig { path: "/".into(), tree: tree.into(), args }], ..config }
}

/// Serves example files.
pub fn demo(options: &ServeOptions) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("tiled-demo-").tempdir()?;
    crate::example::generate(folder.path(), options.plugins.as_deref())?;
    let args = TreeArgs { directory: Some(folder.path().to_owned()), ..TreeArgs::default() };
    let config = with_tree(options.config(), "directory", args);
    serve(&config, &plugins_in(options.plugins.as_deref()))
}

/// The given folder of plugins, or the usual one.
pub fn plugins_in(directory: Option<&Path>) -> PluginsConfig {
    directory.map_or_else(PluginsConfig::default, PluginsConfig::in_directory)
}

fn serve(config: &Config, plugins: &PluginsConfig) -> Result<()> {
    init_log("info");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let booted = boot(config, plugins)?;
        let address = (config.uvicorn.host.as_str(), config.uvicorn.port);
        let addresses: Vec<SocketAddr> =
            address.to_socket_addrs().context("[uvicorn] host is no address")?.collect();
        let listener = TcpListener::bind(addresses.as_slice())
            .await
            .with_context(|| format!("cannot listen on {}:{}", address.0, address.1))?;
        announce(&booted, listener.local_addr()?);
        let plugins = booted.app.readers.tree.plugins().clone();
        let served =
            axum::serve(NoDelay(listener), booted.router.into_make_service_with_connect_info::<Peer>())
                .with_graceful_shutdown(ended());
        let patience = async {
            ended().await;
            // Whoever asks twice does not want to wait.
            tokio::select! {
                () = tokio::time::sleep(SHUTDOWN_PATIENCE) => {}
                () = ended() => {}
            }
        };
        tokio::select! {
            result = served => result?,
            () = patience => {}
        }
        plugins.shutdown();
        Ok::<_, anyhow::Error>(())
    })?;
    // A plugin's thread that hangs must not keep the process.
    runtime.shutdown_timeout(THREADS_PATIENCE);
    Ok(())
}

/// Requests under way when the server is told to end get so long; new ones are not taken.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(10);
/// Calls of plugins that are not wanted any more get so long.
const THREADS_PATIENCE: Duration = Duration::from_secs(2);

/// Sends small answers at once.
struct NoDelay(TcpListener);

impl axum::serve::Listener for NoDelay {
    type Io = tokio::net::TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = axum::serve::Listener::accept(&mut self.0).await;
        // Where it fails, answers are only slower.
        let _ = stream.set_nodelay(true);
        (stream, address)
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, NoDelay>> for Peer {
    fn connect_info(stream: IncomingStream<'_, NoDelay>) -> Self {
        Peer(*stream.remote_addr())
    }
}

/// Begins the log, unless it has begun, with what `RUST_LOG` or else `level` says.
pub fn init_log(level: &str) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    let log =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // Already set where several servers run in one process, as in tests.
    let _ = log.try_init();
}

/// What a person needs to begin.
fn announce(booted: &Booted, address: SocketAddr) {
    let url = format!("http://{address}");
    println!("Serving at {url}");
    if booted.key_is_new {
        println!("API key: {}", booted.api_key);
        println!("Open {url}?api_key={} in a browser, or from Python:", booted.api_key);
        println!("  from tiled.client import from_uri");
        println!("  client = from_uri(\"{url}?api_key={}\")", booted.api_key);
    }
    use std::io::Write;
    // A closed stdout is no reason not to serve.
    let _ = std::io::stdout().flush();
}

/// When the process is told to end.
pub async fn ended() {
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => {
            tracing::warn!("{}", anyhow!(error).context("SIGTERM will end the server at once"));
            return std::future::pending().await;
        }
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

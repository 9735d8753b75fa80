//! `tiled-host --config FILE`, `serve directory`, `serve demo`: a server until SIGTERM or Ctrl-C.

use std::{
    net::{SocketAddr, ToSocketAddrs},
    path::Path,
};

use anyhow::{Context, Result, anyhow};
use axum::{extract::connect_info::Connected, serve::IncomingStream};
use tokio::net::TcpListener;

use super::ServeOptions;
use crate::{
    boot::{Booted, boot},
    config::{AuthenticationConfig, Config, ListenConfig, PluginsConfig, TreeArgs, TreeConfig},
    http::Peer,
};

/// Serves what a file configures.
pub fn config(file: &Path) -> Result<()> {
    let (config, plugins) = Config::read(file)?;
    serve(&config, &plugins)
}

/// Serves the files of a folder.
pub fn directory(folder: &Path, options: &ServeOptions, keep_ext: bool) -> Result<()> {
    let folder =
        folder.canonicalize().with_context(|| format!("the folder {} cannot be served", folder.display()))?;
    let args = TreeArgs { directory: Some(folder), keep_ext, ..TreeArgs::default() };
    let config = Config {
        trees: vec![TreeConfig { path: "/".into(), tree: "directory".into(), args }],
        authentication: AuthenticationConfig {
            allow_anonymous_access: options.public,
            single_user_api_key: options.api_key.clone(),
            ..AuthenticationConfig::default()
        },
        uvicorn: ListenConfig { host: options.host.clone(), port: options.port, root_path: String::new() },
        ..Config::default()
    };
    serve(&config, &plugins_in(options.plugins.as_deref()))
}

/// Serves example files.
pub fn demo(options: &ServeOptions) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("tiled-demo-").tempdir()?;
    crate::example::generate(folder.path(), options.plugins.as_deref())?;
    directory(folder.path(), options, false)
}

/// The given folder of plugins, or the usual one.
pub fn plugins_in(directory: Option<&Path>) -> PluginsConfig {
    directory.map_or_else(PluginsConfig::default, PluginsConfig::in_directory)
}

fn serve(config: &Config, plugins: &PluginsConfig) -> Result<()> {
    init_log();
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
            tokio::time::sleep(SHUTDOWN_PATIENCE).await;
        };
        tokio::select! {
            result = served => result?,
            () = patience => {}
        }
        plugins.shutdown();
        Ok::<_, anyhow::Error>(())
    })?;
    // A plugin's thread that hangs must not keep the process.
    runtime.shutdown_timeout(SHUTDOWN_PATIENCE);
    Ok(())
}

/// Answers under way at the end get so long.
const SHUTDOWN_PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

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

fn init_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
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

async fn ended() {
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

//! The command line: one sub-command per file.

mod catalog;
mod options;
mod plugin;
mod register;
mod serve;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use options::{ServeOptions, WalkOptions};

/// Search and sliced access to scientific data over HTTP, with every format a plugin. Speaks Tiled's protocol.
#[derive(Parser)]
#[command(name = "tiled-host", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Serve what this file configures.
    #[arg(long, value_name = "FILE.toml")]
    config: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve a catalog, a folder, or a demonstration.
    #[command(subcommand)]
    Serve(Serve),
    /// Register files and folders in a catalog.
    Register(register::RegisterOptions),
    /// Manage a catalog of data to be served.
    #[command(subcommand)]
    Catalog(catalog::CatalogCommand),
    /// Write example files of every format into a folder.
    GenerateExampleData {
        /// Made when it is not there.
        directory: PathBuf,
        /// Where the plugins are.
        #[arg(long, value_name = "DIR")]
        plugins: Option<PathBuf>,
    },
    /// Look at plugins without running them.
    Plugin(plugin::PluginCommand),
}

#[derive(Subcommand)]
enum Serve {
    /// Serve the files of a folder.
    Directory {
        /// The folder.
        directory: PathBuf,
        #[command(flatten)]
        options: ServeOptions,
        #[command(flatten)]
        walk: WalkOptions,
    },
    /// Serve a catalog.
    Catalog(serve::CatalogOptions),
    /// Serve example files from a temporary folder.
    Demo {
        #[command(flatten)]
        options: ServeOptions,
    },
    /// Serve what a file configures, as `--config` does.
    Config {
        /// The file.
        file: PathBuf,
    },
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        None => match cli.config {
            Some(file) => serve::config(&file),
            None => {
                use clap::CommandFactory;
                let _ = Cli::command().print_help();
                return ExitCode::FAILURE;
            }
        },
        Some(Command::Serve(Serve::Config { file })) => serve::config(&file),
        Some(Command::Serve(Serve::Directory { directory, options, walk })) => {
            serve::directory(&directory, &options, &walk)
        }
        Some(Command::Serve(Serve::Catalog(options))) => serve::catalog(&options),
        Some(Command::Register(options)) => register::run(&options),
        Some(Command::Catalog(command)) => catalog::run(command),
        Some(Command::Serve(Serve::Demo { options })) => serve::demo(&options),
        Some(Command::GenerateExampleData { directory, plugins }) => {
            crate::example::generate(&directory, plugins.as_deref()).map_err(anyhow::Error::from)
        }
        Some(Command::Plugin(command)) => plugin::run(command),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tiled-host: {error:#}");
            ExitCode::FAILURE
        }
    }
}

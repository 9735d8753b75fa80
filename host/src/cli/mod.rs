//! The command line: one sub-command per file.

mod plugin;
mod serve;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

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
    /// Serve a folder, or a demonstration.
    #[command(subcommand)]
    Serve(Serve),
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
        /// Keep file name suffixes in keys.
        #[arg(long)]
        keep_ext: bool,
    },
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

#[derive(Args)]
struct ServeOptions {
    /// Let anyone read.
    #[arg(long)]
    public: bool,
    /// The key that may do everything; made up and printed when absent.
    #[arg(long, env = "TILED_SINGLE_USER_API_KEY", hide_env_values = true)]
    api_key: Option<String>,
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// The port to listen on; 0 for any that is free.
    #[arg(long, default_value_t = 8000)]
    port: u16,
    /// Where the plugins are.
    #[arg(long, value_name = "DIR")]
    plugins: Option<PathBuf>,
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
        Some(Command::Serve(Serve::Directory { directory, options, keep_ext })) => {
            serve::directory(&directory, &options, keep_ext)
        }
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

//! `tiled-host plugin`: what plugins say of themselves. None of their code runs.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};

use crate::{
    config::{Config, PluginsConfig},
    plugin::{Descriptor, Inspected, Overview, PluginState, PluginStatus, inspect, overview},
};

/// `tiled-host plugin …`.
#[derive(Args)]
pub struct PluginCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show which plugins there are, what they claim, who is in whose way, and what is left out and why.
    List {
        /// The server's configuration, or a plugin manifest.
        #[arg(long, value_name = "FILE.toml")]
        config: Option<PathBuf>,
        /// Look into this folder instead of the usual one.
        #[arg(long, value_name = "DIR", conflicts_with = "config")]
        plugins: Option<PathBuf>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show the descriptor of one file.
    Inspect {
        /// The library.
        file: PathBuf,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Runs the sub-command.
///
/// # Errors
/// The file is no plugin; or, for `list`, the server would not start with these plugins.
pub fn run(command: PluginCommand) -> anyhow::Result<()> {
    match command.command {
        Command::List { config, plugins, json } => list(&configuration(config, plugins)?, json),
        Command::Inspect { file, json } => show(&file, json),
    }
}

fn configuration(config: Option<PathBuf>, plugins: Option<PathBuf>) -> anyhow::Result<PluginsConfig> {
    match (config, plugins) {
        (Some(path), _) => Ok(Config::read(&path)?.1),
        (None, Some(directory)) => Ok(PluginsConfig::in_directory(directory)),
        (None, None) => Ok(PluginsConfig::default()),
    }
}

fn list(config: &PluginsConfig, json: bool) -> anyhow::Result<()> {
    let overview = overview(config);
    if json {
        println!("{}", serde_json::to_string_pretty(&overview)?);
    } else {
        print!("{}", table(&overview));
    }
    match overview.problems.len() {
        0 => Ok(()),
        n => bail!("the server would not start: {n} problem{}", if n == 1 { "" } else { "s" }),
    }
}

fn show(file: &Path, json: bool) -> anyhow::Result<()> {
    match inspect(file).map_err(|refusal| anyhow::anyhow!("{refusal}"))? {
        Inspected::Plugin(descriptor) if json => println!("{}", serde_json::to_string_pretty(&descriptor)?),
        Inspected::Plugin(descriptor) => print!("{}", described(&descriptor)),
        Inspected::Other(what) => {
            return Err(anyhow::anyhow!("{what}"))
                .with_context(|| format!("{} is no plugin", file.display()));
        }
    }
    Ok(())
}

fn table(overview: &Overview) -> String {
    let mut text = String::new();
    let (there, left_out): (Vec<_>, Vec<_>) =
        overview.plugins.iter().partition(|plugin| plugin.state == PluginState::Found);
    for plugin in there {
        line_of(&mut text, plugin);
    }
    if text.is_empty() {
        text.push_str("no plugins found\n");
    }
    let heading = |text: &mut String, what: &str| {
        let _ = writeln!(text, "\n{what}:");
    };
    if !left_out.is_empty() {
        heading(&mut text, "left out");
        for plugin in left_out {
            let reason = plugin.reason.as_deref().unwrap_or("no reason given");
            // A refusal begins with the file already.
            let line = if reason.starts_with(&plugin.path) {
                reason.to_owned()
            } else {
                format!("{}: {reason}", plugin.path)
            };
            let _ = writeln!(text, "  {line}");
        }
    }
    if !overview.problems.is_empty() {
        heading(&mut text, "problems");
        for problem in &overview.problems {
            let _ = writeln!(text, "  {problem}");
        }
    }
    text
}

fn line_of(text: &mut String, plugin: &PluginStatus) {
    let word = |text: &Option<String>| text.clone().unwrap_or_default();
    let api = word(&plugin.api_version);
    let _ = writeln!(
        text,
        "{} {} (plugin API {api}): {}",
        word(&plugin.name),
        word(&plugin.version),
        plugin.path
    );
    for (what, claims) in [
        ("opens", &plugin.reads),
        ("suffixes", &plugin.extensions),
        ("encodes", &plugin.encodes),
        ("stores", &plugin.writes),
    ] {
        if !claims.is_empty() {
            let _ = writeln!(text, "  {what:<9}{}", claims.join(", "));
        }
    }
}

fn described(descriptor: &Descriptor) -> String {
    let Descriptor { name, version, abi, abi_major, abi_minor, api_version, panic, target, symbol, .. } =
        descriptor;
    let mut text = format!(
        "{name} {version}\n  built with plugin API {api_version} ({abi_major}.{abi_minor} on {abi}) for {target}, panic = {panic}\n  \
         exports {symbol}\n"
    );
    for reader in &descriptor.readers {
        let kind = if reader.directory { "directories" } else { "files" };
        let sequence =
            reader.sequence.as_ref().map(|s| format!("; numbered files as {s}")).unwrap_or_default();
        let suffixes = reader.extensions.join(" ");
        let _ = writeln!(text, "  opens {kind} of {} [{suffixes}]{sequence}", reader.mimetypes.join(", "));
    }
    for serializer in &descriptor.serializers {
        let (families, media_types) = (serializer.families.join(", "), serializer.media_types.join(", "));
        let aliases: Vec<&str> = serializer.aliases.keys().map(String::as_str).collect();
        let _ = writeln!(text, "  encodes {families} as {media_types} [{}]", aliases.join(" "));
    }
    for writer in &descriptor.writers {
        let _ = writeln!(text, "  stores {}", writer.mimetypes.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_left_out_is_listed_with_its_reason() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("text.so"), "hello").unwrap();
        let text = table(&overview(&PluginsConfig::in_directory(dir.path())));
        let expected = format!(
            "no plugins found\n\nleft out:\n  {}/text.so: not a shared library\n",
            dir.path().display()
        );
        assert_eq!(text, expected);
        let error = show(&dir.path().join("text.so"), false).unwrap_err();
        assert!(format!("{error:#}").ends_with("text.so is no plugin: not a shared library"), "{error:#}");
    }

    #[test]
    fn a_folder_that_is_not_there_is_a_problem() {
        let text = table(&overview(&PluginsConfig::in_directory("/nowhere/at/all")));
        assert!(text.contains("problems:\n  /nowhere/at/all: cannot be found"), "{text}");
        assert!(list(&PluginsConfig::in_directory("/nowhere/at/all"), true).is_err());
    }
}

//! `tiled-host register`: puts files into a catalog, without a server; one that runs on the same database serves them
//! at once.

use std::{
    collections::BTreeMap,
    io::IsTerminal as _,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::{options::WalkOptions, serve};
use crate::{
    boot::Registration,
    config::Config,
    register::{Options, Problem, Registrar, Summary},
};

/// Folders looked at at a time.
const WORKERS: usize = 4;
/// Files named in the report; `--verbose` names all of them while they are met.
const NAMED_MAX: usize = 100;
const BAR_EVERY: Duration = Duration::from_millis(100);
const LINE_EVERY: Duration = Duration::from_secs(5);

/// `tiled-host register …`.
#[derive(Args)]
pub struct RegisterOptions {
    /// The server's configuration. Files are registered in its catalog.
    #[arg(long, value_name = "FILE.toml")]
    config: PathBuf,
    /// Location within the server's namespace to register these files.
    #[arg(long, default_value = "/")]
    prefix: String,
    /// Files or directories to register.
    #[arg(required = true, value_name = "DIR|FILE")]
    paths: Vec<PathBuf>,
    /// First remove what is registered below the prefix, as Tiled does. Without it files that have not changed are
    /// left as they are, and those that have keep their node.
    #[arg(long)]
    overwrite: bool,
    /// Remove nodes whose files are gone (--watch does it always).
    #[arg(long)]
    prune: bool,
    #[command(flatten)]
    walk: WalkOptions,
}

/// Registers, reports, and with `--watch` goes on until it is told to end.
///
/// # Errors
/// When nothing could be registered although there were files, or the catalog could not be written. Files that are
/// left out are no error, as in Tiled: the report names them.
pub fn run(options: &RegisterOptions) -> Result<()> {
    serve::init_log(match (options.walk.verbose, options.walk.watch) {
        (true, _) => "info,tiled_host::register=debug",
        (false, true) => "warn",
        (false, false) => "error",
    });
    let began = Instant::now();
    let (config, mut plugins) = Config::read(&options.config)?;
    options.walk.teach(&mut plugins);
    // Copying the libraries would take longer than a small registration.
    plugins.plugins.in_place = !options.walk.watch;
    let registration = Registration::prepare(&config, &plugins, &options.prefix)?;
    let mut registrars = Vec::new();
    for (at, path) in options.paths.iter().enumerate() {
        let how = Options {
            keep_ext: options.walk.keep_ext,
            overwrite: options.overwrite && at == 0,
            prune: options.prune,
            include: options.walk.include_ext.clone(),
            rules: rules(&options.walk)?,
            workers: WORKERS,
        };
        registrars.push(Arc::new(registration.registrar(path, how, options.walk.watch)?));
    }
    end_with_signals(&registrars).context("listening for signals")?;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let shown = scope.spawn(|| show_progress(&registrars, options, &done));
        registrars.iter().for_each(|registrar| drop(registrar.run()));
        done.store(true, Ordering::Release);
        shown.thread().unpark();
    });
    let outcome = report(&registrars, began.elapsed());
    if options.walk.watch {
        eprintln!("Watching for changes...");
        std::thread::scope(|scope| {
            for registrar in &registrars {
                scope.spawn(|| registrar.run_and_watch(|_| ()));
            }
        });
    }
    outcome
}

fn rules(walk: &WalkOptions) -> Result<Vec<crate::register::Rule>> {
    walk.walkers.iter().map(|rule| rule.parse().map_err(anyhow::Error::msg)).collect()
}

/// SIGTERM and Ctrl-C end the walk after what is being committed; a second time they end the program at once.
fn end_with_signals(registrars: &[Arc<Registrar>]) -> std::io::Result<()> {
    let registrars = registrars.to_vec();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let wait = move || {
        runtime.block_on(async {
            serve::ended().await;
            registrars.iter().for_each(|registrar| registrar.stop());
            serve::ended().await;
        });
        std::process::exit(130);
    };
    std::thread::Builder::new().name("signals".into()).spawn(wait).map(drop)
}

/// A bar on a terminal, a line from time to time elsewhere.
fn show_progress(registrars: &[Arc<Registrar>], options: &RegisterOptions, done: &AtomicBool) {
    let has_bar = std::io::stderr().is_terminal() && !options.walk.verbose && !options.walk.watch;
    let bar = if has_bar { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{spinner} {human_pos} files ({per_sec}) {wide_msg}") {
        bar.set_style(style);
    }
    let mut last_line = Instant::now();
    while !done.load(Ordering::Acquire) {
        std::thread::park_timeout(BAR_EVERY);
        let now = total(registrars);
        let left_out = now.problems + now.unknown;
        if has_bar {
            bar.set_position(now.files);
            bar.set_message(if left_out > 0 { format!("{left_out} left out") } else { String::new() });
        } else if last_line.elapsed() >= LINE_EVERY {
            last_line = Instant::now();
            eprintln!("{} files, {left_out} left out", now.files);
        }
    }
    bar.finish_and_clear();
}

fn total(registrars: &[Arc<Registrar>]) -> Summary {
    registrars.iter().fold(Summary::default(), |mut total, registrar| {
        let one = registrar.summary();
        total.nodes += one.nodes;
        total.renewed += one.renewed;
        total.unchanged += one.unchanged;
        total.removed += one.removed;
        total.files += one.files;
        total.unknown += one.unknown;
        total.problems += one.problems;
        total.catalog_failure = total.catalog_failure.or(one.catalog_failure);
        total
    })
}

/// Says what was done, and what was not and why.
fn report(registrars: &[Arc<Registrar>], took: Duration) -> Result<()> {
    let total = total(registrars);
    let seconds = took.as_secs_f64();
    println!(
        "{} files in {seconds:.2} s ({:.0} files/s): {} new nodes, {} changed, {} unchanged, {} removed",
        total.files,
        total.files as f64 / seconds.max(f64::EPSILON),
        total.nodes,
        total.renewed,
        total.unchanged,
        total.removed
    );
    let problems: Vec<Problem> = registrars.iter().flat_map(|registrar| registrar.problems()).collect();
    let (unknown, failed): (Vec<Problem>, Vec<Problem>) =
        problems.into_iter().partition(|problem| problem.is_unknown);
    if total.problems > 0 {
        println!("Not registered: {}", total.problems);
        for problem in failed.iter().take(NAMED_MAX) {
            println!("  {}: {}", problem.path.display(), problem.reason);
        }
        let more = total.problems.saturating_sub(NAMED_MAX as u64);
        if more > 0 {
            println!("  and {more} more; --verbose names them");
        }
    }
    if total.unknown > 0 {
        println!("Of a kind that no plugin opens: {} ({})", total.unknown, by_suffix(&unknown));
    }
    if let Some(reason) = total.catalog_failure {
        bail!("not everything could be written into the catalog: {reason}");
    }
    if total.files == 0 && total.problems > 0 {
        bail!("nothing could be registered");
    }
    Ok(())
}

/// `.txt 12, .log 3`, the most frequent first.
fn by_suffix(unknown: &[Problem]) -> String {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for problem in unknown {
        let suffix = problem.path.extension().map(|suffix| format!(".{}", suffix.to_string_lossy()));
        *counts.entry(suffix.unwrap_or_else(|| "without suffix".to_owned())).or_default() += 1;
    }
    let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let words: Vec<String> =
        counts.iter().take(10).map(|(suffix, count)| format!("{suffix} {count}")).collect();
    words.join(", ")
}

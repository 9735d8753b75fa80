//! Registration: from a folder to rows of a catalog, with the rules of Tiled's walker. Takes a folder, a catalog and
//! something that knows file types; gives nodes, and a list of what was left out and why. Folders are filled when
//! somebody asks for them, the rest in the background. Files that have not changed are not opened again, those that
//! have keep their node. Never reads values, never follows links out of the folder, and no file stops it.

mod commit;
mod folder;
mod follow;
mod gather;
mod identify;
mod keys;
mod nodes;
mod options;
mod parallel;
mod plugins;
mod prune;
mod registrar;
mod rules;
mod sequence;
mod stamp;
mod state;
#[cfg(test)]
mod tests;
mod watch;

use std::{path::Path, sync::Arc};

use options::Left;
use watch::Watches;

pub use identify::{Identified, Identify};
pub use options::{Options, Problem, Summary};
pub use plugins::PluginIdentify;
pub use registrar::Registrar;
pub use rules::{Rule, Walk};

use crate::{
    catalog::{Catalog, ROOT},
    plugin::Plugins,
    source::Roots,
    tree::Filler,
};

impl Registrar {
    /// As [`Registrar::new`], for [`Registrar::run_and_watch`].
    ///
    /// # Errors
    /// As there; also when it is no folder, or the system does not tell of changes.
    pub fn watching(
        catalog: Arc<Catalog>,
        parent: i64,
        folder: &Path,
        options: Options,
        identify: Arc<dyn Identify>,
    ) -> Result<Self, String> {
        if !folder.is_dir() {
            return Err(format!("{}: only folders can be watched", folder.display()));
        }
        let watches = Watches::new().map_err(|error| {
            format!("cannot watch folders: {error}; raise the limit (sysctl fs.inotify.max_user_instances)")
        })?;
        let options = Options { prune: true, ..options };
        Self::prepare(catalog, parent, folder, options, identify, Some(watches))
    }
}

/// Registers a folder in an empty catalog while it is looked at, and meanwhile in the background; with `watch` also
/// what changes later.
///
/// # Errors
/// When the folder cannot be read.
pub fn follow(
    catalog: Arc<Catalog>,
    folder: &Path,
    options: Options,
    watch: bool,
    roots: Roots,
    plugins: Arc<Plugins>,
) -> Result<Arc<dyn Filler>, String> {
    let identify = Arc::new(PluginIdentify::new(plugins, roots));
    let registrar = if watch {
        Registrar::watching(catalog, ROOT, folder, options, identify)?
    } else {
        Registrar::new(catalog, ROOT, folder, options, identify)?
    };
    Ok(Arc::new(Following::start(registrar)))
}

/// A registrar with a thread that goes on with what nobody has asked for yet; it ends with this.
struct Following {
    registrar: Arc<Registrar>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// The thread gets so long at the end, so that a temporary catalog is not in use when it is removed.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

impl Following {
    fn start(registrar: Registrar) -> Self {
        let registrar = Arc::new(registrar);
        let worker = registrar.clone();
        let run = move || {
            worker.run_and_watch(|registrar| {
                let summary = registrar.summary();
                let left_out = summary.problems + summary.unknown;
                tracing::info!("registered {} nodes, left out {left_out} files", summary.nodes);
            });
        };
        let thread = std::thread::Builder::new().name("register".into()).spawn(run);
        let thread = thread
            .inspect_err(|error| {
                tracing::warn!("folders are registered only when they are asked for: {error}")
            })
            .ok();
        Following { registrar, thread }
    }
}

impl Filler for Following {
    fn is_behind(&self, keys: &[&str]) -> bool {
        self.registrar.is_behind(keys)
    }

    fn catch_up(&self, keys: &[String]) {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        self.registrar.ensure(&keys);
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.registrar.stop();
        let began = std::time::Instant::now();
        while self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) && began.elapsed() < PATIENCE {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}

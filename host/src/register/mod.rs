//! Registration: from a folder to rows of a catalog, with the rules of Tiled's walker. Takes a folder, a catalog and
//! something that knows file types; gives nodes, and a list of what was left out and why. Folders are filled when
//! somebody asks for them, the rest in the background. Never reads values, never follows links out of the folder, and
//! no file stops it.

mod folder;
mod identify;
mod keys;
mod nodes;
mod parallel;
mod plugins;
mod registrar;
mod sequence;
#[cfg(test)]
mod tests;

use std::{path::Path, sync::Arc};

pub use identify::{Identified, Identify};
pub use plugins::PluginIdentify;
pub use registrar::{Options, Problem, Registrar, Summary};

use crate::{
    catalog::{Catalog, ROOT},
    plugin::Plugins,
    source::Roots,
    tree::Filler,
};

/// Registers a folder in an empty catalog while it is looked at, and meanwhile in the background.
///
/// # Errors
/// When the folder cannot be read.
pub fn follow(
    catalog: Arc<Catalog>,
    folder: &Path,
    keep_ext: bool,
    roots: Roots,
    plugins: Arc<Plugins>,
) -> Result<Arc<dyn Filler>, String> {
    let identify = Arc::new(PluginIdentify::new(plugins, roots));
    let options = Options { keep_ext, ..Options::default() };
    let registrar = Registrar::new(catalog, ROOT, folder, options, identify)?;
    Ok(Arc::new(Following::start(registrar)))
}

/// A registrar with a thread that goes on with what nobody has asked for yet; it ends with this.
struct Following(Arc<Registrar>);

impl Following {
    fn start(registrar: Registrar) -> Self {
        let registrar = Arc::new(registrar);
        let worker = registrar.clone();
        let run = move || {
            let summary = worker.run();
            tracing::info!("registered {} nodes, left out {} files", summary.nodes, summary.problems);
        };
        if let Err(error) = std::thread::Builder::new().name("register".into()).spawn(run) {
            tracing::warn!("folders are registered only when they are asked for: {error}");
        }
        Following(registrar)
    }
}

impl Filler for Following {
    fn is_behind(&self, keys: &[&str]) -> bool {
        self.0.is_behind(keys)
    }

    fn catch_up(&self, keys: &[String]) {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        self.0.ensure(&keys);
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.0.stop();
    }
}

//! From a configuration to a server: all wiring, once.

mod registration;

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use axum::Router;
use serde_json::Value;
use tiled_plugin_api::model::Spec;

pub use registration::Registration;

use crate::{
    app::{App, AppState},
    auth::{Authenticator, random_key},
    catalog::{Catalog, NewNode},
    config::{Config, PluginsConfig, TreeArgs, TreeConfig},
    http,
    plugin::Plugins,
    read::{Budget, Readers},
    register,
    render::RenderCache,
    source::{Roots, Storages},
    tree::{Filler, Mount, MountOptions, Tree, TreeLimits},
    write::{SpecRules, Writers},
};

/// A column of a table that is read as an array is in memory as a whole.
const MAX_COLUMN_BYTES: u64 = 300_000_000;

/// A server that is ready to listen.
pub struct Booted {
    /// All routes.
    pub router: Router,
    /// The app behind them.
    pub app: App,
    /// The single user's key.
    pub api_key: String,
    /// Whether the key was made up just now, so that it must be shown.
    pub key_is_new: bool,
}

/// A start that failed, in words for the operator.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BootError(String);

impl BootError {
    fn of(error: impl std::fmt::Display) -> Self {
        BootError(error.to_string())
    }

    fn of_tree(tree: &TreeConfig, error: impl std::fmt::Display) -> Self {
        BootError(format!("tree {}: {error}", tree.path))
    }
}

/// Loads plugins, opens catalogs, makes routes.
///
/// # Errors
/// What is wrong and what to do, naming tree, plugin or key.
pub fn boot(config: &Config, plugins: &PluginsConfig) -> Result<Booted, BootError> {
    let storages: Vec<Storages> = config.trees.iter().map(storages_of).collect::<Result<_, _>>()?;
    let roots = config.trees.iter().zip(&storages).map(|(tree, storages)| roots_of(tree, storages));
    let roots: Vec<Roots> = roots.collect::<Result<_, _>>()?;
    let all_roots =
        Roots::new(roots.iter().flat_map(|roots| roots.paths().to_vec())).map_err(BootError::of)?;
    let plugins = Arc::new(Plugins::load(plugins, &all_roots).map_err(BootError::of)?);
    check_paths(&config.trees)?;
    let mut mounts = Vec::new();
    for ((tree, roots), storages) in config.trees.iter().zip(roots).zip(storages) {
        mounts.push(mount(tree, roots, storages, &plugins, config.create_mount_nodes_if_not_exist)?);
    }
    let limits = TreeLimits {
        open_adapters: config.limits.open_adapters,
        max_column_bytes: config.response_bytesize_limit.min(MAX_COLUMN_BYTES),
        exact_count_limit: count_limit(config),
    };
    let tree = Arc::new(Tree::new(mounts, plugins, &limits));
    let rules = SpecRules {
        declared: config.specs.iter().map(|spec| spec.spec.clone()).collect(),
        reject_undeclared: config.reject_undeclared_specs,
    };
    let writers = Writers::new(tree.clone(), rules);
    let readers = Readers {
        tree,
        budget: Budget::new(config.limits.memory_mb << 20),
        response_bytesize_limit: config.response_bytesize_limit,
        whole_bytes: config.limits.whole_mb << 20,
        first_byte: Duration::from_secs(config.limits.request_s),
    };
    let given = config.authentication.single_user_api_key.clone();
    let key_is_new = given.is_none();
    let api_key = given.unwrap_or_else(random_key);
    if api_key.is_empty() || !api_key.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(BootError("single_user_api_key must be letters and digits only".into()));
    }
    let app = App::new(AppState {
        auth: Authenticator::new(&api_key, config.authentication.allow_anonymous_access),
        readers,
        writers,
        max_body_bytes: config.limits.body_mb << 20,
        rendered: RenderCache::new(config.limits.metadata_cache_mb << 20),
        root_path: normalised(&config.uvicorn.root_path),
        expose_raw_assets: config.expose_raw_assets,
        exact_count_limit: count_limit(config),
        allow_origins: config.allow_origins.clone(),
    });
    Ok(Booted { router: http::router(app.clone()), app, api_key, key_is_new })
}

/// Below 0 there is none: more entries than a database counts.
fn count_limit(config: &Config) -> u64 {
    u64::try_from(config.exact_count_limit).unwrap_or(1 << 62)
}

/// Empty, or `/prefix`.
fn normalised(root_path: &str) -> String {
    let bare = root_path.trim_matches('/');
    if bare.is_empty() { String::new() } else { format!("/{bare}") }
}

/// Folders of a tree's storages: what is written there is read there.
fn roots_of(tree: &TreeConfig, storages: &Storages) -> Result<Roots, BootError> {
    let mut paths = Vec::new();
    for (i, storage) in storages.all().iter().enumerate() {
        let Some(path) = storage.folder().map_err(BootError::of)? else { continue };
        // A storage that is written first needs not be there yet.
        if i < storages.writable().len() && !path.exists() {
            std::fs::create_dir_all(&path).map_err(|e| BootError(format!("{}: {e}", path.display())))?;
        }
        paths.push(path);
    }
    paths.extend(tree.args.directory.clone());
    Roots::new(paths).map_err(|error| BootError::of_tree(tree, error))
}

fn storages_of(tree: &TreeConfig) -> Result<Storages, BootError> {
    let storages = Storages::new(&tree.args.writable_storage.0, &tree.args.readable_storage.0);
    storages.map_err(|error| BootError::of_tree(tree, error))
}

/// The catalog of a tree that has one.
fn catalog_of(tree: &TreeConfig) -> Result<Catalog, BootError> {
    let uri = tree.args.uri.as_deref();
    let uri = uri.ok_or_else(|| BootError::of_tree(tree, "args.uri is missing: the catalog's database"))?;
    Catalog::open(uri, tree.args.init_if_not_exists).map_err(|error| BootError::of_tree(tree, error))
}

fn check_paths(trees: &[TreeConfig]) -> Result<(), BootError> {
    let mut seen = BTreeMap::new();
    for tree in trees {
        if seen.insert(segments(&tree.path), ()).is_some() {
            return Err(BootError(format!("two [[trees]] have the path {}: give each its own", tree.path)));
        }
    }
    Ok(())
}

fn segments(path: &str) -> Vec<String> {
    path.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect()
}

fn mount(
    tree: &TreeConfig,
    roots: Roots,
    storages: Storages,
    plugins: &Arc<Plugins>,
    create_mount_nodes: bool,
) -> Result<Mount, BootError> {
    let (catalog, filler): Filled = match tree.tree.as_str() {
        "catalog" => {
            let catalog = Arc::new(catalog_of(tree)?);
            if !tree.args.without_search_index {
                index_in_background(&catalog, tree.path.clone());
            }
            (catalog, None)
        }
        "directory" => {
            let folder = tree.args.directory.as_deref();
            let folder = folder.ok_or_else(|| BootError::of_tree(tree, "args.directory is missing"))?;
            directory(tree, folder, &roots, plugins).map_err(|error| BootError::of_tree(tree, error))?
        }
        other => {
            let message = format!("tree = \"{other}\" is not known: use \"catalog\" or \"directory\"");
            return Err(BootError::of_tree(tree, message));
        }
    };
    let options = MountOptions {
        metadata: tree.args.metadata.clone(),
        specs: tree.args.specs.iter().map(spec).collect::<Result<_, _>>()?,
        access_tags: tree.args.top_level_access_tags.clone(),
        mount_node: mount_node(tree.args.mount_node.as_ref()),
        roots,
        storages,
    };
    let mount = Mount { path: segments(&tree.path), catalog, options, filler };
    check_mount_node(&mount, create_mount_nodes).map_err(|error| BootError::of_tree(tree, error))?;
    Ok(mount)
}

/// Makes the catalog's search index if it has none, while it is served already. Ends with the server.
fn index_in_background(catalog: &Arc<Catalog>, path: String) {
    let catalog = Arc::downgrade(catalog);
    let build = move || {
        let started = std::time::Instant::now();
        let Some(held) = catalog.upgrade() else { return };
        if held.has_search_index().unwrap_or(false) {
            return;
        }
        match held.build_search_index(|_| catalog.strong_count() > 1) {
            Ok(()) => {
                tracing::info!("tree {path}: search index built in {:.1} s", started.elapsed().as_secs_f64())
            }
            Err(error) => tracing::info!("tree {path}: searches go without an index: {error}"),
        }
    };
    // Without a thread for it, searches go without an index.
    drop(std::thread::Builder::new().name("search-index".to_owned()).spawn(build));
}

/// A catalog, and what fills it.
type Filled = (Arc<Catalog>, Option<Arc<dyn Filler>>);

/// A folder as a catalog that fills itself.
fn directory(
    tree: &TreeConfig,
    folder: &Path,
    roots: &Roots,
    plugins: &Arc<Plugins>,
) -> Result<Filled, BootError> {
    let catalog = Arc::new(Catalog::temporary().map_err(BootError::of)?);
    let options = walking(&tree.args)?;
    let filler =
        register::follow(catalog.clone(), folder, options, tree.args.watch, roots.clone(), plugins.clone());
    Ok((catalog, Some(filler.map_err(BootError::of)?)))
}

/// How the folder of a tree is walked.
fn walking(args: &TreeArgs) -> Result<register::Options, BootError> {
    let rules = args.walkers.iter().map(|rule| rule.parse().map_err(BootError::of));
    Ok(register::Options {
        keep_ext: args.keep_ext,
        include: args.include_ext.clone(),
        rules: rules.collect::<Result<_, _>>()?,
        workers: 1,
        ..register::Options::default()
    })
}

fn spec(value: &Value) -> Result<Spec, BootError> {
    match value {
        Value::String(name) => Ok(Spec::named(name.clone())),
        other => serde_json::from_value(other.clone()).map_err(|e| BootError(format!("specs: {e}"))),
    }
}

fn mount_node(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(path)) => segments(path),
        Some(Value::Array(keys)) => keys.iter().filter_map(|key| key.as_str().map(str::to_owned)).collect(),
        _ => vec![],
    }
}

fn check_mount_node(mount: &Mount, create: bool) -> Result<(), BootError> {
    let keys: Vec<&str> = mount.options.mount_node.iter().map(String::as_str).collect();
    let found = mount.catalog.lookup(&keys).map_err(BootError::of)?;
    if found.is_some_and(|(_, consumed)| consumed == keys.len()) {
        return Ok(());
    }
    if create {
        let last = NewNode {
            specs: mount.options.specs.clone(),
            access_tags: mount.options.access_tags.clone(),
            ..NewNode::container("")
        };
        return mount.catalog.create_path_to(&keys, &last).map(|_| ()).map_err(BootError::of);
    }
    Err(BootError(format!(
        "mount_node /{} is not in the catalog: create it first, or set create_mount_nodes_if_not_exist = true",
        keys.join("/")
    )))
}

//! From a file to a plugin that runs, in this order: stat, inspect, policy, private copy, load and compare, create.
//! Each step refuses in one line.

use std::{
    fs::{File, Metadata},
    io::{Read, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use sha2::{Digest, Sha256};
use tiled_plugin_api::{
    abi::{ABI_MAJOR, ABI_NAME, ForeignPlugin},
    author::Host,
};

use super::{
    LoadedPlugin, edge,
    error::{Refusal, Step},
    health::Health,
    inspect::{Descriptor, Inspected, inspect},
    manifest::Settings,
    pool::Pool,
};

/// A file that is a plugin, not yet loaded.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) path: PathBuf,
    pub(super) descriptor: Descriptor,
}

/// Reads a file's descriptor and holds it against what this server allows. `None`: not a plugin, and what it is.
pub(super) fn candidate(path: &Path) -> Result<Result<Candidate, String>, Refusal> {
    let descriptor = match inspect(path)? {
        Inspected::Plugin(descriptor) => *descriptor,
        Inspected::Other(what) => return Ok(Err(what)),
    };
    check_policy(path, &descriptor)?;
    Ok(Ok(Candidate { path: path.to_owned(), descriptor }))
}

fn check_policy(path: &Path, descriptor: &Descriptor) -> Result<(), Refusal> {
    let refuse =
        |reason: String, remedy: &str| Err(Refusal::new(path.display(), Step::Policy, reason, remedy));
    let meta = path.metadata().map_err(|e| Refusal::new(path.display(), Step::Find, e, ""))?;
    if is_open_to_all(&meta) {
        return refuse("every user may write to it".into(), "chmod o-w");
    }
    if descriptor.abi != ABI_NAME || descriptor.abi_major != ABI_MAJOR {
        let reason = format!(
            "plugin {} was built for plugin API {}.x on {}, this server has {ABI_MAJOR}.x on {ABI_NAME}",
            descriptor.name, descriptor.abi_major, descriptor.abi
        );
        return refuse(reason, "build it again with the plugin API of this server");
    }
    if descriptor.panic != "unwind" {
        let reason = format!(
            "plugin {} was built with panic = {:?}: a panic would end the server",
            descriptor.name, descriptor.panic
        );
        return refuse(reason, "build it with panic = \"unwind\"");
    }
    Ok(())
}

fn is_open_to_all(meta: &Metadata) -> bool {
    const OTHERS_WRITE: u32 = 0o002;
    meta.mode() & OTHERS_WRITE != 0
}

/// What all plugins of a server share.
pub(super) struct Common<'a> {
    pub(super) state_dir: Option<PathBuf>,
    pub(super) in_place: bool,
    pub(super) host: &'a dyn Fn(&str) -> Host,
    pub(super) group: &'a mut dyn FnMut(&str) -> Arc<Mutex<()>>,
    pub(super) quarantine_after_panics: u32,
}

/// Loads and starts a plugin.
///
/// # Errors
/// At whichever step, in one line.
pub(super) fn load(
    candidate: &Candidate,
    settings: Settings,
    pin: Option<&str>,
    common: &mut Common<'_>,
) -> Result<LoadedPlugin, Refusal> {
    let Candidate { path, descriptor } = candidate;
    let staged = if common.in_place && pin.is_none() {
        Staged { path: path.clone(), _temporary: None }
    } else {
        stage(path, common.state_dir.as_deref(), pin)?
    };
    // The copy is what will be loaded: the original may have been half-copied, or changed since.
    match inspect(&staged.path)
        .map_err(|refusal| Refusal { subject: path.display().to_string(), ..refusal })?
    {
        Inspected::Plugin(again) if *again == *descriptor => {}
        _ => {
            return Err(Refusal::new(
                path.display(),
                Step::Stage,
                "the file is being changed",
                "start again",
            ));
        }
    }
    let named = |refusal: Refusal| Refusal { subject: path.display().to_string(), ..refusal };
    let module = edge::open(&staged.path, descriptor).map_err(named)?;
    drop(staged);
    let host = (common.host)(&descriptor.name);
    let foreign = create(module, host, &settings, path)?;
    let group = settings.exclusive_group.as_deref().map(&mut *common.group);
    Ok(LoadedPlugin {
        path: path.clone(),
        work: Pool::new(&descriptor.name, settings.max_concurrency, group),
        streams: Pool::new(&descriptor.name, STREAMS, None),
        health: Health::new(&descriptor.name, common.quarantine_after_panics),
        descriptor: descriptor.clone(),
        settings,
        foreign,
    })
}

/// Answers that are written at a time. They wait for their clients most of the time.
const STREAMS: usize = 64;

/// Runs the plugin's `create`, which may hang.
fn create(
    module: edge::Module,
    host: Host,
    settings: &Settings,
    path: &Path,
) -> Result<ForeignPlugin, Refusal> {
    let refuse = |reason: String, remedy: &str| Refusal::new(path.display(), Step::Create, reason, remedy);
    let (send, receive) = mpsc::channel();
    let config = settings.config.clone();
    let start = move || {
        let _ = send.send(module.create(host, &config));
    };
    std::thread::Builder::new()
        .name("plugin-start".into())
        .spawn(start)
        .map_err(|e| refuse(format!("no thread: {e}"), ""))?;
    match receive.recv_timeout(settings.timeout.min(Duration::from_secs(3600))) {
        Ok(Ok(plugin)) => Ok(plugin),
        Ok(Err(error)) => Err(refuse(error.to_string(), "see [plugin.config] of this plugin")),
        Err(_) => {
            Err(refuse(format!("no answer within {:?}", settings.timeout), "set timeout_s, or leave it out"))
        }
    }
}

/// A private copy of a library, so that overwriting the original cannot kill the server.
struct Staged {
    path: PathBuf,
    /// Without a state folder the copy goes as soon as it is loaded.
    _temporary: Option<tempfile::TempDir>,
}

fn stage(path: &Path, state_dir: Option<&Path>, pin: Option<&str>) -> Result<Staged, Refusal> {
    let refuse = |reason: String| {
        Refusal::new(
            path.display(),
            Step::Stage,
            reason,
            "set [plugins] state_dir to a folder the server may write to",
        )
    };
    let io = |e: std::io::Error| refuse(e.to_string());
    let name = path.file_name().ok_or_else(|| refuse("it has no name".into()))?;
    let Some(state_dir) = state_dir else {
        let dir = tempfile::Builder::new().prefix("tiled-host-plugin-").tempdir().map_err(io)?;
        let copy = dir.path().join(name);
        if pin.is_some() {
            check_pin(path, &copy_file(path, &copy).map_err(io)?, pin)?;
        } else {
            // Nobody asks for the digest: the system copies faster than we read and hash.
            std::fs::copy(path, &copy).map_err(io)?;
        }
        return Ok(Staged { path: copy, _temporary: Some(dir) });
    };
    let plugins = state_dir.join("plugins");
    std::fs::create_dir_all(&plugins).map_err(io)?;
    let partial = tempfile::Builder::new().prefix(".partial-").tempdir_in(&plugins).map_err(io)?;
    let digest = copy_file(path, &partial.path().join(name)).map_err(io)?;
    check_pin(path, &digest, pin)?;
    let home = plugins.join(&digest);
    std::fs::create_dir_all(&home).map_err(io)?;
    let copy = home.join(name);
    // A rename: whoever has the same file loaded keeps it.
    std::fs::rename(partial.path().join(name), &copy).map_err(io)?;
    copy_siblings(path, &home).map_err(io)?;
    Ok(Staged { path: copy, _temporary: None })
}

fn check_pin(path: &Path, digest: &str, pin: Option<&str>) -> Result<(), Refusal> {
    match pin {
        Some(pin) if !pin.eq_ignore_ascii_case(digest) => {
            let remedy = "install the file that was pinned, or write its new digest into [[plugin]] sha256";
            Err(Refusal::new(
                path.display(),
                Step::Policy,
                format!("its sha256 is {digest}, not {pin}"),
                remedy,
            ))
        }
        _ => Ok(()),
    }
}

/// Copies and gives the digest of what was copied.
fn copy_file(from: &Path, to: &Path) -> std::io::Result<String> {
    const PIECE_BYTES: usize = 1 << 20;
    let (mut from, mut to) = (File::open(from)?, File::create(to)?);
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let got = from.read(&mut piece)?;
        let Some(bytes) = piece.get(..got).filter(|bytes| !bytes.is_empty()) else { break };
        hash.update(bytes);
        to.write_all(bytes)?;
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A plugin in a folder of its own may need what lies beside it (`$ORIGIN`).
fn copy_siblings(path: &Path, home: &Path) -> std::io::Result<()> {
    let Some(folder) = path.parent().filter(|folder| folder.file_stem() == path.file_stem()) else {
        return Ok(());
    };
    for entry in folder.read_dir()? {
        let entry = entry?;
        let to = home.join(entry.file_name());
        if entry.file_type()?.is_file() && !to.exists() {
            std::fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_copy_has_the_digest_of_what_it_holds_and_pins_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let library = dir.path().join("a.so");
        std::fs::write(&library, "abc").unwrap();
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let staged = stage(&library, Some(dir.path()), Some(digest)).unwrap();
        assert_eq!(staged.path, dir.path().join("plugins").join(digest).join("a.so"));
        assert_eq!(std::fs::read(&staged.path).unwrap(), b"abc");
        let refusal = stage(&library, None, Some(&digest.replace('b', "c"))).err().unwrap();
        assert!(refusal.to_string().contains(&format!("its sha256 is {digest}, not ")), "{refusal}");
    }

    #[test]
    fn descriptors_of_another_world_are_refused_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.so");
        std::fs::write(&path, "").unwrap();
        let good = Descriptor {
            name: "a".into(),
            version: "1".into(),
            abi: ABI_NAME.into(),
            abi_major: ABI_MAJOR,
            abi_minor: 99,
            api_version: "1.99.0".into(),
            panic: "unwind".into(),
            target: String::new(),
            symbol: "s".into(),
            threading: String::new(),
            readers: vec![],
            serializers: vec![],
            writers: vec![],
        };
        let check =
            |descriptor: Descriptor| check_policy(&path, &descriptor).map_err(|refusal| refusal.remedy);
        assert_eq!(check(good.clone()), Ok(()));
        let rebuild = Err("build it again with the plugin API of this server".to_owned());
        assert_eq!(check(Descriptor { abi_major: 2, ..good.clone() }), rebuild);
        assert_eq!(check(Descriptor { abi: "c/2".into(), ..good.clone() }), rebuild);
        let unwind = Err("build it with panic = \"unwind\"".to_owned());
        assert_eq!(check(Descriptor { panic: "abort".into(), ..good.clone() }), unwind);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(check(good), Err("chmod o-w".to_owned()));
    }
}

//! The only place that loads code. What comes out of here is the author's traits again; no ABI type leaves.

#![allow(unsafe_code)]

mod check;

use std::{ffi::c_void, path::Path};

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use tiled_plugin_api::{
    abi::{
        ForeignPlugin, PluginModuleRef, export_host,
        reexport::abi_stable::{
            StableAbi,
            library::{AbiHeaderRef, LibHeader},
        },
    },
    author::{Error, Host, Result},
};

use super::{
    error::{Refusal, Step},
    inspect::Descriptor,
};

/// Keeps a library for good: what a plugin gave (buffers, streams, errors) may be dropped long after it was last asked.
const RTLD_NODELETE: i32 = 0x1000;

/// A loaded library whose layouts fit ours.
pub(super) struct Module(PluginModuleRef);

impl Module {
    /// Starts the plugin with its configuration, a JSON object.
    ///
    /// # Errors
    /// The plugin's own; `Panic` when it panicked.
    pub(super) fn create(&self, host: Host, config: &str) -> Result<ForeignPlugin> {
        let create = self.0.create();
        let object = create(export_host(host), config.into()).into_result().map_err(Error::from)?;
        Ok(ForeignPlugin::new(object))
    }
}

/// Loads an inspected library and compares versions and layouts.
///
/// # Errors
/// In one line; the whole comparison goes to the log at level debug.
pub(super) fn open(library: &Path, descriptor: &Descriptor) -> Result<Module, Refusal> {
    let refuse = |step, reason: String, remedy: &str| Refusal::new(library.display(), step, reason, remedy);
    let header = load(library, &descriptor.symbol).map_err(|reason| {
        let remedy = if reason.contains("failed to map segment") {
            "set [plugins] state_dir to a folder that is not mounted noexec"
        } else {
            "install the libraries it needs, or build it again"
        };
        refuse(Step::Open, reason, remedy)
    })?;
    let rebuild = "build it again with the plugin API of this server";
    let header =
        header.upgrade().map_err(|e| refuse(Step::Check, check::condense(&e.to_string()), rebuild))?;
    module_of(header).map(Module).map_err(|reason| refuse(Step::Check, reason, rebuild))
}

fn load(path: &Path, symbol: &str) -> Result<AbiHeaderRef, String> {
    let flags = RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE;
    // SAFETY: this runs the library's constructors. The file is a private copy, was found complete, and says that it is
    // a plugin; that its code is sound is the operator's trust in whoever built it.
    let library = unsafe { Library::open(Some(path), flags) }.map_err(|e| message_of(&e))?;
    // SAFETY: only the address is taken here.
    let address = unsafe { library.get::<*const c_void>(symbol) }.map_err(|e| message_of(&e))?;
    let address = *address;
    std::mem::forget(library);
    if address.is_null() {
        return Err(format!("its symbol {symbol} has no address"));
    }
    // SAFETY: `AbiHeaderRef` is a transparent, not null pointer to the header static of that name. The library is never
    // closed, so the static lives for ever; `upgrade` looks at the magic bytes before it trusts the rest.
    Ok(unsafe { std::mem::transmute::<*const c_void, AbiHeaderRef>(address) })
}

fn module_of(header: &'static LibHeader) -> Result<PluginModuleRef, String> {
    let theirs = header.layout().ok_or("it was built without layout information")?;
    check::either_way(PluginModuleRef::LAYOUT, theirs)?;
    // SAFETY: the layouts were compared just now, and one of the two sides knows all of the other's types.
    let module = unsafe { header.init_root_module_with_unchecked_layout::<PluginModuleRef>() };
    module.map_err(|e| check::condense(&e.to_string()))
}

fn message_of(error: &libloading::Error) -> String {
    use std::error::Error as _;
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

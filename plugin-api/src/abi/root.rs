//! The root of a library: one exported header, from which the host gets the module.

use abi_stable::{
    StableAbi,
    library::{CheckTypeLayout, LibHeader, RootModule, RootModuleResult},
    package_version_strings,
    prefix_type::PrefixTypeTrait,
    sabi_types::VersionStrings,
    std_types::RStr,
};

use super::{
    AbiResult,
    guard::{guard, install_panic_hook},
    host::{HostObject, import_host},
    plugin::{PluginObject, export_plugin},
};
use crate::{
    author::{Error, Host},
    export::Offer,
};

/// What a library exports. A prefix type: later minors add fields at the end.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginModuleRef)))]
#[sabi(missing_field(option))]
pub struct PluginModule {
    /// Makes the plugin; the text is its configuration, a JSON object.
    #[sabi(last_prefix_field)]
    pub create: extern "C" fn(host: HostObject, config: RStr<'_>) -> AbiResult<PluginObject>,
}

impl RootModule for PluginModuleRef {
    abi_stable::declare_root_module_statics! {PluginModuleRef}
    const BASE_NAME: &'static str = "tiled_plugin";
    const NAME: &'static str = "tiled_plugin";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}

/// The module of a plugin, from the function that the macro generates.
pub fn root_module(
    create: extern "C" fn(HostObject, RStr<'_>) -> AbiResult<PluginObject>,
) -> PluginModuleRef {
    PluginModule { create }.leak_into_prefix()
}

/// The header static that the macro exports.
///
/// # Safety
/// `constructor` must give the erased module of a [`PluginModuleRef`].
pub const unsafe fn header(constructor: extern "C" fn() -> RootModuleResult) -> LibHeader {
    // SAFETY: the caller's promise.
    unsafe { LibHeader::from_constructor::<PluginModuleRef>(constructor, CheckTypeLayout::Yes) }
}

/// The body of every plugin's `create`.
pub fn create(
    name: &'static str,
    offer: fn(&Host, serde_json::Value) -> Result<Offer, Error>,
    host: HostObject,
    config: RStr<'_>,
) -> AbiResult<PluginObject> {
    guard("create", || {
        let host = import_host(host);
        install_panic_hook(name, host.clone());
        let config = serde_json::from_str(config.as_str()).map_err(Error::internal)?;
        Ok(export_plugin(offer(&host, config)?, host))
    })
}

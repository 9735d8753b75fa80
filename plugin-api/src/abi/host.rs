//! [`Host`] across the edge: the plugin's calls back.

use std::sync::Arc;

use abi_stable::{
    sabi_trait,
    sabi_trait::TD_Opaque,
    std_types::{RBox, ROption, RStr},
};

use super::{
    AbiResult,
    error::take,
    guard::{guard, guard_or},
    source::{SourceObject, export_source, import_source},
};
use crate::author::{Host, HostServices, Level, OwnedBuffer, Result, Source};

#[sabi_trait]
pub trait AbiHost: Send + Sync {
    fn log(&self, level: u32, message: RStr<'_>);
    fn open_source(&self, uri: RStr<'_>) -> AbiResult<SourceObject>;
    fn resolve(&self, base: RStr<'_>, link: RStr<'_>) -> AbiResult<SourceObject>;
    fn cache_get(&self, key: RStr<'_>) -> ROption<OwnedBuffer>;
    #[sabi(last_prefix_field)]
    fn cache_put(&self, key: RStr<'_>, bytes: OwnedBuffer);
}

pub type HostObject = AbiHost_TO<'static, RBox<()>>;

struct Export(Host);

impl AbiHost for Export {
    fn log(&self, level: u32, message: RStr<'_>) {
        let level = match level {
            1 => Level::Error,
            2 => Level::Warn,
            3 => Level::Info,
            _ => Level::Debug,
        };
        guard_or((), || self.0.log(level, message.as_str()));
    }

    fn open_source(&self, uri: RStr<'_>) -> AbiResult<SourceObject> {
        guard("Host::open_source", || self.0.open_source(uri.as_str()).map(export_source))
    }

    fn resolve(&self, base: RStr<'_>, link: RStr<'_>) -> AbiResult<SourceObject> {
        guard("Host::resolve", || self.0.resolve(base.as_str(), link.as_str()).map(export_source))
    }

    fn cache_get(&self, key: RStr<'_>) -> ROption<OwnedBuffer> {
        guard_or(ROption::RNone, || self.0.cache_get(key.as_str()).into())
    }

    fn cache_put(&self, key: RStr<'_>, bytes: OwnedBuffer) {
        guard_or((), || self.0.cache_put(key.as_str(), bytes));
    }
}

pub fn export_host(host: Host) -> HostObject {
    AbiHost_TO::from_value(Export(host), TD_Opaque)
}

struct Foreign(HostObject);

impl HostServices for Foreign {
    fn log(&self, level: Level, message: &str) {
        self.0.log(level as u32, message.into());
    }

    fn open_source(&self, uri: &str) -> Result<Source> {
        take(self.0.open_source(uri.into())).map(import_source)
    }

    fn resolve(&self, base: &str, link: &str) -> Result<Source> {
        take(self.0.resolve(base.into(), link.into())).map(import_source)
    }

    fn cache_get(&self, key: &str) -> Option<OwnedBuffer> {
        self.0.cache_get(key.into()).into_option()
    }

    fn cache_put(&self, key: &str, bytes: OwnedBuffer) {
        self.0.cache_put(key.into(), bytes);
    }
}

pub fn import_host(object: HostObject) -> Host {
    Host::new(Arc::new(Foreign(object)))
}

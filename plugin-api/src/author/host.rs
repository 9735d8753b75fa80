//! What a plugin may ask of the host.

use std::sync::Arc;

use super::{OwnedBuffer, Result, Source};

/// How much a log line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Level {
    /// Something failed.
    Error = 1,
    /// Something is odd.
    Warn = 2,
    /// Worth knowing.
    Info = 3,
    /// For developers.
    Debug = 4,
}

/// The services behind a [`Host`]; the host implements them.
pub trait HostServices: Send + Sync {
    /// Writes a line to the server's log.
    fn log(&self, level: Level, message: &str);
    /// Opens an asset by its URI, within the readable roots.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    fn open_source(&self, uri: &str) -> Result<Source>;
    /// Opens what a link inside the file `base` names (an external HDF5 file, a virtual dataset's source): the only
    /// way from one file to another. Relative links count from the folder of `base`.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` when the link leads out of the readable roots.
    fn resolve(&self, base: &str, link: &str) -> Result<Source>;
    /// What was kept under `key` by this plugin, if it is still there.
    fn cache_get(&self, key: &str) -> Option<OwnedBuffer>;
    /// Offers bytes (a decoded chunk) to the host's bounded cache. Put the file's version into the key.
    fn cache_put(&self, key: &str, bytes: OwnedBuffer);
}

/// A handle to the host, cheap to clone and good for the plugin's whole life.
#[derive(Clone)]
pub struct Host(Arc<dyn HostServices>);

impl std::ops::Deref for Host {
    type Target = dyn HostServices;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl Host {
    /// A host over these services.
    pub fn new(services: Arc<dyn HostServices>) -> Self {
        Host(services)
    }
}

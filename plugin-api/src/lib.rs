//! The contract between tiled-host and its plugins.
//!
//! # The life of a plugin
//! 1. The host finds a shared library and reads its **descriptor** (name, versions, claims) without running it.
//! 2. It loads the library, compares the layout of every type that crosses, and calls `create` with the plugin's
//!    configuration.
//! 3. A file of a claimed type is asked for: the host opens its bytes as [`Source`](author::Source)s and calls
//!    [`Reader::open`](author::Reader::open), which reads the header and gives an [`Adapter`](author::Adapter).
//! 4. The host asks the adapter to `describe` nodes and to list `children`.
//! 5. It decides what to read (access, limits, ETag), then calls `read_into` with its own buffer, or `read_owned`
//!    where the plugin has the bytes already, or `read_table`.
//! 6. For media types other than raw bytes it hands the values to a [`Serializer`](author::Serializer), which writes
//!    into a [`Sink`](author::Sink).
//! 7. At the end of the server `shutdown` is called; the library is never unloaded.
//!
//! # The smallest plugin
//! ```
//! use tiled_plugin_api::prelude::*;
//!
//! /// Reads a file of bytes as an array of `u1`.
//! struct Raw;
//! struct Open(Source, u64);
//!
//! impl Reader for Raw {
//!     fn open(&self, _cx: &Context, request: OpenRequest) -> Result<Box<dyn Adapter>> {
//!         let source = request.source().clone();
//!         let len = source.len()?;
//!         Ok(Box::new(Open(source, len)))
//!     }
//! }
//!
//! impl Adapter for Open {
//!     fn describe(&self, _path: &str) -> Result<Description> {
//!         let structure = ArrayStructure::single_chunk(DataType::native(Kind::Uint, 1), vec![self.1]);
//!         Description::new(StructureFamily::Array, &structure)
//!     }
//!
//!     fn read_into(&self, _cx: &Context, _path: &str, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
//!         let all = self.0.read_all(1 << 30)?;
//!         for (i, byte) in out.iter_mut().enumerate() {
//!             *byte = all[slice[0].at(i as u64) as usize];
//!         }
//!         Ok(())
//!     }
//! }
//!
//! tiled_plugin_api::export_plugin! {
//!     name: "raw",
//!     readers: [Raw => { mimetypes: ["application/x-raw"], extensions: [".raw"] }],
//! }
//! # fn main() {}
//! ```

#[doc(hidden)]
pub mod abi;
pub mod author;
pub mod disk;
pub mod export;
pub mod layout;
pub mod model;
pub mod prelude;
#[cfg(feature = "testing")]
pub mod testing;

#[cfg(feature = "arrow")]
pub use arrow;
pub use serde_json;

/// This crate's version; not the server's.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The processor and system a library is for, as in `x86_64-linux`.
pub const TARGET: &str = if cfg!(target_arch = "x86_64") {
    "x86_64-linux"
} else if cfg!(target_arch = "aarch64") {
    "aarch64-linux"
} else {
    "other"
};

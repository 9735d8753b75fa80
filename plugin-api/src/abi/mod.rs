//! The frozen edge: what crosses between host and plugin, and nothing else. `ABI.md` is its text; a test ties the two.
//!
//! One contract per file, both sides in it: the trait object, `Export…` (my object, offered to the other side, every
//! entry guarded against panics) and `Foreign…` (the other side's object, as the author's trait again). Descriptive
//! data cross as JSON in Tiled's shapes, bulk data as borrowed slices or [`OwnedBuffer`](crate::author::OwnedBuffer).
//!
//! Hidden from authors. The only room of this crate, beside `author/buffer.rs`, that may hold `unsafe`.
#![allow(missing_docs, non_camel_case_types, non_local_definitions, unsafe_code)]
#![allow(clippy::multiple_unsafe_ops_per_block, clippy::too_many_arguments)]

mod adapter;
mod context;
mod descriptor;
mod error;
mod guard;
mod host;
mod payload;
mod plugin;
mod reader;
mod root;
mod serializer;
mod sink;
mod source;
mod stream;
mod writer;

pub use adapter::{AbiAdapter_TO, AdapterObject, ForeignAdapter, export_adapter};
pub use context::{ContextObject, export_context};
pub use descriptor::{ABI_MAJOR, ABI_MINOR, ABI_NAME, SECTION, descriptor_bytes, descriptor_len};
pub use error::{AbiError, AbiResult};
pub use guard::{guard, guard_drop, install_panic_hook};
pub use host::{HostObject, export_host, import_host};
pub use plugin::{ForeignPlugin, PluginObject, export_plugin};
pub use reader::{ForeignReader, ReaderObject};
pub use root::{PluginModule, PluginModuleRef, create, header, root_module};
pub use serializer::{ForeignSerializer, SerializerObject};
pub use source::{SourceObject, export_source};
pub use stream::release_stream;
pub use writer::{ForeignStorage, ForeignWriter, StorageObject, WriterObject};

#[doc(hidden)]
pub mod reexport {
    //! For the macro and for hosts: the exact abi_stable that this crate was built with.
    pub use abi_stable;
}

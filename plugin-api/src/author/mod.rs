//! What a plugin's author implements ([`Reader`], [`Adapter`], [`Serializer`], [`Writer`], [`Storage`]) and is given
//! ([`Context`], [`Host`], [`Source`], [`Sink`], [`Slabs`], [`TableStream`]).
//!
//! Safe Rust only; nothing here knows abi_stable. The same traits are implemented on the other side of the edge, so
//! that a caller never knows whether the plugin is linked in or loaded.

mod adapter;
mod buffer;
mod context;
mod error;
mod host;
mod payload;
mod reader;
mod serializer;
mod sink;
mod source;
#[cfg(feature = "arrow")]
mod table;
mod writer;

pub use adapter::{Adapter, Buffers, TableRequest};
pub use buffer::OwnedBuffer;
pub use context::{CallState, Context};
pub use error::{Error, ErrorKind, Result};
pub use host::{Host, HostServices, Level};
pub use payload::{Payload, Slab, SlabStream, Slabs, TableStream};
pub use reader::{AssetSource, OpenRequest, Reader};
pub use serializer::{EncodeRequest, Serializer};
pub use sink::{ByteSink, Sink};
pub use source::{ByteSource, Entry, Source};
#[cfg(feature = "arrow")]
pub use table::{encode_schema, one_batch, schema_uri, table_structure};
pub use writer::{CreateRequest, Created, CreatedAsset, Storage, WriteRequest, Writer};

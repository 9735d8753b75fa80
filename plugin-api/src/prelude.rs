//! What an author needs: `use tiled_plugin_api::prelude::*;`

pub use crate::{
    author::{
        Adapter, AssetSource, Buffers, ByteSink, ByteSource, Context, CreateRequest, Created, CreatedAsset,
        EncodeRequest, Entry, Error, ErrorKind, Host, Level, OpenRequest, OwnedBuffer, Payload, Reader,
        Result, Serializer, Sink, Slab, Slabs, Source, Storage, TableRequest, TableStream, WriteRequest,
        Writer,
    },
    model::{
        ArrayStructure, Child, Children, ChildrenRequest, DataType, Description, Endianness, Field, Kind,
        Plan, SliceDim, Spec, StructureFamily, TableStructure, chunks_of, is_everything, shape_of,
        whole_chunks,
    },
};

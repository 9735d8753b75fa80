//! The words that host and plugins share: Tiled's structures, data types, slices.
//!
//! Takes and gives plain values in Tiled's JSON shapes. Never does I/O, never holds `unsafe` code.

mod description;
mod dtype;
mod ragged;
mod slice;
mod structure;

pub use description::{Child, Children, ChildrenRequest, Description, Plan, Spec};
pub use dtype::{DataType, Endianness, Field, Kind};
pub use ragged::{Lookup, RaggedJoin, RaggedLayout, RaggedSlice, slice_ragged};
pub use slice::{NDSlice, SliceDim, SliceError, SlicePart, is_everything, shape_of};
pub use structure::{
    ArrayStructure, AwkwardStructure, ContainerStructure, RaggedStructure, SparseStructure, StructureFamily,
    TableStructure, chunks_of, whole_chunks,
};

//! Elements on their way from one order to another, for plugins that read arrays themselves.
//!
//! [`strided`] copies between two layouts in memory, [`gather`] reads a slice out of bytes in which the array lies in
//! some order. Both keep to the buffers they are given, and know no format. [`parts`] cuts an array into parts that fit into
//! memory.

pub mod gather;
pub mod parts;
pub mod strided;

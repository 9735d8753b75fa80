//! Values on their way to a serializer or a writer.

use std::sync::Arc;

use abi_stable::StableAbi;

use super::{Adapter, OwnedBuffer, Result};

/// Some rows of an array, C order.
pub struct Slab {
    /// Positions along the first axis that these bytes cover; 1 for a scalar.
    pub rows: u64,
    /// Their bytes in the structure's data type.
    pub bytes: OwnedBuffer,
}

/// Gives an array slab by slab.
pub trait SlabStream: Send {
    /// The next slab, or `None` at the end.
    ///
    /// # Errors
    /// Those of the adapter that reads it.
    fn next(&mut self) -> Result<Option<Slab>>;
}

/// An array as slabs in C order, so that it need not fit into memory.
pub struct Slabs(Box<dyn SlabStream>);

impl Slabs {
    /// Slabs from this implementation.
    pub fn new(stream: impl SlabStream + 'static) -> Self {
        Slabs(Box::new(stream))
    }

    /// All the bytes as one slab of so many rows.
    pub fn one(rows: u64, bytes: OwnedBuffer) -> Self {
        Slabs::new(OneSlab(Some(Slab { rows, bytes })))
    }

    /// The next slab, or `None` at the end.
    ///
    /// # Errors
    /// Those of the adapter that reads it.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Slab>> {
        self.0.next()
    }

    /// All the bytes. Where there is one slab it is not copied.
    ///
    /// # Errors
    /// Those of the adapter that reads it.
    pub fn read_all(mut self) -> Result<OwnedBuffer> {
        let Some(first) = self.next()? else { return Ok(OwnedBuffer::from_vec(vec![])) };
        let Some(second) = self.next()? else { return Ok(first.bytes) };
        let mut all = first.bytes.to_vec();
        all.extend_from_slice(&second.bytes);
        while let Some(slab) = self.next()? {
            all.extend_from_slice(&slab.bytes);
        }
        Ok(OwnedBuffer::from_vec(all))
    }
}

struct OneSlab(Option<Slab>);

impl SlabStream for OneSlab {
    fn next(&mut self) -> Result<Option<Slab>> {
        Ok(self.0.take())
    }
}

/// A table as the Arrow C stream interface (`struct ArrowArrayStream`): this crate needs no arrow for it, and the two
/// sides may use different major versions. With the feature `arrow` it turns into record batches and back.
#[repr(C)]
#[derive(StableAbi)]
pub struct TableStream {
    /// `get_schema`, `get_next`, `get_last_error`, `release`, `private_data`.
    pub(crate) words: [usize; 5],
}

impl Drop for TableStream {
    fn drop(&mut self) {
        crate::abi::release_stream(self);
    }
}

/// What a serializer encodes or a storage writes. Later versions may know more kinds.
#[non_exhaustive]
pub enum Payload {
    /// Elements of an array.
    Array(Slabs),
    /// Rows of a table, or of a sparse array as `dim0…dimN-1, data`.
    Table(TableStream),
    /// A whole node to walk and read: containers, awkward and ragged arrays. The node is at the empty path.
    Node(Arc<dyn Adapter>),
    /// Only to storages: what the client sent, in a form that the host does not take apart (the zip of an awkward or
    /// ragged array).
    Body {
        /// As the client names it, without parameters: `application/zip`.
        media_type: String,
        /// The whole body.
        bytes: OwnedBuffer,
    },
}

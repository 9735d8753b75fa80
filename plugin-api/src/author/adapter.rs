//! An opened tree of data.

use super::{Context, Error, OwnedBuffer, Result, TableStream};
use crate::model::{Children, ChildrenRequest, Description, Plan, SliceDim};

/// Which part of a table to read.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct TableRequest {
    /// One partition, or all of them one after the other.
    pub partition: Option<u64>,
    /// These columns in this order, or all.
    pub columns: Option<Vec<String>>,
}

/// Named buffers of an awkward or ragged array, in order: `node0-offsets`, ….
pub type Buffers = Vec<(String, OwnedBuffer)>;

/// An opened file (or group of files): one node, or a tree of them. `path` names a node inside, keys joined by `/`;
/// the empty path is the root.
///
/// Calls come from any thread, several at a time.
pub trait Adapter: Send + Sync {
    /// What the node is.
    ///
    /// # Errors
    /// `NotFound`; `BrokenLink` for a link that leads nowhere.
    fn describe(&self, path: &str) -> Result<Description>;

    /// A page of a container's children. A child that cannot be opened is marked broken and fails nothing else.
    ///
    /// # Errors
    /// `NotFound`, or `InvalidArgument` where the node is no container.
    fn children(&self, _path: &str, _request: &ChildrenRequest) -> Result<Children> {
        Err(Error::unsupported("children"))
    }

    /// What reading this part costs and where it may be cut. `None`: as the structure's chunks say.
    ///
    /// # Errors
    /// As `describe`.
    fn plan(&self, _path: &str, _slice: &[SliceDim]) -> Result<Option<Plan>> {
        Ok(None)
    }

    /// Fills `out` with the elements of the slice in C order, in the data type the structure declares (byte order
    /// included). `slice` has one entry per axis and lies within the shape; `out` has exactly the bytes it takes, and
    /// must be filled entirely.
    ///
    /// # Errors
    /// `InvalidData` naming dataset and chunk; never zeros for what is missing.
    fn read_into(&self, _cx: &Context, _path: &str, _slice: &[SliceDim], _out: &mut [u8]) -> Result<()> {
        Err(Error::unsupported("read_into"))
    }

    /// As `read_into`, where the plugin has these bytes already (a mapping, one decoded chunk) and can hand them over
    /// without a copy. `None`: call `read_into`.
    ///
    /// # Errors
    /// As `read_into`.
    fn read_owned(&self, _cx: &Context, _path: &str, _slice: &[SliceDim]) -> Result<Option<OwnedBuffer>> {
        Ok(None)
    }

    /// Rows of a table or of a sparse array (columns `dim0…dimN-1, data`).
    ///
    /// # Errors
    /// `NotFound` for an unknown column, `OutOfBounds` for a partition that is not there.
    fn read_table(&self, _cx: &Context, _path: &str, _request: &TableRequest) -> Result<TableStream> {
        Err(Error::unsupported("read_table"))
    }

    /// Buffers of an awkward array whose names start with one of these form keys; all when there are none.
    ///
    /// # Errors
    /// `InvalidData` when a buffer is missing.
    fn read_buffers(&self, _cx: &Context, _path: &str, _form_keys: &[String]) -> Result<Buffers> {
        Err(Error::unsupported("read_buffers"))
    }

    /// How an array is stored, for those who decode its chunks themselves: its document in a format, as JSON text. Formats
    /// are `zarr_v2` (`.zarray`) and `zarr_v3` (`zarr.json`). `None` where it is stored otherwise, or is not read as it is
    /// stored. Cheap.
    ///
    /// # Errors
    /// As `describe`.
    fn stored_as(&self, _path: &str, _format: &str) -> Result<Option<String>> {
        Ok(None)
    }

    /// The bytes of a chunk as they are stored, by its number along each axis of the grid that `stored_as` tells. `None`:
    /// there is no such chunk, and its elements are the fill value.
    ///
    /// # Errors
    /// `InvalidData` when the file has more bytes than the chunk can take.
    fn stored_chunk(&self, _cx: &Context, _path: &str, _chunk: &[u64]) -> Result<Option<OwnedBuffer>> {
        Err(Error::unsupported("stored_chunk"))
    }

    /// Changes when these values may have changed; cheap. 0: the host asks the assets instead.
    ///
    /// # Errors
    /// As `describe`.
    fn revision(&self, _path: &str) -> Result<u64> {
        Ok(0)
    }
}

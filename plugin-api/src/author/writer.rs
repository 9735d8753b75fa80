//! Keeping values: the other direction of a reader.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Context, Error, OpenRequest, Payload, Result};
use crate::model::{SliceDim, StructureFamily};

/// What to make room for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CreateRequest {
    /// The storage format.
    pub mimetype: String,
    /// The family of the values.
    pub structure_family: StructureFamily,
    /// Its structure.
    pub structure: Value,
    /// The data source's parameters as the client gave them.
    pub parameters: Map<String, Value>,
    /// Where to keep it. Files: a URI that is not there yet, below one of the writable storages (a storage that needs one
    /// file may add a suffix to the last part). Databases: the storage's own URI, with user and password.
    pub storage_uri: String,
}

/// An asset that `create` made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedAsset {
    /// Where it is. Without password: the host knows its storages by the URI without it, and gives the one with it to
    /// [`Writer::open`] and to readers.
    pub data_uri: String,
    /// Whether it is a directory.
    pub is_directory: bool,
    /// Tiled's name of the argument it is for.
    pub parameter: String,
    /// Its place in a sequence.
    #[serde(default)]
    pub num: Option<u64>,
}

impl CreatedAsset {
    /// The only asset of a data source, as Tiled names it: `data_uri`.
    pub fn only(data_uri: impl Into<String>, is_directory: bool) -> Self {
        CreatedAsset { data_uri: data_uri.into(), is_directory, parameter: "data_uri".into(), num: None }
    }
}

/// What the catalog keeps of a new data source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Created {
    /// The structure as stored, where it differs from the requested one.
    #[serde(default)]
    pub structure: Option<Value>,
    /// The data source's parameters.
    #[serde(default)]
    pub parameters: Map<String, Value>,
    /// The data source's properties.
    #[serde(default)]
    pub properties: Map<String, Value>,
    /// The assets, at least one.
    pub assets: Vec<CreatedAsset>,
}

impl Created {
    /// Structure and parameters as requested, no properties.
    pub fn as_requested(request: &CreateRequest, assets: Vec<CreatedAsset>) -> Self {
        Created { structure: None, parameters: request.parameters.clone(), properties: Map::new(), assets }
    }
}

/// Which part to write. The default is the whole.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WriteRequest {
    /// Tables: the partition; `None` for the whole table.
    #[serde(default)]
    pub partition: Option<u64>,
    /// Sparse and ragged arrays: the block's place among the blocks; `None` for the whole array. Dense arrays have the
    /// slice instead.
    #[serde(default)]
    pub block: Option<Vec<u64>>,
    /// Arrays: the shape after an extension that this write makes; `None` to stay within.
    #[serde(default)]
    pub extend_to: Option<Vec<u64>>,
    /// Tables: add to the partition instead of replacing it. Ragged arrays: add rows at the end; with `block`, which then
    /// is the number of blocks so far, in place of what is stored there: a writer has ended before the catalog was told.
    #[serde(default)]
    pub append: bool,
}

/// Offers storage for media types.
pub trait Writer: Send + Sync + 'static {
    /// Makes room; readers see fill values until something is written.
    ///
    /// # Errors
    /// `Conflict` when something is there already, `Unsupported` for a structure it cannot keep.
    fn create(&self, cx: &Context, request: &CreateRequest) -> Result<Created>;

    /// Opens what `create` made.
    ///
    /// # Errors
    /// As [`super::Reader::open`].
    fn open(&self, cx: &Context, request: OpenRequest) -> Result<Box<dyn Storage>>;

    /// Removes the data of what `create` made. Removing what is not there is no error.
    ///
    /// # Errors
    /// `Internal` when the files cannot be removed.
    fn delete(&self, cx: &Context, request: OpenRequest) -> Result<()>;
}

/// Opened storage. A write is visible to readers, and safe from a crash, when `commit` has returned: files are written
/// beside, synced and renamed into place, their directory synced. The host calls `write`, `prepare`, `commit` once each, and
/// `abort` after a failure. It lets writes of disjoint blocks and partitions of one data source run side by side, each on
/// a storage of its own; a write that extends or appends, or that covers the whole, runs alone.
pub trait Storage: Send + Sync {
    /// Writes one part and gives the new structure where it changed.
    ///
    /// # Errors
    /// `Conflict` when it does not fit, `InvalidArgument` when the payload is not of the structure.
    fn write(
        &self,
        cx: &Context,
        request: &WriteRequest,
        slice: &[SliceDim],
        payload: Payload,
    ) -> Result<Option<Value>>;

    /// Makes what was written last safe, so that `commit` cannot fail half-way.
    ///
    /// # Errors
    /// `Internal` when the medium refuses.
    fn prepare(&self) -> Result<()> {
        Ok(())
    }

    /// Makes it visible.
    ///
    /// # Errors
    /// `Internal` when the medium refuses.
    fn commit(&self) -> Result<()> {
        Err(Error::unsupported("commit"))
    }

    /// Forgets what was written since the last commit.
    ///
    /// # Errors
    /// `Internal` when the medium refuses.
    fn abort(&self) -> Result<()> {
        Err(Error::unsupported("abort"))
    }
}

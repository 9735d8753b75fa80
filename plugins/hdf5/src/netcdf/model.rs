//! What a netCDF file holds, before any CF decoding; the same for classic files and netCDF-4.

use tiled_plugin_api::prelude::{Context, DataType, Result, SliceDim};

use super::number::{Attr, Number};

/// A group: the root, or one below it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Group {
    /// In the order of the file, without those that the format itself uses.
    pub(crate) attrs: Vec<(String, Attr)>,
    /// In the order of the file.
    pub(crate) variables: Vec<Variable>,
    /// Groups below, by name.
    pub(crate) groups: Vec<(String, Group)>,
    /// What cannot be shown, and why.
    pub(crate) broken: Vec<(String, String)>,
}

/// What an element is as stored, in this machine's byte order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stored {
    /// A number.
    Number(Number),
    /// One byte of text.
    Char,
    /// A string; read as bytes of this fixed length, padded with NUL.
    Text(usize),
    /// Served as it is.
    Other(DataType),
}

impl Stored {
    /// Bytes of one element.
    pub(crate) fn size(&self) -> usize {
        match self {
            Stored::Number(number) => number.size(),
            Stored::Char => 1,
            Stored::Text(size) => *size,
            Stored::Other(data_type) => usize::try_from(data_type.itemsize()).unwrap_or(usize::MAX),
        }
    }
}

/// A variable.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Variable {
    /// Its name.
    pub(crate) name: String,
    /// Names of its dimensions.
    pub(crate) dims: Vec<String>,
    /// Their lengths.
    pub(crate) shape: Vec<u64>,
    /// What an element is.
    pub(crate) stored: Stored,
    /// In the order of the file.
    pub(crate) attrs: Vec<(String, Attr)>,
    /// The shape of chunks, where the file has them.
    pub(crate) chunk: Option<Vec<u64>>,
    /// Where its elements are.
    pub(crate) place: Place,
}

/// Where elements are.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Place {
    /// In a classic file, big endian: offset of the first, distance in bytes from row to row of each axis.
    Classic { begin: u64, strides: Vec<u64> },
    /// In a dataset of this path. `extent`: what it has itself, where a record dimension is longer; `fill`: the rest.
    Hdf5 { path: String, extent: Vec<u64>, fill: Vec<u8>, swapped: bool },
}

impl Variable {
    /// The attribute of that name.
    pub(crate) fn attr(&self, name: &str) -> Option<&Attr> {
        self.attrs.iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }
}

/// Reads stored elements.
pub(crate) trait Values: Send + Sync {
    /// Fills `out` with the elements of the slice, in this machine's byte order.
    ///
    /// # Errors
    /// `InvalidData` naming the variable.
    fn read(&self, cx: &Context, variable: &Variable, slice: &[SliceDim], out: &mut [u8]) -> Result<()>;
}

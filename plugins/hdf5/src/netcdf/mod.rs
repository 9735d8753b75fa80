//! netCDF files: classic (CDF-1, CDF-2, CDF-5) and netCDF-4.
//!
//! Takes files as stored ([`model`], read by [`classic`] and [`netcdf4`]) and gives what xarray makes of them by
//! default, but for times, which stay numbers ([`cf`], [`convert`]): a container `xarray_dataset` of arrays with named
//! dimensions. Groups below the root are containers of the same kind. Values are calculated when they are read.

mod adapter;
mod attributes;
mod cf;
mod classic;
mod convert;
mod gather;
mod model;
mod netcdf4;
mod number;
#[cfg(test)]
mod tests;
mod values4;

use tiled_plugin_api::prelude::*;

use adapter::{NetcdfAdapter, is_hdf5};

/// Reads netCDF files.
pub struct NetcdfReader;

impl Reader for NetcdfReader {
    fn sniff(&self, _source: &Source, head: &[u8]) -> u32 {
        // Files of netCDF-4 are HDF5 files: only those that say so near their beginning are known by content.
        let says_so = || head.windows(PROPERTIES.len()).any(|part| part == PROPERTIES);
        if classic::is_classic(head) || (is_hdf5(head) && says_so()) { 95 } else { 0 }
    }

    fn open(&self, cx: &Context, request: OpenRequest) -> Result<Box<dyn Adapter>> {
        let adapter = NetcdfAdapter::new(request.source().clone(), request.host.clone());
        adapter.look(cx)?;
        Ok(Box::new(adapter))
    }
}

/// The name of an attribute that netCDF gives to the root group.
const PROPERTIES: &[u8] = b"_NCProperties";

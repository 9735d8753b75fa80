//! HDF5, NeXus and netCDF files.

mod export;
mod filters;
mod hdf5;
mod netcdf;

pub use self::{
    export::{Hdf5Serializer, NetcdfSerializer},
    hdf5::Hdf5Reader,
    netcdf::NetcdfReader,
};

tiled_plugin_api::export_plugin! {
    name: "hdf5",
    readers: [
        NetcdfReader => {
            mimetypes: ["application/netcdf", "application/x-netcdf"],
            extensions: [".nc", ".nc4", ".cdf", ".netcdf"],
        },
        Hdf5Reader => {
            mimetypes: ["application/x-hdf5"],
            extensions: [".h5", ".hdf5", ".hdf", ".nxs", ".nx5", ".nexus", ".he5", ".cxi", ".mat", ".h5m", ".hd5", ".nx"],
        },
    ],
    serializers: [
        Hdf5Serializer => {
            families: ["container", "array", "table", "sparse", "xarray_dataset"],
            media_types: ["application/x-hdf5"],
            aliases: { "h5": "application/x-hdf5", "hdf5": "application/x-hdf5" },
        },
        NetcdfSerializer => {
            families: ["container", "array", "table", "sparse", "xarray_dataset"],
            media_types: ["application/x-netcdf", "application/netcdf"],
            aliases: { "nc": "application/x-netcdf", "nc4": "application/x-netcdf" },
        },
    ],
}

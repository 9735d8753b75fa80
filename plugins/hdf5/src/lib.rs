//! HDF5, NeXus and netCDF files.

mod filters;
mod hdf5;

pub use self::hdf5::Hdf5Reader;

tiled_plugin_api::export_plugin! {
    name: "hdf5",
    readers: [
        Hdf5Reader => {
            mimetypes: ["application/x-hdf5"],
            extensions: [".h5", ".hdf5", ".hdf", ".nxs", ".nx5", ".nexus", ".he5", ".cxi", ".mat", ".h5m", ".hd5", ".nx"],
        },
    ],
}

//! HDF5, NeXus and netCDF files.

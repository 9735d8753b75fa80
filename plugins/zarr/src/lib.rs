//! Zarr v2 and v3 arrays and groups.

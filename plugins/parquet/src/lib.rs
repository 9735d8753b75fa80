//! Parquet, Arrow and Feather tables.

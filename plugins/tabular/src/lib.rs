//! What the table plugins share: pandas' reading of numbers and names, numbers and times as Python writes them, cells as JSON and as plain text, also by
//! several threads, NumPy elements and columns, pandas' metadata, xarray datasets as one table, storage of tables in files.
//!
//! A library for plugins, no plugin itself: it claims no file type. Only `keep` touches files, those of storages.

pub mod columns;
pub mod dataset;
pub mod element;
pub mod fit;
pub mod guard;
pub mod json;
pub mod keep;
pub mod moment;
pub mod names;
pub mod number;
pub mod pandas;
pub mod pieces;
pub mod plain;
pub mod python;
pub mod rows;
pub mod runs;
pub mod store;
pub mod values;
pub mod zone;

pub use rows::{Rows, table_rows};

//! The loader, with real libraries: built as a lab builds them, outside the workspace and against the plugin API alone.

mod bad_files;
mod compat;
mod conflicts;
mod examples;
mod fixtures;
mod panics;
mod server;

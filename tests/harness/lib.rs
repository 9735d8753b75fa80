//! The built program as a user runs it: on a free port, with the shipped plugins, its log watched.
//!
//! Program and plugins are those beside the test's own executable (`target/release`): build the workspace first.

mod client;
mod python;
mod server;
mod tiled;

pub use client::{Answer, Client};
pub use python::{python, run_python};
pub use server::{Access, KEY, Server, configuration, example_data, program, writable_tree};
pub use tiled::Tiled;
pub use tiled_postgres::Postgres;

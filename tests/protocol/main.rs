//! Requests over HTTP against the built program. Every server ends with a clean log.

mod about;
mod array;
mod asset;
mod auth;
mod compression;
mod config;
mod container;
mod exports;
mod metadata;
mod pages;
mod search;
mod table;
mod writing;
mod writing_values;
mod zarr;

use tempfile::TempDir;
use tiled_tests::{Access, Client, Server, example_data};

/// Example data, served to anyone.
struct Example {
    server: Server,
    _data: TempDir,
}

impl Example {
    fn serve() -> Self {
        let data = example_data();
        Example { server: Server::directory(data.path(), Access::Public), _data: data }
    }

    fn client(&self) -> Client {
        self.server.client()
    }

    fn end(self) {
        self.server.end();
    }
}

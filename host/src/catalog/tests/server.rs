//! What these tests need of a real PostgreSQL server.

use super::super::address::Address;

pub(super) use tiled_postgres::Postgres as Server;

/// One server for all tests.
pub(super) fn shared() -> Option<&'static Server> {
    Server::shared()
}

pub(super) fn config(uri: &str) -> tokio_postgres::Config {
    match Address::parse(uri).unwrap() {
        Address::Postgres(config) => *config,
        other => panic!("{other:?}"),
    }
}

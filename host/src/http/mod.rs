//! The only room that knows HTTP: URLs, headers, status codes, JSON and msgpack documents.
//!
//! Takes requests, gives responses. Asks [`crate::tree`] for nodes and [`crate::read`] for values; never opens a file,
//! never knows a plugin.

mod compress;
mod document;
mod encode;
mod endpoint;
mod error;
mod extract;
mod layers;
mod openapi;
mod page;
mod params;
mod range;
mod respond;
mod router;
mod routes;

pub use error::HttpError;
pub use router::router;

/// The address a connection comes from.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub std::net::SocketAddr);

//! What a reading gives.

use bytes::Bytes;
use tiled_plugin_api::author::Error;
use tokio::sync::mpsc;

/// The bytes of an answer.
pub enum Body {
    /// All of them.
    Whole(Bytes),
    /// More than should be in memory at once; an error ends the answer early, which the client sees.
    Stream(mpsc::Receiver<Result<Bytes, Error>>),
}

/// An answer with values, or the news that there are none newer.
pub enum Reply {
    /// The caller has these values.
    NotModified {
        /// Their tag.
        etag: String,
    },
    /// The values.
    Data {
        /// Of values and media type; `None` where it is not known before all is sent.
        etag: Option<String>,
        /// As requested, with parameters.
        media_type: String,
        /// The length, where a stream has a known one.
        length: Option<u64>,
        /// The bytes.
        body: Body,
    },
}

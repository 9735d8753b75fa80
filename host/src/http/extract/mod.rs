//! What a request says, as types, before any work.

mod ask;
mod params;
mod part;
mod upload;

pub use ask::{Ask, cookie, request_id, root_url};
pub use params::Params;
pub use part::{block, expected_shape, numbers_of, slice};
pub use upload::{DrainedBody, Upload};

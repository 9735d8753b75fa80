//! host
pub mod catalog;
pub mod query;

//! Errors across the edge.

use abi_stable::{
    StableAbi,
    std_types::{RResult, RString},
};

use crate::author::{Error, ErrorKind};

/// [`Error`] as it crosses.
#[repr(C)]
#[derive(StableAbi)]
pub struct AbiError {
    pub code: u32,
    pub message: RString,
    pub detail: RString,
    pub retry_after_ms: u64,
    pub reserved: [u64; 2],
}

pub type AbiResult<T> = RResult<T, AbiError>;

impl From<Error> for AbiError {
    fn from(error: Error) -> Self {
        AbiError {
            code: error.kind as u32,
            message: error.message.into(),
            detail: error.detail.into(),
            retry_after_ms: error.retry_after_ms,
            reserved: [0; 2],
        }
    }
}

impl From<AbiError> for Error {
    fn from(error: AbiError) -> Self {
        Error {
            kind: ErrorKind::from_code(error.code),
            message: error.message.into(),
            detail: error.detail.into(),
            retry_after_ms: error.retry_after_ms,
        }
    }
}

/// The other side's answer as ours.
pub(super) fn take<T>(result: AbiResult<T>) -> Result<T, Error> {
    result.into_result().map_err(Error::from)
}

/// JSON that the other side gave, as a type.
pub(super) fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|e| Error::internal(format!("the other side's JSON: {e}")))
}

/// A value as JSON for the other side.
pub(super) fn to_json(value: &impl serde::Serialize) -> Result<RString, Error> {
    serde_json::to_string(value).map(RString::from).map_err(Error::internal)
}

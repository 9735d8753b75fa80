//! Values into media types.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Context, Payload, Result, Sink};
use crate::model::{Spec, StructureFamily};

/// What to encode, and as what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncodeRequest {
    /// As requested, with parameters: `text/csv;header=absent`.
    pub media_type: String,
    /// The family of the values.
    pub structure_family: StructureFamily,
    /// The structure of exactly what the payload carries: after slicing, with the columns that were asked for.
    pub structure: Value,
    /// The node's metadata.
    pub metadata: Value,
    /// The node's specs.
    pub specs: Vec<Spec>,
    /// The node's key, for titles and sheet names; empty for the root.
    pub key: String,
    /// The children or columns that were asked for; `None` for all.
    pub fields: Option<Vec<String>>,
}

impl EncodeRequest {
    /// The media type without its parameters.
    pub fn essence(&self) -> &str {
        self.media_type.split(';').next().unwrap_or_default().trim()
    }

    /// A parameter of the media type: `header` of `text/csv;header=absent`.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.media_type.split(';').skip(1).find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
    }

    /// The structure as a Rust type.
    ///
    /// # Errors
    /// `Internal` when the JSON is not of that shape.
    pub fn structure<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        T::deserialize(&self.structure).map_err(super::Error::internal)
    }
}

/// Encodes values of some families as some media types. `application/octet-stream` of an array never comes here: the
/// host passes it through.
pub trait Serializer: Send + Sync + 'static {
    /// Writes the encoded values to the sink.
    ///
    /// # Errors
    /// `NotAcceptable` when these values do not fit the format (three axes in CSV): say what to do instead.
    fn encode(&self, cx: &Context, request: &EncodeRequest, payload: Payload, sink: &mut Sink) -> Result<()>;
}

//! Opening files.

use serde_json::{Map, Value};

use super::{Adapter, Context, Host, Result, Source};

/// One asset of a data source, opened.
#[derive(Clone)]
pub struct AssetSource {
    /// The file or directory.
    pub source: Source,
    /// Tiled's name of the argument it is for: `data_uri`, or `data_uris` for one of a sequence.
    pub parameter: String,
    /// Its place in a sequence, from 0.
    pub num: Option<u64>,
}

/// What to open and how.
#[derive(Clone)]
pub struct OpenRequest {
    /// As registered, with parameters: `text/csv;header=absent`.
    pub mimetype: String,
    /// What the catalog says of its structure; `None` when the file is opened to learn it.
    pub structure: Option<Value>,
    /// The data source's parameters (`dataset`, `swmr`, …).
    pub parameters: Map<String, Value>,
    /// The assets, those of a sequence in order. At least one.
    pub assets: Vec<AssetSource>,
    /// The host's services.
    pub host: Host,
}

impl OpenRequest {
    /// The only, or first, asset.
    pub fn source(&self) -> &Source {
        &self.assets[0].source
    }

    /// A text parameter.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).and_then(Value::as_str)
    }

    /// The value of a parameter of the media type: `header` of `text/csv;header=absent`.
    pub fn mimetype_parameter(&self, name: &str) -> Option<&str> {
        self.mimetype.split(';').skip(1).find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
    }
}

/// Knows a file type: recognises and opens it.
pub trait Reader: Send + Sync + 'static {
    /// How sure it is that this is its type, 0 (not at all) to 100, from the first 4 KiB. Directories have no head.
    fn sniff(&self, _source: &Source, _head: &[u8]) -> u32 {
        0
    }

    /// Opens the data. Cheap: read the header, not the values.
    ///
    /// # Errors
    /// `InvalidData` when the file is damaged, `UnsupportedFormat` when it uses what this reader does not know.
    fn open(&self, cx: &Context, request: OpenRequest) -> Result<Box<dyn Adapter>>;
}

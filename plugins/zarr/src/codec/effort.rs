//! How hard a compressor tries. Decoding needs none of this.

use serde_json::Value;

use super::blosc::Settings;
use crate::meta::Element;

/// Settings of a compressor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// As the compressor counts; its default where there is none.
    pub level: Option<i32>,
    /// Zstd: with a checksum of its own.
    pub checksum: bool,
    /// Blosc only.
    pub blosc: Option<Settings>,
}

impl Effort {
    /// What the configuration of a codec says.
    pub fn of(config: &Value) -> Self {
        let level = ["level", "preset", "clevel"].iter().find_map(|key| config.get(*key)?.as_i64());
        Effort {
            level: level.and_then(|level| i32::try_from(level).ok()),
            checksum: config.get("checksum").and_then(Value::as_bool).unwrap_or(false),
            blosc: None,
        }
    }

    /// What the configuration of `blosc` says. Version 2 leaves the element's size to the array.
    pub fn blosc(config: &Value, element: &Element) -> Self {
        let of = Self::of(config);
        let number =
            |key: &str| config.get(key).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        let item = match element {
            Element::Fixed(dtype) => usize::try_from(dtype.itemsize()).unwrap_or(1),
            Element::Text | Element::Bytes => 1,
        };
        let size = number("typesize").unwrap_or(item);
        let shuffle = config.get("shuffle").unwrap_or(&Value::Null);
        let shuffle = match shuffle.as_str() {
            Some("noshuffle") => 0,
            Some("shuffle") => 1,
            Some("bitshuffle") => 2,
            // numcodecs' automatic choice.
            _ => match shuffle.as_i64() {
                Some(known @ 0..=2) => known as i32,
                Some(-1) if size == 1 => 2,
                _ => 1,
            },
        };
        let name = match config.get("cname").and_then(Value::as_str) {
            Some("zstd") => c"zstd",
            Some("zlib") => c"zlib",
            Some("lz4hc") => c"lz4hc",
            Some("blosclz") => c"blosclz",
            Some("snappy") => c"snappy",
            _ => c"lz4",
        };
        let block = number("blocksize").unwrap_or(0);
        Effort { blosc: Some(Settings { name, level: of.level.unwrap_or(5), shuffle, size, block }), ..of }
    }
}

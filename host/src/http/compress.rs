//! Compression of answers: whether, as what, and on which thread.
//!
//! Documents and text are compressed when the request allows it. Values (`application/octet-stream`, Arrow) only when a
//! sample says that it pays and the client is not on this machine: zstd makes half a gigabyte a second, loopback five.

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderValue, header},
};

use super::extract::Ask;

/// Shorter answers are not worth it.
const MINIMUM_BYTES: usize = 1000;
/// Compression must save a tenth.
const WORTHWHILE: f64 = 0.9;
/// Values must at least be halved: their compression is paid in time.
const WORTHWHILE_VALUES: f64 = 0.5;
const SAMPLE_BYTES: usize = 32 << 10;
/// Longer answers are compressed where a thread may be kept busy.
const INLINE_BYTES: usize = 64 << 10;
/// Longer values are sent as they are: their compression would hold up the first byte for seconds.
const MAXIMUM_BYTES: usize = 256 << 20;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Zstd,
    Gzip,
}

impl Encoding {
    const fn name(self) -> &'static str {
        match self {
            Encoding::Zstd => "zstd",
            Encoding::Gzip => "gzip",
        }
    }

    fn encode(self, bytes: &[u8]) -> Option<Vec<u8>> {
        match self {
            Encoding::Zstd => zstd::bulk::compress(bytes, 1).ok(),
            Encoding::Gzip => {
                use std::io::Write;
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(bytes).ok()?;
                encoder.finish().ok()
            }
        }
    }
}

/// How much a media type is worth compressing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Worth {
    Nothing,
    Text,
    Values,
}

fn worth(media_type: &str) -> Worth {
    match media_type.split(';').next().unwrap_or_default().trim() {
        "application/json"
        | "application/x-msgpack"
        | "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
        | "text/csv"
        | "text/plain"
        | "text/html" => Worth::Text,
        "application/octet-stream" | "application/vnd.apache.arrow.file" => Worth::Values,
        _ => Worth::Nothing,
    }
}

/// The bytes compressed as the request allows, and the name of it, where that is worth it. zstd before gzip.
pub async fn compress(ask: &Ask, media_type: &str, bytes: &Bytes) -> Option<(Bytes, &'static str)> {
    let worth = worth(media_type);
    if worth == Worth::Nothing || !(MINIMUM_BYTES..=MAXIMUM_BYTES).contains(&bytes.len()) {
        return None;
    }
    let encoding = accepted(&ask.headers)?;
    if worth == Worth::Values && (ask.is_near || !sample_is_worthwhile(encoding, bytes)) {
        return None;
    }
    let compressed = if bytes.len() <= INLINE_BYTES {
        encoding.encode(bytes)
    } else {
        let whole = bytes.clone();
        tokio::task::spawn_blocking(move || encoding.encode(&whole)).await.ok()?
    }?;
    let saves = (compressed.len() as f64) < bytes.len() as f64 * WORTHWHILE;
    saves.then(|| (compressed.into(), encoding.name()))
}

/// Says in the headers what was done.
pub fn encoded_as(headers: &mut HeaderMap, encoding: &'static str) {
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
}

/// From the middle: files often begin with zeros.
fn sample_is_worthwhile(encoding: Encoding, bytes: &Bytes) -> bool {
    let from = bytes.len() / 2 - SAMPLE_BYTES.min(bytes.len()) / 2;
    let sample = &bytes[from..from + SAMPLE_BYTES.min(bytes.len())];
    encoding
        .encode(sample)
        .is_some_and(|small| (small.len() as f64) < sample.len() as f64 * WORTHWHILE_VALUES)
}

fn accepted(headers: &HeaderMap) -> Option<Encoding> {
    let list = headers.get(header::ACCEPT_ENCODING)?.to_str().ok()?;
    let accepts = |encoding: Encoding| list.split(',').any(|part| accepts(part, encoding.name()));
    [Encoding::Zstd, Encoding::Gzip].into_iter().find(|encoding| accepts(*encoding))
}

/// One part of `Accept-Encoding`: the name, and a weight that is not 0.
fn accepts(part: &str, name: &str) -> bool {
    let mut pieces = part.split(';').map(str::trim);
    let named = pieces.next().is_some_and(|piece| piece.eq_ignore_ascii_case(name));
    let refused = pieces.any(|piece| piece.strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0_f32)));
    named && !refused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_of_encodings_are_understood() {
        assert!(accepts("gzip", "gzip") && accepts(" gzip;q=1.0", "gzip"));
        assert!(!accepts("gzip;q=0", "gzip") && !accepts("deflate", "gzip"));
    }

    #[test]
    fn noise_is_sent_as_it_is() {
        let zeros = Bytes::from(vec![0; 100_000]);
        let mut state = 1_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        let noise: Bytes = (0..100_000).map(|_| noise()).collect();
        assert!(sample_is_worthwhile(Encoding::Zstd, &zeros));
        assert!(!sample_is_worthwhile(Encoding::Zstd, &noise));
    }
}

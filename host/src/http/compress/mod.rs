//! Compression of answers: whether, as what, and on which thread.
//!
//! Documents and text are compressed when the request allows it. Values (`application/octet-stream`, Arrow) and files only
//! when a sample says that it pays: for a client on another machine where it halves them, for one on this machine, whose
//! loopback is ten times faster than zstd, where hardly anything is left of them.

mod blosc;
mod encoding;
mod pieces;

pub use encoding::Encoding;
pub use pieces::Pieces;

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderValue, header},
};

use super::extract::Ask;

/// Shorter answers are not worth it.
const MINIMUM_BYTES: usize = 1000;
/// Nor are shorter values to a client on this machine.
const MINIMUM_NEAR_BYTES: usize = 64 << 10;
/// Compression must save a tenth.
const WORTHWHILE: f64 = 0.9;
/// Values must at least be halved: their compression is paid in time.
const WORTHWHILE_VALUES: f64 = 0.5;
/// What compressors run through as fast as loopback does.
const WORTHWHILE_NEAR: f64 = 1.0 / 16.0;
/// Of a sample, at most.
const SAMPLE_BYTES: usize = 32 << 10;
/// Longer answers are compressed where a thread may be kept busy.
const INLINE_BYTES: usize = 64 << 10;
/// Longer values are sent as they are: their compression would hold up the first byte for seconds.
const MAXIMUM_BYTES: usize = 256 << 20;

/// How much a media type is worth compressing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Worth {
    Nothing,
    Text,
    Values,
}

impl Worth {
    /// In the order of preference. Blosc is for values.
    const fn encodings(self) -> &'static [Encoding] {
        match self {
            Worth::Nothing => &[],
            Worth::Text => &[Encoding::Zstd, Encoding::Gzip],
            Worth::Values => &[Encoding::Blosc2, Encoding::Zstd, Encoding::Gzip],
        }
    }
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

/// The bytes compressed as the request allows, and the name of it, where that is worth it. Blosc before zstd before gzip.
pub async fn compress(ask: &Ask, media_type: &str, bytes: &Bytes) -> Option<(Bytes, &'static str)> {
    let worth = worth(media_type);
    if !(MINIMUM_BYTES..=MAXIMUM_BYTES).contains(&bytes.len()) {
        return None;
    }
    let encoding = accepted(&ask.headers, worth)?;
    if worth == Worth::Values {
        let length = bytes.len() as u64;
        let (at, size) = sample_of(length);
        if !pays(encoding, &bytes[at as usize..][..size], length, ask.is_near) {
            return None;
        }
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

/// As what an answer of this type is compressed, if it is.
pub fn wanted(ask: &Ask, media_type: &str) -> Option<Encoding> {
    accepted(&ask.headers, worth(media_type))
}

/// Says in the headers what was done.
pub fn encoded_as(headers: &mut HeaderMap, encoding: &'static str) {
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
}

/// Where a sample of so many bytes begins, and its length: from the middle, because files often begin with zeros.
pub fn sample_of(length: u64) -> (u64, usize) {
    let size = (SAMPLE_BYTES as u64).min(length);
    (length / 2 - size / 2, size as usize)
}

/// Whether values or a file of so many bytes are worth it, by a sample of them.
pub fn pays(encoding: Encoding, sample: &[u8], length: u64, is_near: bool) -> bool {
    let (limit, minimum) =
        if is_near { (WORTHWHILE_NEAR, MINIMUM_NEAR_BYTES) } else { (WORTHWHILE_VALUES, MINIMUM_BYTES) };
    if length < minimum as u64 || (is_near && encoding == Encoding::Gzip) {
        return false;
    }
    encoding.encode(sample).is_some_and(|small| (small.len() as f64) < sample.len() as f64 * limit)
}

fn accepted(headers: &HeaderMap, worth: Worth) -> Option<Encoding> {
    let list = headers.get(header::ACCEPT_ENCODING)?.to_str().ok()?;
    let accepts = |encoding: &&Encoding| list.split(',').any(|part| accepts(part, encoding.name()));
    worth.encodings().iter().find(accepts).copied()
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
    fn blosc_is_for_values_and_goes_first() {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, deflate, zstd, blosc2"));
        assert!(accepted(&headers, Worth::Values) == Some(Encoding::Blosc2));
        assert!(accepted(&headers, Worth::Text) == Some(Encoding::Zstd));
        assert!(accepted(&headers, Worth::Nothing).is_none());
    }

    #[test]
    fn noise_is_sent_as_it_is_and_near_clients_get_what_all_but_vanishes() {
        let zeros = vec![0; 100_000];
        let mut state = 1_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        let noise: Vec<u8> = (0..100_000).map(|_| noise()).collect();
        // Every 400 bytes come five times: a fifth is left of them.
        let repeated = noise.chunks(400).take(50).flat_map(|piece| piece.repeat(5)).collect::<Vec<u8>>();
        for encoding in [Encoding::Blosc2, Encoding::Zstd] {
            let pays = |bytes: &[u8], is_near| pays(encoding, bytes, bytes.len() as u64, is_near);
            assert!(pays(&zeros, false) && pays(&zeros, true), "{}", encoding.name());
            assert!(!pays(&noise, false) && !pays(&noise, true), "{}", encoding.name());
            assert!(pays(&repeated, false) && !pays(&repeated, true), "{}", encoding.name());
            assert!(!pays(&zeros[..20_000], true), "{}", encoding.name());
        }
        assert!(!pays(Encoding::Gzip, &zeros, 100_000, true));
    }
}

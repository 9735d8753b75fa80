//! From a reply or a document to a response: tag, media type, compression, body.

use std::sync::Arc;

use axum::{
    body::{Body as HttpBody, Bytes},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde::Serialize;

use super::{HttpError, extract::Ask};
use crate::{
    plugin::CancelHandle,
    read::{Body, Reply, etag_of},
    render::Rendered,
};

/// Shorter answers are not worth compressing.
const COMPRESSION_MINIMUM_BYTES: usize = 1000;
/// Compression must save a tenth.
const WORTHWHILE: f64 = 0.9;

/// Encodes a document as the request wishes.
///
/// # Errors
/// `Internal` when it has no such form.
pub fn render(ask: &Ask, document: &impl Serialize) -> Result<Rendered, HttpError> {
    let failed = |error: &dyn std::fmt::Display| HttpError::from(tiled_plugin_api::author::Error::internal(error));
    let json = serde_json::to_vec(document).map_err(|e| failed(&e))?;
    let (content_type, bytes) = if ask.wants_msgpack() {
        let value: serde_json::Value = serde_json::from_slice(&json).map_err(|e| failed(&e))?;
        ("application/x-msgpack", rmp_serde::to_vec(&value).map_err(|e| failed(&e))?)
    } else {
        ("application/json", json)
    };
    let etag = etag_of(&bytes);
    let bytes = Bytes::from(bytes);
    let (body, content_encoding) = match compress(&ask.headers, content_type, &bytes) {
        Some((compressed, encoding)) => (compressed, Some(encoding)),
        None => (bytes, None),
    };
    Ok(Rendered { generation: 0, etag, body, content_type, content_encoding })
}

/// A rendered document as a response, or 304.
pub fn send(ask: &Ask, rendered: &Rendered) -> Response {
    let mut response = if ask.header(header::IF_NONE_MATCH).is_some_and(|tag| tag.trim_matches('"') == rendered.etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = Response::new(HttpBody::from(rendered.body.clone()));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(rendered.content_type));
        if let Some(encoding) = rendered.content_encoding {
            encoded_as(response.headers_mut(), encoding);
        }
        response
    };
    set_etag(response.headers_mut(), &rendered.etag);
    response
}

/// A document that is not kept.
///
/// # Errors
/// As [`render`].
pub fn document(ask: &Ask, document: &impl Serialize) -> Result<Response, HttpError> {
    Ok(send(ask, &render(ask, document)?))
}

/// Values as a response.
pub fn respond(ask: &Ask, reply: Reply) -> Response {
    let (etag, media_type, length, body) = match reply {
        Reply::NotModified { etag } => {
            let mut response = StatusCode::NOT_MODIFIED.into_response();
            set_etag(response.headers_mut(), &etag);
            return response;
        }
        Reply::Data { etag, media_type, length, body } => (etag, media_type, length, body),
    };
    let mut headers = HeaderMap::new();
    let body = match body {
        Body::Whole(bytes) => match compress(&ask.headers, &media_type, &bytes) {
            Some((compressed, encoding)) => {
                encoded_as(&mut headers, encoding);
                HttpBody::from(compressed)
            }
            None => HttpBody::from(bytes),
        },
        Body::Stream(receiver) => {
            if let Some(length) = length {
                headers.insert(header::CONTENT_LENGTH, length.into());
            }
            streamed(receiver, ask.cancel.clone())
        }
    };
    if let Ok(value) = HeaderValue::from_str(&with_charset(media_type)) {
        headers.insert(header::CONTENT_TYPE, value);
    }
    if let Some(etag) = etag {
        set_etag(&mut headers, &etag);
    }
    if let Some(name) = ask.params.one("filename") {
        headers.insert(header::CONTENT_DISPOSITION, attachment(name));
    }
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    response
}

/// The rest of the answer keeps the request alive; dropping the body ends its calls.
fn streamed(
    receiver: tokio::sync::mpsc::Receiver<Result<Bytes, tiled_plugin_api::author::Error>>,
    cancel: Arc<CancelHandle>,
) -> HttpBody {
    HttpBody::from_stream(stream::unfold((receiver, cancel), |(mut receiver, cancel)| async move {
        let part = receiver.recv().await?;
        if let Err(error) = &part {
            tracing::error!(detail = error.detail, "an answer ends early: {}", error.message);
        }
        Some((part, (receiver, cancel)))
    }))
}

/// `attachment; filename="…"`: the client takes the name from between the quotes.
pub fn attachment(name: &str) -> HeaderValue {
    let safe: String = name.chars().map(|c| if c.is_control() || c == '"' || c == '\\' { '_' } else { c }).collect();
    HeaderValue::from_bytes(format!("attachment; filename=\"{safe}\"").as_bytes())
        .unwrap_or(HeaderValue::from_static("attachment"))
}

/// As Starlette does for text.
fn with_charset(media_type: String) -> String {
    if media_type.starts_with("text/") && !media_type.contains("charset") {
        return format!("{media_type}; charset=utf-8");
    }
    media_type
}

fn set_etag(headers: &mut HeaderMap, etag: &str) {
    if let Ok(value) = HeaderValue::from_str(etag) {
        headers.insert(header::ETAG, value);
    }
}

fn encoded_as(headers: &mut HeaderMap, encoding: &'static str) {
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
}

/// Whether a media type is worth compressing.
fn compressible(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    matches!(
        essence,
        "application/json"
            | "application/x-msgpack"
            | "application/octet-stream"
            | "application/vnd.apache.arrow.file"
            | "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
            | "text/csv"
            | "text/plain"
            | "text/html"
    )
}

/// The bytes compressed as the request allows, where that is worth it. zstd before gzip.
pub fn compress(request: &HeaderMap, media_type: &str, bytes: &Bytes) -> Option<(Bytes, &'static str)> {
    if bytes.len() < COMPRESSION_MINIMUM_BYTES || !compressible(media_type) {
        return None;
    }
    let accepted = request.get(header::ACCEPT_ENCODING)?.to_str().ok()?;
    let accepts = |name: &str| accepted.split(',').any(|part| accepts(part, name));
    let compressed = if accepts("zstd") {
        (zstd::bulk::compress(bytes, 1).ok()?, "zstd")
    } else if accepts("gzip") {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).ok()?;
        (encoder.finish().ok()?, "gzip")
    } else {
        return None;
    };
    let worthwhile = (compressed.0.len() as f64) < bytes.len() as f64 * WORTHWHILE;
    worthwhile.then(|| (compressed.0.into(), compressed.1))
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
    fn a_file_name_cannot_break_out_of_its_quotes() {
        assert_eq!(attachment("a\"b\r\nc.csv"), "attachment; filename=\"a_b__c.csv\"");
    }
}

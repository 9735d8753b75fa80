//! From a reply or a document to a response: tag, media type, compression, body.

use std::sync::Arc;

use axum::{
    body::{Body as HttpBody, Bytes},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde::Serialize;

use super::{
    HttpError,
    compress::{compress, encoded_as},
    encode::{to_json, to_msgpack},
    extract::Ask,
};
use crate::{
    plugin::CancelHandle,
    read::{Body, Reply, etag_of},
    render::Rendered,
};

/// Encodes a document as the request wishes.
///
/// # Errors
/// `Internal` when it has no such form.
pub async fn render(ask: &Ask, document: &impl Serialize) -> Result<Rendered, HttpError> {
    let (content_type, bytes) = if ask.wants_msgpack() {
        ("application/x-msgpack", to_msgpack(document)?)
    } else {
        ("application/json", to_json(document)?)
    };
    Ok(finish(ask, content_type, bytes).await)
}

/// As [`render`], but always as JSON.
///
/// # Errors
/// As [`render`].
pub async fn render_json(ask: &Ask, document: &impl Serialize) -> Result<Rendered, HttpError> {
    Ok(finish(ask, "application/json", to_json(document)?).await)
}

/// Tags and compresses what is encoded.
async fn finish(ask: &Ask, content_type: &'static str, bytes: Vec<u8>) -> Rendered {
    let etag = etag_of(&bytes);
    let bytes = Bytes::from(bytes);
    let (body, content_encoding) = match compress(ask, content_type, &bytes).await {
        Some((compressed, encoding)) => (compressed, Some(encoding)),
        None => (bytes, None),
    };
    Rendered { etag, body, content_type, content_encoding }
}

/// A rendered document as a response, or 304.
pub fn send(ask: &Ask, rendered: &Rendered) -> Response {
    let mut response = if ask
        .header(header::IF_NONE_MATCH)
        .is_some_and(|tag| tag.trim_matches('"') == rendered.etag)
    {
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
pub async fn document(ask: &Ask, document: &impl Serialize) -> Result<Response, HttpError> {
    Ok(send(ask, &render(ask, document).await?))
}

/// Values as a response.
pub async fn respond(ask: &Ask, reply: Reply) -> Response {
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
        Body::Whole(bytes) => match compress(ask, &media_type, &bytes).await {
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
    let safe: String =
        name.chars().map(|c| if c.is_control() || c == '"' || c == '\\' { '_' } else { c }).collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_cannot_break_out_of_its_quotes() {
        assert_eq!(attachment("a\"b\r\nc.csv"), "attachment; filename=\"a_b__c.csv\"");
    }
}

//! The body of a request: taken only when the handler has seen that it may be, off the memory that all requests share.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode, header},
};
use futures_util::StreamExt;
use http_body::Frame;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{app::App, http::HttpError, write::Sent};

/// A body that has not been read yet.
pub struct Upload {
    body: Body,
    media_type: String,
    encoding: Option<String>,
    length: Option<u64>,
}

/// A client that sends nothing for so long has gone.
const IDLE: Duration = Duration::from_secs(60);
/// A body of unknown length, or what a compressed one may become.
const UNKNOWN_MAX_BYTES: u64 = 64 << 20;
/// A JSON document.
const DOCUMENT_MAX_BYTES: u64 = 64 << 20;
/// Longer documents are parsed where a thread may be kept busy.
const INLINE_BYTES: usize = 256 << 10;

impl FromRequest<App> for Upload {
    type Rejection = HttpError;

    async fn from_request(request: Request, _: &App) -> Result<Self, HttpError> {
        let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        let media_type = text(header::CONTENT_TYPE).unwrap_or_default();
        let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let encoding = encoding_of(request.headers());
        let length = text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
        Ok(Upload { media_type: essence, encoding, length, body: request.into_body() })
    }
}

fn encoding_of(headers: &HeaderMap) -> Option<String> {
    let all = headers.get_all(header::CONTENT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let all: Vec<&str> = all.flat_map(|text| text.split(',')).map(str::trim).collect();
    let all: Vec<&str> = all.into_iter().filter(|name| !matches!(*name, "" | "identity")).collect();
    if all.is_empty() { None } else { Some(all.join(", ").to_ascii_lowercase()) }
}

impl Upload {
    /// Without parameters; empty when there is none.
    pub fn media_type(&self) -> &str {
        &self.media_type
    }

    /// Bytes of the content, where that is known before it is read.
    pub fn length(&self) -> Option<u64> {
        self.length.filter(|_| self.encoding.is_none())
    }

    /// Takes the body.
    ///
    /// # Errors
    /// 413 when it is larger than the server takes, 415 for an encoding it does not know, 400 when it ends early, 408 when
    /// nothing more comes.
    pub async fn receive(self, app: &App) -> Result<Sent, HttpError> {
        let max = app.max_body_bytes;
        let media_type = self.media_type.clone();
        let bytes = self.bytes(app, max).await?;
        Ok(Sent { media_type, bytes })
    }

    /// Takes a JSON document.
    ///
    /// # Errors
    /// As [`Upload::receive`]; 422 with FastAPI's list for what is no JSON, or not of the wanted form.
    pub async fn json<T: DeserializeOwned + Send + 'static>(self, app: &App) -> Result<T, HttpError> {
        let bytes = self.bytes(app, DOCUMENT_MAX_BYTES).await?;
        if bytes.len() <= INLINE_BYTES {
            return parse(&bytes);
        }
        let parsed = tokio::task::spawn_blocking(move || parse(&bytes)).await;
        parsed.map_err(|error| HttpError::from(tiled_plugin_api::author::Error::internal(error)))?
    }

    async fn bytes(self, app: &App, max: u64) -> Result<Bytes, HttpError> {
        let too_large = |max: u64| {
            HttpError::too_large(format!(
                "The body is larger than {max} bytes: send smaller blocks or partitions, or raise [limits] body_mb"
            ))
        };
        if self.length.is_some_and(|length| length > max) {
            return Err(too_large(max));
        }
        let bound = self.length.unwrap_or(UNKNOWN_MAX_BYTES.min(max));
        let taken = app.readers.budget.take(bound).await?;
        let collected = collect(self.body, bound, self.length.is_some()).await?.ok_or_else(|| {
            HttpError::new(
                StatusCode::LENGTH_REQUIRED,
                format!("A body of more than {bound} bytes needs the header Content-Length"),
            )
        })?;
        let Some(encoding) = self.encoding else { return Ok(taken.hold(collected)) };
        let size = decoded_size(&encoding, &collected).unwrap_or(UNKNOWN_MAX_BYTES).min(max);
        let more = app.readers.budget.take(size).await?;
        let decoded = tokio::task::spawn_blocking(move || decode(&encoding, &collected, size)).await;
        let decoded = decoded.map_err(tiled_plugin_api::author::Error::internal)??;
        drop(taken);
        Ok(more.hold(decoded.ok_or_else(|| too_large(size))?))
    }
}

/// All frames as one; `None` when there are more bytes than `bound`. One frame is not copied.
async fn collect(body: Body, bound: u64, exact: bool) -> Result<Option<Bytes>, HttpError> {
    let mut frames = body.into_data_stream();
    let mut first = Bytes::new();
    let mut all: Vec<u8> = Vec::new();
    loop {
        let next = tokio::time::timeout(IDLE, frames.next()).await;
        let next = next.map_err(|_| {
            HttpError::new(StatusCode::REQUEST_TIMEOUT, "Nothing more of the body came for a minute")
        })?;
        let Some(frame) = next else { break };
        let frame = frame.map_err(|error| HttpError::bad_request(format!("The body ends early: {error}")))?;
        if (first.len() + all.len() + frame.len()) as u64 > bound {
            return Ok(None);
        }
        if first.is_empty() && all.is_empty() {
            first = frame;
            continue;
        }
        if all.is_empty() {
            let expected =
                if exact { usize::try_from(bound).unwrap_or(0) } else { first.len() + frame.len() };
            all.reserve_exact(expected);
            all.extend_from_slice(&std::mem::take(&mut first));
        }
        all.extend_from_slice(&frame);
    }
    Ok(Some(if all.is_empty() { first } else { Bytes::from(all) }))
}

/// What a zstd frame says of itself.
fn decoded_size(encoding: &str, bytes: &[u8]) -> Option<u64> {
    if encoding == "zstd" { zstd::zstd_safe::get_frame_content_size(bytes).ok().flatten() } else { None }
}

/// `None` when there are more bytes than `max`.
fn decode(encoding: &str, bytes: &[u8], max: u64) -> Result<Option<Vec<u8>>, HttpError> {
    use std::io::Read;
    let damaged =
        |error: std::io::Error| HttpError::unprocessable(format!("The body is not {encoding}: {error}"));
    let mut out = Vec::new();
    let limit = max.saturating_add(1);
    match encoding {
        "gzip" | "x-gzip" => {
            flate2::read::MultiGzDecoder::new(bytes).take(limit).read_to_end(&mut out).map_err(damaged)?
        }
        "zstd" => {
            let decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(damaged)?;
            decoder.take(limit).read_to_end(&mut out).map_err(damaged)?
        }
        other => {
            let text = format!(
                "The Content-Encoding {other} is not known: send the body as it is, as gzip or as zstd"
            );
            return Err(HttpError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
        }
    };
    Ok(Some(out).filter(|out| out.len() as u64 <= max))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, HttpError> {
    if bytes.is_empty() {
        return Err(HttpError::validation("body", "", "missing", "Field required", Value::Null));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let kind = if error.is_data() { "value_error" } else { "json_invalid" };
        let field = error.to_string();
        HttpError::validation("body", "", kind, &field, Value::Null)
    })
}

/// A body that is read to its end when nobody wants it: a client that is still sending when it is refused would else see a
/// broken connection instead of the refusal, and try again.
pub struct DrainedBody {
    inner: Option<Body>,
}

/// What is read for nothing at most, and for how long.
const DRAIN_MAX_BYTES: u64 = 256 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(30);

impl DrainedBody {
    /// Over this body.
    pub fn over(body: Body) -> Body {
        if http_body::Body::is_end_stream(&body) {
            body
        } else {
            Body::new(DrainedBody { inner: Some(body) })
        }
    }
}

impl http_body::Body for DrainedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
        let frame = Pin::new(inner).poll_frame(cx);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            self.inner = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.inner.as_ref().map_or_else(http_body::SizeHint::default, http_body::Body::size_hint)
    }
}

impl Drop for DrainedBody {
    fn drop(&mut self) {
        let Some(body) = self.inner.take().filter(|body| !http_body::Body::is_end_stream(body)) else {
            return;
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(tokio::time::timeout(DRAIN_TIME, async move {
            let mut frames = body.into_data_stream();
            let mut read = 0;
            while let Some(Ok(frame)) = frames.next().await {
                read += frame.len() as u64;
                if read > DRAIN_MAX_BYTES {
                    return;
                }
            }
        }));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn compressed_bodies_are_decoded_up_to_a_limit() {
        let plain = vec![7_u8; 100_000];
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&plain).unwrap();
        let gzip = gzip.finish().unwrap();
        let zstd = zstd::bulk::compress(&plain, 1).unwrap();
        assert_eq!(decoded_size("zstd", &zstd), Some(100_000));
        for (encoding, bytes) in [("gzip", &gzip), ("zstd", &zstd)] {
            assert_eq!(decode(encoding, bytes, 100_000).unwrap().unwrap(), plain);
            assert!(decode(encoding, bytes, 99_999).unwrap().is_none(), "a bomb");
            assert!(decode(encoding, b"not compressed", 1000).is_err());
        }
        assert!(decode("br", &gzip, 1000).is_err());
    }

    #[tokio::test]
    async fn frames_become_one_body_and_no_more_than_the_bound() {
        let frames = |n: usize| {
            let frames = (0..n).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(b"abc")));
            Body::from_stream(futures_util::stream::iter(frames))
        };
        assert_eq!(collect(frames(3), 9, true).await.unwrap().unwrap(), "abcabcabc");
        assert_eq!(collect(frames(0), 9, false).await.unwrap().unwrap(), "");
        assert!(collect(frames(4), 9, false).await.unwrap().is_none());
    }
}

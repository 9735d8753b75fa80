//! Chunks, whole or in a range.

use axum::{
    body::Body as HttpBody,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{Face, Shown};
use crate::{
    http::{HttpError, range::Range, respond},
    read::{Body, Reply, Wanted, ZarrChunk, tuple},
    tree::Node,
    zarr::Version,
};

const RAW: &str = "application/octet-stream";

impl Face<'_> {
    /// A chunk of an array, or in v3 the list of chunks below a part of a key.
    pub(super) async fn chunk(&self, node: &Node, key: &[u64]) -> Result<Response, HttpError> {
        let shown = self.shown(node).await?;
        let axes = shown.structure.shape.len();
        let Some(numbers) = shown.grid.numbers(key) else {
            if self.version == Version::V3 && key.len() < axes {
                return self.chunks_below(node, &shown.grid, key);
            }
            let key: Vec<String> = key.iter().map(u64::to_string).collect();
            return Err(HttpError::bad_request(format!(
                "Requested zarr block index [{}] is inconsistent with the shape of array, {}.",
                key.join(", "),
                tuple(&shown.structure.shape)
            )));
        };
        let Some(cell) = shown.grid.cell(&numbers) else {
            return Err(HttpError::new(StatusCode::NOT_FOUND, "The array has no such chunk"));
        };
        if shown.stored.is_some() {
            return self.stored_chunk(node, &shown, numbers).await;
        }
        let chunk = ZarrChunk {
            structure: shown.structure,
            grid: shown.grid,
            element: shown.element,
            version: self.version,
            cell,
        };
        if self.is_head {
            return Ok(head(chunk.nbytes()?));
        }
        let wanted = Wanted { format: Some(RAW.to_owned()), accept: None, options: vec![] };
        let reply = self.app.readers.zarr_chunk(&self.ask.reading(&wanted), node, chunk).await?;
        self.respond(reply).await
    }

    /// A chunk as it is in the file; 404 where there is none, which to a client means the fill value.
    async fn stored_chunk(
        &self,
        node: &Node,
        shown: &Shown,
        numbers: Vec<u64>,
    ) -> Result<Response, HttpError> {
        let wanted = Wanted { format: Some(RAW.to_owned()), accept: None, options: vec![] };
        let elements = shown.grid.elements().unwrap_or(u64::MAX);
        let nbytes = elements.saturating_mul(shown.element.shown_itemsize);
        let reading = self.ask.reading(&wanted);
        match self.app.readers.stored_chunk(&reading, node, numbers, nbytes).await? {
            Some(reply) => self.respond(reply).await,
            None => Err(HttpError::new(StatusCode::NOT_FOUND, "The array has no such chunk")),
        }
    }

    async fn respond(&self, reply: Reply) -> Result<Response, HttpError> {
        let part = match &reply {
            Reply::Data { etag, body: Body::Whole(bytes), .. } => self
                .range(etag.as_deref(), bytes.len() as u64)
                .map(|range| (range, bytes.clone(), etag.clone().unwrap_or_default())),
            _ => None,
        };
        let mut response = match part {
            None | Some((Range::Ignored | Range::Malformed, ..)) => respond::respond(self.ask, reply).await,
            Some((Range::Unsatisfiable, bytes, _)) => {
                let headers = [(header::CONTENT_RANGE, format!("bytes */{}", bytes.len()))];
                (StatusCode::RANGE_NOT_SATISFIABLE, headers).into_response()
            }
            Some((Range::Part(from, to), bytes, etag)) => {
                let headers = [
                    (header::CONTENT_TYPE, RAW.to_owned()),
                    (header::CONTENT_RANGE, format!("bytes {from}-{}/{}", to.saturating_sub(1), bytes.len())),
                    (header::ETAG, etag),
                ];
                let (from, to) = (usize::try_from(from).unwrap_or(0), usize::try_from(to).unwrap_or(0));
                (StatusCode::PARTIAL_CONTENT, headers, HttpBody::from(bytes.slice(from..to))).into_response()
            }
        };
        accept_ranges(response.headers_mut());
        Ok(response)
    }

    /// The range asked for, unless it is of other bytes than these.
    fn range(&self, etag: Option<&str>, length: u64) -> Option<Range> {
        let text = self.ask.header(header::RANGE)?;
        let of = self.ask.header(header::IF_RANGE).map(|tag| tag.trim_matches('"'));
        (of.is_none() || of == etag).then(|| Range::parse(text, length))
    }
}

/// What `HEAD` is told: nothing is read for it.
fn head(nbytes: u64) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(RAW));
    headers.insert(header::CONTENT_LENGTH, nbytes.into());
    accept_ranges(&mut headers);
    (headers, HttpBody::empty()).into_response()
}

fn accept_ranges(headers: &mut HeaderMap) {
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
}

//! `/api/v1/asset/bytes|manifest/{path}`: the files of a node as they are; `DELETE /api/v1/asset/{path}`.

use std::path::{Component, Path, PathBuf};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use tiled_plugin_api::author::{Error, Source};

use crate::{
    access::Scope,
    app::App,
    catalog::AssetRow,
    http::{
        HttpError,
        compress::{self, Encoding, Pieces, encoded_as},
        extract::Ask,
        range::Range,
        respond::{self, attachment},
    },
    read::Digest,
    tree::{Mount, Place},
};

/// Entries that a manifest lists.
const MANIFEST_LIMIT: usize = 1_000_000;
/// Bytes read and sent at a time.
const PIECE_BYTES: u64 = 1 << 20;

/// One file, or one of a directory's, whole or in a range.
pub async fn bytes(State(app): State<App>, ask: Ask) -> Result<Response, HttpError> {
    let (source, asset) = find(&app, &ask).await?;
    let relative = ask.params.one("relative_path");
    let (source, name) = match (asset.is_directory, relative) {
        (true, None) => {
            return Err(HttpError::bad_request(format!(
                "This asset is a directory. Must specify relative path, from manifest provided by \
                 /asset/manifest/...?id={}",
                asset.id
            )));
        }
        (false, Some(_)) => {
            return Err(HttpError::bad_request(
                "This asset is not a directory. The relative_path query parameter must not be set.",
            ));
        }
        (true, Some(path)) => {
            let inside = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
            if !inside {
                return Err(HttpError::bad_request(
                    "relative_path query parameter must be a *relative* path",
                ));
            }
            let below = path.to_owned();
            (
                blocking(move || source.child(&below)).await?,
                path.rsplit('/').next().unwrap_or_default().to_owned(),
            )
        }
        (false, None) => {
            let name = source.name();
            (source, name)
        }
    };
    send(&ask, source, &name).await
}

/// What a directory holds, as paths relative to it.
pub async fn manifest(State(app): State<App>, ask: Ask) -> Result<Response, HttpError> {
    let (source, asset) = find(&app, &ask).await?;
    if !asset.is_directory {
        return Err(HttpError::bad_request("This asset is not a directory. There is no manifest."));
    }
    let manifest = blocking(move || {
        let (mut found, mut folders) = (Vec::new(), vec![PathBuf::new()]);
        while let Some(folder) = folders.pop() {
            for entry in source.list(&folder.to_string_lossy())? {
                let path = folder.join(&entry.name);
                if entry.is_directory {
                    folders.push(path);
                } else {
                    found.push(path.to_string_lossy().into_owned());
                }
                if found.len() + folders.len() > MANIFEST_LIMIT {
                    return Err(Error::new(
                        tiled_plugin_api::author::ErrorKind::TooLarge,
                        "The manifest is too long",
                    ));
                }
            }
        }
        found.sort();
        Ok(found)
    });
    respond::document(&ask, &json!({"manifest": manifest.await?})).await
}

/// `DELETE asset`: takes an asset from a node, and out of the catalog where nothing else uses it.
pub async fn delete(State(app): State<App>, ask: Ask) -> Result<Response, HttpError> {
    let id = id_of(&ask)?;
    let external_only = ask.params.flag("external_only", true)?;
    let node = app.readers.tree.find(&ask.cx, &ask.path, ask.caller, Scope::DeleteNode).await?;
    if !app.expose_raw_assets {
        let message = "This Tiled server does not allow deleting raw assets.";
        return Err(HttpError::new(StatusCode::FORBIDDEN, message));
    }
    let number = i64::try_from(id).unwrap_or(i64::MAX);
    let deleted = app.writers.delete_asset(&ask.cx, &node, number, external_only).await?;
    let (asset_deleted, data_deleted) = deleted.ok_or_else(|| absent(id))?;
    respond::document(&ask, &json!({"asset_deleted": asset_deleted, "data_deleted": data_deleted})).await
}

fn id_of(ask: &Ask) -> Result<u64, HttpError> {
    ask.params.number("id", 0, i64::MAX as u64)?.ok_or_else(|| HttpError::missing("id"))
}

fn absent(id: u64) -> HttpError {
    let message = format!("This node exists but it does not have an Asset with id {id}");
    HttpError::new(StatusCode::NOT_FOUND, message)
}

async fn find(app: &App, ask: &Ask) -> Result<(Source, AssetRow), HttpError> {
    let id = id_of(ask)?;
    let node = app.readers.tree.find(&ask.cx, &ask.path, ask.caller, Scope::ReadData).await?;
    if !app.expose_raw_assets {
        let message = "This Tiled server is configured not to allow downloading raw assets.";
        return Err(HttpError::new(StatusCode::FORBIDDEN, message));
    }
    let Place::Row(mount, row) = &node.place else { return Err(absent(id)) };
    let sources = mount.catalog.data_sources(row.id)?;
    let asset =
        sources.into_iter().flat_map(|source| source.assets).find(|asset| u64::try_from(asset.id) == Ok(id));
    let asset = asset.ok_or_else(|| absent(id))?;
    Ok((open(mount, &asset).await?, asset))
}

async fn open(mount: &std::sync::Arc<Mount>, asset: &AssetRow) -> Result<Source, HttpError> {
    if !asset.data_uri.starts_with("file:") {
        return Err(HttpError::bad_request("Only download assets stored as file:// is currently supported."));
    }
    let (roots, uri) = (mount.options.roots.clone(), asset.data_uri.clone());
    blocking(move || roots.open_uri(&uri)).await
}

async fn blocking<T: Send + 'static>(
    f: impl FnOnce() -> tiled_plugin_api::author::Result<T> + Send + 'static,
) -> Result<T, HttpError> {
    Ok(tokio::task::spawn_blocking(f).await.map_err(Error::internal)??)
}

async fn send(ask: &Ask, source: Source, name: &str) -> Result<Response, HttpError> {
    let content_type = content_type(name);
    let file = source.clone();
    let (length, version) = blocking(move || Ok((file.len()?, file.version()?))).await?;
    let etag = format!("\"{}\"", Digest::default().with(&version).etag());
    if ask.header(header::IF_NONE_MATCH) == Some(etag.as_str()) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response());
    }
    let (status, from, to) = match ask.header(header::RANGE).map(|text| Range::parse(text, length)) {
        None | Some(Range::Ignored) => (StatusCode::OK, 0, length),
        Some(Range::Part(from, to)) => (StatusCode::PARTIAL_CONTENT, from, to),
        Some(Range::Malformed) => return Err(HttpError::bad_request("Malformed range header.")),
        Some(Range::Unsatisfiable) => {
            let headers = [(header::CONTENT_RANGE, format!("bytes */{length}"))];
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, headers).into_response());
        }
    };
    let mut headers = HeaderMap::new();
    let mut set = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, &content_type);
    set(header::ETAG, &etag);
    set(header::ACCEPT_RANGES, "bytes");
    if status == StatusCode::PARTIAL_CONTENT {
        set(header::CONTENT_RANGE, &format!("bytes {from}-{}/{length}", to - 1));
    }
    headers.insert(header::CONTENT_DISPOSITION, attachment(name));
    let body = match encoding_of(ask, &source, &content_type, length).await? {
        Some(encoding) => {
            encoded_as(&mut headers, encoding.name());
            pieces(source, to, Some(Pieces::begin(encoding).map_err(Error::internal)?), from)
        }
        None => {
            headers.insert(header::CONTENT_LENGTH, (to - from).into());
            pieces(source, to, None, from)
        }
    };
    Ok((status, headers, body).into_response())
}

/// As what a file is compressed, if a sample of it says that it pays.
async fn encoding_of(
    ask: &Ask,
    source: &Source,
    content_type: &str,
    length: u64,
) -> Result<Option<Encoding>, HttpError> {
    // Parts are parts of the file as it is.
    let wanted = compress::wanted(ask, content_type).filter(|_| ask.header(header::RANGE).is_none());
    let Some(encoding) = wanted else { return Ok(None) };
    let (file, is_near) = (source.clone(), ask.is_near);
    blocking(move || {
        let (at, size) = compress::sample_of(length);
        let mut sample = vec![0; size];
        file.read_exact_at(at, &mut sample)?;
        Ok(compress::pays(encoding, &sample, length, is_near).then_some(encoding))
    })
    .await
}

fn content_type(name: &str) -> String {
    let guess = mime_guess::from_path(name).first_raw().unwrap_or("application/octet-stream");
    if guess.starts_with("text/") { format!("{guess}; charset=utf-8") } else { guess.to_owned() }
}

/// The bytes piece after piece. A file that ends before its length ends the answer early, which the client sees.
fn pieces(source: Source, to: u64, encoder: Option<Pieces>, from: u64) -> Body {
    let next = move |(at, encoder): (u64, Option<Pieces>)| {
        let source = source.clone();
        async move {
            if at >= to {
                return None;
            }
            let length = PIECE_BYTES.min(to - at);
            let read =
                tokio::task::spawn_blocking(move || piece(&source, at, length, at + length == to, encoder));
            // After an error nothing more is asked for.
            Some(match read.await.map_err(Error::internal).and_then(|read| read) {
                Ok((bytes, encoder)) => (Ok(bytes), (at + length, encoder)),
                Err(error) => (Err(error), (to, None)),
            })
        }
    };
    Body::from_stream(futures_util::stream::unfold((from, encoder), next))
}

/// So many bytes from there, through the encoder, which ends with the last ones.
fn piece(
    source: &Source,
    at: u64,
    length: u64,
    is_last: bool,
    encoder: Option<Pieces>,
) -> tiled_plugin_api::author::Result<(Vec<u8>, Option<Pieces>)> {
    let mut piece = vec![0; usize::try_from(length).map_err(Error::internal)?];
    source.read_exact_at(at, &mut piece)?;
    let Some(mut encoder) = encoder else { return Ok((piece, None)) };
    let mut bytes = encoder.push(&piece).map_err(Error::internal)?;
    if !is_last {
        return Ok((bytes, Some(encoder)));
    }
    bytes.extend(encoder.finish().map_err(Error::internal)?);
    Ok((bytes, None))
}

//! One request: who asks, for which node, how.

use std::sync::Arc;

use axum::{
    extract::{ConnectInfo, FromRequestParts, RawPathParams},
    http::{HeaderMap, header, request::Parts},
};
use tiled_plugin_api::author::Context;
use xxhash_rust::xxh3::Xxh3;

use super::Params;
use crate::{
    access::Caller,
    app::App,
    auth::Credentials,
    http::{HttpError, Peer},
    plugin::{CancelHandle, context},
    read::{Reading, Wanted},
};

/// All that handlers need of a request.
pub struct Ask {
    /// Segments of the node's path.
    pub path: Vec<String>,
    /// The query, decoded.
    pub params: Params,
    /// The query as it came.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// Who asks.
    pub caller: Caller,
    /// The client is a program on this machine, and no proxy.
    pub is_near: bool,
    /// `scheme://host/prefix`, as the client sees it.
    pub root_url: String,
    /// Ends when the request does.
    pub cx: Context,
    /// Keeps `cx` alive; goes into the body of a streamed answer.
    pub cancel: Arc<CancelHandle>,
}

impl FromRequestParts<App> for Ask {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, HttpError> {
        let path: Result<RawPathParams, _> = RawPathParams::from_request_parts(parts, app).await;
        let path = match path {
            Ok(params) => params.iter().find(|(name, _)| *name == "path").map(|(_, path)| path.to_owned()),
            Err(_) => return Err(HttpError::bad_request("The path is not UTF-8")),
        };
        let query = parts.uri.query().unwrap_or_default().to_owned();
        let params = Params::parse(&query);
        check_client(&parts.headers)?;
        let caller = app.auth.caller(&credentials(&parts.headers, &params))?;
        // No deadline: each call of a plugin has its own, and a long answer takes as long as its reader does.
        let (cx, cancel) = context(request_id(&parts.headers), None);
        Ok(Ask {
            path: segments(&path.unwrap_or_default()),
            params,
            query,
            caller,
            root_url: root_url(&parts.headers, &app.root_path),
            is_near: is_near(parts),
            headers: parts.headers.clone(),
            cx,
            cancel: Arc::new(cancel),
        })
    }
}

impl Ask {
    /// Where the API is, as the client sees it.
    pub fn base_url(&self) -> String {
        format!("{}/api/v1", self.root_url)
    }

    /// A header as text.
    pub fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Which media type is asked for.
    pub fn wanted(&self) -> Wanted {
        Wanted {
            format: self.params.one("format").map(str::to_owned),
            accept: self.header(header::ACCEPT).map(str::to_owned),
            options: self.params.pairs().iter().filter(is_option).take(MAX_OPTIONS).cloned().collect(),
        }
    }

    /// The same as the read room takes it.
    pub fn reading<'a>(&'a self, wanted: &'a Wanted) -> Reading<'a> {
        let if_none_match = self.header(header::IF_NONE_MATCH).map(|tag| tag.trim_matches('"'));
        Reading { cx: &self.cx, caller: self.caller, wanted, if_none_match }
    }

    /// Whether a document is to be msgpack: the first of the accepted types that we have decides; JSON otherwise.
    pub fn wants_msgpack(&self) -> bool {
        let accept = self.header(header::ACCEPT).unwrap_or("*/*");
        let known = accept.split(',').map(|part| part.split(';').next().unwrap_or_default().trim());
        known.into_iter().find(|t| matches!(*t, "*/*" | "application/json" | "application/x-msgpack"))
            == Some("application/x-msgpack")
    }

    /// Whether the client knows sizes of assets: Python's fails on them before 0.2.13.
    pub fn knows_sizes(&self) -> bool {
        let agent = self.header(header::USER_AGENT).and_then(|agent| agent.strip_prefix("python-tiled/"));
        !agent.is_some_and(|version| is_before(version, [0, 2, 13]))
    }

    /// A digest of all that a document depends on, beside the tree. `route` tells those of one node apart.
    pub fn digest(&self, route: &str) -> u128 {
        let mut hash = Xxh3::new();
        let mut add = |part: &[u8]| {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part);
        };
        add(route.as_bytes());
        for segment in &self.path {
            add(segment.as_bytes());
        }
        add(b"?");
        add(self.query.as_bytes());
        add(self.root_url.as_bytes());
        add(&[u8::from(self.wants_msgpack()), u8::from(self.knows_sizes())]);
        add(self.header(header::ACCEPT_ENCODING).unwrap_or_default().as_bytes());
        add(self.caller.scopes.names().concat().as_bytes());
        hash.digest128()
    }
}

/// More words for serializers than this are not looked at.
const MAX_OPTIONS: usize = 16;

/// Whether a pair of the query is for a serializer: no word of ours, and fit to be a parameter of a media type.
fn is_option((name, value): &&(String, String)) -> bool {
    const OURS: [&str; 12] = [
        "api_key",
        "block",
        "column",
        "csrf",
        "expected_shape",
        "field",
        "filename",
        "format",
        "form_key",
        "partition",
        "slice",
        "offset",
    ];
    let fits = |text: &str| text.len() <= 100 && text.chars().all(|c| c.is_ascii_graphic() && c != ';');
    !OURS.contains(&name.as_str()) && !name.contains('=') && fits(name) && fits(value)
}

/// Where it is not known, the client counts as far.
fn is_near(parts: &Parts) -> bool {
    let peer = parts.extensions.get::<ConnectInfo<Peer>>();
    let forwarded = parts
        .headers
        .keys()
        .any(|name| name == header::FORWARDED || name.as_str().starts_with("x-forwarded-"));
    peer.is_some_and(|ConnectInfo(Peer(address))| address.ip().is_loopback()) && !forwarded
}

/// Empty segments do not count.
fn segments(path: &str) -> Vec<String> {
    path.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect()
}

/// In Tiled's order: query, header, cookie.
fn credentials(headers: &HeaderMap, params: &Params) -> Credentials {
    if let Some(key) = params.one("api_key") {
        return Credentials::ApiKey(key.to_owned());
    }
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let Some((scheme, secret)) = value.to_str().ok().and_then(|text| text.split_once(' ')) else {
            return Credentials::Malformed;
        };
        return match scheme.to_ascii_lowercase().as_str() {
            "apikey" => Credentials::ApiKey(secret.trim().to_owned()),
            "bearer" => Credentials::Bearer(secret.trim().to_owned()),
            _ => Credentials::Malformed,
        };
    }
    match cookie(headers, "tiled_api_key") {
        Some(key) => Credentials::ApiKey(key.to_owned()),
        None => Credentials::None,
    }
}

/// The value of a cookie.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|text| text.split(';')).find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// `scheme://host/prefix`, as the client sees it.
pub fn root_url(headers: &HeaderMap, root_path: &str) -> String {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text("x-forwarded-host").or_else(|| text("host")).unwrap_or("localhost");
    let scheme = text("x-forwarded-proto").unwrap_or("http");
    format!("{scheme}://{host}{root_path}")
}

/// Kept when it is a UUID of version 4, else made up: 16 hex digits.
pub fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get("x-tiled-request-id").and_then(|value| value.to_str().ok());
    let given =
        given.and_then(|text| uuid::Uuid::parse_str(text).ok()).filter(|id| id.get_version_num() == 4);
    given.map_or_else(|| format!("{:016x}", rand::random::<u64>()), |id| id.to_string())
}

/// Clients from before 2024 speak another protocol.
fn check_client(headers: &HeaderMap) -> Result<(), HttpError> {
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let Some(version) = agent.and_then(|agent| agent.strip_prefix("python-tiled/")) else { return Ok(()) };
    if !is_too_old(version) {
        return Ok(());
    }
    Err(HttpError::bad_request(format!(
        "Python Tiled client reports version {version}. Version 0.1.0a104 or higher is needed to communicate with this \
         Tiled server."
    )))
}

/// `0.1.0a103` and before; development versions and what cannot be read are let in.
fn is_too_old(version: &str) -> bool {
    if version.contains("dev") {
        return false;
    }
    let Some(rest) = version.strip_prefix("0.1.0a") else {
        return version.starts_with("0.0.");
    };
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse::<u32>().is_ok_and(|n| n < 104)
}

/// Python's order of versions, development versions and candidates included; what cannot be read is not before.
fn is_before(version: &str, release: [u32; 3]) -> bool {
    let mut rest = version;
    let mut numbers = [0_u32; 3];
    for (place, number) in numbers.iter_mut().enumerate() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let Ok(parsed) = rest[..digits].parse() else { return false };
        *number = parsed;
        rest = &rest[digits..];
        match rest.strip_prefix('.').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) {
            Some(further) if place < 2 => rest = further,
            _ => break,
        }
    }
    let early = ["a", "b", "rc", ".dev"].iter().any(|word| rest.starts_with(word));
    numbers < release || (numbers == release && early)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_in_pythons_order() {
        let is_before = |version| is_before(version, [0, 2, 13]);
        for version in ["0.2.12", "0.2", "0.1.0a104", "0.2.13.dev4+gabc", "0.2.13rc1", "0.2.9"] {
            assert!(is_before(version), "{version}");
        }
        for version in ["0.2.13", "0.2.20", "0.10.0", "1.0", "0.2.13.post1", "x", ""] {
            assert!(!is_before(version), "{version}");
        }
    }

    #[test]
    fn old_clients_are_told_apart() {
        assert!(is_too_old("0.1.0a103") && is_too_old("0.0.9"));
        assert!(
            !is_too_old("0.1.0a104") && !is_too_old("0.2.20") && !is_too_old("0.1.0b1") && !is_too_old("x")
        );
    }
}

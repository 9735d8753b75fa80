//! What happens to every response, in the order in which it happens, and why in that order.
//!
//! CORS is outermost, so that a refusal can be read by the page that caused it. Then the headers that Tiled sets on all
//! responses.

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::Engine;
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer};

use super::{HttpError, extract::Params};
use crate::app::App;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-tiled-request-id");

/// Bodies that nobody wants are read to their end. Request id, CSRF cookie, API key cookie, `Vary`, `X-Tiled-Root`.
pub async fn every_response(State(app): State<App>, request: Request<Body>, next: Next) -> Response {
    let id = super::extract::request_id(request.headers());
    let csrf = super::extract::cookie(request.headers(), "tiled_csrf").is_none();
    let key = request.uri().query().filter(|query| query.contains("api_key=")).and_then(|query| {
        let key = Params::parse(query).one("api_key")?.to_owned();
        app.auth.caller(&crate::auth::Credentials::ApiKey(key.clone())).ok().map(|_| key)
    });
    let root = super::extract::root_url(request.headers(), &app.root_path);
    let request = request.map(super::extract::DrainedBody::over);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if csrf {
        append_cookie(headers, &format!("tiled_csrf={}", random_token()));
    }
    if let Some(key) = key.filter(|key| key.bytes().all(|b| b.is_ascii_alphanumeric())) {
        append_cookie(headers, &format!("tiled_api_key={key}"));
    }
    if response.status() == StatusCode::UNAUTHORIZED
        && let Ok(root) = HeaderValue::from_str(&format!("{root}/api/v1"))
    {
        response.headers_mut().insert(HeaderName::from_static("x-tiled-root"), root);
    }
    response
}

/// A browser sends the key's cookie along with whatever a foreign page makes it ask for. So who changes something by that
/// cookie must also show the other one, which a foreign page cannot read.
pub async fn double_submit(request: Request<Body>, next: Next) -> Response {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE);
    let headers = request.headers();
    // Who shows the key itself is no foreign page.
    let shown = headers.contains_key(header::AUTHORIZATION);
    if safe || shown || super::extract::cookie(headers, "tiled_api_key").is_none() {
        return next.run(request).await;
    }
    let refuse = |text: &'static str| (StatusCode::FORBIDDEN, text).into_response();
    let Some(cookie) = super::extract::cookie(headers, "tiled_csrf") else {
        return refuse("Expected tiled_csrf_token cookie");
    };
    let header = headers.get("x-csrf").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let query = || Params::parse(request.uri().query().unwrap_or_default()).one("csrf").map(str::to_owned);
    match header.or_else(query) {
        None => refuse("Expected csrf query parameter or x-csrf header"),
        Some(token) if token != cookie => refuse("Double-submit CSRF tokens do not match"),
        Some(_) => next.run(request).await,
    }
}

fn append_cookie(headers: &mut axum::http::HeaderMap, pair: &str) {
    if let Ok(value) = HeaderValue::from_str(&format!("{pair}; HttpOnly; Path=/; SameSite=lax")) {
        headers.append(header::SET_COOKIE, value);
    }
}

/// 43 characters that fit a URL.
fn random_token() -> String {
    let bytes: [u8; 32] = rand::random();
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// A page of a foreign origin is told so, in Starlette's words, instead of an answer that its browser would withhold.
pub async fn foreign_origins(State(app): State<App>, request: Request<Body>, next: Next) -> Response {
    let asks = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let origin = request.headers().get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    let foreign = origin.is_some_and(|origin| !app.allow_origins.iter().any(|allowed| allowed == origin));
    if asks && foreign {
        return (StatusCode::BAD_REQUEST, "Disallowed CORS origin").into_response();
    }
    next.run(request).await
}

/// Pages of these origins may use the server with credentials; none by default.
pub fn cors(origins: &[String]) -> CorsLayer {
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|origin| origin.parse().ok()).collect();
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_credentials(true)
        .allow_methods(AllowMethods::mirror_request())
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([REQUEST_ID])
}

/// No such URL.
pub async fn not_found() -> Response {
    HttpError::new(StatusCode::NOT_FOUND, "Not Found").into_response()
}

/// The URL is there, for other methods.
pub async fn method_not_allowed() -> Response {
    HttpError::new(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed").into_response()
}

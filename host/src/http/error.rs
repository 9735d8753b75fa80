//! The only place where an error gets a status and Tiled's body: `{"detail": …}`.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tiled_plugin_api::author::{Error, ErrorKind};

use crate::{auth::AuthError, catalog::CatalogError, tree::TreeError};

/// An answer that is a refusal.
#[derive(Debug)]
pub struct HttpError {
    status: StatusCode,
    detail: Value,
    headers: Vec<(header::HeaderName, HeaderValue)>,
}

impl HttpError {
    /// A refusal with a text.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        HttpError { status, detail: Value::String(detail.into()), headers: vec![] }
    }

    /// A parameter that is missing or not of its form: 422 with FastAPI's list.
    pub fn validation(place: &str, name: &str, kind: &str, message: &str, input: Value) -> Self {
        let detail = json!([{"type": kind, "loc": [place, name], "msg": message, "input": input}]);
        HttpError { status: StatusCode::UNPROCESSABLE_ENTITY, detail, headers: vec![] }
    }

    /// A required query parameter that is not there.
    pub fn missing(name: &str) -> Self {
        Self::validation("query", name, "missing", "Field required", Value::Null)
    }

    /// 422 with a text.
    pub fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    /// 400 with a text.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// A refusal with a status and a text that no error of a lower room has.
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    }

    fn with_header(mut self, name: header::HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }
}

/// Who is at fault decides. What is wrong with a file is never a 5xx: the client would ask for it for 45 s.
const fn status_of(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::InvalidArgument | ErrorKind::OutOfBounds | ErrorKind::TooLarge => StatusCode::BAD_REQUEST,
        ErrorKind::Unsupported => StatusCode::METHOD_NOT_ALLOWED,
        ErrorKind::UnsupportedFormat => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ErrorKind::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
        ErrorKind::InvalidData => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::BrokenLink => StatusCode::GONE,
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::Busy => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Cancelled => StatusCode::GATEWAY_TIMEOUT,
        ErrorKind::Internal | ErrorKind::Panic => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<Error> for HttpError {
    fn from(error: Error) -> Self {
        let status = status_of(error.kind);
        if status.is_server_error() {
            tracing::error!(kind = ?error.kind, detail = error.detail, "{}", error.message);
        } else if !error.detail.is_empty() {
            tracing::debug!(kind = ?error.kind, detail = error.detail, "{}", error.message);
        }
        let refusal = HttpError::new(status, error.message);
        match error.kind {
            ErrorKind::Busy => {
                let seconds = error.retry_after_ms.div_ceil(1000).max(1).to_string();
                refusal.with_header(header::RETRY_AFTER, &seconds)
            }
            _ => refusal,
        }
    }
}

impl From<CatalogError> for HttpError {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::Query(error) => error.into(),
            // Not a 5xx: the client would ask again and again.
            CatalogError::TooSlow(_) => HttpError::bad_request(error.to_string()),
            CatalogError::Busy(seconds) => {
                tracing::warn!("the catalog was locked for {seconds} s");
                HttpError::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
                    .with_header(header::RETRY_AFTER, "1")
            }
            CatalogError::Unavailable { reason } => {
                tracing::error!("the catalog database cannot be reached: {reason}");
                HttpError::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "The catalog database cannot be reached now. Try again.",
                )
                .with_header(header::RETRY_AFTER, "1")
            }
            CatalogError::Unstorable { .. } => {
                HttpError::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
            }
            CatalogError::Collision { path } => HttpError::new(StatusCode::CONFLICT, format!("/{path}")),
            CatalogError::NoNode { .. } | CatalogError::NoDataSource { .. } => {
                HttpError::new(StatusCode::NOT_FOUND, error.to_string())
            }
            CatalogError::NotContainer { .. } => {
                HttpError::new(StatusCode::METHOD_NOT_ALLOWED, error.to_string())
            }
            CatalogError::AssetClash { .. } => {
                HttpError::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
            }
            CatalogError::UnknownTags { .. } => HttpError::new(StatusCode::FORBIDDEN, error.to_string()),
            CatalogError::NotEmpty
            | CatalogError::InternallyManaged
            | CatalogError::AssetInternallyManaged => HttpError::new(StatusCode::CONFLICT, error.to_string()),
            other => {
                tracing::error!("{other}");
                HttpError::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error")
            }
        }
    }
}

impl From<TreeError> for HttpError {
    fn from(error: TreeError) -> Self {
        match error {
            TreeError::NoEntry(_) | TreeError::Family { .. } => {
                HttpError::new(StatusCode::NOT_FOUND, error.to_string())
            }
            TreeError::Scope(missing) => {
                let required: Vec<String> = missing.required.iter().map(ToString::to_string).collect();
                let challenge = format!("Bearer scope=\"{}\"", required.join(" "));
                HttpError::new(StatusCode::UNAUTHORIZED, missing.to_string())
                    .with_header(header::WWW_AUTHENTICATE, &challenge)
            }
            TreeError::Catalog(error) => error.into(),
            TreeError::Data(error) => error.into(),
        }
    }
}

impl From<crate::access::MissingScope> for HttpError {
    fn from(missing: crate::access::MissingScope) -> Self {
        TreeError::Scope(missing).into()
    }
}

impl From<crate::query::QueryError> for HttpError {
    fn from(error: crate::query::QueryError) -> Self {
        use crate::query::QueryError;
        match error {
            // What Tiled's own declaration of its parameters refuses.
            QueryError::MalformedSort { .. } | QueryError::BadValue { filter: "structure_family", .. } => {
                HttpError::unprocessable(error.to_string())
            }
            _ => HttpError::bad_request(error.to_string()),
        }
    }
}

impl From<AuthError> for HttpError {
    fn from(error: AuthError) -> Self {
        let status =
            if error == AuthError::Malformed { StatusCode::BAD_REQUEST } else { StatusCode::UNAUTHORIZED };
        HttpError::new(status, error.to_string())
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        // Exactly this content type: the client shows `detail` only then.
        let body = json!({"detail": self.detail}).to_string();
        let mut response = (self.status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
        response.headers_mut().extend(self.headers);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(error: impl Into<HttpError>) -> (u16, String) {
        let error = error.into();
        (error.status.as_u16(), error.detail.to_string())
    }

    #[test]
    fn each_kind_has_its_status() {
        let of = |kind| check(Error::new(kind, "text")).0;
        assert_eq!(of(ErrorKind::NotFound), 404);
        assert_eq!(of(ErrorKind::OutOfBounds), 400);
        assert_eq!(of(ErrorKind::TooLarge), 400);
        assert_eq!(of(ErrorKind::Unsupported), 405);
        assert_eq!(of(ErrorKind::NotAcceptable), 406);
        assert_eq!(of(ErrorKind::Conflict), 409);
        assert_eq!(of(ErrorKind::BrokenLink), 410);
        assert_eq!(of(ErrorKind::UnsupportedFormat), 415);
        assert_eq!(of(ErrorKind::InvalidData), 422);
        assert_eq!(of(ErrorKind::Busy), 503);
    }

    #[test]
    fn bugs_tell_the_client_nothing() {
        assert_eq!(check(Error::internal("secret path")), (500, "\"Internal server error\"".into()));
    }
}

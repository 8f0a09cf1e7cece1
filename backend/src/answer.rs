//! Answers: errors by a status and JSON over HTTP, by extensions in GraphQL; types of content; and which answers are
//! compressed.

use std::borrow::Cow;

use async_graphql::ErrorExtensionValues;
use axum::Json;
use axum::http::header::{CONTENT_TYPE, ETAG, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use tower_http::compression::Predicate;
use tower_http::compression::predicate::SizeAbove;

use crate::error::Error;

/// A media type as an answer says it: text is UTF-8, which clients would not know otherwise.
pub fn content_type(media_type: &str) -> Cow<'_, str> {
    match media_type.starts_with("text/") && !media_type.contains("charset=") {
        true => format!("{media_type}; charset=utf-8").into(),
        false => media_type.into(),
    }
}

impl Error {
    /// The status of the table in [`error`](crate::error).
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotFound { .. } | Self::OnlyYanked { .. } => StatusCode::NOT_FOUND,
            Self::AlreadyExists { .. } | Self::NameGiven { .. } => StatusCode::CONFLICT,
            Self::Conflict(_) | Self::Arriving(_) | Self::Stale => StatusCode::CONFLICT,
            Self::Invalid { .. } => StatusCode::BAD_REQUEST,
            Self::PreconditionFailed(_) => StatusCode::PRECONDITION_FAILED,
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) | Self::Protected(_) => StatusCode::FORBIDDEN,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::DataLoss(_) => StatusCode::GONE,
            Self::NoSpace => StatusCode::INSUFFICIENT_STORAGE,
            Self::RateLimited(_) | Self::TooOften { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Timeout(_) => StatusCode::REQUEST_TIMEOUT,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What goes with a 401 (RFC 9110 §11.6.1), and with what is over after a while (§10.2.3). Not Basic, which is taken too: browsers
    /// would ask for a password.
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        match self {
            Self::Unauthenticated(_) => {
                let challenge = HeaderValue::from_static("Bearer realm=\"model-registry\"");
                headers.insert(WWW_AUTHENTICATE, challenge);
            }
            Self::TooOften { seconds, .. } => {
                headers.insert(RETRY_AFTER, HeaderValue::from(*seconds));
            }
            Self::Unavailable => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
            }
            _ => {}
        }
        headers
    }
}

impl From<Error> for async_graphql::Error {
    fn from(error: Error) -> Self {
        error.log();
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", error.code());
        if let Some(field) = error.field() {
            extensions.set("field", field);
        }
        if let Some(uploads) = error.uploads() {
            extensions.set("uploads", uploads);
        }
        Self { message: error.message(), source: None, extensions: Some(extensions) }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        self.log();
        let mut body = serde_json::json!({ "code": self.code(), "message": self.message() });
        if let Some(field) = self.field() {
            body["field"] = field.into();
        }
        if let Some(uploads) = self.uploads() {
            body["uploads"] = uploads.into();
        }
        (self.status(), self.headers(), Json(body)).into_response()
    }
}

/// Whether a condition lists an ETag, weakly compared (RFC 9110 §8.8.3.2), or `*`.
pub fn lists(request: &HeaderMap, header: &str, etag: &str) -> bool {
    request
        .get_all(header)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|value| value.trim().trim_start_matches("W/"))
        .any(|value| value == etag || value == "*")
}

/// The fewest bytes that are worth compressing.
const MIN_COMPRESSED: u64 = 1024;

/// Whether an answer is compressed for who accepts it: what was made for this request, but no file, whose bytes have a
/// tag, a length and ranges.
pub fn is_compressed() -> impl Predicate {
    let is_made = |_, _, headers: &HeaderMap, _: &_| {
        let kind =
            headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let is_text = kind.starts_with("application/") && kind.contains("json")
            || matches!(
                kind,
                "application/graphql" | "application/x-ndjson" | "text/plain" | "text/csv"
            );
        // A weak tag says nothing of the bytes.
        let has_tag = headers.get(ETAG).is_some_and(|tag| !tag.as_bytes().starts_with(b"W/"));
        is_text && !has_tag
    };
    is_made.and(SizeAbove::new(MIN_COMPRESSED))
}

//! Answers to operations over HTTP: their media types, statuses, and what clients may keep.
//!
//! An operation that cannot run is answered with an error's status in `application/graphql-response+json`, and with 200 in
//! `application/json`, where clients take every other status for a fault of the network.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_graphql::{Pos, Response, ServerError};
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::http::header::{
    ACCEPT, ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response as HttpResponse};
use sha2::{Digest, Sha256};

use super::sse;
use crate::answer::lists;
use crate::error::Error;

/// Pages that may not read an answer get it into no image or script either; CORS is not bound by it.
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");

/// The two media types of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaType {
    Json,
    GraphqlResponse,
}

impl MediaType {
    /// What the client takes.
    pub fn of(headers: &HeaderMap) -> Self {
        match accepts(headers, "application/graphql-response+json") {
            true => Self::GraphqlResponse,
            false => Self::Json,
        }
    }

    fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        })
    }

    /// The answer to an operation that was not executed.
    fn refuse(self, refusal: Refusal) -> HttpResponse {
        let (error, status) = match refusal {
            Refusal::Request(error) => (error.clone(), error.status()),
            Refusal::Method(error) => (error, StatusCode::METHOD_NOT_ALLOWED),
            Refusal::Operation(error) => (error, self.of_operation()),
            Refusal::NotPersisted => {
                return self.unkept(self.answer(self.of_operation(), not_persisted(), false));
            }
        };
        let mut answer = self.unkept(self.answer(status, response(&error), false));
        answer.headers_mut().extend(error.headers());
        if status == StatusCode::METHOD_NOT_ALLOWED {
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        }
        answer
    }

    /// The status of an answer to an operation that cannot run.
    fn of_operation(self) -> StatusCode {
        match self {
            Self::Json => StatusCode::OK,
            Self::GraphqlResponse => StatusCode::BAD_REQUEST,
        }
    }

    fn unkept(self, mut answer: HttpResponse) -> HttpResponse {
        answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        answer
    }

    /// The answer to an operation that was executed, or does not fit the schema.
    fn tell(self, response: Response, is_executed: bool) -> HttpResponse {
        let status = if is_executed { StatusCode::OK } else { self.of_operation() };
        self.answer(status, response, is_executed)
    }

    /// `data` is there if the operation was executed, even if it is null.
    fn answer(self, status: StatusCode, response: Response, is_executed: bool) -> HttpResponse {
        let response = with_codes(response);
        let body = match is_executed {
            true => serde_json::to_vec(&response),
            false => serde_json::to_vec(&NotExecuted { errors: &response.errors }),
        };
        match body.map(Bytes::from) {
            Ok(body) => {
                let vary = HeaderValue::from_static("Accept");
                let made = Extension(Made { text: body.clone(), has_errors: response.is_err() });
                let headers = [
                    (CONTENT_TYPE, self.header()),
                    (VARY, vary),
                    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
                    (CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("same-origin")),
                ];
                (status, made, headers, body).into_response()
            }
            Err(error) => Error::internal(error).into_response(),
        }
    }
}

/// What a client takes.
#[derive(Clone, Copy, Debug)]
pub struct Accepted {
    pub media_type: MediaType,
    /// Whether it takes server-sent events.
    pub events: bool,
    /// Whether it takes nothing else.
    pub only_events: bool,
}

impl Accepted {
    pub fn of(headers: &HeaderMap) -> Self {
        let json =
            ["application/json", "application/graphql-response+json", "application/*", "*/*"];
        let events = accepts(headers, "text/event-stream");
        Self {
            media_type: MediaType::of(headers),
            events,
            only_events: events && !json.iter().any(|kind| accepts(headers, kind)),
        }
    }

    /// The answer to an operation that is not executed: what is wrong with the operation itself is an event where it can be.
    pub fn refuse(self, refusal: Refusal) -> HttpResponse {
        match refusal {
            Refusal::Operation(error) if self.only_events => sse::once(response(&error)),
            refusal => self.media_type.refuse(refusal),
        }
    }

    /// The answer to an operation that was executed, or does not fit the schema.
    pub fn tell(self, response: Response, is_executed: bool) -> HttpResponse {
        match self.only_events {
            true => sse::once(response),
            false => self.media_type.tell(response, is_executed),
        }
    }
}

/// Whether a media type is one of those that `Accept` lists.
pub fn accepts(headers: &HeaderMap, wanted: &str) -> bool {
    let listed = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut listed = listed.flat_map(|value| value.split(','));
    listed.any(|kind| {
        let mut parts = kind.split(';').map(str::trim);
        let is_wanted = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case(wanted));
        is_wanted && !parts.any(|weight| matches!(weight, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

#[derive(serde::Serialize)]
struct NotExecuted<'a> {
    errors: &'a [ServerError],
}

/// Why an operation is not executed.
pub enum Refusal {
    /// The request is wrong, or may not be made.
    Request(Error),
    /// The operation is none, or does not fit the schema or its variables.
    Operation(Error),
    /// The operation must be sent in another way.
    Method(Error),
    /// Only the name of the operation came, and nothing has it.
    NotPersisted,
}

impl Refusal {
    /// What is wrong with an operation; what is only too long is not.
    pub fn of_operation(error: Error) -> Self {
        match error {
            Error::Invalid { .. } => Self::Operation(error),
            error => Self::Request(error),
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Request(error)
    }
}

/// Whether an operation was executed: not if it did not fit the schema.
#[derive(Clone, Default)]
pub struct Executed(Arc<AtomicBool>);

impl Executed {
    pub fn begins(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Errors of ours have a code; what is left is an operation that does not fit the schema.
pub fn with_codes(mut response: Response) -> Response {
    for error in &mut response.errors {
        // Lines are counted from 1: this is no place in the operation.
        error.locations.retain(|place| place.line > 0);
        let extensions = error.extensions.get_or_insert_default();
        if extensions.get("code").is_none() {
            extensions.set("code", "INVALID");
        }
    }
    response
}

/// What Apollo's clients and urql's go on from: they send the operation.
fn not_persisted() -> Response {
    let mut error = ServerError::new("PersistedQueryNotFound", None);
    error.extensions.get_or_insert_default().set("code", "PERSISTED_QUERY_NOT_FOUND");
    Response::from_errors(vec![error])
}

/// The answer in JSON to a request that is not for an operation.
pub fn refused(error: Error) -> HttpResponse {
    MediaType::Json.refuse(error.into())
}

pub fn response(error: &Error) -> Response {
    let error = async_graphql::Error::from(error.clone()).into_server_error(Pos::default());
    Response::from_errors(vec![error])
}

/// What an answer holds, for who keeps it.
#[derive(Clone)]
struct Made {
    text: Bytes,
    has_errors: bool,
}

/// An answer to GET, which the client keeps and asks about: a project that turns private must be gone at once. What has
/// errors is not kept.
pub fn cached(mut answer: HttpResponse, request: &HeaderMap) -> HttpResponse {
    let Some(made) = answer.extensions_mut().remove::<Made>() else { return answer };
    let headers = answer.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("Accept, Authorization"));
    let kept = match (made.has_errors, request.contains_key(AUTHORIZATION)) {
        (true, _) => "no-store",
        (false, true) => "private, no-cache",
        (false, false) => "public, no-cache",
    };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(kept));
    let tag = format!("\"{}\"", hex::encode(Sha256::digest(&made.text)));
    if made.has_errors {
        return answer;
    }
    if let Ok(weak) = format!("W/{tag}").parse() {
        headers.insert(ETAG, weak);
    }
    if lists(request, IF_NONE_MATCH.as_str(), &tag) {
        headers.remove(CONTENT_TYPE);
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        *answer.body_mut() = Body::empty();
    }
    answer
}

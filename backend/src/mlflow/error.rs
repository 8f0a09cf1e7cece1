//! Errors as MLflow's clients know them: codes, statuses and words.
//!
//! | error | `error_code` | status |
//! |---|---|---|
//! | `NotFound`, `OnlyYanked` | `RESOURCE_DOES_NOT_EXIST` | 404 |
//! | `AlreadyExists`, `NameGiven` | `RESOURCE_ALREADY_EXISTS` | 400 |
//! | `Invalid` | `INVALID_PARAMETER_VALUE` | 400 |
//! | `Conflict`, `Arriving` | `RESOURCE_CONFLICT` | 409 |
//! | `PreconditionFailed` | `BAD_REQUEST` | 412 |
//! | `Unauthenticated` | `UNAUTHENTICATED` | 401 |
//! | `Forbidden` | `PERMISSION_DENIED` | 403 |
//! | `TooLarge` | `BAD_REQUEST` | 413 |
//! | `DataLoss` | `DATA_LOSS` | 410 |
//! | `NoSpace` | `RESOURCE_EXHAUSTED` | 507 |
//! | `RateLimited`, `TooOften` | `REQUEST_LIMIT_EXCEEDED` | 429 |
//! | `Timeout` | `TEMPORARILY_UNAVAILABLE` | 408 |
//! | `Internal` | `INTERNAL_ERROR` | 500 |
//!
//! Clients try again for minutes after 408, 429, 500 and 502 to 504: what a user sent is never answered so.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::error::Error;

/// A refused or failed request, in MLflow's words where it has some.
#[derive(Debug)]
pub struct Failure {
    pub error: Error,
    message: Option<String>,
}

pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// A field has a value that cannot be; the message says it as MLflow does.
    pub fn invalid(message: impl Into<String>) -> Self {
        let message = message.into();
        Self { error: Error::invalid("", message.clone()), message: Some(message) }
    }

    /// An error in other words.
    pub fn said(error: Error, message: String) -> Self {
        Self { error, message: Some(message) }
    }

    pub fn not_found(kind: &'static str, message: impl Into<String>) -> Self {
        Self { error: Error::not_found(kind, ""), message: Some(message.into()) }
    }

    /// Says it in other words if nothing is there.
    pub fn or_not_found(self, message: impl FnOnce() -> String) -> Self {
        match self.error {
            Error::NotFound { .. } => Self { message: Some(message()), ..self },
            _ => self,
        }
    }

    fn code(&self) -> &'static str {
        match self.error {
            Error::NotFound { kind: ENDPOINT, .. } => "ENDPOINT_NOT_FOUND",
            Error::NotFound { .. } | Error::OnlyYanked { .. } => "RESOURCE_DOES_NOT_EXIST",
            Error::AlreadyExists { .. } | Error::NameGiven { .. } => "RESOURCE_ALREADY_EXISTS",
            Error::Invalid { .. } => "INVALID_PARAMETER_VALUE",
            Error::Conflict(_) | Error::Arriving(_) | Error::Stale => "RESOURCE_CONFLICT",
            Error::PreconditionFailed(_) | Error::TooLarge(_) => "BAD_REQUEST",
            Error::Unauthenticated(_) => "UNAUTHENTICATED",
            Error::Forbidden(_) | Error::Protected(_) => "PERMISSION_DENIED",
            Error::DataLoss(_) => "DATA_LOSS",
            Error::NoSpace => "RESOURCE_EXHAUSTED",
            Error::RateLimited(_) | Error::TooOften { .. } => "REQUEST_LIMIT_EXCEEDED",
            Error::Timeout(_) | Error::Unavailable => "TEMPORARILY_UNAVAILABLE",
            Error::Internal(_) => "INTERNAL_ERROR",
        }
    }

    fn status(&self) -> StatusCode {
        match self.error {
            Error::AlreadyExists { .. } | Error::NameGiven { .. } => StatusCode::BAD_REQUEST,
            ref error => error.status(),
        }
    }
}

/// The kind of what is not found where nothing answers at an address.
pub const ENDPOINT: &str = "endpoint";

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = match &error {
            Error::NotFound { kind, key } => not_found(kind, key),
            Error::AlreadyExists { kind: "model", key } => {
                Some(format!("Registered Model (name={key}) already exists."))
            }
            Error::AlreadyExists { kind: "experiment", key } => {
                Some(format!("Experiment(name={key}) already exists."))
            }
            Error::Invalid { field, reason } => {
                Some(format!("Invalid value for parameter '{field}': {reason}"))
            }
            _ => None,
        };
        Self { error, message }
    }
}

fn not_found(kind: &str, key: &str) -> Option<String> {
    match kind {
        "model" => {
            let name = key.split_once('/').map_or(key, |(_, name)| name);
            Some(format!("Registered Model with name={name} not found"))
        }
        "experiment" => Some(format!("No Experiment with id={key} exists")),
        "run" | "deleted run" => Some(format!("Run with id={key} not found")),
        ENDPOINT => Some(format!(
            "There is no endpoint {key}. The README says which parts of MLflow's API this registry has."
        )),
        "logged model" => Some(format!("Logged model with ID '{key}' not found.")),
        _ => None,
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let message = self.message.clone().unwrap_or_else(|| self.error.message());
        let body = serde_json::json!({ "error_code": self.code(), "message": message });
        let status = self.status();
        self.error.log();
        (status, self.error.headers(), Json(body)).into_response()
    }
}

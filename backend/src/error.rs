//! What can go wrong, as callers see it: one enum, one table. How it is answered over HTTP and in GraphQL is in
//! [`answer`](crate::answer).
//!
//! | variant | code | status |
//! |---|---|---|
//! | `NotFound`, `OnlyYanked` | `NOT_FOUND` | 404 |
//! | `AlreadyExists`, `NameGiven` | `ALREADY_EXISTS` | 409 |
//! | `Invalid` | `INVALID` | 400 |
//! | `Conflict`, `Arriving` | `CONFLICT` | 409 |
//! | `PreconditionFailed` | `PRECONDITION_FAILED` | 412 |
//! | `Unauthenticated` | `UNAUTHENTICATED` | 401 |
//! | `Forbidden`, `Protected` | `FORBIDDEN` | 403 |
//! | `TooLarge` | `TOO_LARGE` | 413 |
//! | `DataLoss` | `DATA_LOSS` | 410 |
//! | `NoSpace` | `NO_SPACE` | 507 |
//! | `RateLimited`, `TooOften` | `RATE_LIMITED` | 429 |
//! | `Timeout` | `TIMEOUT` | 408 |
//! | `Unavailable` | `UNAVAILABLE` | 503 |
//! | `Internal` | `INTERNAL` | 500 |
//!
//! `Error` must not implement `Display`: async-graphql converts whatever does and would drop the code.

use std::error::Error as _;
use std::fmt::Debug;
use std::io::ErrorKind;
use std::sync::Arc;

use crate::db::{
    Unmet, is_disk_full, is_interrupted, is_lost, is_over_budget, is_unique_violation,
};

/// A refused or failed request. Codes are what callers branch on, messages what people read.
#[derive(Clone, Debug)]
pub enum Error {
    /// There is no such thing, or the caller may not see it.
    NotFound {
        kind: &'static str,
        key: String,
    },
    /// Only yanked versions match a range or `latest`.
    OnlyYanked {
        reference: String,
        /// What is said of the highest of them.
        notice: String,
    },
    AlreadyExists {
        kind: &'static str,
        key: String,
    },
    /// A published version had this name, and keeps it.
    NameGiven {
        version: String,
        /// A name that nothing had yet.
        next: String,
        /// Whether it is in the trash, and can be restored.
        in_trash: bool,
    },
    /// A field has a value that cannot be; the reason says what would do.
    Invalid {
        field: String,
        reason: String,
    },
    /// Right in itself, but not in the state that things are in.
    Conflict(String),
    /// Files of what is to be published are still arriving; their paths.
    Arriving(Vec<String>),
    /// Something was changed between being looked at and being changed.
    Stale,
    /// A condition that the request makes does not hold (RFC 9110 §13).
    PreconditionFailed(&'static str),
    Unauthenticated(&'static str),
    Forbidden(&'static str),
    /// This alias is moved by maintainers only.
    Protected(String),
    TooLarge(String),
    /// The bytes with this SHA-256 are lost: no copy of them is right. Trying again does not help.
    DataLoss(String),
    /// There is no room for more bytes; what is there can be read, changed and deleted.
    NoSpace,
    RateLimited(String),
    /// Somebody does something too often, and may again in so many seconds.
    TooOften {
        what: &'static str,
        seconds: i64,
    },
    /// The client sent too little for too long.
    Timeout(&'static str),
    /// What keeps the files, or the database, cannot be reached now; trying again helps.
    Unavailable,
    /// A fault of ours; the source goes to the log only.
    Internal(Arc<dyn Debug + Send + Sync>),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn not_found(kind: &'static str, key: impl Into<String>) -> Self {
        Self::NotFound { kind, key: key.into() }
    }

    pub fn invalid(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), reason: reason.into() }
    }

    pub fn at_most(field: impl Into<String>, most: usize) -> Self {
        Self::invalid(field, format!("must be at most {most}"))
    }

    /// For names of one object, of which there are at most so many.
    pub fn too_many(what: &str, most: usize) -> Self {
        let reason =
            format!("one object has at most {most} {what} of different names: log more as a file");
        Self::invalid(what, reason)
    }

    pub fn internal(source: impl Debug + Send + Sync + 'static) -> Self {
        Self::Internal(Arc::new(source))
    }

    /// No room, as the system says it: operators see where.
    fn no_space(source: impl Debug) -> Self {
        tracing::error!(?source, "the disk is full");
        Self::NoSpace
    }

    /// What keeps the files does not answer, or not as it should: operators see how.
    pub fn unreachable(source: impl Debug) -> Self {
        tracing::error!(?source, "the object store cannot be reached");
        Self::Unavailable
    }

    /// For `map_err` on an insert: a row with that key becomes [`Error::AlreadyExists`].
    pub fn unless_unique(kind: &'static str, key: &str) -> impl FnOnce(sqlx::Error) -> Self {
        let key = key.to_owned();
        move |error| {
            if is_unique_violation(&error) {
                Self::AlreadyExists { kind, key }
            } else {
                error.into()
            }
        }
    }

    /// What callers branch on.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } | Self::OnlyYanked { .. } => "NOT_FOUND",
            Self::AlreadyExists { .. } | Self::NameGiven { .. } => "ALREADY_EXISTS",
            Self::Invalid { .. } => "INVALID",
            Self::Conflict(_) | Self::Arriving(_) | Self::Stale => "CONFLICT",
            Self::PreconditionFailed(_) => "PRECONDITION_FAILED",
            Self::Unauthenticated(_) => "UNAUTHENTICATED",
            Self::Forbidden(_) | Self::Protected(_) => "FORBIDDEN",
            Self::TooLarge(_) => "TOO_LARGE",
            Self::DataLoss(_) => "DATA_LOSS",
            Self::NoSpace => "NO_SPACE",
            Self::RateLimited(_) | Self::TooOften { .. } => "RATE_LIMITED",
            Self::Timeout(_) => "TIMEOUT",
            Self::Unavailable => "UNAVAILABLE",
            Self::Internal(_) => "INTERNAL",
        }
    }

    /// The field of the input that was wrong, where one was.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Invalid { field, .. } => Some(field),
            _ => None,
        }
    }

    /// The files that are waited for, where some are.
    pub fn uploads(&self) -> Option<&[String]> {
        match self {
            Self::Arriving(paths) => Some(paths),
            _ => None,
        }
    }

    /// A sentence: a capital letter first and a full stop. Of a field it is `field: ` and what the field must be, in
    /// lower case, or a sentence.
    pub fn message(&self) -> String {
        match self {
            Self::NotFound { kind, key } => not_found(kind, key),
            Self::OnlyYanked { reference, notice } => {
                format!("{reference:?} matches only yanked versions. {notice}")
            }
            Self::AlreadyExists { kind, key } => format!("{} {key:?} already exists.", capitalised(kind)),
            Self::NameGiven { version, next, in_trash } => {
                let way = if *in_trash { "Restore it from the trash, or create" } else { "Create" };
                format!(
                    "Version {version} was published before, so its number can't be used again. {way} another \
                     version, for example {next}."
                )
            }
            Self::Invalid { field, reason } => format!("{field}: {reason}"),
            Self::Arriving(paths) => {
                let shown = paths.iter().take(5).map(String::as_str).collect::<Vec<_>>().join(", ");
                let more = match paths.len().saturating_sub(5) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                format!(
                    "These files are still uploading: {shown}{more}. Wait until the uploads are complete, or continue without these files \
                     (withoutUploads: true in GraphQL)."
                )
            }
            Self::Protected(alias) => {
                format!("“{alias}” is protected. Ask a maintainer of this project to move it.")
            }
            Self::DataLoss(sha256) => format!(
                "This file was damaged on the server, and there is no intact copy (SHA-256 {sha256}). Upload the same file again \
                 to the same path to repair it."
            ),
            Self::NoSpace => "The server has no space left for more files. Ask its operator to free some. Existing files can still be \
                              downloaded and deleted."
                .to_owned(),
            Self::Stale => "This was changed by somebody else in the meantime. Try again.".to_owned(),
            Self::Conflict(message) | Self::TooLarge(message) | Self::RateLimited(message) => {
                message.clone()
            }
            Self::TooOften { what, seconds } => {
                format!("{what}. Try again in {seconds} seconds.")
            }
            Self::PreconditionFailed(message)
            | Self::Unauthenticated(message)
            | Self::Forbidden(message)
            | Self::Timeout(message) => (*message).to_owned(),
            Self::Unavailable => "The files or the database cannot be reached now. Try again in a minute.".to_owned(),
            Self::Internal(_) => "Something went wrong on the server. Its log says what.".to_owned(),
        }
    }

    pub fn log(&self) {
        if let Self::Internal(source) = self {
            tracing::error!(?source, "internal error");
        }
    }
}

fn not_found(kind: &str, key: &str) -> String {
    match key {
        "" => format!("{} was not found.", capitalised(kind)),
        key => format!("{} {key:?} was not found.", capitalised(kind)),
    }
}

fn capitalised(text: &str) -> String {
    let (first, rest) = text.split_at(text.len().min(1));
    first.to_ascii_uppercase() + rest
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match error {
            error if is_over_budget(&error) => Self::TooLarge(
                "The answer is too large. Ask for fewer items, or for fewer fields of each.".into(),
            ),
            sqlx::Error::AnyDriverError(error) => match error.downcast().map(|error| *error) {
                Ok(Unmet::Taken { kind, key }) => Self::AlreadyExists { kind, key },
                Ok(Unmet::Missing { kind, key }) => Self::NotFound { kind, key },
                Ok(Unmet::TooMany { field, most }) => Self::too_many(field, most),
                Ok(Unmet::Stale) => Self::Stale,
                Err(error) => Self::internal(error),
            },
            error if is_disk_full(&error) => Self::no_space(error),
            error if is_interrupted(&error) => {
                tracing::warn!(?error, "a statement took too long");
                Self::Timeout("The operation took too long. Ask for less at once.")
            }
            error if is_lost(&error) => {
                tracing::error!(?error, "the database cannot be reached");
                Self::Unavailable
            }
            sqlx::Error::PoolTimedOut => {
                Self::RateLimited("The server is busy. Try again in a few seconds.".into())
            }
            error => Self::internal(error),
        }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        if is_full(&error) { Self::no_space(error) } else { Self::internal(error) }
    }
}

impl From<object_store::Error> for Error {
    fn from(error: object_store::Error) -> Self {
        let mut source = error.source();
        while let Some(inner) = source {
            if inner.downcast_ref().is_some_and(is_full) {
                return Self::no_space(error);
            }
            source = inner.source();
        }
        match error {
            object_store::Error::Generic { store: "S3" | "MicrosoftAzure" | "GCS", .. } => {
                Self::unreachable(error)
            }
            error => Self::internal(error),
        }
    }
}

/// Whether there is no room, on the disk or in a quota of it.
fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

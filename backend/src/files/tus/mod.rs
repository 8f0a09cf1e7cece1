//! Uploads that may be interrupted, as tus 1.0.0 has them (<https://tus.io/protocols/resumable-upload>), with
//! its extensions creation, creation-defer-length, creation-with-upload, checksum, concatenation, expiration and
//! termination. Translation only: what a request does is in [`resumable`] and [`joined`].
//!
//! `POST` to the address of a file, or of a folder with the name in `Upload-Metadata`, begins an upload. It
//! goes on at `/api/uploads/{upload}`. Parts (`Upload-Concat: partial`) need no name; the final upload, which puts them
//! together, has one, and is answered when the file is at its place.

mod headers;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use self::headers::{
    ALGORITHMS, CONCAT, Concat, DEFER_LENGTH, LENGTH, METADATA, Metadata, OFFSET, UPLOADS,
    checksum, has_bytes, is_piece, length, number, wrong_type,
};
use super::resumable::{self, Held, Progress, Refused};
use super::{Address, Place, joined, not_utf8, upload};
use crate::access::Actor;
use crate::action::Action;
use crate::app::App;
use crate::audit_denied;
use crate::body;
use crate::error::{Error, Result};
use crate::registry::catalog::upload::Upload;
use crate::registry::catalog::upload::rules::NewUpload;

const VERSION: HeaderValue = HeaderValue::from_static("1.0.0");
const RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
const EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
const OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");

const EXTENSIONS: &str = "creation,creation-defer-length,creation-with-upload,checksum,concatenation,expiration,termination";
/// Where the bytes are not those of the checksum.
const CHECKSUM_MISMATCH: u16 = 460;

/// An error, and the status where it is another one than the error's.
struct Failure(Option<StatusCode>, Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(None, error)
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Error(error) => Self(None, error),
            Refused::Checksum => {
                let reason = "does not match the received bytes: send them again";
                let status = StatusCode::from_u16(CHECKSUM_MISMATCH).ok();
                Self(status, Error::invalid("upload-checksum", reason))
            }
        }
    }
}

fn answer(done: Result<Response, Failure>) -> Response {
    let mut response = done.unwrap_or_else(|Failure(status, error)| {
        let mut response = error.into_response();
        *response.status_mut() = status.unwrap_or(response.status());
        response
    });
    if response.status() == StatusCode::PRECONDITION_FAILED {
        response.headers_mut().insert(TUS_VERSION, VERSION);
    }
    response.headers_mut().insert(RESUMABLE, VERSION);
    response
}

/// What can be done here.
pub async fn options(State(app): State<App>) -> Response {
    let headers = [
        (TUS_VERSION, "1.0.0".to_owned()),
        (HeaderName::from_static("tus-extension"), EXTENSIONS.to_owned()),
        (HeaderName::from_static("tus-checksum-algorithm"), ALGORITHMS.to_owned()),
        (HeaderName::from_static("tus-max-size"), app.config.max_file_size.to_string()),
    ];
    answer(Ok((StatusCode::NO_CONTENT, headers).into_response()))
}

/// Who sends a request, if it may have come from where it says and speaks our version.
fn check(app: &App, actor: &Actor, parts: &Parts) -> Result<()> {
    crate::origin::check(&app.config, actor, parts)?;
    if parts.headers.get(RESUMABLE) != Some(&VERSION) {
        return Err(Error::PreconditionFailed(
            "Tus-Resumable: send this header with the value 1.0.0.",
        ));
    }
    Ok(())
}

/// Begins an upload, and takes in what is sent with the request.
pub async fn begin(
    State(app): State<App>,
    address: Result<Path<Address>, PathRejection>,
    parts: Parts,
    body: Body,
) -> Response {
    let Ok(Path(mut address)) = address else { return answer(Err(not_utf8().into())) };
    let subject = address.subject();
    let actor = match actor(&app, &parts, &subject).await {
        Ok(actor) => actor,
        Err(error) => return answer(Err(error.into())),
    };
    let begun = async {
        check(&app, &actor, &parts)?;
        actor.check_may_write()?;
        let metadata = Metadata::of(&parts.headers)?;
        metadata.complete(&mut address.path);
        let place = address.place()?;
        let concat = Concat::of(&parts.headers)?;
        let ids = concat.as_ref().and_then(|concat| concat.parts.clone());
        let new = new_upload(&app, &actor, &place, &metadata, &parts.headers, concat).await?;
        let has_bytes = has_bytes(&parts.headers)?;
        match ids {
            Some(_) if has_bytes => Err(no_bytes_of_its_own()),
            Some(ids) => {
                let (upload, progress) = joined::join(&app, &actor, &place, &ids, new).await?;
                Ok((upload, false, progress))
            }
            None => {
                let upload = resumable::begin(&app, &actor, &place, new).await?;
                let progress = Progress { offset: 0, expires_at: upload.expires_at_ms };
                let is_empty = upload.length() == Some(0);
                Ok::<_, Failure>((upload, has_bytes || is_empty, progress))
            }
        }
    };
    let (upload, appends, mut progress) = match begun.await {
        Ok(begun) => begun,
        Err(failure) => return refuse(&app, &actor, &subject, failure).await,
    };
    if appends {
        let held = match resumable::hold(&app, &actor, &upload.id).await {
            Ok(held) => held,
            Err(error) => return answer(Err(error.into())),
        };
        progress = match append(&app, &actor, held, 0, &parts.headers, body, &subject).await {
            Ok(progress) => progress,
            Err(failure) => {
                // Nobody has heard of it.
                if let Ok(held) = resumable::hold(&app, &actor, &upload.id).await
                    && let Err(error) = held.terminate(&app).await
                {
                    error.log();
                }
                return answer(Err(failure));
            }
        };
    }
    let location = [(LOCATION, format!("{}{UPLOADS}{}", app.config.base(), upload.id))];
    answer(Ok((StatusCode::CREATED, location, headers_of(&progress)).into_response()))
}

/// What the request says of the file, or of a part of one.
async fn new_upload(
    app: &App,
    actor: &Actor,
    place: &Place,
    metadata: &Metadata,
    headers: &HeaderMap,
    concat: Option<Concat>,
) -> Result<NewUpload> {
    let is_part = concat.as_ref().is_some_and(|concat| concat.parts.is_none());
    let is_final = concat.is_some() && !is_part;
    // Who may not is told that, whatever they send.
    let path = resumable::check(app, actor, place, is_part).await?;
    if is_final && (headers.contains_key(LENGTH) || headers.contains_key(DEFER_LENGTH)) {
        let reason = "is not allowed for a final upload, which is as long as its parts together";
        return Err(Error::invalid(LENGTH.as_str(), reason));
    }
    let length = if is_final { None } else { length(headers)? };
    Ok(NewUpload {
        path,
        size: length.map(|length| upload::check_size(app, length)).transpose()?,
        sha256: metadata.sha256()?,
        metadata: metadata.text.clone(),
        concat: concat.map(|concat| concat.text),
        part_count: None,
    })
}

/// Refused as the protocol says, though it is not about who may.
fn no_bytes_of_its_own() -> Failure {
    let message = "A final upload consists of its parts. Send no bytes to it.";
    Failure(Some(StatusCode::FORBIDDEN), Error::Conflict(message.to_owned()))
}

/// Goes on with an upload, ends it, or says how far it is.
pub async fn go_on(
    State(app): State<App>,
    id: Result<Path<String>, PathRejection>,
    parts: Parts,
    body: Body,
) -> Response {
    let Ok(Path(id)) = id else { return answer(Err(not_utf8().into())) };
    let actor = match actor(&app, &parts, "").await {
        Ok(actor) => actor,
        Err(error) => return answer(Err(error.into())),
    };
    let mut subject = String::new();
    let asked = async {
        check(&app, &actor, &parts)?;
        let method = method_of(&parts)?;
        let (upload, place) = resumable::find(&app, &actor, &id).await?;
        subject = place.model.clone();
        if upload.is_final() && method != Method::DELETE {
            // Nobody who asks stops it.
            return match method {
                Method::HEAD => Ok(Asked::State(upload)),
                _ => Err(no_bytes_of_its_own()),
            };
        }
        let mut held = match method {
            Method::HEAD => resumable::look(&app, &actor, &id).await?,
            _ => resumable::hold(&app, &actor, &id).await?,
        };
        if method == Method::DELETE {
            return Ok(Asked::End(held));
        }
        if !held.upload.is_over {
            held.check(&app, &actor).await?;
        }
        if method == Method::HEAD {
            return Ok(Asked::Progress(held));
        }
        let from = piece(&app, &actor, &mut held, &parts.headers).await?;
        Ok::<_, Failure>(Asked::Append(held, from))
    };
    let asked = match asked.await {
        Ok(asked) => asked,
        Err(failure) => return refuse(&app, &actor, &subject, failure).await,
    };
    answer(match asked {
        Asked::State(upload) => state(&upload, None).map_err(Failure::from),
        Asked::Progress(held) => progress(&held).await.map_err(Failure::from),
        Asked::End(held) => end(&app, &actor, held).await.map_err(Failure::from),
        Asked::Append(held, _) if held.upload.is_over => held
            .progress()
            .await
            .map_err(Failure::from)
            .map(|progress| (StatusCode::NO_CONTENT, headers_of(&progress)).into_response()),
        Asked::Append(held, from) => {
            append(&app, &actor, held, from, &parts.headers, body, &subject)
                .await
                .map(|progress| (StatusCode::NO_CONTENT, headers_of(&progress)).into_response())
        }
    })
}

/// What a request to an upload asks for.
enum Asked {
    /// How far a final one is.
    State(Upload),
    /// How far any other one is.
    Progress(Held),
    End(Held),
    /// To take in the bytes that follow the first so many.
    Append(Held, u64),
}

/// Gives an upload up, of a part that belongs to a final one that one.
async fn end(app: &App, actor: &Actor, held: Held) -> Result<Response> {
    let joined = match &held.upload.final_id {
        Some(id) => Some(resumable::find(app, actor, id).await?.0).filter(|upload| !upload.is_over),
        None => None,
    };
    match joined {
        Some(joined) => {
            drop(held);
            resumable::hold(app, actor, &joined.id).await?.terminate(app).await?;
        }
        None => held.terminate(app).await?,
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What is asked; a client behind a proxy that passes no PATCH says it beside a POST.
fn method_of(parts: &Parts) -> Result<Method> {
    if parts.method != Method::POST {
        return Ok(parts.method.clone());
    }
    match parts.headers.get(OVERRIDE).map(HeaderValue::as_bytes) {
        Some(b"PATCH") => Ok(Method::PATCH),
        Some(b"DELETE") => Ok(Method::DELETE),
        Some(b"HEAD") => Ok(Method::HEAD),
        _ => Err(Error::invalid(OVERRIDE.as_str(), "must be PATCH, DELETE or HEAD")),
    }
}

async fn progress(held: &Held) -> Result<Response> {
    state(&held.upload, Some(held.progress().await?))
}

/// How far an upload is, for who does not know. A final one says no offset before it is over.
fn state(upload: &Upload, progress: Option<Progress>) -> Result<Response> {
    let mut headers = HeaderMap::new();
    let mut add = |name: HeaderName, value: &str| -> Result<()> {
        headers.insert(name, HeaderValue::from_str(value).map_err(Error::internal)?);
        Ok(())
    };
    add(CACHE_CONTROL, "no-store")?;
    match upload.length() {
        Some(length) => add(LENGTH, &length.to_string())?,
        None => add(DEFER_LENGTH, "1")?,
    }
    if let Some(concat) = &upload.concat {
        add(CONCAT, concat)?;
    }
    if !upload.metadata.is_empty() {
        add(METADATA, &upload.metadata)?;
    }
    let offset = match &progress {
        Some(progress) => Some(progress.offset),
        None => upload.length().filter(|_| upload.is_over),
    };
    if let Some(offset) = offset {
        add(OFFSET, &offset.to_string())?;
    }
    let expires_at = progress.map_or(upload.expires_at_ms, |progress| progress.expires_at);
    add(EXPIRES, &expires_at.to_http_date())?;
    Ok((StatusCode::OK, headers).into_response())
}

/// Where the piece that a request brings begins: there and nowhere else the upload goes on. The request may also say how
/// long all is, where that was to be said later.
async fn piece(
    app: &App,
    actor: &Actor,
    held: &mut Held,
    headers: &HeaderMap,
) -> Result<u64, Failure> {
    if !is_piece(headers) {
        return Err(wrong_type());
    }
    let offset = number(headers, &OFFSET)?;
    let offset = offset.ok_or_else(|| {
        Error::invalid(
            "upload-offset",
            "is missing: send the position in the file where these bytes begin",
        )
    })?;
    let there = held.progress().await?.offset;
    if offset != there {
        let message = format!("the upload goes on at {there}, not at {offset}");
        return Err(Error::Conflict(message).into());
    }
    checksum(headers)?;
    let announced = number(headers, &CONTENT_LENGTH)?.unwrap_or(0);
    let end = offset.saturating_add(announced);
    if let Some(length) = number(headers, &LENGTH)? {
        if (offset..end).contains(&length) {
            let message = format!("the file has {length} bytes, as Upload-Length says");
            return Err(Error::TooLarge(message).into());
        }
        held.say_length(app, actor, length).await?;
    }
    held.check_size(app, end)?;
    Ok(offset)
}

/// Takes in a piece, by itself: a client who goes away now must not keep what arrived from being noted.
async fn append(
    app: &App,
    actor: &Actor,
    held: Held,
    from: u64,
    headers: &HeaderMap,
    body: Body,
    subject: &str,
) -> Result<Progress, Failure> {
    let (app, actor) = (app.clone(), actor.clone());
    let (headers, subject) = (headers.clone(), subject.to_owned());
    let done = tokio::spawn(async move {
        let checksum = checksum(&headers)?;
        let mut body = body::arriving(&app, body);
        let done = held.append(&app, &actor, from, checksum, &mut body).await;
        if let Err(Refused::Error(error)) = &done {
            audit_denied::log_error(&app, &actor, Action::FilePut, &subject, error).await;
        }
        Ok::<_, Failure>(done?)
    });
    done.await.map_err(Error::internal)?
}

async fn actor(app: &App, parts: &Parts, subject: &str) -> Result<Actor> {
    match Actor::of_request(&app.access, parts).await {
        Ok(actor) => Ok(actor),
        Err(error) => {
            let stranger = Actor::of_network(&app.access, parts);
            audit_denied::log_error(app, &stranger, Action::FilePut, subject, &error).await;
            Err(error)
        }
    }
}

async fn refuse(app: &App, actor: &Actor, subject: &str, failure: Failure) -> Response {
    audit_denied::log_error(app, actor, Action::FilePut, subject, &failure.1).await;
    answer(Err(failure))
}

fn headers_of(progress: &Progress) -> [(HeaderName, String); 2] {
    [(OFFSET, progress.offset.to_string()), (EXPIRES, progress.expires_at.to_http_date())]
}

//! Uploads that may be interrupted, as tus 1.0.0 has them (<https://tus.io/protocols/resumable-upload>), with
//! its extensions creation, creation-with-upload, checksum, expiration and termination. Translation only: what
//! a request does is in [`resumable`](super::resumable).
//!
//! `POST` to the address of a file, or of a folder with the name in `Upload-Metadata`, begins an upload. It
//! goes on at `/api/uploads/{upload}`.

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use sha2::Sha256;

use super::resumable::{self, Held, Progress, Refused};
use super::{Address, Place, not_utf8, upload};
use crate::access::Actor;
use crate::action::Action;
use crate::app::App;
use crate::audit_denied;
use crate::body;
use crate::error::{Error, Result};
use crate::files::upload::Place as _;
use crate::registry::catalog::upload::rules::NewUpload;
use crate::store::Checksum;

const VERSION: HeaderValue = HeaderValue::from_static("1.0.0");
const RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const LENGTH: HeaderName = HeaderName::from_static("upload-length");
const METADATA: HeaderName = HeaderName::from_static("upload-metadata");
const EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
const CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");
const OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");

const EXTENSIONS: &str = "creation,creation-with-upload,checksum,expiration,termination";
const ALGORITHMS: &str = "sha1,sha256";
const PIECE: &str = "application/offset+octet-stream";
/// Where the bytes are not those of the checksum.
const CHECKSUM_MISMATCH: u16 = 460;
const MAX_METADATA: usize = 4096;

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
fn check(app: &App, actor: &Actor, headers: &HeaderMap) -> Result<()> {
    crate::origin::check(&app.config, actor, headers)?;
    if headers.get(RESUMABLE) != Some(&VERSION) {
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
        check(&app, &actor, &parts.headers)?;
        actor.check_may_write()?;
        let metadata = Metadata::of(&parts.headers)?;
        metadata.complete(&mut address.path);
        let place = address.place()?;
        let new = new_upload(&app, &actor, &place, &metadata, &parts.headers).await?;
        let has_bytes = has_bytes(&parts.headers)?;
        let upload = resumable::begin(&app, &actor, &place, new).await?;
        Ok::<_, Failure>((upload, has_bytes))
    };
    let (upload, has_bytes) = match begun.await {
        Ok(begun) => begun,
        Err(failure) => return refuse(&app, &actor, &subject, &parts.headers, body, failure).await,
    };
    let mut progress = Progress { offset: 0, expires_at: upload.expires_at_ms };
    if has_bytes || upload.size == 0 {
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
    let location = [(LOCATION, format!("{}/api/uploads/{}", app.config.base(), upload.id))];
    answer(Ok((StatusCode::CREATED, location, headers_of(&progress)).into_response()))
}

/// What the request says of the file.
async fn new_upload(
    app: &App,
    actor: &Actor,
    place: &Place,
    metadata: &Metadata,
    headers: &HeaderMap,
) -> Result<NewUpload> {
    // Who may not is told that, whatever they send.
    upload::check(app, actor, place, &HeaderMap::new()).await?;
    if headers.contains_key("upload-concat") {
        let reason = "is not supported: send the file as one upload";
        return Err(Error::invalid("upload-concat", reason));
    }
    let size = number(headers, &LENGTH)?;
    let size = size.ok_or_else(|| {
        Error::invalid("upload-length", "is missing: send the size of the file in bytes")
    })?;
    let max_size = app.config.max_file_size;
    let size = i64::try_from(size).ok().filter(|size| size.unsigned_abs() <= max_size);
    let size = size.ok_or_else(|| {
        Error::TooLarge(format!("The file is too large: at most {max_size} bytes are allowed."))
    })?;
    Ok(NewUpload {
        path: place.path()?,
        size,
        sha256: metadata.sha256()?,
        metadata: metadata.text.clone(),
    })
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
    let held = async {
        check(&app, &actor, &parts.headers)?;
        let method = method_of(&parts)?;
        let (_, place) = resumable::find(&app, &actor, &id).await?;
        subject = place.model.clone();
        let held = resumable::hold(&app, &actor, &id).await?;
        if method != Method::DELETE && !held.upload.is_over() {
            held.check(&app, &actor).await?;
        }
        let from = if method == Method::PATCH { offset(&held, &parts.headers).await? } else { 0 };
        Ok::<_, Failure>((method, held, from))
    };
    let (method, held, from) = match held.await {
        Ok(held) => held,
        Err(failure) => return refuse(&app, &actor, &subject, &parts.headers, body, failure).await,
    };
    answer(match method {
        Method::DELETE => held
            .terminate(&app)
            .await
            .map_err(Failure::from)
            .map(|()| StatusCode::NO_CONTENT.into_response()),
        Method::HEAD => state(&held).await.map_err(Failure::from),
        _ if held.upload.is_over() => held
            .progress()
            .await
            .map_err(Failure::from)
            .map(|progress| (StatusCode::NO_CONTENT, headers_of(&progress)).into_response()),
        _ => append(&app, &actor, held, from, &parts.headers, body, &subject)
            .await
            .map(|progress| (StatusCode::NO_CONTENT, headers_of(&progress)).into_response()),
    })
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

/// How far an upload is, for who does not know.
async fn state(held: &Held) -> Result<Response> {
    let length = [(LENGTH, held.upload.size.to_string())];
    let fresh = [(CACHE_CONTROL, "no-store")];
    let headers = headers_of(&held.progress().await?);
    let mut response = (StatusCode::OK, length, fresh, headers).into_response();
    if !held.upload.metadata.is_empty() {
        let metadata = HeaderValue::from_str(&held.upload.metadata).map_err(Error::internal)?;
        response.headers_mut().insert(METADATA, metadata);
    }
    Ok(response)
}

/// Where the piece that a request brings begins: there and nowhere else the upload goes on.
async fn offset(held: &Held, headers: &HeaderMap) -> Result<u64, Failure> {
    if headers.get(CONTENT_TYPE).is_none_or(|value| value.as_bytes() != PIECE.as_bytes()) {
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
    let announced = number(headers, &CONTENT_LENGTH)?.unwrap_or(0);
    if offset.saturating_add(announced) > held.upload.size.unsigned_abs() {
        let message = format!("the file has {} bytes, as Upload-Length said", held.upload.size);
        return Err(Error::TooLarge(message).into());
    }
    checksum(headers)?;
    Ok(offset)
}

fn wrong_type() -> Failure {
    let error = Error::invalid("content-type", format!("must be {PIECE}"));
    Failure(Some(StatusCode::UNSUPPORTED_MEDIA_TYPE), error)
}

/// Whether the request that begins an upload brings bytes of the file.
fn has_bytes(headers: &HeaderMap) -> Result<bool, Failure> {
    let is_piece =
        headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes() == PIECE.as_bytes());
    if !is_piece && number(headers, &CONTENT_LENGTH)?.unwrap_or(0) > 0 {
        return Err(wrong_type());
    }
    checksum(headers)?;
    Ok(is_piece)
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
            body::take_rest(&mut body, &headers, error).await;
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

async fn refuse(
    app: &App,
    actor: &Actor,
    subject: &str,
    headers: &HeaderMap,
    body: Body,
    failure: Failure,
) -> Response {
    audit_denied::log_error(app, actor, Action::FilePut, subject, &failure.1).await;
    body::take_rest(&mut body::arriving(app, body), headers, &failure.1).await;
    answer(Err(failure))
}

fn headers_of(progress: &Progress) -> [(HeaderName, String); 2] {
    [(OFFSET, progress.offset.to_string()), (EXPIRES, progress.expires_at.to_http_date())]
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Result<Option<u64>> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let number = value.to_str().ok().and_then(|value| value.parse().ok());
    number.map(Some).ok_or_else(|| Error::invalid(name.as_str(), "must be a whole number of bytes"))
}

/// What `Upload-Checksum` says that the bytes of this request have.
fn checksum(headers: &HeaderMap) -> Result<Option<(Checksum, Vec<u8>)>> {
    let Some(value) = headers.get(CHECKSUM) else { return Ok(None) };
    let wrong =
        || Error::invalid(CHECKSUM.as_str(), "must have the form sha256 BASE64 or sha1 BASE64");
    let (algorithm, digest) =
        value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or_else(wrong)?;
    let checksum = match algorithm {
        "sha1" => Checksum::Sha1(Sha1::new()),
        "sha256" => Checksum::Sha256(Sha256::new()),
        _ => return Err(wrong()),
    };
    Ok(Some((checksum, STANDARD.decode(digest).map_err(|_| wrong())?)))
}

/// `Upload-Metadata`: what a client says of the file.
struct Metadata {
    text: String,
    pairs: Vec<(String, String)>,
}

impl Metadata {
    fn of(headers: &HeaderMap) -> Result<Self> {
        let wrong = |reason: &str| Error::invalid(METADATA.as_str(), reason);
        let text = headers.get(METADATA).map_or(Ok(""), HeaderValue::to_str);
        let text = text.map_err(|_| wrong("must be ASCII, with values in base64"))?.to_owned();
        if text.len() > MAX_METADATA {
            return Err(wrong("must be at most 4 KiB"));
        }
        let mut pairs = Vec::new();
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
            let value = STANDARD.decode(value).ok().and_then(|value| String::from_utf8(value).ok());
            let value = value.ok_or_else(|| {
                wrong("must have the form KEY BASE64,KEY BASE64, with values in UTF-8")
            })?;
            pairs.push((key.to_owned(), value));
        }
        Ok(Self { text, pairs })
    }

    fn get(&self, key: &str) -> Option<&str> {
        let pair = self.pairs.iter().find(|(found, _)| found == key);
        pair.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Completes the path of a folder with the name of the file. Uppy writes null where there is no folder.
    fn complete(&self, path: &mut String) {
        if path.is_empty() || path.ends_with('/') {
            let relative = self.get("relativePath").filter(|path| *path != "null");
            path.push_str(relative.or(self.get("filename")).unwrap_or_default());
        }
    }

    fn sha256(&self) -> Result<Option<String>> {
        let Some(digest) = self.get("sha256") else { return Ok(None) };
        if digest.len() != 64 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Error::invalid("sha256", "must be 64 hexadecimal digits"));
        }
        Ok(Some(digest.to_ascii_lowercase()))
    }
}

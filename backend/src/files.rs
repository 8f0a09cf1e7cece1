//! Files over HTTP: `/files/{project}/{model}/{reference}/{path}`, where a reference is `1.2.0`, `^1.2`,
//! `@champion`, `latest` or `candidate:7`.
//!
//! `PUT` streams one file in, `GET` and `HEAD` serve it with ranges (RFC 9110 §14) and conditions (§13),
//! a folder is listed as JSON or streamed as an archive. Nothing that a user uploaded ever runs in the
//! registry's origin: everything is an attachment, sandboxed and not to be sniffed.

use std::ops::Range;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, EXPECT, IF_MATCH, IF_NONE_MATCH, IF_RANGE,
    LOCATION, RANGE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, request::Parts};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{Stream, StreamExt};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::time::Instant;

use crate::app::App;
use crate::archive::{self, Format};
use crate::auth::{Actor, Writer};
use crate::error::{Error, Result};
use crate::refusal;
use crate::registry::event::Change;
use crate::registry::file::{self, Blob, File, Put};
use crate::registry::object::{self, Target};
use crate::text::FilePath;

/// What is left of a refused upload is read up to so many bytes, so that the client sees the answer.
const DRAIN_BYTES: usize = 64 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(5);
/// What an upload must bring, in bytes a second.
const SLOWEST: u64 = 1024;

pub fn routes() -> Router<App> {
    let file = get(download).put(upload);
    Router::new()
        .route("/files/{project}/{model}/{reference}", file.clone())
        .route("/files/{project}/{model}/{reference}/", file.clone())
        .route("/files/{project}/{model}/{reference}/{*path}", file)
}

#[derive(serde::Deserialize)]
struct Address {
    project: String,
    model: String,
    reference: String,
    #[serde(default)]
    path: String,
}

impl Address {
    /// The model's path, and the version or the number of the candidate.
    fn parts(&self) -> Result<(String, Option<&str>, Option<i32>)> {
        let model = format!("{}/{}", self.project, self.model);
        match self.reference.strip_prefix("candidate:") {
            Some(number) => {
                let number = number.parse().map_err(|_| Error::not_found("candidate", number))?;
                Ok((model, None, Some(number)))
            }
            None => Ok((model, Some(&self.reference), None)),
        }
    }
}

#[derive(serde::Deserialize)]
struct Options {
    archive: Option<Format>,
}

fn not_utf8() -> Error {
    Error::invalid("path", "must be percent-encoded UTF-8")
}

async fn upload(
    State(app): State<App>,
    address: Result<Path<Address>, PathRejection>,
    parts: Parts,
    body: Body,
) -> Result<Response> {
    let Path(address) = address.map_err(|_| not_utf8())?;
    let mut body = Box::pin(arriving(body, Duration::from_secs(app.config.stall_seconds)));
    let path = format!("{}/{}", address.project, address.model);
    let actor = match Actor::of_request(&app, &parts).await {
        Ok(actor) => actor,
        Err(error) => {
            let stranger = Actor::of_network(&app, &parts);
            refusal::log_error(&app, &stranger, "file.put", &path, &error).await;
            return Err(error);
        }
    };
    let put = receive(&app, &actor, &address, &parts.headers, &mut body).await;
    let put = match put {
        Ok(put) => put,
        Err(error) => {
            refusal::log_error(&app, &actor, "file.put", &path, &error).await;
            // Who asks first has sent nothing yet, and need not; strangers are not waited for.
            let stranger = matches!(error, Error::Unauthenticated(_));
            if !stranger && !parts.headers.contains_key(EXPECT) {
                drain(&mut body).await;
            }
            return Err(error);
        }
    };
    let (status, file) = match put {
        Put::Created(file) => (StatusCode::CREATED, file),
        Put::Unchanged(file) | Put::Replaced(file) => (StatusCode::OK, file),
    };
    let etag = format!("\"{}\"", file.sha256);
    let headers = [(ETAG, etag), (LOCATION, parts.uri.path().to_owned())];
    Ok((status, headers, Json(description(&file))).into_response())
}

async fn receive(
    app: &App,
    actor: &Actor,
    address: &Address,
    headers: &HeaderMap,
    body: &mut (impl Stream<Item = Result<Bytes>> + Unpin),
) -> Result<Put> {
    crate::graphql::check_origin(&app.config, actor, headers)?;
    let (model, version, candidate) = address.parts()?;
    actor.check_may_write()?;
    let (reader, target) = object::readable(&app.db, actor, &model, version, candidate).await?;
    let writer = Writer::of(reader)?;
    let path = FilePath::parse("path", &address.path)?;
    if headers.contains_key(CONTENT_RANGE) {
        // RFC 9110 §14.5: taken for the whole file, a part would be one that is broken.
        return Err(Error::invalid("content-range", "is not taken: send the whole file"));
    }
    check_conditions(headers, file::find(&app.db, target.id(), path.as_str()).await?.as_ref())?;
    file::check_put(&app.db, &writer, &target, &path).await?;
    let max_size = app.config.max_file_size;
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|size: u64| size > max_size) {
        return Err(Error::TooLarge(format!("a file can be at most {max_size} bytes large")));
    }
    let expected = expected_digests(headers)?;
    let (blob, naming) = app.store.write(body, max_size, app.clock.now()).await?;
    check_digests(&expected, &blob)?;
    // By itself: a client who goes away now must not part the commit from what guards its blob.
    let (app, actor, model) = (app.clone(), actor.clone(), model.clone());
    let (version, headers) = (version.map(str::to_owned), headers.clone());
    let named = tokio::spawn(async move {
        // Everything again inside the transaction: much may have happened while the bytes arrived.
        let mut change = Change::begin(&app, &actor).await?;
        let (writer, target) =
            object::writable(&mut change, &actor, &model, version.as_deref(), candidate).await?;
        // Locked before it is looked at: of two who each want to be the first, one is.
        target.touch(&mut change).await?;
        let there = file::find(&mut *change, target.id(), path.as_str()).await?;
        check_conditions(&headers, there.as_ref())?;
        let put = file::put(&mut change, &writer, &target, &path, &blob).await?;
        change.commit().await?;
        drop(naming);
        Ok(put)
    });
    named.await.map_err(Error::internal)?
}

/// The body, ended by an error when nothing arrives for too long, or next to nothing for longer.
fn arriving(body: Body, stall: Duration) -> impl Stream<Item = Result<Bytes>> {
    struct Arriving {
        body: BodyDataStream,
        /// Waiting for the client, not for our disk.
        waited: Duration,
        bytes: u64,
    }
    let begin = Arriving { body: body.into_data_stream(), waited: Duration::ZERO, bytes: 0 };
    let bytes = futures_util::stream::unfold(Some(begin), move |state| async move {
        let mut state = state?;
        let stopped = |message| Some((Err(Error::Timeout(message)), None));
        let asked = Instant::now();
        let next = tokio::time::timeout(stall, state.body.next()).await;
        state.waited += asked.elapsed();
        match next {
            Ok(Some(Ok(bytes))) => {
                state.bytes += bytes.len() as u64;
                if state.waited > stall {
                    if state.bytes < SLOWEST * stall.as_secs() {
                        return stopped("the upload is too slow: send at least 1 KiB a second");
                    }
                    (state.waited, state.bytes) = (Duration::ZERO, 0);
                }
                Some((Ok(bytes), Some(state)))
            }
            Ok(Some(Err(_))) => stopped("the upload was cut off"),
            Ok(None) => None,
            Err(_) => stopped("the upload stood still for too long"),
        }
    });
    bytes.fuse()
}

/// Reads on for a while, so that a client that sends before it listens sees the answer.
async fn drain(body: &mut (impl Stream<Item = Result<Bytes>> + Unpin)) {
    let reading = async {
        let mut left = DRAIN_BYTES;
        while let Some(Ok(bytes)) = body.next().await {
            match left.checked_sub(bytes.len()) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    tokio::time::timeout(DRAIN_TIME, reading).await.ok();
}

/// The SHA-256 that the client says the bytes have, in hexadecimal, by the header that says it:
/// `Content-Digest` or `Repr-Digest` as in RFC 9530, `sha-256=:BASE64:`. Other algorithms are passed over.
fn expected_digests(headers: &HeaderMap) -> Result<Vec<(&'static str, String)>> {
    let mut expected = Vec::new();
    for name in ["content-digest", "repr-digest"] {
        for value in headers.get_all(name) {
            let wrong = || Error::invalid(name, "is written sha-256=:BASE64: (RFC 9530)");
            for entry in value.to_str().map_err(|_| wrong())?.split(',') {
                let (algorithm, digest) = entry.trim().split_once('=').ok_or_else(wrong)?;
                if algorithm.eq_ignore_ascii_case("sha-256") {
                    let digest =
                        digest.strip_prefix(':').and_then(|digest| digest.strip_suffix(':'));
                    let bytes = STANDARD.decode(digest.ok_or_else(wrong)?).map_err(|_| wrong())?;
                    expected.push((name, crate::store::hex(&bytes)));
                }
            }
        }
    }
    Ok(expected)
}

fn check_digests(expected: &[(&'static str, String)], blob: &Blob) -> Result<()> {
    match expected.iter().find(|(_, digest)| *digest != blob.sha256) {
        Some((name, _)) => Err(Error::invalid(
            *name,
            format!("the bytes that arrived have the SHA-256 {}: send them again", blob.sha256),
        )),
        None => Ok(()),
    }
}

/// `If-Match` and, for an upload, `If-None-Match` (RFC 9110 §13.1).
fn check_conditions(headers: &HeaderMap, there: Option<&File>) -> Result<(), Error> {
    let etag = there.map(|file| format!("\"{}\"", file.sha256));
    let matches =
        |name: HeaderName| etag.as_ref().is_some_and(|etag| lists(headers, name.as_str(), etag));
    if headers.contains_key(IF_MATCH) && !matches(IF_MATCH) {
        return Err(Error::PreconditionFailed("If-Match: the file is another one by now"));
    }
    if matches(IF_NONE_MATCH) {
        return Err(Error::PreconditionFailed("If-None-Match: the file is there already"));
    }
    Ok(())
}

async fn download(
    method: Method,
    State(app): State<App>,
    address: Result<Path<Address>, PathRejection>,
    options: Result<Query<Options>, QueryRejection>,
    request: Parts,
) -> Result<Response> {
    let Path(address) = address.map_err(|_| not_utf8())?;
    let Query(options) = options.map_err(|_| Error::invalid("archive", "must be tar or zip"))?;
    let actor = Actor::of_request(&app, &request).await?;
    let (model, version, candidate) = address.parts()?;
    let (_reader, target) = object::readable(&app.db, &actor, &model, version, candidate).await?;
    if options.archive.is_none()
        && let Some(file) = file::find(&app.db, target.id(), &address.path).await?
    {
        return serve(&app, &file, &method, &request.headers).await;
    }
    let files = file::all_in(&app.db, target.id(), &address.path).await?;
    if files.is_empty() && !address.path.trim_end_matches('/').is_empty() {
        return Err(Error::not_found("file", &address.path));
    }
    match options.archive {
        Some(format) => Ok(archive(app, format, &target, &address.path, files)),
        None => {
            let files: Vec<_> = files.iter().map(description).collect();
            let body = serde_json::json!({ "path": address.path, "files": files });
            let headers =
                [(X_CONTENT_TYPE_OPTIONS, "nosniff"), (CACHE_CONTROL, "private, no-cache")];
            Ok((headers, Json(body)).into_response())
        }
    }
}

fn description(file: &File) -> serde_json::Value {
    serde_json::json!({
        "path": file.path,
        "size": file.size.0,
        "sha256": file.sha256,
        "contentType": file.content_type,
        "createdAt": file.created_at_ms.to_rfc3339(),
    })
}

async fn serve(app: &App, file: &File, method: &Method, request: &HeaderMap) -> Result<Response> {
    let size = file.size.0.unsigned_abs();
    let etag = format!("\"{}\"", file.sha256);
    let mut headers = HeaderMap::new();
    let mut set = |name, value: &str| {
        HeaderValue::from_str(value)
            .map(|value| headers.insert(name, value))
            .map_err(Error::internal)
    };
    set(ETAG, &etag)?;
    // A reference may come to name another version, so caches ask each time; the ETag makes it cheap.
    set(CACHE_CONTROL, "private, no-cache")?;
    set(ACCEPT_RANGES, "bytes")?;
    if request.contains_key(IF_MATCH) && !lists(request, IF_MATCH.as_str(), &etag) {
        return Err(Error::PreconditionFailed("If-Match: the file is another one by now"));
    }
    if lists(request, IF_NONE_MATCH.as_str(), &etag) {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    set(CONTENT_TYPE, &file.content_type)?;
    let name = file.path.rsplit('/').next().unwrap_or_default();
    set(CONTENT_DISPOSITION, &attachment(name))?;
    set(X_CONTENT_TYPE_OPTIONS, "nosniff")?;
    set(CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'")?;
    // Compared as it stands: a part of other bytes must not be joined to these.
    let unchanged = request.get(IF_RANGE).is_none_or(|value| value.as_bytes() == etag.as_bytes());
    let range = match request.get(RANGE).filter(|_| unchanged && method == Method::GET) {
        Some(range) => parse_range(range, size),
        None => Requested::All,
    };
    let (status, range) = match range {
        Requested::All => (StatusCode::OK, 0..size),
        Requested::Part(range) => {
            set(CONTENT_RANGE, &format!("bytes {}-{}/{size}", range.start, range.end - 1))?;
            (StatusCode::PARTIAL_CONTENT, range)
        }
        Requested::Nothing => {
            set(CONTENT_RANGE, &format!("bytes */{size}"))?;
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, headers).into_response());
        }
    };
    set(CONTENT_LENGTH, &(range.end - range.start).to_string())?;
    let body = Body::from_stream(app.store.read(&file.sha256, range).await?);
    Ok((status, headers, body).into_response())
}

/// Whether a header lists an ETag, or `*`.
fn lists(request: &HeaderMap, header: &str, etag: &str) -> bool {
    request
        .get_all(header)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|value| value.trim().trim_start_matches("W/"))
        .any(|value| value == etag || value == "*")
}

#[derive(Debug, PartialEq)]
enum Requested {
    All,
    Part(Range<u64>),
    Nothing,
}

/// Reads a `Range` header with one range; several, or what is no range, mean everything, as RFC 9110
/// §14.2 allows.
fn parse_range(header: &HeaderValue, size: u64) -> Requested {
    let range = header.to_str().ok().and_then(|header| header.strip_prefix("bytes="));
    let Some((first, last)) = range.and_then(|range| range.trim().split_once('-')) else {
        return Requested::All;
    };
    let range = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..size.min(last.saturating_add(1)),
        (Ok(first), Err(_)) if last.is_empty() => first..size,
        (Err(_), Ok(length)) if first.is_empty() => size.saturating_sub(length)..size,
        _ => return Requested::All,
    };
    if range.is_empty() { Requested::Nothing } else { Requested::Part(range) }
}

/// `attachment` with the name in both forms of RFC 6266.
fn attachment(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_graphic() && !"\"\\%;".contains(c) || c == ' ' { c } else { '_' })
        .collect();
    let encoded = utf8_percent_encode(name, NON_ALPHANUMERIC);
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

fn archive(app: App, format: Format, target: &Target, folder: &str, files: Vec<File>) -> Response {
    let of = match target {
        Target::Model { model, .. } => model.name.clone(),
        Target::Version { model, version, .. } => format!("{}-{}", model.name, version.version),
        Target::Candidate { model, candidate, .. } => {
            format!("{}-candidate-{}", model.name, candidate.number.unwrap_or_default())
        }
    };
    let folder = folder.trim_end_matches('/').to_owned();
    let name = match folder.rsplit('/').next() {
        Some(last) if !last.is_empty() => format!("{of}-{last}"),
        _ => of,
    };
    let headers = [
        (CONTENT_TYPE, format.content_type().to_owned()),
        (CONTENT_DISPOSITION, attachment(&format!("{name}.{}", format.ending()))),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (CACHE_CONTROL, "private, no-cache".to_owned()),
    ];
    (headers, Body::from_stream(archive::stream(app.store, format, folder, files))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        let range = |text: &str| parse_range(&HeaderValue::from_str(text).unwrap(), 10);
        assert_eq!(range("bytes=0-3"), Requested::Part(0..4));
        assert_eq!(range("bytes=4-"), Requested::Part(4..10));
        assert_eq!(range("bytes=-3"), Requested::Part(7..10));
        assert_eq!(range("bytes=-30"), Requested::Part(0..10));
        assert_eq!(range("bytes=8-99"), Requested::Part(8..10));
        assert_eq!(range("bytes=10-"), Requested::Nothing);
        assert_eq!(range("bytes=-0"), Requested::Nothing);
        for text in ["bytes=3-1", "bytes=a-b", "bytes=0-1,4-5", "lines=1-2", "bytes=-"] {
            assert_eq!(range(text), Requested::All, "{text}");
        }
    }

    #[test]
    fn a_file_name_cannot_break_out_of_its_header() {
        assert_eq!(attachment("a.txt"), "attachment; filename=\"a.txt\"; filename*=UTF-8''a%2Etxt");
        assert_eq!(
            attachment("\"\r\nü"),
            "attachment; filename=\"____\"; filename*=UTF-8''%22%0D%0A%C3%BC"
        );
    }
}

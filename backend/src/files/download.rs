//! Files going out: with ranges (RFC 9110 §14) and conditions (§13), or many as one archive. Everything
//! is an attachment, sandboxed and not to be sniffed: nothing that a user uploaded runs in our origin.

use std::ops::Range;

use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::redirect;
use crate::access::Actor;
use crate::answer::lists;
use crate::app::App;
use crate::archive::{Archive, Format};
use crate::error::{Error, Result};
use crate::registry::catalog::blob;
use crate::registry::catalog::file::File;
use crate::registry::catalog::file::sql::Walk;
use crate::registry::target::Target;

pub(super) const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// Serves one file to somebody who may read it, or what `method` and the headers ask of it.
pub async fn serve(
    app: &App,
    actor: &Actor,
    file: &File,
    method: &Method,
    request: &HeaderMap,
) -> Result<Response> {
    let content = Content {
        size: file.size.0.unsigned_abs(),
        etag: format!("\"{}\"", file.sha256),
        repr_digest: Some(repr_digest(&file.sha256)?),
        content_type: &file.content_type,
        name: file.path.rsplit('/').next().unwrap_or_default(),
        has_parts: true,
    };
    let (status, headers, range) = content.head(method, request)?;
    if range.is_some()
        && let Some(redirect) =
            redirect::to_store(app, actor, file, (method, request), &headers).await?
    {
        return Ok(redirect);
    }
    let body = match range {
        None => Body::empty(),
        Some(_) if method == Method::HEAD => {
            blob::read::check_there(app, &file.sha256).await?;
            Body::empty()
        }
        Some(range) if range == (0..content.size) => {
            Body::from_stream(blob::read::whole(app, &file.sha256).await?)
        }
        Some(range) => Body::from_stream(blob::read::range(app, &file.sha256, range).await?),
    };
    Ok((status, headers, body).into_response())
}

/// What an answer sends, or a part of which it does: one file or an archive.
struct Content<'a> {
    /// In bytes.
    size: u64,
    etag: String,
    repr_digest: Option<String>,
    content_type: &'a str,
    name: &'a str,
    /// Whether a part can be sent.
    has_parts: bool,
}

impl Content<'_> {
    /// The head of the answer, and which bytes go with it: none where the head says all.
    fn head(
        &self,
        method: &Method,
        request: &HeaderMap,
    ) -> Result<(StatusCode, HeaderMap, Option<Range<u64>>)> {
        let Self { size, etag, .. } = self;
        let mut headers = HeaderMap::new();
        let mut set = |name, value: &str| {
            HeaderValue::from_str(value)
                .map(|value| headers.insert(name, value))
                .map_err(Error::internal)
        };
        set(ETAG, etag)?;
        if let Some(digest) = &self.repr_digest {
            set(REPR_DIGEST, digest)?;
        }
        // A reference may come to name another version, so caches ask each time; the ETag makes it cheap.
        set(CACHE_CONTROL, "private, no-cache")?;
        set(ACCEPT_RANGES, if self.has_parts { "bytes" } else { "none" })?;
        if request.contains_key(IF_MATCH) && !lists(request, IF_MATCH.as_str(), etag) {
            return Err(Error::PreconditionFailed(
                "If-Match: the file has changed. Read its current ETag and try again.",
            ));
        }
        if lists(request, IF_NONE_MATCH.as_str(), etag) {
            return Ok((StatusCode::NOT_MODIFIED, headers, None));
        }
        set(CONTENT_TYPE, self.content_type)?;
        set(CONTENT_DISPOSITION, &attachment(self.name))?;
        set(X_CONTENT_TYPE_OPTIONS, "nosniff")?;
        set(CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'")?;
        // Compared as it stands: a part of other bytes must not be joined to these.
        let unchanged =
            request.get(IF_RANGE).is_none_or(|value| value.as_bytes() == etag.as_bytes());
        let takes_range = self.has_parts && unchanged && method == Method::GET;
        let range = match request.get(RANGE).filter(|_| takes_range) {
            Some(range) => parse_range(range, *size),
            None => Requested::All,
        };
        let (status, range) = match range {
            Requested::All => (StatusCode::OK, 0..*size),
            Requested::Part(range) => {
                set(CONTENT_RANGE, &format!("bytes {}-{}/{size}", range.start, range.end - 1))?;
                (StatusCode::PARTIAL_CONTENT, range)
            }
            Requested::Nothing => {
                set(CONTENT_RANGE, &format!("bytes */{size}"))?;
                return Ok((StatusCode::RANGE_NOT_SATISFIABLE, headers, None));
            }
        };
        set(CONTENT_LENGTH, &(range.end - range.start).to_string())?;
        Ok((status, headers, Some(range)))
    }
}

/// The hash of the whole file, also where a part is sent, as in RFC 9530: `sha-256=:BASE64:`.
fn repr_digest(sha256: &str) -> Result<String> {
    let digest = hex::decode(sha256).map_err(Error::internal)?;
    Ok(format!("sha-256=:{}:", STANDARD.encode(digest)))
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
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$&+-.^_`|~".contains(c);
    if !name.is_empty() && name.chars().all(is_token) {
        return format!("attachment; filename={name}");
    }
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_graphic() && !"\"\\%;".contains(c) || c == ' ' { c } else { '_' })
        .collect();
    let encoded = utf8_percent_encode(name, NON_ALPHANUMERIC);
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

/// Serves the files in a folder of something as one.
pub async fn archive(
    app: &App,
    format: Format,
    (target, folder): (&Target, &str),
    files: Walk,
    (method, request): (&Method, &HeaderMap),
) -> Result<Response> {
    // `vision/ocr@1.2.0` is ocr-1.2.0, `vision/ocr/candidates/7` ocr-candidates-7
    let of = target.name.split_once('/').map_or("files", |(_, name)| name);
    let of = of.trim_start_matches("-/").replace(['/', '@'], "-");
    let name = match folder.trim_end_matches('/').rsplit('/').next() {
        Some(last) if !last.is_empty() => format!("{of}-{last}"),
        _ => of,
    };
    let archive = Archive::of(app, format, folder, files).await?;
    let content = Content {
        size: archive.size(),
        etag: archive.etag(),
        repr_digest: None,
        content_type: format.content_type(),
        name: &format!("{name}.{}", format.ending()),
        has_parts: archive.has_parts(),
    };
    let (status, headers, range) = content.head(method, request)?;
    let body = match range {
        Some(range) if method == Method::GET => Body::from_stream(archive.stream(range)),
        _ => Body::empty(),
    };
    Ok((status, headers, body).into_response())
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
        assert_eq!(attachment("a.txt"), "attachment; filename=a.txt");
        assert_eq!(
            attachment("\"\r\nü"),
            "attachment; filename=\"____\"; filename*=UTF-8''%22%0D%0A%C3%BC"
        );
    }
}

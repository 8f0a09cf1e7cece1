//! What a tus client says in the headers of its requests.

use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use sha2::Sha256;

use super::Failure;
use crate::error::{Error, Result};
use crate::registry::catalog::upload::PART;
use crate::store::Checksum;

pub const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
pub const LENGTH: HeaderName = HeaderName::from_static("upload-length");
pub const DEFER_LENGTH: HeaderName = HeaderName::from_static("upload-defer-length");
pub const METADATA: HeaderName = HeaderName::from_static("upload-metadata");
pub const CONCAT: HeaderName = HeaderName::from_static("upload-concat");
const CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");

pub const ALGORITHMS: &str = "sha1,sha256";
const PIECE: &str = "application/offset+octet-stream";
const MAX_METADATA: usize = 4096;
const MAX_CONCAT: usize = 64 << 10;
/// What the address of an upload ends with, before its id.
pub const UPLOADS: &str = "/api/uploads/";

pub fn number(headers: &HeaderMap, name: &HeaderName) -> Result<Option<u64>> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let number = value.to_str().ok().and_then(|value| value.parse().ok());
    number.map(Some).ok_or_else(|| Error::invalid(name.as_str(), "must be a whole number of bytes"))
}

/// What `Upload-Checksum` says that the bytes of this request have.
pub fn checksum(headers: &HeaderMap) -> Result<Option<(Checksum, Vec<u8>)>> {
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

/// Whether a request brings bytes.
pub fn is_piece(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes() == PIECE.as_bytes())
}

/// Whether the request that begins an upload brings bytes of the file.
pub fn has_bytes(headers: &HeaderMap) -> Result<bool, Failure> {
    let is_piece = is_piece(headers);
    if !is_piece && number(headers, &CONTENT_LENGTH)?.unwrap_or(0) > 0 {
        return Err(wrong_type());
    }
    checksum(headers)?;
    Ok(is_piece)
}

pub fn wrong_type() -> Failure {
    let error = Error::invalid("content-type", format!("must be {PIECE}"));
    Failure(Some(StatusCode::UNSUPPORTED_MEDIA_TYPE), error)
}

/// How long an upload that begins will be; none where `Upload-Defer-Length` says that this is said later.
pub fn length(headers: &HeaderMap) -> Result<Option<u64>> {
    let length = number(headers, &LENGTH)?;
    match (length, headers.get(DEFER_LENGTH).map(HeaderValue::as_bytes)) {
        (Some(_), None) | (None, Some(b"1")) => Ok(length),
        (Some(_), Some(_)) => Err(Error::invalid(
            DEFER_LENGTH.as_str(),
            "cannot be combined with Upload-Length: send one of them",
        )),
        (None, Some(_)) => Err(Error::invalid(DEFER_LENGTH.as_str(), "must be 1")),
        (None, None) => {
            let reason =
                "is missing: send the size of the file in bytes, or Upload-Defer-Length: 1";
            Err(Error::invalid(LENGTH.as_str(), reason))
        }
    }
}

/// `Upload-Concat`: whether an upload is a part, or puts parts together.
pub struct Concat {
    /// As it was sent.
    pub text: String,
    /// The ids of the parts, in order; none of what is a part itself.
    pub parts: Option<Vec<String>>,
}

impl Concat {
    pub fn of(headers: &HeaderMap) -> Result<Option<Self>> {
        let Some(value) = headers.get(CONCAT) else { return Ok(None) };
        let wrong = |reason: &str| Error::invalid(CONCAT.as_str(), reason);
        let written =
            || wrong("must be partial, or have the form final;URL URL with the URLs of parts");
        let text = value.to_str().map_err(|_| written())?;
        if text == PART {
            return Ok(Some(Self { text: text.to_owned(), parts: None }));
        }
        if text.len() > MAX_CONCAT {
            return Err(wrong("must be at most 64 KiB: send fewer parts or shorter URLs"));
        }
        let addresses = text.strip_prefix("final;").ok_or_else(written)?;
        let ids = addresses.split(' ').filter(|address| !address.is_empty()).map(|address| {
            // Whatever name the client has for this server.
            let id = address.rsplit_once(UPLOADS).map(|(_, id)| id.to_owned());
            id.ok_or_else(|| wrong(&format!("names {address}, which is not the URL of an upload")))
        });
        let ids = ids.collect::<Result<Vec<String>>>()?;
        if ids.is_empty() {
            return Err(written());
        }
        Ok(Some(Self { text: text.to_owned(), parts: Some(ids) }))
    }
}

/// `Upload-Metadata`: what a client says of the file.
pub struct Metadata {
    pub text: String,
    pairs: Vec<(String, String)>,
}

impl Metadata {
    pub fn of(headers: &HeaderMap) -> Result<Self> {
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
    pub fn complete(&self, path: &mut String) {
        if path.is_empty() || path.ends_with('/') {
            let relative = self.get("relativePath").filter(|path| *path != "null");
            path.push_str(relative.or(self.get("filename")).unwrap_or_default());
        }
    }

    pub fn sha256(&self) -> Result<Option<String>> {
        let Some(digest) = self.get("sha256") else { return Ok(None) };
        if digest.len() != 64 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Error::invalid("sha256", "must be 64 hexadecimal digits"));
        }
        Ok(Some(digest.to_ascii_lowercase()))
    }
}

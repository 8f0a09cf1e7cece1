//! A tus client: what it sends, and what it is answered.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

use crate::harness::Caller;

pub fn tus(caller: &Caller, method: Method, path: &str) -> RequestBuilder {
    caller.request(method, path).header("tus-resumable", "1.0.0")
}

pub async fn begin(caller: &Caller, path: &str, size: u64, metadata: &[(&str, &str)]) -> Response {
    let request = tus(caller, Method::POST, path).header("upload-length", size);
    request.header("upload-metadata", self::metadata(metadata)).send().await.unwrap()
}

/// Begins an upload of a part of a file, to be sent later.
pub fn beginning_part(caller: &Caller, path: &str) -> RequestBuilder {
    tus(caller, Method::POST, path).header("upload-concat", "partial")
}

/// Sends a part of a file at once; returns its address.
pub async fn part(caller: &Caller, path: &str, bytes: impl Into<Vec<u8>>) -> String {
    let bytes = bytes.into();
    let request = beginning_part(caller, path).header("upload-length", bytes.len());
    let request = request.header("content-type", "application/offset+octet-stream");
    location(&request.body(bytes).send().await.unwrap())
}

/// Asks that parts are put together.
pub fn joining(caller: &Caller, path: &str, parts: &[String]) -> RequestBuilder {
    let concat = format!("final;{}", parts.join(" "));
    tus(caller, Method::POST, path).header("upload-concat", concat)
}

pub async fn join(caller: &Caller, path: &str, parts: &[String]) -> Response {
    joining(caller, path, parts).send().await.unwrap()
}

/// `Upload-Metadata` with these pairs.
pub fn metadata(pairs: &[(&str, &str)]) -> String {
    let pairs = pairs.iter().map(|(key, value)| format!("{key} {}", STANDARD.encode(value)));
    pairs.collect::<Vec<_>>().join(",")
}

/// Begins an upload that must be taken; returns its address.
pub async fn begun(caller: &Caller, path: &str, size: u64) -> String {
    location(&begin(caller, path, size, &[]).await)
}

#[track_caller]
pub fn location(response: &Response) -> String {
    assert_eq!(response.status(), 201);
    response.headers()["location"].to_str().unwrap().to_owned()
}

pub fn patching(caller: &Caller, upload: &str, offset: u64) -> RequestBuilder {
    tus(caller, Method::PATCH, upload)
        .header("content-type", "application/offset+octet-stream")
        .header("upload-offset", offset)
}

pub async fn patch(
    caller: &Caller,
    upload: &str,
    offset: u64,
    bytes: impl Into<reqwest::Body>,
) -> Response {
    patching(caller, upload, offset).body(bytes).send().await.unwrap()
}

pub async fn offset(caller: &Caller, upload: &str) -> u64 {
    let response = tus(caller, Method::HEAD, upload).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["cache-control"], "no-store");
    response.headers()["upload-offset"].to_str().unwrap().parse().unwrap()
}

/// The status of an answer, and the code and message that it gives.
pub async fn refusal(response: Response) -> (u16, String, String) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap_or_default();
    let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
    (status, text("code"), text("message"))
}

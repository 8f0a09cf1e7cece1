//! The single-page UI, from inside the binary: precompressed, cached by its hashed names.

use std::borrow::Cow;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use crate::answer;
use crate::app::App;
use crate::embed::unfurl;
use crate::error::Error;

/// What `scripts/build-ui` made. A debug build reads the folder when asked.
#[derive(RustEmbed)]
#[folder = "../frontend/dist"]
#[allow_missing = true]
struct Dist;

/// Scripts come from here only, WebAssembly included; styles may be inline (charts set widths), images
/// may come from anywhere by https (model cards show badges).
const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data: blob: https:; font-src 'self' data:; \
    worker-src 'self' blob:; connect-src 'self'; object-src 'none'; base-uri 'none'; \
    form-action 'self'; frame-ancestors 'none'";

/// How long a page waits for what tells others of it.
const PATIENCE: Duration = Duration::from_millis(500);

/// First segments whose addresses are not pages.
const NOT_PAGES: [&str; 7] = ["api", "badge", "embed", "feed", "files", "graphql", "oembed"];

pub fn routes() -> Router<App> {
    Router::new().fallback(page)
}

/// An asset by its name, or the page itself for every address that is a route of the UI, with what tells others of it.
pub async fn page(State(app): State<App>, request: Parts) -> Response {
    let path = request.uri.path().trim_start_matches('/');
    let first = path.split('/').next().unwrap_or_default();
    if !matches!(request.method, Method::GET | Method::HEAD) || NOT_PAGES.contains(&first) {
        return Error::not_found("address", request.uri.path()).into_response();
    }
    let base = app.config.base();
    if !path.is_empty() && Dist::get(path).is_some() {
        return asset(path, base, &request.headers);
    }
    // A page is there without them, too, and does not wait long for the database.
    let tags = timeout(PATIENCE, unfurl::tags(&app, &request, path)).await;
    match tags.ok().flatten() {
        Some(tags) => made("index.html", base, &tags, &request.headers),
        None => asset("index.html", base, &request.headers),
    }
}

/// One file of the UI. Below a path (`base`) its pages name their parts, and say to the program, where it is.
pub fn asset(path: &str, base: &str, request: &HeaderMap) -> Response {
    if !base.is_empty() && path.ends_with(".html") {
        return made(path, base, "", request);
    }
    let Some((file, encoding)) = find(path, request) else { return absent() };
    let etag = format!("\"{}\"", hex::encode(&file.metadata.sha256_hash()[..16]));
    sent(path, etag, file.data, encoding, request)
}

/// A page that is not sent as it was built, but below a path and with `tags` in its head.
fn made(path: &str, base: &str, tags: &str, request: &HeaderMap) -> Response {
    let Some(file) = Dist::get(path) else { return absent() };
    let mut page = String::from_utf8_lossy(&file.data).into_owned();
    if !base.is_empty() {
        page = below(base, &page);
    }
    if !tags.is_empty() {
        page = page.replacen("</head>", &format!("{tags}</head>"), 1);
    }
    let etag = format!("\"{}\"", hex::encode(&Sha256::digest(&page)[..16]));
    sent(path, etag, page.into_bytes().into(), None, request)
}

fn absent() -> Response {
    let message = "this build has no UI: run `make build`, or use the API at /graphql";
    (StatusCode::NOT_FOUND, message).into_response()
}

fn sent(
    path: &str,
    etag: String,
    data: Cow<'static, [u8]>,
    encoding: Option<&'static str>,
    request: &HeaderMap,
) -> Response {
    let media_type = mime_guess::from_path(path).first_or_octet_stream();
    let content_type = answer::content_type(media_type.essence_str()).into_owned();
    // Names of built files have a hash in them; the page that names them must be asked for each time.
    let hashed = !path.contains('/') && path.contains('-') && !path.ends_with(".html");
    let cache = if hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
    let fixed = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "same-origin"),
        (VARY, "accept-encoding"),
        (CACHE_CONTROL, cache),
    ];
    let unchanged =
        request.get(IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == etag.as_bytes());
    let body = if unchanged { Default::default() } else { data };
    let mut response = (fixed, [(CONTENT_TYPE, content_type), (ETAG, etag)], body).into_response();
    if unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else if let Some(encoding) = encoding {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

/// A page as it is below a path.
fn below(base: &str, page: &str) -> String {
    let named = page
        .replace("href=\"/", &format!("href=\"{base}/"))
        .replace("src=\"/", &format!("src=\"{base}/"));
    named.replacen("<head>", &format!("<head><meta name=\"base\" content=\"{base}\">"), 1)
}

/// The file as small as the client can read it.
fn find(path: &str, request: &HeaderMap) -> Option<(EmbeddedFile, Option<&'static str>)> {
    let accepted =
        request.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let accepts = |name: &str| {
        accepted.split(',').map(str::trim).any(|encoding| {
            let (encoding, weight) = encoding.split_once(';').unwrap_or((encoding, ""));
            encoding.trim() == name && weight.trim() != "q=0"
        })
    };
    for (name, ending) in [("br", "br"), ("gzip", "gz")] {
        if accepts(name)
            && let Some(file) = Dist::get(&format!("{path}.{ending}"))
        {
            return Some((file, Some(name)));
        }
    }
    Some((Dist::get(path)?, None))
}

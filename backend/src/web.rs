//! The single-page UI, from inside the binary: precompressed, cached by its hashed names.

use axum::Router;
use axum::extract::State;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::answer;
use crate::app::App;
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

/// First segments whose addresses are not pages.
const NOT_PAGES: [&str; 3] = ["api", "files", "graphql"];

pub fn routes() -> Router<App> {
    Router::new().fallback(page)
}

/// An asset by its name, or the page itself for every address that is a route of the UI.
pub async fn page(
    State(app): State<App>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let path = uri.path().trim_start_matches('/');
    let first = path.split('/').next().unwrap_or_default();
    if !matches!(method, Method::GET | Method::HEAD) || NOT_PAGES.contains(&first) {
        return Error::not_found("address", uri.path()).into_response();
    }
    if !path.is_empty() && Dist::get(path).is_some() {
        return asset(path, app.config.base(), &headers);
    }
    asset("index.html", app.config.base(), &headers)
}

/// One file of the UI. Below a path (`base`) its pages name their parts, and say to the program, where it is.
pub fn asset(path: &str, base: &str, request: &HeaderMap) -> Response {
    let moved = !base.is_empty() && path.ends_with(".html");
    let found = if moved { Dist::get(path).map(|file| (file, None)) } else { find(path, request) };
    let Some((mut file, encoding)) = found else {
        let message = "this build has no UI: run `make build`, or use the API at /graphql";
        return (StatusCode::NOT_FOUND, message).into_response();
    };
    let media_type = mime_guess::from_path(path).first_or_octet_stream();
    let content_type = answer::content_type(media_type.essence_str()).into_owned();
    let mut etag = format!("\"{}\"", hex::encode(&file.metadata.sha256_hash()[..16]));
    if moved {
        file.data = below(base, &file.data).into_bytes().into();
        etag = format!("\"{}{base}\"", hex::encode(&file.metadata.sha256_hash()[..16]));
    }
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
    let body = if unchanged { Default::default() } else { file.data };
    let mut response = (fixed, [(CONTENT_TYPE, content_type), (ETAG, etag)], body).into_response();
    if unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else if let Some(encoding) = encoding {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

/// A page as it is below a path.
fn below(base: &str, page: &[u8]) -> String {
    let page = String::from_utf8_lossy(page);
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

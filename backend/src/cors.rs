//! Cross-origin resource sharing (CORS, fetch.spec.whatwg.org §3.2): pages of other origins that the operator allows.
//!
//! They come with a token, or as nobody: no answer allows credentials, and a cookie that comes all the same, as it does from
//! another subdomain, is taken off the request. So nobody's session is ever used for them.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, COOKIE, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use headers::HeaderMapExt;
use headers::authorization::{Authorization, Basic};

use crate::access::embed::{self, Embed};
use crate::app::App;
use crate::config::Serve;
use crate::config::origins::AllowedOrigin;
use crate::error::Error;
use crate::origin::{self, CrossOrigin};

/// What pages of other origins can reach: the API, and neither sign-in nor the UI.
const SHARED: [&str; 9] =
    ["/graphql", "/files", "/api", "/ajax-api", "/mlflow", "/embed", "/badge", "/feed", "/oembed"];

/// What pages with an embed token can reach, and how.
const FOR_EMBEDS: [&str; 5] = ["/graphql", "/files", "/embed", "/badge", "/feed"];
const METHODS_OF_EMBEDS: &str = "GET, HEAD, POST";

const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
/// What a page may send besides its token.
macro_rules! headers {
    () => {
        "Content-Type, Range, If-Match, If-None-Match, Content-Digest, Repr-Digest, Tus-Resumable, Upload-Length, \
         Upload-Defer-Length, Upload-Concat, Upload-Offset, Upload-Metadata, Upload-Checksum, X-MLFLOW-WORKSPACE, \
         Apollo-Require-Preflight, traceparent"
    };
}
const HEADERS: &str = headers!();
/// By name: a `*` would not mean it.
const HEADERS_AND_TOKEN: &str = concat!("Authorization, ", headers!());

/// What a page may read besides the few that browsers always show.
const EXPOSED: &str = "ETag, Content-Range, Accept-Ranges, Content-Disposition, Content-Digest, Repr-Digest, Location, \
     Retry-After, Deprecation, X-Registry-Notice, Tus-Resumable, Tus-Version, Tus-Extension, Tus-Max-Size, \
     Tus-Checksum-Algorithm, Upload-Length, Upload-Defer-Length, Upload-Concat, Upload-Offset, Upload-Metadata, Upload-Expires";
/// How long a browser keeps the answer to a preflight, in seconds: the most that Chromium takes.
const MAX_AGE: &str = "7200";

/// As whom the pages of an origin come.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Allowed {
    /// With a token, or as nobody.
    Named(HeaderValue),
    /// With an embed token.
    Embed(HeaderValue),
    /// As nobody.
    Anybody,
}

impl Allowed {
    fn is_embed(&self) -> bool {
        matches!(self, Self::Embed(_))
    }

    fn origin(&self) -> HeaderValue {
        match self {
            Self::Named(origin) | Self::Embed(origin) => origin.clone(),
            Self::Anybody => HeaderValue::from_static("*"),
        }
    }
}

/// Whether the pages of the origin that a request names are allowed; `with_token` says whether it brings one.
fn allowed(config: &Serve, headers: &HeaderMap, with_token: bool) -> Option<Allowed> {
    let said = headers.get(ORIGIN).filter(|said| !origin::is_own(config, headers, said))?;
    let named = config.allowed_origins.iter().any(
        |allowed| matches!(allowed, AllowedOrigin::Exact(origin) if origin.as_bytes() == said.as_bytes()),
    );
    if named {
        return Some(Allowed::Named(said.clone()));
    }
    let is_any = config.allowed_origins.contains(&AllowedOrigin::Any);
    (is_any && !with_token).then_some(Allowed::Anybody)
}

/// The embed token that a page comes with: it says whose pages may, also when it works no more.
async fn embedded(app: &App, headers: &HeaderMap) -> Option<(Allowed, Arc<Embed>)> {
    let said = headers.get(ORIGIN).filter(|_| !app.config.no_auth)?;
    let token = embed::find(&app.access, &embed::secret_of(headers)?).await.ok()??;
    token.is_for(said).then(|| (Allowed::Embed(said.clone()), token))
}

/// As [`allowed`], of a page that asks before it sends its token: whether there is one for its origin.
async fn known_to_embeds(app: &App, headers: &HeaderMap) -> Option<Allowed> {
    let said = headers.get(ORIGIN).filter(|_| !app.config.no_auth)?;
    let is_known = embed::is_known(&app.access, said.to_str().ok()?).await.ok()?;
    is_known.then(|| Allowed::Embed(said.clone()))
}

/// Whether a page of another site sends a password. It may not read the answer, but time and counts would tell.
fn guesses(config: &Serve, headers: &HeaderMap) -> bool {
    let is_foreign = headers.get(ORIGIN).is_some_and(|said| !origin::is_own(config, headers, said));
    is_foreign && headers.typed_get::<Authorization<Basic>>().is_some()
}

/// Answers preflights, and lets pages of allowed origins read what they asked for, errors included.
pub async fn share(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let is_shared = |prefix: &&str| {
        path.strip_prefix(*prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if !SHARED.iter().any(is_shared) {
        return next.run(request).await;
    }
    let is_preflight = *request.method() == Method::OPTIONS
        && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let headers = request.headers_mut();
    if is_preflight {
        let asked = headers.get(ACCESS_CONTROL_REQUEST_HEADERS);
        let asked = asked.and_then(|names| names.to_str().ok()).unwrap_or_default();
        let with_token =
            asked.split(',').any(|name| name.trim().eq_ignore_ascii_case(AUTHORIZATION.as_str()));
        return match allowed(&app.config, headers, with_token) {
            None if with_token && FOR_EMBEDS.iter().any(is_shared) => {
                preflight(known_to_embeds(&app, headers).await)
            }
            allowed => preflight(allowed),
        };
    }
    let mut allowed = allowed(&app.config, headers, headers.contains_key(AUTHORIZATION));
    let embedded = if allowed.is_none() { embedded(&app, headers).await } else { None };
    if let Some((page, token)) = embedded {
        allowed = Some(page);
        request.extensions_mut().insert(token);
    }
    if allowed.is_none() && guesses(&app.config, request.headers()) {
        return Error::Forbidden(
            "Authorization: Basic is not for pages of other sites. Send Authorization: Bearer TOKEN, or start the server with that site in --allowed-origins.",
        )
        .into_response();
    }
    if let Some(allowed) = &allowed {
        request.headers_mut().remove(COOKIE);
        let with_token = !matches!(allowed, Allowed::Anybody);
        request.extensions_mut().insert(CrossOrigin { with_token });
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if let Some(allowed) = allowed {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed.origin());
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
    response
}

/// The answer to a browser that asks before it sends what a page wants.
fn preflight(allowed: Option<Allowed>) -> Response {
    let vary = [(VARY, HeaderValue::from_static("Origin"))];
    let Some(allowed) = allowed else { return (StatusCode::NO_CONTENT, vary).into_response() };
    let names = match allowed {
        Allowed::Named(_) | Allowed::Embed(_) => HEADERS_AND_TOKEN,
        Allowed::Anybody => HEADERS,
    };
    let text = |name: HeaderName, text: &'static str| (name, HeaderValue::from_static(text));
    let methods = if allowed.is_embed() { METHODS_OF_EMBEDS } else { METHODS };
    let headers = [
        (ACCESS_CONTROL_ALLOW_ORIGIN, allowed.origin()),
        text(ACCESS_CONTROL_ALLOW_METHODS, methods),
        text(ACCESS_CONTROL_ALLOW_HEADERS, names),
        text(ACCESS_CONTROL_MAX_AGE, MAX_AGE),
    ];
    (StatusCode::NO_CONTENT, vary, headers).into_response()
}

//! Sign-in with OpenID Connect: to the provider and back, with state, nonce and PKCE.
//!
//! What belongs to one sign-in is in a cookie that only the browser that began it has, for ten minutes
//! and one use. Whatever goes wrong ends on the sign-in page: the reason is in the log, and neither
//! there nor in an address is ever a code, a token or a secret.

mod provider;

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use percent_encoding::percent_decode_str;
use provider::Provider;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::access::Actor;
use crate::access::session::{cookie, cookie_prefix, session_cookie, set_cookie};
use crate::action::Action;
use crate::app::App;
use crate::change::Change;
use crate::config::Serve;
use crate::error::{Error, Result};
use crate::id::random_text;
use crate::log;
use crate::registry::people::{identity, session};

const PENDING_SECONDS: i64 = 600;
const MAX_NEXT_BYTES: usize = 1024;
const MAX_CODE_BYTES: usize = 4096;

/// Refuses a configuration with which nobody could sign in.
pub fn check(config: &Serve) -> Result<()> {
    let issuer = &config.oidc.issuer;
    if issuer.is_some() && config.own_url().is_none() {
        let reason =
            "is required with --oidc-issuer: the provider sends people back to this address";
        return Err(Error::invalid("--public-url", reason));
    }
    if config.no_password_sign_in && issuer.is_none() {
        let reason = "is required with --no-password-sign-in: otherwise nobody could sign in";
        return Err(Error::invalid("--oidc-issuer", reason));
    }
    Ok(())
}

pub fn routes(app: &App) -> Router<App> {
    let provider = Provider::new(app).map(Arc::new);
    Router::new()
        .route("/auth/oidc/sign-in", get(begin))
        .route("/auth/oidc/callback", get(finish))
        .layer(Extension(provider))
}

type MaybeProvider = Extension<Option<Arc<Provider>>>;

/// A sign-in that was begun, as its browser keeps it.
#[derive(Serialize, Deserialize)]
struct Pending {
    state: String,
    nonce: String,
    verifier: String,
    next: String,
    at_ms: i64,
}

/// Why somebody is not signed in: what the sign-in page shows, and what the log says.
struct Refusal {
    shown: &'static str,
    reason: String,
}

impl Refusal {
    fn denied(reason: impl Into<String>) -> Self {
        Self { shown: "denied", reason: reason.into() }
    }

    fn expired(reason: impl Into<String>) -> Self {
        Self { shown: "expired", reason: reason.into() }
    }

    fn failed(reason: impl Into<String>) -> Self {
        Self { shown: "failed", reason: reason.into() }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Forbidden(reason) => Self { shown: "blocked", reason: reason.to_owned() },
            Error::Internal(source) => Self::failed(format!("{source:?}")),
            error => Self::failed(error.message()),
        }
    }
}

impl Refusal {
    /// Sends the browser to the page where people sign in, which says why.
    fn show(self, app: &App) -> Response {
        tracing::warn!(shown = self.shown, reason = ?self.reason, "a single sign-on was refused");
        see_other(&format!("{}/sign-in?error={}", app.config.base(), self.shown))
    }
}

#[derive(Deserialize)]
struct Begin {
    next: Option<String>,
}

/// Sends the browser to the provider.
async fn begin(
    State(app): State<App>,
    Extension(provider): MaybeProvider,
    query: Result<Query<Begin>, QueryRejection>,
) -> Response {
    let Some(provider) = provider else { return not_configured() };
    let next = query
        .ok()
        .and_then(|Query(query)| query.next)
        .filter(|next| is_local(app.config.base(), next));
    let pending = Pending {
        state: random_text(40),
        nonce: random_text(40),
        verifier: random_text(64),
        next: next.unwrap_or_else(|| format!("{}/", app.config.base())),
        at_ms: app.clock.now().millis(),
    };
    let url = match provider.authorization_url(&pending).await {
        Ok(url) => url,
        Err(reason) => return Refusal::failed(reason).show(&app),
    };
    match serde_json::to_vec(&pending) {
        Ok(json) => {
            let value = BASE64_URL_SAFE_NO_PAD.encode(json);
            let set = [(SET_COOKIE, pending_cookie(&app, &value, PENDING_SECONDS))];
            (AppendHeaders(set), see_other(url.as_str())).into_response()
        }
        Err(error) => Refusal::failed(error.to_string()).show(&app),
    }
}

/// What the provider sends the browser back with.
#[derive(Deserialize)]
struct Callback {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

/// Takes the browser back from the provider, and signs its user in.
async fn finish(
    State(app): State<App>,
    Extension(provider): MaybeProvider,
    query: Result<Query<Callback>, QueryRejection>,
    request: Parts,
) -> Response {
    let Some(provider) = provider else { return not_configured() };
    let used = (SET_COOKIE, pending_cookie(&app, "", 0));
    let done = match query {
        Ok(Query(query)) => sign_in(&app, &provider, &request, query).await,
        Err(_) => Err(Refusal::failed("the provider's answer has a parameter twice")),
    };
    match done {
        Ok((secret, next)) => {
            let cookie = session_cookie(&app.config, &secret);
            (AppendHeaders([used, (SET_COOKIE, cookie)]), see_other(&next)).into_response()
        }
        Err(refusal) => (AppendHeaders([used]), refusal.show(&app)).into_response(),
    }
}

/// The secret of a new session, and where to go with it.
async fn sign_in(
    app: &App,
    provider: &Provider,
    request: &Parts,
    answer: Callback,
) -> Result<(String, String), Refusal> {
    let pending = pending(app, &request.headers)?;
    if !answer.state.is_some_and(|state| is_same(&state, &pending.state)) {
        return Err(Refusal::expired("the answer is not to the sign-in that this browser began"));
    }
    if !provider.is_issuer(answer.iss.as_deref()) {
        return Err(Refusal::failed("the answer names another issuer"));
    }
    if let Some(error) = answer.error {
        return Err(match error.as_str() {
            "access_denied" => Refusal::denied("the provider says access_denied"),
            error => Refusal::failed(format!("the provider says {}", code_only(error))),
        });
    }
    let code = answer.code.filter(|code| (1..=MAX_CODE_BYTES).contains(&code.len()));
    let code = code.ok_or_else(|| Refusal::failed("the answer has no code"))?;
    let identity = provider.identify(code, &pending).await.map_err(Refusal::failed)?;
    let actor = Actor::of_network(&app.access, request);
    let user = match identity::sign_in(app, &actor, &identity).await {
        Err(error) => {
            let refusal = log::Refusal {
                action: Action::SessionCreate,
                subject: &identity.username,
                is_path: false,
                code: error.code(),
                named: serde_json::Map::new(),
            };
            log::record_refusal(&app.db, app.clock.now(), &actor.by(), refusal).await?;
            return Err(error.into());
        }
        user => user?,
    };
    let mut change = Change::begin(app, &actor.recognised(user.clone())).await?;
    let secret = session::rules::start(&mut change, &user, &actor).await?;
    change.commit().await?;
    Ok((secret, pending.next))
}

/// The sign-in that this browser began, if that was not too long ago.
fn pending(app: &App, headers: &HeaderMap) -> Result<Pending, Refusal> {
    let value = cookie(headers, &pending_name(app))
        .ok_or_else(|| Refusal::expired("this browser began no sign-in, or too long ago"))?;
    let json = BASE64_URL_SAFE_NO_PAD.decode(value).ok();
    let pending: Pending = json
        .and_then(|json| serde_json::from_slice(&json).ok())
        .ok_or_else(|| Refusal::expired("the cookie of the sign-in cannot be read"))?;
    let age = app.clock.now().millis() - pending.at_ms;
    if !(0..=PENDING_SECONDS * 1000).contains(&age) || !is_local(app.config.base(), &pending.next) {
        return Err(Refusal::expired("the sign-in began too long ago"));
    }
    Ok(pending)
}

fn is_https(app: &App) -> bool {
    app.config.own_url().is_some_and(|url| url.starts_with("https:"))
}

fn pending_name(app: &App) -> String {
    format!("{}model_registry_oidc", cookie_prefix(is_https(app), app.config.base()))
}

fn pending_cookie(app: &App, value: &str, seconds: i64) -> String {
    let (name, base) = (pending_name(app), app.config.base());
    let cookie = set_cookie(&name, value, seconds).secure(is_https(app));
    match (is_https(app), base) {
        // Its name asks for this path.
        (true, "") => cookie.to_string(),
        _ => cookie.path(format!("{base}/auth/oidc")).to_string(),
    }
}

/// Compares digests: how long that takes says nothing about the texts.
fn is_same(a: &str, b: &str) -> bool {
    Sha256::digest(a) == Sha256::digest(b)
}

/// Whether a browser that is sent there stays here, below the path of the public URL. `//host` and `/\host` are other
/// servers, `\` is as good as `/`, `%2e%2e` as `..`, and browsers drop tabs and line ends before they look.
fn is_local(base: &str, next: &str) -> bool {
    let below = next.strip_prefix(base).and_then(|path| path.strip_prefix('/'));
    next.len() <= MAX_NEXT_BYTES
        && below.is_some_and(|path| !path.starts_with(['/', '\\']))
        && !next.contains('\\')
        && !percent_decode_str(next)
            .decode_utf8_lossy()
            .split(['/', '?', '#'])
            .any(|part| part == "..")
        && next.bytes().all(|byte| byte.is_ascii_graphic())
}

/// An error code, without whatever else somebody may have put there.
fn code_only(error: &str) -> String {
    error.chars().filter(|c| c.is_ascii_lowercase() || *c == '_').take(40).collect()
}

fn see_other(location: &str) -> Response {
    let Ok(location) = HeaderValue::try_from(location) else {
        return Error::internal("a location that is no header").into_response();
    };
    let headers = [
        (LOCATION, location),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (StatusCode::SEE_OTHER, headers).into_response()
}

fn not_configured() -> Response {
    Error::not_found("address", "/auth/oidc").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_leads_to_no_other_server() {
        for next in ["/", "/vision/ocr?tab=files#a", "/a//b", "/%2F%2Fevil.example", "/@1"] {
            assert!(is_local("", next), "{next}");
            assert!(is_local("/registry", &format!("/registry{next}")), "{next}");
        }
        for next in ["/", "/registry", "/registry-of-others/", "/registry/../other"] {
            assert!(!is_local("/registry", next), "{next}");
        }
        let long = format!("/{}", "a".repeat(MAX_NEXT_BYTES));
        for next in [
            "",
            "vision",
            "//evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/é",
            "/../other",
            "/a/%2e%2E/../other",
            "/a\\..\\other",
            &long,
        ] {
            assert!(!is_local("", next) && !is_local("/registry", next), "{next:?}");
        }
    }

    #[test]
    fn an_error_of_the_provider_is_logged_as_its_code() {
        assert_eq!(code_only("server_error"), "server_error");
        assert_eq!(code_only("a\nSECRET=1 <b>"), "ab");
    }
}

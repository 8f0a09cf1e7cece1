//! The session cookie: what it is called, how it is set, and what a mutation says of it, which the answer then tells
//! the browser.

use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::Context;
use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use cookie::time::Duration;
use cookie::{Cookie, SameSite};

use super::allowance::session_seconds;
use crate::config::Serve;
use crate::config::public_url::PublicUrl;

/// What the cookie is called, after the prefix that says how browsers guard it.
const NAME: &str = "model_registry_session";
/// How long a session lasts unless told, in seconds.
pub const SESSION_SECONDS: i64 = 14 * 24 * 3600;

/// How browsers guard a cookie, as its name says (RFC 6265bis §4.1.3). With `__Host-` they take it from this host alone,
/// for all of its paths: no other server of the same domain can set it. Below a path there are others on the host, which
/// are not to get it.
pub fn cookie_prefix(is_https: bool, base: &str) -> &'static str {
    match (is_https, base) {
        (false, _) => "",
        (true, "") => "__Host-",
        (true, _) => "__Secure-",
    }
}

fn is_https(config: &Serve) -> bool {
    config.public_url.as_ref().is_some_and(PublicUrl::is_https)
}

/// What the session cookie is called.
pub fn session_name(config: &Serve) -> String {
    format!("{}{NAME}", cookie_prefix(is_https(config), config.base()))
}

/// The value of a cookie that a request came with. Other programs on this host have cookies, too, and whatever is in
/// those, also what is no ASCII, ends at the next `;`.
pub fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get_all(COOKIE).iter().find_map(|value| {
        let text = String::from_utf8_lossy(value.as_bytes());
        let mut cookies = Cookie::split_parse(&*text).flatten();
        cookies.find(|cookie| cookie.name() == name).map(|cookie| cookie.value().to_owned())
    })
}

/// A cookie that no script can read, and that other sites' pages do not send along with what they make the browser post.
/// Without a value the browser drops it.
pub fn set_cookie<'a>(name: &'a str, value: &'a str, seconds: i64) -> cookie::CookieBuilder<'a> {
    let max_age = Duration::seconds(if value.is_empty() { 0 } else { seconds });
    Cookie::build((name, value)).path("/").http_only(true).same_site(SameSite::Lax).max_age(max_age)
}

/// The cookie of a session with this secret; without one the browser drops the one it has.
pub fn session_cookie(config: &Serve, secret: &str) -> String {
    let seconds = session_seconds(config.policy.max_session_days);
    let name = session_name(config);
    let cookie = set_cookie(&name, secret, seconds).secure(is_https(config));
    match config.base() {
        "" => cookie.to_string(),
        base => cookie.path(base).to_string(),
    }
}

/// What the answer to a request tells the browser of its session: nothing, the secret of a new one, or, with an empty
/// secret, that it is over.
#[derive(Clone, Default)]
pub struct SessionAnswer(Arc<Mutex<Option<String>>>);

impl SessionAnswer {
    pub fn begins(&self, secret: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(secret.to_owned());
    }

    pub fn ends(&self) {
        self.begins("");
    }

    /// The `Set-Cookie` of the answer.
    pub fn cookie(&self, config: &Serve) -> Option<String> {
        let said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.as_deref().map(|secret| session_cookie(config, secret))
    }
}

/// What the answer to this request tells the browser of its session.
pub fn session_answer<'a>(ctx: &Context<'a>) -> &'a SessionAnswer {
    ctx.data_unchecked()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_cookie_is_found_whatever_others_have_beside_it() {
        let find = |texts: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for text in texts {
                headers.append(COOKIE, HeaderValue::from_bytes(text).unwrap());
            }
            cookie(&headers, NAME)
        };
        for texts in [
            &[&b"model_registry_session=mrs_x"[..]][..],
            &[b"a=1; model_registry_session=mrs_x; b"],
            &[b"theme=\"dark; model_registry_session=mrs_x"],
            &[b"=; a==\"; ;model_registry_session=mrs_x"],
            &["name=J\u{f6}rg; model_registry_session=mrs_x".as_bytes()],
            &[b"name=J\xf6rg; model_registry_session=mrs_x"],
            &[b"a=1", b"model_registry_session=mrs_x"],
        ] {
            assert_eq!(find(texts).as_deref(), Some("mrs_x"), "{texts:?}");
        }
        for texts in
            [&[&b"a=model_registry_session"[..]][..], &[b"model_registry_sessions=mrs_x"], &[]]
        {
            assert_eq!(find(texts), None, "{texts:?}");
        }
    }
}

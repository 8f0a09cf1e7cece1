//! Where a browser's request comes from: the guard against cross-site request forgery, for every face.

use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};

use crate::access::Actor;
use crate::config::Serve;
use crate::error::{Error, Result};

/// On a request that a page of an allowed origin made: its cookies are taken off.
#[derive(Clone, Copy, Debug)]
pub struct CrossOrigin {
    /// Whether it may come with a token: not where every origin is allowed.
    pub with_token: bool,
}

/// Whether the value of `Origin` is the server's own.
pub fn is_own(config: &Serve, headers: &HeaderMap, origin: &HeaderValue) -> bool {
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let origin = text(origin);
    match &config.public_url {
        Some(url) => origin == url.origin,
        None => {
            let host = headers.get(HOST).map(text).unwrap_or_default();
            origin.split_once("://").is_some_and(|(_, origin)| origin == host)
        }
    }
}

/// Refuses a request that another site's page made with the user's cookie, or that would sign the
/// user in. Scripts, which send no `Origin` or a token, pass, and pages of allowed origins.
pub fn check(config: &Serve, actor: &Actor, parts: &Parts) -> Result<()> {
    let headers = &parts.headers;
    let Some(origin) = headers.get(ORIGIN) else {
        return Ok(());
    };
    let by_token = actor.user().is_ok() && !actor.is_by_cookie();
    if by_token && headers.contains_key(AUTHORIZATION)
        || parts.extensions.get::<CrossOrigin>().is_some() && !actor.is_by_cookie()
        || is_own(config, headers, origin)
    {
        return Ok(());
    }
    Err(Error::Forbidden(
        "The request comes from another site. Use a token, or start the server with the address \
         that its users see as --public-url, or with that site in --allowed-origins.",
    ))
}

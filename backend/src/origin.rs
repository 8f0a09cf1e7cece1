//! Where a browser's request comes from: the guard against cross-site request forgery, for every face.

use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderValue};

use crate::access::Actor;
use crate::config::Serve;
use crate::error::{Error, Result};

/// Refuses a request that another site's page made with the user's cookie, or that would sign the
/// user in. Scripts, which send no `Origin` or a token, pass.
pub fn check(config: &Serve, actor: &Actor, headers: &HeaderMap) -> Result<()> {
    let by_token = actor.user().is_ok() && !actor.is_by_cookie();
    let Some(origin) = headers.get(ORIGIN) else {
        return Ok(());
    };
    if by_token && headers.contains_key(AUTHORIZATION) {
        return Ok(());
    }
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let origin = text(origin);
    let own = match &config.public_url {
        Some(url) => origin == url.origin,
        None => {
            let host = headers.get(HOST).map(text).unwrap_or_default();
            origin.split_once("://").is_some_and(|(_, origin)| origin == host)
        }
    };
    if own {
        return Ok(());
    }
    Err(Error::Forbidden(
        "The request comes from another site. Use a token, or start the server with the address \
         that its users see as --public-url.",
    ))
}

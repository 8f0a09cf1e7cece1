//! Downloads that the object store sends itself (`--redirect`): whoever may read a file is told an address there, which is
//! good for a while.

use std::time::Duration;

use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_MATCH,
    IF_MODIFIED_SINCE, IF_RANGE, IF_UNMODIFIED_SINCE, LOCATION, ORIGIN, RANGE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use openidconnect::url::Url;

use super::download::REPR_DIGEST;
use crate::access::Actor;
use crate::app::App;
use crate::config::Serve;
use crate::config::redirect::Redirect;
use crate::error::{Error, Result};
use crate::registry::catalog::blob;
use crate::registry::catalog::file::{File, sql};
use crate::store::Storages;

/// How long an address is good.
const GOOD_FOR: Duration = Duration::from_secs(300);

/// What keeps a request here. Clients send their conditions on to the store, which would judge them by ETags and times of
/// its own; and it lets no page of another origin read what it answers.
const STAY: [HeaderName; 5] = [IF_MATCH, IF_RANGE, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE, ORIGIN];

/// Whether a request may be answered by another server. A browser says what it wants the answer for: a page that shows or
/// fetches it would have to be allowed to by that server.
fn may_leave(method: &Method, request: &HeaderMap) -> bool {
    let mode = request.get("sec-fetch-mode");
    method == Method::GET
        && !STAY.iter().any(|name| request.contains_key(name))
        && mode.is_none_or(|mode| mode == "navigate")
}

/// The answer that leads to the object store, for somebody who may read the file; none where this server is to send the
/// bytes. `ours` is the head of its own answer.
pub async fn to_store(
    app: &App,
    actor: &Actor,
    file: &File,
    (method, request): (&Method, &HeaderMap),
    ours: &HeaderMap,
) -> Result<Option<Response>> {
    // Ranges that this server does not follow others may refuse.
    let is_odd = request.contains_key(RANGE) && !ours.contains_key(CONTENT_RANGE);
    let is_meant = app.config.redirect.is_for(file.size.0.unsigned_abs());
    if !is_meant || is_odd || !may_leave(method, request) {
        return Ok(None);
    }
    if !sql::redirects_downloads(&app.db, &file.owner_id).await? {
        return Ok(None);
    }
    let same = [CONTENT_TYPE, CONTENT_DISPOSITION, CACHE_CONTROL];
    let text = |name: &HeaderName| ours.get(name).and_then(|value| value.to_str().ok());
    let answer = same.iter().filter_map(|name| Some((name.as_str(), text(name)?)));
    let answer: Vec<_> = answer.collect();
    let address = blob::read::address(app, &file.sha256, GOOD_FOR, &answer).await?;
    let Some(address) = address else { return Ok(None) };
    let user = actor.user().map_or("", |user| &user.username);
    let credential = actor.credential().map_or("", |id| id.raw());
    let network = actor.address.map(|address| address.to_string()).unwrap_or_default();
    // Never the address itself: whoever knows it gets the file.
    let File { owner_id, path, sha256, .. } = file;
    tracing::info!(user, credential, network, owner_id, path, sha256, "redirected");
    let kept = |name: HeaderName| ours.get(&name).cloned().map(|value| (name, value));
    let mut headers: HeaderMap = [ETAG, REPR_DIGEST].into_iter().filter_map(kept).collect();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    let address = HeaderValue::from_str(address.as_str()).map_err(Error::internal)?;
    headers.insert(LOCATION, address);
    Ok(Some((StatusCode::FOUND, headers).into_response()))
}

/// Refuses redirects to a store that has no addresses.
pub fn check(config: &Serve) -> Result<()> {
    if config.redirect == Redirect::Off || config.data.has_object_store() {
        return Ok(());
    }
    let reason = "needs an object store, since files in --data can be sent by this server only. Set --storage, or leave \
                  --redirect out";
    Err(Error::invalid("--redirect", reason))
}

/// The host that redirects lead to, if users see this server under that name, too.
pub async fn shared_host(config: &Serve, storages: &Storages) -> Result<Option<String>> {
    let Some(public) = config.public_url.as_ref().filter(|_| config.redirect != Redirect::Off)
    else {
        return Ok(None);
    };
    let own = Url::parse(&public.origin).map_err(Error::internal)?;
    for store in storages.iter() {
        let there = store.sign("probe", GOOD_FOR, &[]).await?;
        if let Some(host) = there.as_ref().and_then(Url::host_str)
            && own.host_str() == Some(host)
        {
            return Ok(Some(host.to_owned()));
        }
    }
    Ok(None)
}

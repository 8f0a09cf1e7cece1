//! Files coming in: hashed while they are written, and named under a lock.
//!
//! Knows no address: a [`Place`] says where the bytes go. Who may is asked before the body is read, and
//! again inside the transaction that names the bytes.

use std::future::Future;

use axum::body::Bytes;
use axum::http::header::{CONTENT_LENGTH, CONTENT_RANGE, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderName};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{Stream, TryStreamExt};

use crate::access::{Actor, Reader, Writer};
use crate::answer::lists;
use crate::app::App;
use crate::change::Change;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::in_flight::Arrival;
use crate::registry::catalog::file::rules::Put;
use crate::registry::catalog::file::{self, File};
use crate::registry::catalog::{mlmodel, upload as uploads};
use crate::registry::target::Target;
use crate::store::{Blob, Promise};
use crate::text::FilePath;

/// How many bytes are so few that nobody is asked whether there is room for them and all others.
const SMALL: u64 = 1 << 20;

/// Where an upload goes.
pub trait Place: Clone + Send + Sync + 'static {
    /// What is to have the file, and proof that the caller may read it.
    fn find(
        &self,
        conn: Conn<'_>,
        actor: &Actor,
    ) -> impl Future<Output = Result<(Reader, Target)>> + Send;

    /// The path of the file in there.
    fn path(&self) -> Result<FilePath>;
}

/// Refuses what could not be put, before its bytes are taken in; returns which file it will be.
pub async fn check(
    app: &App,
    actor: &Actor,
    place: &impl Place,
    headers: &HeaderMap,
) -> Result<Arrival> {
    actor.check_may_write()?;
    let (reader, target) = place.find((&app.db).into(), actor).await?;
    let writer = Writer::of(reader)?;
    let path = place.path()?;
    if headers.contains_key(CONTENT_RANGE) {
        // RFC 9110 §14.5: taken for the whole file, a part would be one that is broken.
        return Err(Error::invalid(
            "content-range",
            "is not supported here: send the whole file, or use a resumable upload",
        ));
    }
    check_conditions(
        headers,
        file::sql::find(&app.db, target.id(), path.as_str()).await?.as_ref(),
    )?;
    file::rules::check_put(&app.db, &writer, &target, &path).await?;
    announced(headers).map(|size| check_size(app, size)).transpose()?;
    Ok(Arrival { owner_id: target.id().to_owned(), path: path.as_str().to_owned() })
}

/// A size that a file can have, as it is stored.
pub fn check_size(app: &App, size: u64) -> Result<i64> {
    let max_size = app.config.max_file_size;
    let size = i64::try_from(size).ok().filter(|size| size.unsigned_abs() <= max_size);
    size.ok_or_else(|| {
        Error::TooLarge(format!("The file is too large: at most {max_size} bytes are allowed."))
    })
}

/// How many bytes the client says that there are.
pub fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Promises room for a file, beside what others were promised that did not come yet.
pub async fn promise(app: &App, bytes: u64) -> Result<Promise> {
    // What is small finds its room without asking for all.
    let elsewhere = match bytes < SMALL {
        true => 0,
        false => uploads::announced(&app.db, app.clock.now()).await?,
    };
    app.store.promise(bytes, elsewhere)
}

/// Takes in the bytes of a file and gives them their name. The headers are the request's: what they say
/// of the bytes, and of what must be there already, is checked.
pub async fn receive(
    app: &App,
    actor: &Actor,
    place: &impl Place,
    headers: &HeaderMap,
    body: &mut (impl Stream<Item = Result<Bytes>> + Unpin),
) -> Result<Put> {
    let under_way = app.in_flight.begin(check(app, actor, place, headers).await?);
    let length = announced(headers);
    let promise = match app.store.is_folder() {
        true => Some(promise(app, length.unwrap_or(0)).await?),
        false => None,
    };
    let body = body.inspect_ok(|bytes| {
        promise.iter().for_each(|promise| promise.came(bytes.len() as u64));
    });
    let expected = expected_digests(headers)?;
    let blob = app.store.write(body, length, app.config.max_file_size, app.clock.now()).await?;
    // By itself: a client who goes away now leaves nothing half done.
    let (app, actor, place, headers) = (app.clone(), actor.clone(), place.clone(), headers.clone());
    let named = tokio::spawn(async move {
        let put = match check_digests(&expected, &blob) {
            Ok(()) => put_blob(&app, &actor, &place, &headers, &blob).await,
            Err(error) => Err(error),
        };
        let (change, put) = match put {
            Ok(put) => put,
            Err(error) => {
                app.store.delete(&blob.key).await?;
                return Err(error);
            }
        };
        // Where this fails nobody knows whether it is durable: the sweep finds out whose the bytes are.
        change.commit().await?;
        drop(under_way);
        settle(&app, &place.path()?, &blob, &put).await;
        Ok(put)
    });
    named.await.map_err(Error::internal)?
}

/// What is left to do when a file is durably at its place: its bytes go if they were there before, and what they say
/// is read. What fails here is done by the next sweep.
pub async fn settle(app: &App, path: &FilePath, blob: &Blob, put: &Put) {
    if !put.is_copy
        && let Err(error) = app.store.delete(&blob.key).await
    {
        tracing::warn!(?error, key = blob.key, "bytes that came twice cannot be removed yet");
    }
    mlmodel::sql::index(app, path, blob).await;
}

/// Gives bytes that are in the store their name, in a change that is yet to be committed. Everything is asked
/// again inside its transaction: much may have happened while the bytes arrived.
pub async fn put_blob(
    app: &App,
    actor: &Actor,
    place: &impl Place,
    headers: &HeaderMap,
    blob: &Blob,
) -> Result<(Change, Put)> {
    let mut change = Change::begin(app, actor).await?;
    let (reader, target) = place.find((&mut *change).into(), actor).await?;
    let (writer, path) = (Writer::of(reader)?, place.path()?);
    // Locked before it is looked at: of two who each want to be the first, one is.
    target.touch(&mut change).await?;
    let there = file::sql::find(&mut *change, target.id(), path.as_str()).await?;
    check_conditions(headers, there.as_ref())?;
    let put = file::rules::put(&mut change, &writer, &target, &path, blob).await?;
    Ok((change, put))
}

/// The SHA-256 that the client says the bytes have, in hexadecimal, by the header that says it:
/// `Content-Digest` or `Repr-Digest` as in RFC 9530, `sha-256=:BASE64:`. Other algorithms are passed over.
fn expected_digests(headers: &HeaderMap) -> Result<Vec<(&'static str, String)>> {
    let mut expected = Vec::new();
    for name in ["content-digest", "repr-digest"] {
        for value in headers.get_all(name) {
            let wrong = || Error::invalid(name, "is written sha-256=:BASE64: (RFC 9530)");
            for entry in value.to_str().map_err(|_| wrong())?.split(',') {
                let (algorithm, digest) = entry.trim().split_once('=').ok_or_else(wrong)?;
                if algorithm.eq_ignore_ascii_case("sha-256") {
                    let digest =
                        digest.strip_prefix(':').and_then(|digest| digest.strip_suffix(':'));
                    let bytes = STANDARD.decode(digest.ok_or_else(wrong)?).map_err(|_| wrong())?;
                    expected.push((name, hex::encode(bytes)));
                }
            }
        }
    }
    Ok(expected)
}

fn check_digests(expected: &[(&'static str, String)], blob: &Blob) -> Result<()> {
    match expected.iter().find(|(_, digest)| *digest != blob.sha256) {
        Some((name, _)) => Err(Error::invalid(
            *name,
            format!(
                "does not match: the SHA-256 of the received bytes is {}. Send the file again",
                blob.sha256
            ),
        )),
        None => Ok(()),
    }
}

/// `If-Match` and, for an upload, `If-None-Match` (RFC 9110 §13.1).
fn check_conditions(headers: &HeaderMap, there: Option<&File>) -> Result<()> {
    let etag = there.map(|file| format!("\"{}\"", file.sha256));
    let matches =
        |name: HeaderName| etag.as_ref().is_some_and(|etag| lists(headers, name.as_str(), etag));
    if headers.contains_key(IF_MATCH) && !matches(IF_MATCH) {
        return Err(Error::PreconditionFailed(
            "If-Match: the file has changed. Read its current ETag and try again.",
        ));
    }
    if matches(IF_NONE_MATCH) {
        return Err(Error::PreconditionFailed(
            "If-None-Match: a file with this path already exists.",
        ));
    }
    Ok(())
}

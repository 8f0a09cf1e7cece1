//! The bytes of a blob as they are read: a whole one is proven by its hash, and what is wrong is noted.

use std::ops::Range;
use std::time::Duration;

use futures_util::TryStreamExt;
use futures_util::stream::StreamExt;
use openidconnect::url::Url;

use super::proof::Finding;
use super::{Copy, proof, sql};
use crate::app::App;
use crate::error::{Error, Result};
use crate::store::{self, Found, Pieces};

/// All bytes. The stream fails before its last piece where they are not those of the blob.
pub async fn whole(app: &App, sha256: &str) -> Result<Pieces> {
    open(app, sha256, None).await
}

/// Some of the bytes, as they are in the store.
pub async fn range(app: &App, sha256: &str, range: Range<u64>) -> Result<Pieces> {
    open(app, sha256, Some(range)).await
}

/// Refuses what is lost, without reading anything.
pub async fn check_there(app: &App, sha256: &str) -> Result<()> {
    match sql::find(&app.db, &app.storages, sha256).await? {
        Some(_) => Ok(()),
        None => Err(Error::DataLoss(sha256.to_owned())),
    }
}

/// An address at which the object store itself sends the bytes for so long, with these headers. None where it cannot, or
/// where the copy is to be looked at first.
pub async fn address(
    app: &App,
    sha256: &str,
    good_for: Duration,
    answer: &[(&str, &str)],
) -> Result<Option<Url>> {
    match sql::find(&app.db, &app.storages, sha256).await? {
        Some(copy) if copy.is_suspect() => Ok(None),
        Some(copy) => app.storages.of(&copy.storage)?.sign(&copy.key, good_for, answer).await,
        None => Err(Error::DataLoss(sha256.to_owned())),
    }
}

async fn open(app: &App, sha256: &str, range: Option<Range<u64>>) -> Result<Pieces> {
    // What is wrong is suspect, and looked at again before it is lost; meanwhile there may be another copy.
    for _ in 0..3 {
        let copies = sql::find_all(&app.db, &app.storages, sha256).await?;
        let (mut is_proven, mut unreachable) = (false, None);
        for copy in &copies {
            let opened = match copy.is_suspect() {
                false => open_copy(app, copy, range.as_ref()).await,
                true => proof::check(&app.db, &app.storages, copy, app.clock.now()).await.map(
                    |is_good| {
                        is_proven |= is_good;
                        None
                    },
                ),
            };
            match opened {
                Ok(Some(pieces)) => return Ok(pieces),
                Ok(None) if is_proven => break,
                Ok(None) => {}
                // Where one storage cannot be reached, another may have the bytes, too.
                Err(error) => drop(unreachable.get_or_insert(error)),
            }
        }
        match unreachable {
            Some(error) if !is_proven => return Err(error),
            // Each was looked at a second time, if there was any.
            _ if !is_proven && copies.iter().all(Copy::is_suspect) => break,
            _ => {}
        }
    }
    Err(Error::DataLoss(sha256.to_owned()))
}

/// The bytes of one copy; none where they are wrong, which is noted. An error where they cannot be read now.
async fn open_copy(app: &App, copy: &Copy, range: Option<&Range<u64>>) -> Result<Option<Pieces>> {
    let store = app.storages.of(&copy.storage)?;
    let found = match range {
        None => store.read_proven(&copy.blob()).await?,
        Some(range) => store.read(&copy.blob(), range.clone()).await?,
    };
    let wrong = match found {
        // A small file has one piece: it is proven before anything is answered.
        Found::Whole(mut pieces) => match pieces.next().await {
            Some(Err(error)) if store::is_passing(&error) => {
                return Err(Error::unreachable(error));
            }
            Some(Err(error)) => error.to_string(),
            first => {
                let pieces = futures_util::stream::iter(first).chain(pieces).boxed();
                return Ok(Some(watched(app, copy.clone(), pieces)));
            }
        },
        Found::Missing => match proof::look(store, copy).await? {
            Finding::Unreadable(reason) if !store.is_folder() => {
                return Err(Error::unreachable(reason));
            }
            finding => finding.problem(),
        },
    };
    if sql::suspect(&app.db, copy, app.clock.now()).await? {
        proof::report(copy, &wrong);
    }
    Ok(None)
}

/// Notes what is found while the bytes go out.
fn watched(app: &App, copy: Copy, pieces: Pieces) -> Pieces {
    let (db, beside, clock) = (app.db.clone(), app.beside.clone(), app.clock.clone());
    pieces
        .inspect_err(move |error| {
            if store::is_passing(error) {
                tracing::warn!(%error, key = copy.key, "a download was cut off");
                return;
            }
            proof::report(&copy, &format!("{error}, and the download was cut off"));
            let (db, copy, now) = (db.clone(), copy.clone(), clock.now());
            beside.spawn(async move {
                if let Err(error) = sql::suspect(&db, &copy, now).await {
                    tracing::error!(?error, "a copy that is wrong cannot be noted");
                }
            });
        })
        .boxed()
}

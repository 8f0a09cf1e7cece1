//! Concatenation: a file that came in parts, at the same time or not, is put together in their order.
//!
//! The final upload takes the parts over in one change, and then their bytes, as if those arrived once more: so it goes
//! on where it was after a restart, is hashed on the way, and is bounded like others. What it has durably is given back
//! by the parts meanwhile. The same request again is the same final upload, so whoever did not hear how it ended asks again.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use super::resumable::{self, Progress, Refused};
use super::{Place, upload};
use crate::access::{Actor, Writer};
use crate::app::App;
use crate::change::Change;
use crate::error::{Error, Result};
use crate::files::upload::Place as _;
use crate::id::UserId;
use crate::in_flight::Arrival;
use crate::registry::catalog::upload::rules::NewUpload;
use crate::registry::catalog::upload::sent;
use crate::registry::catalog::upload::{self as uploads, Upload};

/// Of how many parts a file may be.
const MAX_PARTS: usize = 1000;

/// Who has a file put together.
static TURNS: LazyLock<Mutex<HashMap<UserId, Weak<AsyncMutex<()>>>>> =
    LazyLock::new(Mutex::default);

/// Waits until no other file of somebody is put together. One at a time is as fast as the disk is, and takes the memory
/// of one, however many somebody asks for.
async fn turn(user: &UserId) -> OwnedMutexGuard<()> {
    let turn = {
        let mut turns = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| turn.strong_count() > 0);
        let there = turns.get(user).and_then(Weak::upgrade);
        there.unwrap_or_else(|| {
            let turn = Arc::default();
            turns.insert(user.clone(), Arc::downgrade(&turn));
            turn
        })
    };
    turn.lock_owned().await
}

/// Puts a file at a place, for which [`resumable::check`] has been asked, that came in the parts with these ids.
pub async fn join(
    app: &App,
    actor: &Actor,
    place: &Place,
    ids: &[String],
    new: NewUpload,
) -> Result<(Upload, Progress), Refused> {
    let refuse = |reason: String| Err(Error::invalid("upload-concat", reason).into());
    if ids.len() > MAX_PARTS {
        return refuse(format!("must name at most {MAX_PARTS} parts: send fewer and larger ones"));
    }
    let mut seen = HashSet::new();
    if let Some(twice) = ids.iter().find(|id| !seen.insert(*id)) {
        return refuse(format!("names {twice} twice"));
    }
    let (_, target) = place.find((&app.db).into(), actor).await?;
    // Who publishes waits for it from now on, not only from its turn on.
    let arrival = Arrival { owner_id: target.id().to_owned(), path: new.path.clone() };
    let under_way = app.in_flight.begin(arrival);
    let turn = turn(&actor.user()?.id).await;
    let upload = begin(app, actor, place, ids, new).await?;
    if upload.is_over {
        let (offset, expires_at) = (upload.received.unsigned_abs(), upload.expires_at_ms);
        return Ok((upload, Progress { offset, expires_at }));
    }
    let (app, actor, id) = (app.clone(), actor.clone(), upload.id.clone());
    // By itself: a client who goes away now need not send anything again.
    let joined = tokio::spawn(async move {
        let _until_it_ends = (turn, under_way);
        resumable::hold(&app, &actor, &id).await?.join(&app, &actor).await
    });
    Ok((upload, joined.await.map_err(Error::internal)??))
}

/// Begins the final upload of these parts, or finds the one that began before.
async fn begin(
    app: &App,
    actor: &Actor,
    place: &Place,
    ids: &[String],
    new: NewUpload,
) -> Result<Upload> {
    let parts = find(app, actor, ids).await?;
    // Of these nobody asks for the bytes any more, only for how it ended.
    if let Some(upload) = begun_before(app, actor, place, &parts, &new.path).await? {
        return Ok(upload);
    }
    // Nobody brings bytes of a part while it is taken over. In one order, so that nobody waits for who waits for them.
    let mut names = ids.to_vec();
    names.sort();
    let mut held = HashMap::new();
    for name in names {
        let partial = app.store.partial(&name).await;
        held.insert(name, partial);
    }
    let parts = find(app, actor, ids).await?;
    let (_, target) = place.find((&app.db).into(), actor).await?;
    let mut size = 0_u64;
    for part in &parts {
        uploads::rules::check_joins(part, &target)?;
        let received = part.received.unsigned_abs();
        let partial = &held[&part.id];
        let sent = sent::find(&app.db, &part.id).await?;
        let is_there = match app.store.is_folder() || received == 0 {
            true => partial.has(received, None).await?,
            // Of an object store only whole parts can be read.
            false => partial.finished(received, sent.as_ref()).await?.is_some(),
        };
        if !is_there {
            let message = format!("The bytes of part {} were lost. Send them again.", part.id);
            return Err(Error::Conflict(message));
        }
        size = size.saturating_add(received);
    }
    let new = NewUpload { size: Some(upload::check_size(app, size)?), ..new };
    let mut change = Change::begin(app, actor).await?;
    let (reader, target) = place.find((&mut *change).into(), actor).await?;
    let writer = Writer::of(reader)?;
    let upload = uploads::rules::join(&mut change, &writer, &target, &parts, new).await?;
    change.commit().await?;
    app.store.begin_partial(&upload.id).await?;
    Ok(upload)
}

/// The uploads with these ids, in this order, that somebody has.
async fn find(app: &App, actor: &Actor, ids: &[String]) -> Result<Vec<Upload>> {
    let found = uploads::find_all(&app.db, &actor.user()?.id, ids, app.clock.now()).await?;
    let mut by_id: HashMap<String, Upload> =
        found.into_iter().map(|upload| (upload.id.clone(), upload)).collect();
    let in_order = ids.iter().map(|id| by_id.remove(id).ok_or_else(|| resumable::not_found(id)));
    in_order.collect()
}

/// The final upload that has some of these parts already, if it is of them all, and of the file at this path.
async fn begun_before(
    app: &App,
    actor: &Actor,
    place: &Place,
    parts: &[Upload],
    path: &str,
) -> Result<Option<Upload>> {
    let Some(final_id) = parts.iter().find_map(|part| part.final_id.as_ref()) else {
        return Ok(None);
    };
    let (upload, _) = resumable::find(app, actor, final_id).await?;
    let (_, target) = place.find((&app.db).into(), actor).await?;
    let its_own = uploads::parts(&app.db, final_id).await?;
    let is_same = upload.owner_id == target.id() && upload.path == path;
    if is_same && its_own.iter().map(|part| &part.name).eq(parts.iter().map(|part| &part.id)) {
        Ok(Some(upload))
    } else {
        Err(taken(&upload))
    }
}

fn taken(upload: &Upload) -> Error {
    let Upload { id, path, .. } = upload;
    Error::Conflict(format!(
        "A part belongs to upload {id} of {path}. Send the same parts and path, or DELETE that upload."
    ))
}

//! Uploads that may be interrupted: which file there will be, and how many of its bytes are durable.
//!
//! Only who began one may go on with it: for everybody else there is none. What is published waits for those to it
//! that are going on ([`rules::check_arrived`]). Touches bytes only to remove those that belong to none
//! ([`rules::sweep`]), and never makes the file: that is [`put`](super::file::rules::put), in the same change as
//! [`rules::finish`].

pub mod rules;

use std::sync::Arc;

use std::collections::HashMap;

use async_graphql::{Context, SimpleObject};

use crate::app::App;
use crate::db::{Conn, Db, query};
use crate::error::Result;
use crate::id::UserId;
use crate::in_flight::WAIT_SECONDS;
use crate::loader::{load_by_owner, loaders};
use crate::long::Long;
use crate::time::Timestamp;

/// How long an upload is kept after its last bytes came.
pub(super) const LIFE_SECONDS: i64 = 24 * 3600;

/// An upload that has begun.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Upload {
    pub id: String,
    /// The version or candidate that is to have the file.
    pub owner_id: String,
    pub path: String,
    /// Of the whole file, in bytes.
    pub size: i64,
    /// How many bytes are durable.
    pub received: i64,
    /// What the whole file must have, in hexadecimal.
    pub sha256: Option<String>,
    /// As the client sent it.
    pub metadata: String,
    pub expires_at_ms: Timestamp,
}

impl Upload {
    /// Whether the file is at its place.
    pub fn is_over(&self) -> bool {
        self.received == self.size
    }
}

macro_rules! columns {
    () => {
        "id, owner_id, COALESCE(sent_path, path) AS path, size, received, sha256, metadata, expires_at_ms"
    };
}
use columns;

/// The upload with this id, unless it is somebody else's or has expired.
pub async fn find(
    conn: impl Into<Conn<'_>>,
    user: &UserId,
    id: &str,
    now: Timestamp,
) -> Result<Option<Upload>> {
    if id.contains('\0') {
        return Ok(None);
    }
    let upload = query(concat!(
        "SELECT ",
        columns!(),
        " FROM uploads WHERE id = $1 AND user_id = $2 AND expires_at_ms > $3"
    ))
    .bind(id)
    .bind(user)
    .bind(now)
    .fetch_optional(conn)
    .await?;
    Ok(upload)
}

/// Notes that so many bytes are durable; returns when the upload expires now.
pub async fn receive(db: &Db, id: &str, received: i64, now: Timestamp) -> Result<Timestamp> {
    let expires_at = now.plus_seconds(LIFE_SECONDS);
    query("UPDATE uploads SET received = $2, expires_at_ms = $3 WHERE id = $1")
        .bind(id)
        .bind(received)
        .bind(expires_at)
        .alone(db)
        .await?;
    Ok(expires_at)
}

/// How many bytes uploads that have begun are still to bring, of which some came in the last minutes.
pub async fn announced(db: &Db, now: Timestamp) -> Result<u64> {
    let (bytes,): (i64,) = query(
        "SELECT CAST(COALESCE(SUM(size - received), 0) AS BIGINT) FROM uploads
         WHERE received < size AND expires_at_ms > $1",
    )
    .bind(now.plus_seconds(LIFE_SECONDS - WAIT_SECONDS))
    .fetch_one(db)
    .await?;
    Ok(bytes.unsigned_abs())
}

/// An unfinished upload.
#[derive(Clone, Debug, PartialEq, SimpleObject)]
pub struct UnfinishedUpload {
    /// The path that the file will have.
    pub path: String,
    /// How large it will be, in bytes; null if that is not known.
    pub size: Option<Long>,
    /// How many bytes are safely stored; null if that is not known.
    pub received: Option<Long>,
    /// Whether bytes have arrived in the last five minutes. Publishing waits for such uploads.
    pub active: bool,
}

/// An upload as far as others see it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Begun {
    path: String,
    size: i64,
    received: i64,
    expires_at_ms: Timestamp,
}

impl Begun {
    fn shown(&self, now: Timestamp) -> UnfinishedUpload {
        let last_bytes_at = self.expires_at_ms.plus_seconds(-LIFE_SECONDS);
        UnfinishedUpload {
            path: self.path.clone(),
            size: Some(Long(self.size)),
            received: Some(Long(self.received)),
            active: last_bytes_at.plus_seconds(WAIT_SECONDS) > now,
        }
    }
}

/// The uploads that are not over, unless the file came otherwise.
macro_rules! begun {
    () => {
        "SELECT owner_id, COALESCE(sent_path, path) AS path, size, received, expires_at_ms FROM uploads u WHERE received < size
         AND NOT EXISTS (SELECT 1 FROM files f WHERE f.owner_id = u.owner_id AND f.path = u.path
                         AND f.created_at_ms >= u.created_at_ms) AND "
    };
}
use begun;

load_by_owner!(
    /// The uploads to something that are not over.
    UnfinishedOf => Begun,
    begun!(),
    "owner_id",
    " ORDER BY owner_id, path"
);

/// The files that are yet to come to something, by path. By the request's loader.
pub async fn load_unfinished(ctx: &Context<'_>, owner_id: &str) -> Result<Vec<UnfinishedUpload>> {
    let begun = loaders(ctx).load_one(UnfinishedOf(owner_id.to_owned())).await?;
    Ok(unfinished(
        &loaders(ctx).loader().app,
        owner_id,
        Arc::unwrap_or_clone(begun.unwrap_or_default()),
    ))
}

/// Those with a row, and those that are in flight without one.
pub(super) fn unfinished(app: &App, owner_id: &str, begun: Vec<Begun>) -> Vec<UnfinishedUpload> {
    let now = app.clock.now();
    let mut begun: Vec<_> = begun.into_iter().filter(|upload| upload.expires_at_ms > now).collect();
    // Of several to one path the one that had bytes last.
    begun.sort_by_key(|upload| upload.expires_at_ms);
    let mut by_path: HashMap<String, UnfinishedUpload> =
        begun.iter().map(|upload| (upload.path.clone(), upload.shown(now))).collect();
    for path in app.in_flight.paths(owner_id, now) {
        let unknown =
            UnfinishedUpload { path: path.clone(), size: None, received: None, active: true };
        by_path.entry(path).or_insert(unknown).active = true;
    }
    let mut all: Vec<_> = by_path.into_values().collect();
    all.sort_by(|a, b| a.path.cmp(&b.path));
    all
}

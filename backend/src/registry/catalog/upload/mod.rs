//! Uploads that may be interrupted: which file there will be, and how many of its bytes are durable.
//!
//! A file may also come in several parts, each of which is an upload, until a last one, the final upload, puts them
//! together ([`rules::join`]). The bytes of a part are those of its own upload; a final one takes them over in order.
//!
//! Only who began one may go on with it: for everybody else there is none. What is published waits for those to it
//! that are going on ([`rules::check_arrived`]). Touches bytes only to remove those that belong to none
//! ([`rules::sweep`]), and never makes the file: that is [`put`](super::file::rules::put), in the same change as
//! [`rules::finish`].

pub mod graphql;
pub mod open;
pub mod rules;
pub mod sent;
pub mod staged;

use std::sync::Arc;

use std::collections::HashMap;

use async_graphql::{Context, SimpleObject};

use crate::app::App;
use crate::db::{Conn, Db, Query, Sql, query};
use crate::error::Result;
use crate::id::UserId;
use crate::in_flight::WAIT_SECONDS;
use crate::loader::{load_by_owner, loaders};
use crate::long::Long;
use crate::store::{self, Sent};
use crate::time::Timestamp;

/// How long an upload is kept after its last bytes came.
pub(super) const LIFE_SECONDS: i64 = 24 * 3600;

/// An upload that has begun.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Upload {
    pub id: String,
    /// The version or candidate that is to have the file.
    pub owner_id: String,
    /// Of the file; of a part that names none, of the folder, with a slash at its end.
    pub path: String,
    /// In bytes; as many as came where it is deferred.
    size: i64,
    /// How many bytes are durable.
    pub received: i64,
    /// What the whole file must have, in hexadecimal.
    pub sha256: Option<String>,
    /// As the client sent it.
    pub metadata: String,
    pub expires_at_ms: Timestamp,
    /// Whether it is a part or a final upload, and of which parts, as the client sent it.
    pub concat: Option<String>,
    /// What this part belongs to.
    pub final_id: Option<String>,
    is_deferred: bool,
    /// Whether the file is at its place, or the part belongs to a final upload.
    pub is_over: bool,
    /// How often it was taken over: whoever has it with another number has lost it.
    pub epoch: i64,
    /// Whether it was taken from somebody who wrote to it, and may do so still.
    pub was_seized: bool,
}

/// What the database has of a part as `concat`.
pub const PART: &str = "partial";

impl Upload {
    /// How many bytes it will have, if that was said.
    pub fn length(&self) -> Option<u64> {
        (!self.is_deferred).then_some(self.size.unsigned_abs())
    }

    /// Whether it brings a part of a file.
    pub fn is_part(&self) -> bool {
        self.concat.as_deref() == Some(PART)
    }

    /// Whether it puts parts together.
    pub fn is_final(&self) -> bool {
        self.concat.is_some() && !self.is_part()
    }

    /// Whether all bytes are durable.
    pub fn is_whole(&self) -> bool {
        self.length() == Some(self.received.unsigned_abs())
    }
}

/// The bytes of a part, by the name that its upload has, how many they are, and what an object store has of them.
#[derive(Clone, Debug, sqlx::FromRow)]
struct Part {
    id: String,
    size: i64,
    sent: Option<String>,
}

impl Part {
    /// As the store has them.
    fn stored(self) -> Result<store::Part> {
        let sent = self.sent.map(|sent| Sent::of_text(&sent, Vec::new())).transpose()?;
        let key = sent.and_then(|sent| sent.blob()).map(|blob| blob.key);
        Ok(store::Part { name: self.id, size: self.size.unsigned_abs(), key })
    }
}

macro_rules! columns {
    () => {
        "id, owner_id, COALESCE(sent_path, path) AS path, size, received, sha256, metadata, expires_at_ms, concat, final_id,
         is_deferred, is_over, epoch, was_seized"
    };
}
use columns;

/// The upload with this id, unless it is somebody else's or has expired. A part expires with its final upload.
pub async fn find(
    conn: impl Into<Conn<'_>>,
    user: &UserId,
    id: &str,
    now: Timestamp,
) -> Result<Option<Upload>> {
    Ok(find_all(conn, user, &[id.to_owned()], now).await?.pop())
}

/// All uploads with these ids that [`find`] finds, in no order. Those whose parts are staged are found by
/// [`staged::parts`].
pub async fn find_all(
    conn: impl Into<Conn<'_>>,
    user: &UserId,
    ids: &[String],
    now: Timestamp,
) -> Result<Vec<Upload>> {
    let own = Sql::new(concat!("SELECT ", columns!(), " FROM uploads WHERE user_id = ?"));
    let ids = Sql::is_in("id", ids.iter().filter(|id| !id.contains('\0')));
    let live =
        Sql::new("part_count IS NULL AND (expires_at_ms > ? OR final_id IS NOT NULL)").bind(now);
    Ok(Query::from(own.bind(user).and(ids).and(live)).fetch_all(conn).await?)
}

/// The parts that a final upload puts together, in order.
pub async fn parts(conn: impl Into<Conn<'_>>, final_id: &str) -> Result<Vec<store::Part>> {
    let parts = query("SELECT id, size, sent FROM uploads WHERE final_id = $1 ORDER BY part");
    let parts: Vec<Part> = parts.bind(final_id).fetch_all(conn).await?;
    parts.into_iter().map(Part::stored).collect()
}

/// How many bytes uploads that have begun are still to bring, of which some came in the last minutes. What is put
/// together is here already.
pub async fn announced(db: &Db, now: Timestamp) -> Result<u64> {
    let (bytes,): (i64,) = query(
        "SELECT CAST(COALESCE(SUM(size - received), 0) AS BIGINT) FROM uploads
         WHERE NOT is_over AND expires_at_ms > $1 AND COALESCE(concat, $2) = $2",
    )
    .bind(now.plus_seconds(LIFE_SECONDS - WAIT_SECONDS))
    .bind(PART)
    .fetch_one(db)
    .await?;
    Ok(bytes.unsigned_abs())
}

/// An unfinished upload.
#[derive(Clone, Debug, PartialEq, SimpleObject)]
pub struct UnfinishedUpload {
    /// The path that the file will have. If it comes in parts that do not say it yet, the path of the folder, with a
    /// slash at its end.
    pub path: String,
    /// How large it will be, in bytes; null if that is not known, as of a file that comes in parts.
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
    is_deferred: bool,
    concat: Option<String>,
}

impl Begun {
    fn is_part(&self) -> bool {
        self.concat.as_deref() == Some(PART)
    }

    fn shown(&self, now: Timestamp) -> UnfinishedUpload {
        let last_bytes_at = self.expires_at_ms.plus_seconds(-LIFE_SECONDS);
        UnfinishedUpload {
            path: self.path.clone(),
            size: (!self.is_deferred && !self.is_part()).then_some(Long(self.size)),
            received: Some(Long(self.received)),
            active: last_bytes_at.plus_seconds(WAIT_SECONDS) > now,
        }
    }
}

/// The uploads that are not over, unless the file came otherwise.
macro_rules! begun {
    () => {
        "SELECT owner_id, COALESCE(sent_path, path) AS path, size, received, expires_at_ms, is_deferred, concat
         FROM uploads u WHERE NOT is_over
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
    // Of several to one path the one that had bytes last, but parts together.
    begun.sort_by_key(|upload| upload.expires_at_ms);
    let mut by_path: HashMap<String, UnfinishedUpload> = HashMap::new();
    for upload in begun {
        let mut shown = upload.shown(now);
        if let Some(before) = by_path.get(&upload.path)
            && upload.is_part()
        {
            let received = before.received.map_or(0, |received| received.0);
            shown.received = Some(Long(upload.received + received));
            shown.active |= before.active;
        }
        by_path.insert(upload.path, shown);
    }
    for path in app.in_flight.paths(owner_id) {
        let unknown =
            UnfinishedUpload { path: path.clone(), size: None, received: None, active: true };
        by_path.entry(path).or_insert(unknown).active = true;
    }
    let mut all: Vec<_> = by_path.into_values().collect();
    all.sort_by(|a, b| a.path.cmp(&b.path));
    all
}

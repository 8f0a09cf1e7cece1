//! Uploads that may be interrupted: which file there will be, and how many of its bytes are durable.
//!
//! Only who began one may go on with it: for everybody else there is none. What is published waits for those to it
//! that are going on ([`check_arrived`]). Never touches bytes, and never makes the file: that is
//! [`put`](super::file::put), in the same change as [`finish`].

use std::collections::{HashMap, HashSet};

use async_graphql::{Context, SimpleObject};

use crate::access::Writer;
use crate::app::App;
use crate::change::Change;
use crate::db::{Conn, Db, Query, Sql, query};
use crate::error::{Error, Result};
use crate::id::{UserId, new_uuid};
use crate::in_flight::WAIT_SECONDS;
use crate::loader::{load_by_owner, loaders};
use crate::long::Long;
use crate::registry::target::Target;
use crate::text::FilePath;
use crate::time::Timestamp;

/// How many uploads somebody may have begun and not finished.
pub const MAX_OPEN: i64 = 1000;
/// How many paths may be said to have to be there.
const MAX_REQUIRED: usize = 1000;
/// How long an upload is kept after its last bytes came.
const LIFE_SECONDS: i64 = 24 * 3600;

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

/// What a client says of a file that it is about to send.
pub struct NewUpload {
    pub path: FilePath,
    /// In bytes.
    pub size: i64,
    pub sha256: Option<String>,
    pub metadata: String,
}

macro_rules! columns {
    () => {
        "id, owner_id, path, size, received, sha256, metadata, expires_at_ms"
    };
}

/// Begins an upload.
pub async fn create(
    change: &mut Change,
    _writer: &Writer,
    target: &Target,
    new: NewUpload,
) -> Result<Upload> {
    let now = change.now;
    let (open,): (i64,) = query(
        "SELECT COUNT(*) FROM uploads WHERE user_id = $1 AND received < size AND expires_at_ms > $2",
    )
    .bind(change.author())
    .bind(now)
    .fetch_one(&mut **change)
    .await?;
    if open >= MAX_OPEN {
        return Err(Error::RateLimited(format!(
            "you have {MAX_OPEN} unfinished uploads: finish or DELETE some, or wait until they expire"
        )));
    }
    // An empty file is on its way, too, until it is put at its place.
    let upload = query(concat!(
        "INSERT INTO uploads (id, user_id, owner_id, path, size, received, sha256, metadata,
             created_at_ms, expires_at_ms)
         VALUES ($1, $2, $3, $4, $5, 0, $6, $7, $8, $9)
         RETURNING ",
        columns!()
    ))
    .bind(new_uuid(now))
    .bind(change.author())
    .bind(target.id())
    .bind(&new.path)
    .bind(new.size)
    .bind(new.sha256)
    .bind(new.metadata)
    .bind(now)
    .bind(now.plus_seconds(LIFE_SECONDS))
    .fetch_one(&mut **change)
    .await?;
    Ok(upload)
}

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
    let mut tx = db.begin().await?;
    query("UPDATE uploads SET received = $2, expires_at_ms = $3 WHERE id = $1")
        .bind(id)
        .bind(received)
        .bind(expires_at)
        .execute(&mut tx)
        .await?;
    tx.commit().await?;
    Ok(expires_at)
}

/// Notes that the file is at its place.
pub async fn finish(change: &mut Change, id: &str) -> Result<()> {
    query("UPDATE uploads SET received = size WHERE id = $1").bind(id).execute(change).await?;
    Ok(())
}

pub async fn delete(db: &Db, id: &str) -> Result<()> {
    let mut tx = db.begin().await?;
    query("DELETE FROM uploads WHERE id = $1").bind(id).execute(&mut tx).await?;
    tx.commit().await?;
    Ok(())
}

/// A file whose upload began and is not over.
#[derive(Clone, Debug, PartialEq, SimpleObject)]
pub struct UnfinishedUpload {
    /// The path that the file will have.
    pub path: String,
    /// How large it will be, in bytes; null if that is not known.
    pub size: Option<Long>,
    /// How many bytes are here for sure; null if that is not known.
    pub received: Option<Long>,
    /// Whether it is going on: bytes arrive, or did so in the last five minutes. Publishing waits for it.
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
        "SELECT owner_id, path, size, received, expires_at_ms FROM uploads u WHERE received < size
         AND NOT EXISTS (SELECT 1 FROM files f WHERE f.owner_id = u.owner_id AND f.path = u.path
                         AND f.created_at_ms >= u.created_at_ms) AND "
    };
}

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
    Ok(unfinished(&loaders(ctx).loader().app, owner_id, begun.unwrap_or_default()))
}

/// Those with a row, and those that are in flight without one.
fn unfinished(app: &App, owner_id: &str, begun: Vec<Begun>) -> Vec<UnfinishedUpload> {
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

/// Proof that no file of what is to be published is arriving, or that this is wanted so.
pub struct Arrived(());

/// What is waited for.
#[derive(Default)]
pub struct Wanted {
    /// Whether to go on without files that are arriving, or missing.
    pub without_uploads: bool,
    /// Paths that must be there.
    pub required_files: Vec<String>,
}

/// Refuses to go on while files are arriving in a folder of something, of which the empty one is the top, or are not
/// there that must be.
pub async fn check_arrived(
    app: &App,
    change: &mut Change,
    (owner_id, folder): (&str, &str),
    wanted: Wanted,
) -> Result<Arrived> {
    if wanted.required_files.len() > MAX_REQUIRED {
        return Err(Error::at_most("requiredFiles", MAX_REQUIRED));
    }
    if wanted.without_uploads {
        return Ok(Arrived(()));
    }
    let begun: Vec<Begun> =
        query(concat!(begun!(), "owner_id = $1")).bind(owner_id).fetch_all(&mut **change).await?;
    let inside = |path: &str| {
        folder.is_empty()
            || path
                .strip_prefix(folder)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let mut arriving: Vec<String> = unfinished(app, owner_id, begun)
        .into_iter()
        .filter(|upload| upload.active && inside(&upload.path))
        .map(|upload| upload.path)
        .collect();
    arriving.extend(missing(change, owner_id, wanted.required_files).await?);
    arriving.sort();
    arriving.dedup();
    if arriving.is_empty() { Ok(Arrived(())) } else { Err(Error::Arriving(arriving)) }
}

/// Which of some paths have no file.
async fn missing(
    change: &mut Change,
    owner_id: &str,
    mut required: Vec<String>,
) -> Result<Vec<String>> {
    required.retain(|path| !path.contains('\0'));
    let mut sql = Sql::new("SELECT path FROM files WHERE owner_id = ?").bind(owner_id);
    sql = sql.and(Sql::is_in("path", &required));
    let there: Vec<(String,)> = Query::from(sql).fetch_all(&mut **change).await?;
    let there: HashSet<String> = there.into_iter().map(|(path,)| path).collect();
    required.retain(|path| !there.contains(path));
    Ok(required)
}

/// Forgets uploads that have expired, and removes bytes that belong to none.
pub async fn sweep(app: &App) -> Result<()> {
    let mut tx = app.db.begin().await?;
    let expired: Vec<(String,)> =
        query("DELETE FROM uploads WHERE expires_at_ms <= $1 RETURNING id")
            .bind(app.clock.now())
            .fetch_all(&mut tx)
            .await?;
    tx.commit().await?;
    for (id,) in expired {
        app.store.partial(&id).await.remove().await?;
    }
    let names = app.store.partial_names().await?;
    for names in names.chunks(500) {
        let mut sql = Sql::new("SELECT id FROM uploads WHERE ");
        sql.push_sql(Sql::is_in("id", names));
        let known: Vec<(String,)> = Query::from(sql).fetch_all(&app.db).await?;
        for name in names.iter().filter(|name| !known.iter().any(|(id,)| id == *name)) {
            app.store.partial(name).await.remove().await?;
        }
    }
    Ok(())
}

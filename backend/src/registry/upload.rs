//! Uploads that may be interrupted: which file there will be, and how many of its bytes are durable.
//!
//! Only who began one may go on with it: for everybody else there is none. Never touches bytes, and never
//! makes the file: that is [`put`](super::file::put), in the same change as [`finish`].

use crate::app::App;
use crate::auth::Writer;
use crate::db::{Conn, Db, Query, Sql, query};
use crate::error::{Error, Result};
use crate::id::{UserId, new_uuid};
use crate::registry::event::Change;
use crate::registry::object::Target;
use crate::text::FilePath;
use crate::time::Timestamp;

/// How many uploads somebody may have begun and not finished.
pub const MAX_OPEN: i64 = 1000;
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

//! Uploads whose parts come in any order and at the same time, until they are put together (MLflow).
//!
//! A part is named by its number and the SHA-256 of its bytes, so the same part may come twice, and whoever puts parts
//! together says which ones they mean. Each is an object of its own until then.

use std::collections::HashMap;

use super::{LIFE_SECONDS, rules};
use crate::app::App;
use crate::db::{Conn, Db, query};
use crate::error::{Error, Result};
use crate::id::UserId;
use crate::store::Blob;
use crate::time::Timestamp;

/// With how many contents a part may come.
const MAX_TRIES: i64 = 8;

fn over() -> Error {
    Error::Conflict("This upload has ended. Start a new one.".into())
}

/// How many bytes a part may have, where all parts may have `max_size` bytes together. One that comes again takes the room
/// of the first one.
pub async fn room(
    conn: impl Into<Conn<'_>>,
    upload: &str,
    number: u32,
    max_size: u64,
) -> Result<u64> {
    let found = query(
        "SELECT received, (SELECT MAX(size) FROM staged_parts WHERE upload_id = $1 AND number = $2)
         FROM uploads WHERE id = $1 AND NOT is_over",
    )
    .bind(upload)
    .bind(i64::from(number))
    .fetch_optional::<(i64, Option<i64>)>(conn)
    .await?;
    let (received, same) = found.ok_or_else(over)?;
    let room = max_size.saturating_add(same.unwrap_or(0).unsigned_abs());
    Ok(room.saturating_sub(received.unsigned_abs()))
}

/// Adds a part of somebody; false where it is there already, and these bytes are not needed.
pub async fn add(
    db: &Db,
    (user, upload): (&UserId, &str),
    number: u32,
    part: &Blob,
    max_size: u64,
    now: Timestamp,
) -> Result<bool> {
    let mut tx = db.begin().await?;
    // Locks it.
    let touched = query("UPDATE uploads SET expires_at_ms = $2 WHERE id = $1 AND NOT is_over")
        .bind(upload)
        .bind(now.plus_seconds(LIFE_SECONDS))
        .execute(&mut tx)
        .await?;
    if touched == 0 {
        return Err(over());
    }
    let room = room(&mut tx, upload, number, max_size).await?;
    let added = query(
        "INSERT INTO staged_parts (upload_id, number, sha256, size, key, storage)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (upload_id, number, sha256) DO NOTHING",
    )
    .bind(upload)
    .bind(i64::from(number))
    .bind(&part.sha256)
    .bind(part.size)
    .bind(&part.key)
    .bind(&*part.storage)
    .execute(&mut tx)
    .await?;
    if added > 0 {
        if part.size.unsigned_abs() > room {
            let message = format!("All parts can be at most {max_size} bytes large together.");
            return Err(Error::TooLarge(message));
        }
        rules::check_announced(&mut tx, user, now, part.size).await?;
        let (tries,): (i64,) =
            query("SELECT COUNT(*) FROM staged_parts WHERE upload_id = $1 AND number = $2")
                .bind(upload)
                .bind(i64::from(number))
                .fetch_one(&mut tx)
                .await?;
        if tries > MAX_TRIES {
            let message = format!("part {number} came with other bytes too often");
            return Err(Error::RateLimited(message));
        }
        query("UPDATE uploads SET received = received + $2, size = received + $2 WHERE id = $1")
            .bind(upload)
            .bind(part.size)
            .execute(&mut tx)
            .await?;
    }
    // It may be there in what took uploads before.
    let moved = query(
        "UPDATE staged_parts SET key = $4, storage = $5
         WHERE upload_id = $1 AND number = $2 AND sha256 = $3 AND storage <> $5",
    )
    .bind(upload)
    .bind(i64::from(number))
    .bind(&part.sha256)
    .bind(&part.key)
    .bind(&*part.storage);
    let moved = if added == 0 { moved.execute(&mut tx).await? } else { 0 };
    tx.commit().await?;
    Ok(added + moved > 0)
}

/// Whether the parts of an upload were put together before. If not, they are kept for a while from now on.
pub async fn is_over(db: &Db, upload: &str, now: Timestamp) -> Result<bool> {
    let mut tx = db.begin().await?;
    let touched = query("UPDATE uploads SET expires_at_ms = $2 WHERE id = $1 RETURNING is_over")
        .bind(upload)
        .bind(now.plus_seconds(LIFE_SECONDS))
        .fetch_optional::<(bool,)>(&mut tx)
        .await?;
    tx.commit().await?;
    touched.map(|(is_over,)| is_over).ok_or_else(over)
}

/// The parts with these numbers and hashes, in this order.
pub async fn parts(app: &App, upload: &str, wanted: &[(u32, String)]) -> Result<Vec<Blob>> {
    let parts: Vec<(i64, String, i64, String)> = query(
        "SELECT number, sha256, size, key FROM staged_parts WHERE upload_id = $1 AND storage = $2",
    )
    .bind(upload)
    .bind(app.store.name())
    .fetch_all(&app.db)
    .await?;
    let mut parts: HashMap<(i64, String), Blob> = parts
        .into_iter()
        .map(|(number, sha256, size, key)| {
            let storage = app.store.name().into();
            ((number, sha256.clone()), Blob { storage, key, sha256, size, crc32: None })
        })
        .collect();
    let in_order = wanted.iter().map(|(number, sha256)| {
        parts.remove(&(i64::from(*number), sha256.clone())).ok_or_else(|| {
            let reason = format!("part {number} did not arrive with the ETag {sha256}");
            Error::invalid("parts", reason)
        })
    });
    in_order.collect()
}

/// Ends an upload whose parts were put together, and removes them. It is known until it expires, for who did not hear that.
pub async fn finish(app: &App, upload: &str) -> Result<()> {
    query("UPDATE uploads SET is_over = TRUE WHERE id = $1").bind(upload).alone(&app.db).await?;
    if let Err(error) = app.store.remove_staged(upload).await {
        // They go with the upload.
        error.log();
    }
    Ok(())
}

/// Gives an upload up and removes its parts; it may be over already. By itself: a client who goes away leaves nothing.
pub async fn end(app: &App, upload: &str) -> Result<()> {
    let (app, upload) = (app.clone(), upload.to_owned());
    let ended = tokio::spawn(async move {
        // The bytes first, so that a full disk has room for the change.
        app.store.remove_staged(&upload).await?;
        rules::delete(&app.db, &upload).await
    });
    ended.await.map_err(Error::internal)?
}

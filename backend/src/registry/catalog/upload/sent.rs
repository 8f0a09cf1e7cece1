//! How far an upload is, and who has it: of several servers with one object store, any may go on with it.
//!
//! Whoever takes an upload over gives it the next epoch, and whoever had it before can note nothing more. If they were
//! writing then, a part of theirs may still arrive, so its bytes are compared with their hash at the end.

use super::{LIFE_SECONDS, Upload, columns};
use crate::db::{Conn, Db, Query, Sql, query};
use crate::error::{Error, Result};
use crate::store::Sent;
use crate::time::Timestamp;

/// What whoever had an upload is told.
pub fn taken_over() -> Error {
    let message = "Another request is sending to this upload. Wait for it, then ask for the offset with HEAD and continue there.";
    Error::Conflict(message.into())
}

/// Takes an upload over; none where it is over, or gone.
pub async fn take_over(db: &Db, id: &str) -> Result<Option<Upload>> {
    let taken = query(concat!(
        "UPDATE uploads SET epoch = epoch + 1, was_seized = was_seized OR is_held, is_held = FALSE
         WHERE id = $1 AND NOT is_over RETURNING ",
        columns!()
    ));
    let mut tx = db.begin().await?;
    let taken = taken.bind(id).fetch_optional(&mut tx).await?;
    tx.commit().await?;
    Ok(taken)
}

/// Notes that whoever has an upload writes to it, or is about to make the object, and what the object store has by then.
pub async fn note(db: &Db, upload: &Upload, sent: &Sent) -> Result<()> {
    let noted = query(
        "UPDATE uploads SET is_held = TRUE, sent = $3 WHERE id = $1 AND epoch = $2 AND NOT is_over",
    )
    .bind(&upload.id)
    .bind(upload.epoch)
    .bind(sent.to_text()?)
    .alone(db)
    .await?;
    if noted == 1 { Ok(()) } else { Err(taken_over()) }
}

/// Takes an upload from everybody, before it is given up; refused for somebody who does not have it any more, or whose part
/// belongs to a final upload by now.
pub async fn end(db: &Db, upload: &Upload) -> Result<()> {
    let own = query("UPDATE uploads SET epoch = epoch + 1 WHERE id = $1 AND epoch = $2");
    let own = own.bind(&upload.id).bind(upload.epoch);
    if own.alone(db).await? == 1 { Ok(()) } else { Err(taken_over()) }
}

/// Notes that whoever has an upload writes nothing more. Where its bytes are lost, it begins anew. False where somebody else
/// has it.
pub async fn let_go(db: &Db, upload: &Upload, is_lost: bool) -> Result<bool> {
    let mut tx = db.begin().await?;
    let own =
        query("UPDATE uploads SET is_held = FALSE WHERE id = $1 AND epoch = $2 AND NOT is_over");
    let own = own.bind(&upload.id).bind(upload.epoch).execute(&mut tx).await?;
    if own == 1 && is_lost {
        query("UPDATE uploads SET received = 0, sent = NULL WHERE id = $1")
            .bind(&upload.id)
            .execute(&mut tx)
            .await?;
        query("DELETE FROM sent_parts WHERE upload_id = $1")
            .bind(&upload.id)
            .execute(&mut tx)
            .await?;
    }
    tx.commit().await?;
    Ok(own == 1)
}

/// What the object store has of an upload; nothing where the bytes are elsewhere, or none are.
pub async fn find(conn: impl Into<Conn<'_>>, id: &str) -> Result<Option<Sent>> {
    let mut conn = conn.into();
    let found: Option<(Option<String>,)> = query("SELECT sent FROM uploads WHERE id = $1")
        .bind(id)
        .fetch_optional(conn.again())
        .await?;
    let Some(sent) = found.and_then(|(sent,)| sent) else { return Ok(None) };
    let tags: Vec<(String,)> =
        query("SELECT tag FROM sent_parts WHERE upload_id = $1 ORDER BY number")
            .bind(id)
            .fetch_all(conn)
            .await?;
    Sent::of_text(&sent, tags.into_iter().map(|(tag,)| tag).collect()).map(Some)
}

/// How far somebody has come with an upload.
pub struct Received<'a> {
    /// In bytes, all of which are durable.
    pub size: i64,
    /// What the object store has, and how many of its parts were noted before.
    pub sent: Option<(&'a Sent, usize)>,
    /// Whether they go on.
    pub goes_on: bool,
}

/// Notes that so many bytes are durable; returns when the upload expires now.
pub async fn receive(
    db: &Db,
    upload: &Upload,
    received: Received<'_>,
    now: Timestamp,
) -> Result<Timestamp> {
    let expires_at = now.plus_seconds(LIFE_SECONDS);
    let mut tx = db.begin().await?;
    let noted = query(
        "UPDATE uploads SET received = $2, expires_at_ms = $3, size = CASE WHEN is_deferred THEN $2 ELSE size END,
             sent = $4, is_held = $5
         WHERE id = $1 AND epoch = $6 AND NOT is_over",
    )
    .bind(&upload.id)
    .bind(received.size)
    .bind(expires_at)
    .bind(received.sent.map(|(sent, _)| sent.to_text()).transpose()?)
    .bind(received.goes_on && received.sent.is_some())
    .bind(upload.epoch)
    .execute(&mut tx)
    .await?;
    if noted == 0 {
        return Err(taken_over());
    }
    if let Some((sent, before)) = received.sent {
        let new: Vec<(usize, &String)> = sent.tags.iter().enumerate().skip(before).collect();
        for some in new.chunks(100) {
            let mut sql = Sql::new("INSERT INTO sent_parts (upload_id, number, tag) VALUES ");
            for (index, (number, tag)) in some.iter().enumerate() {
                sql.push(if index == 0 { "(" } else { ", (" }).push_value(&upload.id);
                sql.push(", ").push_value(*number as i64).push(", ").push_value(*tag).push(")");
            }
            Query::from(sql).execute(&mut tx).await?;
        }
    }
    tx.commit().await?;
    Ok(expires_at)
}

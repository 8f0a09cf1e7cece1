//! The rule of blobs: what makes an object the copy of one.

use crate::change::Change;
use crate::db::query;
use crate::error::{Error, Result};
use crate::store;

/// Has there be a blob with these bytes, whose copy is this object unless it has a good one. Returns whether the object
/// is the copy: if not, it is for nobody once the change is durable.
///
/// The file that names the blob comes in the same transaction. The row of the blob is locked by it, so a sweep
/// comes before, and the blob is new, or after, and sees that it is used.
pub async fn put(change: &mut Change, blob: &store::Blob) -> Result<bool> {
    let now = change.now;
    query(
        "INSERT INTO blobs (sha256, size, created_at_ms, crc32) VALUES ($1, $2, $3, $4)
         ON CONFLICT (sha256) DO UPDATE SET unused_since_ms = NULL, unused_since_sweep = NULL,
                                            crc32 = COALESCE(blobs.crc32, excluded.crc32)",
    )
    .bind(&blob.sha256)
    .bind(blob.size)
    .bind(now)
    .bind(blob.crc32.map(i64::from))
    .later(change)
    .await?;
    // An object that a sweep has found before its row is known, and is taken; what it has begun to remove is not.
    let taken = query(
        "INSERT INTO copies (key, storage, sha256, size, state, since_ms, since_sweep)
         SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS BIGINT), 'READY',
                CAST($5 AS BIGINT), 0
         WHERE NOT EXISTS (SELECT 1 FROM copies c
                           WHERE c.sha256 = $3 AND c.storage = $2 AND c.state = 'READY')
         ON CONFLICT (key) DO UPDATE SET state = 'READY', since_ms = excluded.since_ms,
             sha256 = excluded.sha256, size = excluded.size
         WHERE copies.state = 'UNKNOWN'",
    )
    .bind(&blob.key)
    .bind(&*blob.storage)
    .bind(&blob.sha256)
    .bind(blob.size)
    .bind(now)
    .execute(change)
    .await?;
    if taken > 0 {
        return Ok(true);
    }
    let there: Option<(String,)> =
        query("SELECT key FROM copies WHERE sha256 = $1 AND storage = $2 AND state = 'READY'")
            .bind(&blob.sha256)
            .bind(&*blob.storage)
            .fetch_optional(&mut **change)
            .await?;
    match there {
        Some((key,)) => Ok(key == blob.key),
        None => Err(Error::Conflict("The upload took too long. Send the file again.".into())),
    }
}

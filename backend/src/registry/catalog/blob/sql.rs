//! Copies as they are found, and what becomes known of their bytes.

use std::collections::{HashMap, HashSet};

use super::{Copy, columns};
use crate::db::{Db, Query, Sql, query};
use crate::error::Result;
use crate::store::{self, Storages};
use crate::time::Timestamp;

/// The copy of a blob to be read first. None where there is none, or it is lost.
pub async fn find(db: &Db, storages: &Storages, sha256: &str) -> Result<Option<Copy>> {
    Ok(find_all(db, storages, sha256).await?.into_iter().next())
}

/// The copies of a blob as they are to be read: good ones before those that retire, and these before what was found wrong
/// once; and of these those in the first storage first.
pub async fn find_all(db: &Db, storages: &Storages, sha256: &str) -> Result<Vec<Copy>> {
    let copies = query(concat!(
        "SELECT ",
        columns!(),
        " FROM copies WHERE sha256 = $1 AND state IN ('READY', 'RETIRING', 'SUSPECT') ORDER BY key"
    ));
    let mut copies: Vec<Copy> = copies.bind(sha256).fetch_all(db).await?;
    let worth = |copy: &Copy| {
        let state = ["READY", "RETIRING"].iter().position(|state| *state == copy.state);
        // Another server may know of a storage that this one was not told of.
        let rank = storages.rank(&copy.storage).unwrap_or(usize::MAX);
        (rank == usize::MAX, state.unwrap_or(usize::MAX), rank)
    };
    copies.sort_by_key(worth);
    Ok(copies)
}

/// The copies that are to be there: good ones, those that retire, and others where there is no good one; by their keys behind
/// this one.
pub async fn after(db: &Db, key: &str, limit: i64) -> Result<Vec<Copy>> {
    let copies = query(concat!(
        "SELECT ",
        columns!(),
        " FROM copies WHERE state IN ('READY', 'RETIRING', 'SUSPECT', 'LOST') AND key > $1
            AND (state IN ('READY', 'RETIRING') OR NOT EXISTS
                 (SELECT 1 FROM copies r WHERE r.sha256 = copies.sha256 AND r.state = 'READY'))
          ORDER BY key LIMIT $2"
    ))
    .bind(key)
    .bind(limit)
    .fetch_all(db)
    .await?;
    Ok(copies)
}

/// How many copies are to be there, and how large they are together, in bytes.
pub async fn totals(db: &Db) -> Result<(i64, i64)> {
    let totals = query(
        "SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM copies
         WHERE state IN ('READY', 'RETIRING', 'SUSPECT', 'LOST')",
    );
    Ok(totals.fetch_one(db).await?)
}

/// How many good copies are in a storage, and how large they are together, in bytes.
pub async fn totals_in(db: &Db, storage: &str) -> Result<(i64, i64)> {
    let totals = query(
        "SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM copies
         WHERE state = 'READY' AND storage = $1",
    );
    Ok(totals.bind(storage).fetch_one(db).await?)
}

/// The copies whose bytes were compared with their hash the longest ago, or never: good ones before the first time, and
/// others before the second. Of the storage of this name.
pub async fn least_checked(
    db: &Db,
    storage: &str,
    (before, before_if_bad): (Timestamp, Timestamp),
    limit: i64,
) -> Result<Vec<Copy>> {
    let mut sql = Sql::new(concat!(
        "SELECT ",
        columns!(),
        " FROM copies WHERE state IN ('READY', 'SUSPECT', 'LOST') AND checked_at_ms < "
    ));
    sql.push_value(before_if_bad).push(" AND (state <> 'READY' OR checked_at_ms < ");
    sql.push_value(before).push(") AND storage = ").push_value(storage);
    sql.push(" ORDER BY checked_at_ms LIMIT ").push_value(limit);
    Ok(Query::from(sql).fetch_all(db).await?)
}

/// Notes that the bytes of a copy were found to be wrong, or not there, once. Returns whether it was thought good: a
/// sweep may have removed it meanwhile.
pub async fn suspect(db: &Db, copy: &Copy, now: Timestamp) -> Result<bool> {
    let changed = query(
        "UPDATE copies SET state = 'SUSPECT', since_ms = $2
         WHERE key = $1 AND state IN ('READY', 'RETIRING')",
    )
    .bind(&copy.key)
    .bind(now)
    .alone(db)
    .await?;
    Ok(changed > 0)
}

/// Notes that the bytes of these good copies were read and are right.
pub async fn checked(db: &Db, keys: &[String], now: Timestamp) -> Result<()> {
    let mut sql = Sql::new("UPDATE copies SET checked_at_ms = ");
    sql.push_value(now).push(" WHERE ").push_sql(Sql::is_in("key", keys));
    Query::from(sql).alone(db).await?;
    Ok(())
}

/// Notes that the bytes of a copy were read and are right. One that was not good is the copy again, unless there is
/// another one by now.
pub async fn prove(db: &Db, copy: &Copy, now: Timestamp) -> Result<()> {
    query(
        "UPDATE copies SET state = 'READY', since_ms = $2, checked_at_ms = $2
         WHERE key = $1 AND state IN ('SUSPECT', 'LOST', 'UNKNOWN')
           AND EXISTS (SELECT 1 FROM blobs b WHERE b.sha256 = copies.sha256)
           AND NOT EXISTS (SELECT 1 FROM copies c WHERE c.sha256 = copies.sha256 AND c.storage = copies.storage
                                                    AND c.state = 'READY')",
    )
    .bind(&copy.key)
    .bind(now)
    .alone(db)
    .await?;
    Ok(())
}

/// Makes an object the copy of its blob, unless there is one. Its bytes were just compared with the hash. Returns whether
/// it is the copy.
pub async fn add(db: &Db, blob: &store::Blob, now: Timestamp) -> Result<bool> {
    let added = query(
        "INSERT INTO copies (key, storage, sha256, size, state, since_ms, since_sweep, checked_at_ms)
         SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), b.sha256, b.size, 'READY', CAST($4 AS BIGINT), 0,
                CAST($4 AS BIGINT)
         FROM blobs b WHERE b.sha256 = $3
           AND NOT EXISTS (SELECT 1 FROM copies c WHERE c.sha256 = b.sha256 AND c.storage = $2
                                                    AND c.state = 'READY')
         ON CONFLICT (key) DO NOTHING",
    )
    .bind(&blob.key)
    .bind(&*blob.storage)
    .bind(&blob.sha256)
    .bind(now)
    .alone(db)
    .await?;
    Ok(added > 0)
}

/// The CRC-32 of those of some blobs whose is known, by their SHA-256.
pub async fn crc32_of(
    db: &Db,
    sha256: impl IntoIterator<Item = &str>,
) -> Result<HashMap<String, u32>> {
    let mut sql = Sql::new("SELECT sha256, crc32 FROM blobs WHERE crc32 IS NOT NULL AND ");
    sql.push_sql(Sql::is_in("sha256", sha256));
    let found: Vec<(String, i64)> = Query::from(sql).fetch_all(db).await?;
    Ok(found.into_iter().map(|(sha256, crc32)| (sha256, crc32 as u32)).collect())
}

/// Notes the CRC-32 of a blob.
pub async fn note_crc32(db: &Db, sha256: &str, crc32: u32) -> Result<()> {
    query("UPDATE blobs SET crc32 = $2 WHERE sha256 = $1")
        .bind(sha256)
        .bind(i64::from(crc32))
        .alone(db)
        .await?;
    Ok(())
}

/// Whether a file has these bytes.
pub async fn is_used(db: &Db, sha256: &str) -> Result<bool> {
    let used = query("SELECT sha256 FROM files WHERE sha256 = $1 LIMIT 1").bind(sha256);
    Ok(used.fetch_optional::<(String,)>(db).await?.is_some())
}

/// Notes that the bytes of a suspect copy were found to be wrong again.
pub async fn lose(db: &Db, copy: &Copy, now: Timestamp) -> Result<()> {
    query(
        "UPDATE copies SET state = 'LOST', since_ms = $2, checked_at_ms = $2
         WHERE key = $1 AND state = 'SUSPECT'",
    )
    .bind(&copy.key)
    .bind(now)
    .alone(db)
    .await?;
    Ok(())
}

/// A blob that has no good copy.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Lost {
    /// In hexadecimal.
    pub sha256: String,
    /// In bytes.
    pub size: i64,
}

/// The blobs without a good copy that files name, by their SHA-256.
pub async fn lost(db: &Db) -> Result<Vec<Lost>> {
    let lost = query(
        "SELECT b.sha256, b.size FROM blobs b
         WHERE NOT EXISTS (SELECT 1 FROM copies c WHERE c.sha256 = b.sha256
                                                    AND c.state IN ('READY', 'RETIRING'))
           AND EXISTS (SELECT 1 FROM files f WHERE f.sha256 = b.sha256) ORDER BY b.sha256",
    );
    Ok(lost.fetch_all(db).await?)
}

/// The good copies of some blobs.
pub async fn good(db: &Db, blobs: &[String]) -> Result<Vec<Copy>> {
    let mut sql =
        Sql::new(concat!("SELECT ", columns!(), " FROM copies WHERE state = 'READY' AND "));
    sql.push_sql(Sql::is_in("sha256", blobs)).push(" ORDER BY sha256, key");
    Ok(Query::from(sql).fetch_all(db).await?)
}

/// What else may have the bytes of a blob: objects that are no copy of it.
pub async fn others(db: &Db, sha256: &str) -> Result<Vec<Copy>> {
    let others = query(concat!(
        "SELECT ",
        columns!(),
        " FROM copies WHERE sha256 = $1 AND state IN ('SUSPECT', 'LOST', 'UNKNOWN') ORDER BY key"
    ));
    Ok(others.bind(sha256).fetch_all(db).await?)
}

/// Which of some objects no row names.
pub async fn without_row(db: &Db, mut listed: Vec<store::Listed>) -> Result<Vec<store::Listed>> {
    let mut sql = Sql::new("SELECT key FROM copies WHERE ");
    sql.push_sql(Sql::is_in("key", listed.iter().map(|object| &object.key)));
    let known: Vec<(String,)> = Query::from(sql).fetch_all(db).await?;
    let known: HashSet<String> = known.into_iter().map(|(key,)| key).collect();
    listed.retain(|object| !known.contains(&object.key));
    Ok(listed)
}

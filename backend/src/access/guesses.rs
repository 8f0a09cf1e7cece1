//! Wrong passwords, counted in the database: all servers of a registry know of them, and a restart forgets none.

use super::Access;
use crate::db::{Db, Query, Sql, query};
use crate::error::{Error, Result};
use crate::throttle::{Count, MAX_WAIT_SECONDS};
use crate::time::Timestamp;

/// How many may be wrong before the waits begin.
pub(super) struct Limit {
    /// Of whom, or from where.
    pub key: String,
    pub free: u32,
}

/// Refuses a try that comes too early after too many wrong ones; returns whether there were any.
pub(super) async fn check(access: &Access, limits: &[Limit]) -> Result<bool> {
    let mut sql = Sql::new("SELECT key, times, last_ms FROM throttles WHERE ");
    sql.push_sql(Sql::is_in("key", limits.iter().map(|limit| limit.key.as_str())));
    let counts: Vec<(String, i64, Timestamp)> = Query::from(sql).fetch_all(&access.db).await?;
    let (now, are_any) = (access.clock.now(), !counts.is_empty());
    let waits = counts.into_iter().filter_map(|(key, times, last)| {
        let limit = limits.iter().find(|limit| limit.key == key)?;
        let times = u32::try_from(times).unwrap_or(u32::MAX);
        Count { times, last }.early_seconds(limit.free, now)
    });
    match waits.max() {
        Some(seconds) => Err(Error::TooOften { what: "Too many wrong passwords", seconds }),
        None => Ok(are_any),
    }
}

/// Counts a wrong one. What was quiet for long is forgotten.
pub(super) async fn count(db: &Db, limits: &[Limit], now: Timestamp) -> Result<()> {
    let forgotten = now.plus_seconds(-MAX_WAIT_SECONDS);
    let mut tx = db.begin().await?;
    // In one order, so that nobody waits for who waits for them.
    let mut keys: Vec<&str> = limits.iter().map(|limit| limit.key.as_str()).collect();
    keys.sort_unstable();
    for key in keys {
        query(
            "INSERT INTO throttles (key, times, last_ms) VALUES ($1, 1, $2)
             ON CONFLICT (key) DO UPDATE SET last_ms = excluded.last_ms,
                 times = CASE WHEN throttles.last_ms < $3 THEN 1 ELSE throttles.times + 1 END",
        )
        .bind(key)
        .bind(now)
        .bind(forgotten)
        .execute(&mut tx)
        .await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Forgets the wrong ones by a key: the right one came.
pub(super) async fn forget(db: &Db, key: &str) -> Result<()> {
    query("DELETE FROM throttles WHERE key = $1").bind(key).alone(db).await?;
    Ok(())
}

/// Removes what is forgotten anyway.
pub async fn purge(db: &Db, now: Timestamp) -> Result<()> {
    query("DELETE FROM throttles WHERE last_ms < $1")
        .bind(now.plus_seconds(-MAX_WAIT_SECONDS))
        .alone(db)
        .await?;
    Ok(())
}

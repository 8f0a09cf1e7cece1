//! The sweep: garbage collection of blobs that no file points at.
//!
//! Nothing goes at once, because a registry may be started with the wrong database or with an old copy of its own,
//! and then everything newer looks unused. A blob goes when every sweep of [`GRACE_SECONDS`] saw it unused, and these
//! were not few: the clock may have jumped, or the server have stood still. One sweep removes a tenth of all blobs at most;
//! and none removes any where the database is not to be believed.

use futures_util::TryStreamExt;

use crate::app::App;
use crate::db::{Db, Query, Sql, query};
use crate::error::Result;
use crate::store::{Seen, Unused};

/// How long a blob stays after it was first seen unused.
const GRACE_SECONDS: i64 = 7 * 24 * 3600;
/// In how many sweeps it must have been seen so: one is made at each start, and one an hour.
const MIN_SWEEPS: u32 = 24;
/// One sweep removes a tenth of all blobs at most, or so many where that is more.
const AT_LEAST: usize = 100;
/// How many blobs go while uploads wait for their rows.
const BATCH: usize = 500;

/// Looks which blobs are unused, and removes those that have been for long. Returns how many went.
pub async fn sweep(app: &App) -> Result<usize> {
    let _alone = app.store.sweeping().await;
    let now = app.clock.now();
    let before = app.store.unused().await?;
    let (mut unused, mut total) = (Unused::new(), 0);
    let mut stored = std::pin::pin!(app.store.all());
    while let Some(chunk) = stored.try_next().await? {
        total += chunk.len();
        for sha256 in without_file(&app.db, chunk).await? {
            let seen = before.get(&sha256).copied();
            let Seen { since_ms, sweeps } =
                seen.unwrap_or(Seen { since_ms: now.millis(), sweeps: 0 });
            unused.insert(sha256, Seen { since_ms, sweeps: sweeps.saturating_add(1) });
        }
    }
    let before_ms = now.plus_seconds(-GRACE_SECONDS).millis();
    let is_old = |seen: &Seen| seen.since_ms <= before_ms && seen.sweeps > MIN_SWEEPS;
    let old = unused.iter().filter(|(_, seen)| is_old(seen));
    let mut old: Vec<_> = old.map(|(sha256, seen)| (seen.since_ms, sha256.clone())).collect();
    old.sort();
    old.truncate(AT_LEAST.max(total / 10));
    if !old.is_empty() && !is_believed(&app.db).await? {
        tracing::warn!(
            blobs = old.len(),
            "nothing is removed: the database has no versions, or its own check fails. Is it the right one?"
        );
        old.clear();
    }
    let old: Vec<String> = old.into_iter().map(|(_, sha256)| sha256).collect();
    // Forgotten first: what is uploaded again after it went is new.
    for sha256 in &old {
        unused.remove(sha256);
    }
    app.store.remember_unused(&unused).await?;
    let mut removed = 0;
    for batch in old.chunks(BATCH) {
        removed += app.store.remove(|| forget(&app.db, batch)).await?;
    }
    Ok(removed)
}

/// Whether what the database says of files can be taken for the truth: it has versions, and is not damaged.
async fn is_believed(db: &Db) -> Result<bool> {
    let version: Option<(String,)> =
        query("SELECT id FROM model_versions LIMIT 1").fetch_optional(db).await?;
    Ok(version.is_some() && db.is_sound().await?)
}

/// Which of some blobs no file points at.
async fn without_file(db: &Db, mut stored: Vec<String>) -> Result<Vec<String>> {
    let mut sql = Sql::new("SELECT DISTINCT sha256 FROM files WHERE ");
    sql.push_sql(Sql::is_in("sha256", &stored));
    let rows: Vec<(String,)> = Query::from(sql).fetch_all(db).await?;
    let used: std::collections::HashSet<String> =
        rows.into_iter().map(|(sha256,)| sha256).collect();
    stored.retain(|sha256| !used.contains(sha256));
    Ok(stored)
}

/// Removes the rows of some blobs, and returns those that no file points at still.
async fn forget(db: &Db, blobs: &[String]) -> Result<Vec<String>> {
    let mut tx = db.begin().await?;
    let mut sql = Sql::new("DELETE FROM blobs WHERE ");
    sql.push_sql(Sql::is_in("sha256", blobs));
    sql.push(" AND NOT EXISTS (SELECT 1 FROM files f WHERE f.sha256 = blobs.sha256)");
    Query::from(sql).execute(&mut tx).await?;
    tx.commit().await?;
    without_file(db, blobs.to_vec()).await
}

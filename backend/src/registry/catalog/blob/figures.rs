//! What there is of all that is stored, in numbers, and what the next sweeps and the scrub have to do.
//!
//! Counting reads whole tables. So it is done once a minute at most, however many ask, by statements that nobody waits for;
//! what took long is kept for twenty times as long.

use std::time::Duration;

use super::sweep::{DAY_SECONDS, OLD_KEY_SECONDS};
use super::{unused, useless};
use crate::app::App;
use crate::cache::{Amount, Figures};
use crate::db::{Db, query};
use crate::error::Result;
use crate::time::Timestamp;

/// How long an answer waits for counting.
const PATIENCE: Duration = Duration::from_secs(2);

/// What was counted last; none where that takes long, and was never done.
pub async fn figures(app: &App) -> Result<Option<Figures>> {
    let keep_seconds = i64::from(app.config.keep.days) * DAY_SECONDS;
    let (db, now) = (app.db.patient(), app.clock.now());
    app.figures.get(&app.clock, PATIENCE, || count(db, now, keep_seconds)).await
}

/// How many there are, how large they are, since when, and when the first of them goes.
type Waiting = (i64, i64, Option<Timestamp>, Option<Timestamp>);

async fn count(db: Db, now: Timestamp, keep_seconds: i64) -> Result<Figures> {
    let stored: Vec<(String, i64, i64)> = query(
        "SELECT storage, COUNT(*), CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM copies
         WHERE state = 'READY' GROUP BY storage",
    )
    .fetch_all(&db)
    .await?;
    let unused: Waiting = query(concat!(
        "SELECT COUNT(*), CAST(COALESCE(SUM(b.size), 0) AS BIGINT), MIN(b.unused_since_ms),
                MIN(b.unused_since_ms + CAST($1 AS BIGINT))
         FROM blobs b WHERE ",
        unused!()
    ))
    .bind(keep_seconds * 1000)
    .fetch_one(&db)
    .await?;
    // A key that ends with the hash does not say when it was given.
    let useless: Waiting = query(concat!(
        "SELECT COUNT(*), CAST(COALESCE(SUM(c.size), 0) AS BIGINT), MIN(c.since_ms),
                MIN(c.since_ms + CASE WHEN c.key LIKE '%/' || c.sha256 THEN CAST($2 AS BIGINT)
                                      ELSE CAST($1 AS BIGINT) END)
         FROM copies c WHERE ",
        useless!()
    ))
    .bind(keep_seconds * 1000)
    .bind(keep_seconds.max(OLD_KEY_SECONDS) * 1000)
    .fetch_one(&db)
    .await?;
    let (unchecked,): (i64,) = query(
        "SELECT COUNT(*) FROM copies WHERE state IN ('READY', 'SUSPECT', 'LOST') AND checked_at_ms = 0",
    )
    .fetch_one(&db)
    .await?;
    let amount = |count, bytes| Amount { count, bytes };
    Ok(Figures {
        counted_at: now,
        stored: stored.into_iter().map(|(name, n, bytes)| (name, amount(n, bytes))).collect(),
        unused: (amount(unused.0, unused.1), unused.2),
        useless: (amount(useless.0, useless.1), useless.2),
        first_goes_at: unused.3.into_iter().chain(useless.3).min(),
        unchecked,
    })
}

/// Until when nothing is removed.
pub async fn paused_until(db: &Db) -> Result<Timestamp> {
    let paused = query("SELECT sweep_not_before_ms FROM registry");
    Ok(paused.fetch_one::<(Timestamp,)>(db).await?.0)
}

/// When the copy was compared with its hash that was so longest ago, and when the last one was: of those that ever were.
pub async fn checked(db: &Db) -> Result<(Option<Timestamp>, Option<Timestamp>)> {
    // Each by itself is one step in an index.
    let checked = query(
        "SELECT (SELECT MIN(checked_at_ms) FROM copies
                 WHERE state IN ('READY', 'SUSPECT', 'LOST') AND checked_at_ms > 0),
                (SELECT MAX(checked_at_ms) FROM copies
                 WHERE state IN ('READY', 'SUSPECT', 'LOST') AND checked_at_ms > 0)",
    );
    Ok(checked.fetch_one(db).await?)
}

//! A write buffer of metric points: those that were logged and are not in their histories yet.
//!
//! A history is kept by metric, step and time, so that a curve is read from one place; a batch of a hundred metrics
//! changes a hundred places. So points are appended as they come, and moved when somebody reads a history or else
//! little by little. Whoever reads histories flushes them first: nobody sees that points wait.

use std::borrow::Cow;
use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::time::{Instant, sleep};

use super::{MetricValue, Row, insert_into};
use crate::db::{Db, Query, Sql, Tx, Value, query};
use crate::error::{Error, Result};
use crate::loader::Loaders;
use crate::registry::metadata::metric::pending_points;
use crate::registry::metadata::tag::MAX_ROWS;
use crate::time::Timestamp;

/// How many points of a candidate may wait, besides those that are logged at the same time: who reads them first
/// waits for some seconds.
pub const MAX_PENDING: i64 = 1 << 20;

/// From how many on they are moved before anything else that waits.
const MANY: i64 = 8192;

/// How many are moved at once. It takes some 5 ms, which others wait for.
const PIECE: i64 = 2048;

/// How many times as long nothing is moved as something is, unless it is read.
const REST: u32 = 9;

/// A point as JSON has it: name, step, time, and the bits of the value, since NaN is no number there.
type PendingPoint<'a> = (Cow<'a, str>, i64, i64, i64);

/// Lets points wait for [`flush`]; the caller has the candidate locked. The `total` of what waits goes up with each
/// point, until nothing does.
pub(super) async fn append(tx: &mut Tx, owner_id: &str, rows: &[Row]) -> Result<()> {
    let points = rows.iter().map(|row| -> PendingPoint<'_> {
        let bits = row.value.0.to_bits().cast_signed();
        (row.name.as_str().into(), row.step, row.timestamp.millis(), bits)
    });
    let points = serde_json::to_string(&points.collect::<Vec<_>>()).map_err(Error::internal)?;
    let mut sql =
        Sql::new("INSERT INTO logged_points (owner_id, total, points) SELECT ?").bind(owner_id);
    sql.push(", COALESCE(MAX(total), 0) + ").push_value(rows.len() as i64);
    sql.push(", ").push_value(points);
    sql.push(" FROM logged_points WHERE owner_id = ").push_value(owner_id);
    Ok(Query::from(sql).later(tx).await?)
}

/// Moves points that wait to their histories: the first of them, and none that were logged after the one with this
/// `total`. Gives the last that was moved, if any was. A point that is there already is kept once.
pub async fn flush(tx: &mut Tx, owner_id: &str, total: i64) -> Result<Option<i64>> {
    // First of all: where two do it at once, the second waits here and finds nothing. One bound, as SQLite looks
    // no further than the first that it meets.
    let pending: Vec<(i64, String)> = query(
        "DELETE FROM logged_points WHERE owner_id = $1 AND total <=
             (SELECT CASE WHEN $2 < MIN(f.total) + $3 THEN $2 ELSE MIN(f.total) + $3 END
              FROM logged_points f WHERE f.owner_id = $1)
         RETURNING total, points",
    )
    .bind(owner_id)
    .bind(total)
    .bind(PIECE)
    .fetch_all(&mut *tx)
    .await?;
    let mut rows = Vec::new();
    for (_, points) in &pending {
        let points: Vec<PendingPoint<'_>> =
            serde_json::from_str(points).map_err(Error::internal)?;
        rows.extend(points.into_iter().map(|(name, step, timestamp, bits)| Row {
            name: name.into_owned(),
            step,
            timestamp: Timestamp::from_millis(timestamp),
            value: MetricValue(f64::from_bits(bits.cast_unsigned())),
        }));
    }
    rows.sort_by(|a, b| (&a.name, a.place()).cmp(&(&b.name, b.place())));
    for rows in rows.chunks(MAX_ROWS) {
        let mut sql = insert_into("metric_points", owner_id, rows.iter());
        sql.push(" ON CONFLICT (owner_id, name, step, timestamp_ms, value_order) DO NOTHING");
        Query::from(sql).later(tx).await?;
    }
    Ok(pending.iter().map(|(total, _)| *total).max())
}

/// Moves a piece by itself.
async fn flush_piece(db: &Db, owner_id: &str, total: i64) -> Result<Option<i64>> {
    let mut tx = db.begin().await?;
    let moved = flush(&mut tx, owner_id, total).await?;
    tx.commit().await?;
    Ok(moved)
}

/// Moves all that wait of the candidates whose histories are about to be read.
pub async fn flush_pending<V: Into<Value>>(
    db: &Db,
    candidate_ids: impl IntoIterator<Item = V>,
) -> Result<()> {
    let mut sql = Sql::new(
        "SELECT c.id, (SELECT MAX(p.total) FROM logged_points p WHERE p.owner_id = c.id) FROM candidates c
         WHERE EXISTS (SELECT 1 FROM logged_points p WHERE p.owner_id = c.id) AND ",
    );
    sql.push_sql(Sql::is_in("c.id", candidate_ids));
    let pending: Vec<(String, i64)> = Query::from(sql).fetch_all(db).await?;
    // A few at once, which SQLite makes durable together, and not so many that nobody else gets a slot.
    let flushed = stream::iter(pending)
        .map(|(owner_id, total)| async move { flush_until(db, &owner_id, total).await });
    flushed.buffer_unordered(4).try_collect().await
}

/// Moves what waits of a candidate until the point with this `total` is moved.
async fn flush_until(db: &Db, owner_id: &str, total: i64) -> Result<()> {
    let mut last = 0;
    loop {
        match flush_piece(db, owner_id, total).await? {
            Some(moved) if moved < total && moved > last => last = moved,
            // That was the last one, or nothing waited in between and totals began anew.
            Some(_) => return Ok(()),
            // Somebody else moved what there was, but perhaps not all.
            None if is_pending(db, owner_id, total).await? => {}
            None => return Ok(()),
        }
    }
}

/// Whether points of a candidate wait that were logged no later than the one with this `total`.
async fn is_pending(db: &Db, owner_id: &str, total: i64) -> Result<bool> {
    let (waits,): (bool,) =
        query("SELECT EXISTS (SELECT 1 FROM logged_points WHERE owner_id = $1 AND total <= $2)")
            .bind(owner_id)
            .bind(total)
            .fetch_one(db)
            .await?;
    Ok(waits)
}

/// Moves a piece of whatever waits, and then pieces of the candidates of which many wait until there are none; in
/// between others have most of the time.
pub async fn compact_step(db: &Db) -> Result<()> {
    // All at first: what nobody reads would wait for ever, and be looked at each time.
    let mut many = -1;
    loop {
        // One row of the index for each candidate, however many of its rows wait.
        let crowded: Vec<(String,)> = query(concat!(
            "WITH RECURSIVE owners (id) AS (
                 SELECT MIN(owner_id) FROM logged_points
                 UNION ALL
                 SELECT (SELECT MIN(p.owner_id) FROM logged_points p WHERE p.owner_id > owners.id)
                 FROM owners WHERE owners.id IS NOT NULL)
             SELECT id FROM owners WHERE id IS NOT NULL AND ",
            pending_points!("owners.id"),
            " > $1"
        ))
        .bind(many)
        .fetch_all(db)
        .await?;
        if crowded.is_empty() {
            return Ok(());
        }
        for (owner_id,) in crowded {
            let started = Instant::now();
            flush_piece(db, &owner_id, i64::MAX).await?;
            sleep(started.elapsed() * REST).await;
        }
        many = MANY;
    }
}

/// A candidate whose history is about to be read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Flushed(pub String);

impl Loader<Flushed> for Loaders {
    type Value = ();
    type Error = Error;

    async fn load(&self, keys: &[Flushed]) -> Result<HashMap<Flushed, ()>> {
        flush_pending(&self.app.db, keys.iter().map(|key| key.0.as_str())).await?;
        Ok(keys.iter().map(|key| (key.clone(), ())).collect())
    }
}

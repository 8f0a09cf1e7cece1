//! Points that were logged and are not in their histories yet.
//!
//! A history is kept by metric, step and time, so that a curve is read from one place; a batch of a hundred metrics
//! changes a hundred places. So points are appended as they come, and moved when somebody reads a history or,
//! little by little, when many wait. Whoever reads histories settles them first: nobody sees that points wait.

use std::borrow::Cow;
use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use super::{MetricValue, Row, insert_into, waiting};
use crate::db::{Db, Query, Sql, Tx, Value, query};
use crate::error::{Error, Result};
use crate::loader::Loaders;
use crate::registry::tag::MAX_ROWS;
use crate::time::Timestamp;

/// How many points of a candidate may wait, besides those that are logged at the same time: who reads them first
/// waits for some seconds.
pub const MAX_WAITING: i64 = 1 << 20;
/// From how many on they are moved before somebody reads them.
const MANY: i64 = 8192;
/// How many are moved at once. It takes some 5 ms, which others wait for.
const PIECE: i64 = 2048;
/// How many times as long nothing is moved as something is, unless it is read.
const REST: u32 = 9;

/// A point as JSON has it: name, step, time, and the bits of the value, since NaN is no number there.
type Logged<'a> = (Cow<'a, str>, i64, i64, i64);

/// Lets points wait for [`settle`]; the caller has the candidate locked. The `total` of what waits goes up with each
/// point, until nothing does.
pub async fn append(tx: &mut Tx, owner_id: &str, rows: &[Row]) -> Result<()> {
    let logged = rows.iter().map(|row| -> Logged<'_> {
        let bits = row.value.0.to_bits().cast_signed();
        (row.name.as_str().into(), row.step, row.timestamp.millis(), bits)
    });
    let points = serde_json::to_string(&logged.collect::<Vec<_>>()).map_err(Error::internal)?;
    let mut sql =
        Sql::new("INSERT INTO logged_points (owner_id, total, points) SELECT ?").bind(owner_id);
    sql.push(", COALESCE(MAX(total), 0) + ").push_value(rows.len() as i64);
    sql.push(", ").push_value(points);
    sql.push(" FROM logged_points WHERE owner_id = ").push_value(owner_id);
    Ok(Query::from(sql).later(tx).await?)
}

/// Moves points that wait to their histories: the first of them, and none that were logged after the one with this
/// `total`. A point that is there already is kept once.
pub async fn settle(tx: &mut Tx, owner_id: &str, total: i64) -> Result<()> {
    // First of all: where two do it at once, the second waits here and finds nothing.
    let waiting: Vec<(String,)> = query(
        "DELETE FROM logged_points WHERE owner_id = $1 AND total <= $2
             AND total < $3 + (SELECT MIN(first.total) FROM logged_points first WHERE first.owner_id = $1)
         RETURNING points",
    )
    .bind(owner_id)
    .bind(total)
    .bind(PIECE)
    .fetch_all(&mut *tx)
    .await?;
    let mut rows = Vec::new();
    for (points,) in &waiting {
        let points: Vec<Logged<'_>> = serde_json::from_str(points).map_err(Error::internal)?;
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
    Ok(())
}

/// Moves a piece by itself.
async fn settle_piece(db: &Db, owner_id: &str, total: i64) -> Result<()> {
    let mut tx = db.begin().await?;
    settle(&mut tx, owner_id, total).await?;
    Ok(tx.commit().await?)
}

/// Moves all that wait of the candidates whose histories are about to be read.
pub async fn settle_all<V: Into<Value>>(
    db: &Db,
    candidate_ids: impl IntoIterator<Item = V>,
) -> Result<()> {
    let mut sql = Sql::new(
        "SELECT c.id, (SELECT MAX(p.total) FROM logged_points p WHERE p.owner_id = c.id) FROM candidates c
         WHERE EXISTS (SELECT 1 FROM logged_points p WHERE p.owner_id = c.id) AND ",
    );
    sql.push_sql(Sql::is_in("c.id", candidate_ids));
    let waiting: Vec<(String, i64)> = Query::from(sql).fetch_all(db).await?;
    // At once, which SQLite makes durable together; and each piece to its end, whoever gives up waiting.
    let settled = waiting.into_iter().map(|(owner_id, total)| {
        let db = db.clone();
        tokio::spawn(async move {
            while is_waiting(&db, &owner_id, total).await? {
                settle_piece(&db, &owner_id, total).await?;
            }
            Ok::<_, Error>(())
        })
    });
    for settled in join_all(settled).await {
        settled.map_err(Error::internal)??;
    }
    Ok(())
}

/// Whether points of a candidate wait that were logged no later than the one with this `total`.
async fn is_waiting(db: &Db, owner_id: &str, total: i64) -> Result<bool> {
    let (waits,): (bool,) =
        query("SELECT EXISTS (SELECT 1 FROM logged_points WHERE owner_id = $1 AND total <= $2)")
            .bind(owner_id)
            .bind(total)
            .fetch_one(db)
            .await?;
    Ok(waits)
}

/// Moves points of the candidates of which many wait, a piece of each in turn, until there are none; in between
/// others have most of the time.
pub async fn settle_many(db: &Db) -> Result<()> {
    loop {
        // One row of the index for each candidate, however many of its rows wait.
        let crowded: Vec<(String,)> = query(concat!(
            "WITH RECURSIVE owners (id) AS (
                 SELECT MIN(owner_id) FROM logged_points
                 UNION ALL
                 SELECT (SELECT MIN(p.owner_id) FROM logged_points p WHERE p.owner_id > owners.id)
                 FROM owners WHERE owners.id IS NOT NULL)
             SELECT id FROM owners WHERE id IS NOT NULL AND ",
            waiting!("owners.id"),
            " > $1"
        ))
        .bind(MANY)
        .fetch_all(db)
        .await?;
        if crowded.is_empty() {
            return Ok(());
        }
        for (owner_id,) in crowded {
            let started = Instant::now();
            settle_piece(db, &owner_id, i64::MAX).await?;
            sleep(started.elapsed() * REST).await;
        }
    }
}

/// A candidate whose history is about to be read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Settled(pub String);

impl Loader<Settled> for Loaders {
    type Value = ();
    type Error = Error;

    async fn load(&self, keys: &[Settled]) -> Result<HashMap<Settled, ()>> {
        settle_all(&self.app.db, keys.iter().map(|key| key.0.as_str())).await?;
        Ok(keys.iter().map(|key| (key.clone(), ())).collect())
    }
}

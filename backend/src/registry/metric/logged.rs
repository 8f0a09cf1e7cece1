//! Points that were logged and are not in their histories yet.
//!
//! A history is kept by metric, step and time, so that a curve is read from one place; a batch of a hundred metrics
//! changes a hundred places. So points are appended as they come, and moved when somebody reads a history or when many
//! wait. Whoever reads histories settles them first: nobody sees that points wait.

use std::borrow::Cow;
use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use futures_util::future::join_all;

use super::{MetricValue, Row, insert_into};
use crate::db::{Db, Query, Sql, Tx, Value, query};
use crate::error::{Error, Result};
use crate::loader::Loaders;
use crate::registry::tag::MAX_ROWS;
use crate::time::Timestamp;

/// How many points of a candidate may wait, besides those that are logged at the same time. Moving so many takes some
/// 20 ms.
pub const MAX_WAITING: i64 = 8192;

/// A point as JSON has it: name, step, time, and the bits of the value, since NaN is no number there.
type Logged<'a> = (Cow<'a, str>, i64, i64, i64);

/// Lets points wait for [`settle`]; the caller has the candidate locked.
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

/// Moves the points that wait to their histories. A point that is there already is kept once.
pub async fn settle(tx: &mut Tx, owner_id: &str) -> Result<()> {
    // First of all: where two do it at once, the second waits here and finds nothing.
    let waiting: Vec<(String,)> =
        query("DELETE FROM logged_points WHERE owner_id = $1 RETURNING points")
            .bind(owner_id)
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
        Query::from(sql).execute(tx).await?;
    }
    Ok(())
}

/// As [`settle`], of all candidates whose histories are about to be read.
pub async fn settle_all<V: Into<Value>>(
    db: &Db,
    candidate_ids: impl IntoIterator<Item = V>,
) -> Result<()> {
    let mut sql = Sql::new("SELECT DISTINCT owner_id FROM logged_points WHERE ");
    sql.push_sql(Sql::is_in("owner_id", candidate_ids));
    let waiting: Vec<(String,)> = Query::from(sql).fetch_all(db).await?;
    // At once, which SQLite makes durable together; and each to its end, whoever gives up waiting.
    let settled = waiting.into_iter().map(|(owner_id,)| {
        let db = db.clone();
        tokio::spawn(async move {
            let mut tx = db.begin().await?;
            settle(&mut tx, &owner_id).await?;
            Ok::<_, Error>(tx.commit().await?)
        })
    });
    for settled in join_all(settled).await {
        settled.map_err(Error::internal)??;
    }
    Ok(())
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

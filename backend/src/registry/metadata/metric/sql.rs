//! Metrics and their histories, as they are read.

use std::sync::Arc;

use std::ops::RangeInclusive;

use async_graphql::Context;

use super::{Metric, MetricPoint};
use crate::db::{Db, Query, Sql, query};
use crate::error::Result;
use crate::loader::{load_by_owner, loaders};
use crate::page::{List, OrderDirection, Sort, SortKey};
use crate::text;

/// The last points of a candidate or version, by name.
pub async fn load(ctx: &Context<'_>, owner_id: &str) -> Result<Arc<Vec<Metric>>> {
    Ok(loaders(ctx).load_one(MetricsOf(owner_id.to_owned())).await?.unwrap_or_default())
}

load_by_owner!(
    /// The last point of each metric of a candidate or version.
    MetricsOf => Metric,
    "SELECT owner_id, name, value, step, timestamp_ms FROM metrics WHERE ",
    "owner_id",
    " ORDER BY owner_id, name"
);

/// The name of a metric.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct MetricName {
    name: String,
}

load_by_owner!(
    /// The metrics of a candidate of which there is another point than the last.
    CurvesOf => MetricName,
    "SELECT m.owner_id, m.name FROM metrics m WHERE EXISTS (
         SELECT 1 FROM metric_points p WHERE p.owner_id = m.owner_id AND p.name = m.name
         AND (p.step <> m.step OR p.timestamp_ms <> m.timestamp_ms OR p.value_order <> m.value_order)) AND ",
    "m.owner_id",
    " ORDER BY m.owner_id, m.name"
);

/// The names of the metrics of a candidate that have more than one point.
pub async fn load_curves(ctx: &Context<'_>, candidate_id: &str) -> Result<Vec<String>> {
    let names = loaders(ctx).load_one(CurvesOf(candidate_id.to_owned())).await?;
    Ok(names.iter().flat_map(|names| names.iter()).map(|name| name.name.clone()).collect())
}

/// Every point of one metric of a candidate, by step and time.
pub fn history(name: &str) -> List {
    points(name, ["step", "timestamp_ms"])
}

/// Every point of one metric of a candidate, by time and step.
pub fn history_by_time(name: &str) -> List {
    points(name, ["timestamp_ms", "step"])
}

/// The points of a metric, sorted as one of the two indexes on them is.
fn points(name: &str, by: [&str; 2]) -> List {
    let keys = [by[0], by[1], "value_order"].map(|key| SortKey::int(key, OrderDirection::Asc));
    List {
        columns: "value, step, timestamp_ms",
        from: "metric_points",
        parent: Some("owner_id"),
        filter: Sql::new("name = ?").bind(text::looked_up(name)),
        // The keys tell all points apart already.
        sort: Sort::by(keys.to_vec(), "name"),
    }
}

/// A point and whose it is.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct PointOf {
    pub owner_id: String,
    #[sqlx(flatten)]
    pub point: MetricPoint,
}

/// The first points of one metric of some candidates, at most so many: by candidate, time and step.
pub async fn first_points(
    db: &Db,
    candidate_ids: &[String],
    name: &str,
    most: i64,
) -> Result<Vec<PointOf>> {
    let mut sql =
        Sql::new("SELECT owner_id, value, step, timestamp_ms FROM metric_points WHERE name = ?")
            .bind(text::looked_up(name))
            .and(Sql::is_in("owner_id", candidate_ids));
    sql.push(" ORDER BY owner_id, timestamp_ms, step, value_order").push_limit(most);
    Ok(Query::from(sql).fetch_all(db).await?)
}

/// Which points of a long history are enough.
pub struct Sample {
    pub steps: RangeInclusive<i64>,
    /// At least one.
    pub most: usize,
}

/// A part of the history of one metric of a candidate, by step and time: points at even distances, and the
/// last one.
pub async fn sample(
    db: &Db,
    candidate_id: &str,
    name: &str,
    Sample { steps, most }: &Sample,
) -> Result<Vec<MetricPoint>> {
    let mut points: Vec<MetricPoint> = query(
        "WITH points AS (
             SELECT value, step, timestamp_ms, ROW_NUMBER() OVER by_step AS place,
                    NTILE(CAST($5 AS INTEGER)) OVER by_step AS bucket
             FROM metric_points
             WHERE owner_id = $1 AND name = $2 AND step BETWEEN $3 AND $4
             WINDOW by_step AS (ORDER BY step, timestamp_ms, value_order))
         SELECT value, step, timestamp_ms FROM points
         WHERE place IN (SELECT MIN(place) FROM points GROUP BY bucket)
            OR place = (SELECT MAX(place) FROM points)
         ORDER BY place",
    )
    .bind(candidate_id)
    .bind(text::looked_up(name))
    .bind(*steps.start())
    .bind(*steps.end())
    .bind(i64::try_from(*most).unwrap_or(i64::MAX))
    .fetch_all(db)
    .await?;
    // The last point takes the place of the one before where there is one too many.
    if points.len() > *most {
        points.remove(most - 1);
    }
    Ok(points)
}

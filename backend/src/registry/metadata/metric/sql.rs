//! Metrics and their histories, as they are read.

use std::sync::Arc;

use std::ops::RangeInclusive;

use async_graphql::Context;

use super::{Metric, MetricPoint};
use crate::db::{Db, Query, Sql};
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

/// Which points of long histories are enough.
pub struct Sample {
    pub steps: RangeInclusive<i64>,
    /// Of how many steps, at least one; the first and last of each candidate come on top.
    pub most: i64,
}

/// How many points of one candidate a sample has at most, where many share their steps.
const MAX_SAMPLED: i64 = 2500;

/// Parts of the histories of one metric of some candidates, by candidate, step and time: all points of the same steps
/// of each, which are at even distances among all steps that any of them has, as in MLflow 3.12. Where that is too
/// much, points at even distances.
pub async fn sample(
    db: &Db,
    candidate_ids: &[String],
    name: &str,
    Sample { steps, most }: &Sample,
) -> Result<Vec<PointOf>> {
    let mut sql = Sql::new(
        "WITH points AS (
             SELECT owner_id, value, step, timestamp_ms, value_order FROM metric_points WHERE name = ?",
    )
    .bind(text::looked_up(name))
    .and(Sql::is_in("owner_id", candidate_ids))
    .and(Sql::new("step BETWEEN ? AND ?").bind(*steps.start()).bind(*steps.end()));
    // Of the steps that is at place ⌊k · total / most⌋, for each k below most.
    sql.push(
        "), steps AS (
             SELECT step, ROW_NUMBER() OVER (ORDER BY step) - 1 AS place, COUNT(*) OVER () AS total
             FROM (SELECT DISTINCT step FROM points) once),
         wanted AS (SELECT CAST(",
    );
    sql.push_value(*most).push(
        " AS BIGINT) AS most),
         chosen AS (
             SELECT step FROM steps CROSS JOIN wanted
             WHERE total <= most OR place = total - 1
                OR ((place * most + total - 1) / total < most
                    AND (place * most + total - 1) / total * total / most = place)
             UNION SELECT MIN(step) FROM points GROUP BY owner_id
             UNION SELECT MAX(step) FROM points GROUP BY owner_id),
         placed AS (
             SELECT owner_id, value, step, timestamp_ms, ROW_NUMBER() OVER by_step AS place,
                    COUNT(*) OVER (PARTITION BY owner_id) AS total
             FROM points WHERE step IN (SELECT step FROM chosen)
             WINDOW by_step AS (PARTITION BY owner_id ORDER BY step, timestamp_ms, value_order)),
         bound AS (SELECT CAST(",
    );
    sql.push_value(MAX_SAMPLED).push(
        " AS BIGINT) AS most)
         SELECT owner_id, value, step, timestamp_ms FROM placed CROSS JOIN bound
         WHERE total <= most OR place IN (1, total)
            OR (place - 1) * most / total > (place - 2) * most / total
         ORDER BY owner_id, place",
    );
    Ok(Query::from(sql).fetch_all(db).await?)
}

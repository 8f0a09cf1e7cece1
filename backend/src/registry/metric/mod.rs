//! Metrics: what a training run measured. Every point is kept: value, step, time; NaN and infinities too.

mod direction;
mod logged;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use async_graphql::{
    ComplexObject, Context, InputObject, InputValueError, InputValueResult, Number, Scalar,
    ScalarType, SimpleObject, Value,
};

use crate::change::Change;
use crate::connection::{Connection, Node};
use crate::db::{Db, Query, Sql, Unmet, query};
use crate::error::Result;
use crate::loader::{load_by_owner, loaders};
use crate::long::Long;
use crate::page::{List, OrderDirection, Page, Sort, SortKey};
use crate::registry::tag::{MAX_ENTRIES, MAX_ROWS, check_count};
use crate::text;
use crate::time::Timestamp;

pub use direction::{conditions, lower_is_better};
use logged::Settled;
pub use logged::{settle_all, settle_many};

/// A 64-bit float: a JSON number, or one of the strings `"NaN"`, `"Infinity"` and `"-Infinity"`.
#[derive(Clone, Copy, Debug)]
pub struct MetricValue(pub f64);

/// A 64-bit float: a JSON number, or one of the strings `"NaN"`, `"Infinity"` and `"-Infinity"`.
#[Scalar]
impl ScalarType for MetricValue {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::Number(number) => {
                number.as_f64().map(Self).ok_or(InputValueError::expected_type(value))
            }
            Value::String(text) => match text.as_str() {
                "NaN" => Ok(Self(f64::NAN)),
                "Infinity" => Ok(Self(f64::INFINITY)),
                "-Infinity" => Ok(Self(f64::NEG_INFINITY)),
                _ => Err(InputValueError::custom(
                    "is a number or one of \"NaN\", \"Infinity\", \"-Infinity\"",
                )),
            },
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        match Number::from_f64(self.0) {
            Some(number) => Value::Number(number),
            None if self.0.is_nan() => Value::String("NaN".to_owned()),
            None if self.0 > 0.0 => Value::String("Infinity".to_owned()),
            None => Value::String("-Infinity".to_owned()),
        }
    }
}

impl From<Option<f64>> for MetricValue {
    /// What the database has: NULL stands for NaN.
    fn from(value: Option<f64>) -> Self {
        Self(value.unwrap_or(f64::NAN))
    }
}

impl MetricValue {
    /// The value as the database keeps it.
    pub fn stored(self) -> Option<f64> {
        (!self.0.is_nan()).then_some(self.0)
    }

    /// An integer of the same order, with NaN above all; -0.0 counts as 0.0.
    pub fn order(self) -> i64 {
        if self.0.is_nan() {
            return i64::MAX;
        }
        let bits = (self.0 + 0.0).to_bits().cast_signed();
        bits ^ (((bits >> 63).cast_unsigned()) >> 1).cast_signed()
    }

    /// The value that has this order.
    pub fn of_order(order: i64) -> Self {
        let bits = order ^ (((order >> 63).cast_unsigned()) >> 1).cast_signed();
        Self(f64::from_bits(bits.cast_unsigned()))
    }
}

/// The last point of a metric, by step and time.
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
#[graphql(complex)]
pub struct Metric {
    /// The name, unique in its run.
    pub name: String,
    /// The value.
    #[sqlx(try_from = "Option<f64>")]
    pub value: MetricValue,
    /// The training step; 0 unless told.
    pub step: Long,
    /// When it was measured.
    #[graphql(name = "timestamp")]
    pub timestamp_ms: Timestamp,
}

#[ComplexObject]
impl Metric {
    /// Whether less is better, as its name tells; null where it does not. What a model is judged by may say otherwise,
    /// see `Model.bestMetric`.
    async fn lower_is_better(&self) -> Option<bool> {
        lower_is_better(&self.name)
    }
}

/// One point of a metric's history.
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
pub struct MetricPoint {
    /// The value.
    #[sqlx(try_from = "Option<f64>")]
    pub value: MetricValue,
    /// The training step.
    pub step: Long,
    /// When it was measured.
    #[graphql(name = "timestamp")]
    pub timestamp_ms: Timestamp,
}

impl Node for MetricPoint {
    const NAME: &'static str = "MetricPoint";
}

/// A point of a metric to log.
#[derive(Clone, InputObject)]
pub struct MetricInput {
    /// The name, 1–255 characters.
    pub name: String,
    /// The value.
    pub value: MetricValue,
    /// The training step; 0 if omitted.
    pub step: Option<Long>,
    /// When it was measured; now if omitted.
    pub timestamp: Option<Timestamp>,
}

/// A point as its row has it.
struct Row {
    name: String,
    step: i64,
    timestamp: Timestamp,
    value: MetricValue,
}

impl Row {
    /// Where it is among the points of its metric.
    fn place(&self) -> (i64, Timestamp, i64) {
        (self.step, self.timestamp, self.value.order())
    }
}

/// How many points of the candidate whose id `$owner` is wait to be moved to their histories, after the first batch
/// of them.
macro_rules! waiting {
    ($owner:literal) => {
        concat!(
            "COALESCE((SELECT MAX(total) FROM logged_points WHERE owner_id = ",
            $owner,
            ") - (SELECT MIN(total) FROM logged_points WHERE owner_id = ",
            $owner,
            "), 0)"
        )
    };
}
pub(super) use waiting;

/// How many points of a candidate wait to be moved to their histories.
pub async fn count_waiting(change: &mut Change, owner_id: &str) -> Result<i64> {
    let counted = query(concat!("SELECT ", waiting!("$1"))).bind(owner_id);
    let (waiting,): (i64,) = counted.fetch_one(&mut **change).await?;
    Ok(waiting)
}

/// Logs points to a candidate of which so many were `waiting` just now. A point that is there already is kept
/// once, so a retried request adds nothing.
pub async fn insert_all(
    change: &mut Change,
    owner_id: &str,
    waiting: i64,
    inputs: Vec<MetricInput>,
) -> Result<()> {
    if inputs.is_empty() {
        return Ok(());
    }
    check_count("metrics", inputs.len())?;
    let now = change.now;
    let rows = inputs.into_iter().enumerate().map(|(index, input)| {
        Ok(Row {
            name: text::key(format_args!("metrics[{index}].name"), input.name)?,
            step: input.step.map_or(0, |step| step.0),
            timestamp: input.timestamp.unwrap_or(now),
            value: input.value,
        })
    });
    let rows = rows.collect::<Result<Vec<_>>>()?;
    let mut last = BTreeMap::<&str, &Row>::new();
    for row in &rows {
        let kept = last.entry(&row.name).or_insert(row);
        if row.place() > kept.place() {
            *kept = row;
        }
    }
    let last: Vec<&Row> = last.into_values().collect();
    for rows in last.chunks(MAX_ROWS) {
        let mut sql = insert_into("metrics", owner_id, rows.iter().copied());
        sql.push(
            " ON CONFLICT (owner_id, name) DO UPDATE \
              SET step = excluded.step, timestamp_ms = excluded.timestamp_ms, \
                  value_order = excluded.value_order, value = excluded.value \
              WHERE (excluded.step, excluded.timestamp_ms, excluded.value_order) \
                  > (metrics.step, metrics.timestamp_ms, metrics.value_order)",
        );
        Query::from(sql).later(change).await?;
    }
    logged::append(change, owner_id, &rows).await?;
    let mut few = Sql::new("SELECT COUNT(*) FROM metrics WHERE owner_id = ");
    few.push_value(owner_id).push(" HAVING COUNT(*) <= ").push_value(MAX_ENTRIES as i64);
    let too_many = Unmet::TooMany { field: "metrics", most: MAX_ENTRIES };
    change.require(few, too_many).await?;
    if waiting + rows.len() as i64 > logged::MAX_WAITING {
        logged::settle(change, owner_id, i64::MAX).await?;
    }
    Ok(())
}

fn insert_into<'a>(table: &str, owner_id: &str, rows: impl Iterator<Item = &'a Row>) -> Sql {
    let rows = rows.map(|row| {
        let (value_order, value) = (row.value.order().into(), row.value.stored().into());
        let (name, step) = (row.name.as_str().into(), row.step.into());
        [owner_id.into(), name, step, row.timestamp.into(), value_order, value]
    });
    let columns = "owner_id, name, step, timestamp_ms, value_order, value";
    Sql::rows(format!("INSERT INTO {table} ({columns}) VALUES"), rows)
}

/// Gives a version the last points of the candidate that it was made from.
pub async fn copy(change: &mut Change, from: &str, to: &str) -> Result<()> {
    query(
        "INSERT INTO metrics (owner_id, name, step, timestamp_ms, value_order, value)
         SELECT $2, name, step, timestamp_ms, value_order, value FROM metrics WHERE owner_id = $1",
    )
    .bind(from)
    .bind(to)
    .execute(change)
    .await?;
    Ok(())
}

/// The last points of a candidate or version, by name.
pub async fn load(ctx: &Context<'_>, owner_id: &str) -> Result<Vec<Metric>> {
    Ok(loaders(ctx).load_one(MetricsOf(owner_id.to_owned())).await?.unwrap_or_default())
}

load_by_owner!(
    /// The last point of each metric of a candidate or version.
    MetricsOf => Metric,
    "SELECT owner_id, name, value, step, timestamp_ms FROM metrics WHERE ",
    "owner_id",
    " ORDER BY owner_id, name"
);

/// Every point of one metric of a candidate, by step and time.
pub async fn history(
    ctx: &Context<'_>,
    candidate_id: &str,
    name: &str,
    page: Page,
) -> Result<Connection<MetricPoint>> {
    loaders(ctx).load_one(Settled(candidate_id.to_owned())).await?;
    Ok(Connection::new(points(name, ["step", "timestamp_ms"]), page, candidate_id))
}

/// Every point of one metric of a candidate, by time and step.
pub async fn history_by_time(db: &Db, candidate_id: &str, name: &str) -> Result<List> {
    logged::settle_all(db, [candidate_id]).await?;
    Ok(points(name, ["timestamp_ms", "step"]))
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
    logged::settle_all(db, candidate_ids).await?;
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
/// last one. Its points are settled by whoever calls this.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_values_is_theirs() {
        let values = [
            f64::NEG_INFINITY,
            f64::MIN,
            -1.0,
            -f64::MIN_POSITIVE,
            0.0,
            5e-324,
            0.1,
            1.0,
            f64::MAX,
            f64::INFINITY,
            f64::NAN,
        ];
        for pair in values.windows(2) {
            assert!(MetricValue(pair[0]).order() < MetricValue(pair[1]).order(), "{pair:?}");
            assert_eq!(MetricValue::of_order(MetricValue(pair[0]).order()).0, pair[0]);
        }
        assert_eq!(MetricValue(-0.0).order(), MetricValue(0.0).order());
        assert!(MetricValue::of_order(MetricValue(f64::NAN).order()).0.is_nan());
    }
}

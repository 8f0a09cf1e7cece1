//! Curves: as many points of a metric's history as a chart can show, however long the history is.
//!
//! A long history is cut into slices of equal width, and of each the least and the greatest value are kept:
//! no spike is lost. The database finds them, slice by slice along the primary key; nothing is sorted, and
//! only what is kept leaves it.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use async_graphql::Context;
use async_graphql::dataloader::Loader;

use crate::db::{Query, Sql};
use crate::error::{Error, Result};
use crate::loader::{Loaders, Owned, loaders};
use crate::long::Long;
use crate::registry::metadata::metric::{MetricPoint, MetricValue};
use crate::text;
use crate::time::Timestamp;

const DEFAULT_POINTS: i32 = 1000;
const POINTS: RangeInclusive<i32> = 10..=5000;
/// What finding the points of a long history costs, in rows, however few are kept.
const LEAST_COST: usize = 500;
/// How many long histories one statement looks through.
const MAX_SERIES: usize = 20;

/// Which points of a curve.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Shape {
    metric: String,
    most: usize,
    steps: (i64, i64),
    /// In milliseconds.
    times: (i64, i64),
}

/// Which part of a history a curve is of: from and up to a step, and a time.
#[derive(Default)]
pub struct Part {
    pub steps: (Option<Long>, Option<Long>),
    pub times: (Option<Timestamp>, Option<Timestamp>),
}

/// The curve of a metric of a candidate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CurveOf {
    candidate_id: String,
    shape: Shape,
}

impl Shape {
    /// What is said of the time narrows what was found by step: the keys are in order of steps.
    fn at_times(&self, sql: Sql, column: &str) -> Sql {
        if self.times == (i64::MIN, i64::MAX) { sql } else { sql.and(within(column, self.times)) }
    }
}

/// What a curve costs.
pub fn cost(points: Option<i32>, point: usize) -> usize {
    let points = points.unwrap_or(DEFAULT_POINTS).clamp(*POINTS.start(), *POINTS.end());
    usize::try_from(points).unwrap_or_default().max(LEAST_COST) * point + 1
}

/// The curve of one metric of a candidate, by step and time.
pub async fn load(
    ctx: &Context<'_>,
    candidate_id: &str,
    metric: &str,
    points: Option<i32>,
    part: Part,
) -> Result<Vec<MetricPoint>> {
    let points = points.unwrap_or(DEFAULT_POINTS);
    if !POINTS.contains(&points) {
        let (least, most) = (POINTS.start(), POINTS.end());
        return Err(Error::invalid("points", format!("must be from {least} to {most}")));
    }
    let bounds =
        |from: Option<i64>, to: Option<i64>| (from.unwrap_or(i64::MIN), to.unwrap_or(i64::MAX));
    let Part { steps, times } = part;
    let shape = Shape {
        metric: text::looked_up(metric).to_owned(),
        most: usize::try_from(points).unwrap_or_default(),
        steps: bounds(steps.0.map(|step| step.0), steps.1.map(|step| step.0)),
        times: bounds(times.0.map(Timestamp::millis), times.1.map(Timestamp::millis)),
    };
    let key = CurveOf { candidate_id: candidate_id.to_owned(), shape };
    Ok(loaders(ctx).load_one(key).await?.unwrap_or_default())
}

impl Loader<CurveOf> for Loaders {
    type Value = Vec<MetricPoint>;
    type Error = Error;

    async fn load(&self, keys: &[CurveOf]) -> Result<HashMap<CurveOf, Vec<MetricPoint>>> {
        let mut by_shape = HashMap::<&Shape, Vec<&str>>::new();
        for key in keys {
            by_shape.entry(&key.shape).or_default().push(&key.candidate_id);
        }
        let mut found = HashMap::<CurveOf, Vec<MetricPoint>>::new();
        for (shape, candidates) in by_shape {
            for Owned { owner_id, row } in self.curves(shape, &candidates).await? {
                let key = CurveOf { candidate_id: owner_id, shape: shape.clone() };
                found.entry(key).or_default().push(row);
            }
        }
        for points in found.values_mut() {
            let place =
                |point: &MetricPoint| (point.step.0, point.timestamp_ms, point.value.order());
            points.sort_by_key(place);
            points.dedup_by_key(|point| place(point));
        }
        Ok(found)
    }
}

/// A history that is longer than its curve may be.
struct Series<'a> {
    candidate_id: &'a str,
    /// The only step there is, where there is one: then it is cut by time.
    step: Option<i64>,
    low: i64,
    high: i64,
}

impl Loaders {
    async fn curves(&self, shape: &Shape, candidates: &[&str]) -> Result<Vec<Owned<MetricPoint>>> {
        let db = &self.app.db;
        let ends: Vec<Ends> = Query::from(ends(shape, candidates)).fetch_all(db).await?;
        let most = i64::try_from(shape.most).unwrap_or(i64::MAX);
        let (long, short): (Vec<_>, Vec<_>) = ends.iter().partition(|ends| ends.total > most);
        let mut points = Vec::new();
        if !short.is_empty() {
            let short = short.iter().map(|ends| ends.owner_id.as_str());
            let mut sql = Sql::new(
                "SELECT owner_id, value, step, timestamp_ms FROM metric_points WHERE name = ?",
            )
            .bind(shape.metric.as_str())
            .and(Sql::is_in("owner_id", short));
            sql = sql.and(within("step", shape.steps));
            sql = shape.at_times(sql, "timestamp_ms");
            points = Query::from(sql).fetch_all(db).await?;
        }
        let series = long.iter().map(|ends| {
            points.extend(ends.points().map(Owned::from));
            ends.series()
        });
        let (by_step, by_time): (Vec<_>, Vec<_>) = series.partition(|found| found.step.is_none());
        for series in by_step.chunks(MAX_SERIES).chain(by_time.chunks(MAX_SERIES)) {
            let found: Vec<Found> = Query::from(extremes(shape, series)).fetch_all(db).await?;
            points.extend(found.into_iter().map(Owned::from));
        }
        Ok(points)
    }
}

/// The first and last point of a history, and how many there are; counted only until they are too many.
#[derive(sqlx::FromRow)]
struct Ends {
    owner_id: String,
    total: i64,
    first_step: i64,
    first_timestamp_ms: i64,
    first_value_order: i64,
    last_step: i64,
    last_timestamp_ms: i64,
    last_value_order: i64,
}

/// A point by its key.
#[derive(sqlx::FromRow)]
struct Found {
    owner_id: String,
    value_order: i64,
    step: i64,
    timestamp_ms: Timestamp,
}

impl From<Found> for Owned<MetricPoint> {
    fn from(found: Found) -> Self {
        let row = MetricPoint {
            value: MetricValue::of_order(found.value_order),
            step: Long(found.step),
            timestamp_ms: found.timestamp_ms,
        };
        Self { owner_id: found.owner_id, row }
    }
}

impl Ends {
    fn points(&self) -> [Found; 2] {
        let point = |value_order, step, timestamp_ms| Found {
            owner_id: self.owner_id.clone(),
            value_order,
            step,
            timestamp_ms: Timestamp::from_millis(timestamp_ms),
        };
        [
            point(self.first_value_order, self.first_step, self.first_timestamp_ms),
            point(self.last_value_order, self.last_step, self.last_timestamp_ms),
        ]
    }

    fn series(&self) -> Series<'_> {
        let candidate_id = self.owner_id.as_str();
        match self.first_step == self.last_step {
            true => Series {
                candidate_id,
                step: Some(self.first_step),
                low: self.first_timestamp_ms,
                high: self.last_timestamp_ms,
            },
            false => {
                Series { candidate_id, step: None, low: self.first_step, high: self.last_step }
            }
        }
    }
}

fn within(column: &str, (low, high): (i64, i64)) -> Sql {
    Sql::new(format!("{column} BETWEEN ? AND ?")).bind(low).bind(high)
}

fn ends(shape: &Shape, candidates: &[&str]) -> Sql {
    let history = |select: &str| {
        let history = Sql::new(format!(
            "{select} FROM metric_points p WHERE p.owner_id = o.id AND p.name = ?"
        ));
        let history = history.bind(shape.metric.as_str()).and(within("p.step", shape.steps));
        shape.at_times(history, "p.timestamp_ms")
    };
    let mut sql = Sql::new("SELECT * FROM (SELECT o.id AS owner_id, (SELECT COUNT(*) FROM (");
    let most = i64::try_from(shape.most).unwrap_or(i64::MAX);
    sql.push_sql(history("SELECT 1 AS one")).push_limit(most + 1);
    sql.push(") counted) AS total");
    for (end, direction) in [("first", "ASC"), ("last", "DESC")] {
        for column in ["step", "timestamp_ms", "value_order"] {
            sql.push(", (").push_sql(history(&format!("SELECT p.{column}")));
            let by = ["step", "timestamp_ms", "value_order"];
            let by = by.map(|key| format!("p.{key} {direction}")).join(", ");
            sql.push(&format!(" ORDER BY {by} LIMIT 1) AS {end}_{column}"));
        }
    }
    sql.push(" FROM objects o WHERE ").push_sql(Sql::is_in("o.id", candidates.iter().copied()));
    sql.push(") ends WHERE total > 0");
    sql
}

/// The least and greatest points of every slice of some histories, which are all cut by step or all by
/// time. What is no finite number is on no chart.
fn extremes(shape: &Shape, series: &[Series<'_>]) -> Sql {
    let by_time = series.iter().any(|found| found.step.is_some());
    let slices = i128::try_from(shape.most / 2 - 1).unwrap_or(i128::MAX);
    let mut sql = Sql::new("WITH RECURSIVE series (owner_id, step, low, high, width) AS (VALUES ");
    for (index, found) in series.iter().enumerate() {
        let span = i128::from(found.high) - i128::from(found.low);
        let width = i64::try_from(span / slices + 1).unwrap_or(i64::MAX);
        sql.push(if index == 0 { "(CAST(" } else { ", (CAST(" }).push_value(found.candidate_id);
        sql.push(" AS TEXT)");
        for number in [found.step.unwrap_or(0), found.low, found.high, width] {
            sql.push(", CAST(").push_value(number).push(" AS BIGINT)");
        }
        sql.push(")");
    }
    // No sum exceeds what a number can be: it is first seen whether there is room.
    sql.push(
        "), slices (owner_id, step, low, high, last, width) AS (
             SELECT owner_id, step, low,
                    CASE WHEN low > high - width THEN high ELSE low + width - 1 END, high, width
             FROM series
             UNION ALL
             SELECT owner_id, step, high + 1,
                    CASE WHEN high >= last - width THEN last ELSE high + width END, last, width
             FROM slices WHERE high < last),
         extremes AS MATERIALIZED (SELECT s.owner_id, s.step, s.low, s.high",
    );
    let (place, slice) = if by_time {
        ("p.timestamp_ms", "p.step = s.step AND p.timestamp_ms BETWEEN s.low AND s.high")
    } else {
        ("p.step", "p.step BETWEEN s.low AND s.high")
    };
    let points = |select: &str, which: &str| {
        let from = "FROM metric_points p WHERE p.owner_id = s.owner_id AND";
        let points = Sql::new(format!("(SELECT {select} {from} {which} AND p.name = ?"));
        shape.at_times(points.bind(shape.metric.as_str()), "p.timestamp_ms")
    };
    let finite = (MetricValue(f64::MIN).order(), MetricValue(f64::MAX).order());
    for (function, name) in [("MIN", "least"), ("MAX", "greatest")] {
        sql.push(", ").push_sql(points(&format!("{function}(p.value_order)"), slice));
        sql = sql.and(within("p.value_order", finite));
        sql.push(&format!(") AS {name}"));
    }
    // Then where each of them is first, and the rest of its key.
    sql.push(" FROM slices s), found AS MATERIALIZED (SELECT s.owner_id, s.step, s.value_order, ");
    let first = format!("{slice} AND p.value_order = s.value_order");
    sql.push_sql(points(place, &first)).push(&format!(" ORDER BY {place} LIMIT 1) AS place"));
    sql.push(
        " FROM (SELECT owner_id, step, low, high, least AS value_order FROM extremes
             UNION ALL SELECT owner_id, step, low, high, greatest FROM extremes) s
             WHERE s.value_order IS NOT NULL)
         SELECT s.owner_id, s.value_order, ",
    );
    if by_time {
        sql.push("s.step, s.place AS timestamp_ms");
    } else {
        let which = "p.step = s.place AND p.value_order = s.value_order";
        sql.push("s.place AS step, ").push_sql(points("MIN(p.timestamp_ms)", which));
        sql.push(") AS timestamp_ms");
    }
    sql.push(" FROM found s");
    sql
}

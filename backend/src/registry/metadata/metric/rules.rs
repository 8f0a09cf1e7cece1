//! The rules of metrics: points are logged, or copied with a run.

use std::collections::BTreeMap;

use super::{MetricInput, Row};
use crate::change::Change;
use crate::db::{Query, Sql, Unmet, query};
use crate::error::Result;
use crate::registry::metadata::metric::insert_into;
use crate::registry::metadata::tag::{MAX_ENTRIES, MAX_ROWS, check_count};
use crate::text;

/// Logs points to a candidate. A point that is there already is kept once, so a retried request adds nothing.
pub async fn insert_all(
    change: &mut Change,
    owner_id: &str,
    inputs: Vec<MetricInput>,
) -> Result<()> {
    if inputs.is_empty() {
        return Ok(());
    }
    check_count("metrics", inputs.len())?;
    let now = change.now;
    let rows = inputs.into_iter().enumerate().map(|(index, input)| {
        Ok(Row {
            name: text::new_key(format_args!("metrics[{index}].name"), input.name)?,
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
    require_few(change, owner_id, &last).await?;
    for rows in last.chunks(MAX_ROWS) {
        let mut sql = insert_into("metrics", owner_id, rows.iter().copied());
        sql.push(
            " ON CONFLICT (owner_id, name) DO UPDATE \
              SET step = excluded.step, timestamp_ms = excluded.timestamp_ms, \
                  value_order = excluded.value_order, value = excluded.value \
              WHERE (excluded.step, excluded.timestamp_ms, excluded.value_order) \
                  > (metrics.step, metrics.timestamp_ms, metrics.value_order)",
        );
        Query::from(sql).beside(change).await?;
    }
    for rows in rows.chunks(MAX_ROWS) {
        let mut sql = insert_into("metric_points", owner_id, rows.iter());
        sql.push(" ON CONFLICT (owner_id, name, step, timestamp_ms, value_order) DO NOTHING");
        Query::from(sql).beside(change).await?;
    }
    Ok(())
}

/// Has the change fail if there would be too many metrics with these. Most often there are few even if all are new: then
/// it is not looked which are.
async fn require_few(change: &mut Change, owner_id: &str, new: &[&Row]) -> Result<()> {
    let most = MAX_ENTRIES as i64;
    let mut few = Sql::new("SELECT 1 WHERE (SELECT COUNT(*) FROM metrics WHERE owner_id = ");
    few.push_value(owner_id).push(") <= ").push_value(most - new.len() as i64);
    few.push(" OR (SELECT COUNT(*) FROM (SELECT name FROM metrics WHERE owner_id = ");
    few.push_value(owner_id).push(" UNION ");
    few.push_sql(Sql::rows("VALUES", new.iter().map(|row| [row.name.as_str().into()])));
    few.push(") AS named) <= ").push_value(most);
    let too_many = Unmet::TooMany { field: "metrics", most: MAX_ENTRIES };
    change.require(few, too_many).await
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

//! Sort orders: `metrics.accuracy DESC` to the keys of a list. The fields are those of filters.

use super::{Fields, Parser, Target, of_datasets};
use crate::db::{Db, Sql};
use crate::error::{Error, Result};
use crate::page::{KeyType, MAX_KEYS, OrderDirection, SortKey};

/// What a list is sorted by that is asked for in MLflow's way: `["metrics.accuracy DESC", "name"]`.
pub fn parse_order(db: &Db, fields: &Fields, texts: &[String]) -> Result<Vec<SortKey>> {
    let mut keys = Vec::new();
    for text in texts {
        let wrong = |error: Error| match error {
            Error::Invalid { reason, .. } => Error::invalid("order_by", reason),
            error => error,
        };
        let mut parser = Parser::new(db, fields, text).map_err(wrong)?;
        let (target, key) = parser.field().map_err(wrong)?;
        let descending = !parser.keyword("asc") && parser.keyword("desc");
        if !parser.at_end() {
            let reason =
                format!("{text:?} is not a sort order. Use for example \"metrics.accuracy DESC\"");
            return Err(Error::invalid("order_by", reason));
        }
        let direction = if descending { OrderDirection::Desc } else { OrderDirection::Asc };
        keys.extend(sort_keys(target, key.as_deref(), direction, &Sql::new("TRUE"))?);
    }
    if keys.len() > MAX_KEYS - 2 {
        return Err(Error::invalid("order_by", "can have at most three fields"));
    }
    Ok(keys)
}

/// As [`parse_order`], of one field, where a metric is that on one of `datasets`.
pub fn parse_key(
    db: &Db,
    fields: &Fields,
    field: &str,
    descending: bool,
    datasets: &[(String, Option<String>)],
) -> Result<Vec<SortKey>> {
    let mut parser = Parser::new(db, fields, field)?;
    let (target, key) = parser.field()?;
    let direction = if descending { OrderDirection::Desc } else { OrderDirection::Asc };
    sort_keys(target, key.as_deref(), direction, &of_datasets(datasets))
}

/// The keys that sort by a field. What has no such metric, param, tag or time comes last either way, and
/// NaN before it.
pub fn sort_keys(
    target: &Target,
    key: Option<&str>,
    direction: OrderDirection,
    datasets: &Sql,
) -> Result<Vec<SortKey>> {
    let logged = |table: &str, name: &str, owner: &str, of: KeyType, fallback: &str| {
        let Some(key) = key else {
            return Err(Error::invalid(
                "key",
                "must be the name of the metric, param or tag to sort by",
            ));
        };
        let key = crate::text::key("key", key)?;
        let select = |value: &str, otherwise: &str| {
            let mut sql = Sql::new(format!(
                "COALESCE((SELECT {value} FROM {table} f WHERE f.{owner} AND f.{name} = ?"
            ));
            sql = sql.bind(key.as_str());
            if table == "logged_model_metrics" {
                sql.push(" AND (").push_sql(datasets.clone());
                sql.push(") ORDER BY f.timestamp_ms DESC, f.step DESC LIMIT 1");
            }
            sql.push(&format!("), {otherwise})"));
            sql
        };
        let flag = SortKey::flag(select("CASE WHEN f.value IS NULL THEN 1 ELSE 0 END", "2"));
        Ok(vec![
            flag,
            SortKey::new(
                of,
                select(&format!("COALESCE(f.value, {fallback})"), fallback),
                direction,
            ),
        ])
    };
    let owned = |owner: &str| format!("owner_id = {owner}");
    match (target, key) {
        (Target::Text(column), None) => Ok(vec![SortKey::text(column, direction)]),
        (Target::Number(column) | Target::Time(column), None) => {
            Ok(vec![SortKey::int(column, direction)])
        }
        (Target::LaterTime(column), None) => Ok(vec![
            SortKey::flag(Sql::new(format!("CASE WHEN {column} IS NULL THEN 1 ELSE 0 END"))),
            SortKey::int(&format!("COALESCE({column}, 0)"), direction),
        ]),
        (Target::Metric(owner), _) => {
            logged("metrics", "name", &owned(owner), KeyType::Real, "0.0")
        }
        (Target::ModelMetric(owner), _) => {
            let owner = format!("logged_model_id = {owner}");
            logged("logged_model_metrics", "name", &owner, KeyType::Real, "0.0")
        }
        (Target::Param(owner), _) => logged("params", "name", &owned(owner), KeyType::Text, "''"),
        (Target::TagOr(_, own, column), Some(key)) if key == *own => {
            Ok(vec![SortKey::text(column, direction)])
        }
        (Target::Tag(owner) | Target::TagOr(owner, ..), _) => {
            logged("tags", "key", &owned(owner), KeyType::Text, "''")
        }
        (Target::Any(_), None) => {
            Err(Error::invalid("order_by", "can't use a field that has several values"))
        }
        (Target::Dataset(_), _) => Err(Error::invalid("order_by", "can't use datasets")),
        (_, Some(_)) => {
            Err(Error::invalid("key", "can only be used with metrics, params and tags"))
        }
    }
}

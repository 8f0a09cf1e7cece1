//! Facts of a version, as a summary of it shows them: its aliases, some metrics, its size and the licence of its model.
//!
//! Each statement reads few rows, however much a version has.

use model_registry_names as names;

use super::{ModelVersion, sql};
use crate::db::{Conn, Db, Query, Sql};
use crate::error::{Error, Result};
use crate::registry::catalog::model::facet::LICENSE;
use crate::registry::catalog::model::{Model, best};
use crate::registry::metadata::metric::MetricValue;
use crate::registry::metadata::tag;
use crate::text;

/// How many metrics a summary has.
pub const MAX_METRICS: usize = 5;
/// How many aliases a summary has.
const MAX_ALIASES: i64 = 20;
/// How much of a licence a summary has, in characters.
const MAX_LICENSE: u32 = 200;

/// What a summary says of a version, beside its own columns.
#[derive(Debug, Default)]
pub struct Facts {
    /// In the order of names.
    pub aliases: Vec<String>,
    pub metrics: Vec<Measured>,
    pub whole: Whole,
}

/// The last point of a metric.
#[derive(Debug, sqlx::FromRow)]
pub struct Measured {
    pub name: String,
    #[sqlx(try_from = "Option<f64>")]
    pub value: MetricValue,
}

/// All files together, and what they may be used for.
#[derive(Debug, Default, sqlx::FromRow)]
pub struct Whole {
    /// Empty where none is named.
    pub license: String,
    pub file_count: i64,
    /// In bytes.
    pub size: i64,
}

/// The version that a bare name stands for where people write addresses: `champion`, `1.2.0`, `^1.2` or `latest`; or
/// `@champion`, which is an alias only.
pub async fn named(
    conn: impl Into<Conn<'_>>,
    model: &Model,
    reference: &str,
) -> Result<ModelVersion> {
    let mut conn = conn.into();
    // An alias may be called `1`, which is a range, too: who called it so means the alias.
    if reference != "latest" && reference.chars().all(names::is_alias_character) {
        let alias = sql::find(conn.again(), model, &format!("@{reference}")).await?;
        match alias {
            Some(version) => return Ok(version),
            None if reference.starts_with(|first: char| first.is_ascii_digit()) => {}
            // Not `x`, which is a range of everything: it is an alias that was deleted.
            None => return Err(Error::not_found("version", reference)),
        }
    }
    sql::get(conn, model, reference).await
}

/// The facts of a version, or of a model that has none, with the metrics that are `wanted` by name; unless some are, the
/// one that the model is judged by and the first others.
pub async fn of(
    db: &Db,
    model: &Model,
    version: Option<&ModelVersion>,
    wanted: &[&str],
) -> Result<Facts> {
    let Some(version) = version else {
        return Ok(Facts { whole: whole(db, model, "").await?, ..Facts::default() });
    };
    let aliases: Vec<(String,)> = Query::from(aliases(version)).fetch_all(db).await?;
    let metrics = match wanted {
        [] => first_metrics(db, model, version).await?,
        wanted => metrics(db, version, wanted).await?,
    };
    Ok(Facts {
        aliases: aliases.into_iter().map(|(name,)| name).collect(),
        metrics,
        whole: whole(db, model, version.id.raw()).await?,
    })
}

fn aliases(version: &ModelVersion) -> Sql {
    let mut sql = Sql::new("SELECT name FROM aliases WHERE version_id = ");
    sql.push_value(&version.id).push(" ORDER BY name").push_limit(MAX_ALIASES);
    sql
}

/// The metrics of a version that have these names, in their order.
pub async fn metrics(db: &Db, version: &ModelVersion, wanted: &[&str]) -> Result<Vec<Measured>> {
    let wanted = &wanted[..wanted.len().min(MAX_METRICS)];
    let sql = Sql::new("SELECT name, value FROM metrics WHERE owner_id = ?")
        .bind(version.id.raw())
        .and(Sql::is_in("name", wanted.iter().map(|name| text::looked_up(name))));
    let mut found: Vec<Measured> = Query::from(sql).fetch_all(db).await?;
    found.sort_by_key(|metric| wanted.iter().position(|name| *name == metric.name));
    Ok(found)
}

async fn first_metrics(db: &Db, model: &Model, version: &ModelVersion) -> Result<Vec<Measured>> {
    let tag = tag::find(db, model.id.raw(), best::TAG).await?;
    let judged = tag.as_ref().and_then(|tag| best::parse(&tag.value));
    // No metric has an empty name.
    let judged = judged.map_or("", |(name, _)| name);
    let mut sql = Sql::new(
        "SELECT name, value FROM (SELECT name, value FROM metrics WHERE owner_id = ? AND name = ?) judged
         UNION ALL SELECT name, value FROM (
             SELECT name, value FROM metrics WHERE owner_id = ? AND name <> ? ORDER BY name",
    );
    let (id, judged_name) = (version.id.raw(), text::looked_up(judged));
    sql = sql.bind(id).bind(judged_name).bind(id).bind(judged_name);
    sql.push_limit(MAX_METRICS as i64).push(") others");
    let mut found: Vec<Measured> = Query::from(sql).fetch_all(db).await?;
    found.sort_by(|a, b| (a.name != judged, &a.name).cmp(&(b.name != judged, &b.name)));
    found.truncate(MAX_METRICS);
    Ok(found)
}

async fn whole(db: &Db, model: &Model, owner_id: &str) -> Result<Whole> {
    let mut sql = Sql::new(format!(
        "SELECT SUBSTR({LICENSE}, 1, {MAX_LICENSE}) AS license,
                (SELECT COUNT(*) FROM files f WHERE f.owner_id = ?) AS file_count,
                (SELECT CAST(COALESCE(SUM(f.size), 0) AS BIGINT) FROM files f WHERE f.owner_id = ?) AS size
         FROM models m WHERE m.id = "
    ))
    .bind(owner_id)
    .bind(owner_id);
    sql.push_value(&model.id);
    Ok(Query::from(sql).fetch_one(db).await?)
}

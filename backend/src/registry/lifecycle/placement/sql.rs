//! Rules as they are found, and where they say that blobs belong.

use std::collections::HashMap;

use super::{Rule, StoredKind};
use crate::db::{Conn, Db, Query, Sql, query};
use crate::error::{Error, Result};
use crate::store::Storages;
use crate::time::Timestamp;

const DAY_SECONDS: i64 = 24 * 3600;
/// MLflow's stages that a version can be in.
const STAGES: [&str; 3] = ["STAGING", "PRODUCTION", "ARCHIVED"];
/// What stands for a file that no rule is for: before all storages.
const NO_RULE: i64 = -1;

/// The rules, in order.
pub async fn rules(on: impl Into<Conn<'_>>) -> Result<Vec<Rule>> {
    let rules = query(
        "SELECT storage, project_id, kind, alias, is_unaliased, is_deprecated, older_than_days, not_fetched_days,
                min_size
         FROM storage_rules ORDER BY position",
    );
    Ok(rules.fetch_all(on).await?)
}

/// The SHA-256 of some blobs behind this one that files name; those that nobody names are the sweep's.
pub async fn blobs_after(db: &Db, sha256: &str, limit: i64) -> Result<Vec<String>> {
    let blobs = query(
        "SELECT sha256 FROM blobs WHERE sha256 > $1 AND unused_since_ms IS NULL ORDER BY sha256 LIMIT $2",
    );
    let blobs: Vec<(String,)> = blobs.bind(sha256).bind(limit).fetch_all(db).await?;
    Ok(blobs.into_iter().map(|(sha256,)| sha256).collect())
}

/// Where some blobs belong, by the SHA-256: how many storages come before; none where one of the files that have the bytes
/// matches no rule. Files of runs count only where no version has the same bytes, as one has that was made from a run.
pub async fn ranks(
    db: &Db,
    storages: &Storages,
    rules: &[Rule],
    blobs: &[String],
    now: Timestamp,
) -> Result<HashMap<String, Option<usize>>> {
    let mut rank = Sql::new("CASE");
    for rule in rules {
        let number = storages.rank(&rule.storage).ok_or_else(|| not_named(&rule.storage))?;
        rank.push(" WHEN ").push_sql(condition(rule, now));
        rank.push(&format!(" THEN {number}"));
    }
    rank.push(&format!(" ELSE {NO_RULE} END"));
    let mut sql = Sql::new("SELECT sha256, MIN(of_version), MIN(of_run) FROM (SELECT f.sha256, ");
    sql.push("CAST(CASE WHEN v.id IS NOT NULL THEN ").push_sql(rank.clone());
    sql.push(" END AS BIGINT) AS of_version, CAST(CASE WHEN v.id IS NULL THEN ").push_sql(rank);
    sql.push(
        " END AS BIGINT) AS of_run FROM files f
         LEFT JOIN model_versions v ON v.id = f.owner_id LEFT JOIN models m ON m.id = v.model_id
         LEFT JOIN candidates c ON c.id = f.owner_id LEFT JOIN logged_models l ON l.id = f.owner_id
         LEFT JOIN experiments e ON e.id = COALESCE(c.experiment_id, l.experiment_id)
         WHERE ",
    );
    sql.push_sql(Sql::is_in("f.sha256", blobs)).push(") AS placed GROUP BY sha256");
    let ranks: Vec<(String, Option<i64>, Option<i64>)> = Query::from(sql).fetch_all(db).await?;
    let placed = ranks.into_iter().map(|(sha256, of_version, of_run)| {
        let rank = of_version.or(of_run).filter(|rank| *rank != NO_RULE);
        (sha256, rank.map(|rank| rank as usize))
    });
    Ok(placed.collect())
}

fn not_named(storage: &str) -> Error {
    let reason =
        format!("a rule names the storage {storage}, which is not in --storage of this server");
    Error::invalid("storage", reason)
}

/// Whether a file `f`, of a version `v` or of something in an experiment `e`, matches a rule.
fn condition(rule: &Rule, now: Timestamp) -> Sql {
    let mut sql = Sql::new("(f.size >= ?").bind(rule.min_size);
    if let Some(project) = &rule.project_id {
        sql.push(" AND COALESCE(m.project_id, e.project_id) = ").push_value(project);
    }
    match rule.kind.0 {
        Some(StoredKind::Version) => drop(sql.push(" AND v.id IS NOT NULL")),
        Some(StoredKind::Run) => drop(sql.push(" AND e.id IS NOT NULL")),
        None => {}
    }
    if let Some(alias) = &rule.alias {
        sql.push(" AND (EXISTS (SELECT 1 FROM aliases a WHERE a.version_id = v.id AND a.name = ");
        sql.push_value(alias).push(")");
        if let Some(stage) = STAGES.iter().find(|stage| stage.eq_ignore_ascii_case(alias)) {
            sql.push(" OR v.stage = ").push_value(*stage);
        }
        sql.push(")");
    }
    if rule.is_unaliased {
        sql.push(" AND v.stage IN ('NONE', 'ARCHIVED')");
        sql.push(" AND NOT EXISTS (SELECT 1 FROM aliases a WHERE a.version_id = v.id)");
    }
    if rule.is_deprecated {
        sql.push(" AND (v.deprecated_at_ms IS NOT NULL OR v.yanked_at_ms IS NOT NULL)");
    }
    let before = |days: i64| now.plus_seconds(-days.saturating_mul(DAY_SECONDS));
    if let Some(days) = rule.older_than_days {
        sql.push(" AND f.created_at_ms <= ").push_value(before(days));
    }
    if let Some(days) = rule.not_fetched_days {
        sql.push(" AND v.created_at_ms <= ").push_value(before(days));
        sql.push(" AND COALESCE(v.last_fetched_at_ms, 0) <= ").push_value(before(days));
    }
    sql.push(")");
    sql
}

//! The trash of a project: what was deleted and can be restored, until a maintainer empties it.

pub mod graphql;
pub mod removal;
pub mod rules;

use async_graphql::ID;

use crate::connection::{Connection, Node};
use crate::db::{Db, Query, Sql};
use crate::error::Result;
use crate::id::{AnyId, ProjectId, UserId};
use crate::page::{List, OrderDirection, Page, Sort};
use crate::time::Timestamp;

/// An item in the trash.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct TrashEntry {
    id: String,
    kind: String,
    deleted_at_ms: Timestamp,
    deleted_by_id: Option<UserId>,
}

/// What is in the trash of all projects.
macro_rules! deleted {
    () => {
        "(SELECT m.id, 'MODEL' AS kind, m.name, m.id AS model_id, m.project_id, m.deleted_at_ms, m.deleted_by_id
          FROM models m WHERE m.deleted_at_ms IS NOT NULL
          UNION ALL
          SELECT v.id, 'VERSION', m.name || '@' || v.version, m.id, m.project_id, v.deleted_at_ms, v.deleted_by_id
          FROM model_versions v JOIN models m ON m.id = v.model_id
          WHERE v.deleted_at_ms IS NOT NULL AND m.deleted_at_ms IS NULL
          UNION ALL
          SELECT c.id, 'CANDIDATE', m.name || '/candidates/' || c.number, m.id, m.project_id, c.deleted_at_ms, c.deleted_by_id
          FROM candidates c JOIN models m ON m.id = c.model_id
          WHERE c.deleted_at_ms IS NOT NULL AND m.deleted_at_ms IS NULL
          UNION ALL
          SELECT c.id, 'CANDIDATE', '-/runs/' || c.id, NULL, e.project_id, c.deleted_at_ms, c.deleted_by_id
          FROM candidates c JOIN experiments e ON e.id = c.experiment_id
          WHERE c.deleted_at_ms IS NOT NULL AND c.model_id IS NULL AND e.deleted_at_ms IS NULL
          UNION ALL
          SELECT e.id, 'EXPERIMENT', '-/experiments/' || e.number, NULL, e.project_id, e.deleted_at_ms, NULL
          FROM experiments e WHERE e.deleted_at_ms IS NOT NULL AND e.model_id IS NULL) t"
    };
}
use deleted;

impl Node for TrashEntry {
    const NAME: &'static str = "Trash";
}

/// The trash of a project, last deleted first. What a deleted model has is deleted with it, and is
/// not listed by itself.
pub fn list(project_id: &ProjectId, page: Page) -> Connection<TrashEntry> {
    let list = List {
        columns: "id, kind, deleted_at_ms, deleted_by_id",
        from: deleted!(),
        parent: Some("project_id"),
        filter: Sql::new("TRUE"),
        sort: Sort::int("deleted_at_ms", "id", OrderDirection::Desc),
    };
    Connection::new(list, page, project_id.raw())
}

/// How many bytes come back at most when what is in the trash of a project, or one thing of it, is deleted for good:
/// those of files whose bytes nothing else in the project has. Whether other projects have them is their secret.
pub async fn size(db: &Db, project_id: &ProjectId, item: Option<ID>) -> Result<i64> {
    let mut sql = Sql::new(concat!("WITH gone (id) AS (SELECT t.id FROM ", deleted!()));
    sql.push(" WHERE t.project_id = ").push_value(project_id);
    if let Some(item) = item {
        sql.push(" AND t.id = ").push_value(raw_id(&item)?);
    }
    // And what goes with them.
    sql.push(
        "), owners (id) AS (
             SELECT id FROM gone
             UNION SELECT v.id FROM gone g JOIN model_versions v ON v.model_id = g.id
             UNION SELECT c.id FROM gone g JOIN candidates c ON c.model_id = g.id
             UNION SELECT c.id FROM gone g JOIN candidates c ON c.experiment_id = g.id
             UNION SELECT l.id FROM gone g JOIN experiments e ON e.model_id = g.id
                                           JOIN logged_models l ON l.experiment_id = e.id
             UNION SELECT l.id FROM gone g JOIN logged_models l ON l.experiment_id = g.id),
         doomed (sha256, size) AS (
             SELECT DISTINCT f.sha256, f.size FROM owners o JOIN files f ON f.owner_id = o.id)
         SELECT CAST(COALESCE(SUM(d.size), 0) AS BIGINT) FROM doomed d
         WHERE NOT EXISTS (
             SELECT 1 FROM files f
             WHERE f.sha256 = d.sha256 AND NOT EXISTS (SELECT 1 FROM owners o WHERE o.id = f.owner_id)
               AND (f.owner_id = ",
    );
    sql.push_value(project_id).push(
        " OR EXISTS (SELECT 1 FROM model_versions v WHERE v.id = f.owner_id AND v.project_id = ",
    );
    sql.push_value(project_id).push(
        ") OR EXISTS (SELECT 1 FROM candidates c JOIN experiments e ON e.id = c.experiment_id
                      WHERE c.id = f.owner_id AND e.project_id = ",
    );
    sql.push_value(project_id).push(
        ") OR EXISTS (SELECT 1 FROM logged_models l JOIN experiments e ON e.id = l.experiment_id
                      WHERE l.id = f.owner_id AND e.project_id = ",
    );
    sql.push_value(project_id).push(")))");
    let (size,): (i64,) = Query::from(sql).fetch_one(db).await?;
    Ok(size)
}

/// The raw id of something that can be in the trash; of anything else one that is not there.
fn raw_id(item: &ID) -> Result<String> {
    Ok(match AnyId::parse(item)? {
        AnyId::ModelId(id) => id.raw().to_owned(),
        AnyId::VersionId(id) => id.raw().to_owned(),
        AnyId::CandidateId(id) => id.raw().to_owned(),
        AnyId::ExperimentId(id) => id.raw().to_owned(),
        _ => String::new(),
    })
}

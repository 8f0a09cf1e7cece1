//! Gauges of projects, as monitoring reads them: how many models, versions and runs there are, how large all of it is, what
//! aliases name, and when something was published last.
//!
//! Each function is one statement for all projects that are asked for. They count every row, so they read indexes rather than
//! rows where there are some, and [`at_most`] says what will come before any of it is read. What is in the trash is
//! left out.

use crate::access::project::Project;
use crate::db::{Db, Query, Sql};
use crate::error::Result;
use crate::id::ProjectId;
use crate::registry::catalog::model::best;
use crate::registry::catalog::version::offered;
use crate::time::Timestamp;

/// How many things of a project there are, of which there is a fact each.
#[derive(Debug, sqlx::FromRow)]
pub struct AtMost {
    pub project_id: ProjectId,
    pub models: i64,
    /// Some may name versions in the trash.
    pub aliases: i64,
    /// Models with a tag that names a metric.
    pub judged: i64,
}

/// How many versions a project has.
#[derive(Debug, sqlx::FromRow)]
pub struct Versions {
    pub project_id: ProjectId,
    pub total: i64,
    pub published: i64,
}

/// How many runs of a project have a status.
#[derive(Debug, sqlx::FromRow)]
pub struct Runs {
    pub project_id: ProjectId,
    pub status: String,
    pub total: i64,
}

#[derive(Debug, sqlx::FromRow)]
pub struct Stored {
    pub project_id: ProjectId,
    /// In bytes.
    pub size: i64,
}

/// What an alias names.
#[derive(Debug, sqlx::FromRow)]
pub struct Named {
    pub project_id: ProjectId,
    pub model: String,
    pub alias: String,
    pub version: String,
    pub moved_at_ms: Timestamp,
}

/// When a version of a model was published last.
#[derive(Debug, sqlx::FromRow)]
pub struct LastPublished {
    pub project_id: ProjectId,
    pub model: String,
    pub published_at_ms: Timestamp,
}

fn among(column: &str, projects: &[&Project]) -> Sql {
    Sql::is_in(column, projects.iter().map(|project| &project.id))
}

/// The models of each project, and the rows that facts are said of.
pub async fn at_most(db: &Db, projects: &[&Project]) -> Result<Vec<AtMost>> {
    // No name is empty: the condition has SQLite read the index that has the names and none of the trash.
    let mut sql = Sql::new(format!(
        "SELECT p.id AS project_id,
                (SELECT COUNT(*) FROM models m WHERE {0}) AS models,
                (SELECT COUNT(*) FROM models m CROSS JOIN aliases a WHERE a.model_id = m.id AND {0}) AS aliases,
                (SELECT COUNT(*) FROM models m CROSS JOIN tags t WHERE t.owner_id = m.id AND t.key = '{1}' AND {0}) AS judged
         FROM projects p WHERE ",
        "m.project_id = p.id AND m.name > '' AND m.deleted_at_ms IS NULL",
        best::TAG,
    ));
    sql.push_sql(among("p.id", projects));
    Ok(Query::from(sql).fetch_all(db).await?)
}

/// How many versions there are, and how many of them are published: what is published has a time, which an index has.
pub async fn versions(db: &Db, projects: &[&Project]) -> Result<Vec<Versions>> {
    // As above, of versions. A model in the trash leaves its versions as they are, so they are taken off.
    let mut sql = Sql::new(
        "SELECT p.id AS project_id,
                (SELECT COUNT(*) FROM models m CROSS JOIN model_versions v
                 WHERE m.project_id = p.id AND m.deleted_at_ms IS NULL
                   AND v.model_id = m.id AND v.version > '' AND v.deleted_at_ms IS NULL) AS total,
                (SELECT COUNT(*) FROM model_versions v
                 WHERE v.project_id = p.id AND v.published_at_ms IS NOT NULL AND v.deleted_at_ms IS NULL)
              - (SELECT COUNT(*) FROM models m CROSS JOIN model_versions v
                 WHERE m.project_id = p.id AND m.deleted_at_ms IS NOT NULL
                   AND v.model_id = m.id AND v.published_at_ms IS NOT NULL AND v.deleted_at_ms IS NULL) AS published
         FROM projects p WHERE ",
    );
    sql.push_sql(among("p.id", projects));
    Ok(Query::from(sql).fetch_all(db).await?)
}

/// The runs of each project by status; of a status that no run has there is no row.
pub async fn runs(db: &Db, projects: &[&Project]) -> Result<Vec<Runs>> {
    let mut sql = Sql::new(
        "SELECT e.project_id, c.status, COUNT(*) AS total FROM experiments e CROSS JOIN candidates c
         WHERE c.experiment_id = e.id AND e.deleted_at_ms IS NULL AND c.deleted_at_ms IS NULL AND ",
    );
    sql.push_sql(among("e.project_id", projects)).push(" GROUP BY e.project_id, c.status");
    Ok(Query::from(sql).fetch_all(db).await?)
}

/// How large the files of each project are together. What several have in common is there once, as in the store; of what
/// other projects have in common with it nothing is said.
pub async fn stored(db: &Db, projects: &[&Project]) -> Result<Vec<Stored>> {
    let mut sql = Sql::new("SELECT d.project_id, CAST(SUM(d.size) AS BIGINT) AS size FROM (");
    sql.push("SELECT DISTINCT o.project_id, f.sha256, f.size FROM (");
    // The first reads no rows of versions, only an index.
    for (union, owners, column) in [
        (
            "",
            concat!(
                "SELECT m.project_id, v.id FROM models m CROSS JOIN model_versions v WHERE v.model_id = m.id
                 AND v.rank > '' AND m.deleted_at_ms IS NULL AND ",
                offered!("v"),
                " AND "
            ),
            "m.project_id",
        ),
        (
            " UNION ALL ",
            "SELECT m.project_id, v.id FROM models m CROSS JOIN model_versions v WHERE v.model_id = m.id
             AND v.yanked_at_ms IS NOT NULL AND v.deleted_at_ms IS NULL AND m.deleted_at_ms IS NULL AND ",
            "m.project_id",
        ),
        (
            " UNION ALL ",
            "SELECT e.project_id, c.id FROM experiments e CROSS JOIN candidates c WHERE c.experiment_id = e.id
             AND e.deleted_at_ms IS NULL AND c.deleted_at_ms IS NULL AND ",
            "e.project_id",
        ),
        (
            " UNION ALL ",
            "SELECT e.project_id, l.id FROM experiments e CROSS JOIN logged_models l WHERE l.experiment_id = e.id
             AND e.deleted_at_ms IS NULL AND l.deleted_at_ms IS NULL AND ",
            "e.project_id",
        ),
        // Artifacts of no run.
        (" UNION ALL ", "SELECT p.id AS project_id, p.id FROM projects p WHERE ", "p.id"),
    ] {
        sql.push(union).push(owners).push_sql(among(column, projects));
    }
    sql.push(") o CROSS JOIN files f WHERE f.owner_id = o.id) d GROUP BY d.project_id");
    Ok(Query::from(sql).fetch_all(db).await?)
}

/// The aliases of each project that name versions which are not in the trash.
pub async fn named(db: &Db, projects: &[&Project]) -> Result<Vec<Named>> {
    let mut sql = Sql::new(
        "SELECT m.project_id, m.name AS model, a.name AS alias, v.version, a.updated_at_ms AS moved_at_ms
         FROM models m CROSS JOIN aliases a CROSS JOIN model_versions v
         WHERE a.model_id = m.id AND v.id = a.version_id AND m.deleted_at_ms IS NULL AND v.deleted_at_ms IS NULL AND ",
    );
    sql.push_sql(among("m.project_id", projects)).push(" ORDER BY m.name, a.name");
    Ok(Query::from(sql).fetch_all(db).await?)
}

/// When a version of each model was published last that is not yanked, as the feed has it.
pub async fn last_published(db: &Db, projects: &[&Project]) -> Result<Vec<LastPublished>> {
    let mut sql = Sql::new(concat!(
        "SELECT m.project_id, m.name AS model, MAX(v.published_at_ms) AS published_at_ms
         FROM model_versions v CROSS JOIN models m
         WHERE m.id = v.model_id AND v.published_at_ms IS NOT NULL AND m.deleted_at_ms IS NULL AND ",
        offered!("v"),
        " AND "
    ));
    sql.push_sql(among("v.project_id", projects)).push(" GROUP BY m.id ORDER BY m.name");
    Ok(Query::from(sql).fetch_all(db).await?)
}

//! Names of versions are given once: the name that a published version had stays with its files.
//!
//! Whoever pinned `vision/ocr@1.2.0` gets those bytes or none. So a name is looked for among all that are or were
//! called so: in the trash, in deleted models of the same name, in projects that had this path before, and among the
//! tombstones of what was deleted for good.

use ::semver::Version;

use super::sql::{after, latest};
use crate::access::Writer;
use crate::access::project::Project;
use crate::change::Change;
use crate::db::{Conn, Query, Sql, query};
use crate::error::{Error, Result};
use crate::id::ModelId;
use crate::registry::catalog::model::Model;
use crate::registry::catalog::model::sql::{namesakes, projects_at};
use crate::registry::catalog::semver;

/// The rows of `version_tombstones` of a model, by the path of its project and its name.
fn tombstones(project: &Project, model: &Model) -> Sql {
    let mut sql = Sql::new("version_tombstones t WHERE t.project_id IN (");
    sql.push_sql(projects_at(&project.path)).push(") AND t.model = ").push_value(&model.name);
    sql
}

/// The condition that a published version had this name, and is not a live one of this model: that one is found
/// by a unique index.
pub fn is_given(project: &Project, model: &Model, version: &Version) -> Sql {
    let version = version.to_string();
    let mut sql = Sql::new(
        "EXISTS (SELECT 1 FROM model_versions v WHERE v.model_id = ? AND v.version = ? \
         AND v.deleted_at_ms IS NOT NULL AND v.state = 'PUBLISHED')",
    )
    .bind(&model.id)
    .bind(version.clone());
    for deleted in ["IS NULL", "IS NOT NULL"] {
        sql.push(" OR EXISTS (SELECT 1 FROM (").push_sql(namesakes(&project.path, &model.name));
        sql.push(") n JOIN model_versions v ON v.model_id = n.id WHERE n.id <> ")
            .push_value(&model.id);
        sql.push(" AND v.version = ").push_value(version.clone());
        sql.push(&format!(" AND v.deleted_at_ms {deleted} AND v.state = 'PUBLISHED')"));
    }
    sql.push(" OR EXISTS (SELECT 1 FROM ").push_sql(tombstones(project, model));
    sql.push(" AND t.version = ").push_value(version).push(")");
    sql
}

/// Refuses a name that a published version had.
pub async fn check(
    conn: impl Into<Conn<'_>>,
    project: &Project,
    model: &Model,
    version: &Version,
) -> Result<()> {
    let mut conn = conn.into();
    if !is_taken(conn.again(), project, model, version).await? {
        return Ok(());
    }
    let next = next(conn.again(), project, model).await?.to_string();
    let trashed: Option<(String,)> = query(
        "SELECT id FROM model_versions
         WHERE model_id = $1 AND version = $2 AND deleted_at_ms IS NOT NULL AND state = 'PUBLISHED' LIMIT 1",
    )
    .bind(&model.id)
    .bind(version.to_string())
    .fetch_optional(conn)
    .await?;
    Err(Error::NameGiven { version: version.to_string(), next, in_trash: trashed.is_some() })
}

async fn is_taken(
    conn: Conn<'_>,
    project: &Project,
    model: &Model,
    version: &Version,
) -> Result<bool> {
    let mut sql = Sql::new("SELECT CASE WHEN ");
    sql.push_sql(is_given(project, model, version)).push(" THEN TRUE ELSE FALSE END");
    let (taken,): (bool,) = Query::from(sql).fetch_one(conn).await?;
    Ok(taken)
}

/// The version that a new one has unless told: the patch after the highest release, drafts counted; or, where that
/// name was given before, after the highest release that was ever published.
pub async fn next(conn: impl Into<Conn<'_>>, project: &Project, model: &Model) -> Result<Version> {
    let mut conn = conn.into();
    let latest = latest_of(conn.again(), &model.id).await?;
    free_after(conn, project, model, latest.as_deref()).await
}

/// As [`next`], where `latest` is known.
pub async fn free_after(
    conn: impl Into<Conn<'_>>,
    project: &Project,
    model: &Model,
    latest: Option<&str>,
) -> Result<Version> {
    let mut conn = conn.into();
    let version = after(latest)?;
    if !is_taken(conn.again(), project, model, &version).await? {
        return Ok(version);
    }
    // It is a release, so there is a highest one.
    let highest = highest_published(conn, project, model).await?;
    Ok(semver::next(highest.as_ref()))
}

async fn latest_of(conn: Conn<'_>, model_id: &ModelId) -> Result<Option<String>> {
    let (latest,): (Option<String>,) =
        query(concat!("SELECT ", latest!("$1"))).bind(model_id).fetch_one(conn).await?;
    Ok(latest)
}

/// The highest release that was ever published under the name of a model.
async fn highest_published(
    conn: Conn<'_>,
    project: &Project,
    model: &Model,
) -> Result<Option<Version>> {
    let mut sql = Sql::new("SELECT version FROM (SELECT v.version, v.precedence FROM (");
    sql.push_sql(namesakes(&project.path, &model.name));
    sql.push(
        ") n JOIN model_versions v ON v.id = (
             SELECT w.id FROM model_versions w
             WHERE w.model_id = n.id AND w.state = 'PUBLISHED' AND NOT w.prerelease
             ORDER BY w.precedence DESC, w.id DESC LIMIT 1)
         UNION ALL SELECT t.version, t.precedence FROM ",
    );
    sql.push_sql(tombstones(project, model));
    sql.push(" AND NOT t.prerelease) given ORDER BY precedence DESC LIMIT 1");
    let highest: Option<(String,)> = Query::from(sql).fetch_optional(conn).await?;
    highest.map(|(version,)| Version::parse(&version).map_err(Error::internal)).transpose()
}

/// Refuses to give a model a name under which other models published versions of the same names as its own.
pub async fn check_names(change: &mut Change, writer: &Writer, model: &Model) -> Result<()> {
    let project = writer.project();
    let mut sql = Sql::new(
        "SELECT v.version FROM model_versions v WHERE v.state = 'PUBLISHED' AND v.model_id = ",
    );
    sql.push_value(&model.id).push(" AND (v.version IN (SELECT w.version FROM (");
    sql.push_sql(namesakes(&project.path, &model.name));
    sql.push(
        ") n JOIN model_versions w ON w.model_id = n.id WHERE w.state = 'PUBLISHED' AND n.id <> ",
    );
    sql.push_value(&model.id).push(") OR v.version IN (SELECT t.version FROM ");
    sql.push_sql(tombstones(project, model)).push(")) LIMIT 1");
    let given: Option<(String,)> = Query::from(sql).fetch_optional(&mut **change).await?;
    match given {
        Some((version,)) => Err(Error::Conflict(format!(
            "A version {version} was published under the name {} before, so this name can't be used for other files. Choose \
             another name.",
            model.name
        ))),
        None => Ok(()),
    }
}

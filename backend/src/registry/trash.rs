//! The trash of a project: what was deleted and can be restored, until a maintainer empties it.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject, Union};

use crate::access::project::Project;
use crate::access::user::User;
use crate::access::{Maintainer, actor};
use crate::change::Change;
use crate::connection::{Connection, Node};
use crate::db::{Db, Query, Sql, query};
use crate::error::{Error, Result};
use crate::id::{AnyId, CandidateId, ExperimentId, ModelId, ProjectId, UserId, VersionId};
use crate::loader::loaders;
use crate::log::Subject;
use crate::page::{List, OrderDirection, Page, Sort};
use crate::registry::candidate::Candidate;
use crate::registry::experiment::Experiment;
use crate::registry::model::Model;
use crate::registry::project;
use crate::registry::user;
use crate::registry::version::ModelVersion;
use crate::time::Timestamp;

/// One thing in the trash.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct TrashEntry {
    id: String,
    kind: String,
    deleted_at_ms: Timestamp,
    deleted_by_id: Option<UserId>,
}

/// What can be in the trash.
#[derive(Union)]
pub enum TrashItem {
    Model(Model),
    ModelVersion(ModelVersion),
    Candidate(Candidate),
    Experiment(Experiment),
}

/// One thing in the trash.
#[Object]
impl TrashEntry {
    /// When it was deleted.
    async fn deleted_at(&self) -> Timestamp {
        self.deleted_at_ms
    }

    /// Who deleted it.
    async fn deleted_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        user::load(ctx, self.deleted_by_id.as_ref()).await
    }

    /// What it is.
    async fn item(&self, ctx: &Context<'_>) -> Result<TrashItem> {
        let loader = loaders(ctx);
        let id = self.id.clone();
        let item = match self.kind.as_str() {
            "MODEL" => loader.load_one(ModelId::from_raw(id)).await?.map(TrashItem::Model),
            "VERSION" => {
                loader.load_one(VersionId::from_raw(id)).await?.map(TrashItem::ModelVersion)
            }
            "EXPERIMENT" => {
                loader.load_one(ExperimentId::from_raw(id)).await?.map(TrashItem::Experiment)
            }
            _ => loader.load_one(CandidateId::from_raw(id)).await?.map(TrashItem::Candidate),
        };
        item.ok_or_else(|| Error::internal("the trash names what is not there"))
    }
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
               AND (EXISTS (SELECT 1 FROM model_versions v WHERE v.id = f.owner_id AND v.project_id = ",
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

/// What to delete for good.
#[derive(InputObject)]
pub struct EmptyTrashInput {
    /// The path of the project, such as `vision`.
    project: String,
    /// Only this model, version, candidate or experiment, by its id; everything in the trash if omitted.
    item: Option<ID>,
}

/// What is gone for good.
#[derive(SimpleObject)]
pub struct EmptyTrashPayload {
    /// The project.
    project: Project,
    /// How many things were deleted: at most 200 at once, so that nobody waits long for the others. What a
    /// model had is not counted by itself.
    removed_count: i32,
    /// How many things are left in the trash.
    remaining_count: i32,
}

#[derive(Default)]
pub struct TrashMutation;

#[Object]
impl TrashMutation {
    /// Deletes for good what is in the trash of a project. This cannot be undone. The bytes go some days later; the names of
    /// published versions are not given again.
    async fn empty_trash(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which project, and what of it.")] input: EmptyTrashInput,
    ) -> Result<EmptyTrashPayload> {
        let mut change = Change::begin(&loaders(ctx).loader().app, actor(ctx)).await?;
        let maintainer = project::lone_maintainer(&mut change, actor(ctx), &input.project).await?;
        let removed_count = empty(&mut change, &maintainer, input.item).await?;
        let remaining_count = count(&mut change, &maintainer.project().id).await?;
        change.commit().await?;
        let project = maintainer.project().clone();
        Ok(EmptyTrashPayload { project, removed_count, remaining_count })
    }
}

#[derive(sqlx::FromRow)]
struct Deleted {
    id: String,
    kind: String,
    name: String,
    model_id: Option<ModelId>,
}

async fn empty(change: &mut Change, maintainer: &Maintainer, item: Option<ID>) -> Result<i32> {
    let project = maintainer.project();
    let wanted = item.as_ref().map(raw_id).transpose()?;
    // The project is held, as it is by whoever restores something.
    let all: Vec<Deleted> = query(concat!(
        "SELECT id, kind, name, model_id FROM ",
        deleted!(),
        " WHERE project_id = $1 AND (id = $2 OR $2 IS NULL) ORDER BY deleted_at_ms LIMIT 200"
    ))
    .bind(&project.id)
    .bind(wanted)
    .fetch_all(&mut **change)
    .await?;
    if let Some(item) = item.filter(|_| all.is_empty()) {
        return Err(Error::not_found("deleted item", item.as_str()));
    }
    for deleted in &all {
        let subject = Subject {
            name: format!("{}/{}", project.path, deleted.name),
            project_id: Some(&project.id),
            model_id: deleted.model_id.as_ref(),
            object_id: &deleted.id,
        };
        change.record("trash.empty", subject, serde_json::json!({ "kind": deleted.kind })).await?;
        match deleted.kind.as_str() {
            "MODEL" => remove_model(change, &deleted.id).await?,
            "VERSION" => remove_version(change, &deleted.id).await?,
            "EXPERIMENT" => remove_experiment(change, &deleted.id).await?,
            _ => remove_candidate(change, &deleted.id).await?,
        }
    }
    Ok(i32::try_from(all.len()).unwrap_or(i32::MAX))
}

async fn count(change: &mut Change, project: &ProjectId) -> Result<i32> {
    let (left,): (i64,) =
        query(concat!("SELECT COUNT(*) FROM ", deleted!(), " WHERE project_id = $1"))
            .bind(project)
            .fetch_one(&mut **change)
            .await?;
    Ok(i32::try_from(left).unwrap_or(i32::MAX))
}

async fn run(change: &mut Change, statements: &[&'static str], id: &str) -> Result<()> {
    for statement in statements {
        query(statement).bind(id).execute(change).await?;
    }
    Ok(())
}

/// The tombstones of published versions whose `$1` is in a column: their names are not given again, nor those that
/// they had before their model was renamed.
macro_rules! bury {
    ($column:literal) => {
        concat!(
            "INSERT INTO version_tombstones (project_id, model, version, precedence, prerelease, number, digest)
             SELECT m.project_id, m.name, v.version, v.precedence, v.prerelease, v.number, v.digest
             FROM model_versions v JOIN models m ON m.id = v.model_id
             WHERE v.state = 'PUBLISHED' AND ",
            $column,
            " = $1
             UNION SELECT f.project_id, f.name, v.version, v.precedence, v.prerelease, v.number, v.digest
             FROM model_versions v JOIN former_names f ON f.model_id = v.model_id
             WHERE v.state = 'PUBLISHED' AND ",
            $column,
            " = $1 ON CONFLICT (project_id, model, version) DO NOTHING"
        )
    };
}

/// Files, tags, params and metrics go with their row in `objects`; blobs are swept later.
async fn remove_model(change: &mut Change, id: &str) -> Result<()> {
    let statements = [
        // Locks it: its experiment may be asked for, and made, meanwhile.
        "UPDATE models SET last_candidate = last_candidate WHERE id = $1",
        "INSERT INTO model_tombstones (project_id, name, last_version)
         SELECT project_id, name, last_version FROM models WHERE id = $1
         UNION SELECT f.project_id, f.name, m.last_version FROM former_names f JOIN models m ON m.id = f.model_id
               WHERE f.model_id = $1
         ON CONFLICT (project_id, name) DO UPDATE SET last_version = excluded.last_version
         WHERE excluded.last_version > model_tombstones.last_version",
        bury!("v.model_id"),
        "DELETE FROM alias_moves WHERE model_id = $1",
        "DELETE FROM aliases WHERE model_id = $1",
        "DELETE FROM protected_aliases WHERE model_id = $1",
        "DELETE FROM objects WHERE id IN (SELECT v.id FROM model_versions v WHERE v.model_id = $1)",
    ];
    run(change, &statements, id).await?;
    remove_runs(change, "c.model_id", id).await?;
    remove_experiments(change, "e.model_id", id).await?;
    let statements =
        ["DELETE FROM names WHERE object_id = $1", "DELETE FROM objects WHERE id = $1"];
    run(change, &statements, id).await
}

async fn remove_version(change: &mut Change, id: &str) -> Result<()> {
    let statements = [
        bury!("v.id"),
        "DELETE FROM aliases WHERE version_id = $1",
        "UPDATE alias_moves SET version_id = NULL WHERE version_id = $1",
        "DELETE FROM objects WHERE id = $1",
    ];
    run(change, &statements, id).await
}

async fn remove_candidate(change: &mut Change, id: &str) -> Result<()> {
    remove_runs(change, "c.id", id).await
}

async fn remove_experiment(change: &mut Change, id: &str) -> Result<()> {
    remove_runs(change, "c.experiment_id", id).await?;
    remove_experiments(change, "e.id", id).await
}

/// Removes the runs that have `id` in a column. Versions and logged models that were made from them stay.
async fn remove_runs(change: &mut Change, column: &str, id: &str) -> Result<()> {
    let runs = format!("(SELECT c.id FROM candidates c WHERE {column} = ?)");
    for statement in [
        "UPDATE model_versions SET candidate_id = NULL WHERE candidate_id IN ",
        "UPDATE logged_models SET candidate_id = NULL, folder = NULL WHERE candidate_id IN ",
        // First, as where points are settled: neither has what the other waits for.
        "DELETE FROM logged_points WHERE owner_id IN ",
        "DELETE FROM objects WHERE id IN (SELECT i.id FROM dataset_inputs i WHERE i.candidate_id IN ",
        "DELETE FROM objects WHERE id IN ",
    ] {
        let end = if statement.contains("(SELECT i.id") { ")" } else { "" };
        let sql = Sql::new(format!("{statement}{runs}{end}")).bind(id);
        Query::from(sql).execute(change).await?;
    }
    Ok(())
}

/// Removes the experiments, without runs by now, that have `id` in a column.
async fn remove_experiments(change: &mut Change, column: &str, id: &str) -> Result<()> {
    let experiments = format!("(SELECT e.id FROM experiments e WHERE {column} = ?)");
    for statement in [
        format!(
            "DELETE FROM objects WHERE id IN (SELECT l.id FROM logged_models l WHERE l.experiment_id IN {experiments})"
        ),
        format!("DELETE FROM datasets WHERE experiment_id IN {experiments}"),
        // Tags go with it; the experiment itself does not hang on it.
        format!("DELETE FROM objects WHERE id IN {experiments}"),
        format!("DELETE FROM experiments WHERE id IN {experiments}"),
    ] {
        Query::from(Sql::new(statement).bind(id)).execute(change).await?;
    }
    Ok(())
}

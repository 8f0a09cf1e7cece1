//! The rules of the trash: emptying it ends what lies there for good.

use async_graphql::ID;

use super::deleted;
use crate::access::project::Project;
use crate::access::{self, Actor, Writer};
use crate::action::Action;
use crate::change::Change;
use crate::db::{Query, Sql, query};
use crate::error::{Error, Result};
use crate::id::{ModelId, ProjectId};
use crate::log::Subject;
use crate::registry::catalog::project;
use crate::registry::target;

#[derive(sqlx::FromRow)]
struct Deleted {
    id: String,
    kind: String,
    name: String,
    model_id: Option<ModelId>,
}

/// For how long a version that nobody fetched is its publisher's to take back, in milliseconds.
const REGRET: i64 = 72 * 60 * 60 * 1000;

/// Proof that the caller may delete for good what is asked for: a maintainer anything, and who published a version that
/// one, as long as nobody can depend on it.
pub(super) struct Emptier(Writer);

impl Emptier {
    pub fn project(&self) -> &Project {
        self.0.project()
    }

    /// Checks it, and holds the project, as whoever restores something does.
    pub async fn of(
        change: &mut Change,
        actor: &Actor,
        path: &str,
        item: Option<&ID>,
    ) -> Result<Self> {
        let refused = match project::rules::lone_maintainer(change, actor, path).await {
            Ok(maintainer) => return Ok(Self((*maintainer).clone())),
            Err(error @ Error::Forbidden(_)) => error,
            Err(error) => return Err(error),
        };
        let before =
            access::writer(&mut **change, actor, path).await.map_err(|_| refused.clone())?;
        target::touch(change, &before.project().id).await?;
        let writer = access::writer(&mut **change, actor, path).await?;
        match item {
            Some(item) if is_regretted(change, &writer, item).await? => Ok(Self(writer)),
            _ => Err(refused),
        }
    }
}

/// Whether an item is a version that the caller published within [`REGRET`], nobody fetched and nothing names.
async fn is_regretted(change: &mut Change, writer: &Writer, item: &ID) -> Result<bool> {
    let found: Option<(i64,)> = query(
        "SELECT v.number FROM model_versions v
         WHERE v.id = $1 AND v.project_id = $2 AND v.deleted_at_ms IS NOT NULL AND v.state = 'PUBLISHED'
           AND v.published_at_ms > $3 AND v.last_fetched_at_ms IS NULL AND v.stage = 'NONE'
           AND NOT EXISTS (SELECT 1 FROM aliases a WHERE a.version_id = v.id)
           AND $4 = (SELECT e.actor_id FROM events e WHERE e.object_id = v.id
                     AND e.action IN ('version.publish', 'version.create', 'candidate.promote')
                     ORDER BY e.id DESC LIMIT 1)",
    )
    .bind(super::raw_id(item)?)
    .bind(&writer.project().id)
    .bind(change.now.millis() - REGRET)
    .bind(change.author())
    .fetch_optional(&mut **change)
    .await?;
    Ok(found.is_some())
}

pub(super) async fn empty(change: &mut Change, emptier: &Emptier, item: Option<ID>) -> Result<i32> {
    let project = emptier.project();
    let wanted = item.as_ref().map(super::raw_id).transpose()?;
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
        change
            .record(Action::TrashEmpty, subject, serde_json::json!({ "kind": deleted.kind }))
            .await?;
        match deleted.kind.as_str() {
            "MODEL" => remove_model(change, &deleted.id).await?,
            "VERSION" => remove_version(change, &deleted.id).await?,
            "EXPERIMENT" => remove_experiment(change, &deleted.id).await?,
            _ => remove_candidate(change, &deleted.id).await?,
        }
    }
    Ok(i32::try_from(all.len()).unwrap_or(i32::MAX))
}

pub(super) async fn count(change: &mut Change, project: &ProjectId) -> Result<i32> {
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

//! The rules of candidates: created, logged to, adopted by a model, deleted and restored.

use super::{Candidate, CandidateStatus, columns, sql};
use crate::access::project::Project;
use crate::access::{Reader, Writer};
use crate::action::Action;
use crate::change::Change;
use crate::db::{Conn, Query, Sql, Unmet, query};
use crate::error::{Error, Result};
use crate::id::{CandidateId, ExperimentId};
use crate::registry::catalog::model::Model;
use crate::registry::metadata::metric::{self, MetricInput};
use crate::registry::metadata::param::{self, ParamInput};
use crate::registry::metadata::tag::{self, TagInput};
use crate::registry::target::{self, Target};
use crate::text;
use crate::time::Timestamp;

/// What is logged to a run.
#[derive(Default)]
pub struct Log {
    pub params: Vec<ParamInput>,
    pub metrics: Vec<MetricInput>,
    pub tags: Vec<TagInput>,
}

impl Log {
    pub(super) fn of(
        params: Option<Vec<ParamInput>>,
        metrics: Option<Vec<MetricInput>>,
        tags: Option<Vec<TagInput>>,
    ) -> Self {
        Self {
            params: params.unwrap_or_default(),
            metrics: metrics.unwrap_or_default(),
            tags: tags.unwrap_or_default(),
        }
    }

    async fn insert(self, change: &mut Change, id: &CandidateId) -> Result<()> {
        param::rules::insert_all(change, id.raw(), self.params).await?;
        metric::rules::insert_all(change, id.raw(), self.metrics).await?;
        tag::rules::insert_all(change, id.raw(), self.tags).await
    }
}

/// A new training run.
#[derive(Default)]
pub struct NewCandidate {
    pub name: Option<String>,
    pub status: Option<CandidateStatus>,
    pub started_at: Option<Timestamp>,
    pub log: Log,
}

/// What changes about a training run; what is none stays.
#[derive(Default)]
pub struct CandidateChanges {
    pub name: Option<String>,
    pub status: Option<CandidateStatus>,
    pub ended_at: Option<Timestamp>,
    pub log: Log,
}

/// Records a run in an experiment, which is that of `model` if there is one.
pub async fn create(
    change: &mut Change,
    writer: &Writer,
    experiment: &ExperimentId,
    model: Option<&Model>,
    new: NewCandidate,
) -> Result<Candidate> {
    let name = new.name.map(|name| text::new_name("name", &name)).transpose()?;
    let status = new.status.unwrap_or(CandidateStatus::Running);
    let number = match model {
        Some(model) => Some(next_number(change, model).await?),
        None => None,
    };
    let id = CandidateId::new(change.now);
    let unnamed =
        || number.map_or_else(|| "run".to_owned(), |number| format!("candidate-{number}"));
    let candidate: Candidate = query(concat!(
        "INSERT INTO candidates (id, experiment_id, model_id, number, name, status, author_id,
             started_at_ms, ended_at_ms, created_at_ms, updated_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10) RETURNING ",
        columns!()
    ))
    .bind(&id)
    .bind(experiment)
    .bind(model.map(|model| model.id.raw().to_owned()))
    .bind(number)
    .bind(name.unwrap_or_else(unnamed))
    .bind(status)
    .bind(change.author())
    .bind(new.started_at.unwrap_or(change.now))
    .bind(status.is_over().then_some(change.now))
    .bind(change.now)
    .fetch_one(&mut **change)
    .await?;
    new.log.insert(change, &id).await?;
    candidate.publish(change);
    let target = candidate.target(writer.project(), model.map(|model| model.name.as_str()));
    change.record(Action::CandidateCreate, target.subject(), serde_json::json!({})).await?;
    Ok(candidate)
}

async fn next_number(change: &mut Change, model: &Model) -> Result<i64> {
    let (number,): (i64,) = query(
        "UPDATE models SET last_candidate = last_candidate + 1
         WHERE id = $1 AND deleted_at_ms IS NULL RETURNING last_candidate",
    )
    .bind(&model.id)
    .fetch_optional(&mut **change)
    .await?
    .ok_or_else(|| Error::not_found("model", &model.name))?;
    Ok(number)
}

/// Makes a run that belongs to no model a candidate of one.
pub async fn adopt(change: &mut Change, model: &Model, candidate: Candidate) -> Result<Candidate> {
    if candidate.model_id.is_some() {
        return Ok(candidate);
    }
    let number = next_number(change, model).await?;
    let adopted: Option<Candidate> = query(concat!(
        "UPDATE candidates SET model_id = $2, number = $3 WHERE id = $1 AND model_id IS NULL RETURNING ",
        columns!()
    ))
    .bind(&candidate.id)
    .bind(&model.id)
    .bind(number)
    .fetch_optional(&mut **change)
    .await?;
    // Somebody else was quicker: it is as good.
    match adopted {
        Some(candidate) => {
            candidate.publish(change);
            Ok(candidate)
        }
        None => sql::get_run(&mut **change, &candidate.id).await,
    }
}

/// Changes a run, and logs to it.
pub async fn update(
    change: &mut Change,
    _writer: &Writer,
    target: &Target,
    changes: CandidateChanges,
) -> Result<Candidate> {
    // Locked first, then read again: two who log at once change each their own.
    target.touch(change).await?;
    let old = sql::get_run(&mut **change, &CandidateId::from_raw(target.id())).await?;
    let name = changes.name.map(|name| text::changed_name("name", &name, &old.name)).transpose()?;
    let status = changes.status.unwrap_or(old.status);
    let ended = match (changes.ended_at, old.ended_at_ms) {
        (Some(ended), _) => Some(ended),
        _ if !status.is_over() => None,
        (None, Some(ended)) => Some(ended),
        (None, None) => Some(change.now),
    };
    changes.log.insert(change, &old.id).await?;
    let candidate: Candidate = query(concat!(
        "UPDATE candidates SET name = $2, status = $3, ended_at_ms = $4 WHERE id = $1 RETURNING ",
        columns!()
    ))
    .bind(&old.id)
    .bind(name.unwrap_or(old.name))
    .bind(status)
    .bind(ended)
    .fetch_one(&mut **change)
    .await?;
    let has_ended = status.is_over() && !old.status.is_over();
    let detail = match has_ended {
        true => serde_json::json!({ "status": status.as_str() }),
        false => serde_json::json!({}),
    };
    change.record(Action::CandidateUpdate, target.subject(), detail).await?;
    Ok(candidate)
}

/// Logs to a run that goes on. Of one that logs every second, the log has one line a minute.
pub async fn log(
    change: &mut Change,
    _writer: &Writer,
    Touched { target, run }: &Touched,
    log: Log,
) -> Result<()> {
    change.record_sometimes(Action::CandidateLog, target.subject()).await?;
    log.insert(change, &run.id).await
}

/// Puts a candidate into the trash, or takes it out.
pub async fn set_deleted(
    change: &mut Change,
    writer: &Writer,
    target: &Target,
    deleted: bool,
) -> Result<Candidate> {
    // With the trash of the project held, what is restored is not deleted for good meanwhile.
    target::touch(change, &writer.project().id).await?;
    if !deleted {
        check_experiment(change, target).await?;
    }
    let (kind, action) = if deleted {
        ("run", Action::CandidateDelete)
    } else {
        ("deleted run", Action::CandidateRestore)
    };
    let candidate: Option<Candidate> = query(concat!(
        "UPDATE candidates SET deleted_at_ms = $2, deleted_by_id = $3
         WHERE id = $1 AND (deleted_at_ms IS NULL) = $4 RETURNING ",
        columns!()
    ))
    .bind(target.id())
    .bind(deleted.then_some(change.now))
    .bind(deleted.then(|| change.author().raw().to_owned()))
    .bind(deleted)
    .fetch_optional(&mut **change)
    .await?;
    let candidate = candidate.ok_or_else(|| Error::not_found(kind, target.id()))?;
    candidate.publish(change);
    change.record(action, target.subject(), serde_json::json!({})).await?;
    Ok(candidate)
}

/// Refuses to restore a run whose experiment is in the trash: emptying that would delete it for good.
async fn check_experiment(change: &mut Change, target: &Target) -> Result<()> {
    let trashed: Option<(String,)> = query(
        "SELECT e.name FROM candidates c JOIN experiments e ON e.id = c.experiment_id
         WHERE c.id = $1 AND c.deleted_at_ms IS NOT NULL AND e.deleted_at_ms IS NOT NULL AND e.model_id IS NULL",
    )
    .bind(target.id())
    .fetch_optional(&mut **change)
    .await?;
    match trashed {
        Some((name,)) => Err(Error::Conflict(format!(
            "The experiment {name} of this run is in the trash. Restore the experiment first."
        ))),
        None => Ok(()),
    }
}

/// A run that could be logged to when it was looked for.
pub struct LiveRun(Touched);

/// A run that is [marked](touch_live) as changed, to be logged to.
pub struct Touched {
    pub target: Target,
    pub run: Candidate,
}

/// The run with an id in a project, unless it is in the trash by itself or with its experiment.
const THIS_RUN: &str = "id = ? AND deleted_at_ms IS NULL
     AND EXISTS (SELECT 1 FROM experiments e WHERE e.id = candidates.experiment_id
                 AND e.project_id = ? AND e.deleted_at_ms IS NULL)";

/// The run with this id in the project, if it can be logged to. Looked for before the change begins, since others
/// wait while that lasts.
pub async fn find_live(
    conn: impl Into<Conn<'_>>,
    reader: &Reader,
    run_id: &str,
) -> Result<Option<LiveRun>> {
    let mut sql = Sql::new(concat!(
        "SELECT ",
        columns!(),
        ", (SELECT m.name FROM models m WHERE m.id = model_id) AS model_name FROM candidates WHERE "
    ));
    let project = reader.project();
    sql.push_sql(Sql::new(THIS_RUN).bind(text::looked_up(run_id)).bind(&project.id));
    let found: Option<RunOfModel> = Query::from(sql).fetch_optional(conn).await?;
    Ok(found.map(|found| LiveRun(found.touched(project))))
}

/// Marks a run as changed, which also locks it until the change is over. The change fails if the run is no longer
/// there, or in another project.
pub async fn touch_live(
    change: &mut Change,
    writer: &Writer,
    LiveRun(run): LiveRun,
) -> Result<Touched> {
    let live = Sql::new(THIS_RUN).bind(&run.run.id).bind(&writer.project().id);
    let mut touch = Sql::new("UPDATE candidates SET updated_at_ms = ? WHERE ").bind(change.now);
    touch.push_sql(live.clone());
    Query::from(touch).later(change).await?;
    let mut there = Sql::new("SELECT 1 FROM candidates WHERE ");
    there.push_sql(live);
    let missing = Unmet::Missing { kind: "run", key: run.target.id().to_owned() };
    change.require(there, missing).await?;
    run.run.publish(change);
    Ok(run)
}

/// As [`find_live`] and [`touch_live`] at once.
pub async fn find_and_touch(
    change: &mut Change,
    writer: &Writer,
    run_id: &str,
) -> Result<Option<Touched>> {
    let project = writer.project();
    let mut sql = Sql::new("UPDATE candidates SET updated_at_ms = ? WHERE ").bind(change.now);
    sql.push_sql(Sql::new(THIS_RUN).bind(text::looked_up(run_id)).bind(&project.id));
    sql.push(concat!(
        " RETURNING ",
        columns!(),
        ", (SELECT m.name FROM models m WHERE m.id = model_id) AS model_name"
    ));
    let found: Option<RunOfModel> = Query::from(sql).fetch_optional(&mut **change).await?;
    Ok(found.map(|found| {
        found.run.publish(change);
        found.touched(project)
    }))
}

/// A run, and the name of its model if it has one.
#[derive(sqlx::FromRow)]
struct RunOfModel {
    #[sqlx(flatten)]
    run: Candidate,
    model_name: Option<String>,
}

impl RunOfModel {
    fn touched(self, project: &Project) -> Touched {
        let target = self.run.target(project, self.model_name.as_deref());
        Touched { target, run: self.run }
    }
}

//! Candidates: training runs of a model, with params, metrics, tags and files. One of them may become a
//! version. A candidate is an MLflow run: its raw id is the run id.

mod graphql;
mod sql;

use crate::auth::Writer;
use crate::db::query;
use crate::error::{Error, Result};
use crate::id::{CandidateId, ExperimentId, ModelId, UserId};
use crate::registry::event::{Change, Subject};
use crate::registry::metric::{self, MetricInput};
use crate::registry::model::{Model, insert_object};
use crate::registry::param::{self, ParamInput};
use crate::registry::tag::{self, TagInput};
use crate::registry::{experiment, project, text_enum};
use crate::text;
use crate::time::Timestamp;
use graphql::{CreateCandidateInput, UpdateCandidateInput};

pub use graphql::{CandidateMutation, CandidateOrder};
pub use sql::{CandidateColumns, CandidateCount, columns_of, find, get, list};

text_enum! {
    /// How a training run is doing.
    CandidateStatus {
        /// It is running.
        Running = "RUNNING",
        /// It will run.
        Scheduled = "SCHEDULED",
        /// It ended well.
        Finished = "FINISHED",
        /// It ended with an error.
        Failed = "FAILED",
        /// Somebody ended it.
        Killed = "KILLED",
    }
}

impl CandidateStatus {
    fn is_over(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Killed)
    }
}

/// One training run.
#[derive(Clone, Debug, sqlx::FromRow, async_graphql::SimpleObject)]
#[graphql(complex)]
pub struct Candidate {
    #[graphql(skip)]
    pub id: CandidateId,
    #[graphql(skip)]
    pub experiment_id: ExperimentId,
    #[graphql(skip)]
    pub model_id: Option<ModelId>,
    /// Its number in the model: 1, 2, 3 …, never given twice; null while it belongs to no model.
    pub number: Option<i64>,
    /// Its name; need not be unique.
    pub name: String,
    /// How it is doing.
    #[sqlx(try_from = "String")]
    pub status: CandidateStatus,
    #[graphql(skip)]
    pub author_id: UserId,
    /// When training began.
    #[graphql(name = "startedAt")]
    pub started_at_ms: Option<Timestamp>,
    /// When training ended; null while it runs.
    #[graphql(name = "endedAt")]
    pub ended_at_ms: Option<Timestamp>,
    /// When it was created.
    #[graphql(name = "createdAt")]
    pub created_at_ms: Timestamp,
    /// When something was last logged to it.
    #[graphql(name = "updatedAt")]
    pub updated_at_ms: Timestamp,
    /// When it was put into the trash; null if it is not there.
    #[graphql(name = "deletedAt")]
    pub deleted_at_ms: Option<Timestamp>,
}

/// The columns of [`Candidate`].
macro_rules! columns {
    () => {
        "id, experiment_id, model_id, number, name, status, author_id, started_at_ms, ended_at_ms, \
         created_at_ms, updated_at_ms, deleted_at_ms"
    };
}
use columns;

/// What is logged to a run.
struct Log {
    params: Option<Vec<ParamInput>>,
    metrics: Option<Vec<MetricInput>>,
    tags: Option<Vec<TagInput>>,
}

impl Log {
    async fn insert(self, change: &mut Change, id: &CandidateId) -> Result<()> {
        param::insert_all(change, id.raw(), self.params.unwrap_or_default()).await?;
        metric::insert_all(change, id.raw(), self.metrics.unwrap_or_default()).await?;
        tag::insert_all(change, id.raw(), self.tags.unwrap_or_default()).await?;
        Ok(())
    }
}

async fn create(
    change: &mut Change,
    writer: &Writer,
    model: &Model,
    input: CreateCandidateInput,
) -> Result<Candidate> {
    let name = input.name.map(|name| text::name("name", &name)).transpose()?;
    let status = input.status.unwrap_or(CandidateStatus::Running);
    let (number,): (i64,) = query(
        "UPDATE models SET last_candidate = last_candidate + 1
         WHERE id = $1 AND deleted_at_ms IS NULL RETURNING last_candidate",
    )
    .bind(&model.id)
    .fetch_optional(&mut **change)
    .await?
    .ok_or_else(|| Error::not_found("model", &model.name))?;
    let experiment_id = experiment::default_of(change, model).await?;
    let id = CandidateId::new(change.now);
    insert_object(change, id.raw(), "CANDIDATE").await?;
    let candidate: Candidate = query(concat!(
        "INSERT INTO candidates (id, experiment_id, model_id, number, name, status, author_id,
             started_at_ms, ended_at_ms, created_at_ms, updated_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10) RETURNING ",
        columns!()
    ))
    .bind(&id)
    .bind(&experiment_id)
    .bind(&model.id)
    .bind(number)
    .bind(name.unwrap_or_else(|| format!("candidate-{number}")))
    .bind(status)
    .bind(change.author())
    .bind(input.started_at.unwrap_or(change.now))
    .bind(status.is_over().then_some(change.now))
    .bind(change.now)
    .fetch_one(&mut **change)
    .await?;
    let log = Log { params: input.params, metrics: input.metrics, tags: input.tags };
    log.insert(change, &id).await?;
    record(change, writer, "candidate.create", model, &candidate).await?;
    Ok(candidate)
}

async fn update(
    change: &mut Change,
    writer: &Writer,
    model: &Model,
    old: Candidate,
    input: UpdateCandidateInput,
) -> Result<Candidate> {
    let name = input.name.take().map(|name| text::name("name", &name)).transpose()?;
    // Locked first, then read again: two who log at once change each their own.
    touch(change, &old.id).await?;
    let number = old.number.unwrap_or_default();
    let old = get(&mut **change, model, number).await?;
    let status = input.status.take().unwrap_or(old.status);
    let ended = match (input.ended_at.take(), old.ended_at_ms) {
        (Some(ended), _) => Some(ended),
        _ if !status.is_over() => None,
        (None, Some(ended)) => Some(ended),
        (None, None) => Some(change.now),
    };
    let log = Log { params: input.params, metrics: input.metrics, tags: input.tags };
    log.insert(change, &old.id).await?;
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
    record(change, writer, "candidate.update", model, &candidate).await?;
    Ok(candidate)
}

/// Puts a candidate into the trash, or takes it out.
async fn set_deleted(
    change: &mut Change,
    writer: &Writer,
    model: &Model,
    number: i64,
    deleted: bool,
) -> Result<Candidate> {
    // With the trash of the project held, what is restored is not deleted for good meanwhile.
    project::touch(change, &writer.project().id).await?;
    let (kind, action) = if deleted {
        ("candidate", "candidate.delete")
    } else {
        ("deleted candidate", "candidate.restore")
    };
    let candidate: Option<Candidate> = query(concat!(
        "UPDATE candidates SET deleted_at_ms = $3, deleted_by_id = $4
         WHERE model_id = $1 AND number = $2 AND (deleted_at_ms IS NULL) = $5 RETURNING ",
        columns!()
    ))
    .bind(&model.id)
    .bind(number)
    .bind(deleted.then_some(change.now))
    .bind(deleted.then(|| change.author().raw().to_owned()))
    .bind(deleted)
    .fetch_optional(&mut **change)
    .await?;
    let candidate = candidate.ok_or_else(|| Error::not_found(kind, number.to_string()))?;
    record(change, writer, action, model, &candidate).await?;
    Ok(candidate)
}

/// Marks a candidate as changed, which also locks it until the change is over.
pub async fn touch(change: &mut Change, id: &CandidateId) -> Result<()> {
    let touched =
        query("UPDATE candidates SET updated_at_ms = $2 WHERE id = $1 AND deleted_at_ms IS NULL")
            .bind(id)
            .bind(change.now)
            .execute(change)
            .await?;
    if touched == 0 { Err(Error::not_found("candidate", id.raw())) } else { Ok(()) }
}

async fn record(
    change: &mut Change,
    writer: &Writer,
    action: &'static str,
    model: &Model,
    candidate: &Candidate,
) -> Result<()> {
    let number = candidate.number.unwrap_or_default();
    let subject = Subject {
        name: format!("{}/{}/candidates/{number}", writer.project().path, model.name),
        project_id: Some(&model.project_id),
        model_id: Some(&model.id),
        object_id: candidate.id.raw(),
    };
    change.record(action, subject, serde_json::json!({})).await
}

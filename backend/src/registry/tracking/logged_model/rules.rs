//! The rules of logged models: made by runs, finished once, linked and deleted.

use super::{LoggedModel, LoggedModelStatus, columns, sql};
use crate::access::Writer;
use crate::action::Action;
use crate::change::Change;
use crate::db::query;
use crate::error::{Error, Result};
use crate::id::{CandidateId, LoggedModelId};
use crate::registry::catalog::file;
use crate::registry::metadata::metric::MetricValue;
use crate::registry::metadata::param::{self, ParamInput};
use crate::registry::metadata::tag::{self, TagInput};
use crate::registry::target::{self, Target};
use crate::registry::tracking::candidate::Candidate;
use crate::registry::tracking::experiment::Experiment;
use crate::text;
use crate::time::Timestamp;

/// A new logged model.
pub struct NewLoggedModel {
    pub name: String,
    pub model_type: String,
    /// The run that it comes from where that is not here.
    pub source_run_id: Option<String>,
    pub params: Vec<ParamInput>,
    pub tags: Vec<TagInput>,
}

/// Begins a logged model of a run, or of none.
pub async fn create(
    change: &mut Change,
    writer: &Writer,
    experiment: &Experiment,
    run: Option<&Candidate>,
    new: NewLoggedModel,
) -> Result<LoggedModel> {
    let id = LoggedModelId::new(change.now);
    let model: LoggedModel = query(concat!(
        "INSERT INTO logged_models (id, experiment_id, candidate_id, source_run_id, name, model_type, status,
                                    author_id, created_at_ms, updated_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, 'PENDING', $7, $8, $8) RETURNING ",
        columns!()
    ))
    .bind(&id)
    .bind(&experiment.id)
    .bind(run.map(|run| run.id.raw().to_owned()))
    .bind(new.source_run_id.map(|id| text::value("source_run_id", id)).transpose()?)
    .bind(text::new_name("name", &new.name)?)
    .bind(text::value("model_type", new.model_type)?)
    .bind(change.author())
    .bind(change.now)
    .fetch_one(&mut **change)
    .await?;
    param::rules::insert_all(change, id.raw(), new.params).await?;
    tag::rules::insert_all(change, id.raw(), new.tags).await?;
    let target = model.target(writer.project());
    let detail = serde_json::json!({ "name": model.name });
    change.record(Action::LoggedModelCreate, target.subject(), detail).await?;
    Ok(model)
}

/// Says whether a logged model is being filled, finished or given up.
pub async fn finalize(
    change: &mut Change,
    writer: &Writer,
    model: &LoggedModel,
    status: LoggedModelStatus,
) -> Result<LoggedModel> {
    target::touch(change, &model.id).await?;
    let model = sql::get(&mut **change, &model.id).await?;
    let folder = match (&model.folder, &model.candidate_id, status) {
        (None, Some(run), LoggedModelStatus::Ready) => show_in_run(change, &model, run).await?,
        (folder, _, _) => folder.clone(),
    };
    let done: LoggedModel = query(concat!(
        "UPDATE logged_models SET status = $2, folder = $3 WHERE id = $1 RETURNING ",
        columns!()
    ))
    .bind(&model.id)
    .bind(status)
    .bind(folder)
    .fetch_one(&mut **change)
    .await?;
    let target = done.target(writer.project());
    let detail = serde_json::json!({ "status": status.as_str() });
    change.record(Action::LoggedModelFinalize, target.subject(), detail).await?;
    Ok(done)
}

/// Gives a run the files of a model that it logged, in a folder of the model's name; returns the folder.
/// None where the run is in the trash.
async fn show_in_run(
    change: &mut Change,
    model: &LoggedModel,
    run: &CandidateId,
) -> Result<Option<String>> {
    match target::touch(change, run).await {
        Err(Error::NotFound { .. }) => return Ok(None),
        touched => touched?,
    }
    let name = text::nfc(&model.name.replace('/', "-"));
    let mut folder = name.clone();
    if file::rules::is_taken(change, run.raw(), &folder).await? {
        folder = format!("{name}-{}", model.id.wire());
    }
    file::rules::copy(change, (model.id.raw(), ""), (run.raw(), &folder)).await?;
    Ok(Some(folder))
}

/// Puts a logged model into the trash. What was registered from it stays.
pub async fn delete(change: &mut Change, writer: &Writer, model: &LoggedModel) -> Result<()> {
    target::touch(change, &model.id).await?;
    query("UPDATE logged_models SET deleted_at_ms = $2 WHERE id = $1")
        .bind(&model.id)
        .bind(change.now)
        .execute(change)
        .await?;
    let target = model.target(writer.project());
    change.record(Action::LoggedModelDelete, target.subject(), serde_json::json!({})).await
}

/// Adds params.
pub async fn log_params(
    change: &mut Change,
    _writer: &Writer,
    target: &Target,
    params: Vec<ParamInput>,
) -> Result<()> {
    target.touch(change).await?;
    param::rules::insert_all(change, target.id(), params).await?;
    change.record_sometimes(Action::LoggedModelLog, target.subject()).await
}

/// A point of a metric that a run measured of a logged model.
pub struct ModelMetric {
    pub name: String,
    pub value: MetricValue,
    pub step: i64,
    pub timestamp: Timestamp,
    pub dataset_name: String,
    pub dataset_digest: String,
}

/// Links points of metrics to a logged model.
pub async fn log_metrics(
    change: &mut Change,
    _writer: &Writer,
    model: &LoggedModel,
    run: &CandidateId,
    metrics: Vec<ModelMetric>,
) -> Result<()> {
    for metric in metrics {
        query(
            "INSERT INTO logged_model_metrics (logged_model_id, name, step, timestamp_ms, run_id, value_order,
                                               value, dataset_name, dataset_digest)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             ON CONFLICT (logged_model_id, name, step, timestamp_ms, run_id) DO UPDATE
             SET value = excluded.value, value_order = excluded.value_order,
                 dataset_name = excluded.dataset_name, dataset_digest = excluded.dataset_digest",
        )
        .bind(&model.id)
        .bind(text::key("key", &metric.name)?)
        .bind(metric.step)
        .bind(metric.timestamp)
        .bind(run)
        .bind(metric.value.order())
        .bind(metric.value.stored())
        .bind(text::value("dataset_name", metric.dataset_name)?)
        .bind(text::value("dataset_digest", metric.dataset_digest)?)
        .execute(change)
        .await?;
    }
    Ok(())
}

/// Says that a run was given a logged model, or made it at a step.
pub async fn link(
    change: &mut Change,
    _writer: &Writer,
    run: &Target,
    model: &LoggedModel,
    (is_output, step): (bool, i64),
) -> Result<()> {
    run.touch(change).await?;
    query(
        "INSERT INTO run_models (candidate_id, logged_model_id, is_output, step) VALUES ($1, $2, $3, $4)
         ON CONFLICT (candidate_id, logged_model_id, is_output) DO UPDATE SET step = excluded.step",
    )
    .bind(run.id())
    .bind(&model.id)
    .bind(is_output)
    .bind(step)
    .execute(change)
    .await?;
    change.record_sometimes(Action::CandidateLog, run.subject()).await
}

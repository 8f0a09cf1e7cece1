//! Runs, which are candidates: those of a model, and those that belong to none.

use std::collections::HashMap;

use serde::Serialize;

use super::call::{Call, Done};
use super::error::{Failure, Result};
use super::experiments::{self, VIEW_TYPE};
use super::lists::{self, Parts};
use super::message::{Message, missing};
use super::names;
use super::wire::{self, Metric, Pair, RUN_STATUS, Run, RunInfo};
use crate::access::user::User;
use crate::access::{Reader, Writer};
use crate::change::Change;
use crate::db::Conn;
use crate::error::Error;
use crate::loader::Loaders;
use crate::registry::catalog::{model, upload, version};
use crate::registry::metadata::metric::Metric as StoredMetric;
use crate::registry::metadata::metric::sql::MetricsOf;
use crate::registry::metadata::param::{Param, ParamsOf};
use crate::registry::metadata::tag::{self, Tag, TagInput, TagsOf};
use crate::registry::target::Target;
use crate::registry::tracking::candidate::rules::{
    CandidateChanges, LiveRun, Log, NewCandidate, Touched,
};
use crate::registry::tracking::candidate::sql::FoundRun;
use crate::registry::tracking::candidate::{self, Candidate};
use crate::registry::tracking::dataset::rules::NewInput;
use crate::registry::tracking::dataset::{self, Input, InputsOf};
use crate::registry::tracking::experiment::Experiment;
use crate::registry::tracking::experiment::sql::Lifecycle;
use crate::registry::tracking::logged_model;
use crate::registry::tracking::logged_model::sql::{RunModel, RunModelsOf};
use crate::time::Timestamp;

/// The tag that has the name of a run; here it is the name itself.
const NAME_TAG: &str = "mlflow.runName";

/// The tag that says who ran it.
const USER_TAG: &str = "mlflow.user";

#[derive(Serialize)]
pub struct Found {
    run: Run,
}

#[derive(Serialize)]
pub struct Updated {
    run_info: RunInfo,
}

#[derive(Serialize)]
pub struct Page {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    runs: Vec<Run>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// A run and its experiment, also from the trash.
pub async fn readable(
    conn: impl Into<Conn<'_>>,
    reader: &Reader,
    run_id: &str,
) -> Result<FoundRun> {
    Ok(candidate::sql::readable_run(conn, reader, run_id).await?)
}

/// As [`readable`], for what is to be changed.
pub async fn active(conn: impl Into<Conn<'_>>, reader: &Reader, run_id: &str) -> Result<FoundRun> {
    let found = readable(conn, reader, run_id).await?;
    if found.deleted_at_ms().is_some() {
        return Err(Failure::invalid(format!(
            "The run {run_id} must be in the 'active' state. Current state is deleted."
        )));
    }
    Ok(found)
}

/// The run that the request logs to, and the change that it is logged with. Where changes wait for each other it is looked
/// for before that begins.
pub async fn to_log(call: &Call, run_id: &str) -> Result<(Touched, Change, Writer)> {
    call.actor.check_may_write()?;
    let early = match call.app.db.has_one_writer() {
        true => Some(live(call, run_id).await?),
        false => None,
    };
    let (mut change, writer) = call.change().await?;
    let run = match early {
        Some(run) => Some(candidate::rules::touch_live(&mut change, &writer, run).await?),
        None => candidate::rules::find_and_touch(&mut change, &writer, run_id).await?,
    };
    match run {
        Some(run) => Ok((run, change, writer)),
        None => Err(explain_absent(&mut *change, &writer, run_id).await),
    }
}

/// A run that can be logged to.
async fn live(call: &Call, run_id: &str) -> Result<LiveRun> {
    let (db, writer) = (&call.app.db, Writer::of(call.reader().await?)?);
    match candidate::rules::find_live(db, &writer, run_id).await? {
        Some(run) => Ok(run),
        None => Err(explain_absent(db, &writer, run_id).await),
    }
}

/// Why a run cannot be logged to.
async fn explain_absent(conn: impl Into<Conn<'_>>, reader: &Reader, run_id: &str) -> Failure {
    match active(conn, reader, run_id).await {
        Err(failure) => failure,
        Ok(_) => Error::Conflict(format!("Run {run_id} was restored just now. Try again.")).into(),
    }
}

pub async fn create(call: Call) -> Result<Found> {
    let message = &call.message;
    let experiment_id = message.text("experiment_id")?.filter(|id| !id.is_empty());
    let experiment_id = experiment_id.unwrap_or_else(|| "0".to_owned());
    let mut tags = names::tags(message)?;
    let tag_name = take_name(&mut tags);
    let name = match (message.text("run_name")?.filter(|name| !name.is_empty()), tag_name) {
        (Some(name), Some(tag)) if name != tag => {
            return Err(Failure::invalid(format!(
                "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values \
                 (run_name='{name}', mlflow.runName='{tag}')."
            )));
        }
        (name, tag) => name.or(tag).unwrap_or_else(names::random_name),
    };
    // MLflow keeps who ran it beside the tags; a tag says it better.
    let user = message.text_or_empty("user_id")?;
    if !user.is_empty() && !tags.iter().any(|tag| tag.key == USER_TAG) {
        tags.push(TagInput { key: USER_TAG.to_owned(), value: user });
    }
    let started_at = message.int("start_time")?.filter(|time| *time > 0);
    let (mut change, writer) = call.change().await?;
    let experiment = experiments::get_active(&mut *change, &writer, &experiment_id).await?;
    let model = match &experiment.model_id {
        Some(id) => Some(model::sql::get_by_id(&mut *change, id).await?),
        None => None,
    };
    let new = NewCandidate {
        name: Some(clean_name(&name)),
        started_at: started_at.map(Timestamp::from_millis),
        log: Log { tags, ..Log::default() },
        ..NewCandidate::default()
    };
    let run =
        candidate::rules::create(&mut change, &writer, &experiment.id, model.as_ref(), new).await?;
    change.commit().await?;
    let mut made = one(&call, run, experiment).await?;
    // As in MLflow, where what is new has none yet.
    made.run.outputs = None;
    Ok(made)
}

/// Takes the name of a run out of its tags.
fn take_name(tags: &mut Vec<TagInput>) -> Option<String> {
    let index = tags.iter().position(|tag| tag.key == NAME_TAG)?;
    Some(tags.swap_remove(index).value).filter(|name| !name.is_empty())
}

/// A name as it is kept: what MLflow takes and we do not is left out.
fn clean_name(name: &str) -> String {
    let name: String = name
        .chars()
        .map(|c| if model_registry_names::is_hidden(c) { ' ' } else { c })
        .take(255)
        .collect();
    match name.trim() {
        "" => names::random_name(),
        name => name.to_owned(),
    }
}

pub async fn get(call: Call) -> Result<Found> {
    let reader = call.reader().await?;
    let found = readable(&call.app.db, &reader, &call.message.run_id()?).await?;
    one(&call, found.run, found.experiment).await
}

async fn one(call: &Call, run: Candidate, experiment: Experiment) -> Result<Found> {
    let runs = render(&call.loaders(), vec![run], &[experiment]).await?;
    let run = runs.into_iter().next().ok_or_else(|| Error::internal("a run got lost"))?;
    Ok(Found { run })
}

pub async fn search(call: Call) -> Result<Page> {
    let reader = call.reader().await?;
    let message = &call.message;
    let lifecycle = message.choice("run_view_type", VIEW_TYPE)?.unwrap_or(Lifecycle::Active);
    let (filter, order) = (message.text_or_empty("filter")?, message.texts("order_by")?);
    let page = lists::page(message, names::page_size(message, 1000, 50_000)?)?;
    let ids = message.texts("experiment_ids")?;
    let experiments = experiments::find_numbered(&call, &reader, &ids).await?;
    let within: Vec<_> = experiments.iter().map(|experiment| experiment.id.clone()).collect();
    let list = candidate::sql::search(&call.app.db, &within, &filter, &order, lifecycle)?;
    let mut parts = Parts::of(&call, (&list, None), &page).await?;
    while let Some((loaders, rows)) = parts.next() {
        parts.add(render(&loaders, rows, &experiments).await)?;
    }
    let (runs, next_page_token) = parts.end();
    Ok(Page { runs, next_page_token })
}

/// Runs with all that they have: a constant number of statements, however many they are.
async fn render(
    loaders: &Loaders,
    runs: Vec<Candidate>,
    experiments: &[Experiment],
) -> Result<Vec<Run>> {
    let ids = || runs.iter().map(|run| run.id.raw().to_owned());
    let inputs = loaders.load_lists(ids().map(InputsOf)).await?;
    let input_ids = inputs.values().flatten().map(|input: &Input| input.id.clone());
    let mut all = All {
        tags: loaders.load_lists(ids().chain(input_ids).map(TagsOf)).await?,
        params: loaders.load_lists(ids().map(ParamsOf)).await?,
        metrics: loaders.load_lists(ids().map(MetricsOf)).await?,
        models: loaders.load_lists(ids().map(RunModelsOf)).await?,
        users: loaders.load_all(runs.iter().map(|run| run.author_id.clone())).await?,
        inputs,
    };
    let by_id: HashMap<_, _> =
        experiments.iter().map(|experiment| (&experiment.id, experiment)).collect();
    runs.iter()
        .map(|run| {
            let experiment = by_id.get(&run.experiment_id);
            let experiment =
                experiment.ok_or_else(|| Error::internal("a run without its experiment"))?;
            Ok(all.render(run, experiment))
        })
        .collect()
}

/// What runs have, by their ids.
struct All {
    tags: HashMap<TagsOf, Vec<Tag>>,
    params: HashMap<ParamsOf, Vec<Param>>,
    metrics: HashMap<MetricsOf, Vec<StoredMetric>>,
    models: HashMap<RunModelsOf, Vec<RunModel>>,
    users: HashMap<crate::id::UserId, User>,
    inputs: HashMap<InputsOf, Vec<Input>>,
}

impl All {
    fn render(&mut self, run: &Candidate, experiment: &Experiment) -> Run {
        let id = || run.id.raw().to_owned();
        let mut tags = self.tags_of(&id());
        let user = tags.iter().find(|tag| tag.key == USER_TAG).map(|tag| tag.value.clone());
        let user =
            user.or_else(|| self.users.get(&run.author_id).map(|user| user.username.clone()));
        tags.push(Pair { key: NAME_TAG.to_owned(), value: run.name.clone() });
        let params = self.params.remove(&ParamsOf(id())).unwrap_or_default().into_iter();
        let metrics = self.metrics.remove(&MetricsOf(id())).unwrap_or_default().into_iter();
        let models = self.models.remove(&RunModelsOf(id())).unwrap_or_default();
        let inputs = self.inputs.remove(&InputsOf(id())).unwrap_or_default();
        Run {
            info: RunInfo::new(run, experiment, user.unwrap_or_default()),
            data: wire::RunData {
                metrics: metrics
                    .map(|m| Metric::new(m.name, m.value, m.timestamp_ms, m.step.0))
                    .collect(),
                params: params.map(|param| Pair { key: param.name, value: param.value }).collect(),
                tags,
            },
            inputs: wire::RunInputs {
                dataset_inputs: inputs.into_iter().map(|input| self.input(input)).collect(),
                model_inputs: models
                    .iter()
                    .filter(|model| !model.is_output)
                    .map(|model| wire::ModelInput {
                        model_id: wire::model_id(&model.logged_model_id),
                    })
                    .collect(),
            },
            outputs: Some(wire::RunOutputs {
                model_outputs: models
                    .iter()
                    .filter(|model| model.is_output)
                    .map(|model| wire::ModelOutput {
                        model_id: wire::model_id(&model.logged_model_id),
                        step: model.step.0,
                    })
                    .collect(),
            }),
        }
    }

    fn tags_of(&mut self, id: &str) -> Vec<Pair> {
        let tags = self.tags.remove(&TagsOf(id.to_owned())).unwrap_or_default();
        tags.into_iter().map(Pair::from).collect()
    }

    fn input(&mut self, input: Input) -> wire::DatasetInput {
        wire::DatasetInput {
            tags: self.tags_of(&input.id),
            dataset: wire::Dataset {
                name: input.name,
                digest: input.digest,
                source_type: input.source_type,
                source: input.source,
                schema: input.schema,
                profile: input.profile,
            },
        }
    }
}

pub async fn update(call: Call) -> Result<Updated> {
    let (mut change, writer) = call.change().await?;
    let message = &call.message;
    let FoundRun { target, experiment, .. } =
        active(&mut *change, &writer, &message.run_id()?).await?;
    let changes = CandidateChanges {
        name: message.text("run_name")?.filter(|name| !name.is_empty()).map(|n| clean_name(&n)),
        status: message.choice("status", RUN_STATUS)?,
        ended_at: message.int("end_time")?.map(Timestamp::from_millis),
        log: Log::default(),
    };
    let finished = changes.status.is_some_and(|status| status.as_str() == "FINISHED");
    let run = candidate::rules::update(&mut change, &writer, &target, changes).await?;
    if finished
        && let Some((version, model)) = version::sql::filled_by_run(&mut *change, &run.id).await?
        && version.is_filled_by_run()
    {
        let all = (version.id.raw(), "");
        match upload::rules::check_arrived(&call.app, &mut change, all, Default::default()).await {
            Ok(arrived) => {
                version::rules::publish(&mut change, &writer, &model, &version, arrived).await?;
            }
            // The run is over all the same. The version stays a draft, which somebody publishes.
            Err(Error::Arriving(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    change.commit().await?;
    let found = one(&call, run, experiment).await?;
    Ok(Updated { run_info: found.run.info })
}

pub async fn delete(call: Call) -> Result<Done> {
    set_deleted(call, true).await
}

pub async fn restore(call: Call) -> Result<Done> {
    set_deleted(call, false).await
}

/// As in MLflow it is no error if it is so already.
async fn set_deleted(call: Call, deleted: bool) -> Result<Done> {
    let (mut change, writer) = call.change().await?;
    let found = readable(&mut *change, &writer, &call.message.run_id()?).await?;
    if found.run.deleted_at_ms.is_some() != deleted {
        candidate::rules::set_deleted(&mut change, &writer, &found.target, deleted).await?;
        change.commit().await?;
    }
    Ok(Done {})
}

pub async fn set_tag(call: Call) -> Result<Done> {
    call.message.required("key")?;
    let (run, mut change, writer) = to_log(&call, &call.message.run_id()?).await?;
    let tag = names::tag(&call.message, names::At::ALONE)?;
    if tag.key == NAME_TAG {
        let changes = CandidateChanges { name: Some(clean_name(&tag.value)), ..Default::default() };
        candidate::rules::update(&mut change, &writer, &run.target, changes).await?;
    } else {
        let log = Log { tags: vec![tag], ..Log::default() };
        candidate::rules::log(&mut change, &writer, &run, log).await?;
    }
    change.commit().await?;
    Ok(Done {})
}

pub async fn delete_tag(call: Call) -> Result<Done> {
    let (mut change, writer) = call.change().await?;
    let key = call.message.required("key")?;
    let FoundRun { target, .. } = active(&mut *change, &writer, &call.message.run_id()?).await?;
    let missing = || format!("No tag with name: {key} in run with id {}", target.id());
    tag::rules::delete(&mut change, &writer, &target, &key)
        .await
        .map_err(|error| Failure::from(error).or_not_found(missing))?;
    change.commit().await?;
    Ok(Done {})
}

/// Takes the name of the run out of tags that are logged to it.
pub async fn log(change: &mut Change, writer: &Writer, run: &Touched, mut log: Log) -> Result<()> {
    if let Some(name) = take_name(&mut log.tags) {
        let changes = CandidateChanges { name: Some(clean_name(&name)), ..Default::default() };
        candidate::rules::update(change, writer, &run.target, changes).await?;
    }
    Ok(candidate::rules::log(change, writer, run, log).await?)
}

pub async fn log_inputs(call: Call) -> Result<Done> {
    let message = &call.message;
    let (datasets, models) = (message.messages("datasets")?, message.messages("models")?);
    names::check_count("datasets", datasets.len(), 1000)?;
    let inputs = datasets.iter().map(input).collect::<Result<Vec<_>>>()?;
    let (mut change, writer) = call.change().await?;
    let FoundRun { target, experiment, .. } =
        active(&mut *change, &writer, &message.run_id()?).await?;
    dataset::rules::log(&mut change, &writer, (&target, &experiment.id), inputs).await?;
    link_models(&mut change, &writer, &target, &models, false).await?;
    change.commit().await?;
    Ok(Done {})
}

fn input(message: &Message) -> Result<NewInput> {
    let dataset = message.message("dataset")?;
    let tags = message.messages("tags")?;
    for (field, limit) in [("name", 500), ("digest", 36)] {
        names::check_length(field, &dataset.text_or_empty(field)?, limit)?;
    }
    for tag in &tags {
        names::check_length("key", &tag.text_or_empty("key")?, 255)?;
        names::check_length("value", &tag.text_or_empty("value")?, 500)?;
    }
    let tags = tags
        .iter()
        .map(|tag| Ok(TagInput { key: tag.required("key")?, value: tag.text_or_empty("value")? }));
    Ok(NewInput {
        name: dataset.required("name")?,
        digest: dataset.required("digest")?,
        source_type: dataset.required("source_type")?,
        source: dataset.required("source")?,
        schema: dataset.text("schema")?,
        profile: dataset.text("profile")?,
        tags: tags.collect::<Result<_>>()?,
    })
}

pub async fn log_outputs(call: Call) -> Result<Done> {
    let models = call.message.messages("models")?;
    if !call.message.has("models") {
        return Err(missing("models"));
    }
    let (mut change, writer) = call.change().await?;
    let FoundRun { target, .. } = active(&mut *change, &writer, &call.message.run_id()?).await?;
    link_models(&mut change, &writer, &target, &models, true).await?;
    change.commit().await?;
    Ok(Done {})
}

async fn link_models(
    change: &mut Change,
    writer: &Writer,
    target: &Target,
    models: &[Message<'_>],
    is_output: bool,
) -> Result<()> {
    for message in models {
        let id = message.required("model_id")?;
        let (model, _) = logged_model::sql::readable(&mut **change, writer, &id).await?;
        let step = message.int("step")?.unwrap_or(0);
        logged_model::rules::link(change, writer, target, &model, (is_output, step)).await?;
    }
    Ok(())
}

/// Old clients say so which models a run logged: kept, as MLflow does, in a tag.
pub async fn log_model(call: Call) -> Result<Done> {
    const HISTORY: &str = "mlflow.log-model.history";
    let text = call.message.required("model_json")?;
    let Ok(model) = serde_json::from_str::<serde_json::Value>(&text) else {
        return Err(Failure::invalid(format!(
            "Malformed model info. \n {text} \n is not a valid JSON."
        )));
    };
    let fields = ["artifact_path", "flavors", "utc_time_created", "run_id"];
    let absent: Vec<_> = fields.into_iter().filter(|field| model.get(*field).is_none()).collect();
    if !absent.is_empty() {
        let absent = absent.join("', '");
        return Err(Failure::invalid(format!(
            "Model json is missing mandatory fields: {{'{absent}'}}"
        )));
    }
    let (run, mut change, writer) = to_log(&call, &call.message.run_id()?).await?;
    // Locked before it is read: two models that are logged at once are both kept.
    let old = tag::find(&mut *change, run.target.id(), HISTORY).await?;
    let mut history: Vec<serde_json::Value> =
        old.and_then(|old| serde_json::from_str(&old.value).ok()).unwrap_or_default();
    history.push(model);
    let tag =
        TagInput { key: HISTORY.to_owned(), value: serde_json::Value::from(history).to_string() };
    let log = Log { tags: vec![tag], ..Log::default() };
    candidate::rules::log(&mut change, &writer, &run, log).await?;
    change.commit().await?;
    Ok(Done {})
}

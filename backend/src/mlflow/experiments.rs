//! Experiments: MLflow's id of one is its number in the project.

use serde::Serialize;

use super::call::{Call, Done};
use super::error::{Failure, Result};
use super::lists::{self, Parts};
use super::message::Message;
use super::wire::{self, WireExperiment};
use super::{artifacts, names};
use crate::access::Reader;
use crate::db::Conn;
use crate::error::Error;
use crate::loader::Loaders;
use crate::registry::catalog::model;
use crate::registry::catalog::model::rules::NewModel;
use crate::registry::metadata::tag::{self, TagsOf};
use crate::registry::target::Target;
use crate::registry::tracking::dataset;
use crate::registry::tracking::experiment::rules::NewExperiment;
use crate::registry::tracking::experiment::sql::Lifecycle;
use crate::registry::tracking::experiment::{self, Experiment};
use crate::text::FilePath;

/// How many experiments one search may name, and one for datasets.
const MAX_EXPERIMENTS: usize = 5000;
const MAX_DATASET_EXPERIMENTS: usize = 20;

/// How long the address of a store can be.
const MAX_LOCATION: usize = 2048;

#[derive(Serialize)]
pub struct Created {
    experiment_id: String,
}

#[derive(Serialize)]
pub struct Found {
    experiment: WireExperiment,
}

#[derive(Serialize)]
pub struct Page {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    experiments: Vec<WireExperiment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// The experiment that an id names, also from the trash.
pub async fn get_numbered(
    conn: impl Into<Conn<'_>>,
    reader: &Reader,
    id: &str,
) -> Result<Experiment> {
    let found = experiment::sql::find_by_number(conn, &reader.project().id, number(id)?).await?;
    Ok(found.ok_or_else(|| Error::not_found("experiment", id))?)
}

fn number(id: &str) -> Result<i64> {
    id.parse().map_err(|_| {
        Failure::invalid(format!(
            "Invalid experiment ID '{id}'. Experiment ID must be a valid integer."
        ))
    })
}

/// As [`get_numbered`], for what is to be changed.
pub async fn get_active(
    conn: impl Into<Conn<'_>>,
    reader: &Reader,
    id: &str,
) -> Result<Experiment> {
    let experiment = get_numbered(conn, reader, id).await?;
    if experiment.deleted_at_ms.is_some() {
        return Err(Failure::invalid(format!(
            "The experiment {id} must be in the 'active' state. Current state is deleted."
        )));
    }
    Ok(experiment)
}

/// The experiments of several ids; what is not there is left out, as in MLflow's search.
pub async fn find_numbered(
    call: &Call,
    reader: &Reader,
    ids: &[String],
) -> Result<Vec<Experiment>> {
    if ids.len() > MAX_EXPERIMENTS {
        return Err(Failure::invalid(format!(
            "A search can be of at most {MAX_EXPERIMENTS} experiments, not {}",
            ids.len()
        )));
    }
    let numbers = ids.iter().map(|id| number(id)).collect::<Result<Vec<_>>>()?;
    Ok(experiment::sql::find_all(&call.app.db, &reader.project().id, numbers).await?)
}

pub async fn create(call: Call) -> Result<Created> {
    let message = &call.message;
    let name = message.required("name")?;
    let location = message.text("artifact_location")?.filter(|location| !location.is_empty());
    // As in MLflow all are of their types before any is looked at.
    message.messages("tags")?;
    let location = location.map(absolute).transpose()?;
    names::check_length("name", &name, 500)?;
    let tags = names::tags(message)?;
    let (mut change, writer) = call.change().await?;
    let experiment = match name.strip_prefix(experiment::MODEL_PREFIX) {
        // As in GitLab, where it is how one begins with a model.
        Some(model) => {
            let new = NewModel {
                name: model.to_owned(),
                description: None,
                tags: Vec::new(),
                by_client: true,
            };
            let model = model::rules::create(&mut change, &writer, new).await?;
            let id = experiment::rules::default_of(&mut change, &model.id).await?;
            tag::rules::insert_all(&mut change, id.raw(), tags).await?;
            experiment::sql::get_by_id(&mut *change, &id).await?
        }
        None => {
            let new = NewExperiment { name, artifact_location: location, tags };
            experiment::rules::create(&mut change, &writer, new).await?
        }
    };
    change.commit().await?;
    Ok(Created { experiment_id: experiment.number.to_string() })
}

/// The address of a store, which clients open and this server never does. As in MLflow a relative path is one
/// below the folder that the server runs in.
fn absolute(location: String) -> Result<String> {
    if location.contains(char::is_control) {
        return Err(Failure::invalid("'artifact_location' must not have control characters"));
    }
    if location.contains(['#', '?', ';']) {
        return Err(Failure::invalid("'artifact_location' URL can't include fragments or params."));
    }
    if location.starts_with("runs:") {
        return Err(Failure::invalid(format!(
            "Artifact location cannot be a runs:/ URI. Given: '{location}'"
        )));
    }
    if location.len() > MAX_LOCATION {
        return Err(Failure::invalid(format!(
            "Invalid artifact path length. The length of the artifact path cannot be greater than \
             {MAX_LOCATION} characters."
        )));
    }
    if let Some(place) = wire::place(&location).filter(|place| !place.is_empty()) {
        artifacts::check_inside(place)?;
        FilePath::parse("artifact_location", place)?;
        if place.split('/').next() == Some("versions") {
            return Err(Failure::invalid(
                "'artifact_location' cannot be below 'versions', where files never change: choose another place",
            ));
        }
    }
    if location.contains(':') {
        return Ok(location);
    }
    let path = std::path::absolute(&location).map_err(Error::internal)?;
    Ok(path.to_string_lossy().into_owned())
}

pub async fn get(call: Call) -> Result<Found> {
    let reader = call.reader().await?;
    let id = call.message.required("experiment_id")?;
    let experiment = get_numbered(&call.app.db, &reader, &id).await?;
    one(&call, experiment).await
}

pub async fn get_by_name(call: Call) -> Result<Found> {
    let reader = call.reader().await?;
    let name = call.message.required("experiment_name")?;
    let found = experiment::rules::find_by_name(&call.app, &reader.project().id, &name).await?;
    let message = || format!("Could not find experiment with name '{name}'");
    one(&call, found.ok_or_else(|| Failure::not_found("experiment", message()))?).await
}

async fn one(call: &Call, experiment: Experiment) -> Result<Found> {
    let experiments = render(&call.loaders(), vec![experiment], &call.project).await?;
    let experiment = experiments.into_iter().next();
    let experiment = experiment.ok_or_else(|| Error::internal("an experiment got lost"))?;
    Ok(Found { experiment })
}

async fn render(
    loaders: &Loaders,
    experiments: Vec<Experiment>,
    project: &str,
) -> Result<Vec<WireExperiment>> {
    let owners = experiments.iter().map(|experiment| TagsOf(experiment.id.raw().to_owned()));
    let mut tags = loaders.load_lists(owners).await?;
    Ok(experiments
        .into_iter()
        .map(|experiment| {
            let tags = tags.remove(&TagsOf(experiment.id.raw().to_owned())).unwrap_or_default();
            WireExperiment::new(experiment, tags, project)
        })
        .collect())
}

/// The states of experiments and runs that a search may ask for, as protobuf numbers them.
pub const VIEW_TYPE: &[(&str, i64, Lifecycle)] = &[
    ("ACTIVE_ONLY", 1, Lifecycle::Active),
    ("DELETED_ONLY", 2, Lifecycle::Deleted),
    ("ALL", 3, Lifecycle::All),
];

pub async fn search(call: Call) -> Result<Page> {
    let reader = call.reader().await?;
    let message = &call.message;
    let lifecycle = message.choice("view_type", VIEW_TYPE)?.unwrap_or(Lifecycle::Active);
    let (filter, order) = (message.text_or_empty("filter")?, message.texts("order_by")?);
    let page = lists::page(message, names::page_size(message, 1000, 50_000)?)?;
    let list = experiment::sql::search(&call.app.db, &filter, &order, lifecycle)?;
    let parent = Some(reader.project().id.raw());
    let mut parts = Parts::of(&call, (&list, parent), &page).await?;
    while let Some((loaders, rows)) = parts.next() {
        parts.add(render(&loaders, rows, &call.project).await)?;
    }
    let (experiments, next_page_token) = parts.end();
    Ok(Page { experiments, next_page_token })
}

#[derive(Serialize)]
pub struct Datasets {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dataset_summaries: Vec<DatasetSummary>,
}

#[derive(Serialize)]
struct DatasetSummary {
    experiment_id: String,
    name: String,
    digest: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    context: String,
}

/// What the runs of some experiments were trained on, as MLflow's UI asks for it.
pub async fn search_datasets(call: Call) -> Result<Datasets> {
    let reader = call.reader().await?;
    let ids = call.message.texts("experiment_ids")?;
    if ids.is_empty() {
        return Err(Failure::invalid(
            "SearchDatasets request must specify at least one experiment_id.",
        ));
    }
    if ids.len() > MAX_DATASET_EXPERIMENTS {
        return Err(Failure::invalid(format!(
            "SearchDatasets request cannot specify more than {MAX_DATASET_EXPERIMENTS} experiment_ids. \
             Received {} experiment_ids.",
            ids.len()
        )));
    }
    let experiments = find_numbered(&call, &reader, &ids).await?;
    let ids: Vec<_> = experiments.into_iter().map(|experiment| experiment.id).collect();
    let summaries = dataset::summaries(&call.app.db, &ids).await?.into_iter();
    let summaries = summaries.map(|summary| DatasetSummary {
        experiment_id: summary.experiment.to_string(),
        name: summary.name,
        digest: summary.digest,
        context: summary.context,
    });
    Ok(Datasets { dataset_summaries: summaries.collect() })
}

pub async fn update(call: Call) -> Result<Done> {
    let (mut change, writer) = call.change().await?;
    let id = call.message.required("experiment_id")?;
    let name = call.message.required("new_name")?;
    names::check_length("name", &name, 500)?;
    let experiment = get_active(&mut *change, &writer, &id).await?;
    experiment::rules::rename(&mut change, &writer, &experiment, &name).await?;
    change.commit().await?;
    Ok(Done {})
}

pub async fn delete(call: Call) -> Result<Done> {
    set_deleted(call, true).await
}

pub async fn restore(call: Call) -> Result<Done> {
    set_deleted(call, false).await
}

async fn set_deleted(call: Call, deleted: bool) -> Result<Done> {
    let (mut change, writer) = call.change().await?;
    let id = call.message.required("experiment_id")?;
    let experiment = get_numbered(&mut *change, &writer, &id).await?;
    experiment::rules::set_deleted(&mut change, &writer, &experiment, deleted).await?;
    change.commit().await?;
    Ok(Done {})
}

pub async fn set_tag(call: Call) -> Result<Done> {
    let (mut change, writer) = call.change().await?;
    let target = target(&mut change, &writer, &call.message).await?;
    call.message.required("key")?;
    tag::rules::set(&mut change, &writer, &target, names::tag(&call.message, names::At::ALONE)?)
        .await?;
    change.commit().await?;
    Ok(Done {})
}

pub async fn delete_tag(call: Call) -> Result<Done> {
    let (mut change, writer) = call.change().await?;
    let target = target(&mut change, &writer, &call.message).await?;
    let (id, key) = (call.message.required("experiment_id")?, call.message.required("key")?);
    let missing = || format!("No tag with name: {key} in experiment with id {id}");
    tag::rules::delete(&mut change, &writer, &target, &key)
        .await
        .map_err(|error| Failure::from(error).or_not_found(missing))?;
    change.commit().await?;
    Ok(Done {})
}

async fn target(
    change: &mut crate::change::Change,
    reader: &Reader,
    message: &Message<'_>,
) -> Result<Target> {
    let id = message.required("experiment_id")?;
    let experiment = get_active(&mut **change, reader, &id).await?;
    Ok(experiment.target(reader.project()))
}

//! Logged models: what MLflow's clients make of a model before they register it.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::json;

use super::call::{Call, Done};
use super::error::{Failure, Result};
use super::lists::{self, Parts};
use super::message::{self, Message, missing};
use super::wire::{
    LOGGED_MODEL_STATUS, LoggedModelData, LoggedModelInfo, Metric, Pair, WireLoggedModel,
};
use super::{experiments, names, runs};
use crate::access::Writer;
use crate::change::Change;
use crate::error::Error;
use crate::loader::Loaders;
use crate::registry::metadata::param::ParamsOf;
use crate::registry::metadata::tag::{self, TagsOf};
use crate::registry::tracking::experiment::Experiment;
use crate::registry::tracking::logged_model::rules::NewLoggedModel;
use crate::registry::tracking::logged_model::sql::{
    LoggedModelMetric, LoggedModelOrder, MetricsOfLoggedModel, RegistrationsOf,
};
use crate::registry::tracking::logged_model::{self, LoggedModel};

/// The tag in which MLflow keeps which versions were registered from a logged model; here it follows from
/// the versions.
const VERSIONS_TAG: &str = "mlflow.modelVersions";

#[derive(Serialize)]
pub struct Found {
    model: WireLoggedModel,
}

#[derive(Serialize)]
pub struct Page {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    models: Vec<WireLoggedModel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// The logged model that the request names, to be changed.
async fn writable(call: &Call) -> Result<(Change, Writer, LoggedModel, Experiment)> {
    let id = call.message.required("model_id")?;
    let (mut change, writer) = call.change().await?;
    let (model, experiment) = logged_model::sql::readable(&mut *change, &writer, &id).await?;
    if model.deleted_at_ms.is_some() {
        return Err(Error::not_found("logged model", id).into());
    }
    Ok((change, writer, model, experiment))
}

pub async fn create(call: Call) -> Result<Found> {
    let message = &call.message;
    let experiment_id = message.required("experiment_id")?;
    let name = message.text("name")?.filter(|name| !name.is_empty());
    if let Some(name) =
        name.as_deref().filter(|name| name.contains(['/', ':', '.', '%', '"', '\'']))
    {
        return Err(Failure::invalid(format!(
            "Invalid model name ('{name}') provided. Model name must be a non-empty string and cannot contain the \
             following characters: ('/', ':', '.', '%', '\"', \"'\")"
        )));
    }
    let mut new = NewLoggedModel {
        name: name.unwrap_or_else(names::random_name),
        model_type: message.text_or_empty("model_type")?,
        source_run_id: message.text("source_run_id")?.filter(|id| !id.is_empty()),
        params: names::params(message)?,
        tags: names::tags(message)?,
    };
    let (mut change, writer) = call.change().await?;
    let experiment = experiments::get_active(&mut *change, &writer, &experiment_id).await?;
    let run = match &new.source_run_id {
        Some(run_id) => match runs::readable(&mut *change, &writer, run_id).await {
            // Of another tracking server, perhaps.
            Err(Failure { error: Error::NotFound { .. }, .. }) => None,
            found => Some(found?.run),
        },
        None => None,
    };
    new.source_run_id = new.source_run_id.filter(|_| run.is_none());
    let model =
        logged_model::rules::create(&mut change, &writer, &experiment, run.as_ref(), new).await?;
    change.commit().await?;
    one(&call, model, experiment).await
}

pub async fn get(call: Call) -> Result<Found> {
    let reader = call.reader().await?;
    let id = call.message.required("model_id")?;
    let (model, experiment) = logged_model::sql::readable(&call.app.db, &reader, &id).await?;
    let deleted = call.message.bool("allow_deleted").unwrap_or_default().unwrap_or(false);
    if model.deleted_at_ms.is_some() && !deleted {
        return Err(Error::not_found("logged model", id).into());
    }
    one(&call, model, experiment).await
}

async fn one(call: &Call, model: LoggedModel, experiment: Experiment) -> Result<Found> {
    let models = render(&call.loaders(), vec![model], &[experiment]).await?;
    let model = models.into_iter().next();
    Ok(Found { model: model.ok_or_else(|| Error::internal("a logged model got lost"))? })
}

async fn render(
    loaders: &Loaders,
    models: Vec<LoggedModel>,
    experiments: &[Experiment],
) -> Result<Vec<WireLoggedModel>> {
    let ids = || models.iter().map(|model| model.id.raw().to_owned());
    let mut tags = loaders.load_lists(ids().map(TagsOf)).await?;
    let mut params = loaders.load_lists(ids().map(ParamsOf)).await?;
    let mut metrics = loaders.load_lists(ids().map(MetricsOfLoggedModel)).await?;
    let wire_ids = models.iter().map(|model| RegistrationsOf(model.id.wire()));
    let mut registrations = loaders.load_all(wire_ids).await?;
    let by_id: HashMap<_, _> =
        experiments.iter().map(|experiment| (&experiment.id, experiment)).collect();
    models
        .into_iter()
        .map(|model| {
            let id = || model.id.raw().to_owned();
            let experiment = by_id.get(&model.experiment_id);
            let experiment =
                experiment.ok_or_else(|| Error::internal("a logged model without experiment"))?;
            let tags = tags.remove(&TagsOf(id())).unwrap_or_default().into_iter();
            let mut tags: Vec<Pair> =
                tags.filter(|tag| tag.key != VERSIONS_TAG).map(Pair::from).collect();
            if let Some(registered) = registrations.remove(&RegistrationsOf(model.id.wire())) {
                let versions = registered
                    .iter()
                    .map(|version| json!({ "name": version.name, "version": version.number }));
                let value = message::python_json(&serde_json::Value::from_iter(versions));
                tags.push(Pair { key: VERSIONS_TAG.to_owned(), value });
            }
            let params = params.remove(&ParamsOf(id())).unwrap_or_default().into_iter();
            let metrics = metrics.remove(&MetricsOfLoggedModel(id())).unwrap_or_default();
            Ok(WireLoggedModel {
                data: LoggedModelData {
                    params: params.map(|p| Pair { key: p.name, value: p.value }).collect(),
                    metrics: metrics.into_iter().map(|m| metric(m, &model)).collect(),
                },
                info: LoggedModelInfo::new(model, experiment, tags),
            })
        })
        .collect()
}

fn metric(metric: LoggedModelMetric, model: &LoggedModel) -> Metric {
    Metric {
        dataset_name: metric.dataset_name,
        dataset_digest: metric.dataset_digest,
        model_id: model.id.wire(),
        run_id: metric.run_id,
        ..Metric::new(metric.name, metric.value, metric.timestamp_ms, metric.step.0)
    }
}

pub async fn finalize(call: Call) -> Result<Found> {
    let status = call.message.choice("status", LOGGED_MODEL_STATUS)?;
    let status = status.ok_or_else(|| missing("status"))?;
    let (mut change, writer, model, experiment) = writable(&call).await?;
    let model = logged_model::rules::finalize(&mut change, &writer, &model, status).await?;
    change.commit().await?;
    one(&call, model, experiment).await
}

pub async fn delete(call: Call) -> Result<Done> {
    let (mut change, writer, model, _) = writable(&call).await?;
    logged_model::rules::delete(&mut change, &writer, &model).await?;
    change.commit().await?;
    Ok(Done {})
}

pub async fn log_params(call: Call) -> Result<Done> {
    let params = names::params(&call.message)?;
    let (mut change, writer, model, _) = writable(&call).await?;
    let target = model.target(writer.project());
    logged_model::rules::log_params(&mut change, &writer, &target, params).await?;
    change.commit().await?;
    Ok(Done {})
}

pub async fn set_tags(call: Call) -> Result<Done> {
    let tags = names::tags(&call.message)?;
    let (mut change, writer, model, _) = writable(&call).await?;
    let target = model.target(writer.project());
    for tag in tags {
        tag::rules::set(&mut change, &writer, &target, tag).await?;
    }
    change.commit().await?;
    Ok(Done {})
}

pub async fn delete_tag(call: Call) -> Result<Done> {
    let key = call.message.required("tag_key")?;
    let (mut change, writer, model, _) = writable(&call).await?;
    let message = format!("No tag with key '{key}' found for model with ID '{}'.", model.id.wire());
    let target = model.target(writer.project());
    tag::rules::delete(&mut change, &writer, &target, &key)
        .await
        .map_err(|error| Failure::from(error).or_not_found(|| message))?;
    change.commit().await?;
    Ok(Done {})
}

pub async fn search(call: Call) -> Result<Page> {
    let reader = call.reader().await?;
    let message = &call.message;
    let ids = message.texts("experiment_ids")?;
    if ids.is_empty() {
        return Err(missing("experiment_ids"));
    }
    let experiments = experiments::find_numbered(&call, &reader, &ids).await?;
    let within: Vec<_> = experiments.iter().map(|experiment| experiment.id.clone()).collect();
    let filter = message.text_or_empty("filter")?;
    let datasets = message.messages("datasets")?;
    let datasets = datasets.iter().map(dataset).collect::<Result<Vec<_>>>()?;
    let order = message.messages("order_by")?;
    let order = order.iter().map(order_of).collect::<Result<Vec<_>>>()?;
    let page = lists::page(message, names::page_size(message, 100, 50_000)?)?;
    let list = logged_model::sql::search(&call.app.db, &within, &filter, &datasets, &order)?;
    let mut parts = Parts::of(&call, (&list, None), &page).await?;
    while let Some((loaders, rows)) = parts.next() {
        parts.add(render(&loaders, rows, &experiments).await)?;
    }
    let (models, next_page_token) = parts.end();
    Ok(Page { models, next_page_token })
}

fn dataset(message: &Message) -> Result<(String, Option<String>)> {
    let digest = message.text("dataset_digest")?.filter(|digest| !digest.is_empty());
    Ok((message.required("dataset_name")?, digest))
}

fn order_of(message: &Message) -> Result<LoggedModelOrder> {
    Ok(LoggedModelOrder {
        field: message.required("field_name")?,
        descending: !message.bool("ascending")?.unwrap_or(true),
        dataset: message.has("dataset_name").then(|| dataset(message)).transpose()?,
    })
}

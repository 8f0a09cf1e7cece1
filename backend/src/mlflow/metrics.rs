//! Logging to runs, and the history of their metrics.

use std::collections::HashMap;

use serde::Serialize;

use super::call::{Call, Done};
use super::error::{Failure, Result};
use super::lists::{self, Parts};
use super::message::{self, Message};
use super::names::{self, At};
use super::runs;
use super::wire::Metric;
use crate::access::Writer;
use crate::change::Change;
use crate::error::Error;
use crate::id::CandidateId;
use crate::registry::metadata::metric::sql::{PointOf, Sample};
use crate::registry::metadata::metric::{self, MetricInput, MetricPoint};
use crate::registry::metadata::param::{self, ParamInput};
use crate::registry::metadata::tag::TagInput;
use crate::registry::target::Target;
use crate::registry::tracking::candidate::rules::Log;
use crate::registry::tracking::candidate::sql::FoundRun;
use crate::registry::tracking::logged_model;
use crate::registry::tracking::logged_model::rules::ModelMetric;

/// As MLflow, which refuses larger ones so that its database keeps up.
const MAX_METRICS: usize = 1000;
const MAX_PARAMS_AND_TAGS: usize = 100;
const MAX_ENTITIES: usize = 1000;

/// How many runs a bulk request may name, and how many points it gets of each.
const MAX_BULK_RUNS: usize = 100;
const MAX_BULK_POINTS: i64 = 25_000;
const MAX_INTERVAL_POINTS: i64 = 2500;

pub async fn log_metric(call: Call) -> Result<Done> {
    let message = &call.message;
    message.required("key")?;
    if !message.has("value") {
        return Err(message::missing("value"));
    }
    let run_id = message.run_id()?;
    let metrics = vec![(names::metric(message, At::ALONE)?, of_model(message)?)];
    log(&call, &run_id, Logged { metrics, ..Logged::default() }).await
}

pub async fn log_param(call: Call) -> Result<Done> {
    let message = &call.message;
    message.required("key")?;
    let run_id = message.run_id()?;
    let params = vec![names::param(message, At::ALONE)?];
    log(&call, &run_id, Logged { params, ..Logged::default() }).await
}

pub async fn log_batch(call: Call) -> Result<Done> {
    let message = &call.message;
    let run_id = message.required("run_id")?;
    let (metrics, params, tags) =
        (message.messages("metrics")?, message.messages("params")?, message.messages("tags")?);
    names::check_count("metrics", metrics.len(), MAX_METRICS)?;
    names::check_count("params", params.len(), MAX_PARAMS_AND_TAGS)?;
    names::check_count("tags", tags.len(), MAX_PARAMS_AND_TAGS)?;
    let total = metrics.len() + params.len() + tags.len();
    names::check_count("metrics, params, and tags", total, MAX_ENTITIES)?;
    for (what, list) in [("metrics", &metrics), ("params", &params), ("tags", &tags)] {
        for (index, entry) in list.iter().enumerate() {
            if entry.str("key")?.unwrap_or_default().is_empty() {
                return Err(message::missing(&format!("{what}[{index}].key")));
            }
        }
    }
    let params = params.iter().enumerate();
    let params = params.map(|(index, param)| names::param(param, At::of("params", index)));
    let params = params.collect::<Result<Vec<_>>>()?;
    check_unique(&params)?;
    let metrics = metrics.iter().enumerate().map(|(index, metric)| {
        Ok((names::metric(metric, At::of("metrics", index))?, of_model(metric)?))
    });
    let metrics = metrics.collect::<Result<Vec<_>>>()?;
    let tags = tags.iter().enumerate();
    let tags = tags.map(|(index, tag)| names::tag(tag, At::of("tags", index)));
    let tags = tags.collect::<Result<_>>()?;
    log(&call, &run_id, Logged { metrics, params, tags, is_batch: true }).await
}

fn check_unique(params: &[ParamInput]) -> Result<()> {
    let mut names: Vec<&str> = params.iter().map(|param| param.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Failure::invalid(format!(
            "Duplicate parameter keys have been submitted: [{}]. Please ensure the request contains only one \
             param value per param key.",
            message::python_text(pair[0])
        ))),
        None => Ok(()),
    }
}

/// The logged model and the dataset that a metric is of.
struct OfModel {
    model_id: String,
    dataset_name: String,
    dataset_digest: String,
}

fn of_model(message: &Message) -> Result<Option<OfModel>> {
    let model_id = message.text_or_empty("model_id")?;
    if model_id.is_empty() {
        return Ok(None);
    }
    Ok(Some(OfModel {
        model_id,
        dataset_name: message.text_or_empty("dataset_name")?,
        dataset_digest: message.text_or_empty("dataset_digest")?,
    }))
}

/// What a request logs to a run.
#[derive(Default)]
struct Logged {
    metrics: Vec<(MetricInput, Option<OfModel>)>,
    params: Vec<ParamInput>,
    tags: Vec<TagInput>,
    /// Whether it could log several things at once.
    is_batch: bool,
}

async fn log(call: &Call, run_id: &str, logged: Logged) -> Result<Done> {
    let (run, mut change, writer) = runs::to_log(call, run_id).await?;
    let mut log = Log { params: logged.params, tags: logged.tags, ..Log::default() };
    let mut links = Vec::new();
    for (metric, model) in logged.metrics {
        if let Some(model) = model {
            links.push((metric.clone(), model));
        }
        log.metrics.push(metric);
    }
    let params = log.params.clone();
    if let Err(failure) = runs::log(&mut change, &writer, &run, log).await {
        let changed = match failure.error {
            Error::Invalid { .. } => changed(&mut change, &run.target, params).await?,
            _ => Vec::new(),
        };
        return Err(explain(&changed, run.target.id(), logged.is_batch).unwrap_or(failure));
    }
    link(&mut change, &writer, &run.target, links).await?;
    change.commit().await?;
    Ok(Done {})
}

/// Those params that have another value already, each with that.
async fn changed(
    change: &mut Change,
    target: &Target,
    params: Vec<ParamInput>,
) -> Result<Vec<(ParamInput, String)>> {
    let mut changed = Vec::new();
    for param in params {
        let kept = param::find(&mut **change, target.id(), &param.name).await?;
        if let Some(kept) = kept.filter(|kept| kept.value != param.value) {
            changed.push((param, kept.value));
        }
    }
    Ok(changed)
}

/// What MLflow says where params have other values already.
fn explain(changed: &[(ParamInput, String)], run_id: &str, is_batch: bool) -> Option<Failure> {
    let (ParamInput { name, value }, kept) = changed.first()?;
    if !is_batch {
        return Some(Failure::invalid(format!(
            "Changing param values is not allowed. Param with key='{name}' was already logged with \
             value='{kept}' for run ID='{run_id}'. Attempted logging new value '{value}'."
        )));
    }
    let changed = changed.iter().map(|(param, kept)| {
        let [name, kept, value] =
            [&param.name, kept, &param.value].map(|s| message::python_text(s));
        format!("{{'key': {name}, 'old_value': {kept}, 'new_value': {value}}}")
    });
    let changed = changed.collect::<Vec<_>>().join(", ");
    Some(Failure::invalid(format!(
        "Changing param values is not allowed. Params were already logged='[{changed}]' for run ID='{run_id}'."
    )))
}

async fn link(
    change: &mut Change,
    writer: &Writer,
    target: &Target,
    links: Vec<(MetricInput, OfModel)>,
) -> Result<()> {
    let run = CandidateId::from_raw(target.id());
    for (metric, of) in links {
        let (model, _) = logged_model::sql::readable(&mut **change, writer, &of.model_id).await?;
        let point = ModelMetric {
            name: metric.name,
            value: metric.value,
            step: metric.step.map_or(0, |step| step.0),
            timestamp: metric.timestamp.unwrap_or(change.now),
            dataset_name: of.dataset_name,
            dataset_digest: of.dataset_digest,
        };
        logged_model::rules::log_metrics(change, writer, &model, &run, vec![point]).await?;
    }
    Ok(())
}

#[derive(Serialize)]
pub struct History {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<Metric>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

fn wire(name: &str, point: MetricPoint) -> Metric {
    Metric::new(name.to_owned(), point.value, point.timestamp_ms, point.step.0)
}

pub async fn history(call: Call) -> Result<History> {
    let reader = call.reader().await?;
    let message = &call.message;
    let (run_id, name) = (message.run_id()?, message.required("metric_key")?);
    let size = match message.int("max_results")? {
        Some(size) if size <= 0 => {
            return Err(Failure::invalid(format!(
                "Invalid value {size} for parameter 'max_results' supplied. It must be a positive integer."
            )));
        }
        Some(size) => size.min(1_000_000),
        // All of it; a run has as many points as somebody had the patience to log.
        None => i64::from(i32::MAX),
    };
    let page = lists::page(message, size)?;
    let FoundRun { target, .. } = runs::readable(&call.app.db, &reader, &run_id).await?;
    let list = metric::sql::history_by_time(&name);
    let mut parts = Parts::of(&call, (&list, Some(target.id())), &page).await?;
    while let Some((_, points)) = parts.next() {
        parts.add(Ok(points.into_iter().map(|point| wire(&name, point)).collect()))?;
    }
    let (metrics, next_page_token) = parts.end();
    Ok(History { metrics, next_page_token })
}

/// The histories of one metric in several runs, as MLflow's UI asks for them.
pub async fn history_bulk(call: Call) -> Result<History> {
    let message = &call.message;
    let run_ids = message.texts("run_id")?;
    if run_ids.is_empty() {
        return Err(Failure::invalid(
            "GetMetricHistoryBulk request must specify at least one run_id.",
        ));
    }
    if run_ids.len() > MAX_BULK_RUNS {
        return Err(Failure::invalid(format!(
            "GetMetricHistoryBulk request cannot specify more than {MAX_BULK_RUNS} run_ids. Received {} run_ids.",
            run_ids.len()
        )));
    }
    let Some(name) = message.text("metric_key")? else {
        return Err(Failure::invalid("GetMetricHistoryBulk request must specify a metric_key."));
    };
    let most = message.int("max_results")?.unwrap_or(MAX_BULK_POINTS).clamp(0, MAX_BULK_POINTS);
    let ids = readable(&call, &run_ids).await?;
    let points = metric::sql::first_points(&call.app.db, &ids, &name, most).await?.into_iter();
    let metrics = points.map(|of| Metric { run_id: of.owner_id, ..wire(&name, of.point) });
    Ok(History { metrics: metrics.collect(), next_page_token: None })
}

/// The ids of those runs that are there: as MLflow, which looks for points rather than for runs.
async fn readable(call: &Call, run_ids: &[String]) -> Result<Vec<String>> {
    let reader = call.reader().await?;
    let mut found = Vec::new();
    for run_id in run_ids {
        match runs::readable(&call.app.db, &reader, run_id).await {
            Ok(run) => found.push(run.target.id().to_owned()),
            Err(Failure { error: Error::NotFound { .. }, .. }) => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(found)
}

/// As [`history_bulk`], but by step, and of as many steps as are asked for.
pub async fn history_bulk_interval(call: Call) -> Result<History> {
    let message = &call.message;
    let run_ids = message.texts("run_ids")?;
    if run_ids.is_empty() {
        return Err(message::missing("run_ids"));
    }
    if run_ids.len() > MAX_BULK_RUNS {
        return Err(Failure::invalid(format!(
            "GetMetricHistoryBulkInterval request must specify at most {MAX_BULK_RUNS} run_ids. Received {} \
             run_ids.{}",
            run_ids.len(),
            message::SEE_DOCS
        )));
    }
    let name = message.required("metric_key")?;
    let most = message.int("max_results")?.unwrap_or(MAX_INTERVAL_POINTS);
    if !(1..=MAX_INTERVAL_POINTS).contains(&most) {
        return Err(Failure::invalid(format!(
            "max_results must be between 1 and {MAX_INTERVAL_POINTS}.{}",
            message::SEE_DOCS
        )));
    }
    let steps = match (message.int("start_step")?, message.int("end_step")?) {
        (Some(start), Some(end)) if start > end => {
            return Err(Failure::invalid(format!(
                "end_step must be greater than start_step. Found start_step={start} and end_step={end}."
            )));
        }
        (Some(start), Some(end)) => start..=end,
        (None, None) => i64::MIN..=i64::MAX,
        _ => {
            return Err(Failure::invalid(
                "If either start step or end step are specified, both must be specified.",
            ));
        }
    };
    let run_ids = readable(&call, &run_ids).await?;
    let points =
        metric::sql::sample(&call.app.db, &run_ids, &name, &Sample { steps, most }).await?;
    let mut of_runs = HashMap::<_, Vec<_>>::new();
    for PointOf { owner_id, point } in points {
        of_runs.entry(owner_id).or_default().push(point);
    }
    // In the order in which they were asked for, and as often.
    let metrics = run_ids.into_iter().flat_map(|run_id| {
        let points = of_runs.get(&run_id).cloned().unwrap_or_default().into_iter();
        points.map(|p| Metric { run_id: run_id.clone(), ..wire(&name, p) }).collect::<Vec<_>>()
    });
    Ok(History { metrics: metrics.collect(), next_page_token: None })
}

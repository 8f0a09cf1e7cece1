//! Logging to runs, and the history of their metrics.

use serde::Serialize;

use super::error::{Failure, Result};
use super::message::Message;
use super::wire::Metric;
use super::{Call, Done, lists, names, runs};
use crate::auth::Writer;
use crate::error::Error;
use crate::id::CandidateId;
use crate::page::Page;
use crate::registry::candidate::Log;
use crate::registry::event::Change;
use crate::registry::logged_model::{self, ModelMetric};
use crate::registry::metric::{self, MetricInput, MetricPoint};
use crate::registry::object::Target;
use crate::registry::param::ParamInput;

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
        return Err(super::message::missing("value"));
    }
    let run_id = message.run_id()?;
    let metrics = vec![(names::metric(message, "")?, of_model(message)?)];
    log(&call, &run_id, metrics, Log::default()).await
}

pub async fn log_param(call: Call) -> Result<Done> {
    let message = &call.message;
    message.required("key")?;
    let run_id = message.run_id()?;
    let log_of = Log { params: vec![names::param(message)?], ..Log::default() };
    log(&call, &run_id, Vec::new(), log_of).await
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
            if entry.text("key")?.unwrap_or_default().is_empty() {
                return Err(super::message::missing(&format!("{what}[{index}].key")));
            }
        }
    }
    let params = params.iter().map(names::param).collect::<Result<Vec<_>>>()?;
    check_unique(&params)?;
    let metrics = metrics.iter().enumerate().map(|(index, metric)| {
        Ok((names::metric(metric, &format!("metrics[{index}]."))?, of_model(metric)?))
    });
    let metrics = metrics.collect::<Result<Vec<_>>>()?;
    let tags = tags.iter().map(names::tag).collect::<Result<_>>()?;
    log(&call, &run_id, metrics, Log { params, tags, ..Log::default() }).await
}

fn check_unique(params: &[ParamInput]) -> Result<()> {
    let mut names: Vec<&str> = params.iter().map(|param| param.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Failure::invalid(format!(
            "Duplicate parameter keys have been submitted: ['{}']. Please ensure the request contains only one \
             param value per param key.",
            pair[0]
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

async fn log(
    call: &Call,
    run_id: &str,
    metrics: Vec<(MetricInput, Option<OfModel>)>,
    mut log: Log,
) -> Result<Done> {
    let mut message = Message::default();
    message.set("run_id", run_id);
    let (mut change, writer) = call.change().await?;
    let (target, _) = runs::active(&mut change, &writer, &message).await?;
    let mut links = Vec::new();
    for (metric, model) in metrics {
        if let Some(model) = model {
            links.push((metric.clone(), model));
        }
        log.metrics.push(metric);
    }
    let values: Vec<_> = log.params.iter().map(|p| (p.name.clone(), p.value.clone())).collect();
    if let Err(failure) = runs::log(&mut change, &writer, &target, log).await {
        return Err(explain(&mut change, &target, &values, failure).await);
    }
    link(&mut change, &writer, &target, links).await?;
    change.commit().await?;
    Ok(Done {})
}

/// What MLflow says where a param has another value already.
async fn explain(
    change: &mut Change,
    target: &Target,
    params: &[(String, String)],
    failure: Failure,
) -> Failure {
    if !matches!(failure.error, Error::Invalid { .. }) {
        return failure;
    }
    for (name, value) in params {
        if let Ok(Some(kept)) = crate::registry::param::find(&mut **change, target.id(), name).await
            && kept.value != *value
        {
            return Failure::invalid(format!(
                "Changing param values is not allowed. Param with key='{name}' was already logged with \
                 value='{}' for run ID='{}'. Attempted logging new value '{value}'.",
                kept.value,
                target.id()
            ));
        }
    }
    failure
}

async fn link(
    change: &mut Change,
    writer: &Writer,
    target: &Target,
    links: Vec<(MetricInput, OfModel)>,
) -> Result<()> {
    let run = CandidateId::from_raw(target.id());
    for (metric, of) in links {
        let (model, _) = logged_model::readable(&mut **change, writer, &of.model_id).await?;
        let point = ModelMetric {
            name: metric.name,
            value: metric.value,
            step: metric.step.map_or(0, |step| step.0),
            timestamp: metric.timestamp.unwrap_or(change.now),
            dataset_name: of.dataset_name,
            dataset_digest: of.dataset_digest,
        };
        logged_model::log_metrics(change, writer, &model, &run, vec![point]).await?;
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
    let (target, _) = runs::readable(&call.app.db, &reader, &run_id).await?;
    let list = metric::history_list(&name);
    let (points, next_page_token) =
        lists::fetch(&call.app, &list, &page, Some(target.id())).await?;
    let metrics = points.into_iter().map(|point| wire(&name, point)).collect();
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
    let mut metrics = histories(&call, run_ids, &name, most).await?;
    metrics.truncate(usize::try_from(most).unwrap_or_default());
    Ok(History { metrics, next_page_token: None })
}

/// The histories of runs, at most so many points of each.
async fn histories(
    call: &Call,
    mut run_ids: Vec<String>,
    name: &str,
    most: i64,
) -> Result<Vec<Metric>> {
    let reader = call.reader().await?;
    run_ids.sort();
    let (list, mut metrics) = (metric::history_list(name), Vec::new());
    for run_id in run_ids {
        let target = match runs::readable(&call.app.db, &reader, &run_id).await {
            Ok((target, _)) => target,
            // As MLflow, which looks for points rather than for runs.
            Err(Failure { error: Error::NotFound { .. }, .. }) => continue,
            Err(failure) => return Err(failure),
        };
        let page = Page { size: most.max(1), backward: false, after: None, before: None };
        let (points, _) = lists::fetch(&call.app, &list, &page, Some(target.id())).await?;
        metrics.extend(points.into_iter().map(|point| {
            let point: MetricPoint = point;
            Metric { run_id: run_id.clone(), ..wire(name, point) }
        }));
    }
    Ok(metrics)
}

/// As [`history_bulk`], of which about so many points as are asked for are spread over the steps.
pub async fn history_bulk_interval(call: Call) -> Result<History> {
    let message = &call.message;
    let run_ids = message.texts("run_ids")?;
    if run_ids.is_empty() {
        return Err(super::message::missing("run_ids"));
    }
    if run_ids.len() > MAX_BULK_RUNS {
        return Err(Failure::invalid(format!(
            "GetMetricHistoryBulkInterval request must specify at most {MAX_BULK_RUNS} run_ids. Received {} run_ids.",
            run_ids.len()
        )));
    }
    let name = message.required("metric_key")?;
    let most = message.int("max_results")?.unwrap_or(MAX_INTERVAL_POINTS);
    if !(1..=MAX_INTERVAL_POINTS).contains(&most) {
        return Err(Failure::invalid(format!(
            "max_results must be between 1 and {MAX_INTERVAL_POINTS}. See the API docs for more information \
             about request parameters."
        )));
    }
    let (start, end) = match (message.int("start_step")?, message.int("end_step")?) {
        (Some(start), Some(end)) if start > end => {
            return Err(Failure::invalid(format!(
                "end_step must be greater than start_step. Found start_step={start} and end_step={end}."
            )));
        }
        (Some(start), Some(end)) => (start, end),
        (None, None) => (i64::MIN, i64::MAX),
        _ => {
            return Err(Failure::invalid(
                "If either start step or end step are specified, both must be specified.",
            ));
        }
    };
    let mut points = histories(&call, run_ids, &name, MAX_BULK_POINTS).await?;
    points.retain(|point| (start..=end).contains(&point.step));
    let metrics = spread(points, usize::try_from(most).unwrap_or_default());
    Ok(History { metrics, next_page_token: None })
}

/// Those points whose steps are kept when about `most` steps are spread evenly over all, always with the
/// first and the last of each run.
fn spread(points: Vec<Metric>, most: usize) -> Vec<Metric> {
    let mut steps: Vec<i64> = points.iter().map(|point| point.step).collect();
    steps.sort_unstable();
    steps.dedup();
    if steps.len() <= most {
        return points;
    }
    let mut kept: std::collections::HashSet<i64> =
        steps.iter().step_by(steps.len().div_ceil(most)).copied().collect();
    let mut runs = std::collections::HashMap::<&str, (i64, i64)>::new();
    for point in &points {
        let ends = runs.entry(&point.run_id).or_insert((point.step, point.step));
        *ends = (ends.0.min(point.step), ends.1.max(point.step));
    }
    kept.extend(runs.values().flat_map(|(first, last)| [*first, *last]));
    points.into_iter().filter(|point| kept.contains(&point.step)).collect()
}

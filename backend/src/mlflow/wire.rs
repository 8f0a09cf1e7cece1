//! MLflow's messages, as answers carry them: unset fields and empty lists are left out, int64 are numbers.

use serde::{Serialize, Serializer};

use crate::registry::catalog::alias::Alias;
use crate::registry::catalog::model::Model;
use crate::registry::catalog::version::{ModelStage, ModelVersion};
use crate::registry::metadata::metric::MetricValue;
use crate::registry::metadata::tag::Tag;
use crate::registry::tracking::candidate::{Candidate, CandidateStatus};
use crate::registry::tracking::experiment::Experiment;
use crate::registry::tracking::logged_model::{LoggedModel, LoggedModelStatus};
use crate::time::Timestamp;

/// `mlflow-artifacts:/` stands for this server, whatever its address.
pub const ARTIFACTS: &str = "mlflow-artifacts:/";

/// A key and a value: a tag or a param.
#[derive(Clone, Debug, Serialize)]
pub struct Pair {
    pub key: String,
    pub value: String,
}

impl From<Tag> for Pair {
    fn from(tag: Tag) -> Self {
        Self { key: tag.key, value: tag.value }
    }
}

/// A float as protobuf writes it to JSON: NaN and infinities as texts. MLflow keeps infinities as the
/// greatest floats.
fn float<S: Serializer>(value: &MetricValue, serializer: S) -> Result<S::Ok, S::Error> {
    match value.0 {
        value if value.is_nan() => serializer.serialize_str("NaN"),
        value => serializer.serialize_f64(value.clamp(f64::MIN, f64::MAX)),
    }
}

/// A point of a metric.
#[derive(Clone, Debug, Serialize)]
pub struct Metric {
    pub key: String,
    #[serde(serialize_with = "float")]
    pub value: MetricValue,
    pub timestamp: i64,
    pub step: i64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub dataset_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub dataset_digest: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub model_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub run_id: String,
}

impl Metric {
    pub fn new(key: String, value: MetricValue, timestamp: Timestamp, step: i64) -> Self {
        Self {
            key,
            value,
            timestamp: timestamp.millis(),
            step,
            dataset_name: String::new(),
            dataset_digest: String::new(),
            model_id: String::new(),
            run_id: String::new(),
        }
    }
}

fn lifecycle(deleted_at: Option<Timestamp>) -> &'static str {
    if deleted_at.is_some() { "deleted" } else { "active" }
}

#[derive(Serialize)]
pub struct WireExperiment {
    experiment_id: String,
    name: String,
    artifact_location: String,
    lifecycle_stage: &'static str,
    last_update_time: i64,
    creation_time: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Pair>,
    workspace: String,
}

impl WireExperiment {
    pub fn new(experiment: Experiment, tags: Vec<Tag>, workspace: &str) -> Self {
        Self {
            experiment_id: experiment.number.to_string(),
            artifact_location: experiment_location(&experiment),
            lifecycle_stage: lifecycle(experiment.deleted_at_ms),
            last_update_time: experiment.updated_at_ms.millis(),
            creation_time: experiment.created_at_ms.millis(),
            name: experiment.name,
            tags: tags.into_iter().map(Pair::from).collect(),
            workspace: workspace.to_owned(),
        }
    }
}

/// Where the files of an experiment are: here, unless its maker wanted them elsewhere.
pub fn experiment_location(experiment: &Experiment) -> String {
    let here = || format!("{ARTIFACTS}{}", experiment.number);
    experiment.artifact_location.clone().unwrap_or_else(here)
}

/// The place below [`ARTIFACTS`] where the files of an experiment are; none if they are elsewhere.
pub fn root(experiment: &Experiment) -> Option<String> {
    match &experiment.artifact_location {
        None => Some(experiment.number.to_string()),
        Some(location) => place(location).map(str::to_owned),
    }
}

/// The place that a location names here: after two slashes comes the host of another server.
pub fn place(location: &str) -> Option<&str> {
    let path = location.strip_prefix(ARTIFACTS)?;
    let is_host = path.starts_with('/') && !path.starts_with("//");
    (!is_host).then(|| path.trim_matches('/'))
}

/// Where the files of a run are.
pub fn run_location(experiment: &Experiment, run_id: &str) -> String {
    let location = experiment_location(experiment);
    format!("{}/{run_id}/artifacts", location.trim_end_matches('/'))
}

/// Where the files of a logged model are.
pub fn logged_model_location(experiment: &Experiment, model: &LoggedModel) -> String {
    let location = experiment_location(experiment);
    format!("{}/models/{}/artifacts", location.trim_end_matches('/'), model.id.wire())
}

/// Where the files of a version are, which nobody can change.
pub fn version_location(version: &ModelVersion) -> String {
    format!("{ARTIFACTS}versions/{}", version.id.raw())
}

#[derive(Serialize)]
pub struct RunInfo {
    run_id: String,
    run_uuid: String,
    run_name: String,
    experiment_id: String,
    user_id: String,
    status: &'static str,
    start_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<i64>,
    artifact_uri: String,
    lifecycle_stage: &'static str,
}

impl RunInfo {
    pub fn new(run: &Candidate, experiment: &Experiment, user: String) -> Self {
        Self {
            run_id: run.id.raw().to_owned(),
            run_uuid: run.id.raw().to_owned(),
            run_name: run.name.clone(),
            experiment_id: experiment.number.to_string(),
            user_id: user,
            status: run.status.as_str(),
            start_time: run.started_at_ms.map_or(0, Timestamp::millis),
            end_time: run.ended_at_ms.map(Timestamp::millis),
            artifact_uri: run_location(experiment, run.id.raw()),
            lifecycle_stage: lifecycle(run.deleted_at_ms.or(experiment.deleted_at_ms)),
        }
    }
}

/// The states of a run, as protobuf numbers them.
pub const RUN_STATUS: &[(&str, i64, CandidateStatus)] = &[
    ("RUNNING", 1, CandidateStatus::Running),
    ("SCHEDULED", 2, CandidateStatus::Scheduled),
    ("FINISHED", 3, CandidateStatus::Finished),
    ("FAILED", 4, CandidateStatus::Failed),
    ("KILLED", 5, CandidateStatus::Killed),
];

#[derive(Serialize)]
pub struct Run {
    pub info: RunInfo,
    pub data: RunData,
    pub inputs: RunInputs,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outputs: Option<RunOutputs>,
}

#[derive(Serialize)]
pub struct RunData {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Metric>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<Pair>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Pair>,
}

#[derive(Serialize)]
pub struct RunInputs {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dataset_inputs: Vec<DatasetInput>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub model_inputs: Vec<ModelInput>,
}

#[derive(Serialize)]
pub struct DatasetInput {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Pair>,
    pub dataset: Dataset,
}

#[derive(Serialize)]
pub struct Dataset {
    pub name: String,
    pub digest: String,
    pub source_type: String,
    pub source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

#[derive(Serialize)]
pub struct ModelInput {
    pub model_id: String,
}

#[derive(Serialize)]
pub struct RunOutputs {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub model_outputs: Vec<ModelOutput>,
}

#[derive(Serialize)]
pub struct ModelOutput {
    pub model_id: String,
    pub step: i64,
}

#[derive(Serialize)]
pub struct WireLoggedModel {
    pub info: LoggedModelInfo,
    pub data: LoggedModelData,
}

#[derive(Serialize)]
pub struct LoggedModelInfo {
    model_id: String,
    experiment_id: String,
    name: String,
    creation_timestamp_ms: i64,
    last_updated_timestamp_ms: i64,
    artifact_uri: String,
    status: &'static str,
    model_type: String,
    source_run_id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Pair>,
}

impl LoggedModelInfo {
    pub fn new(model: LoggedModel, experiment: &Experiment, tags: Vec<Pair>) -> Self {
        Self {
            model_id: model.id.wire(),
            experiment_id: experiment.number.to_string(),
            creation_timestamp_ms: model.created_at_ms.millis(),
            last_updated_timestamp_ms: model.updated_at_ms.millis(),
            artifact_uri: logged_model_location(experiment, &model),
            status: match model.status {
                LoggedModelStatus::Pending => "LOGGED_MODEL_PENDING",
                LoggedModelStatus::Ready => "LOGGED_MODEL_READY",
                LoggedModelStatus::Failed => "LOGGED_MODEL_UPLOAD_FAILED",
            },
            source_run_id: model.source_run_id().unwrap_or_default().to_owned(),
            name: model.name,
            model_type: model.model_type,
            tags,
        }
    }
}

/// The states of a logged model, as protobuf numbers them.
pub const LOGGED_MODEL_STATUS: &[(&str, i64, LoggedModelStatus)] = &[
    ("LOGGED_MODEL_PENDING", 1, LoggedModelStatus::Pending),
    ("LOGGED_MODEL_READY", 2, LoggedModelStatus::Ready),
    ("LOGGED_MODEL_UPLOAD_FAILED", 3, LoggedModelStatus::Failed),
];

#[derive(Serialize)]
pub struct LoggedModelData {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<Pair>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Metric>,
}

#[derive(Serialize)]
pub struct RegisteredModel {
    pub name: String,
    pub creation_timestamp: i64,
    pub last_updated_timestamp: i64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub latest_versions: Vec<WireVersion>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Pair>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<WireAlias>,
}

impl RegisteredModel {
    /// A model that has nothing yet.
    pub fn new(model: Model) -> Self {
        Self {
            name: model.name,
            creation_timestamp: model.created_at_ms.millis(),
            last_updated_timestamp: model.updated_at_ms.millis(),
            description: model.description,
            latest_versions: Vec::new(),
            tags: Vec::new(),
            aliases: Vec::new(),
        }
    }
}

#[derive(Serialize)]
pub struct WireAlias {
    pub alias: String,
    pub version: String,
}

#[derive(Serialize)]
pub struct WireVersion {
    name: String,
    version: String,
    creation_timestamp: i64,
    last_updated_timestamp: i64,
    #[serde(skip_serializing_if = "String::is_empty")]
    user_id: String,
    current_stage: &'static str,
    description: String,
    source: String,
    run_id: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_message: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Pair>,
    run_link: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_id: Option<String>,
}

impl WireVersion {
    pub fn new(version: ModelVersion, model: &str, tags: Vec<Tag>, aliases: &[Alias]) -> Self {
        let status_message = version.deprecation().map(|deprecation| deprecation.text);
        Self {
            name: model.to_owned(),
            version: version.number.to_string(),
            creation_timestamp: version.created_at_ms.millis(),
            last_updated_timestamp: version.updated_at_ms.millis(),
            user_id: String::new(),
            current_stage: stage_name(version.stage),
            source: match version.source.clone().filter(|source| !source.is_empty()) {
                Some(source) => source,
                None => version_location(&version),
            },
            description: version.description,
            run_id: version.run_id.unwrap_or_default(),
            // Of the registration, which drafts have behind them, too: clients wait for it.
            status: "READY",
            status_message,
            tags: tags.into_iter().map(Pair::from).collect(),
            run_link: version.run_link.unwrap_or_default(),
            aliases: aliases.iter().map(|alias| alias.name.clone()).collect(),
            model_id: version.logged_model_id,
        }
    }
}

const STAGES: [(&str, ModelStage); 4] = [
    ("None", ModelStage::None),
    ("Staging", ModelStage::Staging),
    ("Production", ModelStage::Production),
    ("Archived", ModelStage::Archived),
];

fn stage_name(stage: ModelStage) -> &'static str {
    STAGES.iter().find(|(_, of)| *of == stage).map_or("None", |(name, _)| name)
}

/// The stage that a text names, whatever its case.
pub fn find_stage(text: &str) -> Option<ModelStage> {
    STAGES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, stage)| *stage)
}

/// The id of a logged model as MLflow has it.
pub fn model_id(id: &crate::id::LoggedModelId) -> String {
    id.wire()
}

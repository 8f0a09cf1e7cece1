//! Candidates: training runs, most of them of a model.

use cynic::{QueryBuilder, SubscriptionBuilder};

use super::{
    file::{FilePage, UnfinishedUpload},
    model::{self, Judged, OwningModel, OwningProject},
    mutation,
    page::{MAX_PAGE_SIZE, PageInfo, Place},
    scalar::{CandidateStatus, DateTime, MetricValue, OrderDirection},
    schema,
    tag::{Metric, Param, Tag},
    version::VersionName,
    viewer::Author,
};
use crate::{
    api::run,
    live::{self, Following},
    logic::error::ApiError,
};

#[derive(cynic::Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum CandidateOrderField {
    Name,
    CreatedAt,
    UpdatedAt,
    Number,
    Status,
    Metric,
    Param,
    Tag,
}

#[derive(cynic::InputObject, Clone, Debug, PartialEq)]
pub struct CandidateOrder {
    pub field: CandidateOrderField,
    pub direction: OrderDirection,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// The version that a candidate became.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "ModelVersion")]
pub struct PromotedVersion {
    pub version: String,
    pub model: OwningModel,
}

/// A candidate in a list.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Candidate")]
pub struct CandidateRow {
    pub run_id: String,
    pub number: Option<i32>,
    pub model: Option<OwningModel>,
    pub name: String,
    pub status: CandidateStatus,
    pub author: Option<Author>,
    pub created_at: DateTime,
    pub params: Vec<Param>,
    pub metrics: Vec<Metric>,
    pub tags: Vec<Tag>,
    pub version: Option<PromotedVersion>,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "CandidateConnection")]
pub struct CandidatePage {
    pub nodes: Vec<CandidateRow>,
    pub page_info: PageInfo,
    pub total_count: i32,
}

/// Every name of a metric, param or tag that the candidates have.
#[derive(cynic::QueryFragment, Clone, Debug, Default, PartialEq)]
#[cynic(graphql_type = "CandidateColumns")]
pub struct Columns {
    pub metrics: Vec<String>,
    pub params: Vec<String>,
    pub tags: Vec<String>,
}

#[derive(cynic::QueryVariables)]
pub struct CandidatesVariables {
    model: String,
    filter: Option<String>,
    order_by: Option<CandidateOrder>,
    first: Option<i32>,
    after: Option<String>,
    last: Option<i32>,
    before: Option<String>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "CandidatesVariables")]
struct Candidates {
    #[arguments(path: $model)]
    model: Option<CandidateList>,
}

/// One page of candidates and the columns that a table of them can have.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Model", variables = "CandidatesVariables")]
pub struct CandidateList {
    pub candidate_columns: Columns,
    #[arguments(filter: $filter, orderBy: $order_by, first: $first, after: $after, last: $last, before: $before)]
    pub candidates: CandidatePage,
}

/// One page of a model's candidates.
pub async fn list(
    model: String,
    filter: Option<String>,
    order_by: CandidateOrder,
    place: Place,
) -> Result<CandidateList, ApiError> {
    let missing = model::missing(&model);
    let variables = CandidatesVariables {
        model,
        filter,
        order_by: Some(order_by),
        first: place.first(),
        last: place.last(),
        after: place.after,
        before: place.before,
    };
    run(Candidates::build(variables)).await?.model.ok_or_else(|| ApiError::not_found(missing))
}

/// How a candidate is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// By its number in a model.
    Number {
        model: String,
        number: i32,
    },
    Run(Run),
}

/// By its MLflow run id in a project. Every candidate has one, so that what is asked of it later
/// need not know whether it has a model.
#[derive(cynic::QueryVariables, Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub project: String,
    pub run_id: String,
}

impl Which {
    /// What to say where it is not there.
    fn missing(&self) -> ApiError {
        ApiError::not_found(match self {
            Self::Number { model, number } => {
                format!("“{model}” has no run {number}, or you don't have access to it.")
            }
            Self::Run(Run { project, run_id }) => {
                format!("“{project}” has no run “{run_id}”, or you don't have access to it.")
            }
        })
    }
}

/// The model of a candidate.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Model")]
pub struct CandidateModel {
    pub path: String,
    pub name: String,
    pub best_metric: Option<Judged>,
}

/// The experiment of a candidate.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Experiment")]
pub struct CandidateExperiment {
    pub number: i32,
    pub name: String,
    pub project: OwningProject,
    pub model: Option<OwningModel>,
}

/// A candidate on its own page, or in a comparison.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Candidate")]
pub struct CandidateDetail {
    pub run_id: String,
    pub number: Option<i32>,
    pub model: Option<CandidateModel>,
    pub name: String,
    pub status: CandidateStatus,
    pub experiment: CandidateExperiment,
    pub author: Option<Author>,
    pub created_at: DateTime,
    pub started_at: Option<DateTime>,
    pub ended_at: Option<DateTime>,
    pub params: Vec<Param>,
    pub metrics: Vec<Metric>,
    pub curves: Vec<String>,
    pub tags: Vec<Tag>,
    pub file_count: i32,
    pub size: i64,
    pub unfinished_uploads: Vec<UnfinishedUpload>,
    pub version: Option<PromotedVersion>,
}

impl CandidateDetail {
    /// The path of its model, and its number there.
    pub fn place(&self) -> Option<(String, i32)> {
        Some((self.model.as_ref()?.path.clone(), self.number?))
    }

    pub fn run(&self) -> Run {
        Run { project: self.experiment.project.path.clone(), run_id: self.run_id.clone() }
    }
}

#[derive(cynic::QueryVariables)]
struct NumberVariables {
    model: String,
    number: i32,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "NumberVariables")]
struct ByNumber {
    #[arguments(path: $model)]
    model: Option<NumberOwner>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Model", variables = "NumberVariables")]
struct NumberOwner {
    #[arguments(number: $number)]
    candidate: Option<CandidateDetail>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "Run")]
struct ByRun {
    #[arguments(path: $project)]
    project: Option<RunOwner>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Project", variables = "Run")]
struct RunOwner {
    #[arguments(runId: $run_id)]
    run: Option<CandidateDetail>,
}

pub async fn get(which: Which) -> Result<CandidateDetail, ApiError> {
    let missing = which.missing();
    let found = match which {
        Which::Number { model, number } => {
            let owner = run(ByNumber::build(NumberVariables { model, number })).await?.model;
            owner.and_then(|model| model.candidate)
        }
        Which::Run(of) => {
            let owner = run(ByRun::build(of)).await?.project;
            owner.and_then(|project| project.run)
        }
    };
    found.ok_or(missing)
}

fn gone() -> ApiError {
    ApiError::not_found("This run was deleted, or you no longer have access to it.")
}

#[derive(cynic::QueryVariables)]
struct CurveVariables {
    project: String,
    run_id: String,
    metric: String,
    from_step: Option<i64>,
    to_step: Option<i64>,
    from_time: Option<DateTime>,
    to_time: Option<DateTime>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "CurveVariables")]
struct Curve {
    #[arguments(path: $project)]
    project: Option<CurveOwner>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Project", variables = "CurveVariables")]
struct CurveOwner {
    #[arguments(runId: $run_id)]
    run: Option<CurveRun>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Candidate", variables = "CurveVariables")]
struct CurveRun {
    #[arguments(name: $metric, fromStep: $from_step, toStep: $to_step, fromTime: $from_time, toTime: $to_time)]
    metric_curve: Vec<MetricPoint>,
}

/// One point of a metric's curve.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
pub struct MetricPoint {
    pub value: MetricValue,
    pub step: i64,
    pub timestamp: DateTime,
}

/// Which part of a curve: from and up to a step, and a time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    pub steps: Option<(i64, i64)>,
    pub times: Option<(DateTime, DateTime)>,
}

/// The points of a metric that a chart shows, by step and time.
pub async fn curve(of: Run, metric: String, part: Part) -> Result<Vec<MetricPoint>, ApiError> {
    let Run { project, run_id } = of;
    let (from_step, to_step) = part.steps.unzip();
    let (from_time, to_time) = part.times.unzip();
    let variables =
        CurveVariables { project, run_id, metric, from_step, to_step, from_time, to_time };
    run(Curve::build(variables))
        .await?
        .project
        .and_then(|project| project.run)
        .map(|run| run.metric_curve)
        .ok_or_else(gone)
}

/// The subscription that says when a run changes. What it is then is asked as always.
#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Subscription", variables = "Run")]
struct RunChanged {
    #[arguments(project: $project, runId: $run_id)]
    #[allow(dead_code)]
    run_changed: RunId,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Candidate")]
struct RunId {
    #[allow(dead_code)]
    run_id: String,
}

#[derive(cynic::QueryVariables)]
struct ModelVariables {
    model: String,
}

/// As [`RunChanged`], of all candidates of a model.
#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Subscription", variables = "ModelVariables")]
struct CandidatesChanged {
    #[arguments(model: $model)]
    #[allow(dead_code)]
    candidates_changed: Numbers,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "CandidatesChangedPayload")]
struct Numbers {
    #[allow(dead_code)]
    deleted: Vec<i32>,
}

/// Calls `changed` when something of one of these runs changes, until what this returns is dropped.
pub fn follow(runs: Vec<Run>, changed: impl Fn() + 'static) -> Vec<Following> {
    live::follow(runs.into_iter().map(RunChanged::build).collect(), changed)
}

/// Calls `changed` when something of a model's candidates changes.
pub fn follow_all(model: String, changed: impl Fn() + 'static) -> Vec<Following> {
    live::follow(vec![CandidatesChanged::build(ModelVariables { model })], changed)
}

#[derive(cynic::QueryVariables)]
struct FilesVariables {
    project: String,
    run_id: String,
    first: i32,
    after: Option<String>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "FilesVariables")]
struct Files {
    #[arguments(path: $project)]
    project: Option<FilesOwner>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Project", variables = "FilesVariables")]
struct FilesOwner {
    #[arguments(runId: $run_id)]
    run: Option<FilesRun>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Candidate", variables = "FilesVariables")]
struct FilesRun {
    #[arguments(first: $first, after: $after)]
    files: FilePage,
}

/// One page of a candidate's files, by path.
pub async fn files(of: Run, after: Option<String>) -> Result<FilePage, ApiError> {
    let Run { project, run_id } = of;
    run(Files::build(FilesVariables { project, run_id, first: MAX_PAGE_SIZE, after }))
        .await?
        .project
        .and_then(|project| project.run)
        .map(|run| run.files)
        .ok_or_else(gone)
}

/// What a mutation needs to say about the candidate it changed.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Candidate")]
pub struct CandidateName {
    pub number: Option<i32>,
    pub name: String,
}

#[derive(cynic::InputObject, Clone)]
pub struct DeleteCandidateInput {
    pub model: String,
    pub candidate: i32,
}

mutation! { $
    /// Moves the candidate into the trash.
    delete: delete_candidate(DeleteCandidateInput)
        -> "DeleteCandidatePayload" { candidate: CandidateName }
}

#[derive(cynic::InputObject, Clone)]
pub struct RestoreCandidateInput {
    pub model: String,
    pub candidate: i32,
}

mutation! { $
    restore: restore_candidate(RestoreCandidateInput)
        -> "RestoreCandidatePayload" { candidate: CandidateName }
}

#[derive(cynic::InputObject, Clone)]
pub struct PromoteCandidateInput {
    pub model: String,
    /// Also of a run without a model: that becomes a candidate of the model.
    pub run_id: Option<String>,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    pub description: Option<String>,
    /// Whether to go on without files that are still arriving.
    pub without_uploads: bool,
    /// Paths that must be there.
    pub required_files: Vec<String>,
}

mutation! { $
    /// Makes a published version of the candidate's files, params and metrics.
    promote: promote_candidate(PromoteCandidateInput)
        -> "PromoteCandidatePayload" { model_version: VersionName }
}

//! Candidates: training runs of a model.

use cynic::QueryBuilder;

use super::{
    file::FilePage,
    model::{self, ExperimentName, LatestVersion, OwningProject},
    mutation,
    page::{MAX_PAGE_SIZE, PageInfo, Place},
    scalar::{CandidateStatus, DateTime, MetricValue, OrderDirection},
    schema,
    tag::{Metric, Param, Tag},
    version::VersionName,
    viewer::Author,
};
use crate::{api::run, error::ApiError};

#[derive(cynic::Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum CandidateOrderField {
    Name,
    CreatedAt,
    UpdatedAt,
    Number,
    Status,
    Metric,
    Param,
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
}

/// A candidate in a list or a comparison.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Candidate")]
pub struct CandidateRow {
    pub number: Option<i32>,
    pub name: String,
    pub status: CandidateStatus,
    pub author: Option<Author>,
    pub created_at: DateTime,
    pub started_at: Option<DateTime>,
    pub ended_at: Option<DateTime>,
    pub params: Vec<Param>,
    pub metrics: Vec<Metric>,
    pub tags: Vec<Tag>,
    pub file_count: i32,
    pub size: i64,
    pub version: Option<PromotedVersion>,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "CandidateConnection")]
pub struct CandidatePage {
    pub nodes: Vec<CandidateRow>,
    pub page_info: PageInfo,
    pub total_count: i32,
}

/// Every metric and param name that a model's candidates have.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "CandidateColumns")]
pub struct Columns {
    pub metrics: Vec<String>,
    pub params: Vec<String>,
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

#[derive(cynic::QueryVariables)]
struct CandidateVariables {
    model: String,
    number: i32,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "CandidateVariables")]
struct Candidate {
    #[arguments(path: $model)]
    model: Option<CandidateOwner>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Model", variables = "CandidateVariables")]
struct CandidateOwner {
    path: String,
    name: String,
    project: OwningProject,
    latest_version: Option<LatestVersion>,
    #[arguments(number: $number)]
    candidate: Option<CandidateDetail>,
}

/// A candidate on its own page.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Candidate")]
pub struct CandidateDetail {
    pub run_id: String,
    pub name: String,
    pub status: CandidateStatus,
    pub experiment: ExperimentName,
    pub author: Option<Author>,
    pub created_at: DateTime,
    pub started_at: Option<DateTime>,
    pub ended_at: Option<DateTime>,
    pub params: Vec<Param>,
    pub metrics: Vec<Metric>,
    pub tags: Vec<Tag>,
    pub file_count: i32,
    pub size: i64,
    pub version: Option<PromotedVersion>,
}

/// A candidate together with what its page shows of its model.
#[derive(Clone, Debug, PartialEq)]
pub struct CandidatePageData {
    pub model: String,
    pub model_name: String,
    pub project: OwningProject,
    pub latest: Option<LatestVersion>,
    pub number: i32,
    pub candidate: CandidateDetail,
}

/// What to say where a candidate is not there.
pub fn missing(model: &str, number: i32) -> String {
    format!("“{model}” has no candidate {number}, or you may not see it.")
}

pub async fn get(model: String, number: i32) -> Result<CandidatePageData, ApiError> {
    let missing = missing(&model, number);
    let owner = run(Candidate::build(CandidateVariables { model, number })).await?.model;
    let found = owner.and_then(|owner| {
        Some(CandidatePageData {
            number,
            candidate: owner.candidate?,
            model: owner.path,
            model_name: owner.name,
            project: owner.project,
            latest: owner.latest_version,
        })
    });
    found.ok_or_else(|| ApiError::not_found(missing))
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "CandidateVariables")]
struct Compared {
    #[arguments(path: $model)]
    model: Option<ComparedOwner>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Model", variables = "CandidateVariables")]
struct ComparedOwner {
    #[arguments(number: $number)]
    candidate: Option<CandidateRow>,
}

/// One column of a comparison.
pub async fn row(model: String, number: i32) -> Result<CandidateRow, ApiError> {
    let missing = missing(&model, number);
    run(Compared::build(CandidateVariables { model, number }))
        .await?
        .model
        .and_then(|model| model.candidate)
        .ok_or_else(|| ApiError::not_found(missing))
}

#[derive(cynic::QueryVariables)]
struct HistoryVariables {
    model: String,
    number: i32,
    metric: String,
    first: i32,
    after: Option<String>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "HistoryVariables")]
struct History {
    #[arguments(path: $model)]
    model: Option<HistoryModel>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Model", variables = "HistoryVariables")]
struct HistoryModel {
    #[arguments(number: $number)]
    candidate: Option<HistoryCandidate>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Candidate", variables = "HistoryVariables")]
struct HistoryCandidate {
    #[arguments(name: $metric, first: $first, after: $after)]
    metric_history: MetricPointConnection,
}

#[derive(cynic::QueryFragment)]
struct MetricPointConnection {
    nodes: Vec<MetricPoint>,
    page_info: PageInfo,
    total_count: i32,
}

/// One point of a metric's curve.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
pub struct MetricPoint {
    pub value: MetricValue,
    pub step: i64,
}

/// The points of a metric by step, and how many there are: at most the first `MAX_POINTS`.
pub async fn history(
    model: String,
    number: i32,
    metric: String,
) -> Result<(Vec<MetricPoint>, i32), ApiError> {
    const MAX_POINTS: usize = 2000;
    let mut points = Vec::new();
    let mut after = None;
    loop {
        let variables = HistoryVariables {
            model: model.clone(),
            number,
            metric: metric.clone(),
            first: MAX_PAGE_SIZE,
            after,
        };
        let page = run(History::build(variables))
            .await?
            .model
            .and_then(|model| model.candidate)
            .ok_or_else(|| ApiError::not_found(missing(&model, number)))?
            .metric_history;
        points.extend(page.nodes);
        if !page.page_info.has_next_page || points.len() >= MAX_POINTS {
            return Ok((points, page.total_count));
        }
        after = page.page_info.end_cursor;
    }
}

#[derive(cynic::QueryVariables)]
struct FilesVariables {
    model: String,
    number: i32,
    first: i32,
    after: Option<String>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "FilesVariables")]
struct Files {
    #[arguments(path: $model)]
    model: Option<FilesModel>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Model", variables = "FilesVariables")]
struct FilesModel {
    #[arguments(number: $number)]
    candidate: Option<FilesOwner>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Candidate", variables = "FilesVariables")]
struct FilesOwner {
    #[arguments(first: $first, after: $after)]
    files: FilePage,
}

/// One page of a candidate's files, by path.
pub async fn files(
    model: String,
    number: i32,
    after: Option<String>,
) -> Result<FilePage, ApiError> {
    let missing = missing(&model, number);
    let variables = FilesVariables { model, number, first: MAX_PAGE_SIZE, after };
    run(Files::build(variables))
        .await?
        .model
        .and_then(|model| model.candidate)
        .map(|candidate| candidate.files)
        .ok_or_else(|| ApiError::not_found(missing))
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
    pub candidate: i32,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    pub description: Option<String>,
}

mutation! { $
    /// Makes a published version of the candidate's files, params and metrics.
    promote: promote_candidate(PromoteCandidateInput)
        -> "PromoteCandidatePayload" { model_version: VersionName }
}

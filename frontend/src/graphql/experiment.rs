//! Experiments: series of training runs, which may belong to no model.

use cynic::{QueryBuilder, SubscriptionBuilder};

use super::{
    candidate::{CandidateList, CandidateOrder, CandidatePage, Columns},
    model::{OwningModel, OwningProject},
    page::{PageInfo, Place},
    project,
    scalar::DateTime,
    schema,
    tag::Tag,
};
use crate::{
    api::run,
    live::{self, Following},
    logic::error::ApiError,
};

/// An experiment, in a list and on its own page.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Experiment")]
pub struct ExperimentRow {
    /// What MLflow knows as its id.
    pub number: i32,
    pub name: String,
    pub project: OwningProject,
    /// The model whose default experiment this is.
    pub model: Option<OwningModel>,
    pub updated_at: DateTime,
    pub deleted_at: Option<DateTime>,
    pub tags: Vec<Tag>,
    pub candidate_count: i32,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "ExperimentConnection")]
pub struct ExperimentPage {
    pub nodes: Vec<ExperimentRow>,
    pub page_info: PageInfo,
    pub total_count: i32,
}

#[derive(cynic::QueryVariables)]
struct ExperimentsVariables {
    project: String,
    search: Option<String>,
    first: Option<i32>,
    after: Option<String>,
    last: Option<i32>,
    before: Option<String>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "ExperimentsVariables")]
struct Experiments {
    #[arguments(path: $project)]
    project: Option<ExperimentsOwner>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Project", variables = "ExperimentsVariables")]
struct ExperimentsOwner {
    #[arguments(search: $search, standalone: true, first: $first, after: $after, last: $last, before: $before)]
    experiments: ExperimentPage,
}

/// One page of the experiments of a project that are not the default one of a model.
pub async fn list(
    project: String,
    search: Option<String>,
    place: Place,
) -> Result<ExperimentPage, ApiError> {
    let missing = project::missing(&project);
    let variables = ExperimentsVariables {
        project,
        search,
        first: place.first(),
        last: place.last(),
        after: place.after,
        before: place.before,
    };
    run(Experiments::build(variables))
        .await?
        .project
        .map(|project| project.experiments)
        .ok_or_else(|| ApiError::not_found(missing))
}

#[derive(cynic::QueryVariables)]
struct ExperimentVariables {
    project: String,
    number: i32,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "ExperimentVariables")]
struct Experiment {
    #[arguments(path: $project)]
    project: Option<ExperimentOwner>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Project", variables = "ExperimentVariables")]
struct ExperimentOwner {
    #[arguments(number: $number)]
    experiment: Option<ExperimentRow>,
}

fn missing(project: &str, number: i32) -> String {
    format!("“{project}” has no experiment {number}, or you don't have access to it.")
}

pub async fn get(project: String, number: i32) -> Result<ExperimentRow, ApiError> {
    let missing = missing(&project, number);
    run(Experiment::build(ExperimentVariables { project, number }))
        .await?
        .project
        .and_then(|project| project.experiment)
        .ok_or_else(|| ApiError::not_found(missing))
}

#[derive(cynic::QueryVariables)]
struct CandidatesVariables {
    project: String,
    number: i32,
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
    #[arguments(path: $project)]
    project: Option<CandidatesOwner>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Project", variables = "CandidatesVariables")]
struct CandidatesOwner {
    #[arguments(number: $number)]
    experiment: Option<ExperimentCandidates>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Experiment", variables = "CandidatesVariables")]
struct ExperimentCandidates {
    candidate_columns: Columns,
    #[arguments(filter: $filter, orderBy: $order_by, first: $first, after: $after, last: $last, before: $before)]
    candidates: CandidatePage,
}

/// One page of an experiment's candidates, with and without a model.
pub async fn candidates(
    project: String,
    number: i32,
    filter: Option<String>,
    order_by: CandidateOrder,
    place: Place,
) -> Result<CandidateList, ApiError> {
    let missing = missing(&project, number);
    let variables = CandidatesVariables {
        project,
        number,
        filter,
        order_by: Some(order_by),
        first: place.first(),
        last: place.last(),
        after: place.after,
        before: place.before,
    };
    run(Candidates::build(variables))
        .await?
        .project
        .and_then(|project| project.experiment)
        .map(|found| CandidateList {
            candidate_columns: found.candidate_columns,
            candidates: found.candidates,
        })
        .ok_or_else(|| ApiError::not_found(missing))
}

/// The subscription that says when a run of an experiment changes.
#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Subscription", variables = "ExperimentVariables")]
struct RunsChanged {
    #[arguments(project: $project, experiment: $number)]
    #[allow(dead_code)]
    runs_changed: Gone,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "RunsChangedPayload")]
struct Gone {
    #[allow(dead_code)]
    deleted: Vec<String>,
}

/// Calls `changed` when something of an experiment's runs changes.
pub fn follow(project: String, number: i32, changed: impl Fn() + 'static) -> Vec<Following> {
    live::follow(vec![RunsChanged::build(ExperimentVariables { project, number })], changed)
}

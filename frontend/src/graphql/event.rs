//! The log: who did what to which object, when; of a project, a model, or the whole registry.

use cynic::QueryBuilder;

use super::{
    model, mutation,
    page::{PageInfo, Place},
    project,
    scalar::DateTime,
    schema,
    viewer::Author,
};
use crate::{api::run, logic::error::ApiError};

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Token")]
pub struct TokenName {
    pub name: String,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Event")]
pub struct EventRow {
    pub id: cynic::Id,
    pub at: DateTime,
    pub actor: Option<Author>,
    pub token: Option<TokenName>,
    pub address: Option<String>,
    pub action: String,
    pub subject: String,
    pub refused: bool,
    /// A JSON object.
    pub detail: String,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "EventConnection")]
pub struct EventPage {
    pub nodes: Vec<EventRow>,
    pub page_info: PageInfo,
    pub total_count: i32,
}

#[derive(cynic::InputObject, Clone, Debug, Default, PartialEq)]
pub struct EventFilter {
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub refused: Option<bool>,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime>,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime>,
}

#[derive(cynic::InputObject, Clone)]
pub struct RedactEventInput {
    pub id: cynic::Id,
}

mutation! { $
    /// Replaces the value of a tag that the event tells, for good.
    redact: redact_event(RedactEventInput) -> "RedactEventPayload" { event: EventRow }
}

/// Whose log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Project(String),
    Model(String),
    Registry,
}

#[derive(cynic::QueryVariables)]
struct OwnedVariables {
    path: String,
    filter: Option<EventFilter>,
    first: Option<i32>,
    after: Option<String>,
    last: Option<i32>,
    before: Option<String>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "OwnedVariables")]
struct OfProject {
    #[arguments(path: $path)]
    project: Option<ProjectEvents>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Project", variables = "OwnedVariables")]
struct ProjectEvents {
    #[arguments(filter: $filter, first: $first, after: $after, last: $last, before: $before)]
    events: EventPage,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "OwnedVariables")]
struct OfModel {
    #[arguments(path: $path)]
    model: Option<ModelEvents>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Model", variables = "OwnedVariables")]
struct ModelEvents {
    #[arguments(filter: $filter, first: $first, after: $after, last: $last, before: $before)]
    events: EventPage,
}

#[derive(cynic::QueryVariables)]
struct Variables {
    filter: Option<EventFilter>,
    first: Option<i32>,
    after: Option<String>,
    last: Option<i32>,
    before: Option<String>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "Variables")]
struct OfRegistry {
    #[arguments(filter: $filter, first: $first, after: $after, last: $last, before: $before)]
    events: EventPage,
}

/// One page of the events that match, newest first.
pub async fn list(
    source: Source,
    filter: EventFilter,
    place: Place,
) -> Result<EventPage, ApiError> {
    let (filter, first, last) = (Some(filter), place.first(), place.last());
    let Place { after, before } = place;
    let (found, missing) = match source {
        Source::Project(path) => {
            let missing = project::missing(&path);
            let variables = OwnedVariables { path, filter, first, after, last, before };
            let found = run(OfProject::build(variables)).await?.project;
            (found.map(|project| project.events), missing)
        }
        Source::Model(path) => {
            let missing = model::missing(&path);
            let variables = OwnedVariables { path, filter, first, after, last, before };
            let found = run(OfModel::build(variables)).await?.model;
            (found.map(|model| model.events), missing)
        }
        Source::Registry => {
            let variables = Variables { filter, first, after, last, before };
            return Ok(run(OfRegistry::build(variables)).await?.events);
        }
    };
    found.ok_or_else(|| ApiError::not_found(missing))
}

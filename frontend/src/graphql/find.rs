//! Everything whose name has something in it: what the palette finds.

use cynic::QueryBuilder;

use super::{
    alias::{AliasRow, AliasVersion},
    kind::ModelKind,
    schema,
    viewer::Author,
};
use crate::{api::run, logic::error::ApiError};

/// What is looked for.
#[derive(cynic::QueryVariables, Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    pub project: String,
    pub model: String,
    /// The beginning of a version, where versions are wanted.
    pub version: String,
    pub with_versions: bool,
    pub candidate: i32,
    pub with_candidate: bool,
    pub with_people: bool,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Query", variables = "Wanted")]
pub struct Everything {
    #[arguments(search: $project, first: 5)]
    pub projects: ProjectNames,
    #[arguments(search: $model, first: 8)]
    pub models: ModelNames,
    #[arguments(search: $project, first: 5)]
    #[directives(include(if: $with_people))]
    pub users: Option<People>,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "ProjectConnection")]
pub struct ProjectNames {
    pub nodes: Vec<ProjectName>,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Project")]
pub struct ProjectName {
    pub path: String,
    pub name: String,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "ModelConnection", variables = "Wanted")]
pub struct ModelNames {
    pub nodes: Vec<ModelName>,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Model", variables = "Wanted")]
pub struct ModelName {
    pub path: String,
    pub kind: ModelKind,
    pub latest_version: Option<AliasVersion>,
    #[directives(include(if: $with_versions))]
    pub aliases: Option<Vec<AliasRow>>,
    #[arguments(search: $version, first: 5)]
    #[directives(include(if: $with_versions))]
    pub versions: Option<VersionNames>,
    #[arguments(number: $candidate)]
    #[directives(include(if: $with_candidate))]
    pub candidate: Option<CandidateName>,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "ModelVersionConnection")]
pub struct VersionNames {
    pub nodes: Vec<AliasVersion>,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Candidate")]
pub struct CandidateName {
    pub number: Option<i32>,
    pub name: String,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "UserConnection")]
pub struct People {
    pub nodes: Vec<Author>,
}

pub async fn find(wanted: Wanted) -> Result<Everything, ApiError> {
    run(Everything::build(wanted)).await
}

//! Protected aliases: names that only maintainers move.

use cynic::QueryBuilder;

use super::{model, mutation, project, schema};
use crate::{api::run, logic::error::ApiError};

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Model")]
pub struct ProtectedModel {
    pub path: String,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
pub struct ProtectedAlias {
    pub pattern: String,
    /// None for every model of the project.
    pub model: Option<ProtectedModel>,
}

/// Where alias names are protected: in one model, or in all of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Project(String),
    Model(String),
}

impl Place {
    /// As the inputs name it: a project or a model.
    fn parts(self) -> (Option<String>, Option<String>) {
        match self {
            Self::Project(path) => (Some(path), None),
            Self::Model(path) => (None, Some(path)),
        }
    }
}

#[derive(cynic::QueryVariables)]
struct Variables {
    path: String,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "Variables")]
struct OfProject {
    #[arguments(path: $path)]
    project: Option<ProjectPatterns>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Project")]
struct ProjectPatterns {
    protected_aliases: Vec<ProtectedAlias>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "Variables")]
struct OfModel {
    #[arguments(path: $path)]
    model: Option<ModelPatterns>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Model")]
struct ModelPatterns {
    protected_aliases: Vec<ProtectedAlias>,
}

/// What is protected there; for a model, also what is in all of its project.
pub async fn list(place: Place) -> Result<Vec<ProtectedAlias>, ApiError> {
    let (found, missing) = match place {
        Place::Project(path) => {
            let missing = project::missing(&path);
            let found = run(OfProject::build(Variables { path })).await?.project;
            (found.map(|project| project.protected_aliases), missing)
        }
        Place::Model(path) => {
            let missing = model::missing(&path);
            let found = run(OfModel::build(Variables { path })).await?.model;
            (found.map(|model| model.protected_aliases), missing)
        }
    };
    found.ok_or_else(|| ApiError::not_found(missing))
}

#[derive(cynic::InputObject, Clone)]
pub struct ProtectAliasInput {
    #[cynic(skip_serializing_if = "Option::is_none")]
    project: Option<String>,
    #[cynic(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    pattern: String,
}

mutation! { $
    protect_input: protect_alias(ProtectAliasInput)
        -> "ProtectAliasPayload" { protected_alias: ProtectedAlias }
}

/// From now on only maintainers move what has this name: `production`, `release-*`.
pub async fn protect(place: Place, pattern: String) -> Result<ProtectedAlias, ApiError> {
    let (project, model) = place.parts();
    protect_input(ProtectAliasInput { project, model, pattern }).await
}

#[derive(cynic::InputObject, Clone)]
pub struct UnprotectAliasInput {
    #[cynic(skip_serializing_if = "Option::is_none")]
    project: Option<String>,
    #[cynic(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    pattern: String,
}

mutation! { $
    unprotect_input: unprotect_alias(UnprotectAliasInput)
        -> "UnprotectAliasPayload" { protected_alias: ProtectedAlias }
}

/// Developers move it again.
pub async fn unprotect(place: Place, pattern: String) -> Result<ProtectedAlias, ApiError> {
    let (project, model) = place.parts();
    unprotect_input(UnprotectAliasInput { project, model, pattern }).await
}

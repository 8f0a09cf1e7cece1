//! Access tokens: of a person, or of a project.

use cynic::QueryBuilder;

use super::{
    mutation, project,
    scalar::{DateTime, Role, TokenScope},
    schema,
};
use crate::{api::run, logic::error::ApiError};

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
pub struct Token {
    pub id: cynic::Id,
    pub name: String,
    pub created_at: DateTime,
    pub expires_at: Option<DateTime>,
    pub last_used_at: Option<DateTime>,
    /// Of a person's token.
    pub scope: Option<TokenScope>,
    /// Of a project's token.
    pub role: Option<Role>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query")]
struct Tokens {
    viewer: Option<TokenOwner>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "User")]
struct TokenOwner {
    tokens: Option<Vec<Token>>,
}

/// The viewer's own tokens.
pub async fn list() -> Result<Vec<Token>, ApiError> {
    run(Tokens::build(()))
        .await?
        .viewer
        .and_then(|viewer| viewer.tokens)
        .ok_or_else(|| ApiError::unauthenticated("Sign in to see your access tokens."))
}

#[derive(cynic::QueryVariables)]
struct ProjectVariables {
    project: String,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "ProjectVariables")]
struct ProjectTokens {
    #[arguments(path: $project)]
    project: Option<TokenProject>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Project")]
struct TokenProject {
    tokens: Vec<Token>,
}

/// The tokens of a project.
pub async fn list_of(project: String) -> Result<Vec<Token>, ApiError> {
    let missing = project::missing(&project);
    run(ProjectTokens::build(ProjectVariables { project }))
        .await?
        .project
        .map(|project| project.tokens)
        .ok_or_else(|| ApiError::not_found(missing))
}

#[derive(cynic::InputObject, Clone)]
pub struct CreateTokenInput {
    pub name: String,
    pub scope: Option<TokenScope>,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime>,
}

mutation! { $
    /// Makes a token and returns its secret, which is never shown again.
    create: create_token(CreateTokenInput) -> "CreateTokenPayload" { secret: String }
}

#[derive(cynic::InputObject, Clone)]
pub struct CreateProjectTokenInput {
    pub project: String,
    pub name: String,
    pub role: Role,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime>,
}

mutation! { $
    /// Makes a token of the project and returns its secret, which is never shown again.
    create_of: create_project_token(CreateProjectTokenInput)
        -> "CreateProjectTokenPayload" { secret: String }
}

#[derive(cynic::InputObject, Clone)]
pub struct RevokeTokenInput {
    pub id: cynic::Id,
}

mutation! { $
    /// Nobody can use the token from now on.
    revoke: revoke_token(RevokeTokenInput) -> "RevokeTokenPayload" { token: Token }
}

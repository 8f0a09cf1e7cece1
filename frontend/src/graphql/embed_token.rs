//! Embed tokens of a project: they stand in pages of other sites.

use cynic::QueryBuilder;

use super::{mutation, project, scalar::DateTime, schema};
use crate::{api::run, logic::error::ApiError};

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
pub struct EmbedToken {
    pub id: cynic::Id,
    pub name: String,
    pub origins: Vec<String>,
    /// Whether pages get the bytes of files.
    pub files: bool,
    /// All of the project's if there are none.
    pub models: Option<Vec<ShownModel>>,
    /// All queries if there is none.
    pub operation_count: Option<i32>,
    pub created_at: DateTime,
    pub expires_at: DateTime,
    pub last_used_at: Option<DateTime>,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Model")]
pub struct ShownModel {
    pub name: String,
}

#[derive(cynic::QueryVariables)]
struct ProjectVariables {
    project: String,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "ProjectVariables")]
struct EmbedTokens {
    #[arguments(path: $project)]
    project: Option<TokenProject>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Project")]
struct TokenProject {
    embed_tokens: Vec<EmbedToken>,
}

/// The embed tokens of a project.
pub async fn list_of(project: String) -> Result<Vec<EmbedToken>, ApiError> {
    let missing = project::missing(&project);
    run(EmbedTokens::build(ProjectVariables { project }))
        .await?
        .project
        .map(|project| project.embed_tokens)
        .ok_or_else(|| ApiError::not_found(missing))
}

#[derive(cynic::InputObject, Clone)]
pub struct CreateEmbedTokenInput {
    pub project: String,
    pub name: String,
    pub origins: Vec<String>,
    pub expires_at: DateTime,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    pub files: bool,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub operations: Option<Vec<String>>,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
}

mutation! { $
    /// Makes an embed token and returns its secret, which is never shown again.
    create: create_embed_token(CreateEmbedTokenInput) -> "CreateEmbedTokenPayload" { secret: String }
}

#[derive(cynic::InputObject, Clone)]
pub struct RevokeEmbedTokenInput {
    pub id: cynic::Id,
}

mutation! { $
    /// No page can use the token from now on.
    revoke: revoke_embed_token(RevokeEmbedTokenInput)
        -> "RevokeEmbedTokenPayload" { embed_token: EmbedToken }
}

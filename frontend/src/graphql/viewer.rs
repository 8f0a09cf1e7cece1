//! Who is signed in, and their access tokens.

use cynic::{MutationBuilder, QueryBuilder};

use super::{mutation, scalar::DateTime, schema};
use crate::{api::run, error::ApiError};

/// A person as shown beside what they did.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "User")]
pub struct Author {
    pub username: String,
    pub name: String,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "User")]
pub struct Viewer {
    pub username: String,
    pub name: String,
    pub is_admin: bool,
}

/// The signed-in person, if any.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Query")]
pub struct Session {
    pub viewer: Option<Viewer>,
}

pub async fn session() -> Result<Session, ApiError> {
    run(Session::build(())).await
}

#[derive(cynic::InputObject, Clone)]
pub struct SignInInput {
    pub username: String,
    pub password: String,
}

mutation! { $
    /// Sets the session cookie.
    sign_in: sign_in(SignInInput) -> "SignInPayload" { user: Viewer }
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Mutation")]
struct SignOut {
    sign_out: SignOutPayload,
}

#[derive(cynic::QueryFragment)]
struct SignOutPayload {
    signed_out: bool,
}

/// Ends the session; false where there was none.
pub async fn sign_out() -> Result<bool, ApiError> {
    Ok(run(SignOut::build(())).await?.sign_out.signed_out)
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
pub struct Token {
    pub id: cynic::Id,
    pub name: String,
    pub created_at: DateTime,
    pub expires_at: Option<DateTime>,
    pub last_used_at: Option<DateTime>,
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
pub async fn tokens() -> Result<Vec<Token>, ApiError> {
    run(Tokens::build(()))
        .await?
        .viewer
        .and_then(|viewer| viewer.tokens)
        .ok_or_else(|| ApiError::not_found("Sign in to see your access tokens."))
}

#[derive(cynic::InputObject, Clone)]
pub struct CreateTokenInput {
    pub name: String,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime>,
}

#[derive(cynic::QueryVariables)]
struct CreateTokenVariables {
    input: CreateTokenInput,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Mutation", variables = "CreateTokenVariables")]
struct CreateToken {
    #[arguments(input: $input)]
    create_token: CreateTokenPayload,
}

#[derive(cynic::QueryFragment)]
struct CreateTokenPayload {
    secret: String,
}

/// Makes a token and returns its secret, which is never shown again.
pub async fn create_token(input: CreateTokenInput) -> Result<String, ApiError> {
    Ok(run(CreateToken::build(CreateTokenVariables { input })).await?.create_token.secret)
}

#[derive(cynic::InputObject, Clone)]
pub struct RevokeTokenInput {
    pub id: cynic::Id,
}

mutation! { $
    /// Nobody can use the token from now on.
    revoke_token: revoke_token(RevokeTokenInput) -> "RevokeTokenPayload" { token: Token }
}

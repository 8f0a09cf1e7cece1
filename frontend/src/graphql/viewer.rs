//! Who is signed in, how people sign in, and what they change about themselves.

use cynic::{MutationBuilder, QueryBuilder};

use super::{mutation, schema};
use crate::{api::run, logic::error::ApiError};

/// A person as shown beside what they did.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "User")]
pub struct Author {
    pub username: String,
    pub name: String,
}

impl Author {
    /// The full name, which may be empty, and the username.
    pub fn names(self) -> (String, String) {
        (self.name, self.username)
    }
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "User")]
pub struct Viewer {
    pub username: String,
    pub name: String,
    pub is_admin: Option<bool>,
    pub has_password: Option<bool>,
}

/// What the operator of the server lets the viewer do, beside their roles.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
pub struct Allowance {
    pub create_projects: bool,
    pub make_projects_public: bool,
    pub max_token_days: Option<i32>,
}

impl Default for Allowance {
    /// Everything, as long as the server has not said.
    fn default() -> Self {
        Self { create_projects: true, make_projects_public: true, max_token_days: None }
    }
}

/// The signed-in person, if any, what they are let do, and whether the server takes files.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Query")]
pub struct Session {
    pub viewer: Option<Viewer>,
    pub has_room: bool,
    pub allowance: Allowance,
    pub sign_in_methods: SignInNeed,
}

/// Whether anybody signs in here.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "SignInMethods")]
pub struct SignInNeed {
    pub required: bool,
}

pub async fn session() -> Result<Session, ApiError> {
    run(Session::build(())).await
}

/// Sign-in with an account of somewhere else.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
pub struct SingleSignOn {
    pub name: String,
    pub url: String,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
pub struct SignInMethods {
    pub password: bool,
    pub awaits_admin: bool,
    pub single_sign_on: Option<SingleSignOn>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query")]
struct Methods {
    sign_in_methods: SignInMethods,
}

/// How people can sign in here.
pub async fn sign_in_methods() -> Result<SignInMethods, ApiError> {
    Ok(run(Methods::build(())).await?.sign_in_methods)
}

#[derive(cynic::InputObject, Clone)]
pub struct SignInInput {
    pub username: String,
    pub password: String,
}

mutation! { $
    /// Sets the session cookie.
    sign_in: sign_in(SignInInput) -> "SignInPayload" { user: Author }
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

/// Whom a one-time link is for.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
pub struct Invitation {
    pub username: String,
    pub name: String,
}

#[derive(cynic::QueryVariables)]
struct InvitationVariables {
    secret: String,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "InvitationVariables")]
struct InvitationOf {
    #[arguments(secret: $secret)]
    invitation: Option<Invitation>,
}

/// What the secret of a one-time link is for; none where it is wrong, expired or used.
pub async fn invitation(secret: String) -> Result<Option<Invitation>, ApiError> {
    Ok(run(InvitationOf::build(InvitationVariables { secret })).await?.invitation)
}

#[derive(cynic::InputObject, Clone)]
pub struct AcceptInvitationInput {
    pub secret: String,
    pub password: String,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

mutation! { $
    /// Sets the password and the session cookie.
    accept_invitation: accept_invitation(AcceptInvitationInput)
        -> "AcceptInvitationPayload" { user: Author }
}

#[derive(cynic::InputObject, Clone)]
pub struct UpdateViewerInput {
    pub name: String,
}

mutation! { $
    update: update_viewer(UpdateViewerInput) -> "UpdateViewerPayload" { user: Author }
}

#[derive(cynic::InputObject, Clone)]
pub struct ChangePasswordInput {
    pub current_password: String,
    pub new_password: String,
}

mutation! { $
    change_password: change_password(ChangePasswordInput)
        -> "ChangePasswordPayload" { user: Author }
}

//! The people who use the registry: suggested by name to members, managed by administrators.

use cynic::QueryBuilder;

use super::{
    mutation,
    page::{PageInfo, Place},
    scalar::{DateTime, OrderDirection, UserState},
    schema,
    viewer::Author,
};
use crate::{api::run, logic::error::ApiError};

#[derive(cynic::Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserOrderField {
    Username,
    CreatedAt,
}

#[derive(cynic::InputObject, Clone, Debug, PartialEq)]
pub struct UserOrder {
    pub field: UserOrderField,
    pub direction: OrderDirection,
}

/// A person in the list of administrators.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "User")]
pub struct UserRow {
    pub username: String,
    pub name: String,
    pub is_admin: Option<bool>,
    pub state: Option<UserState>,
    pub has_password: Option<bool>,
    pub created_at: DateTime,
    pub last_seen_at: Option<DateTime>,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "UserConnection")]
pub struct UserPage {
    pub nodes: Vec<UserRow>,
    pub page_info: PageInfo,
    pub total_count: i32,
}

#[derive(cynic::QueryVariables)]
struct UsersVariables {
    search: Option<String>,
    state: Option<UserState>,
    order_by: Option<UserOrder>,
    first: Option<i32>,
    after: Option<String>,
    last: Option<i32>,
    before: Option<String>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "UsersVariables")]
struct Users {
    #[arguments(search: $search, state: $state, orderBy: $order_by, first: $first, after: $after, last: $last, before: $before)]
    users: UserPage,
}

/// One page of the people who match.
pub async fn list(
    search: Option<String>,
    state: Option<UserState>,
    order_by: UserOrder,
    place: Place,
) -> Result<UserPage, ApiError> {
    let variables = UsersVariables {
        search,
        state,
        order_by: Some(order_by),
        first: place.first(),
        last: place.last(),
        after: place.after,
        before: place.before,
    };
    Ok(run(Users::build(variables)).await?.users)
}

#[derive(cynic::QueryVariables)]
struct SuggestVariables {
    search: String,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "SuggestVariables")]
struct Suggest {
    #[arguments(search: $search, first: 8)]
    users: Suggestions,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "UserConnection")]
struct Suggestions {
    nodes: Vec<Author>,
}

/// The first few people whose names contain what was typed.
pub async fn suggest(search: String) -> Result<Vec<Author>, ApiError> {
    Ok(run(Suggest::build(SuggestVariables { search })).await?.users.nodes)
}

/// A one-time link with which a person sets their password.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
pub struct NewInvitation {
    pub url: String,
    pub expires_at: DateTime,
}

#[derive(cynic::InputObject, Clone)]
pub struct InviteUserInput {
    pub username: String,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub is_admin: Option<bool>,
}

mutation! { $
    invite: invite_user(InviteUserInput) -> "InviteUserPayload" { invitation: NewInvitation }
}

#[derive(cynic::InputObject, Clone)]
pub struct ResetUserInput {
    pub username: String,
}

mutation! { $
    /// A new one-time link.
    reset: reset_user(ResetUserInput) -> "ResetUserPayload" { invitation: NewInvitation }
}

#[derive(cynic::InputObject, Clone)]
pub struct BlockUserInput {
    pub username: String,
}

mutation! { $
    block: block_user(BlockUserInput) -> "BlockUserPayload" { user: Author }
}

#[derive(cynic::InputObject, Clone)]
pub struct UnblockUserInput {
    pub username: String,
}

mutation! { $
    unblock: unblock_user(UnblockUserInput) -> "UnblockUserPayload" { user: Author }
}

#[derive(cynic::InputObject, Clone)]
pub struct DeleteUserInput {
    pub username: String,
}

mutation! { $
    delete: delete_user(DeleteUserInput) -> "DeleteUserPayload" { user: Author }
}

#[derive(cynic::InputObject, Clone)]
pub struct UpdateUserInput {
    pub username: String,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub is_admin: Option<bool>,
}

mutation! { $
    update: update_user(UpdateUserInput) -> "UpdateUserPayload" { user: Author }
}

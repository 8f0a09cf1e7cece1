//! Members: who may do what in a project.

use cynic::QueryBuilder;

use super::{
    mutation,
    page::{PageInfo, Place},
    project,
    scalar::{DateTime, Role},
    schema,
    viewer::Author,
};
use crate::{api::run, logic::error::ApiError};

/// A person in the list of a project's members.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Member")]
pub struct MemberRow {
    pub user: Author,
    pub role: Role,
    pub by_single_sign_on: bool,
    pub added_by: Option<Author>,
    pub created_at: DateTime,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "MemberConnection")]
pub struct MemberPage {
    pub nodes: Vec<MemberRow>,
    pub page_info: PageInfo,
    pub total_count: i32,
}

#[derive(cynic::QueryVariables)]
struct MembersVariables {
    project: String,
    search: Option<String>,
    first: Option<i32>,
    after: Option<String>,
    last: Option<i32>,
    before: Option<String>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "MembersVariables")]
struct Members {
    #[arguments(path: $project)]
    project: Option<MembersOwner>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Project", variables = "MembersVariables")]
struct MembersOwner {
    #[arguments(search: $search, first: $first, after: $after, last: $last, before: $before)]
    members: MemberPage,
}

/// One page of a project's members.
pub async fn list(
    project: String,
    search: Option<String>,
    place: Place,
) -> Result<MemberPage, ApiError> {
    let missing = project::missing(&project);
    let variables = MembersVariables {
        project,
        search,
        first: place.first(),
        last: place.last(),
        after: place.after,
        before: place.before,
    };
    run(Members::build(variables))
        .await?
        .project
        .map(|project| project.members)
        .ok_or_else(|| ApiError::not_found(missing))
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Project")]
pub struct MembershipProject {
    pub path: String,
    pub name: String,
}

/// A project in the list of where a person is a member.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Member")]
pub struct Membership {
    pub project: MembershipProject,
    pub role: Role,
    pub by_single_sign_on: bool,
    pub created_at: DateTime,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "MemberConnection")]
pub struct MembershipPage {
    pub nodes: Vec<Membership>,
    pub page_info: PageInfo,
    pub total_count: i32,
}

#[derive(cynic::QueryVariables)]
struct MembershipsVariables {
    first: Option<i32>,
    after: Option<String>,
    last: Option<i32>,
    before: Option<String>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "MembershipsVariables")]
struct Memberships {
    viewer: Option<MembershipsOwner>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "User", variables = "MembershipsVariables")]
struct MembershipsOwner {
    #[arguments(first: $first, after: $after, last: $last, before: $before)]
    memberships: Option<MembershipPage>,
}

/// One page of where the viewer is a member.
pub async fn mine(place: Place) -> Result<MembershipPage, ApiError> {
    let variables = MembershipsVariables {
        first: place.first(),
        last: place.last(),
        after: place.after,
        before: place.before,
    };
    run(Memberships::build(variables))
        .await?
        .viewer
        .and_then(|viewer| viewer.memberships)
        .ok_or_else(|| ApiError::unauthenticated("Sign in to see your projects."))
}

/// What a mutation needs to say about the member it changed.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Member")]
pub struct MemberName {
    pub user: Author,
}

#[derive(cynic::InputObject, Clone)]
pub struct AddMemberInput {
    pub project: String,
    pub username: String,
    pub role: Role,
}

mutation! { $
    add: add_member(AddMemberInput) -> "AddMemberPayload" { member: MemberName }
}

#[derive(cynic::InputObject, Clone)]
pub struct UpdateMemberInput {
    pub project: String,
    pub username: String,
    pub role: Role,
}

mutation! { $
    update: update_member(UpdateMemberInput) -> "UpdateMemberPayload" { member: MemberName }
}

#[derive(cynic::InputObject, Clone)]
pub struct RemoveMemberInput {
    pub project: String,
    pub username: String,
}

mutation! { $
    remove: remove_member(RemoveMemberInput) -> "RemoveMemberPayload" { member: MemberName }
}

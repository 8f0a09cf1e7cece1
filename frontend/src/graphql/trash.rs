//! What was deleted from a project and can come back.

use cynic::QueryBuilder;

use super::{
    kind::ModelKind,
    model::OwningModel,
    mutation,
    page::{PageInfo, Place},
    project,
    scalar::DateTime,
    schema,
    viewer::Author,
};
use crate::{api::run, logic::error::ApiError};

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Model")]
pub struct TrashedModel {
    pub id: cynic::Id,
    pub path: String,
    pub name: String,
    pub version_count: i32,
    pub kind: ModelKind,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "ModelVersion")]
pub struct TrashedVersion {
    pub id: cynic::Id,
    pub version: String,
    pub model: OwningModel,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Candidate")]
pub struct TrashedCandidate {
    pub id: cynic::Id,
    pub name: String,
    pub number: Option<i32>,
    // A version's model cannot be null and a candidate's can: one selection must not call both `model`.
    #[cynic(rename = "model", alias)]
    pub run_of: Option<OwningModel>,
}

#[derive(cynic::InlineFragments, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "TrashItem")]
pub enum TrashItem {
    Model(TrashedModel),
    ModelVersion(TrashedVersion),
    Candidate(TrashedCandidate),
    #[cynic(fallback)]
    Other,
}

impl TrashItem {
    /// Its opaque id; none for a kind that this UI does not know.
    pub fn id(&self) -> Option<cynic::Id> {
        match self {
            Self::Model(model) => Some(model.id.clone()),
            Self::ModelVersion(version) => Some(version.id.clone()),
            Self::Candidate(candidate) => Some(candidate.id.clone()),
            Self::Other => None,
        }
    }
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
pub struct TrashEntry {
    pub deleted_at: DateTime,
    pub deleted_by: Option<Author>,
    pub item: TrashItem,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "TrashConnection")]
pub struct TrashPage {
    pub nodes: Vec<TrashEntry>,
    pub page_info: PageInfo,
    pub total_count: i32,
}

#[derive(cynic::QueryVariables)]
struct TrashVariables {
    project: String,
    first: Option<i32>,
    after: Option<String>,
    last: Option<i32>,
    before: Option<String>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "TrashVariables")]
struct Trash {
    #[arguments(path: $project)]
    project: Option<TrashOwner>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Project", variables = "TrashVariables")]
struct TrashOwner {
    #[arguments(first: $first, after: $after, last: $last, before: $before)]
    trash: TrashPage,
}

/// One page of a project's trash, last deleted first.
pub async fn list(project: String, place: Place) -> Result<TrashPage, ApiError> {
    let missing = project::missing(&project);
    let variables = TrashVariables {
        project,
        first: place.first(),
        last: place.last(),
        after: place.after,
        before: place.before,
    };
    run(Trash::build(variables))
        .await?
        .project
        .map(|project| project.trash)
        .ok_or_else(|| ApiError::not_found(missing))
}

#[derive(cynic::InputObject, Clone)]
pub struct EmptyTrashInput {
    pub project: String,
    /// One thing in it; omitted: all.
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub item: Option<cynic::Id>,
}

mutation! { $
    /// Deletes for good; returns how many things are gone.
    empty: empty_trash(EmptyTrashInput) -> "EmptyTrashPayload" { removed_count: i32 }
}

/// Deletes one thing for good, or everything, which the server does a part at a time.
pub async fn empty_all(project: String, item: Option<cynic::Id>) -> Result<i32, ApiError> {
    let mut total = 0;
    loop {
        let input = EmptyTrashInput { project: project.clone(), item: item.clone() };
        let removed = empty(input).await?;
        total += removed;
        if removed == 0 || item.is_some() {
            return Ok(total);
        }
    }
}

#[derive(cynic::QueryVariables)]
struct SizeVariables {
    project: String,
    item: Option<cynic::Id>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "SizeVariables")]
struct Size {
    #[arguments(path: $project)]
    project: Option<SizeOwner>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Project", variables = "SizeVariables")]
struct SizeOwner {
    #[arguments(item: $item)]
    trash_size: i64,
}

/// How many bytes come back when this, or everything, is deleted for good.
pub async fn size(project: String, item: Option<cynic::Id>) -> Result<i64, ApiError> {
    let missing = project::missing(&project);
    let found = run(Size::build(SizeVariables { project, item })).await?.project;
    found.map(|project| project.trash_size).ok_or_else(|| ApiError::not_found(missing))
}

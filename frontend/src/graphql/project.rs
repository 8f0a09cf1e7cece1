//! Projects: the home of models.

use cynic::QueryBuilder;

use super::{
    mutation,
    page::{PageInfo, Place},
    scalar::{DateTime, OrderDirection, Role, Visibility},
    schema,
};
use crate::{api::run, logic::error::ApiError};

#[derive(cynic::Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProjectOrderField {
    Name,
    CreatedAt,
    UpdatedAt,
}

#[derive(cynic::InputObject, Clone, Debug, PartialEq)]
pub struct ProjectOrder {
    pub field: ProjectOrderField,
    pub direction: OrderDirection,
}

/// A project in a list.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Project")]
pub struct ProjectRow {
    pub id: cynic::Id,
    pub path: String,
    pub name: String,
    pub description: String,
    pub visibility: Visibility,
    #[arguments(first: 0, filter: "kind = 'MODEL'")]
    pub models: Count,
    pub updated_at: DateTime,
    pub deleted_at: Option<DateTime>,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "ProjectConnection")]
pub struct ProjectPage {
    pub nodes: Vec<ProjectRow>,
    pub page_info: PageInfo,
    pub total_count: i32,
}

#[derive(cynic::QueryVariables)]
struct ProjectsVariables {
    search: Option<String>,
    order_by: Option<ProjectOrder>,
    trashed: bool,
    first: Option<i32>,
    after: Option<String>,
    last: Option<i32>,
    before: Option<String>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "ProjectsVariables")]
struct Projects {
    #[arguments(search: $search, orderBy: $order_by, trashed: $trashed, first: $first, after: $after, last: $last, before: $before)]
    projects: ProjectPage,
}

/// One page of the projects that match; of the deleted ones where `trashed` is set.
pub async fn list(
    search: Option<String>,
    order_by: ProjectOrder,
    trashed: bool,
    place: Place,
) -> Result<ProjectPage, ApiError> {
    let variables = ProjectsVariables {
        search,
        order_by: Some(order_by),
        trashed,
        first: place.first(),
        last: place.last(),
        after: place.after,
        before: place.before,
    };
    Ok(run(Projects::build(variables)).await?.projects)
}

/// A project on its own page.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Project")]
pub struct ProjectDetail {
    pub id: cynic::Id,
    pub path: String,
    pub name: String,
    pub description: String,
    pub description_html: String,
    pub visibility: Visibility,
    /// None where the server sends all files itself.
    pub redirects_downloads: Option<bool>,
    #[arguments(first: 0, filter: "kind = 'MODEL'")]
    pub models: Count,
    #[cynic(alias, rename = "models")]
    #[arguments(first: 0, filter: "kind = 'PROMPT'")]
    pub prompts: Count,
    pub viewer_role: Option<Role>,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "ModelConnection")]
pub struct Count {
    pub total_count: i32,
}

impl ProjectDetail {
    /// Whether the caller may do what takes this role.
    pub fn allows(&self, role: Role) -> bool {
        self.viewer_role >= Some(role)
    }
}

#[derive(cynic::QueryVariables)]
struct ProjectVariables {
    path: String,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "ProjectVariables")]
struct Project {
    #[arguments(path: $path)]
    project: Option<ProjectDetail>,
}

/// What to say where a project is not there.
pub fn missing(path: &str) -> String {
    format!("There is no project “{path}”, or you don't have access to it.")
}

pub async fn get(path: String) -> Result<ProjectDetail, ApiError> {
    let missing = missing(&path);
    run(Project::build(ProjectVariables { path }))
        .await?
        .project
        .ok_or_else(|| ApiError::not_found(missing))
}

/// What a mutation needs to say about the project it changed.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Project")]
pub struct ProjectName {
    pub id: cynic::Id,
    pub path: String,
    pub name: String,
}

#[derive(cynic::InputObject, Clone)]
pub struct CreateProjectInput {
    pub path: String,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub description: Option<String>,
    pub visibility: Option<Visibility>,
}

mutation! { $
    create: create_project(CreateProjectInput) -> "CreateProjectPayload" { project: ProjectName }
}

#[derive(cynic::InputObject, Clone)]
pub struct UpdateProjectInput {
    pub project: String,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub redirects_downloads: Option<bool>,
}

mutation! { $
    update: update_project(UpdateProjectInput) -> "UpdateProjectPayload" { project: ProjectName }
}

#[derive(cynic::InputObject, Clone)]
pub struct RenameProjectInput {
    pub project: String,
    pub path: String,
}

mutation! { $
    /// Gives the project another path, and with it another address to everything in it.
    rename: rename_project(RenameProjectInput) -> "RenameProjectPayload" { project: ProjectName }
}

#[derive(cynic::InputObject, Clone)]
pub struct DeleteProjectInput {
    pub project: String,
}

mutation! { $
    /// Moves the project into the trash.
    delete: delete_project(DeleteProjectInput) -> "DeleteProjectPayload" { project: ProjectName }
}

#[derive(cynic::InputObject, Clone)]
pub struct RestoreProjectInput {
    pub project: String,
    pub id: Option<cynic::Id>,
}

mutation! { $
    restore: restore_project(RestoreProjectInput) -> "RestoreProjectPayload" { project: ProjectName }
}

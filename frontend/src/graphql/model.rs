//! Models: named things that own versions and candidates.

use cynic::QueryBuilder;

use super::{
    alias::{AliasDetail, AliasRow},
    mutation,
    page::{PageInfo, Place},
    project,
    scalar::{DateTime, OrderDirection, Role, VersionState},
    schema,
    tag::Tag,
    viewer::Author,
};
use crate::{api::run, error::ApiError};

#[derive(cynic::Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelOrderField {
    Name,
    CreatedAt,
    UpdatedAt,
}

#[derive(cynic::InputObject, Clone, Debug, PartialEq)]
pub struct ModelOrder {
    pub field: ModelOrderField,
    pub direction: OrderDirection,
}

/// The highest version of a model, in short.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "ModelVersion")]
pub struct LatestVersion {
    pub version: String,
    pub state: VersionState,
    pub created_at: DateTime,
    pub published_at: Option<DateTime>,
    pub file_count: i32,
    pub size: i64,
}

/// A model in a list.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Model")]
pub struct ModelRow {
    pub path: String,
    pub name: String,
    pub author: Option<Author>,
    pub updated_at: DateTime,
    pub latest_version: Option<LatestVersion>,
    pub version_count: i32,
    pub candidate_count: i32,
    pub aliases: Vec<AliasRow>,
    pub tags: Vec<Tag>,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "ModelConnection")]
pub struct ModelPage {
    pub nodes: Vec<ModelRow>,
    pub page_info: PageInfo,
    pub total_count: i32,
}

#[derive(cynic::QueryVariables)]
struct ModelsVariables {
    project: String,
    search: Option<String>,
    order_by: Option<ModelOrder>,
    first: Option<i32>,
    after: Option<String>,
    last: Option<i32>,
    before: Option<String>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "ModelsVariables")]
struct Models {
    #[arguments(path: $project)]
    project: Option<ModelsOwner>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Project", variables = "ModelsVariables")]
struct ModelsOwner {
    #[arguments(search: $search, orderBy: $order_by, first: $first, after: $after, last: $last, before: $before)]
    models: ModelPage,
}

/// One page of a project's models.
pub async fn list(
    project: String,
    search: Option<String>,
    order_by: ModelOrder,
    place: Place,
) -> Result<ModelPage, ApiError> {
    let missing = project::missing(&project);
    let variables = ModelsVariables {
        project,
        search,
        order_by: Some(order_by),
        first: place.first(),
        last: place.last(),
        after: place.after,
        before: place.before,
    };
    run(Models::build(variables))
        .await?
        .project
        .map(|project| project.models)
        .ok_or_else(|| ApiError::not_found(missing))
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Project")]
pub struct OwningProject {
    pub path: String,
    pub name: String,
    pub viewer_role: Option<Role>,
}

impl OwningProject {
    /// Whether the caller may do what takes this role.
    pub fn allows(&self, role: Role) -> bool {
        self.viewer_role >= Some(role)
    }
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Experiment")]
pub struct ExperimentName {
    pub name: String,
}

/// The model that something belongs to.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Model")]
pub struct OwningModel {
    pub path: String,
    pub name: String,
}

/// A model on its own page.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Model")]
pub struct ModelDetail {
    pub path: String,
    pub name: String,
    pub project: OwningProject,
    pub description: String,
    pub description_html: String,
    pub author: Option<Author>,
    pub created_at: DateTime,
    pub updated_at: DateTime,
    pub latest_version: Option<LatestVersion>,
    pub next_version: String,
    pub version_count: i32,
    pub candidate_count: i32,
    pub aliases: Vec<AliasDetail>,
    pub tags: Vec<Tag>,
    pub experiment: ExperimentName,
}

#[derive(cynic::QueryVariables)]
struct ModelVariables {
    path: String,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "ModelVariables")]
struct Model {
    #[arguments(path: $path)]
    model: Option<ModelDetail>,
}

/// What to say where a model is not there.
pub fn missing(path: &str) -> String {
    format!("There is no model “{path}”, or you may not see it.")
}

pub async fn get(path: String) -> Result<ModelDetail, ApiError> {
    let missing = missing(&path);
    run(Model::build(ModelVariables { path }))
        .await?
        .model
        .ok_or_else(|| ApiError::not_found(missing))
}

/// What a mutation needs to say about the model it changed.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Model")]
pub struct ModelName {
    pub id: cynic::Id,
    pub path: String,
    pub name: String,
}

#[derive(cynic::InputObject, Clone, Debug, PartialEq)]
pub struct TagInput {
    pub key: String,
    pub value: String,
}

#[derive(cynic::InputObject, Clone)]
pub struct CreateModelInput {
    pub project: String,
    pub name: String,
    pub description: Option<String>,
    pub tags: Option<Vec<TagInput>>,
}

mutation! { $
    create: create_model(CreateModelInput) -> "CreateModelPayload" { model: ModelName }
}

#[derive(cynic::InputObject, Clone)]
pub struct UpdateModelInput {
    pub model: String,
    pub description: Option<String>,
}

mutation! { $
    update: update_model(UpdateModelInput) -> "UpdateModelPayload" { model: ModelName }
}

#[derive(cynic::InputObject, Clone)]
pub struct RenameModelInput {
    pub model: String,
    pub name: String,
}

mutation! { $
    rename: rename_model(RenameModelInput) -> "RenameModelPayload" { model: ModelName }
}

#[derive(cynic::InputObject, Clone)]
pub struct DeleteModelInput {
    pub model: String,
}

mutation! { $
    /// Moves the model, with its versions and candidates, into the trash.
    delete: delete_model(DeleteModelInput) -> "DeleteModelPayload" { model: ModelName }
}

#[derive(cynic::InputObject, Clone)]
pub struct RestoreModelInput {
    pub model: String,
    pub id: Option<cynic::Id>,
}

mutation! { $
    restore: restore_model(RestoreModelInput) -> "RestoreModelPayload" { model: ModelName }
}

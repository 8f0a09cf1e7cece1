//! Versions: releases of a model, drafts until they are published.

use cynic::QueryBuilder;

use super::{
    alias::{AliasDetail, AliasRow},
    file::{FileName, FilePage, NameWarning, UnfinishedUpload},
    kind::ModelKind,
    model::{self, Judged, LatestVersion, OwningModel, OwningProject, TagInput},
    mutation,
    page::{MAX_PAGE_SIZE, PageInfo, Place},
    prompt::{Excerpt, Template},
    scalar::{DateTime, ModelStage, OrderDirection, VersionState, VersionSupport},
    schema,
    support::Support,
    tag::{Metric, Param, Tag},
    viewer::Author,
};
use crate::{
    api::run,
    logic::{contents::Contents, error::ApiError, filter},
};

#[derive(cynic::Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelVersionOrderField {
    Version,
    CreatedAt,
    UpdatedAt,
    Name,
}

#[derive(cynic::InputObject, Clone, Debug, PartialEq)]
pub struct ModelVersionOrder {
    pub field: ModelVersionOrderField,
    pub direction: OrderDirection,
}

/// The candidate that a version was made from.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Candidate")]
pub struct SourceCandidate {
    pub curves: Vec<String>,
    pub number: Option<i32>,
    pub name: String,
    pub run_id: String,
    pub author: Option<Author>,
    pub model: Option<OwningModel>,
}

/// What goes into a model and comes out of it.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "ModelSignature")]
pub struct Signature {
    pub inputs: Vec<SignatureField>,
    pub outputs: Vec<SignatureField>,
    pub params: Vec<SignatureField>,
}

/// One column, tensor or param of a signature.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
pub struct SignatureField {
    pub name: Option<String>,
    #[cynic(rename = "type")]
    pub kind: String,
    /// -1 where any size will do.
    pub shape: Option<Vec<i32>>,
    pub required: bool,
    /// JSON.
    pub default: Option<String>,
}

/// A version in a list.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "ModelVersion")]
pub struct VersionRow {
    pub stage: ModelStage,
    pub version: String,
    pub number: i32,
    pub state: VersionState,
    pub support: VersionSupport,
    pub author: Option<Author>,
    pub created_at: DateTime,
    pub published_at: Option<DateTime>,
    pub aliases: Vec<AliasRow>,
    pub tags: Vec<Tag>,
    pub file_count: i32,
    pub size: i64,
    pub prompt: Option<Excerpt>,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "ModelVersionConnection")]
pub struct VersionPage {
    pub nodes: Vec<VersionRow>,
    pub page_info: PageInfo,
    pub total_count: i32,
}

#[derive(cynic::QueryVariables)]
pub struct VersionsVariables {
    model: String,
    search: Option<String>,
    range: Option<String>,
    filter: Option<String>,
    order_by: Option<ModelVersionOrder>,
    first: Option<i32>,
    after: Option<String>,
    last: Option<i32>,
    before: Option<String>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "VersionsVariables")]
struct Versions {
    #[arguments(path: $model)]
    model: Option<VersionList>,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "ModelVersionConnection")]
pub struct VersionCount {
    pub total_count: i32,
}

/// One page of versions, and how many yanked ones the model has, whether they are listed or not.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Model", variables = "VersionsVariables")]
pub struct VersionList {
    #[arguments(search: $search, range: $range, filter: $filter, orderBy: $order_by, first: $first, after: $after, last: $last, before: $before)]
    pub versions: VersionPage,
    #[cynic(alias, rename = "versions")]
    #[arguments(filter: "support = 'YANKED'")]
    pub yanked: VersionCount,
}

/// Which versions of a model to list.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    pub search: Option<String>,
    pub range: Option<String>,
    /// Key and value, or the key alone: `stage=prod`.
    pub tag: Option<String>,
    /// Whether yanked ones are among them.
    pub yanked: bool,
    pub order_by: ModelVersionOrder,
    pub place: Place,
}

impl Wanted {
    fn highest_first() -> Self {
        let (field, direction) = (ModelVersionOrderField::Version, OrderDirection::Desc);
        Self {
            search: None,
            range: None,
            tag: None,
            yanked: false,
            order_by: ModelVersionOrder { field, direction },
            place: Place::default(),
        }
    }
}

/// One page of a model's versions.
pub async fn list(model: String, wanted: Wanted) -> Result<VersionList, ApiError> {
    let missing = model::missing(&model);
    let variables = VersionsVariables {
        model,
        search: wanted.search,
        range: wanted.range,
        filter: filter::versions(wanted.tag.as_deref(), wanted.yanked),
        order_by: Some(wanted.order_by),
        first: wanted.place.first(),
        last: wanted.place.last(),
        after: wanted.place.after,
        before: wanted.place.before,
    };
    run(Versions::build(variables)).await?.model.ok_or_else(|| ApiError::not_found(missing))
}

/// Pages of versions to choose from.
const MOST_PAGES: usize = 8;

/// The highest versions of a model, by SemVer precedence.
pub async fn highest(model: String) -> Result<Vec<String>, ApiError> {
    let mut wanted = Wanted::highest_first();
    let mut found = Vec::new();
    for _ in 0..MOST_PAGES {
        let page = list(model.clone(), wanted.clone()).await?.versions;
        found.extend(page.nodes.into_iter().map(|row| row.version));
        wanted.place.after = page.page_info.end_cursor;
        if !page.page_info.has_next_page {
            break;
        }
    }
    Ok(found)
}

/// Versions to use instead of another one, highest first: as many as a page has.
pub async fn offered(model: String) -> Result<Vec<String>, ApiError> {
    let page = list(model, Wanted::highest_first()).await?.versions;
    let offered = |row: &VersionRow| {
        row.state == VersionState::Published && row.support == VersionSupport::Active
    };
    Ok(page.nodes.into_iter().filter(offered).map(|row| row.version).collect())
}

/// The path of a file.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "FileConnection")]
pub struct FilePaths {
    nodes: Vec<FileName>,
}

/// What of a version says what it is loaded with.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "ModelVersion")]
pub struct FlavorsAndFiles {
    pub flavors: Vec<String>,
    #[arguments(first: 100)]
    files: FilePaths,
}

impl FlavorsAndFiles {
    pub fn contents(&self) -> Contents {
        Contents::of(&self.flavors, self.files.nodes.iter().map(|file| &*file.path))
    }
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Model", variables = "VersionVariables")]
struct VersionOwner {
    path: String,
    name: String,
    project: OwningProject,
    latest_version: Option<LatestVersion>,
    aliases: Vec<AliasDetail>,
    best_metric: Option<Judged>,
    #[arguments(ref: $reference)]
    version: Option<VersionDetail>,
}

/// A version on its own page.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "ModelVersion")]
pub struct VersionDetail {
    pub id: cynic::Id,
    pub version: String,
    pub number: i32,
    pub state: VersionState,
    pub description: String,
    pub description_html: String,
    pub author: Option<Author>,
    pub created_at: DateTime,
    pub updated_at: DateTime,
    pub published_at: Option<DateTime>,
    pub support: VersionSupport,
    pub support_since: Option<DateTime>,
    pub support_reason: Option<String>,
    pub successor: Option<String>,
    pub last_fetched_at: Option<DateTime>,
    pub digest: Option<String>,
    pub tags: Vec<Tag>,
    pub metrics: Vec<Metric>,
    pub params: Vec<Param>,
    pub candidate: Option<SourceCandidate>,
    pub file_count: i32,
    pub size: i64,
    pub unfinished_uploads: Vec<UnfinishedUpload>,
    pub name_warnings: Vec<NameWarning>,
    pub stage: ModelStage,
    pub source: Option<String>,
    pub flavors: Vec<String>,
    /// The first of them, by path.
    #[arguments(first: 100)]
    files: FilePaths,
    pub signature: Option<Signature>,
    pub requirements: Vec<String>,
    pub mlflow_version: Option<String>,
    pub prompt: Option<Template>,
    pub previous: Option<VersionName>,
}

impl VersionDetail {
    pub fn contents(&self) -> Contents {
        Contents::of(&self.flavors, self.files.nodes.iter().map(|file| &*file.path))
    }

    /// Whether it is a template, and no files.
    pub fn is_prompt(&self) -> bool {
        self.prompt.is_some() && self.file_count == 0
    }

    pub fn kind(&self) -> ModelKind {
        if self.is_prompt() { ModelKind::Prompt } else { ModelKind::Model }
    }

    pub fn is_yanked(&self) -> bool {
        self.support == VersionSupport::Yanked
    }

    /// Whether it should still be used, as [`super::support::set`] takes it.
    pub fn support(&self) -> Support {
        Support {
            state: self.support,
            reason: self.support_reason.clone(),
            successor: self.successor.clone(),
        }
    }
}

#[derive(cynic::QueryVariables)]
struct VersionVariables {
    model: String,
    reference: String,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "VersionVariables")]
struct Version {
    #[arguments(path: $model)]
    model: Option<VersionOwner>,
}

/// A version together with what its page shows of its model.
#[derive(Clone, Debug, PartialEq)]
pub struct VersionPageData {
    pub model: String,
    pub model_name: String,
    pub project: OwningProject,
    pub latest: Option<LatestVersion>,
    pub aliases: Vec<AliasDetail>,
    pub best_metric: Option<Judged>,
    pub version: VersionDetail,
}

/// The version that a reference names: `1.2.0`, `^1.2`, `@champion` or `latest`.
pub async fn get(model: String, reference: String) -> Result<VersionPageData, ApiError> {
    let missing =
        format!("“{model}” has no version “{reference}”, or you don't have access to it.");
    let owner = run(Version::build(VersionVariables { model, reference })).await?.model;
    let found = owner.and_then(|owner| {
        Some(VersionPageData {
            version: owner.version?,
            model: owner.path,
            model_name: owner.name,
            project: owner.project,
            latest: owner.latest_version,
            aliases: owner.aliases,
            best_metric: owner.best_metric,
        })
    });
    found.ok_or_else(|| ApiError::not_found(missing))
}

#[derive(cynic::QueryVariables)]
struct FilesVariables {
    model: String,
    reference: String,
    first: i32,
    after: Option<String>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "FilesVariables")]
struct Files {
    #[arguments(path: $model)]
    model: Option<FilesModel>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Model", variables = "FilesVariables")]
struct FilesModel {
    #[arguments(ref: $reference)]
    version: Option<FilesOwner>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "ModelVersion", variables = "FilesVariables")]
struct FilesOwner {
    #[arguments(first: $first, after: $after)]
    files: FilePage,
}

/// One page of a version's files, by path.
pub async fn files(
    model: String,
    version: String,
    after: Option<String>,
) -> Result<FilePage, ApiError> {
    let missing = format!("“{model}” has no version “{version}”, or you don't have access to it.");
    let variables = FilesVariables { model, reference: version, first: MAX_PAGE_SIZE, after };
    run(Files::build(variables))
        .await?
        .model
        .and_then(|model| model.version)
        .map(|version| version.files)
        .ok_or_else(|| ApiError::not_found(missing))
}

/// What a mutation needs to say about the version it changed.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "ModelVersion")]
pub struct VersionName {
    pub id: cynic::Id,
    pub version: String,
}

#[derive(cynic::InputObject, Clone)]
pub struct CreateModelVersionInput {
    pub model: String,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    pub description: Option<String>,
    pub tags: Option<Vec<TagInput>>,
}

mutation! { $
    create: create_model_version(CreateModelVersionInput)
        -> "CreateModelVersionPayload" { model_version: VersionName }
}

#[derive(cynic::InputObject, Clone)]
pub struct UpdateModelVersionInput {
    pub model: String,
    pub version: String,
    pub description: Option<String>,
}

mutation! { $
    update: update_model_version(UpdateModelVersionInput)
        -> "UpdateModelVersionPayload" { model_version: VersionName }
}

#[derive(cynic::InputObject, Clone)]
pub struct PublishModelVersionInput {
    pub model: String,
    pub version: String,
    /// Whether to go on without files that are still arriving.
    pub without_uploads: bool,
    /// Paths that must be there.
    pub required_files: Vec<String>,
}

mutation! { $
    /// Locks the version: its files never change again.
    publish: publish_model_version(PublishModelVersionInput)
        -> "PublishModelVersionPayload" { model_version: VersionName }
}

#[derive(cynic::InputObject, Clone)]
pub struct DeleteModelVersionInput {
    pub model: String,
    pub version: String,
}

mutation! { $
    /// Moves the version into the trash.
    delete: delete_model_version(DeleteModelVersionInput)
        -> "DeleteModelVersionPayload" { model_version: VersionName }
}

#[derive(cynic::InputObject, Clone)]
pub struct RestoreModelVersionInput {
    pub model: String,
    pub version: String,
    pub id: Option<cynic::Id>,
}

mutation! { $
    restore: restore_model_version(RestoreModelVersionInput)
        -> "RestoreModelVersionPayload" { model_version: VersionName }
}

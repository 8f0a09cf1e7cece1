//! Models: named things that own versions and candidates.

use cynic::{QueryBuilder, SubscriptionBuilder};

use super::{
    alias::{AliasDetail, AliasRow},
    find::CandidateName,
    kind::ModelKind,
    mutation,
    page::{PageInfo, Place},
    project,
    prompt::{LatestExcerpt, LatestTemplate, Template},
    scalar::{DateTime, MetricValue, OrderDirection, Role, VersionState, Visibility},
    schema,
    tag::Tag,
    version::{FlavorsAndFiles, VersionCount},
    viewer::Author,
};
use crate::{
    api::run,
    live::{self, Following},
    logic::{
        address,
        error::ApiError,
        filter,
        judge::{self, Judge},
    },
};

#[derive(cynic::Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelOrderField {
    Name,
    CreatedAt,
    UpdatedAt,
    LatestVersion,
    CandidateCount,
    Author,
    BestMetric,
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
#[cynic(graphql_type = "Model", variables = "ModelsVariables")]
pub struct ModelRow {
    pub path: String,
    pub name: String,
    pub project: OwningProject,
    pub author: Option<Author>,
    pub created_at: DateTime,
    pub updated_at: DateTime,
    pub latest_version: Option<LatestVersion>,
    #[cynic(alias, rename = "latestVersion")]
    #[directives(include(if: $are_prompts))]
    pub latest_excerpt: Option<LatestExcerpt>,
    pub version_count: i32,
    pub candidate_count: i32,
    pub best_metric: Option<BestMetric>,
    pub aliases: Vec<AliasRow>,
    pub tags: Vec<Tag>,
}

/// The metric that a model is judged by, of its best candidate.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
pub struct BestMetric {
    pub name: String,
    pub value: MetricValue,
    pub lower_is_better: bool,
    pub candidate: CandidateName,
}

/// The metric that a model is judged by, and which way it is better.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "BestMetric")]
pub struct Judged {
    pub name: String,
    pub lower_is_better: bool,
}

impl Judged {
    /// Whether less of a metric is better, where this is the one.
    pub fn less_is_better(&self, name: &str) -> Option<bool> {
        (self.name == name).then_some(self.lower_is_better)
    }
}

/// What a list of models is narrowed down to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    pub kind: ModelKind,
    pub search: Option<String>,
    /// Key and value: `task=ocr`.
    pub tag: Option<String>,
    pub framework: Option<String>,
    pub license: Option<String>,
    pub author: Option<String>,
}

impl Wanted {
    pub fn narrows(&self) -> bool {
        *self != Self { kind: self.kind, ..Self::default() }
    }

    /// As the server's filter, but for one of the facets: its other values are still to choose from.
    pub fn filter(&self, except: &str) -> String {
        let tag = self.tag.as_deref().and_then(|tag| tag.split_once('='));
        let tag = tag.map(|(key, value)| (format!("tags.`{key}`"), value.to_owned()));
        let facet = |name: &str, value: &Option<String>| Some((name.to_owned(), value.clone()?));
        let all = [
            ("kind", facet("kind", &Some(self.kind.title().to_uppercase()))),
            ("tag", tag),
            ("framework", facet("framework", &self.framework)),
            ("license", facet("license", &self.license)),
            ("author", facet("author", &self.author)),
        ];
        let comparisons =
            all.into_iter().filter(|(name, _)| *name != except).filter_map(|(_, facet)| {
                let (field, value) = facet?;
                filter::equals(&field, &value)
            });
        comparisons.collect::<Vec<_>>().join(" and ")
    }
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "ModelConnection", variables = "ModelsVariables")]
pub struct ModelPage {
    pub nodes: Vec<ModelRow>,
    pub page_info: PageInfo,
    pub total_count: i32,
}

#[derive(cynic::QueryVariables)]
pub struct ModelsVariables {
    /// Not sent where all are asked for.
    project: String,
    are_prompts: bool,
    search: Option<String>,
    filter: Option<String>,
    order_by: Option<ModelOrder>,
    first: Option<i32>,
    after: Option<String>,
    last: Option<i32>,
    before: Option<String>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "ModelsVariables")]
struct AllModels {
    #[arguments(search: $search, filter: $filter, orderBy: $order_by, first: $first, after: $after, last: $last, before: $before)]
    models: ModelPage,
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
    #[arguments(search: $search, filter: $filter, orderBy: $order_by, first: $first, after: $after, last: $last, before: $before)]
    models: ModelPage,
}

/// One page of the models of a project, or of all.
pub async fn list(
    project: Option<String>,
    wanted: Wanted,
    order_by: ModelOrder,
    place: Place,
) -> Result<ModelPage, ApiError> {
    let variables = ModelsVariables {
        project: project.clone().unwrap_or_default(),
        are_prompts: wanted.kind == ModelKind::Prompt,
        filter: Some(wanted.filter("")),
        search: wanted.search,
        order_by: Some(order_by),
        first: place.first(),
        last: place.last(),
        after: place.after,
        before: place.before,
    };
    let Some(path) = project else { return Ok(run(AllModels::build(variables)).await?.models) };
    let project = run(Models::build(variables)).await?.project;
    project
        .map(|project| project.models)
        .ok_or_else(|| ApiError::not_found(project::missing(&path)))
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Project")]
pub struct OwningProject {
    pub path: String,
    pub name: String,
    pub visibility: Visibility,
    pub viewer_role: Option<Role>,
}

impl OwningProject {
    /// Whether the caller may do what takes this role.
    pub fn allows(&self, role: Role) -> bool {
        self.viewer_role >= Some(role)
    }
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
    pub id: cynic::Id,
    pub path: String,
    pub name: String,
    pub project: OwningProject,
    pub description: String,
    pub description_html: String,
    pub author: Option<Author>,
    pub created_at: DateTime,
    pub updated_at: DateTime,
    pub latest_version: Option<LatestVersion>,
    #[cynic(alias, rename = "latestVersion")]
    pub latest_contents: Option<FlavorsAndFiles>,
    #[cynic(alias, rename = "latestVersion")]
    latest_template: Option<LatestTemplate>,
    pub kind: ModelKind,
    pub next_version: String,
    pub version_count: i32,
    /// How many versions are yanked, which are not among the others.
    #[cynic(alias, rename = "versions")]
    #[arguments(first: 0, filter: "support = 'YANKED'")]
    pub yanked: VersionCount,
    pub candidate_count: i32,
    pub aliases: Vec<AliasDetail>,
    pub tags: Vec<Tag>,
    pub best_metric: Option<BestMetric>,
}

impl ModelDetail {
    /// The template of its latest version, if it is a prompt.
    pub fn latest_template(&self) -> Option<&Template> {
        self.latest_template.as_ref()?.prompt.as_ref()
    }

    pub fn is_prompt(&self) -> bool {
        self.kind == ModelKind::Prompt
    }

    /// The address of the files of its latest version, which its card may name.
    pub fn latest_files(&self) -> Option<String> {
        let latest = self.latest_version.as_ref()?;
        Some(address::files(&self.path, &latest.version))
    }

    /// The value of a tag that it has.
    pub fn tag(&self, key: &str) -> Option<String> {
        self.tags.iter().find(|tag| tag.key == key).map(|tag| tag.value.clone())
    }

    /// What it is judged by, with the direction that the server knows where the tag does not tell.
    pub fn judge(&self) -> Option<Judge> {
        let judge = Judge::parse(&self.tag(judge::TAG)?)?;
        let told = self.best_metric.as_ref().filter(|best| best.name == judge.name);
        Some(Judge { less: judge.less.or(told.map(|best| best.lower_is_better)), ..judge })
    }

    /// What drafts of its card are kept for.
    pub fn draft_key(&self) -> String {
        format!("model {}", self.id.inner())
    }
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

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Subscription", variables = "ModelVariables")]
struct ModelChanged {
    #[arguments(model: $path)]
    #[allow(dead_code)]
    model_changed: ModelName,
}

/// Calls `changed` when something of a model changes, until what this returns is dropped.
pub fn follow(path: String, changed: impl Fn() + 'static) -> Vec<Following> {
    live::follow(vec![ModelChanged::build(ModelVariables { path })], changed)
}

/// What to say where a model is not there.
pub fn missing(path: &str) -> String {
    format!("There is no model “{path}”, or you don't have access to it.")
}

pub async fn get(path: String) -> Result<ModelDetail, ApiError> {
    let missing = missing(&path);
    run(Model::build(ModelVariables { path }))
        .await?
        .model
        .ok_or_else(|| ApiError::not_found(missing))
}

/// Where a model's versions have got to.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Model")]
pub struct Numbering {
    pub latest_version: Option<LatestVersion>,
    pub next_version: String,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "ModelVariables")]
struct ModelNumbering {
    #[arguments(path: $path)]
    model: Option<Numbering>,
}

pub async fn numbering(path: String) -> Result<Numbering, ApiError> {
    let missing = missing(&path);
    run(ModelNumbering::build(ModelVariables { path }))
        .await?
        .model
        .ok_or_else(|| ApiError::not_found(missing))
}

/// The metrics that were logged for a model.
#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Model")]
struct Measured {
    candidate_columns: MetricNames,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "CandidateColumns")]
struct MetricNames {
    metrics: Vec<String>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "ModelVariables")]
struct ModelMetrics {
    #[arguments(path: $path)]
    model: Option<Measured>,
}

/// The names of the metrics that candidates of a model have.
pub async fn metric_names(path: String) -> Result<Vec<String>, ApiError> {
    let missing = missing(&path);
    let model = run(ModelMetrics::build(ModelVariables { path })).await?.model;
    model.map(|model| model.candidate_columns.metrics).ok_or_else(|| ApiError::not_found(missing))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_becomes_a_filter() {
        let wanted = Wanted {
            tag: Some("team.name=it's = us".to_owned()),
            license: Some("mit".to_owned()),
            ..Wanted::default()
        };
        let filter = "kind = 'MODEL' and tags.`team.name` = \"it's = us\" and license = 'mit'";
        assert_eq!(wanted.filter(""), filter);
        assert_eq!(wanted.filter("tag"), "kind = 'MODEL' and license = 'mit'");
        let prompts = Wanted { kind: ModelKind::Prompt, ..Wanted::default() };
        assert_eq!(prompts.filter(""), "kind = 'PROMPT'");
        assert!(!prompts.narrows() && wanted.narrows());
    }
}

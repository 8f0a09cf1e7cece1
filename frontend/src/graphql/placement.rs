//! Placement: the rules that say which files belong in which storage, and what they would move.

use cynic::{MutationBuilder, QueryBuilder};

use super::schema;
use crate::{api::run, logic::error::ApiError};

#[derive(cynic::Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredKind {
    Version,
    Run,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
pub struct StorageRule {
    pub storage: String,
    pub project: Option<RuleProject>,
    pub kind: Option<StoredKind>,
    pub alias: Option<String>,
    pub is_unaliased: bool,
    pub is_deprecated: bool,
    pub older_than_days: Option<i32>,
    pub not_fetched_days: Option<i32>,
    pub min_size: i64,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Project")]
pub struct RuleProject {
    pub path: String,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query")]
struct StorageRules {
    storage_rules: Vec<StorageRule>,
}

/// The rules, in order.
pub async fn rules() -> Result<Vec<StorageRule>, ApiError> {
    Ok(run(StorageRules::build(())).await?.storage_rules)
}

#[derive(cynic::InputObject, Clone, Debug, PartialEq)]
pub struct StorageRuleInput {
    pub storage: String,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub kind: Option<StoredKind>,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    pub is_unaliased: bool,
    pub is_deprecated: bool,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub older_than_days: Option<i32>,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub not_fetched_days: Option<i32>,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub min_size: Option<i64>,
}

#[derive(cynic::QueryVariables)]
struct PreviewVariables {
    rules: Option<Vec<StorageRuleInput>>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "PreviewVariables")]
struct Previewed {
    #[arguments(rules: $rules)]
    storage_preview: StoragePreview,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
pub struct StoragePreview {
    pub flows: Vec<StorageFlow>,
    /// Whether all files were looked at.
    pub is_complete: bool,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
pub struct StorageFlow {
    pub from: String,
    pub to: String,
    pub file_count: i64,
    pub byte_count: i64,
}

/// What rules would move.
pub async fn preview(rules: Vec<StorageRuleInput>) -> Result<StoragePreview, ApiError> {
    Ok(run(Previewed::build(PreviewVariables { rules: Some(rules) })).await?.storage_preview)
}

#[derive(cynic::InputObject, Clone)]
pub struct SetStorageRulesInput {
    pub rules: Vec<StorageRuleInput>,
}

#[derive(cynic::QueryVariables)]
struct SetVariables {
    input: SetStorageRulesInput,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Mutation", variables = "SetVariables")]
struct SetRules {
    #[arguments(input: $input)]
    set_storage_rules: SetRulesPayload,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "SetStorageRulesPayload")]
struct SetRulesPayload {
    rules: Vec<StorageRule>,
}

/// Replaces all rules. Returns those that there are then.
pub async fn set(rules: Vec<StorageRuleInput>) -> Result<Vec<StorageRule>, ApiError> {
    let input = SetStorageRulesInput { rules };
    Ok(run(SetRules::build(SetVariables { input })).await?.set_storage_rules.rules)
}

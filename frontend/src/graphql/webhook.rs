//! Webhooks of a project or of the registry, and what they were sent.

use cynic::{MutationBuilder, QueryBuilder};

use super::{mutation, page::PAGE_SIZE, project, scalar::DateTime, schema};
use crate::{api::run, logic::error::ApiError};

#[derive(cynic::Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookFormat {
    Standard,
    Mlflow,
    Cloudevents,
    Text,
}

#[derive(cynic::Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookState {
    Active,
    BackingOff,
    Disabled,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
pub struct Webhook {
    pub id: cynic::Id,
    pub name: String,
    pub description: String,
    pub url: String,
    pub format: WebhookFormat,
    pub events: Vec<String>,
    pub models: Vec<String>,
    pub aliases: Vec<String>,
    pub releases_only: bool,
    pub state: WebhookState,
    pub state_reason: Option<String>,
    pub header_name: Option<String>,
}

#[derive(cynic::QueryVariables)]
struct ProjectVariables {
    project: String,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "ProjectVariables")]
struct OfProject {
    #[arguments(path: $project)]
    project: Option<HookedProject>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Project")]
struct HookedProject {
    webhooks: Vec<Webhook>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query")]
struct OfRegistry {
    webhooks: Vec<Webhook>,
}

/// The webhooks of a project, or else of the registry.
pub async fn list_of(project: Option<String>) -> Result<Vec<Webhook>, ApiError> {
    let Some(project) = project else {
        return Ok(run(OfRegistry::build(())).await?.webhooks);
    };
    let missing = project::missing(&project);
    run(OfProject::build(ProjectVariables { project }))
        .await?
        .project
        .map(|project| project.webhooks)
        .ok_or_else(|| ApiError::not_found(missing))
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Webhook")]
pub struct WebhookHealth {
    pub name: String,
    pub state: WebhookState,
    pub failing_since: Option<DateTime>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "ProjectVariables")]
struct Health {
    #[arguments(path: $project)]
    project: Option<ProjectHealth>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Project")]
struct ProjectHealth {
    webhooks: Vec<WebhookHealth>,
}

/// The webhooks of a project whose messages do not arrive; not those that somebody disabled.
pub async fn failing(project: String) -> Result<Vec<WebhookHealth>, ApiError> {
    let found = run(Health::build(ProjectVariables { project })).await?.project;
    let mut hooks = found.map(|project| project.webhooks).unwrap_or_default();
    hooks.retain(|hook| hook.state != WebhookState::Active && hook.failing_since.is_some());
    Ok(hooks)
}

#[derive(cynic::InputObject, Clone)]
pub struct WebhookHeaderInput {
    pub name: String,
    pub value: String,
}

#[derive(cynic::InputObject, Clone)]
pub struct CreateWebhookInput {
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    pub name: String,
    pub url: String,
    pub format: WebhookFormat,
    pub events: Vec<String>,
    pub models: Option<Vec<String>>,
    pub aliases: Option<Vec<String>>,
    pub releases_only: bool,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub header: Option<WebhookHeaderInput>,
}

#[derive(cynic::QueryVariables)]
struct CreateVariables {
    input: CreateWebhookInput,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Mutation", variables = "CreateVariables")]
struct Create {
    #[arguments(input: $input)]
    create_webhook: Created,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "CreateWebhookPayload")]
struct Created {
    secret: Option<String>,
}

/// Makes a webhook and returns its secret, which is never shown again.
pub async fn create(input: CreateWebhookInput) -> Result<Option<String>, ApiError> {
    Ok(run(Create::build(CreateVariables { input })).await?.create_webhook.secret)
}

#[derive(cynic::InputObject, Clone)]
pub struct UpdateWebhookInput {
    pub id: cynic::Id,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub format: Option<WebhookFormat>,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<String>>,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub aliases: Option<Vec<String>>,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub releases_only: Option<bool>,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub header: Option<WebhookHeaderInput>,
    pub without_header: bool,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

impl UpdateWebhookInput {
    /// Changes only whether it is enabled.
    pub fn enable(id: cynic::Id, enabled: bool) -> Self {
        Self {
            id,
            name: None,
            url: None,
            format: None,
            events: None,
            models: None,
            aliases: None,
            releases_only: None,
            header: None,
            without_header: false,
            enabled: Some(enabled),
        }
    }
}

mutation! { $
    /// Changes a webhook.
    update: update_webhook(UpdateWebhookInput) -> "UpdateWebhookPayload" { webhook: Webhook }
}

#[derive(cynic::InputObject, Clone)]
pub struct DeleteWebhookInput {
    pub id: cynic::Id,
}

mutation! { $
    /// Deletes a webhook.
    delete: delete_webhook(DeleteWebhookInput) -> "DeleteWebhookPayload" { webhook: Webhook }
}

#[derive(cynic::InputObject, Clone)]
pub struct RotateWebhookSecretInput {
    pub id: cynic::Id,
}

mutation! { $
    /// Gives a webhook a new secret and returns it.
    rotate: rotate_webhook_secret(RotateWebhookSecretInput)
        -> "RotateWebhookSecretPayload" { secret: String }
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
pub struct WebhookAttempt {
    pub number: i32,
    pub at: DateTime,
    pub milliseconds: i32,
    pub status: Option<i32>,
    pub answer: Option<String>,
    pub error: Option<String>,
}

#[derive(cynic::InputObject, Clone)]
pub struct TestWebhookInput {
    pub id: cynic::Id,
}

mutation! { $
    /// Sends a test and waits for the answer.
    test: test_webhook(TestWebhookInput) -> "TestWebhookPayload" { attempt: WebhookAttempt }
}

#[derive(cynic::InputObject, Clone)]
pub struct RedeliverWebhookInput {
    pub id: cynic::Id,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<cynic::Id>,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub failed_since: Option<DateTime>,
}

#[derive(cynic::QueryVariables)]
struct RedeliverVariables {
    input: RedeliverWebhookInput,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Mutation", variables = "RedeliverVariables")]
struct Redeliver {
    #[arguments(input: $input)]
    redeliver_webhook: Redelivered,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "RedeliverWebhookPayload")]
struct Redelivered {
    count: i32,
}

/// Sends again what was sent before; returns how many deliveries.
pub async fn redeliver(input: RedeliverWebhookInput) -> Result<i32, ApiError> {
    Ok(run(Redeliver::build(RedeliverVariables { input })).await?.redeliver_webhook.count)
}

#[derive(cynic::Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookDeliveryState {
    Pending,
    Delivered,
    Failed,
    Dropped,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "WebhookDelivery")]
pub struct Delivery {
    pub id: cynic::Id,
    pub event: String,
    pub created_at: DateTime,
    pub state: WebhookDeliveryState,
    pub body: Option<String>,
    pub due_at: Option<DateTime>,
    pub attempts: Vec<WebhookAttempt>,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "WebhookDeliveryConnection")]
pub struct Deliveries {
    pub nodes: Vec<Delivery>,
    pub total_count: i32,
}

#[derive(cynic::QueryVariables)]
struct DeliveriesVariables {
    id: cynic::Id,
    first: i32,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "DeliveriesVariables")]
struct DeliveriesOf {
    #[arguments(id: $id)]
    node: Option<Sent>,
}

#[derive(cynic::InlineFragments)]
#[cynic(graphql_type = "Node", variables = "DeliveriesVariables")]
enum Sent {
    Webhook(SentWebhook),
    #[cynic(fallback)]
    Other,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Webhook", variables = "DeliveriesVariables")]
struct SentWebhook {
    #[arguments(first: $first)]
    deliveries: Deliveries,
}

/// The last deliveries of a webhook, newest first.
pub async fn deliveries(id: cynic::Id) -> Result<Deliveries, ApiError> {
    let variables = DeliveriesVariables { id, first: PAGE_SIZE };
    match run(DeliveriesOf::build(variables)).await?.node {
        Some(Sent::Webhook(hook)) => Ok(hook.deliveries),
        _ => Err(ApiError::not_found("This webhook was deleted.".to_owned())),
    }
}

//! Webhooks in GraphQL: their fields.

use async_graphql::{ComplexObject, Context, ID, Object};

use super::delivery::{AttemptsOf, WebhookAttempt, WebhookDelivery, WebhookDeliveryState, list_of};
use super::{Webhook, WebhookState, sql};
use crate::access::user::User;
use crate::access::{self, actor};
use crate::action::in_webhooks;
use crate::connection::Connection;
use crate::error::Result;
use crate::id::{DeliveryId, WebhookId};
use crate::loader::loaders;
use crate::page::{ENTRIES, LOOK_UP, Page, cost};
use crate::registry::people::user;
use crate::role::Role;

#[ComplexObject]
impl Webhook {
    /// Its opaque id.
    pub async fn id(&self) -> ID {
        (&self.id).into()
    }

    /// The events that it is told of: actions of the log, such as `alias.set`, all of a kind, as `version.*`, or `*`; with the
    /// format MLFLOW those of MLflow's webhooks, such as `model_version.created`.
    #[graphql(name = "events")]
    async fn event_names(&self) -> Vec<String> {
        self.events()
    }

    /// The names of the models that it is only told of, with `*` as a wildcard; empty for all.
    #[graphql(name = "models")]
    async fn model_patterns(&self) -> Vec<String> {
        self.models()
    }

    /// Of events of aliases, the aliases that it is only told of, with `*` as a wildcard; empty for all.
    #[graphql(name = "aliases")]
    async fn alias_patterns(&self) -> Vec<String> {
        self.aliases()
    }

    /// Whether messages are signed.
    async fn has_secret(&self) -> bool {
        self.secret.is_some()
    }

    /// Whether it is enabled: it is active, or backs off.
    async fn enabled(&self) -> bool {
        self.state != WebhookState::Disabled
    }

    /// Who made it.
    async fn created_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        user::load(ctx, Some(&self.created_by_id)).await
    }

    /// What it was sent, or will be, newest first: of the last 30 days, at most the last 1,000, and all that waits.
    #[graphql(complexity = "cost(first, last, child_complexity)")]
    async fn deliveries(
        &self,
        #[graphql(desc = "Only those in this state.")] state: Option<WebhookDeliveryState>,
        #[graphql(desc = "How many at most, from the start: 0 to 100, 20 if omitted.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<WebhookDelivery>> {
        Ok(list_of(&self.id, state, Page::new(first, after, last, before)?))
    }
}

#[ComplexObject]
impl WebhookDelivery {
    /// Its opaque id.
    pub async fn id(&self) -> ID {
        (&self.id).into()
    }

    /// The event, as webhooks spell it, such as `alias.set`.
    async fn event(&self) -> String {
        in_webhooks(&self.action)
    }

    /// What receivers know the message by, in `webhook-id` and `X-MLflow-Delivery-Id`: the same in each attempt.
    async fn message_id(&self) -> &str {
        self.event_id.as_deref().unwrap_or(self.id.raw())
    }

    /// How often it was tried.
    async fn attempt_count(&self) -> i64 {
        self.attempts
    }

    /// The attempts to deliver it, in order.
    #[graphql(name = "attempts", complexity = "ENTRIES + child_complexity")]
    async fn all_attempts(&self, ctx: &Context<'_>) -> Result<Vec<WebhookAttempt>> {
        let attempts = loaders(ctx).load_one(AttemptsOf(self.id.raw().to_owned())).await?;
        Ok(attempts.map(|attempts| attempts.to_vec()).unwrap_or_default())
    }
}

/// The webhook with this id, if the caller may see it.
pub async fn find_visible(ctx: &Context<'_>, id: &WebhookId) -> Result<Option<Webhook>> {
    if actor(ctx).user().is_err() {
        return Ok(None);
    }
    let db = &loaders(ctx).loader().app.db;
    let Some(hook) = sql::find(db, id).await? else { return Ok(None) };
    let may_see = match &hook.project_id {
        Some(project) => {
            access::reader_of(db, actor(ctx), project).await?.check_sees(Role::Maintainer).is_ok()
        }
        None => actor(ctx).is_admin(),
    };
    Ok(may_see.then_some(hook))
}

/// The delivery with this id, if the caller manages its webhook.
pub async fn find_delivery(ctx: &Context<'_>, id: &DeliveryId) -> Result<Option<WebhookDelivery>> {
    let Some(delivery) = loaders(ctx).load_one(id.clone()).await? else { return Ok(None) };
    Ok(find_visible(ctx, &delivery.webhook_id).await?.map(|_| delivery))
}

#[derive(Default)]
pub struct WebhookQuery;

#[Object]
impl WebhookQuery {
    /// The webhooks of the whole registry, newest first. For administrators.
    #[graphql(complexity = "LOOK_UP + child_complexity")]
    async fn webhooks(&self, ctx: &Context<'_>) -> Result<Vec<Webhook>> {
        access::auditor(actor(ctx))?;
        sql::of_registry(&loaders(ctx).loader().app.db).await
    }
}

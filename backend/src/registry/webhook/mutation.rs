//! Webhooks in GraphQL: their mutations.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::delivery::WebhookAttempt;
use super::outbox::Claimed;
use super::pair::Pair;
use super::rules::{self, Again, Manager, missing};
use super::settings::{Settings, Tools};
use super::{Webhook, WebhookFormat, body, sender, sql};
use crate::access::{Actor, actor};
use crate::app::App;
use crate::change::{self, Change};
use crate::db::{Conn, query};
use crate::error::{Error, Result};
use crate::id::{AnyId, DeliveryId, WebhookId};
use crate::loader::loaders;
use crate::outbound::Sent;
use crate::outbound::message::new_secret;
use crate::registry::payload;
use crate::time::Timestamp;

/// A header that is sent with each message.
#[derive(InputObject)]
pub struct WebhookHeaderInput {
    /// Its name, such as `Authorization`.
    name: String,
    /// Its value, which is kept as the secret is and never shown.
    value: String,
}

/// A new webhook.
#[derive(InputObject)]
pub struct CreateWebhookInput {
    /// The path of the project whose events it is told of, such as `vision`; omitted: those of the whole registry, for
    /// administrators.
    project: Option<String>,
    /// What it is called, 1–255 characters.
    name: String,
    /// What it is for.
    description: Option<String>,
    /// Where messages are posted to: https, and a public address unless the operator allows others.
    url: String,
    /// What messages look like.
    #[graphql(default_with = "WebhookFormat::Standard")]
    format: WebhookFormat,
    /// The events that it is told of: actions of the log, such as `alias.set`, all of a kind, as `version.*`, or `*` for all but
    /// `file.*`; with the format MLFLOW those of MLflow's webhooks, such as `model_version.created`. Only webhooks of the registry
    /// are told of `user.*`, `session.*`, `storage.*`, `trash.*` and `refused`.
    events: Vec<String>,
    /// The names of the models that it is only told of, with `*` as a wildcard.
    models: Option<Vec<String>>,
    /// Of events of aliases, the aliases that it is only told of, with `*` as a wildcard.
    aliases: Option<Vec<String>>,
    /// Whether it is told of no version that is a pre-release, and of no draft.
    #[graphql(default)]
    releases_only: bool,
    /// What messages are signed with; a new one, which is shown once, if omitted.
    secret: Option<String>,
    /// A header to send with each message.
    header: Option<WebhookHeaderInput>,
}

/// What of a webhook to change; what is omitted stays as it is.
#[derive(InputObject)]
pub struct UpdateWebhookInput {
    /// The webhook's id.
    id: ID,
    /// What it is called, 1–255 characters.
    name: Option<String>,
    /// What it is for.
    description: Option<String>,
    /// Where messages are posted to.
    url: Option<String>,
    /// What messages look like.
    format: Option<WebhookFormat>,
    /// All events that it is told of.
    events: Option<Vec<String>>,
    /// The names of all models that it is only told of; empty for all models.
    models: Option<Vec<String>>,
    /// All aliases that it is only told of; empty for all aliases.
    aliases: Option<Vec<String>>,
    /// Whether it is told of no version that is a pre-release, and of no draft.
    releases_only: Option<bool>,
    /// A header to send with each message.
    header: Option<WebhookHeaderInput>,
    /// Whether to send no header of one's own any more.
    #[graphql(default)]
    without_header: bool,
    /// Whether it is sent anything. To enable it also ends that it backs off.
    enabled: Option<bool>,
}

/// Which webhook.
#[derive(InputObject)]
pub struct DeleteWebhookInput {
    /// The webhook's id.
    id: ID,
}

/// Which webhook to give a new secret.
#[derive(InputObject)]
pub struct RotateWebhookSecretInput {
    /// The webhook's id.
    id: ID,
    /// The new secret; one that nobody knows if omitted.
    secret: Option<String>,
}

/// Which webhook to test.
#[derive(InputObject)]
pub struct TestWebhookInput {
    /// The webhook's id.
    id: ID,
}

/// What to send again: one delivery, or all that failed since a time.
#[derive(InputObject)]
pub struct RedeliverWebhookInput {
    /// The webhook's id.
    id: ID,
    /// The id of one delivery that is over.
    delivery: Option<ID>,
    /// Or all that failed or were dropped since then.
    failed_since: Option<Timestamp>,
}

/// A new webhook.
#[derive(SimpleObject)]
pub struct CreateWebhookPayload {
    /// The webhook.
    webhook: Webhook,
    /// Its secret. It is shown only this once, if it was made here; null if it was given.
    secret: Option<String>,
}

/// A webhook with a new secret.
#[derive(SimpleObject)]
pub struct RotateWebhookSecretPayload {
    /// The webhook.
    webhook: Webhook,
    /// The new secret, which is shown only this once. Messages are signed with the former one, too, for 24 hours.
    secret: String,
}

payload! {
    /// The changed webhook.
    UpdateWebhookPayload {
        /// The webhook.
        webhook: Webhook
    }
}

payload! {
    /// The webhook that was deleted.
    DeleteWebhookPayload {
        /// What it was.
        webhook: Webhook
    }
}

payload! {
    /// What became of a test.
    TestWebhookPayload {
        /// The attempt to deliver it.
        attempt: WebhookAttempt
    }
}

payload! {
    /// What is sent again.
    RedeliverWebhookPayload {
        /// How many deliveries.
        count: i32
    }
}

#[derive(Default)]
pub struct WebhookMutation;

#[Object]
impl WebhookMutation {
    /// Creates a webhook: from then on, its receiver is told of what happens in a project, or in the whole registry.
    async fn create_webhook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Where, what it is told of, and how.")] input: CreateWebhookInput,
    ) -> Result<CreateWebhookPayload> {
        let app = &loaders(ctx).loader().app;
        let mut change = change::of(ctx).await?;
        let manager = Manager::at(&mut *change, actor(ctx), input.project.as_deref()).await?;
        let made = input.secret.is_none().then(new_secret);
        let settings = Settings {
            name: Some(input.name),
            description: input.description,
            url: Some(input.url),
            format: Some(input.format),
            events: Some(input.events),
            models: input.models,
            aliases: input.aliases,
            releases_only: Some(input.releases_only),
            secret: made.clone().or(input.secret),
            header: input.header.map(|header| Some((header.name, header.value))),
            enabled: None,
        };
        let webhook = rules::create(&mut change, &manager, &Tools::of(app), settings).await?;
        change.commit().await?;
        Ok(CreateWebhookPayload { webhook, secret: made })
    }

    /// Changes a webhook. What waits to be sent goes to the new URL.
    async fn update_webhook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which, and what of it.")] input: UpdateWebhookInput,
    ) -> Result<UpdateWebhookPayload> {
        let app = &loaders(ctx).loader().app;
        let mut change = change::of(ctx).await?;
        let (hook, manager) = managed(&mut change, actor(ctx), &input.id).await?;
        let header = input.header.map(|header| Some((header.name, header.value)));
        let settings = Settings {
            name: input.name,
            description: input.description,
            url: input.url,
            format: input.format,
            events: input.events,
            models: input.models,
            aliases: input.aliases,
            releases_only: input.releases_only,
            secret: None,
            header: if input.without_header { Some(None) } else { header },
            enabled: input.enabled,
        };
        let webhook =
            rules::update(&mut change, &manager, &Tools::of(app), &hook, settings).await?;
        change.commit().await?;
        Ok(UpdateWebhookPayload { webhook })
    }

    /// Deletes a webhook. What waits to be sent is not.
    async fn delete_webhook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] input: DeleteWebhookInput,
    ) -> Result<DeleteWebhookPayload> {
        let mut change = change::of(ctx).await?;
        let (webhook, manager) = managed(&mut change, actor(ctx), &input.id).await?;
        rules::delete(&mut change, &manager, &webhook).await?;
        change.commit().await?;
        Ok(DeleteWebhookPayload { webhook })
    }

    /// Gives a webhook a new secret. For 24 hours messages are signed with both, so that the receiver can change in between.
    async fn rotate_webhook_secret(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] input: RotateWebhookSecretInput,
    ) -> Result<RotateWebhookSecretPayload> {
        let app = &loaders(ctx).loader().app;
        let mut change = change::of(ctx).await?;
        let (hook, manager) = managed(&mut change, actor(ctx), &input.id).await?;
        let secret =
            rules::rotate(&mut change, &manager, &Tools::of(app), &hook, input.secret).await?;
        let webhook = sql::find(&mut *change, &hook.id).await?.ok_or_else(|| missing(&hook.id))?;
        change.commit().await?;
        Ok(RotateWebhookSecretPayload { webhook, secret })
    }

    /// Sends a test to a webhook at once, also if it is disabled, and waits for the answer, for at most 15 seconds.
    async fn test_webhook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] input: TestWebhookInput,
    ) -> Result<TestWebhookPayload> {
        let app = &loaders(ctx).loader().app;
        let id = id_of(&input.id)?;
        let (sent, at) = test(app, actor(ctx), &id, None).await?;
        Ok(TestWebhookPayload { attempt: attempt(sent, at) })
    }

    /// Sends again what was sent before, with the same id and body: one delivery, or all that failed since a time.
    async fn redeliver_webhook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What.")] input: RedeliverWebhookInput,
    ) -> Result<RedeliverWebhookPayload> {
        let mut change = change::of(ctx).await?;
        let (hook, manager) = managed(&mut change, actor(ctx), &input.id).await?;
        let again = match (&input.delivery, input.failed_since) {
            (Some(id), None) => match AnyId::parse(id)? {
                AnyId::DeliveryId(id) => Again::One(id),
                _ => return Err(Error::not_found("delivery that is over", id.as_str())),
            },
            (None, Some(since)) => Again::FailedSince(since),
            _ => {
                return Err(Error::invalid(
                    "delivery",
                    "must be given, or failedSince, but not both",
                ));
            }
        };
        let count = rules::redeliver(&mut change, &manager, &hook, again).await?;
        change.commit().await?;
        Ok(RedeliverWebhookPayload { count: i32::try_from(count).unwrap_or(i32::MAX) })
    }
}

fn id_of(id: &ID) -> Result<WebhookId> {
    match AnyId::parse(id) {
        Ok(AnyId::WebhookId(id)) => Ok(id),
        _ => Err(Error::not_found("webhook", id.as_str())),
    }
}

async fn managed(change: &mut Change, actor: &Actor, id: &ID) -> Result<(Webhook, Manager)> {
    hold(change, actor, &id_of(id)?).await
}

/// As [`manage`], of one that is changed: it is held until the change is over, so that nobody else changes it meanwhile.
pub async fn hold(
    change: &mut Change,
    actor: &Actor,
    id: &WebhookId,
) -> Result<(Webhook, Manager)> {
    query("UPDATE webhooks SET updated_at_ms = updated_at_ms WHERE id = $1")
        .bind(id)
        .execute(change)
        .await?;
    manage(&mut **change, actor, id).await
}

/// The webhook with this id, and the proof that the caller may manage it.
pub async fn manage(
    conn: impl Into<Conn<'_>>,
    actor: &Actor,
    id: &WebhookId,
) -> Result<(Webhook, Manager)> {
    let mut conn = conn.into();
    let hook = sql::find(conn.again(), id).await?.ok_or_else(|| missing(id))?;
    let manager = Manager::of(conn, actor, &hook).await?;
    Ok((hook, manager))
}

/// Sends a test, of MLflow's messages the example of a pair, and notes it. Nothing is locked while the receiver is waited for.
pub async fn test(
    app: &App,
    actor: &Actor,
    id: &WebhookId,
    pair: Option<&'static Pair>,
) -> Result<(Sent, Timestamp)> {
    actor.check_may_write()?;
    let (hook, _) = manage(&app.db, actor, id).await?;
    let now = app.clock.now();
    app.webhook_tests
        .take(hook.id.raw(), now)
        .map_err(|seconds| Error::TooOften { what: "Too many tests of this webhook", seconds })?;
    let delivery = DeliveryId::new(now);
    let by = &actor.user()?.username;
    let text = body::of_test(&hook, pair, now, delivery.raw(), by);
    let claimed = Claimed { id: delivery, event_id: None, text, attempts: 1, tries: 1 };
    let sent = sender::post(app, &hook, &claimed).await;
    let mut change = Change::begin(app, actor).await?;
    let (hook, manager) = hold(&mut change, actor, id).await?;
    rules::note_test(&mut change, &manager, &hook, &claimed, &sent).await?;
    change.commit().await?;
    Ok((sent, now))
}

fn attempt(sent: Sent, at: Timestamp) -> WebhookAttempt {
    let (status, answer, error) = match sent.answer {
        Ok(answer) => (Some(i64::from(answer.status)), Some(answer.text), None),
        Err(error) => (None, None, Some(error)),
    };
    WebhookAttempt { number: 1, at_ms: at, milliseconds: sent.milliseconds, status, answer, error }
}

//! The rules of webhooks: who makes and changes them, and what is sent again.

use async_graphql::ID;
use serde_json::json;

use super::outbox::{self, Claimed};
use super::settings::{Settings, Tools, sealed_secret};
use super::wanted::Wanted;
use super::{Webhook, WebhookFormat, WebhookState, columns};
use crate::access::{self, Actor, Admin, Maintainer};
use crate::action::Action;
use crate::change::Change;
use crate::db::{Conn, Db, Query, Sql, query};
use crate::error::{Error, Result};
use crate::id::{DeliveryId, ProjectId, WebhookId};
use crate::outbound::{Sent, message};
use crate::role::Role;
use crate::time::Timestamp;

/// How many webhooks a project has, and the registry.
const MAX_OF_PROJECT: i64 = 50;
const MAX_OF_REGISTRY: i64 = 100;
/// How long the secret of before is good besides a new one, in seconds.
const BOTH_GOOD: i64 = 24 * 3600;

/// Proof that the caller may manage the webhooks of a project, or of the registry.
pub enum Manager {
    Project(Maintainer),
    Registry(Admin),
}

impl Manager {
    /// Of the project at a path, or of the registry where none is given.
    pub async fn at(
        conn: impl Into<Conn<'_>>,
        actor: &Actor,
        project: Option<&str>,
    ) -> Result<Self> {
        match project {
            Some(path) => access::maintainer(conn, actor, path).await.map(Self::Project),
            None => access::admin(actor).map(Self::Registry),
        }
    }

    /// Of a webhook that is there. For everybody else it is not.
    pub async fn of(conn: impl Into<Conn<'_>>, actor: &Actor, hook: &Webhook) -> Result<Self> {
        let Some(project) = &hook.project_id else {
            return match actor.is_admin() {
                true => access::admin(actor).map(Self::Registry),
                false => Err(missing(&hook.id)),
            };
        };
        match access::reader_of(conn, actor, project).await {
            Ok(reader) if reader.check_sees(Role::Maintainer).is_ok() => {
                Maintainer::of(reader).map(Self::Project)
            }
            Ok(_) | Err(Error::NotFound { .. }) => Err(missing(&hook.id)),
            Err(error) => Err(error),
        }
    }

    fn project_id(&self) -> Option<&ProjectId> {
        match self {
            Self::Project(maintainer) => Some(&maintainer.project().id),
            Self::Registry(_) => None,
        }
    }
}

/// What is not found for those who may not manage it.
pub fn missing(id: &WebhookId) -> Error {
    Error::not_found("webhook", ID::from(id).to_string())
}

pub async fn create(
    change: &mut Change,
    manager: &Manager,
    tools: &Tools<'_>,
    settings: Settings,
) -> Result<Webhook> {
    check_count(change, manager).await?;
    settings.check_given()?;
    let is_enabled = settings.enabled != Some(false);
    let (mut hook, wanted) = settings.applied_to(blank(change, manager), tools)?;
    if !is_enabled {
        hook.state = WebhookState::Disabled;
        hook.state_reason = Some(BY_SOMEBODY.to_owned());
    }
    query(
        "INSERT INTO webhooks (id, project_id, name, description, url, format, events, models, aliases, releases_only, state,
             state_reason, secret, header_name, header_value, created_by_id, created_at_ms, updated_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $17)",
    )
    .bind(&hook.id)
    .bind(hook.project_id.as_ref().map(|id| id.raw().to_owned()))
    .bind(&hook.name)
    .bind(&hook.description)
    .bind(&hook.url)
    .bind(hook.format)
    .bind(&hook.events)
    .bind(&hook.models)
    .bind(&hook.aliases)
    .bind(hook.releases_only)
    .bind(hook.state)
    .bind(hook.state_reason.clone())
    .bind(hook.secret.clone())
    .bind(hook.header_name.clone())
    .bind(hook.header_value.clone())
    .bind(&hook.created_by_id)
    .bind(hook.created_at_ms)
    .execute(change)
    .await?;
    insert_actions(change, &hook.id, &wanted).await?;
    record(change, Action::WebhookCreate, &hook, facts(&hook)).await?;
    Ok(hook)
}

/// A webhook of which nothing has been said yet.
fn blank(change: &Change, manager: &Manager) -> Webhook {
    Webhook {
        id: WebhookId::new(change.now),
        project_id: manager.project_id().cloned(),
        name: String::new(),
        description: String::new(),
        url: String::new(),
        format: WebhookFormat::Standard,
        events: "[]".to_owned(),
        models: "[]".to_owned(),
        aliases: "[]".to_owned(),
        releases_only: false,
        state: WebhookState::Active,
        state_reason: None,
        secret: None,
        former_secret: None,
        former_until_ms: None,
        header_name: None,
        header_value: None,
        failures: 0,
        failing_since_ms: None,
        paused_until_ms: None,
        created_by_id: change.author().clone(),
        created_at_ms: change.now,
        updated_at_ms: change.now,
    }
}

/// Why a webhook is disabled that nobody's failures disabled.
const BY_SOMEBODY: &str = "It was disabled by somebody who manages it.";

async fn check_count(change: &mut Change, manager: &Manager) -> Result<()> {
    let (project, most) = match manager {
        Manager::Project(maintainer) => (Some(&maintainer.project().id), MAX_OF_PROJECT),
        Manager::Registry(_) => (None, MAX_OF_REGISTRY),
    };
    let mut sql =
        Sql::new("SELECT COUNT(*) FROM webhooks WHERE deleted_at_ms IS NULL AND project_id ");
    match project {
        Some(project) => sql.push("= ").push_value(project),
        None => sql.push("IS NULL"),
    };
    let (there,): (i64,) = Query::from(sql).fetch_one(&mut **change).await?;
    match there < most {
        true => Ok(()),
        false => Err(Error::Conflict(format!(
            "There can be at most {most} webhooks here. Delete one first."
        ))),
    }
}

pub async fn update(
    change: &mut Change,
    _manager: &Manager,
    tools: &Tools<'_>,
    hook: &Webhook,
    settings: Settings,
) -> Result<Webhook> {
    let (enabled, changes_more) = (settings.enabled, settings.changes_more());
    let (changed, wanted) = settings.applied_to(hook.clone(), tools)?;
    let updated = query(
        "UPDATE webhooks SET name = $2, description = $3, url = $4, format = $5, events = $6, models = $7, aliases = $8,
             releases_only = $9, secret = $10, former_secret = $11, former_until_ms = $12, header_name = $13,
             header_value = $14, updated_at_ms = $15
         WHERE id = $1 AND deleted_at_ms IS NULL",
    )
    .bind(&hook.id)
    .bind(&changed.name)
    .bind(&changed.description)
    .bind(&changed.url)
    .bind(changed.format)
    .bind(&changed.events)
    .bind(&changed.models)
    .bind(&changed.aliases)
    .bind(changed.releases_only)
    .bind(changed.secret.clone())
    .bind(changed.former_secret.clone())
    .bind(changed.former_until_ms)
    .bind(changed.header_name.clone())
    .bind(changed.header_value.clone())
    .bind(change.now)
    .execute(change)
    .await?;
    if updated == 0 {
        return Err(missing(&hook.id));
    }
    query("DELETE FROM webhook_actions WHERE webhook_id = $1")
        .bind(&hook.id)
        .execute(change)
        .await?;
    insert_actions(change, &hook.id, &wanted).await?;
    if changes_more {
        record(change, Action::WebhookUpdate, &changed, facts(&changed)).await?;
    }
    if let Some(enabled) = enabled {
        set_enabled(change, &changed, enabled).await?;
    }
    super::sql::find(&mut **change, &hook.id).await?.ok_or_else(|| missing(&hook.id))
}

async fn set_enabled(change: &mut Change, hook: &Webhook, enabled: bool) -> Result<()> {
    if enabled == (hook.state != WebhookState::Disabled) && hook.state != WebhookState::BackingOff {
        return Ok(());
    }
    if !enabled {
        outbox::disable(change, &hook.id, BY_SOMEBODY).await?;
        // It is known: nobody need be told on every page.
        query("UPDATE webhooks SET failures = 0, failing_since_ms = NULL WHERE id = $1")
            .bind(&hook.id)
            .execute(change)
            .await?;
        return record(change, Action::WebhookDisable, hook, json!({})).await;
    }
    if hook.state == WebhookState::Disabled {
        // What was on its way when it was disabled.
        outbox::end_all(change, &hook.id, "FAILED").await?;
    }
    query(
        "UPDATE webhooks SET state = 'ACTIVE', state_reason = NULL, failures = 0, failing_since_ms = NULL, paused_until_ms = NULL
         WHERE id = $1",
    )
    .bind(&hook.id)
    .execute(change)
    .await?;
    record(change, Action::WebhookEnable, hook, json!({})).await
}

async fn insert_actions(change: &mut Change, hook: &WebhookId, wanted: &Wanted) -> Result<()> {
    if wanted.actions.is_empty() {
        return Ok(());
    }
    let rows = wanted.actions.iter().map(|action| [hook.into(), (*action).into()]);
    let sql = Sql::rows("INSERT INTO webhook_actions (webhook_id, action) VALUES", rows);
    Ok(Query::from(sql).later(change).await?)
}

pub async fn delete(change: &mut Change, _manager: &Manager, hook: &Webhook) -> Result<()> {
    let deleted =
        query("UPDATE webhooks SET deleted_at_ms = $2 WHERE id = $1 AND deleted_at_ms IS NULL")
            .bind(&hook.id)
            .bind(change.now)
            .execute(change)
            .await?;
    if deleted == 0 {
        return Err(missing(&hook.id));
    }
    outbox::end_all(change, &hook.id, "DROPPED").await?;
    record(change, Action::WebhookDelete, hook, json!({})).await
}

/// Gives a webhook a new secret: the one of before is good besides for a day. Returns it.
pub async fn rotate(
    change: &mut Change,
    _manager: &Manager,
    tools: &Tools<'_>,
    hook: &Webhook,
    secret: Option<String>,
) -> Result<String> {
    let secret = secret.unwrap_or_else(message::new_secret);
    let sealed = sealed_secret(tools.sealing, &hook.id, &secret)?
        .ok_or_else(|| Error::invalid("secret", "must not be empty"))?;
    query(
        "UPDATE webhooks SET former_secret = secret, former_until_ms = $3, secret = $2, updated_at_ms = $4
         WHERE id = $1 AND deleted_at_ms IS NULL",
    )
    .bind(&hook.id)
    .bind(sealed)
    .bind(change.now.plus_seconds(BOTH_GOOD))
    .bind(change.now)
    .execute(change)
    .await?;
    record(change, Action::WebhookRotate, hook, json!({})).await?;
    Ok(secret)
}

/// Which deliveries are sent again.
pub enum Again {
    One(DeliveryId),
    FailedSince(Timestamp),
}

/// Sends again what was delivered, failed or dropped. Returns how many.
pub async fn redeliver(
    change: &mut Change,
    _manager: &Manager,
    hook: &Webhook,
    again: Again,
) -> Result<u64> {
    if hook.state == WebhookState::Disabled {
        return Err(Error::Conflict("The webhook is disabled. Enable it first.".into()));
    }
    let mut sql = Sql::new("UPDATE webhook_deliveries SET state = 'PENDING', tries = 0, due_ms = ");
    sql.push_value(change.now)
        .push(" WHERE event_id IS NOT NULL AND due_ms IS NULL AND webhook_id = ");
    sql.push_value(&hook.id);
    match &again {
        Again::One(id) => sql.push(" AND id = ").push_value(id),
        Again::FailedSince(since) => {
            sql.push(" AND state IN ('FAILED', 'DROPPED') AND created_at_ms >= ").push_value(*since)
        }
    };
    let count = Query::from(sql).execute(change).await?;
    if let (0, Again::One(id)) = (count, &again) {
        return Err(Error::not_found("delivery that is over", id.raw()));
    }
    record(change, Action::WebhookRedeliver, hook, json!({ "count": count })).await?;
    Ok(count)
}

/// Notes a test that was sent, in the history and in the log.
pub async fn note_test(
    change: &mut Change,
    _manager: &Manager,
    hook: &Webhook,
    claimed: &Claimed,
    sent: &Sent,
) -> Result<()> {
    query(
        "INSERT INTO webhook_deliveries (id, webhook_id, action, created_at_ms, state, body, attempts)
         VALUES ($1, $2, $3, $4, $5, $6, 1)",
    )
    .bind(&claimed.id)
    .bind(&hook.id)
    .bind(Action::WebhookTest)
    .bind(change.now)
    .bind(if sent.is_success() { "DELIVERED" } else { "FAILED" })
    .bind(&claimed.text)
    .execute(change)
    .await?;
    let now = change.now;
    outbox::note(change, now, claimed, sent).await?;
    record(change, Action::WebhookTest, hook, json!({})).await
}

/// What the log keeps of a webhook: never its secret, nor the value of its header, nor the path of its URL, which may be one.
fn facts(hook: &Webhook) -> serde_json::Value {
    let host =
        reqwest::Url::parse(&hook.url).ok().and_then(|url| url.host_str().map(str::to_owned));
    json!({ "host": host, "format": hook.format.as_str(), "events": hook.events() })
}

async fn record(
    change: &mut Change,
    action: Action,
    hook: &Webhook,
    detail: serde_json::Value,
) -> Result<()> {
    change.record(action, hook.subject(), detail).await
}

/// Has webhooks that ask for `*`, or for all of a kind, be told of actions that are new in this program.
pub async fn refresh(db: &Db) -> Result<()> {
    let hooks: Vec<Webhook> = query(concat!(
        "SELECT ",
        columns!(),
        " FROM webhooks w WHERE w.deleted_at_ms IS NULL AND w.events LIKE '%*%'"
    ))
    .fetch_all(db)
    .await?;
    for hook in hooks {
        let wanted = Wanted::parse(&hook.events(), hook.format, hook.project_id.is_none())?;
        let mut tx = db.begin().await?;
        for action in wanted.actions {
            query("INSERT INTO webhook_actions (webhook_id, action) VALUES ($1, $2) ON CONFLICT DO NOTHING")
                .bind(&hook.id)
                .bind(action)
                .later(&mut tx)
                .await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

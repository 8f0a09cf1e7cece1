//! Webhooks: receivers elsewhere that are told of events of the log, of one project or of the whole registry.
//!
//! An event's row for each webhook is written by the database itself, with the event (an outbox): no change can be missed, and
//! none costs a statement more. [`outbox`] makes messages of these rows, [`sender`] sends them until they arrive.

pub mod body;
pub mod delivery;
pub mod graphql;
mod mlflow_body;
pub mod mutation;
pub mod occurrence;
pub mod outbox;
pub mod pair;
pub mod rules;
pub mod sender;
mod sentence;
pub mod settings;
pub mod sql;
pub mod wanted;

use async_graphql::SimpleObject;

use crate::error::Result;
use crate::id::{ProjectId, UserId, WebhookId};
use crate::sealing::Sealing;
use crate::time::Timestamp;
use crate::words::text_enum;

text_enum! {
    /// What the messages of a webhook look like. More may come.
    WebhookFormat {
        /// `{"type", "timestamp", "project", "actor", "data"}`, as Standard Webhooks recommends.
        Standard = "STANDARD",
        /// As MLflow's own server sends them: `{"entity", "action", "timestamp", "data"}`.
        Mlflow = "MLFLOW",
        /// CloudEvents 1.0 in structured mode, as Knative, Argo Events and Event Grid take them.
        CloudEvents = "CLOUDEVENTS",
        /// One line of words for a chat: as Slack and Mattermost take it, or as Discord and Teams do where the URL leads there.
        Text = "TEXT",
    }
}

text_enum! {
    /// Whether a webhook is sent anything. More may come.
    WebhookState {
        /// It is.
        Active = "ACTIVE",
        /// It failed so often that only one message is tried now and then; the others wait.
        BackingOff = "BACKING_OFF",
        /// Nothing is sent, and nothing is kept to be sent later.
        Disabled = "DISABLED",
    }
}

/// A receiver elsewhere that is told of events.
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
#[graphql(complex)]
pub struct Webhook {
    #[graphql(skip)]
    pub id: WebhookId,
    #[graphql(skip)]
    pub project_id: Option<ProjectId>,
    /// What it is called.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Where messages are posted to.
    pub url: String,
    /// What messages look like.
    #[sqlx(try_from = "String")]
    pub format: WebhookFormat,
    #[graphql(skip)]
    pub events: String,
    #[graphql(skip)]
    pub models: String,
    #[graphql(skip)]
    pub aliases: String,
    /// Whether it is told of no version that is a pre-release, and of no draft.
    pub releases_only: bool,
    /// Whether it is sent anything.
    #[sqlx(try_from = "String")]
    pub state: WebhookState,
    /// Why it is backing off or disabled; null where it is active.
    pub state_reason: Option<String>,
    #[graphql(skip)]
    pub secret: Option<String>,
    #[graphql(skip)]
    pub former_secret: Option<String>,
    #[graphql(skip)]
    pub former_until_ms: Option<Timestamp>,
    /// The name of the header that its owner has sent with each message; null if there is none.
    pub header_name: Option<String>,
    #[graphql(skip)]
    pub header_value: Option<String>,
    #[graphql(skip)]
    pub failures: i64,
    /// Since when all attempts have failed; null if the last one did not.
    #[graphql(name = "failingSince")]
    pub failing_since_ms: Option<Timestamp>,
    #[graphql(skip)]
    pub paused_until_ms: Option<Timestamp>,
    #[graphql(skip)]
    pub created_by_id: UserId,
    /// When it was created.
    #[graphql(name = "createdAt")]
    pub created_at_ms: Timestamp,
    /// When it was last changed by somebody.
    #[graphql(name = "updatedAt")]
    pub updated_at_ms: Timestamp,
}

/// The columns of [`Webhook`].
macro_rules! columns {
    () => {
        "w.id, w.project_id, w.name, w.description, w.url, w.format, w.events, w.models, w.aliases, w.releases_only, \
         w.state, w.state_reason, w.secret, w.former_secret, w.former_until_ms, w.header_name, w.header_value, w.failures, \
         w.failing_since_ms, w.paused_until_ms, w.created_by_id, w.created_at_ms, w.updated_at_ms"
    };
}
use columns;

impl Webhook {
    /// The names of its events, as they were given.
    pub fn events(&self) -> Vec<String> {
        list(&self.events)
    }

    /// The patterns of the names of models that it is only told of; none for all.
    pub fn models(&self) -> Vec<String> {
        list(&self.models)
    }

    /// The patterns of aliases that it is only told of; none for all.
    pub fn aliases(&self) -> Vec<String> {
        list(&self.aliases)
    }

    /// What messages are signed with: the secret, and the one of before for as long as it is good.
    pub fn secrets(&self, sealing: &Sealing, now: Timestamp) -> Result<Vec<String>> {
        let open = |sealed: &String| sealing.open(&secret_of(&self.id), sealed);
        let mut secrets = self.secret.iter().map(open).collect::<Result<Vec<_>>>()?;
        let former = self.former_secret.as_ref().filter(|_| self.former_until_ms > Some(now));
        // One whose key was lost is no longer good.
        secrets.extend(former.and_then(|sealed| open(sealed).ok()));
        Ok(secrets)
    }

    /// The header of its owner.
    pub fn header(&self, sealing: &Sealing) -> Result<Option<(String, String)>> {
        let (Some(name), Some(value)) = (&self.header_name, &self.header_value) else {
            return Ok(None);
        };
        Ok(Some((name.clone(), sealing.open(&header_of(&self.id), value)?)))
    }
}

/// What the secrets of a webhook are sealed for.
fn secret_of(id: &WebhookId) -> String {
    format!("webhook secret {}", id.raw())
}

fn header_of(id: &WebhookId) -> String {
    format!("webhook header {}", id.raw())
}

/// A list as it is kept.
fn list(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_default()
}

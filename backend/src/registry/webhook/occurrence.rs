//! An event as webhooks are told of it: its line of the log, and what that is about.
//!
//! What is told is what the line says, and of a version what never changes. Descriptions and tags, of which the log has none, are
//! those of the moment when the message is made, which is usually within a second.

use serde_json::{Map, Value};

use super::pair::Pair;
use super::{Webhook, WebhookFormat};
use crate::action::Action;
use crate::error::{Error, Result};
use crate::text;
use crate::time::Timestamp;

/// What an event is about, as far as MLflow tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    Model,
    Version,
    Other,
}

/// An event, with what is told of it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Occurrence {
    /// Of the delivery that it is for.
    pub delivery_id: String,
    pub event_id: String,
    pub at_ms: Timestamp,
    #[sqlx(rename = "action")]
    pub action_name: String,
    pub subject: String,
    pub detail: String,
    pub refused: bool,
    pub object_id: String,
    pub model_id: Option<String>,
    /// The path of the project, and the name of the model, as they are now.
    pub project: Option<String>,
    pub model: Option<String>,
    pub model_description: Option<String>,
    pub is_prompt: bool,
    pub actor: Option<String>,
    pub is_robot: bool,
    pub version: Option<String>,
    pub number: Option<i64>,
    /// Whether the version is a draft now.
    #[sqlx(rename = "is_draft")]
    pub is_still_draft: bool,
    pub digest: Option<String>,
    pub source: Option<String>,
    pub run_id: Option<String>,
    pub version_description: Option<String>,
}

/// Selects an [`Occurrence`] for each delivery; conditions are added.
pub const SELECT: &str = "
    SELECT d.id AS delivery_id, e.id AS event_id, e.at_ms, e.action, e.subject, e.detail, e.refused,
        COALESCE(e.object_id, '') AS object_id, e.model_id, p.path AS project, m.name AS model, m.description AS model_description,
        EXISTS (SELECT 1 FROM tags t WHERE t.owner_id = e.model_id AND t.key = 'mlflow.prompt.is_prompt'
                AND t.value = 'true') AS is_prompt,
        u.username AS actor, COALESCE(u.kind = 'ROBOT', FALSE) AS is_robot, v.version, v.number,
        COALESCE(v.state = 'DRAFT', FALSE) AS is_draft, v.digest, v.source, v.run_id, v.description AS version_description
    FROM webhook_deliveries d
    JOIN events e ON e.id = d.event_id
    LEFT JOIN projects p ON p.id = e.project_id
    LEFT JOIN models m ON m.id = e.model_id
    LEFT JOIN users u ON u.id = e.actor_id
    LEFT JOIN model_versions v ON v.id = e.object_id
    WHERE ";

impl Occurrence {
    /// What was done; none where another program has other actions.
    pub fn action(&self) -> Option<Action> {
        Action::ALL.iter().copied().find(|action| action.as_str() == self.action_name)
    }

    /// What it is about.
    pub fn of(&self) -> Of {
        match &self.model_id {
            _ if self.version.is_some() => Of::Version,
            Some(model) if *model == self.object_id => Of::Model,
            _ => Of::Other,
        }
    }

    /// Whether the version was a draft when it happened. Of one that was published as it was created, the line says where it
    /// comes from.
    pub fn is_draft(&self) -> bool {
        match self.action() {
            Some(Action::VersionCreate) => {
                !self.detail().is_ok_and(|detail| detail.contains_key("source"))
            }
            _ => self.is_still_draft,
        }
    }

    pub fn detail(&self) -> Result<Map<String, Value>> {
        serde_json::from_str(&self.detail).map_err(Error::internal)
    }

    /// A text of the details.
    pub fn said(&self, name: &str) -> Option<String> {
        self.detail().ok()?.get(name)?.as_str().map(str::to_owned)
    }

    /// The path of the model, as it is now.
    pub fn model_path(&self) -> Option<String> {
        Some(format!("{}/{}", self.project.as_ref()?, self.model.as_ref()?))
    }

    /// Whether a webhook that is told of the action is told of this event, too.
    pub fn is_wanted_by(&self, hook: &Webhook) -> bool {
        let is_one_of = |patterns: &[String], text: &str| {
            patterns.is_empty() || patterns.iter().any(|pattern| text::matches(pattern, text))
        };
        let models = hook.models();
        if !models.is_empty() && !self.model.as_ref().is_some_and(|model| is_one_of(&models, model))
        {
            return false;
        }
        let alias = self.said("alias").filter(|_| self.action_name.starts_with("alias."));
        if alias.is_some_and(|alias| !is_one_of(&hook.aliases(), &alias)) {
            return false;
        }
        if hook.releases_only && self.version.is_some() && !self.is_release() {
            return false;
        }
        match self.action() {
            None => false,
            Some(_) if hook.format == WebhookFormat::Mlflow => {
                Pair::of(self).is_some_and(|pair| hook.events().contains(&pair.name()))
            }
            // Of a run that goes on there is nothing to be told.
            Some(Action::CandidateUpdate) => self.said("status").is_some(),
            Some(_) => true,
        }
    }

    fn is_release(&self) -> bool {
        let version = self.version.as_ref().and_then(|text| semver::Version::parse(text).ok());
        !self.is_draft() && version.is_some_and(|version| version.pre.is_empty())
    }
}

//! The events of MLflow's webhooks: pairs of an entity and an action, as `mlflow/entities/webhook.py` of MLflow 3.17 names them,
//! and what of the log each of them is.

use super::occurrence::{Occurrence, Of};
use crate::action::Action;

/// One kind of event that MLflow's webhooks tell of.
#[derive(Debug, PartialEq, Eq)]
pub struct Pair {
    pub entity: &'static str,
    pub action: &'static str,
    /// What it may be in the log.
    pub actions: &'static [Action],
}

/// What gives a version to its readers.
const VERSION_CREATED: &[Action] =
    &[Action::VersionCreate, Action::VersionPublish, Action::CandidatePromote];

const fn pair(entity: &'static str, action: &'static str, actions: &'static [Action]) -> Pair {
    Pair { entity, action, actions }
}

/// Every pair that MLflow's clients know. There are no budgets here, so that one never happens.
pub const PAIRS: &[Pair] = &[
    pair("registered_model", "created", &[Action::ModelCreate]),
    pair("model_version", "created", VERSION_CREATED),
    pair("model_version_tag", "set", &[Action::TagSet]),
    pair("model_version_tag", "deleted", &[Action::TagDelete]),
    pair("model_version_alias", "created", &[Action::AliasSet]),
    pair("model_version_alias", "deleted", &[Action::AliasDelete]),
    pair("prompt", "created", &[Action::ModelCreate]),
    pair("prompt_version", "created", VERSION_CREATED),
    pair("prompt_tag", "set", &[Action::TagSet]),
    pair("prompt_tag", "deleted", &[Action::TagDelete]),
    pair("prompt_version_tag", "set", &[Action::TagSet]),
    pair("prompt_version_tag", "deleted", &[Action::TagDelete]),
    pair("prompt_alias", "created", &[Action::AliasSet]),
    pair("prompt_alias", "deleted", &[Action::AliasDelete]),
    pair("budget_policy", "exceeded", &[]),
];

impl Pair {
    /// The pair with this name, such as `model_version.created`.
    pub fn named(name: &str) -> Option<&'static Self> {
        let (entity, action) = name.split_once('.')?;
        PAIRS.iter().find(|pair| pair.entity == entity && pair.action == action)
    }

    pub fn name(&self) -> String {
        format!("{}.{}", self.entity, self.action)
    }

    /// What MLflow calls an event; none where it has no word for it.
    pub fn of(event: &Occurrence) -> Option<&'static Self> {
        let (entity, action) = match (event.action()?, event.of()) {
            (Action::ModelCreate, _) => ("registered_model", "created"),
            // A draft is made before there is anything to be had of it.
            (Action::VersionCreate, _) if event.is_draft() => return None,
            (Action::VersionCreate | Action::VersionPublish | Action::CandidatePromote, _) => {
                ("model_version", "created")
            }
            (Action::TagSet, Of::Version) => ("model_version_tag", "set"),
            (Action::TagDelete, Of::Version) => ("model_version_tag", "deleted"),
            // Tags of a model that is no prompt are told of by nothing of MLflow's.
            (Action::TagSet, Of::Model) if event.is_prompt => ("prompt_tag", "set"),
            (Action::TagDelete, Of::Model) if event.is_prompt => ("prompt_tag", "deleted"),
            (Action::AliasSet, _) => ("model_version_alias", "created"),
            (Action::AliasDelete, _) => ("model_version_alias", "deleted"),
            _ => return None,
        };
        let entity = match entity {
            "registered_model" if event.is_prompt => "prompt",
            "model_version" if event.is_prompt => "prompt_version",
            "model_version_tag" if event.is_prompt => "prompt_version_tag",
            "model_version_alias" if event.is_prompt => "prompt_alias",
            entity => entity,
        };
        PAIRS.iter().find(|pair| pair.entity == entity && pair.action == action)
    }
}

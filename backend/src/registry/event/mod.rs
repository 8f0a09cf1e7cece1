//! The log, read: who did what to which object, when; in GraphQL, in lists and as an export. It is written by
//! [`Change`](crate::change::Change) and [`log`](crate::log), never here.

pub mod export;
pub mod feed;
pub mod graphql;
mod rules;
pub mod sql;

use async_graphql::SimpleObject;

use crate::connection::Node;
use crate::error::{Error, Result};
use crate::id::{CredentialId, EventId, ProjectId, UserId};
use crate::loader::load_by_id;
use crate::time::Timestamp;

/// One line of the log: who did what to which object, when.
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
#[graphql(complex)]
pub struct Event {
    #[graphql(skip)]
    pub id: EventId,
    /// When it happened.
    #[graphql(name = "at")]
    pub at_ms: Timestamp,
    #[graphql(skip)]
    pub actor_id: Option<UserId>,
    /// What was done:
    /// - `project.create`: a project was created
    /// - `project.update`: the name, description, visibility or way of downloads of a project changed
    /// - `project.rename`: a project was moved to another path
    /// - `project.delete`: a project was moved to the trash
    /// - `project.restore`: a project was restored from the trash
    /// - `model.create`: a model was created
    /// - `model.update`: the model card changed
    /// - `model.rename`: a model was renamed
    /// - `model.delete`: a model was moved to the trash
    /// - `model.restore`: a model was restored from the trash
    /// - `version.create`: a version was created, as a draft or with its files
    /// - `version.update`: the release notes of a version changed
    /// - `version.publish`: a draft was published
    /// - `version.stage`: a version was moved to another of MLflow's stages
    /// - `version.deprecate`: a version was deprecated
    /// - `version.yank`: a version was yanked: latest, ranges and lists skip it
    /// - `version.reactivate`: a version is no longer deprecated or yanked
    /// - `version.delete`: a version was moved to the trash
    /// - `version.restore`: a version was restored from the trash
    /// - `candidate.create`: a run was started
    /// - `candidate.update`: the name or status of a run changed
    /// - `candidate.log`: params, metrics, tags or inputs of a run were logged; at most one event a minute
    /// - `candidate.promote`: a version was created from a run
    /// - `candidate.delete`: a run was moved to the trash
    /// - `candidate.restore`: a run was restored from the trash
    /// - `experiment.create`: an experiment was created
    /// - `experiment.rename`: an experiment was renamed
    /// - `experiment.delete`: an experiment was moved to the trash with its runs
    /// - `experiment.restore`: an experiment was restored with its runs
    /// - `logged-model.create`: a run logged a model
    /// - `logged-model.finalize`: a logged model is ready, or failed
    /// - `logged-model.log`: params, metrics or tags of a logged model were logged; at most one event a minute
    /// - `logged-model.delete`: a logged model was moved to the trash
    /// - `alias.set`: an alias was created or moved
    /// - `alias.delete`: an alias was deleted
    /// - `alias.protect`: an alias or a pattern of aliases was protected
    /// - `alias.unprotect`: the protection of an alias or a pattern ended
    /// - `tag.set`: a tag was set
    /// - `tag.delete`: a tag was removed
    /// - `file.put`: a file was stored
    /// - `file.delete`: a file or folder was removed
    /// - `event.redact`: the value of a tag in the log was redacted
    /// - `webhook.create`: a webhook was created
    /// - `webhook.update`: a webhook was changed
    /// - `webhook.delete`: a webhook was deleted
    /// - `webhook.enable`: a webhook was enabled
    /// - `webhook.disable`: a webhook was disabled, by somebody or because it failed for too long
    /// - `webhook.rotate`: a webhook got a new secret
    /// - `webhook.test`: a test was sent to a webhook
    /// - `webhook.redeliver`: what a webhook was sent is sent again
    /// - `trash.empty`: an item in the trash was permanently deleted
    /// - `member.add`: a member was added
    /// - `member.update`: the role of a member changed
    /// - `member.remove`: a member was removed, or left
    /// - `token.create`: a token was created
    /// - `token.revoke`: a token was revoked
    /// - `session.create`: somebody signed in
    /// - `session.end`: somebody signed out
    /// - `session.revoke`: somebody signed out another of their browsers
    /// - `password.change`: somebody changed their password
    /// - `user.create`: a user signed in for the first time with single sign-on
    /// - `user.invite`: somebody was invited
    /// - `user.update`: a user's name or rights changed
    /// - `user.block`: a user was blocked
    /// - `user.unblock`: a user was unblocked
    /// - `user.reset`: a user's password was reset by a new one-time link
    /// - `user.delete`: a user was deleted
    /// - `storage.set`: the rules that say which files belong in which storage were replaced
    /// - `invitation.accept`: an invited user chose a password
    pub action: String,
    /// The object, as text: `vision/ocr`, `vision/ocr@1.2.0`.
    pub subject: String,
    #[graphql(skip)]
    pub detail: String,
    /// Whether it was refused: then nothing changed.
    pub refused: bool,
    #[graphql(skip)]
    pub project_id: Option<ProjectId>,
    #[graphql(skip)]
    pub credential_id: Option<CredentialId>,
    #[graphql(skip)]
    pub address: Option<String>,
}

macro_rules! columns {
    () => {
        "e.id, e.at_ms, e.actor_id, e.action, e.subject, e.detail, e.refused, e.project_id, \
         e.credential_id, e.address"
    };
}
use columns;

load_by_id!(EventId => Event, concat!("SELECT ", columns!(), " FROM events e WHERE "), "e.id");

/// Whether the details of such events tell the value of a tag, which only maintainers see.
fn has_value(action: &str) -> bool {
    action.starts_with("tag.")
}

/// Details without the value that they tell.
fn without_value(detail: &str) -> Result<String> {
    let mut detail: serde_json::Value = serde_json::from_str(detail).map_err(Error::internal)?;
    if let Some(detail) = detail.as_object_mut() {
        detail.remove("value");
    }
    Ok(detail.to_string())
}

impl Node for Event {
    const NAME: &'static str = "Event";
}

//! The log, read: who did what to which object, when; in GraphQL, in lists and as an export. It is written by
//! [`Change`](crate::change::Change) and [`log`](crate::log), never here.

pub mod export;
pub mod graphql;
mod rules;
pub mod sql;

use async_graphql::SimpleObject;

use crate::connection::Node;
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
    /// - `project.create`: a project was made
    /// - `project.update`: its name, description or visibility changed
    /// - `project.rename`: it has another path
    /// - `project.delete`: it was put into the trash
    /// - `project.restore`: it was taken out of the trash
    /// - `model.create`: a model was made
    /// - `model.update`: its description changed
    /// - `model.rename`: it has another name
    /// - `model.delete`: it was put into the trash
    /// - `model.restore`: it was taken out of the trash
    /// - `version.create`: a version was made, as a draft or with its files
    /// - `version.update`: its description changed
    /// - `version.publish`: a draft was published
    /// - `version.stage`: it was moved to another of MLflow's stages
    /// - `version.deprecate`: another version should be used instead
    /// - `version.yank`: it should not be used: latest, ranges and lists pass it over
    /// - `version.reactivate`: it is deprecated or yanked no more
    /// - `version.delete`: it was put into the trash
    /// - `version.restore`: it was taken out of the trash
    /// - `candidate.create`: a training run began
    /// - `candidate.update`: its name or status changed
    /// - `candidate.log`: params, metrics, tags or inputs were logged; a line a minute at most
    /// - `candidate.promote`: a version was made of it
    /// - `candidate.delete`: it was put into the trash
    /// - `candidate.restore`: it was taken out of the trash
    /// - `experiment.create`: an experiment was made
    /// - `experiment.rename`: it has another name
    /// - `experiment.delete`: it was put into the trash with its runs
    /// - `experiment.restore`: it was taken out of the trash with them
    /// - `logged-model.create`: a run logged a model
    /// - `logged-model.finalize`: it is ready, or failed
    /// - `logged-model.log`: params, metrics or tags of it were logged; a line a minute at most
    /// - `logged-model.delete`: it was put into the trash
    /// - `alias.set`: an alias names another version
    /// - `alias.delete`: an alias names none any more
    /// - `alias.protect`: aliases of a pattern are moved by maintainers only
    /// - `alias.unprotect`: aliases of a pattern are moved by developers again
    /// - `tag.set`: a tag was set
    /// - `tag.delete`: a tag was removed
    /// - `file.put`: a file was stored
    /// - `file.delete`: a file or folder was removed
    /// - `event.redact`: the value of a tag in the log was redacted
    /// - `trash.empty`: something in the trash was deleted for good
    /// - `member.add`: somebody became a member
    /// - `member.update`: a member has another role
    /// - `member.remove`: somebody is no member any more
    /// - `token.create`: a token was made
    /// - `token.revoke`: a token ended
    /// - `session.create`: somebody signed in
    /// - `session.end`: somebody signed out
    /// - `session.revoke`: a session was ended from another
    /// - `password.change`: somebody changed their password
    /// - `user.create`: a user was made at their first single sign-on
    /// - `user.invite`: somebody was invited
    /// - `user.update`: a user's name or rights changed
    /// - `user.block`: a user may not sign in any more
    /// - `user.unblock`: a user may sign in again
    /// - `user.reset`: a user's password ended, and they have a new link
    /// - `user.delete`: a user was deleted
    /// - `invitation.accept`: who was invited chose a password
    pub action: String,
    /// What it was done to, in words: `vision/ocr`, `vision/ocr@1.2.0`.
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

impl Node for Event {
    const NAME: &'static str = "Event";
}

//! The log, read: who did what to which object, when; in GraphQL, in lists and as an export. It is written by
//! [`Change`](crate::change::Change) and [`log`](crate::log), never here.

pub mod export;
pub mod graphql;
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
    /// What was done, such as `model.create` or `alias.set`.
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

//! The log in GraphQL: its fields, filter and lists.

use async_graphql::{ComplexObject, Context, ID, InputObject, Object};

use super::sql::{self, EventFilter};
use super::{Event, has_value, rules, without_value};
use crate::access::project::Project;
use crate::access::user::User;
use crate::access::{self, actor};
use crate::change;
use crate::connection::Connection;
use crate::db::Sql;
use crate::error::{Error, Result};
use crate::id::AnyId;
use crate::loader::loaders;
use crate::page::{ENTRIES, List, Page, cost};
use crate::registry::payload;
use crate::registry::people::token::Token;
use crate::registry::people::{member, user};
use crate::role::Role;

#[ComplexObject]
impl Event {
    /// Its opaque id.
    pub async fn id(&self) -> ID {
        (&self.id).into()
    }

    /// Details, as a JSON object. The values of tags are shown to maintainers only: somebody may have removed one for a reason.
    #[graphql(complexity = "ENTRIES")]
    async fn detail(&self, ctx: &Context<'_>) -> Result<String> {
        match !has_value(&self.action) || self.shows_all(ctx).await? {
            true => Ok(self.detail.clone()),
            false => without_value(&self.detail),
        }
    }

    /// Who did it; null for the server itself, and for refused callers who were not signed in.
    async fn actor(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        user::load(ctx, self.actor_id.as_ref()).await
    }

    /// The token that was used; null for a session. Shown to maintainers only.
    async fn token(&self, ctx: &Context<'_>) -> Result<Option<Token>> {
        match &self.credential_id {
            Some(id) if self.shows_all(ctx).await? => loaders(ctx).load_one(id.clone()).await,
            _ => Ok(None),
        }
    }

    /// The network address of the caller; null if there was none. Shown to maintainers
    /// only.
    async fn address(&self, ctx: &Context<'_>) -> Result<Option<&str>> {
        Ok(if self.shows_all(ctx).await? { self.address.as_deref() } else { None })
    }

    /// The project of the object; null if it has none.
    async fn project(&self, ctx: &Context<'_>) -> Result<Option<Project>> {
        match &self.project_id {
            Some(id) => loaders(ctx).load_one(id.clone()).await,
            None => Ok(None),
        }
    }
}

impl Event {
    /// Whether only maintainers see it: what was refused, and who may what.
    pub fn is_for_maintainers(&self) -> bool {
        self.refused
            || ["member.", "token.", "webhook."].iter().any(|kind| self.action.starts_with(kind))
    }

    /// Whether the caller may see how it was done: maintainers of its project and administrators.
    pub async fn shows_all(&self, ctx: &Context<'_>) -> Result<bool> {
        if actor(ctx).is_admin() {
            return Ok(true);
        }
        let Some(project) = self.project(ctx).await? else { return Ok(false) };
        Ok(member::sql::reader_in(ctx, &project).await?.check_sees(Role::Maintainer).is_ok())
    }
}

#[derive(Default)]
pub struct EventQuery;

#[Object]
impl EventQuery {
    /// What happened in the whole registry, newest first; only for administrators.
    #[graphql(complexity = "cost(first, last, child_complexity)")]
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which events; all if omitted.")] filter: Option<EventFilter>,
        #[graphql(desc = "How many at most, from the start: 0 to 100, 20 if omitted.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Event>> {
        access::auditor(actor(ctx))?;
        let page = Page::new(first, after, last, before)?;
        let filter = match filter {
            Some(filter) => filter.condition(&loaders(ctx).loader().app.db),
            None => Sql::new("TRUE"),
        };
        Ok(Connection::new(List { parent: None, ..sql::list(None, filter) }, page, ""))
    }
}

/// Which event to redact.
#[derive(InputObject)]
pub struct RedactEventInput {
    /// The id of the event: of a `tag.set` or `tag.delete`.
    id: ID,
}

payload! {
    /// The event, with the value redacted.
    RedactEventPayload {
        /// The event.
        event: Event
    }
}

#[derive(Default)]
pub struct EventMutation;

#[Object]
impl EventMutation {
    /// Permanently replaces the value of a tag in the log with `[redacted]`, for example where somebody wrote a secret or
    /// personal data into a tag. Nothing else in the log can be changed, and the redaction is logged, too. Earlier backups
    /// still have the value, and a tag that is still set keeps it. Only for administrators.
    async fn redact_event(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which event.")] input: RedactEventInput,
    ) -> Result<RedactEventPayload> {
        let mut change = change::of(ctx).await?;
        let admin = access::admin(actor(ctx))?;
        let AnyId::EventId(id) = AnyId::parse(&input.id)? else {
            return Err(Error::not_found("event", input.id.as_str()));
        };
        let event = rules::redact(&mut change, &admin, &id).await?;
        change.commit().await?;
        Ok(RedactEventPayload { event })
    }
}

//! The log in GraphQL: its fields, filter and lists.

use async_graphql::{ComplexObject, Context, ID, Object};

use super::Event;
use super::sql::{self, EventFilter};
use crate::access::project::Project;
use crate::access::user::User;
use crate::access::{self, actor};
use crate::connection::Connection;
use crate::db::Sql;
use crate::error::Result;
use crate::loader::loaders;
use crate::page::{ENTRIES, List, Page, cost};
use crate::registry::people::token::Token;
use crate::registry::people::{member, user};
use crate::role::Role;

#[ComplexObject]
impl Event {
    /// Its opaque id.
    pub async fn id(&self) -> ID {
        (&self.id).into()
    }

    /// More about it, as a JSON object.
    #[graphql(complexity = "ENTRIES")]
    async fn detail(&self) -> &str {
        &self.detail
    }

    /// Who did it; null for the server itself, and for strangers who were refused.
    async fn actor(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        user::load(ctx, self.actor_id.as_ref()).await
    }

    /// The token that it was done with; null for a session, and for everybody but maintainers.
    async fn token(&self, ctx: &Context<'_>) -> Result<Option<Token>> {
        match &self.credential_id {
            Some(id) if self.shows_all(ctx).await? => loaders(ctx).load_one(id.clone()).await,
            _ => Ok(None),
        }
    }

    /// The network address that it came from; null where there was none, and for everybody but
    /// maintainers.
    async fn address(&self, ctx: &Context<'_>) -> Result<Option<&str>> {
        Ok(if self.shows_all(ctx).await? { self.address.as_deref() } else { None })
    }

    /// The project that it happened in; null if in none.
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
        self.refused || self.action.starts_with("member.") || self.action.starts_with("token.")
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

//! Users in GraphQL: fields and queries.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, Enum, ID, InputObject, Object};

use super::PersonNamed;
use crate::access::project::Project;
use crate::access::user::{User, UserKind, columns, find_by_username};
use crate::access::{self, actor};
use crate::connection::{Connection, Node};
use crate::db::Sql;
use crate::error::{Error, Result};
use crate::id::UserId;
use crate::loader::loaders;
use crate::page::{LOOK_UP, List, OrderDirection, Page, Sort, cost};
use crate::registry::people::member::{self, Member};
use crate::registry::people::session::{self, Session};
use crate::registry::people::token::{self, Token, TokensOfUser};
use crate::text;
use crate::time::Timestamp;

/// The state of an account. More may come.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserState {
    /// They can sign in.
    Active,
    /// They have not chosen a password yet.
    Invited,
    /// An administrator has blocked them.
    Blocked,
    /// The account is deleted; everything they did is still under their name.
    Deleted,
}

impl User {
    fn state_of(&self) -> UserState {
        if self.deleted_at_ms.is_some() {
            UserState::Deleted
        } else if self.blocked_at_ms.is_some() {
            UserState::Blocked
        } else if self.password_hash.is_empty() && !self.has_identity && !self.is_robot() {
            UserState::Invited
        } else {
            UserState::Active
        }
    }

    /// `value`, for who may see the account.
    fn private<T>(&self, ctx: &Context<'_>, value: T) -> Option<T> {
        actor(ctx).may_see_account_of(&self.id).then_some(value)
    }
}

#[ComplexObject]
impl User {
    /// Their opaque id.
    pub async fn id(&self) -> ID {
        (&self.id).into()
    }

    /// Whether it is a robot: what a token of a project acts as.
    #[graphql(name = "isRobot")]
    async fn robot(&self) -> bool {
        self.is_robot()
    }

    /// The project of the robot; null for persons, and if the caller can't see the project.
    #[graphql(complexity = "LOOK_UP + child_complexity")]
    async fn robot_of(&self, ctx: &Context<'_>) -> Result<Option<Project>> {
        let Some(project) = token::home_of(ctx, self).await? else { return Ok(None) };
        match member::sql::reader_in(ctx, &project).await {
            Ok(_) => Ok(Some(project)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether they are an administrator. Shown to themselves and administrators only.
    #[graphql(name = "isAdmin")]
    async fn admin(&self, ctx: &Context<'_>) -> Option<bool> {
        self.private(ctx, self.is_admin)
    }

    /// The state of the account. Shown to themselves and administrators only.
    async fn state(&self, ctx: &Context<'_>) -> Option<UserState> {
        self.private(ctx, self.state_of())
    }

    /// When they were last seen, to the minute; null if never. Shown to themselves and
    /// administrators only.
    async fn last_seen_at(&self, ctx: &Context<'_>) -> Option<Timestamp> {
        self.private(ctx, self.last_seen_at_ms).flatten()
    }

    /// Whether they have a password. Shown to themselves and administrators only.
    async fn has_password(&self, ctx: &Context<'_>) -> Option<bool> {
        self.private(ctx, !self.password_hash.is_empty())
    }

    /// Their personal access tokens that were not revoked, newest first. Shown to
    /// themselves and administrators only.
    #[graphql(complexity = "LOOK_UP + child_complexity")]
    async fn tokens(&self, ctx: &Context<'_>) -> Result<Option<Arc<Vec<Token>>>> {
        if self.private(ctx, ()).is_none() {
            return Ok(None);
        }
        let tokens = loaders(ctx).load_one(TokensOfUser(self.id.raw().to_owned())).await?;
        Ok(Some(tokens.unwrap_or_default()))
    }

    /// Their sessions, newest first. Shown to themselves only.
    #[graphql(complexity = "LOOK_UP + child_complexity")]
    async fn sessions(&self, ctx: &Context<'_>) -> Result<Option<Vec<Session>>> {
        if !actor(ctx).user().is_ok_and(|viewer| viewer.id == self.id) {
            return Ok(None);
        }
        let app = &loaders(ctx).loader().app;
        session::of_user(&app.db, self, app.clock.now()).await.map(Some)
    }

    /// Their projects, by path. Shown to themselves and
    /// administrators only.
    #[graphql(complexity = "cost(first, last, child_complexity)")]
    async fn memberships(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, from the start: 0 to 100, 20 if omitted.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Option<Connection<Member>>> {
        let page = Page::new(first, after, last, before)?;
        Ok(self.private(ctx, ()).map(|()| member::sql::list_of(&self.id, page)))
    }
}

impl Node for User {
    const NAME: &'static str = "User";
}

/// What people can be ordered by.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub enum UserOrderField {
    /// The username.
    Username,
    /// The time when they were added.
    CreatedAt,
}

/// An order of people.
#[derive(InputObject)]
pub struct UserOrder {
    /// What to order by.
    field: UserOrderField,
    /// Which way.
    #[graphql(default_with = "OrderDirection::Asc")]
    direction: OrderDirection,
}

#[derive(Default)]
pub struct UserQuery;

#[Object]
impl UserQuery {
    /// Who is asking; null without a session or token.
    async fn viewer(&self, ctx: &Context<'_>) -> Option<User> {
        actor(ctx).user().ok().cloned()
    }

    /// The person with this username; null if there is none. Only for persons who are signed in.
    #[graphql(complexity = "LOOK_UP + child_complexity")]
    async fn user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The name to sign in with.")] username: String,
    ) -> Result<Option<User>> {
        access::person(actor(ctx))?;
        let user = find_by_username(&loaders(ctx).loader().app.db, &username).await?;
        Ok(user.filter(|user| user.kind == UserKind::Person))
    }

    /// The people who use the registry. Only for persons who are signed in.
    #[allow(clippy::too_many_arguments)]
    #[graphql(complexity = "cost(first, last, child_complexity)")]
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those whose username or name contains this text, ignoring case.")]
        search: Option<String>,
        #[graphql(
            desc = "Only those with this state; all except deleted ones if omitted. Only for administrators."
        )]
        state: Option<UserState>,
        #[graphql(desc = "The order; by username if omitted.")] order_by: Option<UserOrder>,
        #[graphql(desc = "How many at most, from the start: 0 to 100, 20 if omitted.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<User>> {
        access::person(actor(ctx))?;
        let page = Page::new(first, after, last, before)?;
        let mut filter = Sql::new("u.kind = 'PERSON'").and(Sql::new(match state {
            None => "u.deleted_at_ms IS NULL",
            Some(state) => {
                access::auditor(actor(ctx))?;
                in_state(state)
            }
        }));
        if let Some(search) = text::search(search)? {
            let db = &loaders(ctx).loader().app.db;
            filter = filter.and(db.contains(&["u.username", "u.name"], &search));
        }
        let (field, direction) = match order_by {
            Some(order) => (order.field, order.direction),
            None => (UserOrderField::Username, OrderDirection::Asc),
        };
        let sort = match field {
            UserOrderField::Username => Sort::text("u.username", "u.id", direction),
            UserOrderField::CreatedAt => Sort::int("u.created_at_ms", "u.id", direction),
        };
        let list = List { columns: columns!(), from: "users u", parent: None, filter, sort };
        Ok(Connection::new(list, page, ""))
    }
}

/// The condition that is [`User::state_of`] in SQL.
fn in_state(state: UserState) -> &'static str {
    match state {
        UserState::Deleted => "u.deleted_at_ms IS NOT NULL",
        UserState::Blocked => "u.deleted_at_ms IS NULL AND u.blocked_at_ms IS NOT NULL",
        UserState::Invited => {
            "u.deleted_at_ms IS NULL AND u.blocked_at_ms IS NULL AND u.password_hash = ''
             AND NOT EXISTS (SELECT 1 FROM identities i WHERE i.user_id = u.id)"
        }
        UserState::Active => {
            "u.deleted_at_ms IS NULL AND u.blocked_at_ms IS NULL AND (u.password_hash <> ''
             OR EXISTS (SELECT 1 FROM identities i WHERE i.user_id = u.id))"
        }
    }
}

/// The person or robot with this id, if the caller may see who is here.
/// The person with this username, where the caller may know who is here.
pub async fn find_visible_by_name(ctx: &Context<'_>, username: &str) -> Result<Option<User>> {
    if access::person(actor(ctx)).is_err() {
        return Ok(None);
    }
    let key = PersonNamed(text::looked_up(username).to_owned());
    let found = loaders(ctx).load_one(key).await?;
    Ok(found.and_then(|users| users.first().cloned()))
}

pub async fn find_visible(ctx: &Context<'_>, id: UserId) -> Result<Option<User>> {
    if access::person(actor(ctx)).is_err() && !actor(ctx).may_see_account_of(&id) {
        return Ok(None);
    }
    loaders(ctx).load_one(id).await
}

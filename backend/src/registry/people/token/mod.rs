//! Access tokens: what a script sends instead of a password.
//!
//! A personal token acts as its owner, within its scope. A project token acts as a robot of its own,
//! which is a member of one project with one role. Neither can do more than who made it.

pub mod graphql;
pub mod rules;

use async_graphql::{Context, SimpleObject};

use crate::access::project::Project;
use crate::access::user::User;
use crate::access::{self, actor};
use crate::db::{Conn, query};
use crate::error::{Error, Result};
use crate::id::{CredentialId, UserId};
use crate::loader::{load_by_id, load_by_owner, loaders};
use crate::registry::people::user;
use crate::role::{Role, TokenScope};
use crate::time::Timestamp;

/// An access token: what a script sends instead of a password.
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
#[graphql(complex)]
pub struct Token {
    #[graphql(skip)]
    pub id: CredentialId,
    #[graphql(skip)]
    pub user_id: UserId,
    /// What it is for.
    pub name: String,
    #[graphql(skip)]
    #[sqlx(try_from = "String")]
    pub scope: TokenScope,
    /// When it was made.
    #[graphql(name = "createdAt")]
    pub created_at_ms: Timestamp,
    /// When it stops working; null if never.
    #[graphql(name = "expiresAt")]
    pub expires_at_ms: Option<Timestamp>,
    /// When it was last used, to the minute; null if never.
    #[graphql(name = "lastUsedAt")]
    pub last_used_at_ms: Option<Timestamp>,
}

impl Token {
    async fn user_of(&self, ctx: &Context<'_>) -> Result<User> {
        user::load(ctx, Some(&self.user_id))
            .await?
            .ok_or_else(|| Error::internal("a token of nobody"))
    }
}

/// The columns of [`Token`].
macro_rules! columns {
    () => {
        "c.id, c.user_id, c.name, c.scope, c.created_at_ms, c.expires_at_ms, c.last_used_at_ms"
    };
}

/// A token that was not revoked.
pub(super) async fn find(conn: impl Into<Conn<'_>>, id: &CredentialId) -> Result<Option<Token>> {
    let token = query(concat!(
        "SELECT ",
        columns!(),
        " FROM credentials c WHERE c.id = $1 AND c.kind = 'TOKEN' AND c.revoked_at_ms IS NULL"
    ))
    .bind(id)
    .fetch_optional(conn)
    .await?;
    Ok(token)
}

/// The live token with this id, if the caller may see it: their own, or one of a project that they
/// maintain.
pub async fn find_visible(ctx: &Context<'_>, id: &CredentialId) -> Result<Option<Token>> {
    // Nobody sees any: asking for many is no work.
    if actor(ctx).user().is_err() {
        return Ok(None);
    }
    let db = &loaders(ctx).loader().app.db;
    let Some(token) = find(db, id).await? else { return Ok(None) };
    if actor(ctx).may_see_account_of(&token.user_id) {
        return Ok(Some(token));
    }
    let owner = token.user_of(ctx).await?;
    let Some(project) = &owner.project_id else { return Ok(None) };
    let reader = access::reader_of(db, actor(ctx), project).await?;
    Ok(reader.check_sees(Role::Maintainer).is_ok().then_some(token))
}

/// The project whose robot this is.
pub async fn home_of(ctx: &Context<'_>, user: &User) -> Result<Option<Project>> {
    match &user.project_id {
        Some(project) => loaders(ctx).load_one(project.clone()).await,
        None => Ok(None),
    }
}

// With those that were revoked: the log names them for ever.
load_by_id!(
    CredentialId => Token,
    concat!("SELECT ", columns!(), " FROM credentials c WHERE c.kind = 'TOKEN' AND "),
    "c.id"
);

load_by_owner!(
    /// The live personal access tokens of a user, newest first.
    TokensOfUser => Token,
    concat!("SELECT c.user_id AS owner_id, ", columns!(), " FROM credentials c
             WHERE c.kind = 'TOKEN' AND c.revoked_at_ms IS NULL AND "),
    "c.user_id",
    " ORDER BY c.id DESC"
);

load_by_owner!(
    /// The live tokens of a project, newest first.
    TokensOfProject => Token,
    concat!("SELECT u.project_id AS owner_id, ", columns!(), "
             FROM credentials c JOIN users u ON u.id = c.user_id
             WHERE c.kind = 'TOKEN' AND c.revoked_at_ms IS NULL AND "),
    "u.project_id",
    " ORDER BY c.id DESC"
);

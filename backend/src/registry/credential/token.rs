//! Access tokens: what a script sends instead of a password.
//!
//! A personal token acts as its owner, within its scope. A project token acts as a robot of its own,
//! which is a member of one project with one role. Neither can do more than who made it.

use async_graphql::{ComplexObject, Context, ID, InputObject, Object, SimpleObject};

use super::{CredentialKind, NewCredential, TokenScope, end_all, insert};
use crate::access::project::Project;
use crate::access::user::User;
use crate::access::{self, Account, Maintainer, actor};
use crate::change::Change;
use crate::db::{Conn, query};
use crate::error::{Error, Result};
use crate::id::{AnyId, CredentialId, UserId};
use crate::loader::{load_by_id, load_by_owner, loaders};
use crate::log::Subject;
use crate::registry::member::{self, RoleIn};
use crate::registry::payload;
use crate::registry::project;
use crate::registry::user;
use crate::role::Role;
use crate::text;
use crate::time::Timestamp;

/// How many live tokens a person or a project can have.
const MAX_LIVE: i64 = 200;

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

#[ComplexObject]
impl Token {
    /// Its opaque id.
    pub async fn id(&self) -> ID {
        (&self.id).into()
    }

    /// What it may do of all that its owner may; null for a project token, which has a role.
    async fn scope(&self, ctx: &Context<'_>) -> Result<Option<TokenScope>> {
        Ok((!self.user_of(ctx).await?.is_robot()).then_some(self.scope))
    }

    /// What it may do in its project; null for a personal token, and once it is revoked.
    async fn role(&self, ctx: &Context<'_>) -> Result<Option<Role>> {
        match self.user_of(ctx).await?.project_id {
            Some(project) => {
                loaders(ctx).load_one(RoleIn { project, user: self.user_id.clone() }).await
            }
            None => Ok(None),
        }
    }

    /// Who it acts as: its owner, or the robot of a project token.
    async fn user(&self, ctx: &Context<'_>) -> Result<User> {
        self.user_of(ctx).await
    }
}

impl Token {
    async fn user_of(&self, ctx: &Context<'_>) -> Result<User> {
        user::load(ctx, Some(&self.user_id))
            .await?
            .ok_or_else(|| Error::internal("a token of nobody"))
    }
}

/// A new personal access token.
#[derive(InputObject)]
pub struct CreateTokenInput {
    /// What it is for, 1–255 characters.
    pub name: String,
    /// What it may do of all that you may; WRITE if omitted.
    pub scope: Option<TokenScope>,
    /// When it stops working; omitted: never.
    pub expires_at: Option<Timestamp>,
}

/// A new token of a project.
#[derive(InputObject)]
pub struct CreateProjectTokenInput {
    /// The path of the project, such as `vision`.
    project: String,
    /// What it is for, 1–255 characters.
    name: String,
    /// What it may do in the project: at most MAINTAINER, and not more than you.
    role: Role,
    /// When it stops working; omitted: never.
    expires_at: Option<Timestamp>,
}

/// Which token to revoke.
#[derive(InputObject)]
pub struct RevokeTokenInput {
    /// The token's id.
    id: ID,
}

/// A new token.
#[derive(SimpleObject)]
pub struct CreateTokenPayload {
    /// What is kept of it.
    pub token: Token,
    /// The token itself. It is shown this once: only a hash of it is stored.
    pub secret: String,
}

/// A new token of a project.
#[derive(SimpleObject)]
pub struct CreateProjectTokenPayload {
    /// What is kept of it.
    token: Token,
    /// The token itself. It is shown this once: only a hash of it is stored.
    secret: String,
}

payload! {
    /// The token that stopped working.
    RevokeTokenPayload {
        /// What it was.
        token: Token
    }
}

#[derive(Default)]
pub struct TokenMutation;

#[Object]
impl TokenMutation {
    /// Makes a personal access token for the caller.
    async fn create_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its name, scope and expiry.")] input: CreateTokenInput,
    ) -> Result<CreateTokenPayload> {
        let mut change = Change::begin(&loaders(ctx).loader().app, actor(ctx)).await?;
        let account = access::account(actor(ctx))?;
        let payload = create(&mut change, account.user(), input).await?;
        change.commit().await?;
        Ok(payload)
    }

    /// Makes a token that acts in one project only, as a robot of its own: for CI.
    async fn create_project_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its project, name, role and expiry.")] input: CreateProjectTokenInput,
    ) -> Result<CreateProjectTokenPayload> {
        let mut change = Change::begin(&loaders(ctx).loader().app, actor(ctx)).await?;
        let maintainer = project::lone_maintainer(&mut change, actor(ctx), &input.project).await?;
        let account = access::account(actor(ctx))?;
        let payload = create_for_project(&mut change, &maintainer, &account, input).await?;
        change.commit().await?;
        Ok(payload)
    }

    /// Stops a token from working, from the next request on: one of the caller's own, one of a project
    /// that they maintain or, for administrators, any.
    async fn revoke_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which token.")] input: RevokeTokenInput,
    ) -> Result<RevokeTokenPayload> {
        let mut change = Change::begin(&loaders(ctx).loader().app, actor(ctx)).await?;
        let account = access::account(actor(ctx))?;
        let not_found = || Error::not_found("token", input.id.as_str());
        let Ok(AnyId::CredentialId(id)) = AnyId::parse(&input.id) else {
            return Err(not_found());
        };
        let token = find(&mut *change, &id).await?.ok_or_else(not_found)?;
        let owner = access::user::get_by_id(&mut *change, &token.user_id).await?;
        if !actor(ctx).is_admin() && owner.id != account.user().id {
            let Some(project) = &owner.project_id else { return Err(not_found()) };
            let reader = access::reader_of(&mut *change, actor(ctx), project).await;
            // Others do not see the tokens of a project, so for them there is none.
            match reader.and_then(Maintainer::of) {
                Err(Error::NotFound { .. } | Error::Forbidden(_)) => return Err(not_found()),
                maintainer => maintainer?,
            };
        }
        revoke(&mut change, &account, &owner, &token).await?;
        change.commit().await?;
        Ok(RevokeTokenPayload { token })
    }
}

pub async fn create(
    change: &mut Change,
    user: &User,
    input: CreateTokenInput,
) -> Result<CreateTokenPayload> {
    let (live,): (i64,) = query(
        "SELECT COUNT(*) FROM credentials
         WHERE user_id = $1 AND kind = 'TOKEN' AND revoked_at_ms IS NULL",
    )
    .bind(&user.id)
    .fetch_one(&mut **change)
    .await?;
    check_room(live)?;
    let scope = input.scope.unwrap_or(TokenScope::Write);
    let (token, secret) = make(change, user, &input.name, scope, input.expires_at).await?;
    let detail = serde_json::json!({ "name": token.name, "scope": scope.as_str() });
    record(change, "token.create", user, &token, detail).await?;
    Ok(CreateTokenPayload { token, secret })
}

async fn create_for_project(
    change: &mut Change,
    maintainer: &Maintainer,
    _account: &Account,
    input: CreateProjectTokenInput,
) -> Result<CreateProjectTokenPayload> {
    if input.role > Role::Maintainer {
        return Err(Error::invalid("role", "must be at most MAINTAINER: owners are persons"));
    }
    let name = text::name("name", &input.name)?;
    let (live,): (i64,) = query(
        "SELECT COUNT(*) FROM credentials c JOIN users u ON u.id = c.user_id
         WHERE u.project_id = $1 AND c.kind = 'TOKEN' AND c.revoked_at_ms IS NULL",
    )
    .bind(&maintainer.project().id)
    .fetch_one(&mut **change)
    .await?;
    check_room(live)?;
    let robot = user::create_robot(change, maintainer, &name).await?;
    member::add_robot(change, maintainer, &robot, input.role).await?;
    let (token, secret) = make(change, &robot, &name, TokenScope::Admin, input.expires_at).await?;
    let detail = serde_json::json!({ "name": token.name, "role": input.role.as_str() });
    record(change, "token.create", &robot, &token, detail).await?;
    Ok(CreateProjectTokenPayload { token, secret })
}

/// Lists of tokens have no pages.
fn check_room(live: i64) -> Result<()> {
    if live >= MAX_LIVE {
        return Err(Error::Conflict(format!("there are {MAX_LIVE} tokens: revoke some first")));
    }
    Ok(())
}

async fn make(
    change: &mut Change,
    user: &User,
    name: &str,
    scope: TokenScope,
    expires_at_ms: Option<Timestamp>,
) -> Result<(Token, String)> {
    let name = text::name("name", name)?;
    if expires_at_ms.is_some_and(|expires_at| expires_at <= change.now) {
        return Err(Error::invalid("expiresAt", "must be in the future"));
    }
    let new =
        NewCredential { kind: CredentialKind::Token, name, scope, address: None, expires_at_ms };
    let (id, secret) = insert(change, user, new).await?;
    let token = find(&mut **change, &id).await?;
    Ok((token.ok_or_else(|| Error::internal("a new token is not there"))?, secret))
}

async fn revoke(
    change: &mut Change,
    _account: &Account,
    owner: &User,
    token: &Token,
) -> Result<()> {
    let revoked =
        query("UPDATE credentials SET revoked_at_ms = $2 WHERE id = $1 AND revoked_at_ms IS NULL")
            .bind(&token.id)
            .bind(change.now)
            .execute(change)
            .await?;
    if revoked == 0 {
        return Err(Error::not_found("token", token.id.raw()));
    }
    if owner.is_robot() {
        end_all(change, owner, CredentialKind::Token).await?;
        query("DELETE FROM members WHERE user_id = $1").bind(&owner.id).execute(change).await?;
    }
    record(change, "token.revoke", owner, token, serde_json::json!({ "name": token.name })).await
}

async fn record(
    change: &mut Change,
    action: &'static str,
    owner: &User,
    token: &Token,
    detail: serde_json::Value,
) -> Result<()> {
    let subject = Subject {
        name: if owner.is_robot() { &owner.name } else { &owner.username }.clone(),
        project_id: owner.project_id.as_ref(),
        model_id: None,
        object_id: token.id.raw(),
    };
    change.record(action, subject, detail).await
}

/// The columns of [`Token`].
macro_rules! columns {
    () => {
        "c.id, c.user_id, c.name, c.scope, c.created_at_ms, c.expires_at_ms, c.last_used_at_ms"
    };
}

/// A token that was not revoked.
async fn find(conn: impl Into<Conn<'_>>, id: &CredentialId) -> Result<Option<Token>> {
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

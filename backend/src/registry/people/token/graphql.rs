//! Tokens in GraphQL: their fields and mutations.

use async_graphql::{ComplexObject, Context, ID, InputObject, Object};

use super::rules::{
    self, CreateProjectTokenInput, CreateProjectTokenPayload, CreateTokenInput, CreateTokenPayload,
};
use super::{Token, find};
use crate::access::user::User;
use crate::access::{self, Maintainer, actor};
use crate::change;
use crate::error::{Error, Result};
use crate::id::AnyId;
use crate::loader::loaders;
use crate::registry::catalog::project;
use crate::registry::payload;
use crate::registry::people::member::sql::RoleIn;
use crate::role::{Role, TokenScope};

#[ComplexObject]
impl Token {
    /// Its opaque id.
    pub async fn id(&self) -> ID {
        (&self.id).into()
    }

    /// Its scope, within what its owner can do; null for a project token, which has a role.
    async fn scope(&self, ctx: &Context<'_>) -> Result<Option<TokenScope>> {
        Ok((!self.user_of(ctx).await?.is_robot()).then_some(self.scope))
    }

    /// Its role in its project; null for a personal token, and once it is revoked.
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

/// Which token to revoke.
#[derive(InputObject)]
pub struct RevokeTokenInput {
    /// The token's id.
    id: ID,
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
    /// Creates a personal access token for the caller.
    async fn create_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its name, scope and expiry.")] input: CreateTokenInput,
    ) -> Result<CreateTokenPayload> {
        let mut change = change::of(ctx).await?;
        let account = access::account(actor(ctx))?;
        let payload = rules::create(&mut change, account.user(), input).await?;
        change.commit().await?;
        Ok(payload)
    }

    /// Creates a token that belongs to one project, not to a person: for CI and services.
    async fn create_project_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its project, name, role and expiry.")] input: CreateProjectTokenInput,
    ) -> Result<CreateProjectTokenPayload> {
        let mut change = change::of(ctx).await?;
        let maintainer =
            project::rules::lone_maintainer(&mut change, actor(ctx), &input.project).await?;
        let account = access::account(actor(ctx))?;
        let payload = rules::create_for_project(&mut change, &maintainer, &account, input).await?;
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
        let mut change = change::of(ctx).await?;
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
        rules::revoke(&mut change, &account, &owner, &token).await?;
        change.commit().await?;
        Ok(RevokeTokenPayload { token })
    }
}

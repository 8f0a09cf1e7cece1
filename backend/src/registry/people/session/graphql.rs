//! Sessions in GraphQL: sign-in, sign-out, and the list of a user.

use async_graphql::{ComplexObject, Context, ID, InputObject, Object};

use super::Session;
use super::rules::{self, SignInInput};
use crate::access::session::session_answer;
use crate::access::user::User;
use crate::access::{self, actor};
use crate::action::Action;
use crate::change;
use crate::error::{Error, Result};
use crate::id::AnyId;
use crate::loader::loaders;
use crate::registry::payload;

#[ComplexObject]
impl Session {
    /// Its opaque id.
    pub async fn id(&self) -> ID {
        (&self.id).into()
    }

    /// Whether this request is part of it.
    async fn current(&self, ctx: &Context<'_>) -> bool {
        actor(ctx).session() == Some(&self.id)
    }
}

/// Which session to end.
#[derive(InputObject)]
pub struct RevokeSessionInput {
    /// The session's id.
    id: ID,
}

payload! {
    /// Who is now signed in.
    SignInPayload {
        /// The person.
        user: User
    }
}

payload! {
    /// The end of a session.
    SignOutPayload {
        /// Whether there was a session to end.
        signed_out: bool
    }
}

payload! {
    /// The session that ended.
    RevokeSessionPayload {
        /// What it was.
        session: Session
    }
}

#[derive(Default)]
pub struct SessionMutation;

#[Object]
impl SessionMutation {
    /// Starts a session: the answer sets an HttpOnly cookie.
    async fn sign_in(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Username and password.")] input: SignInInput,
    ) -> Result<SignInPayload> {
        let app = &loaders(ctx).loader().app;
        let (user, secret) = rules::sign_in(app, actor(ctx), input).await?;
        session_answer(ctx).begins(&secret);
        Ok(SignInPayload { user })
    }

    /// Ends the session of the cookie.
    async fn sign_out(&self, ctx: &Context<'_>) -> Result<SignOutPayload> {
        session_answer(ctx).ends();
        let Some(id) = actor(ctx).session() else {
            return Ok(SignOutPayload { signed_out: false });
        };
        let mut change = change::of(ctx).await?;
        rules::end(&mut change, actor(ctx).user()?, Action::SessionEnd, id).await?;
        change.commit().await?;
        Ok(SignOutPayload { signed_out: true })
    }

    /// Ends one of the caller's sessions, from the next request on.
    async fn revoke_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which session.")] input: RevokeSessionInput,
    ) -> Result<RevokeSessionPayload> {
        let mut change = change::of(ctx).await?;
        let account = access::account(actor(ctx))?;
        let not_found = || Error::not_found("session", input.id.as_str());
        let Ok(AnyId::CredentialId(id)) = AnyId::parse(&input.id) else {
            return Err(not_found());
        };
        let session = rules::end(&mut change, account.user(), Action::SessionRevoke, &id)
            .await?
            .ok_or_else(not_found)?;
        change.commit().await?;
        Ok(RevokeSessionPayload { session })
    }
}

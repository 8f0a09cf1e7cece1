//! Invitations in GraphQL: looking at one, and accepting it.

use async_graphql::{Context, InputObject, Object};

use super::{Invitation, find, rules};
use crate::access::session::session_answer;
use crate::access::user::User;
use crate::access::{self, actor, password};
use crate::change::Change;
use crate::error::{Error, Result};
use crate::loader::loaders;
use crate::page::LOOK_UP;
use crate::registry::payload;
use crate::registry::people::session;
use crate::text;

/// The password to set with a one-time link.
#[derive(InputObject)]
pub struct AcceptInvitationInput {
    /// The part of the link after `#`.
    secret: String,
    /// The password: at least 12 characters.
    password: String,
    /// The name to show; unchanged if omitted.
    name: Option<String>,
}

payload! {
    /// Who is now signed in.
    AcceptInvitationPayload {
        /// The person.
        user: User
    }
}

#[derive(Default)]
pub struct InvitationQuery;

#[Object]
impl InvitationQuery {
    /// What a one-time link is for; null if it is wrong, expired or used.
    #[graphql(complexity = "LOOK_UP + child_complexity")]
    async fn invitation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The part of the link after `#`.")] secret: String,
    ) -> Result<Option<Invitation>> {
        let app = &loaders(ctx).loader().app;
        find(&app.db, app.clock.now(), &secret).await
    }
}

#[derive(Default)]
pub struct InvitationMutation;

#[Object]
impl InvitationMutation {
    /// Sets the password of an invited person, and starts a session: the answer sets an HttpOnly cookie.
    /// The link stops working.
    async fn accept_invitation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The secret, a password and a name.")] input: AcceptInvitationInput,
    ) -> Result<AcceptInvitationPayload> {
        let app = &loaders(ctx).loader().app;
        if app.config.no_password_sign_in {
            return Err(Error::Forbidden(
                "Sign-in with a password is disabled here. Use single sign-on.",
            ));
        }
        let unknown = || Error::not_found("invitation", "");
        // Looked at before the password is hashed: strangers cannot keep the server busy.
        let known = find(&app.db, app.clock.now(), &input.secret).await?.ok_or_else(unknown)?;
        let user = access::user::get_by_id(&app.db, &known.user_id).await?;
        let name = input.name.map(|name| text::changed_name("name", &name, &user.name));
        let name = name.transpose()?;
        password::check_new("password", &input.password)?;
        let hash = app.access.passwords.hash(input.password).await?;
        let mut change = Change::begin(app, &actor(ctx).recognised(user)).await?;
        let user = rules::accept(&mut change, &known.user_id, &input.secret, &hash, name)
            .await?
            .ok_or_else(unknown)?;
        let secret = session::rules::start(&mut change, &user, actor(ctx)).await?;
        change.commit().await?;
        session_answer(ctx).begins(&secret);
        Ok(AcceptInvitationPayload { user })
    }
}

//! What administrators do to users, and users to themselves, in GraphQL.

use async_graphql::{Context, InputObject, MaybeUndefined, Object, SimpleObject};

use crate::access::session::session_answer;
use crate::access::user::User;
use crate::access::{self, actor, password};
use crate::action::Action;
use crate::change::{self, Change};
use crate::error::{Error, Result};
use crate::loader::loaders;
use crate::registry::payload;
use crate::registry::people::invitation::{self, NewInvitation};
use crate::registry::people::session;
use crate::registry::people::user::rules::{
    Changes, change_password, delete, invite, rename_oneself, reset, set_blocked, update,
};

/// A person to invite.
#[derive(InputObject)]
pub struct InviteUserInput {
    /// The name to sign in with: 1–63 of a-z, 0-9, `.`, `_` and `-`.
    username: String,
    /// The name to show; the user name if omitted.
    name: Option<String>,
    /// Whether they shall manage the whole registry.
    #[graphql(default)]
    is_admin: bool,
}

/// What an administrator changes of a person; what is omitted stays.
#[derive(InputObject)]
pub struct UpdateUserInput {
    /// The user name.
    username: String,
    /// The name to show.
    name: MaybeUndefined<String>,
    /// Whether they shall manage the whole registry.
    is_admin: MaybeUndefined<bool>,
}

/// What people change of themselves.
#[derive(InputObject)]
pub struct UpdateViewerInput {
    /// The name to show.
    name: String,
}

/// Another password.
#[derive(InputObject)]
pub struct ChangePasswordInput {
    /// The password by now.
    current_password: String,
    /// The one from now on: at least 12 characters.
    new_password: String,
}

/// Inputs that name a person, and payloads that show one.
macro_rules! of_a_user {
    ($($(#[$input_doc:meta])* $input:ident, $(#[$payload_doc:meta])* $payload:ident;)*) => {$(
        $(#[$input_doc])*
        #[derive(InputObject)]
        pub struct $input {
            /// The user name.
            username: String,
        }

        payload! {
            $(#[$payload_doc])*
            $payload {
                /// The person.
                user: User
            }
        }
    )*};
}

of_a_user! {
    /// Whom to keep out.
    BlockUserInput,
    /// Who is kept out.
    BlockUserPayload;
    /// Whom to let in again.
    UnblockUserInput,
    /// Who can come in again.
    UnblockUserPayload;
    /// Whom to delete.
    DeleteUserInput,
    /// Who is gone.
    DeleteUserPayload;
}

/// Whose password to take away.
#[derive(InputObject)]
pub struct ResetUserInput {
    /// The user name.
    username: String,
}

/// Who was invited, and the link to give to them.
#[derive(SimpleObject)]
pub struct InviteUserPayload {
    /// The person.
    user: User,
    /// The link.
    invitation: NewInvitation,
}

/// Who chooses a new password, and the link to give to them.
#[derive(SimpleObject)]
pub struct ResetUserPayload {
    /// The person.
    user: User,
    /// The link.
    invitation: NewInvitation,
}

payload! {
    /// The changed person.
    UpdateUserPayload {
        /// The person.
        user: User
    }
}
payload! {
    /// The changed person.
    UpdateViewerPayload {
        /// The person.
        user: User
    }
}
payload! {
    /// Whose password was changed.
    ChangePasswordPayload {
        /// The person.
        user: User
    }
}

#[derive(Default)]
pub struct UserMutation;

#[Object]
impl UserMutation {
    /// Adds a person, and makes the one-time link with which they set their password.
    async fn invite_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who.")] input: InviteUserInput,
    ) -> Result<InviteUserPayload> {
        let app = &loaders(ctx).loader().app;
        let mut change = change::of(ctx).await?;
        let admin = access::admin(actor(ctx))?;
        let InviteUserInput { username, name, is_admin } = input;
        let user = invite(&mut change, &admin, &username, name, is_admin).await?;
        let invitation = invitation::rules::create(&mut change, &admin, app, &user).await?;
        change.commit().await?;
        Ok(InviteUserPayload { user, invitation })
    }

    /// Takes a person's password and sessions away, and makes the one-time link with which they set
    /// another. Their tokens keep working.
    async fn reset_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who.")] input: ResetUserInput,
    ) -> Result<ResetUserPayload> {
        let app = &loaders(ctx).loader().app;
        let mut change = change::of(ctx).await?;
        let admin = access::admin(actor(ctx))?;
        let user = reset(&mut change, &admin, &input.username).await?;
        let invitation = invitation::rules::create(&mut change, &admin, app, &user).await?;
        change.commit().await?;
        Ok(ResetUserPayload { user, invitation })
    }

    /// Keeps a person out, from the next request on: their sessions end, their tokens do not work.
    async fn block_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who.")] input: BlockUserInput,
    ) -> Result<BlockUserPayload> {
        let mut change = change::of(ctx).await?;
        let admin = access::admin(actor(ctx))?;
        let user = set_blocked(&mut change, &admin, &input.username, true).await?;
        change.commit().await?;
        Ok(BlockUserPayload { user })
    }

    /// Lets a person in again. Their tokens work again.
    async fn unblock_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who.")] input: UnblockUserInput,
    ) -> Result<UnblockUserPayload> {
        let mut change = change::of(ctx).await?;
        let admin = access::admin(actor(ctx))?;
        let user = set_blocked(&mut change, &admin, &input.username, false).await?;
        change.commit().await?;
        Ok(UnblockUserPayload { user })
    }

    /// Removes a person for good: sessions, tokens and memberships end. What they did stays and names
    /// them; the user name is not given again.
    async fn delete_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who.")] input: DeleteUserInput,
    ) -> Result<DeleteUserPayload> {
        let mut change = change::of(ctx).await?;
        let admin = access::admin(actor(ctx))?;
        let user = delete(&mut change, &admin, &input.username).await?;
        change.commit().await?;
        Ok(DeleteUserPayload { user })
    }

    /// Changes a person's name, or whether they manage the whole registry.
    async fn update_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who, and what to change.")] input: UpdateUserInput,
    ) -> Result<UpdateUserPayload> {
        let mut change = change::of(ctx).await?;
        let admin = access::admin(actor(ctx))?;
        let changes = Changes { name: input.name.take(), is_admin: input.is_admin.take() };
        let user = update(&mut change, &admin, &input.username, changes).await?;
        change.commit().await?;
        Ok(UpdateUserPayload { user })
    }

    /// Changes the name that is shown of the caller.
    async fn update_viewer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateViewerInput,
    ) -> Result<UpdateViewerPayload> {
        let mut change = change::of(ctx).await?;
        let account = access::account(actor(ctx))?;
        let user = rename_oneself(&mut change, &account, &input.name).await?;
        change.commit().await?;
        Ok(UpdateViewerPayload { user })
    }

    /// Changes the caller's password. All of their sessions end; who did it in a browser gets a new one.
    #[graphql(name = "changePassword")]
    async fn change_own_password(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The old and the new password.")] input: ChangePasswordInput,
    ) -> Result<ChangePasswordPayload> {
        let app = &loaders(ctx).loader().app;
        let actor = actor(ctx);
        let account = access::account(actor)?;
        let user = account.user();
        password::check_new("newPassword", &input.new_password)?;
        if user.password_hash.is_empty() {
            return Err(Error::Conflict(
                "This account has no password. Sign in with single sign-on.".to_owned(),
            ));
        }
        let stored = Some(user.password_hash.as_str());
        let current = input.current_password;
        let short = current.len() <= password::MAX_BYTES;
        if !short
            || !password::check_password(&app.access, actor, &user.username, stored, current)
                .await?
        {
            password::log_wrong_password(
                &app.access,
                actor,
                Action::PasswordChange,
                &user.username,
            )
            .await?;
            return Err(Error::invalid("currentPassword", "incorrect password"));
        }
        let hash = app.access.passwords.hash(input.new_password).await?;
        let mut change = Change::begin(app, actor).await?;
        let user = change_password(&mut change, user, &hash).await?;
        let secret = match actor.session() {
            Some(_) => Some(session::rules::start(&mut change, &user, actor).await?),
            None => None,
        };
        change.commit().await?;
        if let Some(secret) = secret {
            session_answer(ctx).begins(&secret);
        }
        Ok(ChangePasswordPayload { user })
    }
}

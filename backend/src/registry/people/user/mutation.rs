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
    /// The name to show; the username if omitted.
    name: Option<String>,
    /// Whether to make them an administrator of the whole registry.
    #[graphql(default)]
    is_admin: bool,
}

/// Changes of a person by an administrator; what is omitted stays as it is.
#[derive(InputObject)]
pub struct UpdateUserInput {
    /// The username.
    username: String,
    /// The name to show.
    name: MaybeUndefined<String>,
    /// Whether to make them an administrator of the whole registry.
    is_admin: MaybeUndefined<bool>,
}

/// Changes of the caller's own account.
#[derive(InputObject)]
pub struct UpdateViewerInput {
    /// The name to show.
    name: String,
}

/// Another password.
#[derive(InputObject)]
pub struct ChangePasswordInput {
    /// The current password.
    current_password: String,
    /// The new password: at least 12 characters.
    new_password: String,
}

/// Inputs that name a person, and payloads that show one.
macro_rules! of_a_user {
    ($($(#[$input_doc:meta])* $input:ident, $(#[$payload_doc:meta])* $payload:ident;)*) => {$(
        $(#[$input_doc])*
        #[derive(InputObject)]
        pub struct $input {
            /// The username.
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
    /// Which user to block.
    BlockUserInput,
    /// The blocked user.
    BlockUserPayload;
    /// Which user to unblock.
    UnblockUserInput,
    /// The unblocked user.
    UnblockUserPayload;
    /// Which user to delete.
    DeleteUserInput,
    /// The deleted user.
    DeleteUserPayload;
}

/// Which user's password to reset.
#[derive(InputObject)]
pub struct ResetUserInput {
    /// The username.
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

/// The user, and the link with which they choose a new password.
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
    /// Adds a person, and creates the one-time link with which they set their password.
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

    /// Ends a person's password and sessions, and creates the one-time link with which they set a new
    /// password. Their tokens keep working.
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

    /// Blocks a person from the next request on: their sessions end and their tokens stop working.
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

    /// Unblocks a person. Their tokens work again.
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

    /// Permanently removes a person: sessions, tokens and memberships end. Everything they did is kept under their
    /// name; the username is never used again.
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

    /// Changes a person's name, or whether they are an administrator.
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

    /// Changes the caller's name.
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

    /// Changes the caller's password. All of their sessions end; a caller in a browser gets a new one.
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

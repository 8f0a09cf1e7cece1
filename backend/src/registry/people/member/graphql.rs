//! Members in GraphQL: their fields and mutations.

use async_graphql::{ComplexObject, Context, ID, InputObject, Object};

use super::{Member, Source, rules};
use crate::access::project::Project;
use crate::access::user::User;
use crate::access::{self, actor};
use crate::change;
use crate::error::{Error, Result};
use crate::loader::loaders;
use crate::registry::catalog::project;
use crate::registry::payload;
use crate::registry::people::user;
use crate::role::Role;

#[ComplexObject]
impl Member {
    /// Its opaque id.
    pub async fn id(&self) -> ID {
        (&self.id).into()
    }

    /// The project that they are a member of.
    async fn project(&self, ctx: &Context<'_>) -> Result<Project> {
        loaders(ctx)
            .load_one(self.project_id.clone())
            .await?
            .ok_or_else(|| Error::internal("a member without their project"))
    }

    /// Who they are.
    async fn user(&self, ctx: &Context<'_>) -> Result<User> {
        user::load(ctx, Some(&self.user_id))
            .await?
            .ok_or_else(|| Error::internal("a member who is nobody"))
    }

    /// Whether they are a member through single sign-on, by their groups.
    async fn by_single_sign_on(&self) -> bool {
        self.source == Source::Oidc
    }

    /// Who gave them their role; null for single sign-on and for the creator of the project.
    async fn added_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        user::load(ctx, self.added_by_id.as_ref()).await
    }
}

/// A new member of a project.
#[derive(InputObject)]
pub struct AddMemberInput {
    /// The path of the project, such as `vision`.
    project: String,
    /// The username of the person.
    username: String,
    /// Their role; not higher than yours.
    role: Role,
}

/// Another role for a member.
#[derive(InputObject)]
pub struct UpdateMemberInput {
    /// The path of the project, such as `vision`.
    project: String,
    /// The username of the member.
    username: String,
    /// Their new role; not higher than yours.
    role: Role,
}

/// Which member to remove.
#[derive(InputObject)]
pub struct RemoveMemberInput {
    /// The path of the project, such as `vision`.
    project: String,
    /// The username of the member; your own to leave.
    username: String,
}

payload! {
    /// The new member.
    AddMemberPayload {
        /// The member.
        member: Member
    }
}

payload! {
    /// The changed member.
    UpdateMemberPayload {
        /// The member.
        member: Member
    }
}

payload! {
    /// The person who is no longer a member.
    RemoveMemberPayload {
        /// The member as they were.
        member: Member
    }
}

#[derive(Default)]
pub struct MemberMutation;

#[Object]
impl MemberMutation {
    /// Makes a person a member of a project.
    async fn add_member(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who, where, and with which role.")] input: AddMemberInput,
    ) -> Result<AddMemberPayload> {
        let mut change = change::of(ctx).await?;
        let maintainer =
            project::rules::lone_maintainer(&mut change, actor(ctx), &input.project).await?;
        let member = rules::add(&mut change, &maintainer, &input.username, input.role).await?;
        change.commit().await?;
        Ok(AddMemberPayload { member })
    }

    /// Changes the role of a member.
    async fn update_member(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who, where, and with which role.")] input: UpdateMemberInput,
    ) -> Result<UpdateMemberPayload> {
        let mut change = change::of(ctx).await?;
        let maintainer =
            project::rules::lone_maintainer(&mut change, actor(ctx), &input.project).await?;
        let member = rules::update(&mut change, &maintainer, &input.username, input.role).await?;
        change.commit().await?;
        Ok(UpdateMemberPayload { member })
    }

    /// Removes a person from a project, from the next request on. Members can also remove
    /// themselves.
    async fn remove_member(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who, and where.")] input: RemoveMemberInput,
    ) -> Result<RemoveMemberPayload> {
        let mut change = change::of(ctx).await?;
        let member = if actor(ctx).user()?.username == input.username {
            let reader = access::reader(&mut *change, actor(ctx), &input.project).await?;
            access::account(actor(ctx))?;
            rules::leave(&mut change, &reader, &input.username).await?
        } else {
            let maintainer =
                project::rules::lone_maintainer(&mut change, actor(ctx), &input.project).await?;
            rules::remove(&mut change, &maintainer, &input.username).await?
        };
        change.commit().await?;
        Ok(RemoveMemberPayload { member })
    }
}

//! Protected aliases in GraphQL: their fields and mutations.

use async_graphql::{ComplexObject, Context, InputObject, Object};

use super::{ProtectedAlias, rules};

use crate::access::user::User;
use crate::change;
use crate::error::Result;
use crate::id::ModelId;
use crate::registry::catalog::model::{self, Model};
use crate::registry::payload;
use crate::registry::people::user;

#[ComplexObject]
impl ProtectedAlias {
    /// The model that it is for; null where it is for all models of the project.
    async fn model(&self, ctx: &Context<'_>) -> Result<Option<Model>> {
        if self.is_for_the_whole_project() {
            return Ok(None);
        }
        model::sql::load(ctx, &ModelId::from_raw(&self.model_id)).await.map(Some)
    }

    /// Who protected it.
    async fn created_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        user::load(ctx, Some(&self.created_by_id)).await
    }
}

/// The aliases to protect.
#[derive(InputObject)]
pub struct ProtectAliasInput {
    /// The path of the project, to protect them in all of its models.
    project: Option<String>,
    /// Or the path of one model, such as `vision/ocr`.
    model: Option<String>,
    /// The name or pattern: 1–255 of A-Z, a-z, 0-9, `_`, `-`, and `*` as a wildcard.
    pattern: String,
}

/// The aliases whose protection ends.
#[derive(InputObject)]
pub struct UnprotectAliasInput {
    /// The path of the project, for what is protected in all of its models.
    project: Option<String>,
    /// Or the path of one model, such as `vision/ocr`.
    model: Option<String>,
    /// The name or pattern, as it was protected.
    pattern: String,
}

payload! {
    /// The new protection.
    ProtectAliasPayload {
        /// The protection.
        protected_alias: ProtectedAlias
    }
}

payload! {
    /// The protection that ended.
    UnprotectAliasPayload {
        /// The protection as it was.
        protected_alias: ProtectedAlias
    }
}

#[derive(Default)]
pub struct ProtectionMutation;

#[Object]
impl ProtectionMutation {
    /// Lets only maintainers move or delete these aliases, which can then only point to published versions: CONFLICT
    /// while one points to a draft.
    async fn protect_alias(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Where, and which names.")] input: ProtectAliasInput,
    ) -> Result<ProtectAliasPayload> {
        let mut change = change::of(ctx).await?;
        let place = rules::place(ctx, &mut change, input.project, input.model).await?;
        let protected_alias = rules::protect(&mut change, &place, &input.pattern).await?;
        change.commit().await?;
        Ok(ProtectAliasPayload { protected_alias })
    }

    /// Ends the protection: developers can move and delete these aliases again.
    async fn unprotect_alias(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Where, and which names.")] input: UnprotectAliasInput,
    ) -> Result<UnprotectAliasPayload> {
        let mut change = change::of(ctx).await?;
        let place = rules::place(ctx, &mut change, input.project, input.model).await?;
        let protected_alias = rules::unprotect(&mut change, &place, &input.pattern).await?;
        change.commit().await?;
        Ok(UnprotectAliasPayload { protected_alias })
    }
}

//! Aliases in GraphQL: their fields and mutations.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, ID, InputObject, Object};

use super::{Alias, AliasMove, MovesOf, rules};
use crate::access::actor;
use crate::access::user::User;
use crate::change;
use crate::error::{Error, Result};
use crate::loader::loaders;
use crate::page::ENTRIES;
use crate::registry::catalog::version::ModelVersion;
use crate::registry::catalog::{model, protection};
use crate::registry::payload;
use crate::registry::people::user;

#[ComplexObject]
impl Alias {
    /// Its opaque id.
    pub async fn id(&self) -> ID {
        (&self.id).into()
    }

    /// Its address: project, model and alias, such as `vision/ocr@champion`.
    #[graphql(name = "ref")]
    async fn reference(&self, ctx: &Context<'_>) -> Result<String> {
        let model = model::sql::load(ctx, &self.model_id).await?;
        Ok(format!("{}@{}", model.path_of(ctx).await?, self.name))
    }

    /// The version that it points to.
    async fn version(&self, ctx: &Context<'_>) -> Result<ModelVersion> {
        loaders(ctx)
            .load_one(self.version_id.clone())
            .await?
            .ok_or_else(|| Error::internal("an alias without its version"))
    }

    /// Whether only maintainers can move it.
    #[graphql(complexity = "ENTRIES")]
    async fn protected(&self, ctx: &Context<'_>) -> Result<bool> {
        let model = model::sql::load(ctx, &self.model_id).await?;
        let rules = protection::load(ctx, &model.project_id).await?;
        Ok(rules.iter().any(|rule| rule.protects(&self.model_id, &self.name)))
    }

    /// Who moved it last.
    async fn updated_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        user::load(ctx, Some(&self.updated_by_id)).await
    }

    /// The versions that it pointed to and since when, latest first; at most 100 moves.
    #[graphql(complexity = "ENTRIES + child_complexity")]
    async fn history(&self, ctx: &Context<'_>) -> Result<Arc<Vec<AliasMove>>> {
        let moves = loaders(ctx).load_one(MovesOf(self.id.raw().to_owned())).await?;
        Ok(moves.unwrap_or_default())
    }
}

#[ComplexObject]
impl AliasMove {
    /// The version that it was moved to; null where the alias or the version was deleted.
    #[graphql(name = "version")]
    async fn model_version(&self, ctx: &Context<'_>) -> Result<Option<ModelVersion>> {
        match &self.version_id {
            Some(id) => {
                let version: Option<ModelVersion> = loaders(ctx).load_one(id.clone()).await?;
                Ok(version.filter(|version| version.deleted_at_ms.is_none()))
            }
            None => Ok(None),
        }
    }

    /// Who moved it.
    async fn by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        user::load(ctx, Some(&self.moved_by_id)).await
    }
}

/// An alias to set or move.
#[derive(InputObject)]
pub struct SetAliasInput {
    /// The model's path, such as `vision/ocr`.
    model: String,
    /// The alias: 1–255 of A-Z, a-z, 0-9, `_` and `-`; neither `latest` nor `v1`.
    name: String,
    /// The version that it should point to: `1.2.0`, `^1.2`, `@other` or `latest`.
    version: String,
}

/// Which alias to delete.
#[derive(InputObject)]
pub struct DeleteAliasInput {
    /// The model's path, such as `vision/ocr`.
    model: String,
    /// The alias.
    name: String,
}

payload! {
    /// The alias that was set.
    SetAliasPayload {
        /// The alias.
        alias: Alias
    }
}

payload! {
    /// The alias that was deleted.
    DeleteAliasPayload {
        /// The alias as it was.
        alias: Alias
    }
}

#[derive(Default)]
pub struct AliasMutation;

#[Object]
impl AliasMutation {
    /// Points an alias to a version; an existing alias is moved. A protected alias can only point to published versions.
    async fn set_alias(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which alias and version.")] input: SetAliasInput,
    ) -> Result<SetAliasPayload> {
        let mut change = change::of(ctx).await?;
        let (writer, model) = model::sql::writable(&mut change, actor(ctx), &input.model).await?;
        let alias = rules::set(&mut change, &writer, &model, &input.name, &input.version).await?;
        change.commit().await?;
        Ok(SetAliasPayload { alias })
    }

    /// Deletes an alias. Its history is kept.
    async fn delete_alias(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which alias.")] input: DeleteAliasInput,
    ) -> Result<DeleteAliasPayload> {
        let mut change = change::of(ctx).await?;
        let (writer, model) = model::sql::writable(&mut change, actor(ctx), &input.model).await?;
        let alias = rules::delete(&mut change, &writer, &model, &input.name).await?;
        change.commit().await?;
        Ok(DeleteAliasPayload { alias })
    }
}

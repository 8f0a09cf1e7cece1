//! Embed tokens in GraphQL: their fields and mutations.

use async_graphql::{ComplexObject, Context, ID, InputObject, Object};

use super::rules::{self, CreateEmbedTokenInput, CreateEmbedTokenPayload, MAX_MODELS};
use super::{EmbedToken, ModelsOf, OperationsOf, OriginsOf, find};
use crate::access::user::User;
use crate::access::{self, Maintainer, actor};
use crate::change::{self, Change};
use crate::error::{Error, Result};
use crate::id::{AnyId, ModelId};
use crate::loader::{loaders, total};
use crate::page::ENTRIES;
use crate::registry::catalog::model::{self, Model};
use crate::registry::catalog::project;
use crate::registry::payload;
use crate::registry::people::user;

#[ComplexObject]
impl EmbedToken {
    /// Its opaque id.
    pub async fn id(&self) -> ID {
        (&self.id).into()
    }

    /// Whose pages it may stand in, such as `https://dash.example.org`.
    async fn origins(&self, ctx: &Context<'_>) -> Result<Vec<String>> {
        let origins = loaders(ctx).load_one(OriginsOf(self.id.raw().to_owned())).await?;
        Ok(origins.iter().flat_map(|origins| origins.iter().map(|o| o.origin.clone())).collect())
    }

    /// The models that it lets see; null: all of the project's.
    #[graphql(complexity = "ENTRIES + child_complexity")]
    async fn models(&self, ctx: &Context<'_>) -> Result<Option<Vec<Model>>> {
        if !self.only_models {
            return Ok(None);
        }
        let shown = loaders(ctx).load_one(ModelsOf(self.id.raw().to_owned())).await?;
        let ids = shown.iter().flat_map(|shown| shown.iter().map(|shown| shown.model_id.clone()));
        let mut models = loaders(ctx).load_many(ids.collect::<Vec<ModelId>>()).await?;
        models.retain(|_, model| model.deleted_at_ms.is_none());
        let mut models: Vec<Model> = models.into_values().collect();
        models.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Some(models))
    }

    /// How many operations it is for; null: all queries.
    async fn operation_count(&self, ctx: &Context<'_>) -> Result<Option<i32>> {
        if !self.only_operations {
            return Ok(None);
        }
        Ok(Some(total(loaders(ctx).load_one(OperationsOf(self.id.raw().to_owned())).await?)))
    }

    /// Who made it.
    async fn created_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        user::load(ctx, Some(&self.created_by_id)).await
    }
}

/// Which embed token to revoke.
#[derive(InputObject)]
pub struct RevokeEmbedTokenInput {
    /// The embed token's id.
    id: ID,
}

payload! {
    /// The embed token that stopped working.
    RevokeEmbedTokenPayload {
        /// What it was.
        embed_token: EmbedToken
    }
}

#[derive(Default)]
pub struct EmbedTokenMutation;

#[Object]
impl EmbedTokenMutation {
    /// Creates a token to put into pages of other sites, which show the project with it as strangers see a public one.
    async fn create_embed_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its project, name, origins and expiry, and what it lets see.")]
        input: CreateEmbedTokenInput,
    ) -> Result<CreateEmbedTokenPayload> {
        let mut change = change::of(ctx).await?;
        let maintainer =
            project::rules::lone_maintainer(&mut change, actor(ctx), &input.project).await?;
        let account = access::account(actor(ctx))?;
        let models = match &input.models {
            Some(names) => Some(named(&mut change, &maintainer, names).await?),
            None => None,
        };
        let payload = rules::create(&mut change, &maintainer, &account, input, models).await?;
        change.commit().await?;
        Ok(payload)
    }

    /// Stops an embed token from working, from the next request on.
    async fn revoke_embed_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which embed token.")] input: RevokeEmbedTokenInput,
    ) -> Result<RevokeEmbedTokenPayload> {
        let mut change = change::of(ctx).await?;
        let account = access::account(actor(ctx))?;
        let not_found = || Error::not_found("embed token", input.id.as_str());
        let Ok(AnyId::EmbedTokenId(id)) = AnyId::parse(&input.id) else {
            return Err(not_found());
        };
        let token = find(&mut *change, &id).await?.ok_or_else(not_found)?;
        let reader = access::reader_of(&mut *change, actor(ctx), &token.project_id).await;
        // Others do not see the tokens of a project, so for them there is none.
        let maintainer = match reader.and_then(Maintainer::of) {
            Err(Error::NotFound { .. } | Error::Forbidden(_)) => return Err(not_found()),
            maintainer => maintainer?,
        };
        rules::revoke(&mut change, &maintainer, &account, &token).await?;
        change.commit().await?;
        Ok(RevokeEmbedTokenPayload { embed_token: token })
    }
}

/// The models of a project with these names.
async fn named(
    change: &mut Change,
    maintainer: &Maintainer,
    names: &[String],
) -> Result<Vec<ModelId>> {
    if !(1..=MAX_MODELS).contains(&names.len()) {
        let reason = format!("must be 1 to {MAX_MODELS}, or omitted for all");
        return Err(Error::invalid("models", reason));
    }
    let mut ids = Vec::new();
    for name in names {
        let found = model::sql::find(&mut **change, &maintainer.project().id, name).await?;
        let found = found.ok_or_else(|| Error::not_found("model", name))?;
        if !ids.contains(&found.id) {
            ids.push(found.id);
        }
    }
    Ok(ids)
}

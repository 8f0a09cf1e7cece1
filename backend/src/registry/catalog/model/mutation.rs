//! Changes of models in GraphQL: inputs, payloads and mutations.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};

use super::Model;
use super::rules::{self, NewModel};
use super::sql;
use crate::access::{self, actor};
use crate::change;
use crate::error::{Error, Result};
use crate::registry::metadata::tag::TagInput;
use crate::registry::{lifecycle, payload};
use crate::text;

/// A new model.
#[derive(InputObject)]
pub struct CreateModelInput {
    /// The path of the project, such as `vision`.
    pub project: String,
    /// The name: 1–255 characters, none of / : @ # ? % and backslash.
    pub name: String,
    /// The description, in Markdown, at most 64 KiB.
    pub description: Option<String>,
    /// Its tags.
    pub tags: Option<Vec<TagInput>>,
}

/// Changes of a model; what is omitted stays as it is.
#[derive(InputObject)]
pub struct UpdateModelInput {
    /// The model's path, such as `vision/ocr`.
    pub model: String,
    /// The description, in Markdown, at most 64 KiB.
    pub description: MaybeUndefined<String>,
}

/// A new name for a model.
#[derive(InputObject)]
pub struct RenameModelInput {
    /// The model's path, such as `vision/ocr`.
    pub model: String,
    /// The new name: 1–255 characters, none of / : @ # ? % and backslash.
    pub name: String,
}

/// Which model to move to the trash.
#[derive(InputObject)]
pub struct DeleteModelInput {
    /// The model's path, such as `vision/ocr`.
    pub model: String,
}

/// Which model to restore.
#[derive(InputObject)]
pub struct RestoreModelInput {
    /// The path it had, such as `vision/ocr`.
    pub model: String,
    /// Its id, if several had this path; the most recently deleted one if omitted.
    pub id: Option<ID>,
}

payload! {
    /// The new model.
    CreateModelPayload {
        /// The model.
        model: Model
    }
}

payload! {
    /// The changed model.
    UpdateModelPayload {
        /// The model.
        model: Model
    }
}

payload! {
    /// The renamed model.
    RenameModelPayload {
        /// The model.
        model: Model
    }
}

payload! {
    /// The deleted model.
    DeleteModelPayload {
        /// The model.
        model: Model
    }
}

payload! {
    /// The restored model.
    RestoreModelPayload {
        /// The model.
        model: Model
    }
}

#[derive(Default)]
pub struct ModelMutation;

#[Object]
impl ModelMutation {
    /// Creates a model.
    async fn create_model(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new model.")] input: CreateModelInput,
    ) -> Result<CreateModelPayload> {
        let mut change = change::of(ctx).await?;
        let writer = access::writer(&mut *change, actor(ctx), &input.project).await?;
        let tags = input.tags.unwrap_or_default();
        let new =
            NewModel { name: input.name, description: input.description, tags, by_client: false };
        let model = rules::create(&mut change, &writer, new).await?;
        change.commit().await?;
        Ok(CreateModelPayload { model })
    }

    /// Changes a model's description.
    async fn update_model(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which model, and what to change.")] input: UpdateModelInput,
    ) -> Result<UpdateModelPayload> {
        let mut change = change::of(ctx).await?;
        let (writer, model) = sql::writable(&mut change, actor(ctx), &input.model).await?;
        let model = rules::update(&mut change, &writer, model, input.description).await?;
        change.commit().await?;
        Ok(UpdateModelPayload { model })
    }

    /// Renames a model in its project. The old name leads to it until another model takes that name.
    async fn rename_model(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which model, and its new name.")] input: RenameModelInput,
    ) -> Result<RenameModelPayload> {
        let mut change = change::of(ctx).await?;
        let (writer, model) = sql::writable(&mut change, actor(ctx), &input.model).await?;
        let model = lifecycle::model::rename(&mut change, &writer, model, &input.name).await?;
        change.commit().await?;
        Ok(RenameModelPayload { model })
    }

    /// Moves a model and everything in it to the trash. Its name can be used again: a new model with this name goes on
    /// counting, and version numbers that were published before can't be used again.
    async fn delete_model(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which model.")] input: DeleteModelInput,
    ) -> Result<DeleteModelPayload> {
        let mut change = change::of(ctx).await?;
        let (writer, model) = sql::writable(&mut change, actor(ctx), &input.model).await?;
        let model = lifecycle::model::delete(&mut change, &writer, model).await?;
        change.commit().await?;
        Ok(DeleteModelPayload { model })
    }

    /// Restores a model and everything in it from the trash.
    async fn restore_model(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which model.")] input: RestoreModelInput,
    ) -> Result<RestoreModelPayload> {
        let mut change = change::of(ctx).await?;
        let not_found = || Error::not_found("deleted model", &input.model);
        let (project, name) = text::split_model_path(&input.model).ok_or_else(not_found)?;
        let writer = access::writer(&mut *change, actor(ctx), project).await?;
        let model = lifecycle::model::restore(&mut change, &writer, name, input.id).await?;
        change.commit().await?;
        Ok(RestoreModelPayload { model })
    }
}

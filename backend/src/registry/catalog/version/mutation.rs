//! Changes of versions in GraphQL: inputs, payloads and mutations.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};

use super::new::NewVersion;
use super::support::{Advice, VersionSupport};
use super::{ModelVersion, rules, sql};
use crate::access::actor;
use crate::change;
use crate::error::Result;
use crate::loader::loaders;
use crate::registry::catalog::model;
use crate::registry::catalog::upload;
use crate::registry::catalog::upload::rules::Wanted;
use crate::registry::payload;

/// A new version.
#[derive(InputObject)]
pub struct CreateModelVersionInput {
    /// The model's path, such as `vision/ocr`.
    model: String,
    #[graphql(flatten)]
    new: NewVersion,
}

/// Changes of a version; what is omitted stays as it is.
#[derive(InputObject)]
pub struct UpdateModelVersionInput {
    /// The model's path, such as `vision/ocr`.
    model: String,
    /// The version: `1.2.0`, `^1.2`, `@champion` or `latest`.
    version: String,
    /// The release notes, in Markdown, at most 64 KiB.
    description: MaybeUndefined<String>,
}

/// Which draft to publish.
#[derive(InputObject)]
pub struct PublishModelVersionInput {
    /// The model's path, such as `vision/ocr`.
    model: String,
    /// The version: `1.2.0`, `^1.2`, `@champion` or `latest`.
    version: String,
    /// Whether to continue without files that are still uploading. Otherwise the answer is a `CONFLICT` that lists them
    /// in `extensions.uploads`.
    #[graphql(default)]
    without_uploads: bool,
    /// Paths that must exist, at most 1000: while one is missing, the answer is the same `CONFLICT`.
    required_files: Option<Vec<String>>,
}

/// Which version should not be used any more, and why.
#[derive(InputObject)]
pub struct DeprecateModelVersionInput {
    /// The model's path, such as `vision/ocr`.
    model: String,
    /// The version: `1.2.0`, `^1.2`, `@champion` or `latest`.
    version: String,
    /// The reason, shown to everyone who uses it: one line of at most 1000 characters.
    reason: Option<String>,
    /// The version of the model to use instead: `1.2.1`, `^1.2`, `@champion` or `latest`.
    successor: Option<String>,
}

/// Which version to yank, and why.
#[derive(InputObject)]
pub struct YankModelVersionInput {
    /// The model's path, such as `vision/ocr`.
    model: String,
    /// The version: `1.2.0`, `^1.2`, `@champion` or `latest`.
    version: String,
    /// The reason, shown to everyone who uses it: one line of at most 1000 characters.
    reason: String,
    /// The version of the model to use instead: `1.2.1`, `^1.2`, `@champion` or `latest`.
    successor: Option<String>,
}

/// Which version to make active again.
#[derive(InputObject)]
pub struct ReactivateModelVersionInput {
    /// The model's path, such as `vision/ocr`.
    model: String,
    /// The version, such as `1.2.0`.
    version: String,
}

/// Which version to move to the trash.
#[derive(InputObject)]
pub struct DeleteModelVersionInput {
    /// The model's path, such as `vision/ocr`.
    model: String,
    /// The version: `1.2.0`, `^1.2`, `@champion` or `latest`.
    version: String,
}

/// Which version to restore.
#[derive(InputObject)]
pub struct RestoreModelVersionInput {
    /// The model's path, such as `vision/ocr`.
    model: String,
    /// The version, such as `1.2.0`.
    version: String,
    /// Its id, if several had this version; the most recently deleted one if omitted.
    id: Option<ID>,
}

payload! {
    /// The new version.
    CreateModelVersionPayload {
        /// The version.
        model_version: ModelVersion
    }
}

payload! {
    /// The changed version.
    UpdateModelVersionPayload {
        /// The version.
        model_version: ModelVersion
    }
}

payload! {
    /// The published version.
    PublishModelVersionPayload {
        /// The version.
        model_version: ModelVersion
    }
}

payload! {
    /// The deprecated version.
    DeprecateModelVersionPayload {
        /// The version.
        model_version: ModelVersion
    }
}

payload! {
    /// The yanked version.
    YankModelVersionPayload {
        /// The version.
        model_version: ModelVersion
    }
}

payload! {
    /// The version that is active again.
    ReactivateModelVersionPayload {
        /// The version.
        model_version: ModelVersion
    }
}

payload! {
    /// The deleted version.
    DeleteModelVersionPayload {
        /// The version.
        model_version: ModelVersion
    }
}

payload! {
    /// The restored version.
    RestoreModelVersionPayload {
        /// The version.
        model_version: ModelVersion
    }
}

#[derive(Default)]
pub struct VersionMutation;

#[Object]
impl VersionMutation {
    /// Creates a version as a draft, to be filled with files and published.
    async fn create_model_version(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new version.")] input: CreateModelVersionInput,
    ) -> Result<CreateModelVersionPayload> {
        let mut change = change::of(ctx).await?;
        let (writer, model) = model::sql::writable(&mut change, actor(ctx), &input.model).await?;
        let model_version = rules::create(&mut change, &writer, &model, input.new).await?;
        change.commit().await?;
        Ok(CreateModelVersionPayload { model_version })
    }

    /// Changes a version's release notes.
    async fn update_model_version(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which version, and what to change.")] input: UpdateModelVersionInput,
    ) -> Result<UpdateModelVersionPayload> {
        let mut change = change::of(ctx).await?;
        let (writer, model) = model::sql::writable(&mut change, actor(ctx), &input.model).await?;
        let version = sql::get(&mut *change, &model, &input.version).await?;
        let model_version =
            rules::update(&mut change, &writer, &model, version, input.description).await?;
        change.commit().await?;
        Ok(UpdateModelVersionPayload { model_version })
    }

    /// Publishes a draft: its files can't change afterwards, and its digest proves it. Refused while its files are
    /// uploading, and if another version was published under the same number.
    async fn publish_model_version(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which version.")] input: PublishModelVersionInput,
    ) -> Result<PublishModelVersionPayload> {
        let mut change = change::of(ctx).await?;
        let (writer, model) = model::sql::writable(&mut change, actor(ctx), &input.model).await?;
        let version = sql::get(&mut *change, &model, &input.version).await?;
        let app = &loaders(ctx).loader().app;
        let all = (version.id.raw(), "");
        let wanted = Wanted {
            without_uploads: input.without_uploads,
            required_files: input.required_files.unwrap_or_default(),
        };
        let arrived = upload::rules::check_arrived(app, &mut change, all, wanted).await?;
        let model_version = rules::publish(&mut change, &writer, &model, &version, arrived).await?;
        change.commit().await?;
        Ok(PublishModelVersionPayload { model_version })
    }

    /// Marks a published version as deprecated: it keeps working, and its users are told to use another one. If a
    /// protected alias points to it, only a maintainer can do this.
    async fn deprecate_model_version(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which version, and why.")] input: DeprecateModelVersionInput,
    ) -> Result<DeprecateModelVersionPayload> {
        let advice = Advice { reason: input.reason, successor: input.successor };
        let to = (VersionSupport::Deprecated, advice);
        let model_version = set_support(ctx, &input.model, &input.version, to).await?;
        Ok(DeprecateModelVersionPayload { model_version })
    }

    /// Withdraws a published version: `latest`, ranges and lists skip it, and no alias can be pointed to it. Requests for
    /// exactly this version, or by an existing alias, still get it, with the reason. It can be undone.
    async fn yank_model_version(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which version, and why.")] input: YankModelVersionInput,
    ) -> Result<YankModelVersionPayload> {
        let advice = Advice { reason: Some(input.reason), successor: input.successor };
        let to = (VersionSupport::Yanked, advice);
        let model_version = set_support(ctx, &input.model, &input.version, to).await?;
        Ok(YankModelVersionPayload { model_version })
    }

    /// Makes a deprecated or yanked version active again.
    async fn reactivate_model_version(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which version.")] input: ReactivateModelVersionInput,
    ) -> Result<ReactivateModelVersionPayload> {
        let to = (VersionSupport::Active, Advice::default());
        let model_version = set_support(ctx, &input.model, &input.version, to).await?;
        Ok(ReactivateModelVersionPayload { model_version })
    }

    /// Moves a version to the trash. Aliases that point to it point to nothing until it is restored. The number of a
    /// published version is never used again; that of a draft is.
    async fn delete_model_version(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which version.")] input: DeleteModelVersionInput,
    ) -> Result<DeleteModelVersionPayload> {
        let mut change = change::of(ctx).await?;
        let (writer, model) = model::sql::writable(&mut change, actor(ctx), &input.model).await?;
        let version = sql::get(&mut *change, &model, &input.version).await?;
        let model_version = rules::delete(&mut change, &writer, &model, &version).await?;
        change.commit().await?;
        Ok(DeleteModelVersionPayload { model_version })
    }

    /// Restores a version from the trash.
    async fn restore_model_version(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which version.")] input: RestoreModelVersionInput,
    ) -> Result<RestoreModelVersionPayload> {
        let mut change = change::of(ctx).await?;
        let (writer, model) = model::sql::writable(&mut change, actor(ctx), &input.model).await?;
        let model_version =
            rules::restore(&mut change, &writer, &model, &input.version, input.id).await?;
        change.commit().await?;
        Ok(RestoreModelVersionPayload { model_version })
    }
}

async fn set_support(
    ctx: &Context<'_>,
    model: &str,
    version: &str,
    to: (VersionSupport, Advice),
) -> Result<ModelVersion> {
    let mut change = change::of(ctx).await?;
    let (writer, model) = model::sql::writable(&mut change, actor(ctx), model).await?;
    let version = sql::get(&mut *change, &model, version).await?;
    let changed = rules::set_support(&mut change, &writer, &model, &version, to).await?;
    change.commit().await?;
    Ok(changed)
}

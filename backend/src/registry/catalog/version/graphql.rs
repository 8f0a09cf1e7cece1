//! Versions in GraphQL: fields, inputs, mutations.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, ID, InputObject, MaybeUndefined, Object};

use super::new::NewVersion;
use super::sql::{self, PreviousVersionOf};
use super::support::{Advice, VersionSupport};
use super::{ModelVersion, rules};
use crate::access::actor;
use crate::access::user::User;
use crate::change;
use crate::connection::Connection;
use crate::error::Result;
use crate::loader::loaders;
use crate::long::Long;
use crate::markdown;
use crate::page::{ENTRIES, LOOK_UP, Page, SCAN, cost};
use crate::registry::catalog::alias::{Alias, AliasesOfVersion};
use crate::registry::catalog::file::portable::{self, NameWarning};
use crate::registry::catalog::file::{self, File};
use crate::registry::catalog::mlmodel::{self, ModelSignature};
use crate::registry::catalog::model::{self, Model};
use crate::registry::catalog::upload::rules::Wanted;
use crate::registry::catalog::upload::{self, UnfinishedUpload};
use crate::registry::event::{self, Event};
use crate::registry::metadata::metric::{self, Metric};
use crate::registry::metadata::param::{self, Param};
use crate::registry::metadata::tag::prompt::PromptTemplate;
use crate::registry::metadata::tag::{self, Tag};
use crate::registry::payload;
use crate::registry::people::user;
use crate::registry::tracking::candidate::Candidate;
use crate::time::Timestamp;

#[ComplexObject]
impl ModelVersion {
    /// Its opaque id.
    pub async fn id(&self) -> ID {
        (&self.id).into()
    }

    /// Whether it should still be used.
    async fn support(&self) -> VersionSupport {
        self.support_state()
    }

    /// Since when it is deprecated or yanked; null if it is active.
    async fn support_since(&self) -> Option<Timestamp> {
        self.deprecation().map(|deprecation| deprecation.since)
    }

    /// When its files were last fetched, to the hour; null if they never were, or not since this is recorded.
    async fn last_fetched_at(&self) -> Option<Timestamp> {
        self.last_fetched_at_ms.filter(|at| at.millis() > 0)
    }

    /// The model that it is a version of.
    async fn model(&self, ctx: &Context<'_>) -> Result<Model> {
        model::sql::load(ctx, &self.model_id).await
    }

    /// The release notes, in Markdown.
    #[graphql(complexity = "LOOK_UP")]
    async fn description(&self) -> &str {
        &self.description
    }

    /// The description as sanitised HTML.
    #[graphql(complexity = "LOOK_UP")]
    async fn description_html(&self, ctx: &Context<'_>) -> Result<String> {
        markdown::render(ctx, &self.description).await
    }

    /// Who created it.
    async fn author(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        user::load(ctx, Some(&self.author_id)).await
    }

    /// The flavors in its MLmodel file, such as `python_function` and `sklearn`, by name;
    /// empty if it has no such file.
    #[graphql(complexity = "LOOK_UP")]
    async fn flavors(&self, ctx: &Context<'_>) -> Result<Vec<String>> {
        Ok(mlmodel::sql::load(ctx, &self.id).await?.flavors)
    }

    /// The signature in its MLmodel file; null if there is none.
    #[graphql(complexity = "LOOK_UP + child_complexity")]
    async fn signature(&self, ctx: &Context<'_>) -> Result<Option<ModelSignature>> {
        Ok(mlmodel::sql::load(ctx, &self.id).await?.signature)
    }

    /// The lines of the requirements.txt beside its MLmodel file, without comments.
    #[graphql(complexity = "LOOK_UP")]
    async fn requirements(&self, ctx: &Context<'_>) -> Result<Vec<String>> {
        Ok(mlmodel::sql::load(ctx, &self.id).await?.requirements)
    }

    /// The version of MLflow that it was logged with; null if it was not logged with MLflow.
    #[graphql(complexity = "LOOK_UP")]
    async fn mlflow_version(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        Ok(mlmodel::sql::load(ctx, &self.id).await?.mlflow_version)
    }

    /// The published version before it by SemVer precedence; null if it is the first.
    async fn previous(&self, ctx: &Context<'_>) -> Result<Option<Self>> {
        let versions = loaders(ctx).load_one(PreviousVersionOf(self.id.raw().to_owned())).await?;
        Ok(versions.and_then(|versions| versions.first().cloned()))
    }

    /// The aliases that point to it, by name.
    #[graphql(complexity = "ENTRIES + child_complexity")]
    async fn aliases(&self, ctx: &Context<'_>) -> Result<Arc<Vec<Alias>>> {
        let aliases = loaders(ctx).load_one(AliasesOfVersion(self.id.raw().to_owned())).await?;
        Ok(aliases.unwrap_or_default())
    }

    /// Its tags, by key.
    #[graphql(complexity = "ENTRIES + child_complexity")]
    async fn tags(&self, ctx: &Context<'_>) -> Result<Arc<Vec<Tag>>> {
        tag::load(ctx, self.id.raw()).await
    }

    /// Its template, if its model is a prompt; null otherwise.
    #[graphql(complexity = "ENTRIES + child_complexity")]
    async fn prompt(&self, ctx: &Context<'_>) -> Result<Option<PromptTemplate>> {
        Ok(PromptTemplate::of(&tag::load(ctx, self.id.raw()).await?))
    }

    /// The last point of each metric that its candidate had, by name.
    #[graphql(complexity = "ENTRIES + child_complexity")]
    async fn metrics(&self, ctx: &Context<'_>) -> Result<Arc<Vec<Metric>>> {
        metric::sql::load(ctx, self.id.raw()).await
    }

    /// The params that its candidate had, by name.
    #[graphql(complexity = "ENTRIES + child_complexity")]
    async fn params(&self, ctx: &Context<'_>) -> Result<Arc<Vec<Param>>> {
        param::load(ctx, self.id.raw()).await
    }

    /// The candidate that it was promoted from, even if that is in the trash; null if it was not promoted, or the
    /// candidate was permanently deleted.
    async fn candidate(&self, ctx: &Context<'_>) -> Result<Option<Candidate>> {
        match &self.candidate_id {
            Some(id) => loaders(ctx).load_one(id.clone()).await,
            None => Ok(None),
        }
    }

    /// Its files, by path.
    #[allow(clippy::too_many_arguments)]
    #[graphql(complexity = "cost(first, last, child_complexity)")]
    async fn files(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those in this folder and below it, such as `onnx`.")] path: Option<
            String,
        >,
        #[graphql(desc = "Only those whose path contains this text, ignoring case.")]
        search: Option<String>,
        #[graphql(desc = "How many at most, from the start: 0 to 100, 20 if omitted.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<File>> {
        let page = Page::new(first, after, last, before)?;
        file::sql::list(&loaders(ctx).loader().app.db, self.id.raw(), path, search, page)
    }

    /// Unfinished uploads, by path: these files would be missing if it were published now.
    #[graphql(complexity = "ENTRIES + child_complexity")]
    async fn unfinished_uploads(&self, ctx: &Context<'_>) -> Result<Vec<UnfinishedUpload>> {
        upload::load_unfinished(ctx, self.id.raw()).await
    }

    /// Names of its files and folders that some systems can't store, such as `a:b` on Windows: the first 100, of its
    /// first 10,000 files.
    #[graphql(complexity = "SCAN + child_complexity")]
    async fn name_warnings(&self, ctx: &Context<'_>) -> Result<Vec<NameWarning>> {
        portable::warnings(&loaders(ctx).loader().app.db, self.id.raw()).await
    }

    /// How many files it has.
    async fn file_count(&self, ctx: &Context<'_>) -> Result<i32> {
        Ok(file::sql::load_totals(ctx, self.id.raw()).await?.count())
    }

    /// The size of all its files, in bytes.
    async fn size(&self, ctx: &Context<'_>) -> Result<Long> {
        Ok(Long(file::sql::load_totals(ctx, self.id.raw()).await?.size))
    }

    /// What happened to it, newest first.
    #[graphql(complexity = "cost(first, last, child_complexity)")]
    async fn events(
        &self,
        #[graphql(desc = "How many at most, from the start: 0 to 100, 20 if omitted.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Event>> {
        Ok(event::sql::list_of(self.id.raw(), Page::new(first, after, last, before)?))
    }
}

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

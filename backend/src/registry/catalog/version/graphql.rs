//! Versions in GraphQL: their fields.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, ID};

use super::ModelVersion;
use super::sql::PreviousVersionOf;
use super::support::VersionSupport;
use crate::access::user::User;
use crate::connection::Connection;
use crate::error::Result;
use crate::loader::loaders;
use crate::long::Long;
use crate::markdown;
use crate::page::{ENTRIES, LOOK_UP, Page, SCAN, cost};
use crate::registry::address;
use crate::registry::catalog::alias::{Alias, AliasesOfVersion};
use crate::registry::catalog::file::portable::{self, NameWarning};
use crate::registry::catalog::file::{self, File};
use crate::registry::catalog::mlmodel::{self, ModelSignature};
use crate::registry::catalog::model::{self, Model};
use crate::registry::catalog::upload::{self, UnfinishedUpload};
use crate::registry::event::{self, Event};
use crate::registry::metadata::metric::{self, Metric};
use crate::registry::metadata::param::{self, Param};
use crate::registry::metadata::tag::prompt::PromptTemplate;
use crate::registry::metadata::tag::{self, Tag};
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

    /// Its address: project, model and version, such as `vision/ocr@1.2.0`.
    #[graphql(name = "ref")]
    async fn reference(&self, ctx: &Context<'_>) -> Result<String> {
        let model = model::sql::load(ctx, &self.model_id).await?;
        Ok(format!("{}@{}", model.path_of(ctx).await?, self.version))
    }

    /// The address of its page; absolute if the server knows its public URL.
    async fn web_url(&self, ctx: &Context<'_>) -> Result<String> {
        let model = model::sql::load(ctx, &self.model_id).await?;
        let project = model.project_of(ctx).await?;
        Ok(address::page(ctx, &[&project.path, &model.name, "versions", &self.version]))
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

//! Models in GraphQL: fields and queries.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, ID, Object};
use futures_util::future::try_join_all;

use super::best::{self, BestMetric};
use super::facet::{self, FacetValue, ModelFacet};
use super::sql::{self, ModelOrder};
use super::{Model, ModelKind, at_path};
use crate::access::project::Project;
use crate::access::user::User;
use crate::access::{Actor, ReadOnly, Writer, actor};
use crate::connection::Connection;
use crate::db::Sql;
use crate::error::{Error, Result};
use crate::loader::{loaders, total};
use crate::markdown;
use crate::page::{ENTRIES, LOOK_UP, List, Page, check_look_ups, cost, cost_of};
use crate::registry::address;
use crate::registry::catalog::alias::{self, Alias};
use crate::registry::catalog::protection::{self, ProtectedAlias};
use crate::registry::catalog::version::sql::{LatestVersionOf, ModelVersionOrder};
use crate::registry::catalog::version::{self, ModelVersion};
use crate::registry::event::sql::EventFilter;
use crate::registry::event::{self, Event};
use crate::registry::metadata::tag::prompt::PROMPT_TAG;
use crate::registry::metadata::tag::{self, Tag};
use crate::registry::people::{member, user};
use crate::registry::tracking::candidate::sql::{CandidateColumns, CandidateOrder};
use crate::registry::tracking::candidate::{self, Candidate};
use crate::registry::tracking::experiment::sql::ExperimentOf;
use crate::registry::tracking::experiment::{self, Experiment};

#[ComplexObject]
impl Model {
    /// Its opaque id.
    pub async fn id(&self) -> ID {
        (&self.id).into()
    }

    /// Its address: project and name, such as `vision/ocr`.
    async fn path(&self, ctx: &Context<'_>) -> Result<String> {
        self.path_of(ctx).await
    }

    /// The address of its page; absolute if the server knows its public URL.
    async fn web_url(&self, ctx: &Context<'_>) -> Result<String> {
        let project = self.project_of(ctx).await?;
        Ok(address::page(ctx, &[&project.path, &self.name]))
    }

    /// The project that it is in.
    async fn project(&self, ctx: &Context<'_>) -> Result<Project> {
        self.project_of(ctx).await
    }

    /// The description, in Markdown.
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

    /// The published release that is highest by SemVer precedence; a prerelease only if there is no
    /// release, and a draft only if nothing is published. Yanked versions are skipped.
    async fn latest_version(&self, ctx: &Context<'_>) -> Result<Option<ModelVersion>> {
        let versions = loaders(ctx).load_one(LatestVersionOf(self.id.raw().to_owned())).await?;
        Ok(versions.and_then(|versions| versions.first().cloned()))
    }

    /// The version that a reference points to; null if there is none. If a range or `latest` matches only yanked versions,
    /// the answer is a `NOT_FOUND` with the reason.
    #[graphql(complexity = "LOOK_UP + child_complexity")]
    async fn version(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            name = "ref",
            desc = "A version `1.2.0`, a range `^1.2`, an alias `@champion`, or `latest`."
        )]
        reference: String,
    ) -> Result<Option<ModelVersion>> {
        version::sql::find(&loaders(ctx).loader().app.db, self, &reference).await
    }

    /// Its versions; yanked versions only if the filter mentions `support`, as in `support = 'YANKED'`.
    #[allow(clippy::too_many_arguments)]
    #[graphql(complexity = "cost(first, last, child_complexity)")]
    async fn versions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those whose version contains this text.")] search: Option<String>,
        #[graphql(desc = "Only those in this SemVer range, such as `^1.2` or `>=1.0, <3`.")]
        range: Option<String>,
        #[graphql(
            desc = "Only those that match, such as `state = 'PUBLISHED' and tags.stage = 'prod'`."
        )]
        filter: Option<String>,
        #[graphql(desc = "The order; highest precedence first if omitted.")] order_by: Option<
            ModelVersionOrder,
        >,
        #[graphql(desc = "How many at most, from the start: 0 to 100, 20 if omitted.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<ModelVersion>> {
        let page = Page::new(first, after, last, before)?;
        let db = &loaders(ctx).loader().app.db;
        let list = version::sql::list(db, search, range, filter, order_by)?;
        Ok(Connection::new(list, page, self.id.raw()))
    }

    /// How many versions it has, without yanked ones.
    async fn version_count(&self, ctx: &Context<'_>) -> Result<i32> {
        Ok(total(
            loaders(ctx).load_one(version::sql::VersionCount(self.id.raw().to_owned())).await?,
        ))
    }

    /// The version number that `createModelVersion` uses if none is given.
    #[graphql(complexity = "LOOK_UP + child_complexity")]
    async fn next_version(&self, ctx: &Context<'_>) -> Result<String> {
        let project = self.project_of(ctx).await?;
        let db = &loaders(ctx).loader().app.db;
        Ok(version::names::next(db, &project, self).await?.to_string())
    }

    /// The candidate with this number; null if there is none.
    #[graphql(complexity = "LOOK_UP + child_complexity")]
    async fn candidate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its number in the model.")] number: i32,
    ) -> Result<Option<Candidate>> {
        candidate::sql::find(&loaders(ctx).loader().app.db, &self.id, number.into()).await
    }

    /// Its candidates.
    #[allow(clippy::too_many_arguments)]
    #[graphql(complexity = "cost(first, last, child_complexity)")]
    async fn candidates(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those whose name contains this text, ignoring case.")]
        search: Option<String>,
        #[graphql(
            desc = "Only those that match, such as `metrics.accuracy > 0.9 and params.lr = '0.01' and status = 'FINISHED'`."
        )]
        filter: Option<String>,
        #[graphql(desc = "The order; newest first if omitted.")] order_by: Option<CandidateOrder>,
        #[graphql(desc = "How many at most, from the start: 0 to 100, 20 if omitted.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Candidate>> {
        let page = Page::new(first, after, last, before)?;
        let db = &loaders(ctx).loader().app.db;
        let list = candidate::sql::list(db, search, filter, order_by)?;
        Ok(Connection::new(list, page, self.id.raw()))
    }

    /// How many candidates it has.
    async fn candidate_count(&self, ctx: &Context<'_>) -> Result<i32> {
        let count = loaders(ctx).load_one(candidate::sql::CandidateCount(self.id.raw().to_owned()));
        Ok(total(count.await?))
    }

    /// What its candidates have been logged with: the columns that a table of them can have.
    #[graphql(complexity = "LOOK_UP + child_complexity")]
    async fn candidate_columns(&self, ctx: &Context<'_>) -> Result<CandidateColumns> {
        candidate::sql::columns_of(&loaders(ctx).loader().app.db, "c.model_id", self.id.raw()).await
    }

    /// Its aliases, by name.
    #[graphql(complexity = "ENTRIES + child_complexity")]
    async fn aliases(&self, ctx: &Context<'_>) -> Result<Arc<Vec<Alias>>> {
        let aliases = loaders(ctx).load_one(alias::AliasesOfModel(self.id.raw().to_owned()));
        Ok(aliases.await?.unwrap_or_default())
    }

    /// The protected aliases, which only maintainers can move: those of the project, and those of this model.
    #[graphql(complexity = "ENTRIES + child_complexity")]
    async fn protected_aliases(&self, ctx: &Context<'_>) -> Result<Vec<ProtectedAlias>> {
        let all = protection::load(ctx, &self.project_id).await?;
        Ok(all.iter().filter(|rule| rule.is_for(&self.id)).cloned().collect())
    }

    /// What it is.
    #[graphql(complexity = "ENTRIES")]
    async fn kind(&self, ctx: &Context<'_>) -> Result<ModelKind> {
        let tags = tag::load(ctx, self.id.raw()).await?;
        let is_prompt = tags.iter().any(|tag| tag.key == PROMPT_TAG && tag.value == "true");
        Ok(if is_prompt { ModelKind::Prompt } else { ModelKind::Model })
    }

    /// Its tags, by key.
    #[graphql(complexity = "ENTRIES + child_complexity")]
    async fn tags(&self, ctx: &Context<'_>) -> Result<Arc<Vec<Tag>>> {
        tag::load(ctx, self.id.raw()).await
    }

    /// The best value, among finished candidates, of the metric in its tag `registry.metric`: `accuracy` or `loss`, whose
    /// names say which direction is better, or `score:min`, `score:max`. Null if the tag is not set, or no finished
    /// candidate has the metric.
    async fn best_metric(&self, ctx: &Context<'_>) -> Result<Option<BestMetric>> {
        best::load(ctx, self).await
    }

    /// The default experiment of its candidates; null until there is one.
    async fn default_experiment(&self, ctx: &Context<'_>) -> Result<Option<Experiment>> {
        let experiments = loaders(ctx).load_one(ExperimentOf(self.id.raw().to_owned())).await?;
        Ok(experiments.and_then(|experiments| experiments.first().cloned()))
    }

    /// The default experiment of its candidates; created when somebody who can change the model first asks for it.
    #[graphql(deprecation = "Use `defaultExperiment`, which changes nothing.")]
    async fn experiment(&self, ctx: &Context<'_>) -> Result<Experiment> {
        if let Some(experiment) = self.default_experiment(ctx).await? {
            return Ok(experiment);
        }
        let reader = member::sql::reader_in(ctx, &self.project_of(ctx).await?).await?;
        if ctx.data_opt::<ReadOnly>().is_some() || Writer::of(reader).is_err() {
            return Err(Error::not_found("default experiment", ""));
        }
        experiment::rules::make_default(&loaders(ctx).loader().app, &self.id).await
    }

    /// What happened to it and all that it has, newest first; what was refused is shown to maintainers.
    #[graphql(complexity = "cost(first, last, child_complexity)")]
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which events; all if omitted.")] filter: Option<EventFilter>,
        #[graphql(desc = "How many at most, from the start: 0 to 100, 20 if omitted.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Event>> {
        let page = Page::new(first, after, last, before)?;
        let reader = member::sql::reader_in(ctx, &self.project_of(ctx).await?).await?;
        let db = &loaders(ctx).loader().app.db;
        Ok(event::sql::list_in(&reader, db, ("e.model_id", self.id.raw()), filter, page))
    }
}

#[derive(Default)]
pub struct ModelQuery;

#[Object]
impl ModelQuery {
    /// The model at this path; null if there is none that the caller may see.
    async fn model(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Project and name, such as `vision/ocr`.")] path: String,
    ) -> Result<Option<Model>> {
        match sql::readable(&loaders(ctx).loader().app.db, actor(ctx), &path).await {
            Ok((_, model)) => Ok(Some(model)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The models at these paths, in their order, at most 100; null where there is none that the caller may see.
    #[graphql(complexity = "cost_of(paths.len(), child_complexity)")]
    async fn models_by_path(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Project and name of each, such as `vision/ocr`.")] paths: Vec<String>,
    ) -> Result<Vec<Option<Model>>> {
        check_look_ups("paths", paths.iter().map(String::as_str))?;
        try_join_all(paths.iter().map(|path| at_path::find(ctx, path))).await
    }

    /// The models of all projects that the caller may see.
    #[allow(clippy::too_many_arguments)]
    #[graphql(complexity = "cost(first, last, child_complexity)")]
    async fn models(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those whose name contains this text, ignoring case.")]
        search: Option<String>,
        #[graphql(
            desc = "Only those that match, such as `tags.team = 'ocr' and name like 'ocr-%'`."
        )]
        filter: Option<String>,
        #[graphql(desc = "The order; by name if omitted.")] order_by: Option<ModelOrder>,
        #[graphql(desc = "How many at most, from the start: 0 to 100, 20 if omitted.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Model>> {
        let page = Page::new(first, after, last, before)?;
        let db = &loaders(ctx).loader().app.db;
        let list = visible(actor(ctx), sql::list(db, search, filter, order_by)?);
        Ok(Connection::new(list, page, ""))
    }

    /// The values that the models of all projects can be filtered by, as far as the caller can see them, most frequent
    /// first, each with the number of matching models: at most 50 values.
    #[graphql(complexity = "LOOK_UP + child_complexity")]
    async fn model_facet(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to filter by.")] of: ModelFacet,
        #[graphql(desc = "Only of models whose name contains this text, ignoring case.")]
        search: Option<String>,
        #[graphql(
            desc = "Only of models that match, such as `framework = 'sklearn' and license = 'mit'`."
        )]
        filter: Option<String>,
    ) -> Result<Vec<FacetValue>> {
        let db = &loaders(ctx).loader().app.db;
        let list = visible(actor(ctx), sql::list(db, search, filter, None)?);
        facet::values(db, of, list, "").await
    }
}

/// Those of the models that the caller may see.
fn visible(actor: &Actor, mut list: List) -> List {
    list.filter = list.filter.and(actor.may_read("m.project_id")).and(Sql::new(
        "m.project_id IN (SELECT p.id FROM projects p WHERE p.deleted_at_ms IS NULL)",
    ));
    list
}

#[ComplexObject]
impl BestMetric {
    /// The candidate with this value; the first if there are several.
    async fn candidate(&self, ctx: &Context<'_>) -> Result<Candidate> {
        let candidate = loaders(ctx).load_one(self.candidate_id.clone()).await?;
        candidate.ok_or_else(|| Error::internal("a metric without its candidate"))
    }
}

//! Candidates in GraphQL: fields, inputs, mutations.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, ID, InputObject, MaybeUndefined, Object};

use super::rules::{self, CandidateChanges, Log, NewCandidate};
use super::{Candidate, CandidateStatus, sql};
use crate::access::user::User;
use crate::access::{Writer, actor};
use crate::change::{self, Change};
use crate::connection::Connection;
use crate::error::{Error, Result};
use crate::loader::loaders;
use crate::long::Long;
use crate::page::{ENTRIES, Page, cost};
use crate::registry::address;
use crate::registry::catalog::file::{self, File};
use crate::registry::catalog::model::{self, Model};
use crate::registry::catalog::upload::rules::Wanted;
use crate::registry::catalog::upload::{self, UnfinishedUpload};
use crate::registry::catalog::version::ModelVersion;
use crate::registry::catalog::version::sql::VersionOfCandidate;
use crate::registry::event::{self, Event};
use crate::registry::metadata::curve::{self, Part};
use crate::registry::metadata::metric::{self, Metric, MetricInput, MetricPoint};
use crate::registry::metadata::param::{self, Param, ParamInput};
use crate::registry::metadata::tag::{self, Tag, TagInput};
use crate::registry::people::user;
use crate::registry::target::Target;
use crate::registry::tracking::experiment::{self, Experiment};
use crate::registry::{lifecycle, object, payload};
use crate::time::Timestamp;

#[ComplexObject]
impl Candidate {
    /// Its opaque id.
    pub async fn id(&self) -> ID {
        (&self.id).into()
    }

    /// Its MLflow run id: 32 hexadecimal digits.
    async fn run_id(&self) -> &str {
        self.id.raw()
    }

    /// The address of its page; absolute if the server knows its public URL.
    async fn web_url(&self, ctx: &Context<'_>) -> Result<String> {
        let project = self.experiment_of(ctx).await?.project_of(ctx).await?;
        Ok(match (&self.model_id, self.number) {
            (Some(model), Some(number)) => {
                let model = model::sql::load(ctx, model).await?;
                let number = number.to_string();
                address::page(ctx, &[&project.path, &model.name, "candidates", &number])
            }
            _ => address::page(ctx, &[&project.path, "-", "runs", self.id.raw()]),
        })
    }

    /// The model that it is a candidate of; null until one is registered.
    async fn model(&self, ctx: &Context<'_>) -> Result<Option<Model>> {
        match &self.model_id {
            Some(id) => model::sql::load(ctx, id).await.map(Some),
            None => Ok(None),
        }
    }

    /// The experiment that it is part of.
    async fn experiment(&self, ctx: &Context<'_>) -> Result<Experiment> {
        self.experiment_of(ctx).await
    }

    /// Who trained it.
    async fn author(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        user::load(ctx, Some(&self.author_id)).await
    }

    /// Its tags, by key.
    #[graphql(complexity = "ENTRIES + child_complexity")]
    async fn tags(&self, ctx: &Context<'_>) -> Result<Arc<Vec<Tag>>> {
        tag::load(ctx, self.id.raw()).await
    }

    /// Its params, by name.
    #[graphql(complexity = "ENTRIES + child_complexity")]
    async fn params(&self, ctx: &Context<'_>) -> Result<Arc<Vec<Param>>> {
        param::load(ctx, self.id.raw()).await
    }

    /// The last point of each of its metrics, by name.
    #[graphql(complexity = "ENTRIES + child_complexity")]
    async fn metrics(&self, ctx: &Context<'_>) -> Result<Arc<Vec<Metric>>> {
        metric::sql::load(ctx, self.id.raw()).await
    }

    /// The names of the metrics of which more than one point was logged, in order: those that have a curve.
    #[graphql(complexity = "ENTRIES")]
    async fn curves(&self, ctx: &Context<'_>) -> Result<Vec<String>> {
        metric::sql::load_curves(ctx, self.id.raw()).await
    }

    /// Every point of one of its metrics, by step and time.
    #[graphql(complexity = "cost(first, last, child_complexity)")]
    async fn metric_history(
        &self,
        #[graphql(desc = "The name of the metric.")] name: String,
        #[graphql(desc = "How many at most, from the start: 0 to 100, 20 if omitted.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<MetricPoint>> {
        let page = Page::new(first, after, last, before)?;
        Ok(Connection::new(metric::sql::history(&name), page, self.id.raw()))
    }

    /// One of its metrics as a chart shows it, by step and time: all points or, of a long history, the least
    /// and greatest of each part, the first and the last. A smaller range of steps, for example after zooming in, is
    /// shown in more detail.
    #[allow(clippy::too_many_arguments)]
    #[graphql(complexity = "curve::cost(points, child_complexity)")]
    async fn metric_curve(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The name of the metric.")] name: String,
        #[graphql(desc = "How many points at most: 10 to 5000, 1000 if omitted.")] points: Option<
            i32,
        >,
        #[graphql(desc = "Only from this step on.")] from_step: Option<Long>,
        #[graphql(desc = "Only up to this step.")] to_step: Option<Long>,
        #[graphql(desc = "Only from this time on; faster if the steps are limited, too.")]
        from_time: Option<Timestamp>,
        #[graphql(desc = "Only up to this time.")] to_time: Option<Timestamp>,
    ) -> Result<Vec<MetricPoint>> {
        let part = Part { steps: (from_step, to_step), times: (from_time, to_time) };
        curve::load(ctx, self.id.raw(), &name, points, part).await
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

    /// How many files it has.
    async fn file_count(&self, ctx: &Context<'_>) -> Result<i32> {
        Ok(file::sql::load_totals(ctx, self.id.raw()).await?.count())
    }

    /// The size of all its files, in bytes.
    async fn size(&self, ctx: &Context<'_>) -> Result<Long> {
        Ok(Long(file::sql::load_totals(ctx, self.id.raw()).await?.size))
    }

    /// Unfinished uploads, by path: these files would be missing if it were promoted now.
    #[graphql(complexity = "ENTRIES + child_complexity")]
    async fn unfinished_uploads(&self, ctx: &Context<'_>) -> Result<Vec<UnfinishedUpload>> {
        upload::load_unfinished(ctx, self.id.raw()).await
    }

    /// The version that it was last promoted to; null if there is none.
    async fn version(&self, ctx: &Context<'_>) -> Result<Option<ModelVersion>> {
        let versions = loaders(ctx).load_one(VersionOfCandidate(self.id.raw().to_owned())).await?;
        Ok(versions.and_then(|versions| versions.first().cloned()))
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

/// A new candidate.
#[derive(InputObject)]
pub struct CreateCandidateInput {
    /// The model's path, such as `vision/ocr`.
    model: String,
    /// A name; `candidate-` and its number if omitted.
    pub name: Option<String>,
    /// The status; RUNNING if omitted.
    pub status: Option<CandidateStatus>,
    /// When training began; now if omitted.
    pub started_at: Option<Timestamp>,
    /// What it was started with.
    pub params: Option<Vec<ParamInput>>,
    /// What it measured.
    pub metrics: Option<Vec<MetricInput>>,
    /// Its tags.
    pub tags: Option<Vec<TagInput>>,
}

/// Changes of a candidate: what is omitted stays as it is; params, metrics and tags are added.
#[derive(InputObject)]
pub struct UpdateCandidateInput {
    /// The model's path, such as `vision/ocr`.
    model: String,
    /// The number of the candidate.
    candidate: i32,
    /// The name.
    pub name: MaybeUndefined<String>,
    /// The status.
    pub status: MaybeUndefined<CandidateStatus>,
    /// When training ended; now if omitted and the new status is a final one.
    pub ended_at: MaybeUndefined<Timestamp>,
    /// Params to add; a param that already has another value is refused.
    pub params: Option<Vec<ParamInput>>,
    /// Points of metrics to add.
    pub metrics: Option<Vec<MetricInput>>,
    /// Tags to set.
    pub tags: Option<Vec<TagInput>>,
}

/// Which candidate to move to the trash.
#[derive(InputObject)]
pub struct DeleteCandidateInput {
    /// The model's path, such as `vision/ocr`.
    model: String,
    /// The number of the candidate.
    candidate: i32,
}

/// Which candidate to restore.
#[derive(InputObject)]
pub struct RestoreCandidateInput {
    /// The model's path, such as `vision/ocr`.
    model: String,
    /// The number of the candidate.
    candidate: i32,
}

/// Which candidate to promote to a version.
#[derive(InputObject)]
pub struct PromoteCandidateInput {
    /// The model's path, such as `vision/ocr`.
    model: String,
    /// The number of the candidate.
    candidate: Option<i32>,
    /// Or its run id. A run without a model becomes a candidate of this model.
    run_id: Option<String>,
    /// Strict SemVer 2.0, such as `1.2.0`; the next patch if omitted, 1.0.0 for the first.
    version: Option<String>,
    /// The release notes, in Markdown, at most 64 KiB.
    description: Option<String>,
    /// Whether to continue without files that are still uploading. Otherwise the answer is a `CONFLICT` that lists them
    /// in `extensions.uploads`.
    #[graphql(default)]
    without_uploads: bool,
    /// Paths that must exist, at most 1000: while one is missing, the answer is the same `CONFLICT`.
    required_files: Option<Vec<String>>,
}

payload! {
    /// The new candidate.
    CreateCandidatePayload {
        /// The candidate.
        candidate: Candidate
    }
}

payload! {
    /// The changed candidate.
    UpdateCandidatePayload {
        /// The candidate.
        candidate: Candidate
    }
}

payload! {
    /// The deleted candidate.
    DeleteCandidatePayload {
        /// The candidate.
        candidate: Candidate
    }
}

payload! {
    /// The restored candidate.
    RestoreCandidatePayload {
        /// The candidate.
        candidate: Candidate
    }
}

payload! {
    /// The version that a candidate became.
    PromoteCandidatePayload {
        /// The version.
        model_version: ModelVersion
    }
}

#[derive(Default)]
pub struct CandidateMutation;

#[Object]
impl CandidateMutation {
    /// Records a training run.
    async fn create_candidate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new candidate.")] input: CreateCandidateInput,
    ) -> Result<CreateCandidatePayload> {
        let mut change = change::of(ctx).await?;
        let (writer, model) = model::sql::writable(&mut change, actor(ctx), &input.model).await?;
        let experiment = experiment::rules::default_of(&mut change, &model.id).await?;
        let new = NewCandidate {
            name: input.name,
            status: input.status,
            started_at: input.started_at,
            log: Log::of(input.params, input.metrics, input.tags),
        };
        let candidate = rules::create(&mut change, &writer, &experiment, Some(&model), new).await?;
        change.commit().await?;
        Ok(CreateCandidatePayload { candidate })
    }

    /// Changes a candidate's name or status, and logs params, metrics and tags to it.
    async fn update_candidate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which candidate, and what to change or add.")]
        input: UpdateCandidateInput,
    ) -> Result<UpdateCandidatePayload> {
        let mut change = change::of(ctx).await?;
        let (writer, target) = writable(&mut change, ctx, &input.model, input.candidate).await?;
        let changes = CandidateChanges {
            name: input.name.take(),
            status: input.status.take(),
            ended_at: input.ended_at.take(),
            log: Log::of(input.params, input.metrics, input.tags),
        };
        let candidate = rules::update(&mut change, &writer, &target, changes).await?;
        change.commit().await?;
        Ok(UpdateCandidatePayload { candidate })
    }

    /// Moves a candidate to the trash. Versions that it was promoted to are kept.
    async fn delete_candidate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which candidate.")] input: DeleteCandidateInput,
    ) -> Result<DeleteCandidatePayload> {
        let mut change = change::of(ctx).await?;
        let (writer, target) = writable(&mut change, ctx, &input.model, input.candidate).await?;
        let candidate = rules::set_deleted(&mut change, &writer, &target, true).await?;
        change.commit().await?;
        Ok(DeleteCandidatePayload { candidate })
    }

    /// Restores a candidate from the trash.
    async fn restore_candidate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which candidate.")] input: RestoreCandidateInput,
    ) -> Result<RestoreCandidatePayload> {
        let mut change = change::of(ctx).await?;
        let (writer, model) = model::sql::writable(&mut change, actor(ctx), &input.model).await?;
        let candidate = sql::get_deleted(&mut *change, &model, input.candidate.into()).await?;
        let target = candidate.target(writer.project(), Some(&model.name));
        let candidate = rules::set_deleted(&mut change, &writer, &target, false).await?;
        change.commit().await?;
        Ok(RestoreCandidatePayload { candidate })
    }

    /// Creates and publishes a version from a candidate, with its files, params and metrics. Needs no extra storage.
    async fn promote_candidate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which candidate, and the version it becomes.")]
        input: PromoteCandidateInput,
    ) -> Result<PromoteCandidatePayload> {
        let mut change = change::of(ctx).await?;
        let (writer, model) = model::sql::writable(&mut change, actor(ctx), &input.model).await?;
        let candidate = match (input.candidate, input.run_id) {
            (Some(number), None) => sql::get(&mut *change, &model, number.into()).await?,
            (None, Some(run_id)) => {
                let run = sql::find_in(&mut *change, writer.project(), &run_id).await?;
                let run = run.ok_or_else(|| Error::not_found("run", run_id))?;
                rules::adopt(&mut change, &model, run).await?
            }
            _ => return Err(Error::invalid("candidate", "must be given, or runId, but not both")),
        };
        let app = &loaders(ctx).loader().app;
        let all = (candidate.id.raw(), "");
        let wanted = Wanted {
            without_uploads: input.without_uploads,
            required_files: input.required_files.unwrap_or_default(),
        };
        let arrived = upload::rules::check_arrived(app, &mut change, all, wanted).await?;
        let (what, named) = ((&candidate, arrived), (input.version, input.description));
        let model_version =
            lifecycle::promotion::promote(&mut change, &writer, &model, what, named).await?;
        change.commit().await?;
        Ok(PromoteCandidatePayload { model_version })
    }
}

async fn writable(
    change: &mut Change,
    ctx: &Context<'_>,
    model: &str,
    number: i32,
) -> Result<(Writer, Target)> {
    object::writable(change, actor(ctx), model, None, Some(number)).await
}

//! Candidates as they change: what GraphQL's subscriptions give.
//!
//! A notice says only that something was changed. Who it may be shown to is asked anew before every item,
//! and every few seconds where there is none: whoever may not any more gets an error, and nothing after.

use std::time::Duration;

use async_graphql::{Context, SimpleObject, Subscription};
use futures_util::stream::{BoxStream, StreamExt, TryStreamExt, try_unfold};
use tokio::time::{Instant, sleep, timeout};

use super::{Candidate, find_in, get};
use crate::app::App;
use crate::auth::{self, Actor, actor};
use crate::db::{Heard, Watch};
use crate::error::{Error, Result};
use crate::id::CandidateId;
use crate::loader::{Loaders, loaders};
use crate::page::LOOK_UP;
use crate::registry::model;
use crate::registry::{credential, experiment};

/// The least time between two items.
const PAUSE: Duration = Duration::from_millis(250);
/// How long somebody who hears nothing is believed that they still may.
const BELIEVED: Duration = Duration::from_secs(10);
/// How many candidates are in one item; the others are in the next.
const MAX_CANDIDATES: usize = 100;

/// What of a model's candidates was changed.
#[derive(SimpleObject)]
pub struct CandidatesChangedPayload {
    /// The changed or new ones, as they are now; at most 100.
    candidates: Vec<Candidate>,
    /// The numbers of those that are gone: they are in the trash.
    deleted: Vec<i64>,
}

/// What of an experiment's candidates was changed.
#[derive(SimpleObject)]
pub struct RunsChangedPayload {
    /// The changed or new ones, as they are now; at most 100.
    candidates: Vec<Candidate>,
    /// The MLflow run ids of those that are gone: they are in the trash.
    deleted: Vec<String>,
}

#[derive(Default)]
pub struct CandidateSubscription;

#[Subscription]
impl CandidateSubscription {
    /// A candidate as it is now, and again when something was logged to it or changed, at most four times a
    /// second. Ends with NOT_FOUND when it is deleted or hidden.
    #[graphql(complexity = "LOOK_UP + 5 * child_complexity")]
    async fn candidate_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The model's path, such as `vision/ocr`.")] model: String,
        #[graphql(desc = "The number of the candidate.")] candidate: i32,
    ) -> Result<BoxStream<'static, Result<Candidate>>> {
        follow(Caller::of(ctx), Which::Candidate(model, candidate)).await
    }

    /// As `candidateChanged`, of a training run by its MLflow run id, with or without a model.
    #[graphql(complexity = "LOOK_UP + 5 * child_complexity")]
    async fn run_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The project's path.")] project: String,
        #[graphql(desc = "32 hexadecimal digits.")] run_id: String,
    ) -> Result<BoxStream<'static, Result<Candidate>>> {
        follow(Caller::of(ctx), Which::Run(project, run_id)).await
    }

    /// The candidates of a model that are changed from now on, at most four times a second. The first item is
    /// empty: whoever reads after it misses nothing.
    #[graphql(complexity = "LOOK_UP + MAX_CANDIDATES * child_complexity")]
    async fn candidates_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The model's path, such as `vision/ocr`.")] model: String,
    ) -> Result<BoxStream<'static, Result<CandidatesChangedPayload>>> {
        let told = follow_all(Caller::of(ctx), Series::Model(model)).await?;
        let payload = |Told { candidates, deleted }: Told| {
            let mut deleted: Vec<_> = deleted.into_iter().filter_map(|gone| gone.number).collect();
            deleted.sort_unstable();
            CandidatesChangedPayload { candidates, deleted }
        };
        Ok(told.map_ok(payload).boxed())
    }

    /// As `candidatesChanged`, of the training runs of an experiment, with and without a model. Ends with
    /// NOT_FOUND when the experiment is deleted or hidden.
    #[graphql(complexity = "LOOK_UP + MAX_CANDIDATES * child_complexity")]
    async fn runs_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The project's path.")] project: String,
        #[graphql(desc = "The experiment's number in the project.")] experiment: i32,
    ) -> Result<BoxStream<'static, Result<RunsChangedPayload>>> {
        let told = follow_all(Caller::of(ctx), Series::Experiment(project, experiment)).await?;
        let payload = |Told { candidates, deleted }: Told| {
            let mut deleted: Vec<_> =
                deleted.into_iter().map(|gone| gone.id.raw().to_owned()).collect();
            deleted.sort_unstable();
            RunsChangedPayload { candidates, deleted }
        };
        Ok(told.map_ok(payload).boxed())
    }
}

/// Who follows something.
struct Caller {
    app: App,
    actor: Actor,
}

/// What one caller follows.
enum Which {
    Candidate(String, i32),
    Run(String, String),
}

/// Whose candidates one caller follows.
enum Series {
    /// By its path.
    Model(String),
    /// By the path of its project, and its number there.
    Experiment(String, i32),
}

/// Candidates that were changed, and those that are gone.
struct Told {
    candidates: Vec<Candidate>,
    deleted: Vec<Candidate>,
}

impl Caller {
    fn of(ctx: &Context<'_>) -> Self {
        Self { app: loaders(ctx).loader().app.clone(), actor: actor(ctx).clone() }
    }

    /// The candidate, if the caller may still come in and see it.
    async fn find(&self, which: &Which) -> Result<Candidate> {
        let db = &self.app.db;
        match which {
            Which::Candidate(path, number) => {
                self.check_live().await?;
                let (_, model) = model::readable(db, &self.actor, path).await?;
                get(db, &model, (*number).into()).await
            }
            Which::Run(project, run_id) => {
                self.check_live().await?;
                let reader = auth::reader(db, &self.actor, project).await?;
                let run = find_in(db, reader.project(), run_id).await?;
                run.ok_or_else(|| Error::not_found("run", run_id))
            }
        }
    }

    /// The id of what the candidates are of, if the caller may still come in and see it.
    async fn find_all(&self, series: &Series) -> Result<String> {
        let db = &self.app.db;
        self.check_live().await?;
        match series {
            Series::Model(path) => {
                let (_, model) = model::readable(db, &self.actor, path).await?;
                Ok(model.id.raw().to_owned())
            }
            Series::Experiment(project, number) => {
                let reader = auth::reader(db, &self.actor, project).await?;
                let id = &reader.project().id;
                let found = experiment::find_by_number(db, id, (*number).into()).await?;
                match found.filter(|found| found.deleted_at_ms.is_none()) {
                    Some(found) => Ok(found.id.raw().to_owned()),
                    None => Err(Error::not_found("experiment", number.to_string())),
                }
            }
        }
    }

    async fn check_live(&self) -> Result<()> {
        credential::check_live(&self.app.db, &self.actor, self.app.clock.now()).await
    }
}

/// When the last item was given.
struct Pace(Option<Instant>);

impl Pace {
    /// Waits a while, and as long as the last item took to be made and sent: whoever is slow, or asks for
    /// much, gets less of it.
    async fn keep(&self) {
        if let Some(last) = self.0 {
            let took = last.elapsed();
            sleep(took.max(PAUSE.saturating_sub(took))).await;
        }
    }
}

async fn follow(caller: Caller, which: Which) -> Result<BoxStream<'static, Result<Candidate>>> {
    let id = caller.find(&which).await?.id;
    let watch = caller.app.db.watch(id.raw()).await;
    let state = (caller, which, watch, Pace(None));
    let next = async |(caller, which, watch, pace): (Caller, Which, Watch, Pace)| {
        pace.keep().await;
        if pace.0.is_some() {
            while timeout(BELIEVED, watch.changed(1)).await.is_err() {
                caller.find(&which).await?;
            }
        }
        let candidate = caller.find(&which).await?;
        Ok(Some((candidate, (caller, which, watch, Pace(Some(Instant::now()))))))
    };
    Ok(try_unfold(state, next).boxed())
}

async fn follow_all(caller: Caller, series: Series) -> Result<BoxStream<'static, Result<Told>>> {
    let id = caller.find_all(&series).await?;
    let watch = caller.app.db.watch(&id).await;
    let state = (caller, series, watch, Pace(None));
    let next = async |(caller, series, watch, pace): (Caller, Series, Watch, Pace)| {
        pace.keep().await;
        let heard = match pace.0 {
            None => Heard::Ids(Vec::new()),
            Some(_) => loop {
                match timeout(BELIEVED, watch.changed(MAX_CANDIDATES)).await {
                    Ok(heard) => break heard,
                    Err(_) => caller.find_all(&series).await?,
                };
            },
        };
        let id = caller.find_all(&series).await?;
        let Heard::Ids(ids) = heard else {
            return Err(Error::Conflict(
                "more was changed than could be told: subscribe again, then ask for all".into(),
            ));
        };
        let item = changed(&caller.app, &series, &id, ids).await?;
        Ok(Some((item, (caller, series, watch, Pace(Some(Instant::now()))))))
    };
    Ok(try_unfold(state, next).boxed())
}

/// The candidates with these ids, as far as they are of the model or experiment with the other id.
async fn changed(app: &App, series: &Series, of: &str, ids: Vec<String>) -> Result<Told> {
    let ids = ids.into_iter().map(CandidateId::from_raw);
    let found = Loaders { app: app.clone() }.load_all(ids).await?;
    let owner = |found: &Candidate| match series {
        Series::Model(_) => found.model_id.as_ref().is_some_and(|id| id.raw() == of),
        Series::Experiment(..) => found.experiment_id.raw() == of,
    };
    let (mut candidates, deleted): (Vec<_>, Vec<_>) =
        found.into_values().filter(owner).partition(|found| found.deleted_at_ms.is_none());
    candidates.sort_by(|a, b| (a.number, a.id.raw()).cmp(&(b.number, b.id.raw())));
    Ok(Told { candidates, deleted })
}

//! Candidates as they change: what GraphQL's subscriptions give.

use async_graphql::{Context, SimpleObject, Subscription};
use futures_util::stream::{BoxStream, StreamExt, TryStreamExt, try_unfold};
use tokio::time::{Instant, timeout};

use super::Candidate;
use crate::access;
use crate::app::App;
use crate::db::{Notification, Watch};
use crate::error::{Error, Result};
use crate::id::CandidateId;
use crate::loader::Loaders;
use crate::page::LOOK_UP;
use crate::registry::catalog::model;
use crate::registry::live::{BELIEVED, Caller, Followed, Pace, follow};
use crate::registry::tracking::candidate::sql::{find_in, get};
use crate::registry::tracking::experiment;

/// How many candidates are in one item; the others are in the next.
const MAX_CANDIDATES: usize = 100;

/// Changes among a model's candidates.
#[derive(SimpleObject)]
pub struct CandidatesChangedPayload {
    /// The changed and new candidates; at most 100.
    candidates: Vec<Candidate>,
    /// The numbers of candidates that were moved to the trash.
    deleted: Vec<i64>,
}

/// Changes among an experiment's candidates.
#[derive(SimpleObject)]
pub struct RunsChangedPayload {
    /// The changed and new candidates; at most 100.
    candidates: Vec<Candidate>,
    /// The MLflow run ids of candidates that were moved to the trash.
    deleted: Vec<String>,
}

#[derive(Default)]
pub struct CandidateSubscription;

#[Subscription]
impl CandidateSubscription {
    /// A candidate as it is now, and again after every change, at most four times a
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

    /// Like `candidateChanged`, for a run with this MLflow run id, with or without a model.
    #[graphql(complexity = "LOOK_UP + 5 * child_complexity")]
    async fn run_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The project's path.")] project: String,
        #[graphql(desc = "32 hexadecimal digits.")] run_id: String,
    ) -> Result<BoxStream<'static, Result<Candidate>>> {
        follow(Caller::of(ctx), Which::Run(project, run_id)).await
    }

    /// The candidates of a model that change from now on, at most four times a second. The first item is
    /// empty: what is read after it misses no change.
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

    /// Like `candidatesChanged`, for the runs of an experiment, with and without a model. Ends with
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

impl Followed for Which {
    type Item = Candidate;

    async fn find(&self, caller: &Caller) -> Result<Candidate> {
        let db = &caller.app.db;
        caller.check_live().await?;
        match self {
            Which::Candidate(path, number) => {
                let (_, model) = model::sql::readable(db, &caller.actor, path).await?;
                get(db, &model, (*number).into()).await
            }
            Which::Run(project, run_id) => {
                let reader = access::reader(db, &caller.actor, project).await?;
                let run = find_in(db, reader.project(), run_id).await?;
                run.ok_or_else(|| Error::not_found("run", run_id))
            }
        }
    }

    fn key(candidate: &Candidate) -> String {
        candidate.id.raw().to_owned()
    }
}

impl Followed for Series {
    /// The id of what the candidates are of.
    type Item = String;

    async fn find(&self, caller: &Caller) -> Result<String> {
        let db = &caller.app.db;
        caller.check_live().await?;
        match self {
            Series::Model(path) => {
                let (_, model) = model::sql::readable(db, &caller.actor, path).await?;
                Ok(model.id.raw().to_owned())
            }
            Series::Experiment(project, number) => {
                let reader = access::reader(db, &caller.actor, project).await?;
                let id = &reader.project().id;
                let found = experiment::sql::find_by_number(db, id, (*number).into()).await?;
                match found.filter(|found| found.deleted_at_ms.is_none()) {
                    Some(found) => Ok(found.id.raw().to_owned()),
                    None => Err(Error::not_found("experiment", number.to_string())),
                }
            }
        }
    }

    fn key(id: &String) -> String {
        id.clone()
    }
}

async fn follow_all(caller: Caller, series: Series) -> Result<BoxStream<'static, Result<Told>>> {
    let id = series.find(&caller).await?;
    let watch = caller.app.db.watch(&id).await;
    let state = (caller, series, watch, Pace(None));
    let next = async |(caller, series, watch, pace): (Caller, Series, Watch, Pace)| {
        pace.keep().await;
        let heard = match pace.0 {
            None => Notification::Ids(Vec::new()),
            Some(_) => loop {
                match timeout(BELIEVED, watch.changed(MAX_CANDIDATES)).await {
                    Ok(heard) => break heard,
                    Err(_) => series.find(&caller).await?,
                };
            },
        };
        let id = series.find(&caller).await?;
        let Notification::Ids(ids) = heard else {
            return Err(Error::Conflict(
                "Some changes could not be delivered. Subscribe again, then ask for everything."
                    .into(),
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

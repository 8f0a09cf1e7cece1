//! Candidates as they change: what GraphQL's subscriptions give.
//!
//! A notice says only that something was changed. Who it may be shown to is asked anew before every item,
//! and every few seconds where there is none: whoever may not any more gets an error, and nothing after.

use std::time::Duration;

use async_graphql::{Context, SimpleObject, Subscription};
use futures_util::stream::{BoxStream, StreamExt, try_unfold};
use tokio::time::{Instant, sleep, timeout};

use super::{Candidate, find_in, get};
use crate::app::App;
use crate::auth::{self, Actor, actor};
use crate::db::{Heard, Watch};
use crate::error::{Error, Result};
use crate::id::CandidateId;
use crate::loader::{Loaders, loaders};
use crate::page::LOOK_UP;
use crate::registry::credential;
use crate::registry::model::{self, Model};

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
        follow_all(Caller::of(ctx), model).await
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

impl Caller {
    fn of(ctx: &Context<'_>) -> Self {
        Self { app: loaders(ctx).loader().app.clone(), actor: actor(ctx).clone() }
    }

    /// The candidate, if the caller may still come in and see it.
    async fn find(&self, which: &Which) -> Result<Candidate> {
        let db = &self.app.db;
        match which {
            Which::Candidate(path, number) => {
                let model = self.find_model(path).await?;
                get(db, &model, (*number).into()).await
            }
            Which::Run(project, run_id) => {
                credential::check_live(db, &self.actor, self.app.clock.now()).await?;
                let reader = auth::reader(db, &self.actor, project).await?;
                let run = find_in(db, reader.project(), run_id).await?;
                run.ok_or_else(|| Error::not_found("run", run_id))
            }
        }
    }

    async fn find_model(&self, path: &str) -> Result<Model> {
        let db = &self.app.db;
        credential::check_live(db, &self.actor, self.app.clock.now()).await?;
        Ok(model::readable(db, &self.actor, path).await?.1)
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

async fn follow_all(
    caller: Caller,
    path: String,
) -> Result<BoxStream<'static, Result<CandidatesChangedPayload>>> {
    let id = caller.find_model(&path).await?.id;
    let watch = caller.app.db.watch(id.raw()).await;
    let state = (caller, path, watch, Pace(None));
    let next = async |(caller, path, watch, pace): (Caller, String, Watch, Pace)| {
        pace.keep().await;
        let heard = match pace.0 {
            None => Heard::Ids(Vec::new()),
            Some(_) => loop {
                match timeout(BELIEVED, watch.changed(MAX_CANDIDATES)).await {
                    Ok(heard) => break heard,
                    Err(_) => caller.find_model(&path).await?,
                };
            },
        };
        let model = caller.find_model(&path).await?;
        let Heard::Ids(ids) = heard else {
            return Err(Error::Conflict(
                "more was changed than could be told: subscribe again, then ask for all".into(),
            ));
        };
        let item = changed(&caller.app, &model, ids).await?;
        Ok(Some((item, (caller, path, watch, Pace(Some(Instant::now()))))))
    };
    Ok(try_unfold(state, next).boxed())
}

/// The candidates with these ids, as far as they are of the model.
async fn changed(app: &App, model: &Model, ids: Vec<String>) -> Result<CandidatesChangedPayload> {
    let ids = ids.into_iter().map(CandidateId::from_raw);
    let found = Loaders { app: app.clone() }.load_all(ids).await?;
    let of_model = found.into_values().filter(|found| found.model_id.as_ref() == Some(&model.id));
    let (mut deleted, mut candidates) = (Vec::new(), Vec::new());
    for candidate in of_model {
        match candidate.deleted_at_ms {
            Some(_) => deleted.extend(candidate.number),
            None => candidates.push(candidate),
        }
    }
    candidates.sort_by_key(|candidate| candidate.number);
    deleted.sort_unstable();
    Ok(CandidatesChangedPayload { candidates, deleted })
}

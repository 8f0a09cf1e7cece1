//! A Prometheus exporter: `/api/facts?project=vision&project=audio`, gauges of projects for who monitors them.
//!
//! Not part of `/metrics`, which needs no token and so has no names. Whoever may read a project may read its facts; who that is
//! is asked at each request, and only what was counted is kept.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use tokio::time::Instant;

use super::gauges::{self, Sizes};
use super::kept::{Counted, Kept, Key};
use super::{Visitor, exposition};
use crate::access;
use crate::access::project::Project;
use crate::app::App;
use crate::error::{Error, Result};

/// How many projects can be named at once.
const MAX_PROJECTS: usize = 20;
/// How many series are printed at once.
const MAX_SERIES: i64 = 5000;
/// How long a request waits for counting: Prometheus waits 10 seconds unless told.
const PATIENCE: Duration = Duration::from_secs(8);

pub fn routes() -> Router<App> {
    Router::new().route("/api/facts", get(show)).layer(Extension(Arc::<Kept>::default()))
}

/// What is asked for.
struct Asked {
    projects: Vec<String>,
    with_models: bool,
}

impl Asked {
    fn parse(query: &str) -> Result<Self> {
        let mut asked = Self { projects: Vec::new(), with_models: true };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match (&*name, &*value) {
                ("project", _) => asked.projects.push(value.into_owned()),
                ("models", "true") => asked.with_models = true,
                ("models", "false") => asked.with_models = false,
                ("models", _) => return Err(Error::invalid("models", "must be true or false")),
                _ => {}
            }
        }
        let reason = match asked.projects.len() {
            0 => "must name a project, or several: ?project=vision&project=audio".to_owned(),
            1..=MAX_PROJECTS => return Ok(asked),
            _ => format!(
                "can be there {MAX_PROJECTS} times at most: let several jobs name some projects each"
            ),
        };
        Err(Error::invalid("project", reason))
    }
}

async fn show(
    State(app): State<App>,
    Extension(kept): Extension<Arc<Kept>>,
    RawQuery(query): RawQuery,
    visitor: Visitor,
) -> Result<Response> {
    let Asked { projects: paths, with_models } = Asked::parse(&query.unwrap_or_default())?;
    let mut projects: Vec<Project> = Vec::with_capacity(paths.len());
    for path in paths {
        let reader = access::reader(&app.db, &visitor.actor, &path).await?;
        // One that was renamed may be named twice.
        if projects.iter().all(|project| project.id != reader.project().id) {
            projects.push(reader.project().clone());
        }
    }
    let keys: Vec<Key> = projects.iter().map(|project| Key::new(project, with_models)).collect();
    let projects = keys.iter().cloned().zip(projects).collect();
    // By itself: what was begun is there for the next who asks, where this one gives up.
    let counting = tokio::spawn(count(app, kept.clone(), projects, with_models));
    let counted = match tokio::time::timeout(PATIENCE, counting).await {
        Ok(counted) => counted.map_err(Error::internal)??,
        // Rather than nothing, what was there before.
        Err(_) => keys.iter().map(|key| kept.get(key)).collect::<Option<_>>().ok_or(TOO_SLOW)?,
    };
    print(&counted, &visitor)
}

const TOO_SLOW: Error = Error::Timeout(
    "Counting takes long, and goes on. Ask again in a minute, or name fewer projects at once.",
);

fn print(counted: &[Counted], visitor: &Visitor) -> Result<Response> {
    check(counted.iter().map(|counted| counted.at_most).sum())?;
    let series: Result<Vec<_>> = counted.iter().map(|counted| counted.series.clone()).collect();
    let headers = [
        (CONTENT_TYPE, exposition::CONTENT_TYPE),
        (CACHE_CONTROL, "private, no-cache"),
        (VARY, "authorization"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let page = exposition::page(series?.iter().map(AsRef::as_ref));
    Ok((headers, visitor.actor.deprecations.headers(), page).into_response())
}

fn check(at_most: i64) -> Result<()> {
    if at_most <= MAX_SERIES {
        return Ok(());
    }
    Err(Error::TooLarge(format!(
        "These projects have up to {at_most} series, and {MAX_SERIES} are printed at once. Name fewer projects, or leave out what \
         is said of each model: models=false."
    )))
}

/// What was counted of each project, in their order; counts what is not there or old.
async fn count(
    app: App,
    kept: Arc<Kept>,
    projects: Vec<(Key, Project)>,
    with_models: bool,
) -> Result<Vec<Counted>> {
    let _held = kept.count(projects.iter().map(|(key, _)| key)).await;
    let now = app.clock.now();
    let fresh = |key| kept.get(key).filter(|counted| counted.is_fresh(now));
    let mut counted: Vec<_> = projects.iter().map(|(key, _)| fresh(key)).collect();
    let places: Vec<usize> = (0..counted.len()).filter(|place| counted[*place].is_none()).collect();
    let stale: Vec<&Project> = places.iter().map(|place| &projects[*place].1).collect();
    if !stale.is_empty() {
        let started = Instant::now();
        let sizes = Sizes::read(&app.db, &stale, with_models).await?;
        // Before the rest is read.
        check(sizes.sum() + counted.iter().flatten().map(|kept| kept.at_most).sum::<i64>())?;
        let mut read = gauges::read(&app.db, &stale, &sizes, with_models).await;
        let (took, now) = (started.elapsed(), app.clock.now());
        for (place, project) in places.into_iter().zip(stale) {
            let series = match &mut read {
                Ok(series) => Ok(Arc::new(series.remove(&project.id).unwrap_or_default())),
                // What took too long is not begun again at once.
                Err(error) => Err(error.clone()),
            };
            let fresh = Counted::new(series, sizes.at_most(&project.id), now, took);
            kept.keep(projects[place].0.clone(), fresh.clone());
            counted[place] = Some(fresh);
        }
    }
    Ok(counted.into_iter().flatten().collect())
}

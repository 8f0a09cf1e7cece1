//! The log for programs: `GET /api/events` exports it as JSON lines, oldest first, one object a line.
//!
//! With `after` it is followed instead: the answer is `{"events": […], "next": CURSOR, "more": BOOL}`, where `after=CURSOR`
//! goes on, also years later; `after=` begins with the first line, `after=now` with what comes from now on. There are 1,000
//! lines at most, or `first`, and there can be none although there are more. `wait` is how many seconds to wait for the first
//! one. No line is missing, and none comes twice.
//!
//! `?project=vision` or `?model=vision/ocr` are a part of it; all of it is for administrators. An export of a part is for its
//! maintainers; whoever reads it can follow it, and sees what GraphQL's `events` shows them. `actor`, `action`, `refused`,
//! `since` and `until` are as in GraphQL's `EventFilter`.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderName;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::{Stream, StreamExt, stream};
use tokio::time::{Instant, sleep, sleep_until};

use crate::access::{self, Actor, Reader};
use crate::app::App;
use crate::db::{Db, Watch};
use crate::error::{Error, Result};
use crate::id::ModelId;
use crate::log;
use crate::registry::catalog::model;
use crate::registry::event::export::{Export, Exported};
use crate::registry::event::feed::Feed;
use crate::registry::event::sql::EventFilter;
use crate::time::Timestamp;

/// How many lines are read from the database at once for an export.
const LINES: i64 = 500;
/// How many lines who follows gets at once.
const MOST_LINES: usize = 1000;
/// How long they may wait for the first one.
const MOST_WAIT: Duration = Duration::from_secs(60);
/// How long changes are collected before is looked again.
const COLLECTED: Duration = Duration::from_millis(250);
/// How often is looked meanwhile, where nothing is said to have changed: a line may be held back by an open transaction.
const ASKED: Duration = Duration::from_secs(1);

const NO_STORE: (HeaderName, &str) = (CACHE_CONTROL, "private, no-store");

pub fn routes() -> Router<App> {
    Router::new().route("/api/events", get(events))
}

#[derive(serde::Deserialize)]
struct Wanted {
    project: Option<String>,
    model: Option<String>,
    actor: Option<String>,
    action: Option<String>,
    refused: Option<bool>,
    since: Option<String>,
    until: Option<String>,
    after: Option<String>,
    first: Option<usize>,
    wait: Option<u64>,
}

impl Wanted {
    fn filter(&self) -> Result<EventFilter> {
        Ok(EventFilter {
            actor: self.actor.clone(),
            action: self.action.clone(),
            refused: self.refused,
            since: moment("since", self.since.as_deref())?,
            until: moment("until", self.until.as_deref())?,
        })
    }

    /// The project or model that is asked for, as the caller may read it; none where that is the whole registry.
    async fn part(&self, app: &App, actor: &Actor) -> Result<Option<(Reader, Option<ModelId>)>> {
        match (&self.project, &self.model) {
            (None, None) => Ok(None),
            (Some(project), None) => {
                Ok(Some((access::reader(&app.db, actor, project).await?, None)))
            }
            (None, Some(path)) => {
                let (reader, model) = model::sql::readable(&app.db, actor, path).await?;
                Ok(Some((reader, Some(model.id))))
            }
            _ => {
                let reason = "can't be combined with project: give only one of them";
                Err(Error::invalid("model", reason))
            }
        }
    }
}

async fn events(
    State(app): State<App>,
    wanted: Result<Query<Wanted>, QueryRejection>,
    request: Parts,
) -> Result<Response> {
    let Query(wanted) = wanted.map_err(|error| Error::invalid("query", error.body_text()))?;
    match &wanted.after {
        Some(after) => follow(&app, &wanted, after, &request).await,
        None => export(&app, &wanted, &request).await,
    }
}

async fn export(app: &App, wanted: &Wanted, request: &Parts) -> Result<Response> {
    for (field, is_given) in [("first", wanted.first.is_some()), ("wait", wanted.wait.is_some())] {
        if is_given {
            return Err(Error::invalid(field, "is for those who follow the log: give after, too"));
        }
    }
    let actor = Actor::of_request(&app.access, request).await?;
    let (db, filter) = (app.db.clone(), wanted.filter()?);
    let export = match wanted.part(app, &actor).await? {
        None => Export::of_everything(db, &access::auditor(&actor)?, filter),
        Some((reader, model)) => Export::of_part(db, &reader, model.as_ref(), filter)?,
    };
    let headers = [
        (CONTENT_TYPE, "application/x-ndjson"),
        (CONTENT_DISPOSITION, "attachment; filename=\"events.jsonl\""),
        NO_STORE,
    ];
    Ok((headers, Body::from_stream(lines(export).fuse())).into_response())
}

/// Answers with the lines behind a cursor, and waits for the first one as long as is asked for. Whoever waits is asked again
/// who they are before they are told.
async fn follow(app: &App, wanted: &Wanted, after: &str, request: &Parts) -> Result<Response> {
    let first = wanted.first.unwrap_or(MOST_LINES);
    if !(1..=MOST_LINES).contains(&first) {
        return Err(Error::invalid("first", format!("must be 1 to {MOST_LINES}")));
    }
    let wait = Duration::from_secs(wanted.wait.unwrap_or(0));
    if wait > MOST_WAIT {
        let most = MOST_WAIT.as_secs();
        return Err(Error::invalid("wait", format!("must be 0 to {most} seconds")));
    }
    let deadline = Instant::now() + wait;
    let mut stopping = app.stopping.subscribe();
    let (mut after, mut watch, mut seat) = (after.to_owned(), None, None);
    loop {
        let actor = Actor::of_request(&app.access, request).await?;
        let (db, filter) = (app.db.clone(), wanted.filter()?);
        let feed = match wanted.part(app, &actor).await? {
            None => Feed::of_everything(db, &access::auditor(&actor)?, filter),
            Some((reader, model)) => Feed::of_part(db, &reader, model.as_ref(), filter),
        };
        let found = feed.after(&after, first).await?;
        if !found.lines.is_empty() || Instant::now() >= deadline || *stopping.borrow() {
            let events: Vec<_> = found.lines.iter().map(line).collect();
            let answer =
                serde_json::json!({ "events": events, "next": found.next, "more": !found.is_end });
            return Ok(([NO_STORE], Json(answer)).into_response());
        }
        if seat.is_none() {
            seat = Some(app.sockets.take(actor.counted_as())?);
        }
        after = found.next;
        if !found.is_end {
            continue;
        }
        tokio::select! {
            () = heard(&app.db, &mut watch) => {}
            () = sleep_until(deadline.min(Instant::now() + ASKED)) => {}
            _ = stopping.changed() => {}
        }
    }
}

/// Waits until there may be something new; the first time only until that would be heard of.
async fn heard(db: &Db, watch: &mut Option<Watch>) {
    match watch {
        None => *watch = Some(db.watch(log::TOPIC).await),
        Some(watch) => {
            watch.changed(usize::MAX).await;
            sleep(COLLECTED).await;
        }
    }
}

fn moment(field: &str, text: Option<&str>) -> Result<Option<Timestamp>> {
    text.map(|text| {
        Timestamp::from_rfc3339(text).ok_or_else(|| {
            Error::invalid(field, "must be a time in RFC 3339, such as 2026-01-02T03:04:05Z")
        })
    })
    .transpose()
}

/// The lines, some hundred at a time. A failure ends the stream early, which the client sees.
fn lines(export: Export) -> impl Stream<Item = Result<Bytes, std::io::Error>> {
    stream::unfold(Some(export), async |export| {
        let mut export = export?;
        match export.next(LINES).await {
            Ok(events) if events.is_empty() => None,
            Ok(events) => {
                let text: String =
                    events.iter().map(|event| format!("{}\n", line(event))).collect();
                Some((Ok(Bytes::from(text)), Some(export)))
            }
            Err(error) => {
                tracing::error!(?error, "the export of the log broke off");
                Some((Err(std::io::Error::other("the export broke off")), None))
            }
        }
    })
}

fn line(event: &Exported) -> serde_json::Value {
    // What was written as JSON is JSON; if not, then it is shown as it is.
    let detail: serde_json::Value =
        serde_json::from_str(&event.detail).unwrap_or_else(|_| event.detail.clone().into());
    serde_json::json!({
        "id": event.id,
        "at": event.at_ms.to_rfc3339(),
        "actor": event.username,
        "token": event.token,
        "address": event.address,
        "action": event.action,
        "subject": event.subject,
        "project": event.project,
        "refused": event.refused,
        "detail": detail,
    })
}

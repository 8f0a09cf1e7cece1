//! The export of the log: `GET /api/events` streams it as JSON lines, oldest first, one object a line.
//!
//! `?project=vision` or `?model=vision/ocr` export a part, for its maintainers; all of it is for
//! administrators. `actor`, `action`, `refused`, `since` and `until` are as in GraphQL's `EventFilter`.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::{Stream, StreamExt, stream};

use crate::access::{self, Actor};
use crate::app::App;
use crate::error::{Error, Result};
use crate::registry::catalog::model;
use crate::registry::event::export::{Export, Exported};
use crate::registry::event::sql::EventFilter;
use crate::time::Timestamp;

/// How many lines are read from the database at once.
const LINES: i64 = 500;

pub fn routes() -> Router<App> {
    Router::new().route("/api/events", get(export))
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
}

async fn export(
    State(app): State<App>,
    wanted: Result<Query<Wanted>, QueryRejection>,
    request: Parts,
) -> Result<Response> {
    let Query(wanted) = wanted.map_err(|error| Error::invalid("query", error.body_text()))?;
    let actor = Actor::of_request(&app.access, &request).await?;
    let filter = EventFilter {
        actor: wanted.actor,
        action: wanted.action,
        refused: wanted.refused,
        since: moment("since", wanted.since)?,
        until: moment("until", wanted.until)?,
    };
    let db = app.db.clone();
    let export = match (wanted.project, wanted.model) {
        (None, None) => Export::of_everything(db, &access::auditor(&actor)?, filter),
        (Some(project), None) => {
            let reader = access::reader(&app.db, &actor, &project).await?;
            Export::of_part(db, &reader, None, filter)?
        }
        (None, Some(path)) => {
            let (reader, model) = model::sql::readable(&app.db, &actor, &path).await?;
            Export::of_part(db, &reader, Some(&model.id), filter)?
        }
        _ => {
            return Err(Error::invalid(
                "model",
                "can't be combined with project: give only one of them",
            ));
        }
    };
    let headers = [
        (CONTENT_TYPE, "application/x-ndjson"),
        (CONTENT_DISPOSITION, "attachment; filename=\"events.jsonl\""),
        (CACHE_CONTROL, "private, no-store"),
    ];
    Ok((headers, Body::from_stream(lines(export).fuse())).into_response())
}

fn moment(field: &str, text: Option<String>) -> Result<Option<Timestamp>> {
    text.map(|text| {
        Timestamp::from_rfc3339(&text).ok_or_else(|| {
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

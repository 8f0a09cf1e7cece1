//! What operators look at: logs, `/healthz`, `/readyz` and Prometheus' `/metrics`.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use futures_util::future::join_all;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde::Serialize;
use tokio::time::Instant;
use tracing_subscriber::EnvFilter;

use crate::app::App;
use crate::db::{SCHEMA, query};
use crate::error::Result;

/// How long what is asked whether it is ready may take.
const PATIENCE: Duration = Duration::from_secs(5);

const SECONDS: [f64; 9] = [0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0, 600.0];

/// Starts logging to standard error; `RUST_LOG` sets the level, `info` unless told.
pub fn start_logging(json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if json { logs.json().init() } else { logs.init() }
}

/// The recorder that `/metrics` prints: one for the process, as the `metrics` crate has it.
fn recorder() -> PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER.get_or_init(install).clone()
}

fn install() -> PrometheusHandle {
    let seconds = Matcher::Full("http_request_duration_seconds".to_owned());
    let builder = PrometheusBuilder::new().set_buckets_for_metric(seconds, &SECONDS);
    let recorder = builder.expect("the buckets are not empty").build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).expect("only this function sets it, once");
    handle
}

pub fn routes() -> Router<App> {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(print))
        .layer(Extension(recorder()))
}

/// Whether requests can be served, and of what they need what answers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ready {
    /// `ready`; `read-only`, where there is no room for more bytes; `stopping`; or `not-ready`.
    state: &'static str,
    database: bool,
    /// What takes what is uploaded.
    storage: bool,
    /// Those that uploads do not go to, by their names. Without one of them, everything but its files is served.
    other_storages: BTreeMap<String, bool>,
    /// Whether uploads are taken.
    room: bool,
    /// The version of the program, and the schema that it has.
    program: &'static str,
    schema: i64,
}

/// Asks the database and the place of the blobs, and says what the log says more of.
async fn ready(State(app): State<App>) -> (StatusCode, Json<Ready>) {
    let database = async {
        let (_,): (i64,) = query("SELECT CAST(1 AS BIGINT)").fetch_one(&app.db.reserved()).await?;
        Ok(true)
    };
    let others = app.storages.iter().skip(1).map(|store| async {
        let name = store.name().to_owned();
        let what = format!("the storage {name}");
        (name, answers(&what, async { store.check().await.map(|()| true) }).await)
    });
    let (database, storage, others) = tokio::join!(
        answers("the database", database),
        answers("the storage", async { app.store.check().await.map(|()| true) }),
        join_all(others),
    );
    let room = storage && answers("the room", async { app.store.has_room() }).await;
    let is_stopping = *app.stopping.borrow();
    let (status, state) = match (database && storage, is_stopping, room) {
        (false, ..) => (StatusCode::SERVICE_UNAVAILABLE, "not-ready"),
        (_, true, _) => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
        // Everything but uploads goes on: a balancer that took it away would make it worse.
        (.., false) => (StatusCode::OK, "read-only"),
        _ => (StatusCode::OK, "ready"),
    };
    let program = env!("CARGO_PKG_VERSION");
    let other_storages = others.into_iter().collect();
    let schema = SCHEMA;
    (status, Json(Ready { state, database, storage, other_storages, room, program, schema }))
}

/// Whether something says yes within a short time.
async fn answers(what: &str, asked: impl Future<Output = Result<bool>>) -> bool {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => {
            tracing::warn!(?error, "{what} fails");
            false
        }
        Err(_) => {
            tracing::warn!("{what} does not answer");
            false
        }
    }
}

async fn print(
    State(app): State<App>,
    Extension(handle): Extension<PrometheusHandle>,
) -> Result<Response> {
    metrics::counter!("model_registry_sql_statements_total").absolute(app.db.statements());
    handle.run_upkeep();
    let content_type = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((content_type, handle.render()).into_response())
}

/// Counts and logs every request. The route stands for the address, so that no name or secret in an
/// address gets into a label.
pub async fn observe(request: Request, next: Next) -> Response {
    let started = Instant::now();
    // Whatever else a client sends must not become a label of its own.
    let method = match request.method().as_str() {
        method @ ("GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "PATCH" | "OPTIONS") => method,
        _ => "other",
    }
    .to_owned();
    let route =
        request.extensions().get::<MatchedPath>().map_or("ui", MatchedPath::as_str).to_owned();
    let response = next.run(request).await;
    let (status, seconds) = (response.status(), started.elapsed().as_secs_f64());
    let labels = [
        ("method", method.clone()),
        ("route", route.clone()),
        ("status", status.as_u16().to_string()),
    ];
    metrics::counter!("http_requests_total", &labels).increment(1);
    metrics::histogram!("http_request_duration_seconds", &labels[..2]).record(seconds);
    tracing::debug!(%method, route, status = status.as_u16(), seconds, "request");
    response
}

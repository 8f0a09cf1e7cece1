//! What operators look at: logs, `/healthz`, `/readyz` and Prometheus' `/metrics`.

use std::sync::OnceLock;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::time::Instant;
use tracing_subscriber::EnvFilter;

use crate::app::App;
use crate::db::query;
use crate::error::Result;

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

/// Whether requests can be served: the database and the place of the blobs answer.
async fn ready(State(app): State<App>) -> Response {
    let check = async {
        let (_,): (i64,) = query("SELECT CAST(1 AS BIGINT)").fetch_one(&app.db.reserved()).await?;
        app.store.check().await?;
        app.store.has_room()
    };
    match tokio::time::timeout(Duration::from_secs(5), check).await {
        Ok(Ok(true)) => "ready\n".into_response(),
        // Everything but uploads goes on: a balancer that took it away would make it worse.
        Ok(Ok(false)) => "read-only: no room\n".into_response(),
        Ok(Err(error)) => {
            tracing::warn!(?error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "not ready: the log says why\n").into_response()
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "not ready: too slow\n").into_response(),
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

//! What MLflow's server has and this one has not: who asks for it is told its name, and what to do instead.

use axum::extract::State;
use axum::http::Uri;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use super::error::{ENDPOINT, Failure};
use crate::app::App;
use crate::error::Error;
use crate::web;

/// By the first segment of the address after `/mlflow/` that is one of these: the feature, and what to do.
const FEATURES: &[(&[&str], &str, &str)] = &[
    (
        &["traces", "unified-traces", "get-online-trace-details"],
        // In these words MLflow's client does not try to send each span any more.
        "traces (REST OTLP span logging is not supported)",
        "call mlflow.tracing.disable() to make none, or send them to a collector with \
         OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    ),
    (
        &["datasets"],
        "evaluation data sets",
        "log what a run was given with mlflow.log_input, or keep it as a file with mlflow.log_artifact",
    ),
    (
        &["scorers", "issues"],
        "scorers and issues",
        "log what an evaluation measured as metrics of a run",
    ),
    (
        &["label-schemas", "review-queues"],
        "label schemas and review queues",
        "keep reviews as files or tags of a run",
    ),
    (
        &["prompt-optimization", "jobs"],
        "jobs on the server",
        "run them where the client is, and log to a run",
    ),
    (&["gateway", "gateway-proxy"], "AI gateway", "run MLflow's own gateway beside this registry"),
    (&["graphql"], "GraphQL of MLflow's", "use the registry's own, at /graphql"),
];

/// What answers where nothing else does.
pub async fn no_endpoint_or_page(app: State<App>, request: Parts) -> Response {
    match request.uri.path() {
        // A tracking URI that somebody opens.
        "/" => web::page(app, request).await,
        _ => no_endpoint(request.uri).await.into_response(),
    }
}

/// As [`no_endpoint_or_page`], where there is no page.
pub async fn no_endpoint(uri: Uri) -> Failure {
    let feature = uri
        .path()
        .split('/')
        .find_map(|segment| FEATURES.iter().find(|(segments, ..)| segments.contains(&segment)));
    let error = Error::not_found(ENDPOINT, uri.path());
    match feature {
        Some((_, feature, instead)) => {
            Failure::said(error, format!("This registry has no {feature}: {instead}"))
        }
        None => Failure::said(
            error,
            format!(
                "Nothing answers at {}: see the README for what of MLflow's API is here",
                uri.path()
            ),
        ),
    }
}

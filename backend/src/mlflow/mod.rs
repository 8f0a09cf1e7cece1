//! MLflow's REST API: what its clients call, answered by the registry's own rules.
//!
//! Only translates: messages to rules, rows to messages, errors to MLflow's. Follows the protobuf
//! descriptors of client 3.17 (<https://mlflow.org/docs/latest/rest-api.html>) and, where they are silent,
//! what MLflow's own server does; what differs is listed in e2e/conformance. A workspace is a project.

mod absent;
mod address;
mod artifacts;
mod call;
mod capability;
mod error;
mod experiments;
mod info;
mod lists;
mod logged_models;
mod message;
mod metrics;
mod model_versions;
mod names;
mod registered_models;
mod runs;
mod signed;
mod source;
mod uploads;
mod webhooks;
mod wire;
mod workspaces;

use axum::Router;
use axum::http::header::X_CONTENT_TYPE_OPTIONS;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post};
use call::{read, write};
use error::Failure;

use crate::action::Action;
use crate::app::App;

/// Where clients reach the API: under a project's own address, under that which GitLab has, and at the bare
/// address; each with the prefixes that clients use.
pub fn routes() -> Router<App> {
    let api = api();
    let info = Router::new()
        .route("/health", get(info::health))
        .route("/version", get(info::version))
        .route("/get-artifact", get(artifacts::get_artifact))
        .route("/model-versions/get-artifact", get(artifacts::get_model_version_artifact))
        // As MLflow, which takes two slashes for one: where an address that ends with one is put before it.
        .route("//get-artifact", get(artifacts::get_artifact))
        .route("//model-versions/get-artifact", get(artifacts::get_model_version_artifact));
    let whole = info.clone().fallback(absent::no_endpoint_or_page);
    Router::new()
        .nest("/mlflow/{project}/api/{api}", api.clone())
        .nest("/mlflow/{project}/ajax-api/{api}", api.clone())
        .nest("/mlflow/{project}", whole.clone())
        .nest("/api/v4/projects/{project}/ml/mlflow/api/{api}", api.clone())
        .nest("/api/v4/projects/{project}/ml/mlflow/ajax-api/{api}", api.clone())
        .nest("/api/v4/projects/{project}/ml/mlflow", whole)
        .nest("/api/2.0", api.clone())
        .nest("/api/2.11", api.clone())
        .nest("/api/3.0", api.clone())
        .nest("/ajax-api/{api}", api)
        .merge(info)
        .merge(signed::routes())
        .layer(map_response(keep_type))
}

/// Has browsers take an answer for what it says it is, as MLflow does.
async fn keep_type(mut response: Response) -> Response {
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[rustfmt::skip]
fn api() -> Router<App> {
    Router::new()
        .route("/mlflow/server-info", get(info::server_info))
        .merge(registry_api())
        .merge(tracking_api())
        .merge(artifacts::routes())
        .fallback(absent::no_endpoint)
        .method_not_allowed_fallback(no_method)
}

#[rustfmt::skip]
fn registry_api() -> Router<App> {
    use {model_versions as versions, registered_models as models};
    Router::new()
        .route("/mlflow/registered-models/create", post(write(Action::ModelCreate, models::create)))
        .route("/mlflow/registered-models/get", get(read(models::get)))
        .route("/mlflow/registered-models/update", patch(write(Action::ModelUpdate, models::update)).post(write(Action::ModelUpdate, models::update)))
        .route("/mlflow/registered-models/rename", post(write(Action::ModelRename, models::rename)))
        .route("/mlflow/registered-models/delete", delete(write(Action::ModelDelete, models::delete)))
        .route("/mlflow/registered-models/search", get(read(models::search)).post(read(models::search)))
        .route("/mlflow/registered-models/get-latest-versions", get(read(models::latest_versions)).post(read(models::latest_versions)))
        .route("/mlflow/registered-models/set-tag", post(write(Action::TagSet, models::set_tag)))
        .route("/mlflow/registered-models/delete-tag", delete(write(Action::TagDelete, models::delete_tag)))
        .route("/mlflow/registered-models/alias", get(read(models::get_alias)).post(write(Action::AliasSet, models::set_alias)).delete(write(Action::AliasDelete, models::delete_alias)))
        .route("/mlflow/model-versions/create", post(write(Action::VersionCreate, versions::create)))
        .route("/mlflow/model-versions/get", get(read(versions::get)))
        .route("/mlflow/model-versions/update", patch(write(Action::VersionUpdate, versions::update)).post(write(Action::VersionUpdate, versions::update)))
        .route("/mlflow/model-versions/delete", delete(write(Action::VersionDelete, versions::delete)))
        .route("/mlflow/model-versions/search", get(read(versions::search)).post(read(versions::search)))
        .route("/mlflow/model-versions/transition-stage", post(write(Action::VersionStage, versions::set_stage)))
        .route("/mlflow/model-versions/get-download-uri", get(read(versions::download_uri)))
        .route("/mlflow/model-versions/set-tag", post(write(Action::TagSet, versions::set_tag)))
        .route("/mlflow/model-versions/delete-tag", delete(write(Action::TagDelete, versions::delete_tag)))
        .route("/mlflow/webhooks", get(read(webhooks::list)).post(write(Action::WebhookCreate, webhooks::create)))
        .route("/mlflow/webhooks/{webhook_id}", get(read(webhooks::get)).patch(write(Action::WebhookUpdate, webhooks::update)).delete(write(Action::WebhookDelete, webhooks::delete)))
        .route("/mlflow/webhooks/{webhook_id}/test", post(write(Action::WebhookTest, webhooks::test)))
        .route("/mlflow/workspaces", get(read(workspaces::list)).post(write(Action::ProjectCreate, workspaces::create)))
        .route("/mlflow/workspaces/{workspace_name}", get(read(workspaces::get)).patch(write(Action::ProjectUpdate, workspaces::update)).delete(write(Action::ProjectDelete, workspaces::delete)))
}

#[rustfmt::skip]
fn tracking_api() -> Router<App> {
    Router::new()
        .route("/mlflow/experiments/create", post(write(Action::ExperimentCreate, experiments::create)))
        .route("/mlflow/experiments/get", get(read(experiments::get)))
        .route("/mlflow/experiments/get-by-name", get(read(experiments::get_by_name)))
        .route("/mlflow/experiments/search", get(read(experiments::search)).post(read(experiments::search)))
        .route("/mlflow/experiments/search-datasets", post(read(experiments::search_datasets)))
        .route("/mlflow/experiments/update", post(write(Action::ExperimentRename, experiments::update)))
        .route("/mlflow/experiments/delete", post(write(Action::ExperimentDelete, experiments::delete)))
        .route("/mlflow/experiments/restore", post(write(Action::ExperimentRestore, experiments::restore)))
        .route("/mlflow/experiments/set-experiment-tag", post(write(Action::TagSet, experiments::set_tag)))
        .route("/mlflow/experiments/delete-experiment-tag", post(write(Action::TagDelete, experiments::delete_tag)))
        .route("/mlflow/runs/create", post(write(Action::CandidateCreate, runs::create)))
        .route("/mlflow/runs/get", get(read(runs::get)))
        .route("/mlflow/runs/search", post(read(runs::search)))
        .route("/mlflow/runs/update", post(write(Action::CandidateUpdate, runs::update)))
        .route("/mlflow/runs/delete", post(write(Action::CandidateDelete, runs::delete)))
        .route("/mlflow/runs/restore", post(write(Action::CandidateRestore, runs::restore)))
        .route("/mlflow/runs/set-tag", post(write(Action::CandidateLog, runs::set_tag)))
        .route("/mlflow/runs/delete-tag", post(write(Action::TagDelete, runs::delete_tag)))
        .route("/mlflow/runs/log-metric", post(write(Action::CandidateLog, metrics::log_metric)))
        .route("/mlflow/runs/log-parameter", post(write(Action::CandidateLog, metrics::log_param)))
        .route("/mlflow/runs/log-batch", post(write(Action::CandidateLog, metrics::log_batch)))
        .route("/mlflow/runs/log-inputs", post(write(Action::CandidateLog, runs::log_inputs)))
        .route("/mlflow/runs/outputs", post(write(Action::CandidateLog, runs::log_outputs)))
        .route("/mlflow/runs/log-model", post(write(Action::CandidateLog, runs::log_model)))
        .route("/mlflow/metrics/get-history", get(read(metrics::history)))
        .route("/mlflow/metrics/get-history-bulk", get(read(metrics::history_bulk)))
        .route("/mlflow/metrics/get-history-bulk-interval", get(read(metrics::history_bulk_interval)))
        .route("/mlflow/logged-models", post(write(Action::LoggedModelCreate, logged_models::create)))
        .route("/mlflow/logged-models/search", post(read(logged_models::search)))
        .route("/mlflow/logged-models/{model_id}", get(read(logged_models::get)).patch(write(Action::LoggedModelFinalize, logged_models::finalize)).delete(write(Action::LoggedModelDelete, logged_models::delete)))
        .route("/mlflow/logged-models/{model_id}/params", post(write(Action::LoggedModelLog, logged_models::log_params)))
        .route("/mlflow/logged-models/{model_id}/tags", patch(write(Action::TagSet, logged_models::set_tags)))
        .route("/mlflow/logged-models/{model_id}/tags/{tag_key}", delete(write(Action::TagDelete, logged_models::delete_tag)))
}

async fn no_method() -> Response {
    let failure = Failure::invalid(
        "This address does not take the method: the header Allow says what it takes",
    );
    let mut response = failure.into_response();
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}

/// An answer that is no JSON.
fn plain(text: &'static str) -> Response {
    (StatusCode::OK, text).into_response()
}

//! MLflow's REST API: what its clients call, answered by the registry's own rules.
//!
//! Only translates: messages to rules, rows to messages, errors to MLflow's. Follows the protobuf
//! descriptors of client 3.17 (<https://mlflow.org/docs/latest/rest-api.html>) and, where they are silent,
//! what MLflow's own server does; what differs is listed in e2e/conformance. A workspace is a project.

mod address;
mod artifacts;
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
mod wire;
mod workspaces;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::RawPathParams;
use axum::handler::Handler;
use axum::http::header::{CONTENT_TYPE, HOST, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, Method, StatusCode, request::Parts};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post};
use axum::{Json, RequestExt};
use serde::Serialize;

use crate::access::{self, Actor, Reader, Writer};
use crate::app::App;
use crate::change::Change;
use crate::error::Error;
use crate::loader::Loaders;
use crate::refusal;
use crate::registry::project;
use error::{ENDPOINT, Failure, Result};
use message::Message;

/// The header that names the workspace at the bare address, since client 3.10.
const WORKSPACE: &str = "x-mlflow-workspace";
/// A batch of a thousand metrics is about 100 kB; a dataset may describe itself at length.
const MAX_BODY: usize = 20 << 20;
const MAX_ANONYMOUS_BODY: usize = 256 << 10;

/// Where clients reach the API: under a project's own address, under that which GitLab has, and at the bare
/// address; each with the prefixes that clients use.
pub fn routes() -> Router<App> {
    let api = api();
    let info = Router::new()
        .route("/health", get(info::health))
        .route("/version", get(info::version))
        .route("/get-artifact", get(artifacts::get_artifact))
        .route("/model-versions/get-artifact", get(artifacts::get_model_version_artifact));
    Router::new()
        .nest("/mlflow/{project}/api/{api}", api.clone())
        .nest("/mlflow/{project}/ajax-api/{api}", api.clone())
        .nest("/mlflow/{project}", info.clone())
        .nest("/api/v4/projects/{project}/ml/mlflow/api/{api}", api.clone())
        .nest("/api/v4/projects/{project}/ml/mlflow/ajax-api/{api}", api.clone())
        .nest("/api/v4/projects/{project}/ml/mlflow", info.clone())
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
        .fallback(no_endpoint)
        .method_not_allowed_fallback(no_method)
}

#[rustfmt::skip]
fn registry_api() -> Router<App> {
    use {model_versions as versions, registered_models as models};
    Router::new()
        .route("/mlflow/registered-models/create", post(write("model.create", models::create)))
        .route("/mlflow/registered-models/get", get(read(models::get)))
        .route("/mlflow/registered-models/update", patch(write("model.update", models::update)).post(write("model.update", models::update)))
        .route("/mlflow/registered-models/rename", post(write("model.rename", models::rename)))
        .route("/mlflow/registered-models/delete", delete(write("model.delete", models::delete)))
        .route("/mlflow/registered-models/search", get(read(models::search)).post(read(models::search)))
        .route("/mlflow/registered-models/get-latest-versions", get(read(models::latest_versions)).post(read(models::latest_versions)))
        .route("/mlflow/registered-models/set-tag", post(write("tag.set", models::set_tag)))
        .route("/mlflow/registered-models/delete-tag", delete(write("tag.delete", models::delete_tag)))
        .route("/mlflow/registered-models/alias", get(read(models::get_alias)).post(write("alias.set", models::set_alias)).delete(write("alias.delete", models::delete_alias)))
        .route("/mlflow/model-versions/create", post(write("version.create", versions::create)))
        .route("/mlflow/model-versions/get", get(read(versions::get)))
        .route("/mlflow/model-versions/update", patch(write("version.update", versions::update)).post(write("version.update", versions::update)))
        .route("/mlflow/model-versions/delete", delete(write("version.delete", versions::delete)))
        .route("/mlflow/model-versions/search", get(read(versions::search)).post(read(versions::search)))
        .route("/mlflow/model-versions/transition-stage", post(write("version.stage", versions::set_stage)))
        .route("/mlflow/model-versions/get-download-uri", get(read(versions::download_uri)))
        .route("/mlflow/model-versions/set-tag", post(write("tag.set", versions::set_tag)))
        .route("/mlflow/model-versions/delete-tag", delete(write("tag.delete", versions::delete_tag)))
        .route("/mlflow/workspaces", get(read(workspaces::list)).post(write("project.create", workspaces::create)))
        .route("/mlflow/workspaces/{workspace_name}", get(read(workspaces::get)).patch(write("project.update", workspaces::update)).delete(write("project.delete", workspaces::delete)))
}

#[rustfmt::skip]
fn tracking_api() -> Router<App> {
    Router::new()
        .route("/mlflow/experiments/create", post(write("experiment.create", experiments::create)))
        .route("/mlflow/experiments/get", get(read(experiments::get)))
        .route("/mlflow/experiments/get-by-name", get(read(experiments::get_by_name)))
        .route("/mlflow/experiments/search", get(read(experiments::search)).post(read(experiments::search)))
        .route("/mlflow/experiments/search-datasets", post(read(experiments::search_datasets)))
        .route("/mlflow/experiments/update", post(write("experiment.rename", experiments::update)))
        .route("/mlflow/experiments/delete", post(write("experiment.delete", experiments::delete)))
        .route("/mlflow/experiments/restore", post(write("experiment.restore", experiments::restore)))
        .route("/mlflow/experiments/set-experiment-tag", post(write("tag.set", experiments::set_tag)))
        .route("/mlflow/experiments/delete-experiment-tag", post(write("tag.delete", experiments::delete_tag)))
        .route("/mlflow/runs/create", post(write("candidate.create", runs::create)))
        .route("/mlflow/runs/get", get(read(runs::get)))
        .route("/mlflow/runs/search", post(read(runs::search)))
        .route("/mlflow/runs/update", post(write("candidate.update", runs::update)))
        .route("/mlflow/runs/delete", post(write("candidate.delete", runs::delete)))
        .route("/mlflow/runs/restore", post(write("candidate.restore", runs::restore)))
        .route("/mlflow/runs/set-tag", post(write("candidate.log", runs::set_tag)))
        .route("/mlflow/runs/delete-tag", post(write("tag.delete", runs::delete_tag)))
        .route("/mlflow/runs/log-metric", post(write("candidate.log", metrics::log_metric)))
        .route("/mlflow/runs/log-parameter", post(write("candidate.log", metrics::log_param)))
        .route("/mlflow/runs/log-batch", post(write("candidate.log", metrics::log_batch)))
        .route("/mlflow/runs/log-inputs", post(write("candidate.log", runs::log_inputs)))
        .route("/mlflow/runs/outputs", post(write("candidate.log", runs::log_outputs)))
        .route("/mlflow/runs/log-model", post(write("candidate.log", runs::log_model)))
        .route("/mlflow/metrics/get-history", get(read(metrics::history)))
        .route("/mlflow/metrics/get-history-bulk", get(read(metrics::history_bulk)))
        .route("/mlflow/metrics/get-history-bulk-interval", get(read(metrics::history_bulk_interval)))
        .route("/mlflow/logged-models", post(write("logged-model.create", logged_models::create)))
        .route("/mlflow/logged-models/search", post(read(logged_models::search)))
        .route("/mlflow/logged-models/{model_id}", get(read(logged_models::get)).patch(write("logged-model.finalize", logged_models::finalize)).delete(write("logged-model.delete", logged_models::delete)))
        .route("/mlflow/logged-models/{model_id}/params", post(write("logged-model.log", logged_models::log_params)))
        .route("/mlflow/logged-models/{model_id}/tags", patch(write("tag.set", logged_models::set_tags)))
        .route("/mlflow/logged-models/{model_id}/tags/{tag_key}", delete(write("tag.delete", logged_models::delete_tag)))
}

async fn no_method() -> Response {
    let failure = Failure::invalid(
        "This address does not take the method: the header Allow says what it takes",
    );
    let mut response = failure.into_response();
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}

async fn no_endpoint() -> Failure {
    Error::not_found(ENDPOINT, "at this address").into()
}

/// One request: who makes it, of which project, and what it says.
pub struct Call {
    pub app: App,
    pub actor: Actor,
    /// The path of the project.
    pub project: String,
    pub message: Message<'static>,
    /// The address that the client has of this server.
    pub host: Option<HeaderValue>,
}

impl Call {
    /// What the address names is part of the message.
    fn new(
        app: &App,
        parts: &Parts,
        params: &Params,
        (actor, project): (Actor, String),
        mut message: Message<'static>,
    ) -> Self {
        for (name, value) in params.iter().filter(|(name, _)| name != "project" && name != "api") {
            message.set(name, value);
        }
        let host = parts.headers.get(HOST).cloned();
        Self { app: app.clone(), actor, project, message, host }
    }

    /// Proof that the caller may read the project.
    pub async fn reader(&self) -> Result<Reader> {
        Ok(access::reader(&self.app.db, &self.actor, &self.project).await?)
    }

    /// Begins a change of the project, with proof that the caller may.
    pub async fn change(&self) -> Result<(Change, Writer)> {
        let mut change = Change::begin(&self.app, &self.actor).await?;
        let writer = access::writer(&mut *change, &self.actor, &self.project).await?;
        Ok((change, writer))
    }

    /// The path of the model that the request names.
    pub fn model_path(&self) -> Result<String> {
        Ok(format!("{}/{}", self.project, self.message.required("name")?))
    }

    fn stranger(&self) -> Stranger {
        Stranger { app: self.app.clone(), actor: self.actor.clone(), project: self.project.clone() }
    }

    pub fn loaders(&self) -> Loaders {
        Loaders { app: self.app.clone() }
    }
}

/// Somebody who perhaps meant to send a token.
struct Stranger {
    app: App,
    actor: Actor,
    project: String,
}

impl Stranger {
    /// Asks to sign in where nothing was found because the whole project is not shown to strangers; it
    /// need not be there.
    async fn explain(&self, failure: Failure) -> Failure {
        let hidden = self.actor.user().is_err()
            && matches!(failure.error, Error::NotFound { .. })
            && access::reader(&self.app.db, &self.actor, &self.project).await.is_err();
        match (hidden, self.actor.user()) {
            (true, Err(sign_in)) => sign_in.into(),
            _ => failure,
        }
    }
}

/// What has no answer but that it was done.
#[derive(Serialize)]
pub struct Done {}

type Answer = Pin<Box<dyn Future<Output = Response> + Send>>;

/// What answers a request. One type for all: a hundred would take minutes to compile.
type Rule =
    Arc<dyn Fn(Call) -> Pin<Box<dyn Future<Output = Result<Response>> + Send>> + Send + Sync>;

fn rule<F, Fut, T>(rule: F) -> Rule
where
    F: Fn(Call) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T>> + Send + 'static,
    T: Serialize,
{
    Arc::new(move |call| {
        let done = rule(call);
        Box::pin(async move { Ok(Json(done.await?).into_response()) })
    })
}

/// A request that only reads.
fn read<F, Fut, T>(of: F) -> MethodHandler
where
    F: Fn(Call) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T>> + Send + 'static,
    T: Serialize,
{
    MethodHandler { action: None, rule: rule(of) }
}

/// A request that changes something; a refused one is in the log as `action`.
fn write<F, Fut, T>(action: &'static str, of: F) -> MethodHandler
where
    F: Fn(Call) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T>> + Send + 'static,
    T: Serialize,
{
    MethodHandler { action: Some(action), rule: rule(of) }
}

/// What a method of an endpoint is answered by.
#[derive(Clone)]
struct MethodHandler {
    /// What the log calls it when it is refused; none if it only reads.
    action: Option<&'static str>,
    rule: Rule,
}

impl Handler<(), App> for MethodHandler {
    type Future = Answer;

    fn call(self, request: axum::extract::Request, app: App) -> Answer {
        Box::pin(self.answer(app, request))
    }
}

impl MethodHandler {
    async fn answer(self, app: App, request: axum::extract::Request) -> Response {
        let (parts, params, body) = match parse(request).await {
            Ok(parsed) => parsed,
            Err(failure) => return failure.into_response(),
        };
        let call = match recognise(&app, &parts, &params, body, self.action).await {
            Ok(call) => call,
            Err(failure) => return failure.into_response(),
        };
        let stranger = call.stranger();
        let log = self.action.map(|action| (action, call.actor.clone(), subject(&call, action)));
        match (self.rule)(call).await {
            Ok(answer) => answer,
            Err(failure) => {
                if let Some((action, actor, subject)) = log {
                    refusal::log_error(&app, &actor, action, &subject, &failure.error).await;
                }
                stranger.explain(failure).await.into_response()
            }
        }
    }
}

type Params = Vec<(String, String)>;

async fn parse(mut request: axum::extract::Request) -> Result<(Parts, Params, Body)> {
    let params = request
        .extract_parts::<RawPathParams>()
        .await
        .map_err(|_| Failure::invalid("The address must be percent-encoded UTF-8"))?;
    let params = params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let (parts, body) = request.into_parts();
    Ok((parts, params, body))
}

/// The project that a request is about.
fn workspace(parts: &Parts, params: &Params) -> Result<String> {
    let param = |wanted: &str| params.iter().find(|(name, _)| name == wanted).map(|(_, v)| v);
    if param("api").is_some_and(|api| !["2.0", "2.11", "3.0"].contains(&api.as_str())) {
        return Err(Error::not_found(ENDPOINT, "of this version").into());
    }
    if let Some(project) = param("project") {
        return Ok(project.clone());
    }
    let header = parts.headers.get(WORKSPACE).map(|value| value.to_str());
    match header.transpose().map_err(|_| Failure::invalid("X-MLFLOW-WORKSPACE must be text"))? {
        Some(project) if !project.is_empty() => Ok(project.to_owned()),
        _ => Ok(project::DEFAULT.to_owned()),
    }
}

async fn recognise(
    app: &App,
    parts: &Parts,
    params: &Params,
    body: Body,
    action: Option<&'static str>,
) -> Result<Call> {
    let project = workspace(parts, params)?;
    let actor = match recognised(app, parts, action.is_some()).await {
        Ok(actor) => actor,
        Err(failure) => {
            if let Some(action) = action {
                let stranger = Actor::of_network(&app.access, parts);
                refusal::log_error(app, &stranger, action, &project, &failure.error).await;
            }
            // Read all the same: a client that is still sending would not see the answer.
            to_bytes(body, MAX_ANONYMOUS_BODY).await.ok();
            return Err(failure);
        }
    };
    let limit = if actor.user().is_ok() { MAX_BODY } else { MAX_ANONYMOUS_BODY };
    let message = read_message(parts, body, limit).await?;
    Ok(Call::new(app, parts, params, (actor, project), message))
}

/// Who makes a request. What changes something a browser may send from our own pages only.
async fn recognised(app: &App, parts: &Parts, writes: bool) -> Result<Actor> {
    let actor = Actor::of_request(&app.access, parts).await?;
    if writes {
        crate::origin::check(&app.config, &actor, &parts.headers)?;
    }
    Ok(actor)
}

async fn read_message(parts: &Parts, body: Body, limit: usize) -> Result<Message<'static>> {
    if let (&Method::GET, Some(query)) = (&parts.method, parts.uri.query()) {
        return Ok(Message::from_query(query));
    }
    if parts.method == Method::GET {
        return Ok(Message::from_query(""));
    }
    let content_type = parts.headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
    let is_json = |value: &[u8]| {
        value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii()
            == b"application/json"
    };
    let body = to_bytes(body, limit)
        .await
        .map_err(|_| Error::TooLarge(format!("a request has at most {limit} bytes")))?;
    match content_type {
        Some(value) if is_json(value) => Ok(Message::from_json(&body)),
        // Nothing can be sent so that means anything.
        _ if body.is_empty() && parts.method == Method::DELETE => Ok(Message::default()),
        Some(_) => {
            Err(Failure::invalid("Bad Request. Content-Type must be one of ['application/json']."))
        }
        None => Err(Failure::invalid("Bad Request. Content-Type header is missing.")),
    }
}

/// What a refused change was about: the workspace or model that it names, or the project.
fn subject(call: &Call, action: &str) -> String {
    if let Ok(Some(workspace)) = call.message.text("workspace_name") {
        return workspace;
    }
    let is_model = ["model.", "version.", "alias.", "tag."].iter().any(|of| action.starts_with(of));
    match call.message.text("name") {
        Ok(Some(name)) if is_model => format!("{}/{name}", call.project),
        _ => call.project.clone(),
    }
}

/// An answer that is no JSON.
fn plain(text: &'static str) -> Response {
    (StatusCode::OK, text).into_response()
}

//! A request to MLflow's API, from its bytes to its answer: which project it is about, who makes it, what it says,
//! and how a refusal is logged and told. What the registry does about it is in the endpoints.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::RawPathParams;
use axum::handler::Handler;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method};
use axum::response::{IntoResponse, Response};
use axum::{Json, RequestExt};
use serde::Serialize;
use tokio::sync::SemaphorePermit;

use super::error::{ENDPOINT, Failure, Result};
use super::message::Message;
use crate::access::{self, Actor, Reader, Writer};
use crate::action::Action;
use crate::app::App;
use crate::audit_denied;
use crate::body;
use crate::change::Change;
use crate::db::Budget;
use crate::error::Error;
use crate::loader::Loaders;
use crate::registry::catalog::project;

/// The header that names the workspace at the bare address, since client 3.10.
const WORKSPACE: &str = "x-mlflow-workspace";
/// A batch of a thousand metrics is about 100 kB; a dataset may describe itself at length.
const MAX_BODY: usize = 20 << 20;
const MAX_ANONYMOUS_BODY: usize = 256 << 10;
/// How many bytes of rows one answer may need, besides those of lists.
const MAX_READ: usize = 64 << 20;
/// How long what only reads may take.
const READ_TIME: Duration = Duration::from_secs(30);
const TOO_LONG: Error = Error::Timeout("The request took too long. Ask for less at once.");

/// What a large message has of the memory for those.
type Share = Option<SemaphorePermit<'static>>;

/// One request: who makes it, of which project, and what it says.
pub struct Call {
    pub app: App,
    pub actor: Actor,
    /// The path of the project.
    pub project: String,
    pub message: Message<'static>,
    /// The address that the client has of this server.
    pub host: Option<HeaderValue>,
    /// Kept until the answer is there.
    share: Share,
}

impl Call {
    /// What the address names is part of the message.
    pub fn new(
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
        let app = App { db: app.db.within(&Budget::new(MAX_READ)), ..app.clone() };
        Self { app, actor, project, message, host, share: None }
    }

    /// Gives back the memory of a large message, which is done with: what follows takes long.
    pub fn is_read(&mut self) {
        self.message = Message::default();
        self.share = None;
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

    pub fn stranger(&self) -> Stranger {
        Stranger { app: self.app.clone(), actor: self.actor.clone(), project: self.project.clone() }
    }

    pub fn loaders(&self) -> Loaders {
        Loaders { app: self.app.clone() }
    }
}

/// Somebody who perhaps meant to send a token.
pub struct Stranger {
    app: App,
    actor: Actor,
    project: String,
}

impl Stranger {
    /// Asks to sign in where nothing was found because the whole project is not shown to strangers; it
    /// need not be there.
    pub async fn explain(&self, failure: Failure) -> Failure {
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
pub fn read<F, Fut, T>(of: F) -> MethodHandler
where
    F: Fn(Call) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T>> + Send + 'static,
    T: Serialize,
{
    MethodHandler { action: None, rule: rule(of) }
}

/// A request that changes something; a refused one is in the log as `action`.
pub fn write<F, Fut, T>(action: Action, of: F) -> MethodHandler
where
    F: Fn(Call) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T>> + Send + 'static,
    T: Serialize,
{
    MethodHandler { action: Some(action), rule: rule(of) }
}

/// What a method of an endpoint is answered by.
#[derive(Clone)]
pub struct MethodHandler {
    /// What the log calls it when it is refused; none if it only reads.
    action: Option<Action>,
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
        let (stranger, deprecations) = (call.stranger(), call.actor.deprecations.clone());
        let log = self.action.map(|action| (action, call.actor.clone(), subject(&call, action)));
        let answer = (self.rule)(call);
        let answer = match self.action {
            None => tokio::time::timeout(READ_TIME, answer)
                .await
                .unwrap_or_else(|_| Err(TOO_LONG.into())),
            // Parts of a large file take long to be put together.
            Some(_) => answer.await,
        };
        match answer {
            Ok(mut answer) => {
                answer.headers_mut().extend(deprecations.headers());
                answer
            }
            Err(failure) => {
                if let Some((action, actor, subject)) = log {
                    audit_denied::log_error(&app, &actor, action, &subject, &failure.error).await;
                }
                stranger.explain(failure).await.into_response()
            }
        }
    }
}

pub type Params = Vec<(String, String)>;

pub async fn parse(mut request: axum::extract::Request) -> Result<(Parts, Params, Body)> {
    let params = request
        .extract_parts::<RawPathParams>()
        .await
        .map_err(|_| Failure::invalid("The address must be percent-encoded UTF-8"))?;
    let params = params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let (parts, body) = request.into_parts();
    Ok((parts, params, body))
}

/// The project that a request is about.
pub fn workspace(parts: &Parts, params: &Params) -> Result<String> {
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

pub async fn recognise(
    app: &App,
    parts: &Parts,
    params: &Params,
    body: Body,
    action: Option<Action>,
) -> Result<Call> {
    let project = workspace(parts, params)?;
    let actor = match recognised(app, parts, action.is_some()).await {
        Ok(actor) => actor,
        Err(failure) => {
            if let Some(action) = action {
                let stranger = Actor::of_network(&app.access, parts);
                audit_denied::log_error(app, &stranger, action, &project, &failure.error).await;
            }
            return Err(failure);
        }
    };
    let limit = if actor.user().is_ok() { MAX_BODY } else { MAX_ANONYMOUS_BODY };
    let (message, share) = read_message(parts, body, limit).await?;
    Ok(Call { share, ..Call::new(app, parts, params, (actor, project), message) })
}

/// Who makes a request. What changes something a browser may send from our own pages only.
pub async fn recognised(app: &App, parts: &Parts, writes: bool) -> Result<Actor> {
    let actor = Actor::of_request(&app.access, parts).await?;
    if writes {
        crate::origin::check(&app.config, &actor, parts)?;
    }
    Ok(actor)
}

async fn read_message(
    parts: &Parts,
    body: Body,
    limit: usize,
) -> Result<(Message<'static>, Share)> {
    if parts.method == Method::GET {
        let query = parts.uri.query().unwrap_or_default();
        // As MLflow: without parameters in the address they are in the body, which has any type.
        if !query.is_empty() || body.is_end_stream() {
            return Ok((Message::from_query(query), None));
        }
        let body::Whole { bytes, share } = body::whole(body, limit).await?;
        return Ok((Message::from_json(&bytes), share));
    }
    let content_type = parts.headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
    let is_json = |value: &[u8]| {
        value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii()
            == b"application/json"
    };
    let body::Whole { bytes, share } = body::whole(body, limit).await?;
    match content_type {
        Some(value) if is_json(value) => Ok((Message::from_json(&bytes), share)),
        // Nothing can be sent so that means anything.
        _ if bytes.is_empty() && parts.method == Method::DELETE => Ok((Message::default(), None)),
        Some(_) => {
            Err(Failure::invalid("Bad Request. Content-Type must be one of ['application/json']."))
        }
        None => Err(Failure::invalid("Bad Request. Content-Type header is missing.")),
    }
}

/// What a refused change was about: the workspace or model that it names, or the project.
fn subject(call: &Call, action: Action) -> String {
    if let Ok(Some(workspace)) = call.message.text("workspace_name") {
        return workspace;
    }
    let is_model = ["model", "version", "alias", "tag"].contains(&action.kind());
    match call.message.text("name") {
        Ok(Some(name)) if is_model => format!("{}/{name}", call.project),
        _ => call.project.clone(),
    }
}

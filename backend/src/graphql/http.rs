//! GraphQL over HTTP: how an operation comes and is run (graphql.github.io/graphql-over-http/draft, checked with the audit
//! of `graphql-http`).

use std::sync::Arc;
use std::time::Duration;

use async_graphql::parser::types::{ExecutableDocument, OperationType};
use async_graphql::{Executor, Request, Variables};
use axum::body::Body;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::header::{CONTENT_TYPE, COOKIE, SET_COOKIE, UPGRADE};
use axum::http::{HeaderValue, request};
use axum::response::{AppendHeaders, IntoResponse, Response as HttpResponse};
use axum::routing::get;
use axum::{Extension, Router};
use serde_json::{Map, Value};

use super::answer::{Accepted, Executed, Refusal, accepts, cached, refused, response};
use super::embedded::{self, Embedded};
use super::persisted::{Persisted, ToKeep};
use super::socket::{self, seat_of};
use super::{schema, size, sse, subgraph};
use crate::access::session::SessionAnswer;
use crate::access::{Actor, ReadOnly};
use crate::app::App;
use crate::audit_denied::MutationAttempt;
use crate::body;
use crate::error::{Error, Result};
use crate::limits;
use crate::loader::{self, Spawned};
use crate::origin::CrossOrigin;

const MAX_TIME: Duration = Duration::from_secs(30);
/// How long an address with an operation is at most, in bytes.
const MAX_ADDRESS: usize = 8 * 1024;

/// What answers operations.
#[derive(Clone)]
struct Endpoint<S> {
    schema: S,
    embedded: Embedded,
    persisted: Arc<Persisted>,
    /// Whether a browser that comes here gets GraphiQL.
    has_page: bool,
}

impl<S: Executor> Endpoint<S> {
    fn new(schema: S, has_page: bool) -> Self {
        Self { schema, embedded: Embedded::default(), persisted: Arc::default(), has_page }
    }

    fn at(self, path: &str) -> Router<App> {
        Router::new().route(path, get(ask::<S>).post(execute::<S>)).layer(Extension(self))
    }
}

pub fn routes() -> Router<App> {
    let own = Endpoint::new(schema(), true).at("/graphql");
    own.merge(Endpoint::new(subgraph::schema(), false).at("/graphql/subgraph"))
}

/// One operation, as a client sends it.
#[derive(serde::Deserialize)]
pub(super) struct Operation {
    /// Empty if it is only named.
    #[serde(default)]
    pub query: String,
    #[serde(default)]
    pub variables: Option<Map<String, Value>>,
    #[serde(default, rename = "operationName")]
    pub operation_name: Option<String>,
    #[serde(default)]
    pub extensions: Option<Map<String, Value>>,
    #[serde(default, rename = "documentId")]
    pub document_id: Option<String>,
}

impl Operation {
    fn of(object: Map<String, Value>) -> Result<Self> {
        let is_named = object.contains_key("documentId")
            || object.get("extensions").is_some_and(|all| all["persistedQuery"].is_object());
        if !object.contains_key("query") && !is_named {
            return Err(Error::invalid(
                "body",
                "must be one JSON object {\"query\": …}: it has no query",
            ));
        }
        serde_json::from_value(object.into()).map_err(|error| not_one(&error))
    }

    /// As the parameters of an address have it.
    fn of_address(query: &str) -> Result<Self> {
        let mut object = Map::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = match &*name {
                "query" | "operationName" | "documentId" => Value::String(value.into_owned()),
                "variables" | "extensions" => serde_json::from_str(&value)
                    .map_err(|error| Error::invalid(&*name, format!("must be JSON: {error}")))?,
                _ => continue,
            };
            object.insert(name.into_owned(), value);
        }
        Self::of(object)
    }

    fn variables(&self) -> Variables {
        Variables::from_json(self.variables.clone().unwrap_or_default().into())
    }

    /// The operation that was checked, ready to run.
    pub fn request(self, document: ExecutableDocument) -> Request {
        let mut request = Request::new(&*self.query).variables(self.variables());
        request.set_parsed_query(document);
        request.operation_name = self.operation_name;
        request
    }
}

fn not_one(error: &serde_json::Error) -> Error {
    Error::invalid("body", format!("must be one JSON object {{\"query\": …}}: {error}"))
}

/// Who asks for a socket gets one, a query is answered, and a browser gets GraphiQL.
async fn ask<S: Executor>(
    State(app): State<App>,
    Extension(endpoint): Extension<Endpoint<S>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    parts: request::Parts,
) -> HttpResponse {
    let headers = &parts.headers;
    let accepted = Accepted::of(headers);
    if headers.contains_key(UPGRADE) {
        return match upgrade {
            Ok(upgrade) => socket::open(app, endpoint.schema, parts, upgrade).await,
            Err(rejection) => refused(Error::invalid("upgrade", rejection.body_text())),
        };
    }
    if endpoint.has_page && accepts(headers, "text/html") {
        return crate::web::asset("graphiql/index.html", app.config.base(), headers);
    }
    let headers = parts.headers.clone();
    match prepare_query(&app, &endpoint.persisted, parts, accepted).await {
        Ok(prepared) if prepared.is_subscription => run(app, endpoint, prepared, accepted).await,
        Ok(prepared) => cached(run(app, endpoint, prepared, accepted).await, &headers),
        Err(refusal) => accepted.refuse(refusal),
    }
}

async fn execute<S: Executor>(
    State(app): State<App>,
    Extension(endpoint): Extension<Endpoint<S>>,
    parts: request::Parts,
    body: Body,
) -> HttpResponse {
    let accepted = Accepted::of(&parts.headers);
    match prepare(&app, &endpoint.persisted, &parts, body).await {
        Ok(prepared) => run(app, endpoint, prepared, accepted).await,
        Err(refusal) => accepted.refuse(refusal),
    }
}

async fn run<S: Executor>(
    app: App,
    endpoint: Endpoint<S>,
    prepared: Prepared,
    accepted: Accepted,
) -> HttpResponse {
    if prepared.is_subscription && accepted.events {
        return match seat_of(&app, &prepared.actor) {
            Ok(seat) => match prepared.actor.embed() {
                Some(token) => {
                    let schema = endpoint.embedded.of(token).clone();
                    sse::subscribe(&app, &schema, prepared, seat)
                }
                None => sse::subscribe(&app, &endpoint.schema, prepared, seat),
            },
            Err(error) => accepted.refuse(error.into()),
        };
    }
    let Prepared { request, actor, attempt, to_keep, .. } = prepared;
    let (spawned, session, executed) =
        (Spawned::default(), SessionAnswer::default(), Executed::default());
    let request = request.data(actor.clone()).data(session.clone()).data(executed.clone());
    let request = request.data(spawned.loaders(size::within(&app)));
    let execute = async {
        match actor.embed() {
            Some(token) => endpoint.embedded.of(token).execute(request).await,
            None => endpoint.schema.execute(request).await,
        }
    };
    let run = loader::run(execute, spawned);
    let response = tokio::time::timeout(MAX_TIME, run).await.unwrap_or_else(|_| {
        response(&Error::Timeout("The operation took too long. Ask for less at once."))
    });
    if let Some(attempt) = attempt.filter(|_| response.is_err()) {
        attempt.log(&app, &actor, &response.errors).await;
    }
    // Strangers use what others have sent, and cannot fill the memory with their own.
    if let Some(to_keep) = to_keep.filter(|_| executed.has_begun() && actor.user().is_ok()) {
        endpoint.persisted.keep(to_keep);
    }
    let cookie = session.cookie(&app.config).map(|cookie| AppendHeaders([(SET_COOKIE, cookie)]));
    let answer = accepted.tell(response, executed.has_begun());
    (cookie, actor.deprecations.headers(), answer).into_response()
}

/// A request that can be run.
pub(super) struct Prepared {
    pub request: Request,
    pub actor: Actor,
    attempt: Option<MutationAttempt>,
    is_subscription: bool,
    to_keep: Option<ToKeep>,
}

/// A query in an address. Whoever can make a browser load one must not gain by it: cookies are not looked at, and nothing
/// is changed.
async fn prepare_query(
    app: &App,
    persisted: &Persisted,
    mut parts: request::Parts,
    accepted: Accepted,
) -> Result<Prepared, Refusal> {
    let address = parts.uri.query().unwrap_or_default();
    if address.is_empty() {
        return Err(Refusal::Method(Error::invalid(
            "method",
            "POST {\"query\": …} as application/json, or open this address in a browser for GraphiQL",
        )));
    }
    // An image or script of another site's page asks so, too: nothing of it could be read there, only work be made.
    let site = parts.headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let is_foreign = matches!(site, Some(b"cross-site" | b"same-site"));
    if is_foreign && parts.extensions.get::<CrossOrigin>().is_none() {
        return Err(Refusal::Request(Error::Forbidden(
            "The request comes from another site. Start the server with that site in --allowed-origins.",
        )));
    }
    if address.len() > MAX_ADDRESS {
        return Err(Refusal::Request(Error::TooLarge(format!(
            "The address is too long: at most {MAX_ADDRESS} bytes are allowed. POST the query."
        ))));
    }
    let mut operation = Operation::of_address(address)?;
    let visitor = embedded::visitor(app, &parts).await?;
    let to_keep = resolve(app, persisted, visitor.as_ref(), &mut operation).await?;
    let document = check(&operation)?;
    let to_keep = to_keep.filter(|_| is_all(&document, &operation, OperationType::Query));
    let is_subscription = is_all(&document, &operation, OperationType::Subscription);
    if !(is_all(&document, &operation, OperationType::Query) || is_subscription && accepted.events)
    {
        let reason = "only queries can be sent with GET: POST mutations, and subscribe over a socket or with text/event-stream";
        return Err(Refusal::Method(Error::invalid("query", reason)));
    }
    parts.headers.remove(COOKIE);
    let actor = match visitor {
        Some(visitor) => visitor,
        None => recognise(app, &parts).await?,
    };
    let request = operation.request(document).data(ReadOnly);
    Ok(Prepared { request, actor, attempt: None, is_subscription, to_keep })
}

/// Checks everything that can be checked before the operation runs, cheapest first.
async fn prepare(
    app: &App,
    persisted: &Persisted,
    parts: &request::Parts,
    body: Body,
) -> Result<Prepared, Refusal> {
    let headers = &parts.headers;
    let json =
        headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
            value
                .split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .eq_ignore_ascii_case("application/json")
        });
    if !json {
        return Err(Error::invalid("content-type", "must be application/json").into());
    }
    let body = body::whole(body, limits::MAX_BODY_WITH_VARIABLES).await;
    let body = body.map_err(|error| match error {
        Error::TooLarge(_) => limits::too_large(),
        error => error,
    })?;
    // Through an object: serde would take a struct from an array, too.
    let object = serde_json::from_slice(&body.bytes).map_err(|error| not_one(&error))?;
    let mut operation = Operation::of(object)?;
    let visitor = embedded::visitor(app, parts).await?;
    let to_keep = resolve(app, persisted, visitor.as_ref(), &mut operation).await?;
    let document = check(&operation)?;
    // Mutations may hold what is secret.
    let to_keep = to_keep.filter(|_| is_all(&document, &operation, OperationType::Query));
    if parts.extensions.get::<CrossOrigin>().is_some() {
        limits::check_no_session(&document)?;
    }
    let attempt = MutationAttempt::of(&document, &operation.variables());
    let is_subscription = is_all(&document, &operation, OperationType::Subscription);
    let request = operation.request(document);
    if let Some(actor) = visitor {
        let request = request.data(ReadOnly);
        return Ok(Prepared { request, actor, attempt: None, is_subscription, to_keep });
    }
    // Who it is comes last: reading takes time, and by then they may be somebody else.
    let actor = match recognise(app, parts).await {
        Ok(actor) => actor,
        Err(error) => {
            if let Some(attempt) = attempt {
                attempt.log_all(app, &Actor::of_network(&app.access, parts), &error).await;
            }
            return Err(error.into());
        }
    };
    Ok(Prepared { request, actor, attempt, is_subscription, to_keep })
}

/// Gives an operation the text that it names, or takes note of one to keep.
async fn resolve(
    app: &App,
    persisted: &Persisted,
    visitor: Option<&Actor>,
    operation: &mut Operation,
) -> Result<Option<ToKeep>, Refusal> {
    match visitor.and_then(Actor::embed) {
        Some(token) if token.only_operations => {
            embedded::resolve(app, token, operation).await?;
            Ok(None)
        }
        Some(token) => {
            let to_keep = persisted.resolve(operation)?;
            embedded::resolve(app, token, operation).await?;
            Ok(to_keep)
        }
        None => persisted.resolve(operation),
    }
}

/// Whether what is to be run is of this kind, whichever it is; not where there is nothing to run.
fn is_all(document: &ExecutableDocument, operation: &Operation, kind: OperationType) -> bool {
    let wanted = operation.operation_name.as_deref();
    let is_wanted = |name: Option<&str>| wanted.is_none() || name == wanted;
    let operations = document.operations.iter();
    let mut kinds = operations
        .filter(|(name, _)| is_wanted(name.map(|name| name.as_str())))
        .map(|(_, operation)| operation.node.ty)
        .peekable();
    kinds.peek().is_some() && kinds.all(|found| found == kind)
}

fn check(operation: &Operation) -> Result<ExecutableDocument, Refusal> {
    let document = limits::check(&operation.query).map_err(Refusal::of_operation)?;
    let (name, variables) = (operation.operation_name.as_deref(), operation.variables.as_ref());
    limits::check_variables(&document, name, variables).map_err(Refusal::of_operation)?;
    if is_all(&document, operation, OperationType::Subscription) {
        socket::check_subscribes(&document).map_err(Refusal::of_operation)?;
    }
    Ok(document)
}

pub(super) async fn recognise(app: &App, parts: &request::Parts) -> Result<Actor> {
    let actor = Actor::of_request(&app.access, parts).await?;
    crate::origin::check(&app.config, &actor, parts)?;
    Ok(actor)
}

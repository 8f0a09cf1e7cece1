//! The GraphQL endpoint: the merged schema, its limits, and the HTTP handler.
//!
//! The handler is ours: it takes only `application/json`, and one operation within the [`limits`].

mod limits;
mod size;
mod socket;

use std::time::Duration;

use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{
    Context, MergedObject, MergedSubscription, Object, Pos, Request, Response, Schema,
    SimpleObject, Variables,
};
use axum::body::Body;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::header::{ACCEPT, ALLOW, CONTENT_TYPE, SET_COOKIE, UPGRADE};
use axum::http::{HeaderValue, StatusCode, request};
use axum::response::{AppendHeaders, IntoResponse, Response as HttpResponse};
use axum::routing::get;
use axum::{Extension, Json, Router};

use crate::access::allowance::Allowance;
use crate::access::session::SessionAnswer;
use crate::access::{self, Actor};
use crate::app::App;
use crate::audit_denied::MutationAttempt;
use crate::body;
use crate::error::{Error, Result};
use crate::loader::{self, Spawned};
use crate::markdown::MarkdownQuery;
use crate::registry::catalog::alias::graphql::AliasMutation;
use crate::registry::catalog::file::graphql::FileMutation;
use crate::registry::catalog::model::graphql::{ModelMutation, ModelQuery};
use crate::registry::catalog::model::live::ModelSubscription;
use crate::registry::catalog::project::graphql::{ProjectMutation, ProjectQuery};
use crate::registry::catalog::protection::graphql::ProtectionMutation;
use crate::registry::catalog::version::graphql::VersionMutation;
use crate::registry::event::graphql::{EventMutation, EventQuery};
use crate::registry::lifecycle::trash::graphql::TrashMutation;
use crate::registry::metadata::tag::graphql::TagMutation;
use crate::registry::node::NodeQuery;
use crate::registry::people::invitation::graphql::{InvitationMutation, InvitationQuery};
use crate::registry::people::member::graphql::MemberMutation;
use crate::registry::people::session::graphql::SessionMutation;
use crate::registry::people::token::graphql::TokenMutation;
use crate::registry::people::user::graphql::UserQuery;
use crate::registry::people::user::mutation::UserMutation;
use crate::registry::tracking::candidate::graphql::CandidateMutation;
use crate::registry::tracking::candidate::live::CandidateSubscription;

const MAX_DEPTH: usize = 20;
const MAX_DIRECTIVES: usize = 10;
const MAX_COMPLEXITY: usize = 50_000;
const MAX_TIME: Duration = Duration::from_secs(30);

/// How people can sign in.
#[derive(SimpleObject)]
struct SignInMethods {
    /// Whether they need to: not where the server was started with `--no-auth`, and everybody is its administrator.
    required: bool,
    /// Whether they can with a password.
    password: bool,
    /// Whether nobody has signed in as `admin` yet. If no password was chosen for it, the server printed one when it first
    /// started.
    awaits_admin: bool,
    /// Single sign-on; null if there is none.
    single_sign_on: Option<SingleSignOn>,
}

/// Sign-in at an OpenID provider.
#[derive(SimpleObject)]
struct SingleSignOn {
    /// What it is called, such as `Company account`.
    name: String,
    /// The address where it starts; `?next=/vision` is where it leads afterwards.
    url: String,
}

#[derive(Default)]
struct ServerQuery;

#[Object]
impl ServerQuery {
    /// The version of the program that answers, such as `0.1.0`.
    async fn server_version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }

    /// Whether the server has space for more files. Without space, uploads are refused with `NO_SPACE`; everything else works.
    async fn has_room(&self, ctx: &Context<'_>) -> Result<bool> {
        loader::loaders(ctx).loader().app.store.has_room()
    }

    /// What the operator of this registry allows you to do, in addition to your roles.
    async fn allowance(&self, ctx: &Context<'_>) -> Allowance {
        Allowance::of(&loader::loaders(ctx).loader().app.config.policy, access::actor(ctx))
    }

    /// How people can sign in here.
    async fn sign_in_methods(&self, ctx: &Context<'_>) -> Result<SignInMethods> {
        let App { config, db, .. } = &loader::loaders(ctx).loader().app;
        let admin = access::user::find_by_username(db, "admin").await?;
        let awaits_admin = admin.is_some_and(|admin| admin.last_seen_at_ms.is_none());
        let single_sign_on = config.oidc.issuer.as_ref().map(|_| SingleSignOn {
            name: config.oidc.name.clone(),
            url: format!("{}/auth/oidc/sign-in", config.base()),
        });
        Ok(SignInMethods {
            required: !config.no_auth,
            password: !config.no_password_sign_in,
            awaits_admin,
            single_sign_on,
        })
    }
}

/// Everything that can be read.
#[derive(MergedObject, Default)]
pub struct Query(
    ServerQuery,
    UserQuery,
    InvitationQuery,
    NodeQuery,
    ProjectQuery,
    ModelQuery,
    EventQuery,
    MarkdownQuery,
);

/// All changes. Each mutation is one transaction.
#[derive(MergedObject, Default)]
pub struct Mutation(
    ProjectMutation,
    ModelMutation,
    VersionMutation,
    CandidateMutation,
    AliasMutation,
    TagMutation,
    EventMutation,
    FileMutation,
    TrashMutation,
    MemberMutation,
    ProtectionMutation,
    SessionMutation,
    TokenMutation,
    UserMutation,
    InvitationMutation,
);

/// Live updates, over a WebSocket (`graphql-transport-ws`).
#[derive(MergedSubscription, Default)]
pub struct Subscription(CandidateSubscription, ModelSubscription);

pub type RegistrySchema = Schema<Query, Mutation, Subscription>;

/// The schema with its limits.
pub fn schema() -> RegistrySchema {
    Schema::build(Query::default(), Mutation::default(), Subscription::default())
        .limit_depth(MAX_DEPTH)
        .limit_recursive_depth(2 * MAX_DEPTH)
        .limit_complexity(MAX_COMPLEXITY)
        .limit_directives(MAX_DIRECTIVES)
        .extension(size::Size)
        .finish()
}

/// The schema as SDL: what `schema.graphql` holds.
pub fn sdl() -> String {
    let options = async_graphql::SDLExportOptions::new().prefer_single_line_descriptions();
    schema().sdl_with_options(options)
}

pub fn routes() -> Router<App> {
    Router::new().route("/graphql", get(explore).post(execute)).layer(Extension(schema()))
}

/// Who asks for a socket gets one, a browser GraphiQL; everything else is told to POST.
async fn explore(
    State(app): State<App>,
    Extension(schema): Extension<RegistrySchema>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    parts: request::Parts,
) -> HttpResponse {
    let headers = &parts.headers;
    if headers.contains_key(UPGRADE) {
        return match upgrade {
            Ok(upgrade) => socket::open(app, schema, parts, upgrade).await,
            Err(rejection) => refused(&Error::invalid("upgrade", rejection.body_text())),
        };
    }
    let browser = headers
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    if browser {
        return crate::web::asset("graphiql/index.html", app.config.base(), headers);
    }
    let message =
        "POST {\"query\": …} as application/json, or open this address in a browser for GraphiQL";
    let mut response = refused(&Error::invalid("method", message));
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    response
}

#[derive(serde::Deserialize)]
struct Operation {
    query: String,
    #[serde(default)]
    variables: Option<serde_json::Value>,
    #[serde(default, rename = "operationName")]
    operation_name: Option<String>,
}

async fn execute(
    State(app): State<App>,
    Extension(schema): Extension<RegistrySchema>,
    parts: request::Parts,
    body: Body,
) -> HttpResponse {
    let Prepared { request, actor, attempt } = match prepare(&app, &parts, body).await {
        Ok(prepared) => prepared,
        Err(error) => return refused(&error),
    };
    let spawned = Spawned::default();
    let session = SessionAnswer::default();
    let request = request.data(actor.clone()).data(session.clone());
    let request = request.data(spawned.loaders(size::within(&app)));
    let run = loader::run(schema.execute(request), spawned);
    let response = tokio::time::timeout(MAX_TIME, run).await.unwrap_or_else(|_| {
        response(&Error::Timeout("The operation took too long. Ask for less at once."))
    });
    if let Some(attempt) = attempt.filter(|_| response.is_err()) {
        attempt.log(&app, &actor, &response.errors).await;
    }
    let cookie = session.cookie(&app.config).map(|cookie| AppendHeaders([(SET_COOKIE, cookie)]));
    (cookie, actor.deprecations.headers(), Json(with_codes(response))).into_response()
}

/// Errors of ours have a code; what is left is an operation that does not fit the schema.
fn with_codes(mut response: Response) -> Response {
    for error in &mut response.errors {
        let extensions = error.extensions.get_or_insert_default();
        if extensions.get("code").is_none() {
            extensions.set("code", "INVALID");
        }
    }
    response
}

fn refused(error: &Error) -> HttpResponse {
    (error.status(), error.challenge(), Json(response(error))).into_response()
}

fn response(error: &Error) -> Response {
    let error = async_graphql::Error::from(error.clone()).into_server_error(Pos::default());
    Response::from_errors(vec![error])
}

/// A request that can be run.
struct Prepared {
    request: Request,
    actor: Actor,
    attempt: Option<MutationAttempt>,
}

/// Checks everything that can be checked before the operation runs, cheapest first.
async fn prepare(app: &App, parts: &request::Parts, body: Body) -> Result<Prepared> {
    let headers = &parts.headers;
    let json =
        headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
            value.split(';').next().unwrap_or_default().trim() == "application/json"
        });
    if !json {
        return Err(Error::invalid("content-type", "must be application/json"));
    }
    let body = body::whole(body, limits::MAX_BODY_WITH_VARIABLES).await;
    let body = body.map_err(|error| match error {
        Error::TooLarge(_) => limits::too_large(),
        error => error,
    })?;
    // Through an object: serde would take a struct from an array, too.
    let operation: Operation = serde_json::from_slice::<serde_json::Map<_, _>>(&body.bytes)
        .and_then(|object| serde_json::from_value(object.into()))
        .map_err(|error| {
            Error::invalid("body", format!("must be one JSON object {{\"query\": …}}: {error}"))
        })?;
    let document = limits::check(&operation.query)?;
    let variables = operation.variables.clone().map(Variables::from_json).unwrap_or_default();
    let attempt = MutationAttempt::of(&document, &variables);
    let request = build_request(operation, document);
    // Who it is comes last: reading takes time, and by then they may be somebody else.
    let actor = match recognise(app, parts).await {
        Ok(actor) => actor,
        Err(error) => {
            if let Some(attempt) = attempt {
                attempt.log_all(app, &Actor::of_network(&app.access, parts), &error).await;
            }
            return Err(error);
        }
    };
    Ok(Prepared { request, actor, attempt })
}

/// An operation that was checked, ready to run.
fn build_request(operation: Operation, document: ExecutableDocument) -> Request {
    let variables = operation.variables.map(Variables::from_json).unwrap_or_default();
    let mut request = Request::new(operation.query).variables(variables);
    request.set_parsed_query(document);
    request.operation_name = operation.operation_name;
    request
}

async fn recognise(app: &App, parts: &request::Parts) -> Result<Actor> {
    let actor = Actor::of_request(&app.access, parts).await?;
    crate::origin::check(&app.config, &actor, &parts.headers)?;
    Ok(actor)
}

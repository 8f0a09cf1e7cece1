//! Model Registry: a self-hosted registry for machine-learning models.
//!
//! Dependencies point one way, down the floors that tests/it/floors draws.

/// What one thread allocates another often frees here: rows come from SQLite's threads, and SQLite itself
/// allocates with it, too. glibc's own takes a quarter of the time of a long list for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub mod access;
pub mod action;
mod answer;
pub mod app;
pub mod archive;
pub mod audit;
pub mod audit_denied;
mod body;
pub mod cache;
pub mod change;
pub mod command;
pub mod config;
pub mod connection;
mod cors;
pub mod db;
pub mod deprecation;
mod disk;
pub mod embed;
pub mod error;
pub mod files;
pub mod filter;
pub mod graphql;
pub mod id;
pub mod in_flight;
pub mod limits;
mod linger;
pub mod loader;
pub mod log;
pub mod long;
pub mod markdown;
pub mod mlflow;
pub mod network;
pub mod oidc;
pub mod origin;
pub mod outbound;
pub mod page;
mod peers;
pub mod registry;
pub mod role;
pub mod sealing;
pub mod server;
pub mod signing;
pub mod sockets;
pub mod sql;
pub mod store;
pub mod telemetry;
pub mod text;
pub mod throttle;
pub mod time;
mod upkeep;
pub mod web;
mod words;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

use crate::app::App;
use crate::error::Error;

async fn wrong_method() -> Response {
    let reason = "is not allowed at this address: the header Allow lists the methods that are";
    let mut response = Error::invalid("method", reason).into_response();
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}

/// Every address that the server answers. Below a path, also where a proxy passes that path on.
pub fn app(app: App) -> Router {
    let base = app.config.base().to_owned();
    let routes = routes(app);
    match base.as_str() {
        "" => routes,
        _ => Router::new()
            .fallback_service(routes.map_request(move |request| without(&base, request))),
    }
}

/// A request without the path that the server is below.
fn without(base: &str, mut request: Request) -> Request {
    let rest = request.uri().path_and_query().and_then(|path| path.as_str().strip_prefix(base));
    let path = match rest {
        Some("") => "/".to_owned(),
        Some(rest) if rest.starts_with('?') => format!("/{rest}"),
        Some(rest) if rest.starts_with('/') => rest.to_owned(),
        _ => return request,
    };
    if let Ok(uri) = path.parse() {
        *request.uri_mut() = uri;
    }
    request
}

fn routes(app: App) -> Router {
    Router::new()
        .merge(graphql::routes())
        .merge(files::routes())
        .merge(embed::routes())
        .merge(audit::routes())
        .merge(mlflow::routes())
        .merge(oidc::routes(&app))
        .merge(telemetry::routes())
        .merge(web::routes())
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::disable()) // each route has its own
        .layer(CatchPanicLayer::new())
        .layer(CompressionLayer::new().compress_when(answer::is_compressed()))
        .layer(from_fn_with_state(app.clone(), cors::share))
        .layer(from_fn(telemetry::observe))
        .with_state(app)
}
